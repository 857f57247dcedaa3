"""What every answer offers: plain data, tables, figures, files, text and HTML."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import costline
from costline.answers.answer import Answer
from costline.figures_chart import Axis, Chart, Series
from costline.render import Column, Table

CHART = Chart("t", Axis("x (s)"), Axis("y (1)"), (Series("s", (1.0, 2.0), (3.0, 4.0)),))
TABLE = Table("T", (Column("a", "a"),), ({"a": 1},))
ANSWER = Answer(
    question="test",
    data={"question": "test", "rows": [{"a": 1, "b": {"c": float("inf")}}], "empty": [], "words": ["x"], "n": 2},
    tables=(TABLE, TABLE),
    charts={"main": CHART, "other": CHART},
    summary="One <line>.\nAnother.",
)


def test_an_answer_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ANSWER.summary = "x"  # type: ignore[misc]


def test_to_dict_is_plain_and_a_copy():
    data = ANSWER.to_dict()
    assert data["rows"] == [{"a": 1, "b": {"c": None}}]
    data["rows"].append(3)
    assert len(ANSWER.data["rows"]) == 1
    json.dumps(data, allow_nan=False)


def test_tables_and_figures_by_place_and_name():
    assert ANSWER.table() is ANSWER.table(1) is TABLE
    assert ANSWER.figure().layout.title.text == ANSWER.figure("other").layout.title.text == "<b>t</b>"
    with pytest.raises(KeyError):
        ANSWER.figure("none")


def test_html_and_text():
    page = ANSWER._repr_html_()
    assert page.startswith("<p>One &lt;line&gt;.</p><p>Another.</p><table>")
    assert str(ANSWER).endswith("One <line>.\nAnother.")
    assert str(ANSWER).count("T ") >= 2


def test_every_list_of_records_becomes_a_csv(tmp_path: Path):
    names = [path.name for path in ANSWER.write(tmp_path)]
    assert names == [
        *("result.json", "table.csv", "table-2.csv", "rows.csv"),
        *("main.html", "main.svg", "other.html", "other.svg"),
    ]
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8") == "a,b.c\n1,inf\n"


def test_real_answers_offer_all_of_it():
    for answer in (
        costline.estimate("llama-3.1-8b"),
        costline.frontier("llama-3.1-8b", "h100", max_accelerators=2),
        costline.plan(
            model={"id": "llama-3.1-8b"}, workload={"input_tokens": 99, "output_tokens": 9, "request_rate": 1}
        ),
    ):
        assert answer.question == answer.data["question"]
        assert json.loads(json.dumps(answer.to_dict(), allow_nan=False)) == answer.to_dict()
        assert answer.figure().data
        assert "<table>" in answer._repr_html_()
        assert answer.table().rows
        assert str(answer)
        assert answer.sources
