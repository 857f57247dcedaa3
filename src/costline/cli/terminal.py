"""Shows an answer in a terminal: rich tables and words, plain when piped, JSON alone when asked."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.status import Status

from costline.answers.answer import Answer, Used
from costline.errors import InputError
from costline.render import Column, Table, json_text, rich_table, written

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
    watched = sys.stdout.isatty()
    console = Console(highlight=False, width=None if watched else WIDTH_WHEN_PIPED)
    for table in answer.tables:
        console.print(rich_table(fitting(table, console.width)), "")
    if answer.summary:
        console.print(answer.summary, markup=False, soft_wrap=not watched)
    if sources:
        console.print(rich_table(_source_table(answer.sources)))
    for path in written:
        console.print(f"wrote {path}", markup=False, soft_wrap=True)


def fitting(table: Table, width: int) -> Table:
    """The table without the minor columns that a terminal of this width has no room for; the note names them."""
    widths = {column.key: _width(table, column) for column in table.columns}
    shown, hidden = list(table.columns), list[Column]()
    while sum(widths[column.key] for column in shown) > width and any(column.minor for column in shown):
        hidden.append(max(shown, key=lambda column: column.minor))
        shown.remove(hidden[-1])
    if not hidden:
        return table
    note = f"{table.note} A wider terminal also shows {', '.join(column.heading for column in hidden)}.".strip()
    return replace(table, columns=tuple(shown), note=note)


def _width(table: Table, column: Column) -> int:
    texts = [column.heading, *(written(row.get(column.key), column.form) for row in table.rows)]
    return max(map(cell_len, texts)) + 2


def spinner(what: str) -> Status:
    """A line on stderr that moves and then disappears."""
    return Console(stderr=True).status(f"{what} …")


def print_json(value: Any) -> None:
    """JSON on stdout and nothing else."""
    sys.stdout.write(json_text(value))


def _source_table(used: tuple[Used, ...]) -> Table:
    note = "Keys are those of `costline catalog list sources`."
    return Table("Sources", _SOURCE_COLUMNS, tuple(vars(one) for one in used), note)
