"""Tables and words of a reproduction: layout only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from costline.answers.reproduce.case import Own
from costline.published import cells
from costline.published.cells import Cell
from costline.quantities import MEGA, significant
from costline.render import Column, Table

Owns = Mapping[tuple[str, str], Own]
_VERDICTS = {(True, True): "matches", (False, False): "differs, known", (False, True): "DIFFERS"}
"""By whether it matches and whether it should."""
_AFTER_ALL = "MATCHES, not expected"
_LARGEST_PLAIN = MEGA
_LEFT = ("row", "column", "published", "computed", "error", "verdict")
_OWN = ("datasheet", "calibrated")
_HEADINGS = {"datasheet": "own, datasheet", "calibrated": "own, calibrated"}
_WHY = (Column("row", "row"), Column("column", "column"), Column("why", "why costline's own number differs"))
_CSV = (
    "table", "row", "column", "published", "computed", "relative_error", "matches", "expected_match", "unit", "note",
)  # fmt: skip
_CSV_OWN = ("own_datasheet", "own_calibrated", "own_why")


# Numbers


def published_text(cell: Cell) -> str:
    """The printed number as precisely as it is printed, a range as a range."""
    if cell.relative_tolerance is not None and cell.note.startswith("printed as "):
        return cell.note.removeprefix("printed as ").partition(";")[0]
    return _fixed(cell.published, cell.decimals)


def computed_text(cell: Cell) -> str:
    """The computed number with two digits more; with four where it would seem to match and does not."""
    shown = cell.decimals + 2
    if not cell.matches and math.isfinite(cell.computed):
        apart = abs(round(cell.computed, shown) - cell.published)
        shown += 2 if apart <= 0.5 * 10.0**-cell.decimals else 0
    return _fixed(cell.computed, shown)


def _fixed(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    if abs(value) >= _LARGEST_PLAIN:
        exponent = math.floor(math.log10(abs(value)))
        return f"{value:.{max(exponent + decimals, 1)}e}".replace("e+", "e")
    return f"{value:,.{max(decimals, 0)}f}"


def error_text(cell: Cell) -> str:
    """The relative error in per cent."""
    if not math.isfinite(cell.relative_error):
        return "∞"
    text = f"{cell.relative_error:+.2%}"
    return "0.00%" if text in ("+0.00%", "-0.00%") else text


def verdict(cell: Cell) -> str:
    """Whether the cell matches, and whether that was expected."""
    return _VERDICTS.get((cell.matches, cell.expected_match), _AFTER_ALL)


def heading(cell: Cell) -> str:
    """The column with its unit."""
    is_bare = cell.unit in ("", "1", "ratio") or cell.unit in cell.column
    return cell.column if is_bare else f"{cell.column} ({cell.unit})"


# Tables


def shown_table(table: cells.Table, owns: Owns, own_note: str = "") -> Table:
    """The table as it is shown, with costline's own numbers where there are any."""
    rows = [_row(cell, owns.get((cell.row, cell.column))) for cell in table.cells]
    for key in ("published", "computed", "error", "datasheet", "calibrated"):
        widest = max((len(row[key]) for row in rows), default=0)
        for row in rows:
            row[key] = row[key].rjust(widest)
    _without_repeats(rows, "row")
    note = f"{table.source}. No number of costline's own: {own_note}." if own_note else table.source
    keys = [*_LEFT, *(_OWN if owns else ()), *(["note"] if any(cell.note for cell in table.cells) else [])]
    columns = tuple(Column(key, _HEADINGS.get(key, key)) for key in keys)
    return Table(f"{table.name}: {table.title}", columns, tuple(rows), note)


def _row(cell: Cell, own: Own | None) -> dict[str, str]:
    return {
        "row": cell.row,
        "column": heading(cell),
        "published": published_text(cell),
        "computed": computed_text(cell),
        "error": error_text(cell),
        "verdict": verdict(cell),
        "note": cell.note,
        "datasheet": significant(own.datasheet) if own else "",
        "calibrated": significant(own.calibrated) if own else "",
    }


def _without_repeats(rows: Iterable[dict[str, str]], key: str) -> None:
    """Leaves out a text that stands in the row above."""
    before = None
    for row in rows:
        row[key], before = ("" if row[key] == before else row[key]), row[key]


def reasons(table: cells.Table, owns: Owns) -> Table:
    """Why each own number differs; cells of a row with one reason stand together."""
    together: dict[tuple[str, str], list[str]] = {}
    for (row, column), own in owns.items():
        together.setdefault((row, own.why), []).append(column)
    rows = [{"row": row, "column": ", ".join(columns), "why": why} for (row, why), columns in together.items()]
    _without_repeats(rows, "row")
    return Table(f"{table.name}: costline's own physics", _WHY, tuple(rows))


def all_cells(tables: Sequence[Mapping[str, Any]]) -> Table:
    """The cells of tables as `data` holds them, for CSV: numbers unrounded, in the unit of the cell."""
    rows: list[dict[str, Any]] = []
    for table in tables:
        for cell in table["cells"]:
            row: dict[str, Any] = {"table": table["name"], **cell}
            own: Mapping[str, Any] = cell.get("own") or {}
            rows.append(row | {f"own_{key}": value for key, value in own.items()})
    has_own = any("own" in row for row in rows)
    keys = (*_CSV, *_CSV_OWN) if has_own else _CSV
    return Table("Published cells", tuple(Column(key, key) for key in keys), tuple(rows))


# Words


def summary(
    publications: Sequence[Mapping[str, Any]],
    total: Mapping[str, Any],
    surprises: Sequence[Mapping[str, Any]],
    figures: Sequence[str],
) -> str:
    """A line for each publication, one for all, every cell that is not as expected, and the figures."""
    lines = [_counted(one["name"], one) for one in publications]
    if len(publications) > 1:
        lines.append(_counted("all", total))
    for one in surprises:
        expected = "should match and does not" if one["expected_match"] else "is said to differ and matches"
        lines.append(f"{one['table']}, {one['row']}, {one['column']}: {expected}")
    if figures:
        lines.append(f"figures, drawn with --out: {', '.join(figures)}")
    return "\n".join(lines)


def _counted(name: str, counts: Mapping[str, Any]) -> str:
    tables = f"{counts['tables']} table{'s' if counts['tables'] != 1 else ''}"
    return (
        f"{name}: {counts['cells']} cells in {tables}; {counts['matching']} match, "
        f"{counts['known_to_differ']} differ as known, {counts['unexpected']} unexpected"
    )
