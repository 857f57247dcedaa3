"""What stands before every request: a body that arrives whole, in time and no larger than allowed; and safe headers.

Speaks ASGI. Knows no question.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from costline.web.settings import LOOPBACK, Settings

POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip
"""No script but our own files, and nothing made into a script. Inline styles are Plotly's, which writes its own."""
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


DRAIN_S = 1.0


def _name(host: bytes) -> str:
    """The name in a Host header, without its port.

    >>> _name(b"localhost:80"), _name(b"[::1]:80"), _name(b"[::1]"), _name(b"evil.example")
    ('localhost', '::1', '::1', 'evil.example')
    """
    text = host.decode("latin-1").lower()
    return text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]


class _RefusedError(Exception):
    """A request that is not taken; the status says why."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


@dataclass
class Guard:
    """ASGI middleware."""

    app: ASGIApp
    settings: Settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            body = await self._body(scope, receive)
        except _RefusedError as error:
            await _drain(receive)
            await _refuse(with_headers, error.status, str(error))
            return
        if body is None:
            return
        await self.app(scope, _replay(body, receive), with_headers)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None where the client has gone."""
        most = self.settings.body_bytes
        headers = dict(scope["headers"])
        if self.settings.loopback and _name(headers.get(b"host", b"")) not in LOOPBACK:
            # a foreign name that resolves to this machine is no reason to answer for it
            raise _RefusedError(400, "this application answers for localhost alone; start it with --host for others")
        stated = headers.get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > most:
            raise _RefusedError(413, f"the body has {int(stated):,} bytes; {most:,} are the most")
        pieces: list[bytes] = []
        try:
            async with asyncio.timeout(self.settings.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    pieces.append(message.get("body", b""))
                    if sum(map(len, pieces)) > most:
                        raise _RefusedError(413, f"the body is larger than {most:,} bytes, the most that is taken")
                    if not message.get("more_body", False):
                        return b"".join(pieces)
        except TimeoutError:
            words = f"the body did not arrive within {self.settings.body_s:g} s"
            raise _RefusedError(408, words) from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once, then what the server says."""
    waiting = [True]

    async def received() -> MutableMapping[str, Any]:
        if waiting:
            waiting.clear()
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return received


async def _drain(receive: Receive) -> None:
    """Takes what is still on its way, so that the client hears the refusal; not for long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


async def _refuse(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
