"""How far an answer is: what is being done, told to whoever listens. Nobody listens by default."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

Listener = Callable[[str], None]
_NOBODY: Listener = lambda _: None  # noqa: E731
LISTENER: ContextVar[Listener] = ContextVar("listener", default=_NOBODY)


def tell(words: str) -> None:
    """Says what is being done now.

    >>> heard = []
    >>> token = LISTENER.set(heard.append)
    >>> tell("searching"); LISTENER.reset(token); heard
    ['searching']
    """
    LISTENER.get()(words)
