"""Scripts and styles, from the package and from the installed Plotly: read once, named in code, never by a visitor."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import Response

from costline.web.answering import fault

router = APIRouter(prefix="/static", include_in_schema=False)
OWN = {
    "style.css": "text/css", "theme.js": "text/javascript", "page.js": "text/javascript",
    "charts.js": "text/javascript", "icon.svg": "image/svg+xml",
}  # fmt: skip
PLOTLY = "plotly.js"
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file: its kind, and its bytes as they are and packed."""

    kind: str
    body: bytes
    packed: bytes
    mark: str
    """Changes with the content; part of the address, so that a browser may keep the file for ever."""


@cache
def asset(name: str) -> Asset:
    """One of the files that there are."""
    if name == PLOTLY:
        body = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
        return Asset("text/javascript", body, gzip.compress(body, 6, mtime=0), version("plotly"))
    body = files("costline.web").joinpath("static", name).read_bytes()
    return Asset(OWN[name], body, gzip.compress(body, mtime=0), hashlib.sha256(body).hexdigest()[:12])


def address(name: str) -> str:
    """Where a page finds a file."""
    mark = version("plotly") if name == PLOTLY else asset(name).mark
    return f"/static/{name}?v={mark}"


@router.get("/{name}")
async def static(request: Request, name: str) -> Response:
    """A file of the application."""
    if name != PLOTLY and name not in OWN:
        return fault(404, "there is no such file")
    found = asset(name)
    headers = {"cache-control": FOREVER, "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=found.kind, headers={**headers, "content-encoding": "gzip"})
    return Response(found.body, media_type=found.kind, headers=headers)
