"""A table or an answer to text, JSON or CSV. Rounding and the field's units live here; arithmetic does not.

A `Table` is plain data: columns that say how to format, rows of values in SI.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from errno import EISDIR
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from costline.errors import InputError
from costline.quantities import (
    PERCENT,
    format_bytes,
    format_count,
    format_seconds,
    significant,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

Form = Literal["text", "count", "seconds", "bytes", "usd", "number", "percent", "rate", "large", "flag"]

_FORMS: dict[str, Callable[[Any], str]] = {
    "text": str,
    "count": lambda value: f"{value:,.0f}",
    "seconds": format_seconds,
    "bytes": format_bytes,
    "usd": lambda value: f"${value:,.2f}" if abs(value) >= 0.1 or value == 0 else f"${significant(value, 2)}",
    "number": significant,
    "percent": lambda value: f"{significant(PERCENT * value, 2)} %",
    "rate": lambda value: significant(value, 3),
    "large": format_count,
    "flag": lambda value: "yes" if value else "no",
}


@dataclass(frozen=True)
class Column:
    """One column: the key in a row, its heading, and how values are written."""

    key: str
    heading: str
    form: Form = "text"
    minor: int = 0
    """Where there is little room, columns above 0 are left out, the highest first."""


@dataclass(frozen=True)
class Table:
    """Columns and rows of values in SI, with a title and a note below."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Any], ...]
    note: str = ""

    def __str__(self) -> str:
        return plain_text(self)

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The table as HTML, for notebooks and reports."""
        from html import escape

        head = "".join(f"<th>{escape(column.heading)}</th>" for column in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(written(row.get(c.key), c.form))}</td>" for c in self.columns) + "</tr>"
            for row in self.rows
        )
        return f"<table><caption>{escape(self.title)}</caption><tr>{head}</tr>{body}</table>"


def written(value: Any, form: Form) -> str:
    """One value as a person reads it; '–' where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float) and math.isinf(value):
        return "∞"
    return _FORMS[form](value)


def rich_table(table: Table) -> RenderableType:
    """The table for a terminal."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text  # not str: rich would read [key] as markup and drop it

    title, note = (Text(words) if words else None for words in (table.title, table.note))
    drawn = RichTable(title=title, caption=note, box=box.SIMPLE_HEAD, title_justify="left")
    drawn.padding, drawn.collapse_padding, drawn.pad_edge = (0, 1), True, False
    drawn.title_style, drawn.caption_justify = "bold", "left"
    for column in table.columns:
        text = column.form in ("text", "flag")
        drawn.add_column(column.heading, justify="left" if text else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(written(row.get(column.key), column.form)) for column in table.columns))
    return drawn


def plain_text(table: Table, width: int = 140) -> str:
    """The table as text without colour."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, no_color=True, highlight=False)
    console.print(rich_table(table))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def csv_text(table: Table) -> str:
    """The table as CSV in SI units, keys as headings."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    writer.writerows([row.get(column.key, "") for column in table.columns] for row in table.rows)
    return out.getvalue()


def plain(value: Any) -> Any:
    """`value` as JSON's own types: records to objects, arrays to lists, infinities and NaN to null."""
    fields: Mapping[str, Any] | None = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return plain({name: getattr(value, name) for name in fields})
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Sequence):
        return [plain(one) for one in cast(Sequence[Any], value)]
    return float(value) if math.isfinite(float(value)) else None


def json_text(value: Any) -> str:
    """`value` as JSON; the same value always gives the same text."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def record_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of an answer as CSV in SI units; keys of inner tables are joined with a dot."""
    flat = [dict(_flat(row)) for row in rows]
    keys = dict.fromkeys(key for row in flat for key in row)
    return csv_text(Table("", tuple(Column(key, key) for key in keys), tuple(flat)))


def _flat(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(cast(Mapping[str, Any], value), f"{before}{key}.")
        else:
            yield before + key, value


def write_files(folder: Path, texts: Mapping[str, str], *, option: str = "--out") -> list[Path]:
    """Writes all files into `folder` or none: to temporary names first, then renamed; returns their paths.

    Raises InputError naming the `option` that gave the folder.
    """
    targets = [folder / name for name in texts]
    waiting: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, text in zip(targets, texts.values(), strict=True):
            if target.is_dir():
                raise IsADirectoryError(EISDIR, f"{target.name} is a directory")
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{target.name}.")
            waiting.append(Path(temporary))
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
        for temporary, target in zip(waiting, targets, strict=True):
            os.replace(temporary, target)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        for temporary in waiting:
            temporary.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{option} {folder} cannot be written ({reason}); choose another folder") from None
    return targets
