"""What every command that answers a question does: takes the same options, waits visibly, shows the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from costline.answers.answer import Answer


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option of every command that shows a listing."""
    return click.option("--json", "as_json", is_flag=True, help="Print as JSON and nothing else.")(function)


def answer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that answers a question."""
    for option in (
        click.option("--sources", is_flag=True, help="List the facts and equations that the answer used."),
        click.option("--out", "folder", metavar="DIR", help="Also write result.json, table.csv and figures into DIR."),
        click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON and nothing else."),
    ):
        function = option(function)
    return function


def show(answer: Answer, *, as_json: bool, folder: str | None = None, sources: bool = False) -> None:
    """Shows an answer in the terminal, writes it, or both."""
    from costline.cli import terminal

    terminal.show(answer, as_json=as_json, folder=folder, sources=sources)


def patience(what: str) -> AbstractContextManager[object]:
    """A spinner on stderr while something takes long; nothing where no person watches."""
    if not sys.stderr.isatty():
        return nullcontext()
    from costline.cli import terminal

    return terminal.spinner(what)
