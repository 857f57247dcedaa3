"""`costline reproduce`: the contract of its JSON, its files, its exit codes, and what it leaves unloaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costline.published import pope_2022
from costline.published.cells import Cell, Table

Call = Callable[..., Any]


def test_json_keys_that_stay(call: Call):
    done = call("reproduce", "pope-2022", "--json")
    data = json.loads(done.stdout)
    assert (done.code, done.stderr) == (0, "")
    assert next(table["name"] for table in data["tables"]) == "pope-2022-latency"
    for table in data["tables"]:
        for cell in table["cells"]:
            assert {"row", "column", "published", "computed", "relative_error", "matches"} <= cell.keys()
            assert {"note", "unit", "expected_match"} <= cell.keys()
            assert isinstance(cell["matches"], bool)


def test_a_table_is_shown_with_its_verdicts_and_a_summary(call: Call):
    done = call("reproduce", "pope-2022-latency")
    assert done.code == 0
    assert done.stdout.count("differs, known") == 2
    assert "pope-2022: 3 cells in 1 table; 1 match, 2 differ as known, 0 unexpected" in done.stdout


@pytest.mark.parametrize(("computed", "expected", "words"), [
    (2.0, True, "should match and does not"), (1.0, False, "is said to differ and matches"),
])  # fmt: skip
def test_a_surprise_ends_with_exit_code_1(
    call: Call, monkeypatch: pytest.MonkeyPatch, computed: float, expected: bool, words: str
):
    cell = Cell(row="a", column="x", published=1, computed=computed, expected_match=expected, note="why")
    table = Table(name="pope-2022-latency", title="One cell", source="[pope-2022]", cells=(cell,))
    monkeypatch.setattr(pope_2022, "tables", lambda: [table])
    done = call("reproduce", "pope-2022")
    assert done.code == 1
    assert f"pope-2022-latency, a, x: {words}" in done.stdout
    done = call("reproduce", "pope-2022", "--json")
    assert done.code == 1
    assert json.loads(done.stdout)["total"]["unexpected"] == 1


def test_an_unknown_name_is_one_line_with_the_nearest_three(call: Call):
    done = call("reproduce", "pope-2023")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("costline: unknown publication, table or figure 'pope-2023'; nearest: pope-2022")
    assert done.stderr.count("\n") == 1
    assert done.stderr.count(",") == 3


def test_files(call: Call, tmp_path: Path):
    done = call("reproduce", "steinhardt-2022", "--out", tmp_path)
    assert done.code == 0
    names = {"result.json", "table.csv", "steinhardt-2022-split.csv"}
    names |= {f"steinhardt-2022-frontier.{kind}" for kind in ("html", "svg")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {line.rpartition("/")[2] for line in done.stdout.splitlines() if line.startswith("wrote ")} == names


def test_json_stands_alone_beside_files(call: Call, tmp_path: Path):
    done = call("reproduce", "steinhardt-2022-split", "--json", "--out", tmp_path)
    assert json.loads(done.stdout)["question"] == "reproduce"


@pytest.mark.parametrize("folder", ["", "/dev/null/x"])
def test_a_folder_that_cannot_be_written_is_bad_input(call: Call, folder: str):
    done = call("reproduce", "steinhardt-2022", "--out", folder)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("costline: --out ")


def test_own_numbers_come_with_reasons_and_sources(call: Call):
    done = call("reproduce", "optimization-guide-memory", "--own", "--sources")
    assert done.code == 0
    assert "own, calibrated" in done.stdout
    assert "8 KV heads of 128, not 64" in done.stdout
    assert "model llama-2-70b" in done.stdout
    data = json.loads(call("reproduce", "optimization-guide-memory", "--own", "--json", "--sources").stdout)
    assert data["tables"][0]["cells"][1]["own"]["why"] == "8 KV heads of 128, not 64"
    assert any(fact["what"] == "model llama-2-70b" for fact in data["sources"])


def test_a_figure_alone_says_how_to_draw_it(call: Call):
    done = call("reproduce", "pope-2022-latency", "steinhardt-2022-frontier")
    assert "figures, drawn with --out: pope-2022-latency, steinhardt-2022-frontier" in done.stdout


def test_the_search_of_one_study_is_not_loaded_for_another():
    code = "import sys; from costline.answers.reproduce import reproduce; reproduce('claims'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert {"numba", "plotly", "costline.published.erdil_2025_kernel"}.isdisjoint(done.stdout.split())
