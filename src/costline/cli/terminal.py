"""Shows an answer in a terminal: rich tables and words, plain when piped, JSON alone when asked."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.status import Status

from costline.answers.answer import Answer, Used
from costline.errors import InputError
from costline.render import Column, Table, json_text, rich_table

_SOURCE_COLUMNS = (
    Column("what", "what"),
    Column("value", "value or equation"),
    Column("kind", "kind"),
    Column("source", "source"),
    Column("retrieved", "retrieved"),
)
WIDTH_WHEN_PIPED = 160


def show(answer: Answer, *, as_json: bool, folder: str | None, sources: bool) -> None:
    """Writes files if asked, then prints the answer as JSON or as tables and words."""
    if folder == "":
        raise InputError("--out '' is empty; name a folder")
    written = answer.write(folder) if folder is not None else []
    if as_json:
        data = answer.to_dict()
        if sources:
            data["sources"] = [vars(used) for used in answer.sources]
        print_json(data)
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_WHEN_PIPED)
    for table in answer.tables:
        console.print(rich_table(table), "")
    if answer.summary:
        console.print(answer.summary, markup=False, soft_wrap=True)
    if sources:
        console.print(rich_table(_source_table(answer.sources)))
    for path in written:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)


def spinner(what: str) -> Status:
    """A line on stderr that moves and then disappears."""
    return Console(stderr=True).status(f"{what} …")


def print_json(value: Any) -> None:
    """JSON on stdout and nothing else."""
    sys.stdout.write(json_text(value))


def _source_table(used: tuple[Used, ...]) -> Table:
    note = "Keys are those of `costline catalog list sources`."
    return Table("Sources", _SOURCE_COLUMNS, tuple(vars(one) for one in used), note)
