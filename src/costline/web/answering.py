"""From a request to a reply: hands the question in, waits as long as someone is there, and says how far it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from costline.web.desk import Desk, Job
from costline.web.pool import Reply

LOOK_S = 0.5
"""How often it is looked whether the client is still there."""
JSON = "application/json"


def desk_of(request: Request) -> Desk:
    """Where questions are handed in."""
    return cast(Desk, request.app.state.desk)


def client_of(request: Request) -> str:
    """Who asks, as far as an address tells."""
    return request.client.host if request.client else "unknown"


async def reply_to(request: Request, question: str, arguments: Mapping[str, Any], *, long: bool) -> Reply:
    """The reply to a question; the work is dropped if the client goes. Raises Refused where too much is asked."""
    desk = desk_of(request)
    found = desk.ask(question, arguments, long=long, client=client_of(request))
    return found if isinstance(found, Reply) else await _waited(request, desk, found)


async def _waited(request: Request, desk: Desk, job: Job) -> Reply:
    desk.watch(job)
    try:
        while True:
            reply = await job.wait(LOOK_S)
            if reply is not None:
                return reply
            if await request.is_disconnected():
                return Reply(409, {}, "nobody waits for the answer any more")
    finally:
        desk.leave(job)


async def reply_soon(
    request: Request, question: str, arguments: Mapping[str, Any], *, long: bool, within_s: float
) -> Reply | None:
    """The reply if it comes in that time; else None, and the work goes on for a moment."""
    desk = desk_of(request)
    found = desk.ask(question, arguments, long=long, client=client_of(request))
    if isinstance(found, Reply):
        return found
    desk.watch(found)
    try:
        return await found.wait(within_s)
    finally:
        desk.leave(found)


def as_json(reply: Reply, part: str = "data") -> Response:
    """A part of a reply, or what was wrong, as a response."""
    if reply.status == 200:
        return Response(reply.parts[part], media_type=JSON)
    return fault(reply.status, reply.error)


def fault(status: int, error: str) -> Response:
    """What was wrong, in one line; without a bracket that anything could take for markup."""
    text = json.dumps({"error": error}).replace("<", "\\u003c")
    return Response(text, status, media_type=JSON)


def as_events(request: Request, question: str, arguments: Mapping[str, Any], *, long: bool) -> StreamingResponse:
    """How far the answer is, as server-sent events: started, progress …, then answer or refused."""
    desk = desk_of(request)
    found = desk.ask(question, arguments, long=long, client=client_of(request))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_events(desk, found), media_type="text/event-stream", headers=headers)


async def _events(desk: Desk, found: Reply | Job) -> AsyncIterator[str]:
    if isinstance(found, Reply):
        yield _last(found)
        return
    desk.watch(found)
    try:
        yield _event("started", {"job": found.id})
        while (reply := await found.wait(LOOK_S)) is None:
            yield _event("progress", {"words": found.words, "elapsed_s": round(found.elapsed_s, 1)})
        yield _last(reply)
    finally:
        desk.leave(found)


def _last(reply: Reply) -> str:
    if reply.status != 200:
        return _event("refused", {"error": reply.error, "status": reply.status})
    return _event("answer", json.loads(reply.parts["data"]))


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
