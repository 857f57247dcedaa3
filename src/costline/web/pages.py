"""The pages that ask a question: HTML, the same as JSON, the part that changes, its progress, and files to keep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from costline.errors import CostlineError
from costline.web.address import query_of, question_of
from costline.web.answering import as_events, as_json, fault, reply_soon, reply_to
from costline.web.desk import Refused
from costline.web.documents import read_document
from costline.web.forms import PAGES, PLAN, Page, beside, values_of
from costline.web.layout import page_html, question_from_form
from costline.web.questions import QUESTIONS, arguments_of

router = APIRouter(include_in_schema=False)
twins = APIRouter(tags=["pages"])
SOON_S = 0.3
"""How long a page waits for its answer before it is shown without one."""
DOWNLOADS = {
    "report.html": ("report", "text/html; charset=utf-8"),
    "table.csv": ("csv", "text/csv; charset=utf-8"),
    "result.json": ("data", "application/json"),
}
Handler = Callable[[Request], Awaitable[Response]]


@router.get("/")
async def home() -> Response:
    """The planner."""
    return RedirectResponse("/plan")


def asked(page: Page, request: Request) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """The names of the address, or those that the page starts with; and what a worker is asked. Raises InputError."""
    pairs = list(request.query_params.multi_items()) or page.defaults
    return pairs, arguments_of(QUESTIONS[page.question], question_of(pairs))


def first_question() -> dict[str, Any]:
    """What the first page asks before anyone has changed it; asked ahead, so that it opens with its answer."""
    return arguments_of(QUESTIONS[PLAN.question], question_of(PLAN.defaults))


def _whole(page: Page) -> Handler:
    async def whole(request: Request) -> Response:
        pairs = list(request.query_params.multi_items()) or page.defaults
        part, error, status, pending = "", "", 200, False
        try:
            _, arguments = asked(page, request)
            long = QUESTIONS[page.question].long
            reply = await reply_soon(request, page.question, arguments, long=long, within_s=SOON_S)
            pending = reply is None
            if reply is not None:
                part, error, status = reply.parts.get("part", b"").decode(), reply.error, reply.status
        except (CostlineError, Refused) as fault:
            error, status = str(fault), 429 if isinstance(fault, Refused) else 422
        values = values_of(page, pairs)
        body = page_html(page, values, beside(page, values), part=Markup(part), error=error, pending=pending)
        return HTMLResponse(body, status)

    return whole


def _twin(page: Page, part: str) -> Handler:
    async def twin(request: Request) -> Response:
        _, arguments = asked(page, request)
        reply = await reply_to(request, page.question, arguments, long=QUESTIONS[page.question].long)
        if part == "part" and reply.status == 200:
            return HTMLResponse(reply.parts["part"])
        return as_json(reply, part)

    return twin


def _progress(page: Page) -> Handler:
    async def progress(request: Request) -> Response:
        _, arguments = asked(page, request)
        return as_events(request, page.question, arguments, long=QUESTIONS[page.question].long)

    return progress


def _download(page: Page, name: str) -> Handler:
    part, kind = DOWNLOADS[name]

    async def download(request: Request) -> Response:
        _, arguments = asked(page, request)
        reply = await reply_to(request, page.question, arguments, long=QUESTIONS[page.question].long)
        if reply.status != 200:
            return fault(reply.status, reply.error)
        headers = {"content-disposition": f'attachment; filename="costline-{page.path}-{name}"'}
        return Response(reply.parts[part], media_type=kind, headers=headers)

    return download


def _as_yaml(page: Page) -> Handler:
    async def as_yaml(request: Request) -> Response:
        pairs = list(request.query_params.multi_items()) or page.defaults
        asked(page, request)
        text = yaml.safe_dump(_numbers(question_of(pairs)), sort_keys=False, allow_unicode=True)
        headers = {"content-disposition": 'attachment; filename="scenario.yml"'}
        return Response(text, media_type="application/yaml", headers=headers)

    return as_yaml


def _numbers(value: Any) -> Any:
    """Numbers that an address holds as text, as numbers."""
    if isinstance(value, dict):
        return {key: _numbers(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_numbers(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    return int(number) if number.is_integer() else number


def _paste(page: Page) -> Handler:
    async def paste(request: Request) -> Response:
        text = question_from_form(await request.body(), "document")
        document = read_document(text, as_yaml=True)
        arguments_of(QUESTIONS[page.question], document)
        return RedirectResponse(f"/{page.path}?{query_of(document)}", 303)

    return paste


_TWIN = {"parameters": [{
    "name": "question", "in": "query", "style": "form", "explode": True, "required": False,
    "description": "The question's document with dotted names, such as workload.input_tokens=2048",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}]}  # fmt: skip


def add_pages(faults: dict[int | str, dict[str, Any]]) -> None:
    """Lays every page's addresses."""
    for page in PAGES.values():
        router.add_api_route(f"/{page.path}", _whole(page), methods=["GET"])
        router.add_api_route(f"/{page.path}/part", _twin(page, "part"), methods=["GET"])
        router.add_api_route(f"/{page.path}/events", _progress(page), methods=["GET"])
        for name in DOWNLOADS:
            if name != "report.html" or page.question == "plan":
                router.add_api_route(f"/{page.path}/{name}", _download(page, name), methods=["GET"])
        if QUESTIONS[page.question].in_scenario:
            router.add_api_route(f"/{page.path}/scenario.yml", _as_yaml(page), methods=["GET"])
            router.add_api_route(f"/{page.path}/scenario", _paste(page), methods=["POST"])
        twins.add_api_route(
            f"/{page.path}.json", _twin(page, "page"), methods=["GET"], summary=f"What the page {page.title} shows",
            responses=faults, openapi_extra=_TWIN, response_model=dict[str, Any],
        )  # fmt: skip

