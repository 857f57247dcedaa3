"""Messages between the application and its workers: a JSON head and named bytes, with their lengths before them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, BinaryIO

LENGTH = 4
_ORDER = "big"
Frame = tuple[dict[str, Any], dict[str, bytes]]


def packed(head: Mapping[str, Any], parts: Mapping[str, bytes] | None = None) -> bytes:
    """A message as bytes.

    >>> packed({"kind": "x"}, {"a": b"yz"})[LENGTH:]
    b'{"kind": "x", "parts": {"a": 2}}yz'
    """
    pieces = dict(parts or {})
    text = json.dumps({**head, "parts": {name: len(piece) for name, piece in pieces.items()}}).encode()
    return b"".join([len(text).to_bytes(LENGTH, _ORDER), text, *pieces.values()])


def read(stream: BinaryIO) -> Frame | None:
    """The next message of a worker's input; None where it has ended."""
    length = stream.read(LENGTH)
    if len(length) < LENGTH:
        return None
    head: dict[str, Any] = json.loads(stream.read(int.from_bytes(length, _ORDER)))
    return head, {name: stream.read(size) for name, size in head.pop("parts").items()}


async def receive(stream: asyncio.StreamReader) -> Frame:
    """The next message of a worker. Raises IncompleteReadError where the worker has ended."""
    length = await stream.readexactly(LENGTH)
    head: dict[str, Any] = json.loads(await stream.readexactly(int.from_bytes(length, _ORDER)))
    return head, {name: await stream.readexactly(size) for name, size in head.pop("parts").items()}
