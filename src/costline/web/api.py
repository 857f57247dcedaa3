"""The API: one endpoint a question, the same answers as `costline … --json`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from costline.errors import InputError
from costline.web.answering import as_events, as_json, desk_of, fault, reply_to
from costline.web.documents import read_document
from costline.web.forms import KINDS
from costline.web.questions import QUESTIONS, Question, ReproduceQuestion, arguments_of

router = APIRouter(prefix="/api", tags=["questions"])


class Fault(BaseModel):
    """What was wrong with a question, in one line: the field, the value, the rule, the remedy."""

    error: str = Field(examples=["unknown model 'lama'; nearest: llama-2-7b, llama-3-8b, llama-3.1-8b"])


FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": Fault, "description": words}
    for status, words in {
        400: "the request cannot be read",
        404: "there is nothing of that name",
        408: "the body did not arrive in time",
        409: "the question is sound but nothing satisfies it, or it was cancelled",
        413: "the body is too large",
        422: "the question cannot be used",
        429: "too many questions at once",
        503: "no worker could be started",
    }.items()
}
_ANSWER = {"description": "The answer, as `costline … --json` prints it; as server-sent events if asked for"}
_BODIES = ("application/json", "application/yaml")


async def document_of(request: Request) -> dict[str, Any]:
    """The body of a request as plain values. Raises InputError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = (await request.body()).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("the body is not UTF-8 text; send it as UTF-8") from None
    return read_document(text, as_yaml=kind.endswith("yaml"))


def _endpoint(question: Question) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        arguments = arguments_of(question, await document_of(request))
        if "text/event-stream" in request.headers.get("accept", ""):
            return as_events(request, question.name, arguments, long=question.long)
        return as_json(await reply_to(request, question.name, arguments, long=question.long))

    return answer


def _body(question: Question) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{question.shape.__name__}"}
    content = {kind: {"schema": schema, "example": question.example} for kind in _BODIES}
    return {"requestBody": {"required": True, "content": content}}


for _one in QUESTIONS.values():
    router.add_api_route(
        f"/{_one.name}", _endpoint(_one), methods=["POST"], summary=_one.summary, name=_one.name,
        responses={200: _ANSWER, **FAULTS}, openapi_extra=_body(_one), response_model=dict[str, Any],
    )  # fmt: skip


@router.get("/catalog", summary="Kinds of facts", responses=FAULTS)
async def catalog() -> dict[str, list[str]]:
    """The kinds of entries that the catalog has."""
    return {"kinds": list(KINDS)}


@router.get("/catalog/{kind}", summary="All entries of a kind", responses=FAULTS, response_model=dict[str, Any])
async def catalog_list(
    request: Request, kind: Annotated[str, Path(max_length=100, examples=["models"])]
) -> Response:
    """As `costline catalog list`."""
    return as_json(await reply_to(request, "catalog_list", {"kind": kind}, long=False))


@router.get("/entry", summary="Everything known of one name", responses=FAULTS, response_model=dict[str, Any])
async def catalog_entry(
    request: Request, name: Annotated[str, Query(max_length=300, examples=["h100-sxm"])]
) -> Response:
    """As `costline catalog show`."""
    return as_json(await reply_to(request, "catalog_entry", {"name": name}, long=False))


@router.post(
    "/model", summary="What a pasted config.json describes", responses=FAULTS, response_model=dict[str, Any],
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
        "schema": {"type": "object"}, "example": {"model_type": "llama", "hidden_size": 4096}}}}},
)  # fmt: skip
async def catalog_model(request: Request) -> Response:
    """The model of a config.json; nothing is kept."""
    config = json.dumps(await document_of(request))
    return as_json(await reply_to(request, "catalog_model", {"config": config}, long=False))


@router.delete("/jobs/{job}", summary="Cancel what is being worked on", responses=FAULTS)
async def cancel(request: Request, job: Annotated[str, Path(max_length=40)]) -> Response:
    """Ends a job; its id is in the first event of its stream."""
    if desk_of(request).cancel(job):
        return Response('{"cancelled": true}', media_type="application/json")
    return fault(404, f"no job {job!r} is being worked on; it may have ended")


SHAPES: tuple[type[BaseModel], ...] = (*(one.shape for one in QUESTIONS.values()), ReproduceQuestion)
"""Shapes of the bodies, for the description of the API."""
