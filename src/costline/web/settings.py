"""Limits of the application: what one request may ask for, and how much is done at once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from costline.quantities import parse_bytes

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _bytes(text: str) -> int:
    return int(parse_bytes(text))


@dataclass(frozen=True)
class Settings:
    """How much a request may ask for; the defaults suit one person or a small team on one machine."""

    host: str = "127.0.0.1"
    body_bytes: int = _bytes("256KiB")
    """Largest body of a request."""
    body_s: float = 10.0
    """Longest that a body may take to arrive."""
    quick_s: float = 10.0
    """Longest that a quick question (an estimate, a fact) may take."""
    long_s: float = 60.0
    """Longest that a long question (a search, a simulation) may take."""
    quick_workers: int = 2
    long_workers: int = field(default_factory=lambda: max(3, os.cpu_count() or 1))
    """Long questions that are worked on at once; further ones wait."""
    quick_waiting: int = 2000
    long_waiting: int = 32
    """Questions that may wait for a worker; further ones are refused."""
    long_per_minute: int = 240
    """Long questions of one client a minute; answers that are remembered do not count."""
    worker_bytes: int = _bytes("8GiB")
    """Most memory of one worker, where the system can limit it."""
    remembered: int = 256
    """Answers that are kept in memory, so that a question asked again costs nothing."""

    ahead: bool = True
    """Whether the question of the first page is answered before anyone asks it."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the application."""
        return self.host in LOOPBACK
