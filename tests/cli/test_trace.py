"""`costline trace`: JSON alone, tables, files, and one line where a file is no trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "t.csv"
    rows = "".join(f"{i / 4},{100 + i},{10 + i % 7}\n" for i in range(81))
    file.write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    return file


def test_json_alone(call: Call, path: Path):
    done = call("trace", path, "--json")
    assert (done.code, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert {"requests", "arrivals", "input_tokens", "output_tokens", "reuse", "little", "workload"} <= set(data)
    assert data["requests"] == 81


def test_tables_and_files(call: Call, path: Path, tmp_path: Path):
    done = call("trace", path, "--out", tmp_path / "out", "--sources")
    assert (done.code, done.stderr) == (0, "")
    assert "burstiness" in done.stdout
    assert "A workload like it" in done.stdout
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"result.json", "table.csv", "table-2.csv", "lengths.html", "lengths.svg", "rate.svg"} <= names


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_what_is_no_trace_is_one_line(call: Call, tmp_path: Path, name: str):
    done = call("trace", tmp_path / name)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("costline: trace ")
    assert done.stderr.count("\n") == 1


def test_a_file_is_needed(call: Call):
    done = call("trace")
    assert done.code == 2
    assert done.stderr.count("\n") == 1
