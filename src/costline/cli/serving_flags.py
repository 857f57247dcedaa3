"""Flags of a closed loop of clients, for `estimate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option("--isl", type=float, metavar="TOKENS", help="Input tokens of a request; asks for `serving`."),
    click.option("--osl", type=float, metavar="TOKENS", help="Output tokens of each."),
    click.option("--concurrency", type=float, metavar="N", help="Clients that each keep one request in flight."),
    click.option("--prefix", type=float, metavar="TOKENS", help="Tokens of each prompt that are cached already."),
    click.option("--length-spread", type=float, metavar="SHARE", help="Lengths lie within this share of their mean."),
    click.option("--max-batched-tokens", type=float, metavar="TOKENS", help="Most tokens of a step."),
    click.option("--stream-interval", type=float, metavar="TOKENS", help="Tokens that the engine sends at once."),
)


def closed_loop_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags to a command, in order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
