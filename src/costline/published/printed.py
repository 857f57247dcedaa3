"""The printed side of a reproduction: reads a publication's numbers and sets the computed ones beside them.

Knows the shape of `catalog/data/published/*.yml` and how precise a printed literal is. Knows no model.
The files are read as text, so that ``0.50`` keeps its two decimals and ``5.8e17`` its one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import cast

import yaml

from costline.errors import CatalogError
from costline.published.cells import Cell, Table
from costline.quantities import GIGA, KILO, MEGA, MICRO, MILLI, PERCENT, TERA

Node = Mapping[str, object]
Values = Mapping[tuple[str, str], float]
"""Computed numbers in SI by row and column."""

UNIT_SCALE: Mapping[str, float] = {
    "": 1, "1": 1, "s": 1, "ms": MILLI, "µs": MICRO, "B": 1, "kB": KILO, "MB": MEGA, "GB": GIGA, "TB": TERA,
    "%": 1 / PERCENT, "GB/s per USD/hour": GIGA, "T tokens": TERA, "USD k": KILO, "USD M": MEGA,
    "TFLOP/s": TERA, "TB/s": TERA, "kW": KILO, "MW": MEGA, "g/kWh": 1,
}  # fmt: skip
"""What one printed unit is in SI; any unit not named here is its own (a count, a rate, a price)."""

_CELL_KEYS = {"printed", "unit", "wrong", "note"}
_TABLE_KEYS = {"title", "place", "units", "rows"}
_RANGE_SLACK = 1e-9


@cache
def read(publication: str) -> Node:
    """The file of one publication, every scalar as text."""
    path = resources.files("costline.catalog") / "data" / "published" / f"{publication}.yml"
    return cast(Node, yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader))


def section(node: Node, key: str) -> Node:
    """The mapping under `key`; empty if it is absent."""
    return cast(Node, node.get(key, {}))


def numbers(node: Node) -> dict[str, float]:
    """The scalars of a mapping as numbers."""
    return {key: float(str(value)) for key, value in node.items()}


def decimals(literal: str) -> int:
    """Decimals that a printed literal states; negative for tens, hundreds and so on.

    >>> decimals("0.50"), decimals("240"), decimals("5.8e17"), decimals("2e2")
    (2, 0, -16, -2)
    """
    mantissa, _, exponent = literal.lower().partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


def cell(row: str, column: str, computed: float, entry: Node) -> Cell:
    """One cell from its entry (`printed`, `unit`, `wrong`, `note`) and the computed number in SI.

    A range such as ``20 to 30`` is met by any number inside it: it is kept as its middle and half its width.
    """
    unit, wrong, note = (str(entry.get(key, "")) for key in ("unit", "wrong", "note"))
    low, _, high = str(entry["printed"]).partition(" to ")
    middle = (float(low) + float(high or low)) / 2
    half_width = (float(high or low) - float(low)) / 2
    text = [f"printed as {low} to {high}"] if high else []
    return Cell(
        row=row,
        column=column,
        published=middle,
        computed=computed / UNIT_SCALE.get(unit, 1),
        unit=unit,
        decimals=decimals(low),
        relative_tolerance=abs(half_width / middle) + _RANGE_SLACK if high else None,
        expected_match=not wrong,
        note="; ".join([*text, *filter(None, (wrong, note))]),
    )


def _cells(publication: str, name: str, node: Node, values: Values) -> tuple[Cell, ...]:
    where = f"{publication}.yml: table {name}"
    if unknown := set(node) - _TABLE_KEYS:
        raise CatalogError(f"{where} has unknown keys {sorted(unknown)}; use {sorted(_TABLE_KEYS)}")
    units = section(node, "units")
    found: list[Cell] = []
    for row, columns in section(node, "rows").items():
        for column, content in cast(Node, columns).items():
            entry = cast(Node, content) if isinstance(content, Mapping) else {"printed": content}
            if unknown := set(entry) - _CELL_KEYS:
                raise CatalogError(f"{where}, {row}, {column} has unknown keys {sorted(unknown)}")
            if (row, column) not in values:
                raise CatalogError(f"{where} prints {row!r}, {column!r}, which nothing computes")
            found.append(cell(row, column, values[row, column], {"unit": units.get(column, ""), **entry}))
    if left := set(values) - {(c.row, c.column) for c in found}:
        raise CatalogError(f"{where} has no line for {sorted(left)}, which are computed")
    return tuple(found)


def tables(publication: str, prefix: str, values: Mapping[str, Values]) -> list[Table]:
    """The tables of one publication: what its file prints beside `values` (in SI, by table)."""
    node = read(publication)
    return [
        Table(
            name=f"{prefix}-{name}",
            title=str(table["title"]),
            source=f"[{node['source']}] {table['place']}",
            cells=_cells(publication, name, table, values[name]),
        )
        for name, table in cast(Mapping[str, Node], node["tables"]).items()
    ]
