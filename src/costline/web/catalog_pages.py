"""The pages of the catalog: facts with their sources, one entry, a model from a pasted config.json."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from costline.answers.report.pasted import read_config_text
from costline.web.answering import as_json, reply_to
from costline.web.documents import check_depth
from costline.web.layout import question_from_form, shell
from costline.web.templating import rendered

router = APIRouter(include_in_schema=False)
Name = Annotated[str, Query(max_length=300)]
Text = Annotated[str, Query(max_length=60_000)]


@router.get("/catalog")
async def catalog(request: Request, kind: Name = "models") -> Response:
    """All entries of a kind."""
    return await _page(request, "catalog_list", {"kind": kind}, kind)


@router.get("/catalog.json")
async def catalog_twin(request: Request, kind: Name = "models") -> Response:
    """The same as JSON."""
    return as_json(await reply_to(request, "catalog_list", {"kind": kind}, long=False), "page")


@router.get("/catalog/entry")
async def entry(request: Request, name: Name) -> Response:
    """Everything known of one name."""
    return await _page(request, "catalog_entry", {"name": name}, "")


@router.get("/catalog/entry.json")
async def entry_twin(request: Request, name: Name) -> Response:
    """The same as JSON."""
    return as_json(await reply_to(request, "catalog_entry", {"name": name}, long=False), "page")


@router.get("/catalog/model")
async def model(request: Request, config: Text) -> Response:
    """What a pasted config.json describes; it stands in the address and nowhere else."""
    return await _page(request, "catalog_model", {"config": _compact(config)}, "", config=config)


@router.get("/catalog/model.json")
async def model_twin(request: Request, config: Text) -> Response:
    """The same as JSON."""
    return as_json(await reply_to(request, "catalog_model", {"config": _compact(config)}, long=False), "page")


@router.post("/catalog/model")
async def paste(request: Request) -> Response:
    """Takes the text of a config.json and goes to where it can be shared."""
    text = question_from_form(await request.body(), "config")
    return RedirectResponse(f"/catalog/model?{urlencode({'config': _compact(text)})}", 303)


def _compact(text: str) -> str:
    """The document without what makes it long to read. Raises InputError for what is none."""
    found = read_config_text(text)
    check_depth(found)
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


async def _page(request: Request, question: str, arguments: dict[str, str], kind: str, config: str = "") -> Response:
    reply = await reply_to(request, question, arguments, long=False)
    part = Markup(reply.parts["part"].decode()) if reply.status == 200 else ""
    use = urlencode({"model.config": config, "workload.input_tokens": "2048", "workload.output_tokens": "512",
                     "system.accelerator": "h100-sxm"}) if config else ""  # fmt: skip
    body = rendered("catalog.html", **shell("catalog", "Catalog"), kind=kind, part=part, error=reply.error, use=use)
    return HTMLResponse(body, reply.status)
