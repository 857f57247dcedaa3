"""Puts the application together: routes, limits, workers, and one line for whatever is wrong."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from costline.errors import CostlineError, UnknownIdError
from costline.version import __version__
from costline.web import api, catalog_pages, pages, static_files
from costline.web.answering import fault
from costline.web.desk import Desk, Refused
from costline.web.guard import Guard
from costline.web.layout import names, shell
from costline.web.settings import Settings
from costline.web.templating import rendered

pages.add_pages(api.FAULTS)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application with its limits."""
    limits = settings or Settings()
    app = FastAPI(
        title="costline", version=__version__, lifespan=_lifespan, docs_url=None, redoc_url=None,
        summary="What a token costs, how fast it can be, and what to run to get it.",
    )  # fmt: skip
    app.state.settings = limits
    for router in (api.router, pages.twins, pages.router, catalog_pages.router, static_files.router):
        app.include_router(router)
    app.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=4)
    app.add_middleware(Guard, settings=limits)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(CostlineError, _wrong)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.openapi = lambda: _described(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    desk = Desk(app.state.settings)
    app.state.desk = desk
    names()
    static_files.asset(static_files.PLOTLY)
    await desk.start()
    if app.state.settings.ahead:
        desk.ask("plan", pages.first_question(), long=True, client="")
    yield
    await desk.close()


def _described(app: FastAPI) -> dict[str, Any]:
    """The description of the API, the shapes of bodies among its schemas."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        _, shapes = models_json_schema(
            [(shape, "validation") for shape in api.SHAPES], ref_template="#/components/schemas/{model}"
        )
        found.setdefault("components", {}).setdefault("schemas", {}).update(shapes["$defs"])
        app.openapi_schema = found
    return app.openapi_schema


def _said(request: Request, status: int, error: str) -> Response:
    """What was wrong: a page for a person, JSON for the rest."""
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api"):
        return HTMLResponse(rendered("wrong.html", **shell("", "Not possible"), error=error, status=status), status)
    return fault(status, error)


async def _wrong(request: Request, error: Exception) -> Response:
    found = isinstance(error, UnknownIdError) and request.method == "GET"
    return _said(request, 404 if found else 422, str(error))


async def _refused(request: Request, error: Exception) -> Response:
    said = _said(request, 429, str(error))
    said.headers["retry-after"] = "5"
    return said


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return _said(request, 422, f"{place}: {first['msg'].lower()}; correct it")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = _said(request, error.status_code, str(error.detail).lower())
    said.headers.update(error.headers or {})
    return said


async def _failed(request: Request, error: Exception) -> Response:
    return _said(request, 500, f"costline failed: {type(error).__name__}")
