"""reproduce: published tables cell by cell, printed beside computed, and beside costline's own physics if asked.

Computes only what is asked for: Erdil's tables and figures one by one, the other publications whole (0.1 s each).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from costline import render
from costline.answers.answer import Answer, Used
from costline.answers.reproduce.case import Own
from costline.answers.reproduce.charts import chart
from costline.answers.reproduce.own import own_cells, own_sources, without
from costline.answers.reproduce.view import all_cells, reasons, shown_table, summary
from costline.errors import InputError, UnknownIdError
from costline.published.cells import Cell, FigureData, Table
from costline.published.printed import UNIT_SCALE

PUBLICATIONS: Mapping[str, tuple[str, str]] = {
    "erdil-2025": ("erdil_2025", "Erdil 2025, Inference economics of language models"),
    "scaling-book-serving": ("scaling_book_serving", "Serving LLaMA 3-70B on TPUs, course edition of the scaling book"),
    "steinhardt-2022": ("steinhardt_2022", "Steinhardt 2022, How fast can we perform a forward pass?"),
    "pope-2022": ("pope_2022", "Pope et al. 2022, Efficiently scaling transformer inference"),
    "optimization-guide": ("optimization_guide", "LLM inference optimization: speed and cost guide, 2024"),
    "claims": ("claims", "Claims of the chapter, the guide and a knowledge base"),
}
"""Module and title of each publication by its name."""

Tables = Mapping[str, Callable[[], Table]]
Figures = Mapping[str, Callable[[], FigureData]]
Owns = Mapping[tuple[str, str], Own]


def reproduce(names: str | Sequence[str] = (), *, figures: bool = False, own: bool = False) -> Answer:
    """Published tables beside what their models compute here; all of them by default.

    `names` are publications, tables or figures. `figures` draws those of every publication named; `own` adds the same
    cells by costline's own physics, and why they move. Raises UnknownIdError for a name that is none of them.
    """
    tables, drawn = _chosen([names] if isinstance(names, str) else names, figures)
    computed = [(home, compute()) for home, compute in tables]
    owns = {table.name: own_in_units(table) for _, table in computed if own}
    rows = [_table_data(home, table, owns.get(table.name)) for home, table in computed]
    pictures = [compute() for compute in drawn]
    surprises = [_surprise(table, cell) for _, table in computed for cell in table.surprises]
    homes = list(dict.fromkeys(home for home, _ in computed))
    counts = [_counts(home, [table for place, table in computed if place == home]) for home in homes]
    total = _counts("all", [table for _, table in computed])
    charts = {picture.name: chart(picture) for picture in pictures}
    data: dict[str, Any] = {
        "question": "reproduce",
        "tables": rows,
        "publications": counts,
        "total": total,
        "unexpected": surprises,
        "figures": [{"name": p.name, "title": p.title, "source": p.source, "note": p.note} for p in pictures],
    }
    return Answer(
        question="reproduce",
        data=data,
        tables=tuple(shown for _, table in computed for shown in _views(table, owns.get(table.name))),
        charts=charts,
        summary=summary(counts, total, surprises, list(charts)),
        sources=_sources([table for _, table in computed], own),
    )


def write(answer: Answer, folder: str | Path) -> list[Path]:
    """Writes a reproduction, all files or none; returns the paths.

    `result.json`, `table.csv` with every cell, one CSV a table under its name, each figure as `.html` and `.svg`.
    """
    from costline.figures import html, svg

    if not str(folder):
        raise InputError("--out '' is empty; name a folder")
    tables = answer.data["tables"]
    texts = {"result.json": render.json_text(answer.data), "table.csv": render.csv_text(all_cells(tables))}
    texts |= {f"{table['name']}.csv": render.csv_text(all_cells([table])) for table in tables}
    for name, drawn in answer.charts.items():
        texts |= {f"{name}.html": html(drawn), f"{name}.svg": svg(drawn)}
    return render.write_files(Path(folder), texts)


# What is asked for


def _module(publication: str) -> ModuleType:
    return import_module(f"costline.published.{PUBLICATIONS[publication][0]}")


def tables_of(publication: str) -> Tables:
    """What gives each table of a publication; those that take long are computed when called."""
    module = _module(publication)
    lazy: Tables | None = getattr(module, "TABLES", None)
    return {table.name: lambda table=table: table for table in module.tables()} if lazy is None else lazy


def figures_of(publication: str) -> Figures:
    module = _module(publication)
    lazy: Figures | None = getattr(module, "FIGURES", None)
    return {one.name: lambda one=one: one for one in module.figures()} if lazy is None else lazy


def _chosen(
    names: Sequence[str], figures: bool
) -> tuple[list[tuple[str, Callable[[], Table]]], list[Callable[[], FigureData]]]:
    """What gives the tables (with their publication) and figures that the names select, each once."""
    tables: dict[str, tuple[str, Callable[[], Table]]] = {}
    drawn: dict[str, Callable[[], FigureData]] = {}
    for name in names or tuple(PUBLICATIONS):
        home = next((key for key in PUBLICATIONS if f"{name}-".startswith(f"{key}-")), None)
        if home is None:
            raise UnknownIdError("publication, table or figure", name, _names())
        known = tables_of(home)
        pictures: Figures = figures_of(home) if figures or name != home else {}
        if name not in (home, *known, *pictures):
            raise UnknownIdError("publication, table or figure", name, _names())
        tables |= {key: (home, compute) for key, compute in known.items() if name in (home, key)}
        drawn |= {key: compute for key, compute in pictures.items() if name in (home, key)}
    return list(tables.values()), list(drawn.values())


def _names() -> Iterable[str]:
    for publication in PUBLICATIONS:
        yield from (publication, *tables_of(publication), *figures_of(publication))


# What is answered


def own_in_units(table: Table) -> Owns:
    """Costline's own numbers for the cells of a table, in the units of the cells."""
    scales = {(cell.row, cell.column): UNIT_SCALE.get(cell.unit, 1) for cell in table.cells}

    def scaled(value: float | None, place: tuple[str, str]) -> float | None:
        return None if value is None else value / scales[place]

    return {
        place: replace(own, datasheet=scaled(own.datasheet, place), calibrated=scaled(own.calibrated, place))
        for place, own in own_cells(table).items()
    }


def _views(table: Table, owns: Owns | None) -> list[render.Table]:
    """The table as it is shown, and why costline's own numbers differ."""
    if not owns:
        return [shown_table(table, {}, without(table.name) if owns is not None else "")]
    return [shown_table(table, owns), reasons(table, owns)]


def _table_data(publication: str, table: Table, owns: Owns | None) -> dict[str, Any]:
    return {
        "name": table.name,
        "publication": publication,
        "title": table.title,
        "source": table.source,
        "cells": [_cell_data(cell, owns) for cell in table.cells],
        **({} if owns is None else {"own_note": without(table.name)}),
    }


def _cell_data(cell: Cell, owns: Owns | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "row": cell.row,
        "column": cell.column,
        "published": cell.published,
        "computed": cell.computed,
        "relative_error": cell.relative_error,
        "matches": cell.matches,
        "expected_match": cell.expected_match,
        "unit": cell.unit,
        "note": cell.note,
    }
    if owns is not None:
        own = owns.get((cell.row, cell.column))
        data["own"] = own and {"datasheet": own.datasheet, "calibrated": own.calibrated, "why": own.why}
    return data


def _surprise(table: Table, cell: Cell) -> dict[str, Any]:
    return {"table": table.name, "row": cell.row, "column": cell.column, "expected_match": cell.expected_match}


def _counts(name: str, tables: Sequence[Table]) -> dict[str, Any]:
    cells = [cell for table in tables for cell in table.cells]
    unexpected = sum(len(table.surprises) for table in tables)
    matching = sum(cell.matches for cell in cells)
    return {
        "name": name,
        "title": PUBLICATIONS[name][1] if name in PUBLICATIONS else "",
        "tables": len(tables),
        "cells": len(cells),
        "matching": matching,
        "known_to_differ": sum(not cell.matches and not cell.expected_match for cell in cells),
        "unexpected": unexpected,
    }


def _sources(tables: Sequence[Table], own: bool) -> tuple[Used, ...]:
    used = [Used(table.name, table.title, "published", table.source, "") for table in tables]
    if own:
        used += [fact for table in tables for fact in own_sources(table)]
    return tuple(dict.fromkeys(used))
