"""A running application in a process of its own, and a browser, where there is one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from web_pages import Tab

pytest.importorskip("fastapi", reason="needs the `web` extra: pip install -e '.[web]'")
ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


class Reply(NamedTuple):
    """What the application said."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body as plain values."""
        return json.loads(self.body)


def served(*options: str) -> Iterator[str]:
    """The address of an application that is ended afterwards."""
    command = [sys.executable, "-c", "from costline.cli import main; main()", "web", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    """`serve("--time-limit", "2")` starts one more application, with limits of its own."""
    with ExitStack() as started:
        yield lambda *options: started.enter_context(contextmanager(served)(*options))


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    """The address of a running application."""
    yield from served("--no-ahead")


@pytest.fixture(scope="session")
def ask(base: str) -> Callable[..., Reply]:
    """`ask("/api/plan", {...})` posts a document; without one it gets the address."""

    def request(
        path: str, document: Any = None, *, body: bytes | None = None, method: str | None = None, **headers: str
    ) -> Reply:
        data = body if body is not None or document is None else json.dumps(document).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            named.setdefault("content-type", "application/json")
        asked = urllib.request.Request(base + path, data, named, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=90) as reply:
                return Reply(reply.status, reply.read(), {k.lower(): v for k, v in reply.headers.items()})
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.read(), {k.lower(): v for k, v in error.headers.items()})

    return request


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium or Chrome."""
    given = os.environ.get("CHROMIUM", "")
    found = given if given and Path(given).is_file() else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs a browser, and none of {', '.join(BROWSERS)} is on this machine; name one in CHROMIUM")
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """A headless browser."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[dev]'")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def tab(browser: Any, base: str, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """A fresh tab; whatever its console complained about fails the test."""
    size, scheme = getattr(request, "param", ((1280, 900), "light"))
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    opened = Tab(context.new_page(), base)
    yield opened
    context.close()
    assert opened.complaints == []
