"""Tables, JSON and CSV: what a person and a machine read of the same rows."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import InputError
from costline.render import (
    Column,
    Form,
    Table,
    csv_text,
    json_text,
    plain,
    plain_text,
    record_csv,
    write_files,
    written,
)


@dataclass(frozen=True)
class Record:
    name: str
    sizes: tuple[float, ...]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, "number", "–"),
        (math.nan, "usd", "–"),
        (math.inf, "seconds", "∞"),
        (1234.4, "count", "1,234"),
        (0.0173, "seconds", "17.3 ms"),
        (70.6e9, "bytes", "70.6 GB"),
        (12.345, "usd", "$12.35"),
        (0.0123, "usd", "$0.012"),
        (0.0, "usd", "$0.00"),
        (0.125, "percent", "12 %"),
        (1234.5, "rate", "1,234"),
        (70_553_706_496, "large", "70.6 B"),
        (True, "flag", "yes"),
        (False, "flag", "no"),
        ("x", "text", "x"),
    ],
)
def test_one_value_as_a_person_reads_it(value: Any, form: Form, text: str):
    assert written(value, form) == text


TABLE = Table(
    "Title [of] it",
    (Column("name", "name"), Column("time", "time", "seconds"), Column("gone", "gone", "count")),
    ({"name": '[bold]a[/bold] <b> | ,"', "time": 0.5}, {"name": "é", "time": None, "gone": 3}),
    "Note [key].",
)


def test_text_keeps_brackets():
    text = plain_text(TABLE)
    assert text == str(TABLE)
    assert "\x1b" not in text
    for words in ("Title [of] it", '[bold]a[/bold] <b> | ,"', "500 ms", "–", "Note [key]."):
        assert words in text


def test_html_is_escaped():
    page = TABLE._repr_html_()
    assert "<td>[bold]a[/bold] &lt;b&gt; | ,&quot;</td>" in page
    assert page.count("<tr>") == page.count("</tr>") == 3
    assert "<b>" not in page


def test_csv_is_in_si_units_with_keys_as_headings():
    rows = list(csv.reader(io.StringIO(csv_text(TABLE))))
    assert rows == [["name", "time", "gone"], ['[bold]a[/bold] <b> | ,"', "0.5", ""], ["é", "", "3"]]


def test_records_as_csv_join_inner_keys():
    rows = [{"a": 1, "b": {"c": 2.5, "d": {"e": None}}}, {"a": 2, "f": "x"}]
    read = list(csv.DictReader(io.StringIO(record_csv(rows))))
    assert read == [{"a": "1", "b.c": "2.5", "b.d.e": "", "f": ""}, {"a": "2", "b.c": "", "b.d.e": "", "f": "x"}]


def test_plain_values():
    value = {
        "array": np.array([1.0, np.nan]),
        "scalar": np.float64(2),
        "zero": np.array(3),
        "flag": np.bool_(True),
        "record": Record("r", (1.0, math.inf)),
        5: ("a", None),
    }
    assert plain(value) == {
        "array": [1.0, None],
        "scalar": 2.0,
        "zero": 3,
        "flag": True,
        "record": {"name": "r", "sizes": [1.0, None]},
        "5": ["a", None],
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_json_is_json_and_steady(value: Any):
    text = json_text(value)
    assert json_text(value) == text
    assert json.loads(text, parse_constant=pytest.fail) == plain(value)


# Files


def test_files_are_written_with_folders(tmp_path: Path):
    paths = write_files(tmp_path / "a" / "b", {"x.txt": "é\n", "y.txt": ""})
    assert [path.read_bytes() for path in paths] == ["é\n".encode(), b""]
    assert [path.name for path in (tmp_path / "a" / "b").iterdir() if path.name.startswith(".")] == []
    assert paths[0].stat().st_mode & 0o777 == 0o644


def test_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "x.txt").write_text("old", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr("os.chmod", full)
        with pytest.raises(InputError, match=r"--to .* cannot be written .No space left on device.; choose another"):
            write_files(tmp_path, {"x.txt": "new", "y.txt": "new"}, option="--to")
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [("x.txt", "old")]
