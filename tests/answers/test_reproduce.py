"""Reproductions: only what is asked is computed, counts add up, surprises are named, figures show printed points."""

from __future__ import annotations

import csv
import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import generate_reproductions
from costline.answers.reproduce import PUBLICATIONS, figures_of, reproduce, tables_of, write
from costline.answers.reproduce import view as shown
from costline.answers.reproduce.charts import chart
from costline.errors import InputError, UnknownIdError
from costline.figures_svg import svg
from costline.published import erdil_2025, pope_2022, steinhardt_2022
from costline.published.cells import Cell, FigureData, Series, Table

CHEAP = [name for name in PUBLICATIONS if name != "erdil-2025"]
CELL_KEYS = {
    "row", "column", "published", "computed", "relative_error", "matches", "expected_match", "unit", "note",
}  # fmt: skip


def cells(answer: Any) -> list[dict[str, Any]]:
    return [cell for table in answer.data["tables"] for cell in table["cells"]]


# What is asked for


@pytest.mark.parametrize("publication", CHEAP)
def test_a_publication_gives_all_its_tables(publication: str):
    answer = reproduce(publication)
    assert [table["name"] for table in answer.data["tables"]] == list(tables_of(publication))
    assert {table["publication"] for table in answer.data["tables"]} == {publication}
    assert [(c["published"], c["computed"], c["matches"]) for c in cells(answer)] == [
        (cell.published, cell.computed, cell.matches)
        for compute in tables_of(publication).values()
        for cell in compute().cells
    ]
    assert answer.data["figures"] == []


def test_names_select_each_part_once_and_in_order():
    answer = reproduce(["pope-2022-exponent", "steinhardt-2022", "steinhardt-2022-split", "steinhardt-2022-frontier"])
    assert [table["name"] for table in answer.data["tables"]] == ["pope-2022-exponent", "steinhardt-2022-split"]
    assert list(answer.charts) == ["steinhardt-2022-frontier"]
    assert [figure["name"] for figure in answer.data["figures"]] == ["steinhardt-2022-frontier"]


def test_only_what_is_asked_is_computed(monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []

    def counted(name: str) -> Any:
        return lambda: calls.append(name) or Table(name=name, title="", source="", cells=())

    monkeypatch.setattr(erdil_2025, "TABLES", {name: counted(name) for name in erdil_2025.TABLES})
    monkeypatch.setattr(erdil_2025, "FIGURES", dict.fromkeys(erdil_2025.FIGURES, pytest.fail))
    reproduce("erdil-2025-table-4")
    assert calls == ["erdil-2025-table-4"]
    reproduce("claims")
    assert len(calls) == 1
    reproduce("erdil-2025")
    assert calls[1:] == list(erdil_2025.TABLES)


def test_erdils_names_are_those_of_its_tables_and_figures():
    assert erdil_2025.TABLES["erdil-2025-table-1"]().name == "erdil-2025-table-1"
    assert erdil_2025.FIGURES["erdil-2025-figure-1"]().name == "erdil-2025-figure-1"
    assert list(tables_of("erdil-2025")) == list(erdil_2025.TABLES)


@pytest.mark.parametrize("name", ["erdil-2025-table-9", "erdil", "claims-", "", "CLAIMS"])
def test_an_unknown_name_is_refused_with_the_nearest_three(name: str):
    with pytest.raises(UnknownIdError, match="unknown publication, table or figure") as error:
        reproduce(name)
    nearest = str(error.value).partition("nearest: ")[2].split(", ")
    known = {*PUBLICATIONS, *(one for key in PUBLICATIONS for one in (*tables_of(key), *figures_of(key)))}
    assert len(nearest) == 3
    assert set(nearest) <= known


# What is answered


def test_the_contract_of_the_data():
    data = reproduce(CHEAP).to_dict()
    json.dumps(data, allow_nan=False)
    assert data["question"] == "reproduce"
    assert all(cell.keys() == CELL_KEYS for table in data["tables"] for cell in table["cells"])
    assert all(table.keys() == {"name", "publication", "title", "source", "cells"} for table in data["tables"])


def test_counts_add_up():
    data = reproduce(CHEAP).data
    for key in ("tables", "cells", "matching", "known_to_differ", "unexpected"):
        assert sum(one[key] for one in data["publications"]) == data["total"][key]
    total = data["total"]
    assert total["unexpected"] == 0
    assert total["matching"] + total["known_to_differ"] == total["cells"] == 501
    assert total["matching"] == sum(cell["matches"] for cell in cells(reproduce(CHEAP)))


def surprising(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell that should match and does not, one that should not and does, one of each as expected."""
    table = Table(
        name="pope-2022-latency",
        title="Four cells",
        source="[pope-2022]",
        cells=(
            Cell(row="a", column="x", published=1, computed=2),
            Cell(row="b", column="x", published=1, computed=1, expected_match=False, note="said to differ"),
            Cell(row="c", column="x", published=1, computed=1),
            Cell(row="d", column="x", published=1, computed=math.inf, expected_match=False, note="differs"),
        ),
    )
    monkeypatch.setattr(pope_2022, "tables", lambda: [table])


def test_surprises_are_named(monkeypatch: pytest.MonkeyPatch):
    surprising(monkeypatch)
    answer = reproduce("pope-2022")
    assert answer.data["unexpected"] == [
        {"table": "pope-2022-latency", "row": "a", "column": "x", "expected_match": True},
        {"table": "pope-2022-latency", "row": "b", "column": "x", "expected_match": False},
    ]
    assert "pope-2022-latency, a, x: should match and does not" in answer.summary
    assert "pope-2022-latency, b, x: is said to differ and matches" in answer.summary
    assert answer.data["total"] | {"name": "", "title": ""} == {
        "name": "", "title": "", "tables": 1, "cells": 4, "matching": 2, "known_to_differ": 1, "unexpected": 2,
    }  # fmt: skip
    assert [row["verdict"] for row in answer.tables[0].rows] == [
        "DIFFERS", "MATCHES, not expected", "matches", "differs, known",
    ]  # fmt: skip
    assert answer.to_dict()["tables"][0]["cells"][3]["computed"] is None


def test_files_hold_every_cell_and_figure(tmp_path: Path):
    answer = reproduce(["steinhardt-2022", "pope-2022"], figures=True)
    written = {path.name for path in write(answer, tmp_path)}
    assert written == {path.name for path in tmp_path.iterdir()}
    assert written == {
        "result.json", "table.csv", "steinhardt-2022-split.csv", "pope-2022-latency.csv", "pope-2022-exponent.csv",
        "pope-2022-llama-speeds.csv", "steinhardt-2022-frontier.html", "steinhardt-2022-frontier.svg",
        "pope-2022-latency.html", "pope-2022-latency.svg",
    }  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [float(row["computed"]) for row in rows] == [cell["computed"] for cell in cells(answer)]
    one = list(csv.DictReader((tmp_path / "pope-2022-latency.csv").read_text().splitlines()))
    assert one == [row for row in rows if row["table"] == "pope-2022-latency"]
    assert json.loads((tmp_path / "result.json").read_text()) == answer.to_dict()


def test_no_folder_is_refused():
    with pytest.raises(InputError, match="name a folder"):
        write(reproduce("steinhardt-2022"), "")


# What is shown


@pytest.mark.parametrize(("cell", "published", "computed"), [
    (Cell(row="", column="", published=0.5, computed=0.497, decimals=2), "0.50", "0.4970"),
    (Cell(row="", column="", published=1882, computed=1858.5269), "1,882", "1,858.53"),
    (Cell(row="", column="", published=247, computed=246.496), "247", "246.4960"),
    (Cell(row="", column="", published=5.8e17, computed=5.91e17, decimals=-16), "5.8e17", "5.910e17"),
    (Cell(row="", column="", published=25, computed=44, relative_tolerance=0.2, note="printed as 20 to 30; wrong"),
     "20 to 30", "44.00"),
    (Cell(row="", column="", published=60, computed=61, decimals=-1), "60", "61.0"),
    (Cell(row="", column="", published=1, computed=math.inf), "1", "∞"),
])  # fmt: skip
def test_numbers_are_shown_as_precisely_as_they_are_known(cell: Cell, published: str, computed: str):
    assert (shown.published_text(cell), shown.computed_text(cell)) == (published, computed)


@pytest.mark.parametrize(("published", "computed", "text"), [
    (100, 100.001, "0.00%"), (100, 99.9999, "0.00%"), (4, 4.17, "+4.25%"), (0, 1, "∞"), (2, 1, "-50.00%"),
])  # fmt: skip
def test_errors_are_shown_in_per_cent(published: float, computed: float, text: str):
    assert shown.error_text(Cell(row="", column="", published=published, computed=computed)) == text


def test_notes_have_a_column_only_where_there_are_any():
    (table,) = steinhardt_2022.tables()
    table_view = shown.shown_table(table, {})
    names = [column.key for column in table_view.columns]
    assert names == ["row", "column", "published", "computed", "error", "verdict"]
    assert len(table_view.rows) == len(table.cells)
    noted = replace(table, cells=(replace(table.cells[0], note="why"),))
    assert shown.shown_table(noted, {}).columns[-1].key == "note"


# Figures


@pytest.mark.parametrize("name", [name for key in CHEAP for name in figures_of(key)])
def test_figures_are_sound_svg_in_the_fields_words(name: str):
    drawn = reproduce(name).charts[name]
    assert ET.fromstring(svg(drawn)).tag.endswith("svg")
    assert all("(" in axis.label for axis in (drawn.x, drawn.y)), "a unit in parentheses"
    assert all(series.x for series in drawn.series)


def test_thinning_keeps_the_ends_and_the_shape():
    x = tuple(np.linspace(1, 10, 2000).tolist())
    y = tuple(value**3 for value in x)
    curve = Series(name="curve", x=x, y=y)
    figure = FigureData(name="f", title="", source="", x_label="", y_label="", x_log=False, y_log=True, series=(curve,))
    (series,) = chart(figure).series
    assert (series.x[0], series.x[-1]) == (x[0], x[-1])
    assert 100 < len(series.x) < 600
    assert np.interp(x, series.x, series.y) == pytest.approx(np.asarray(y), rel=2e-3)
    assert series.mode == "lines"


def test_printed_setups_lie_on_the_curves():
    figure = erdil_2025.FIGURES["erdil-2025-figure-8"]()
    *curves, printed = chart(figure).series
    assert printed.mode == "markers"
    assert printed.name == "preferred, Table 6 as printed"
    for x, y, curve in zip(printed.x, printed.y, curves, strict=True):
        assert y == pytest.approx(float(np.interp(x, curve.x[::-1], curve.y[::-1])), rel=0.03)


# The page


def test_the_page_of_reproductions_is_fresh():
    assert list(generate_reproductions.fast_faults()) == [], "run python tools/generate_reproductions.py"


def test_a_stale_page_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = generate_reproductions.PAGE.read_text(encoding="utf-8")
    stale = tmp_path / "reproductions.md"
    stale.write_text(text.replace("each dimension cut in two", "no").replace("<!-- from ", "<!-- as "), "utf-8")
    monkeypatch.setattr(generate_reproductions, "PAGE", stale)
    faults = list(generate_reproductions.fast_faults())
    assert "steinhardt-2022-split" in faults
    assert "erdil-2025 is computed from other code or data" in faults
