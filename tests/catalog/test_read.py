"""Strict reading: what a fact file may say, and what it is refused for, by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog import nodes, read
from costline.catalog.records import Fabric, Provenance
from costline.catalog.shapes import Block, Entry, Field, Flag, Many, Number, Table, Text
from costline.errors import CatalogError
from costline.quantities import GIB, GIGA, MICRO

LINK = Block(
    {
        "topology": Field(Text(("switch", "mesh"))),
        "domain_size": Field(Number(whole=True)),
        "gb_per_s": Field(Number(GIGA), to="bytes_per_s"),
        "pair_gb_per_s": Field(Number(GIGA), to="pair_bytes_per_s"),
        "latency_us": Field(Number(MICRO), to="latency_s"),
    },
    Fabric,
)
PART = Block(
    {
        "name": Field(Text()),
        "memory_gib": Field(Number(GIB, positive=True), to="memory_bytes"),
        "rates": Field(Table(Number(), ("bf16", "fp8")), {}),
        "power": Field(Number(), None),
        "public": Field(Flag(), False),
        "names": Field(Many(Text()), ()),
        "links": Field(Many(LINK), ()),
        "date": Field(Text(pattern=r"\d{4}-\d\d"), ""),
    }
)


def entries(folder: Path, text: str) -> dict[str, Entry]:
    path = folder / "parts.yml"
    path.write_text(text, encoding="utf-8")
    return read.read_section(path, "parts", PART)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(CatalogError) as caught:
        entries(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(folder) + "/", "")


def test_values_come_in_si_and_by_the_names_of_the_record(tmp_path: Path):
    found = entries(tmp_path, "parts:\n  a: {name: A, memory_gib: 80, rates: {bf16: 1e3}, public: true}\n")["a"]
    assert found.values["memory_bytes"] == 80 * 2**30
    assert found.values["rates"] == {"bf16": 1000.0}
    assert found.values["public"] is True
    assert found.values["power"] is None
    assert found.where.endswith("parts.yml:2")


def test_micro_units_are_the_nearest_float(tmp_path: Path):
    link = "{topology: mesh, domain_size: 8, gb_per_s: 450, pair_gb_per_s: 64, latency_us: 5}"
    found = entries(tmp_path, f"parts:\n  a: {{name: A, memory_gib: 1, links: [{link}]}}\n")["a"]
    assert found.values["links"] == (Fabric("mesh", 8, 450e9, 64e9, 5e-6),)


def test_the_nearest_statement_of_a_source_holds(tmp_path: Path):
    text = """
source: file
kind: vendor
retrieved: 2026-11-20
sources: {memory_gib: {source: by-field, kind: derived}, power: by-field}
parts:
  a: {name: A, memory_gib: 1, power: 3}
  b:
    source: entry
    name: {value: B, note: as printed}
    memory_gib: {value: 1, source: own, kind: measured, retrieved: 2025-01-01}
    rates: {bf16: 1, fp8: 2}
    sources: {rates.fp8: {source: table, kind: inferred}}
"""
    found = entries(tmp_path, text)
    a, b = found["a"].provenance, found["b"].provenance
    assert a[""] == Provenance("file", "vendor", "2026-11-20")
    assert a["memory_bytes"] == Provenance("by-field", "derived", "2026-11-20")
    assert a["power"] == Provenance("by-field", "vendor", "2026-11-20")
    assert b[""] == Provenance("entry", "vendor", "2026-11-20")
    assert b["name"] == Provenance("entry", "vendor", "2026-11-20", "as printed")
    assert b["memory_bytes"] == Provenance("own", "measured", "2025-01-01")
    assert b["rates.fp8"] == Provenance("table", "inferred", "2026-11-20")
    assert "power" not in b, "a value that is not stated has no source"


def test_only_the_core_schema_of_yaml_is_read(tmp_path: Path):
    found = entries(tmp_path, 'parts:\n  NO: {name: on, date: 2026-11, memory_gib: 1_000, names: [007, "1", yes]}\n')
    assert found["NO"].values["name"] == "on"
    assert found["NO"].values["date"] == "2026-11"
    assert found["NO"].values["memory_bytes"] == 1000 * 2**30
    assert found["NO"].values["names"] == ("007", "1", "yes")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{name: A, memory_gb: 80}", "parts.yml:2: unknown key 'a.memory_gb'; nearest: memory_gib"),
        ("{name: A}", "parts.yml:2: a lacks the key 'memory_gib'; add it"),
        ("{name: A, memory_gib: null}", "parts.yml:2: a.memory_gib must be a number, not 'null'"),
        ("{name: A, memory_gib: -1}", "parts.yml:2: a.memory_gib=-1 must be at least 0"),
        ("{name: A, memory_gib: 0}", "parts.yml:2: a.memory_gib=0 must be above 0"),
        ("{name: A, memory_gib: .nan}", "a.memory_gib=.nan must be finite; leave it out if it is unknown"),
        ("{name: A, memory_gib: .inf}", "a.memory_gib=.inf must be finite"),
        ("{name: A, memory_gib: 1e999}", "a.memory_gib=1e999 must be finite"),
        ('{name: A, memory_gib: "80"}', "a.memory_gib must be a number, not '80'"),
        ("{name: A, memory_gib: 80 GB}", "a.memory_gib must be a number, not '80 GB'"),
        ("{name: A, memory_gib: [80]}", "a.memory_gib must be a number, not a list"),
        ("{name: true, memory_gib: 1}", "a.name must be text, not 'true'"),
        ("{name: A, memory_gib: 1, public: 1}", "a.public must be true or false, not '1'"),
        ("{name: A, memory_gib: 1, names: A}", "a.names must be a list, not 'A'"),
        ("{name: A, memory_gib: 1, rates: {bf61: 1}}", "unknown key 'a.rates.bf61'; nearest: bf16"),
        ("{name: A, memory_gib: 1, date: 2026}", "a.date='2026' does not match"),
        ("{name: A, memory_gib: 1, memory_gib: 2}", "key 'memory_gib' stands twice in a; keep one"),
        ("{name: A, memory_gib: 1}\n  a: {name: B, memory_gib: 2}", "parts.yml:3: key 'a' stands twice in parts"),
        ("{name: !!python/object:os.system x, memory_gib: 1}", "a.name"),
        ("{<<: {name: A}, memory_gib: 1}", "unknown key 'a.<<'"),
        ("{name: A, memory_gib: {value: 1, sauce: x}}", "unknown key 'sauce'; nearest: source"),
        ("{name: A, memory_gib: 1, kind: guess}", "kind='guess' is none of published, vendor"),
        ("{name: A, memory_gib: 1, sources: {memory: x}}", "unknown key 'memory'; nearest: memory_gib"),
        ("[1, 2]", "a must be a mapping, not a list"),
        ("{name: A, memory_gib: 1, links: [{topology: swich}]}", "is none of switch, mesh; nearest: switch"),
    ],
)
def test_what_a_file_is_refused_for(tmp_path: Path, body: str, said: str):
    assert said in fault(tmp_path, f"parts:\n  a: {body}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "parts.yml:1: the file is empty"),
        ("source: x\n", "parts.yml:1: key 'parts' is missing"),
        ("partz:\n  a: {name: A}\n", "parts.yml:1: unknown key 'partz'; nearest: parts"),
        ("parts:\n  a: {name: A, memory_gib: 8", "parts.yml:2: not valid YAML"),
        ("parts:\n  a: {name: 'A\n", "not valid YAML"),
        ("parts:\n\ta: 1\n", "parts.yml:2: not valid YAML"),
        ("parts: &p\n  a: *p\n", "parts.yml"),
        ("- 1\n- 2\n", "the file must be a mapping, not a list"),
        ("parts: {? [1] : 2}\n", "parts has a key that is not text"),
        ("parts: " + "[" * 200_000, "nested deeper than 500 levels"),
        ("parts: " + "- " * 200_000, "nested deeper than 500 levels"),
    ],
)
def test_broken_files_name_the_line(tmp_path: Path, text: str, said: str):
    assert said in fault(tmp_path, text)


def test_aliases_that_multiply_are_stopped(tmp_path: Path):
    """A few lines of anchors stand for a million values (the billion laughs)."""
    deep = Block({"rows": Field(Many(Many(Many(Text()))))})
    words, rows, tables = ", ".join(["a"] * 100), ", ".join(["*x"] * 99), ", ".join(["*y"] * 99)
    path = tmp_path / "parts.yml"
    path.write_text(f"parts:\n  a: {{rows: [&y [&x [{words}], {rows}], {tables}]}}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"parts\.yml:2: expands to more than 500000 values"):
        read.read_section(path, "parts", deep)


def test_a_file_too_large_is_refused(tmp_path: Path):
    assert "exceed the limit" in fault(tmp_path, "#" * (nodes.MAX_BYTES + 1))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    path = tmp_path / "parts.yml"
    path.write_bytes(b"parts: \xff\xfe\n")
    with pytest.raises(CatalogError, match="UTF-8"):
        read.read_section(path, "parts", PART)
    with pytest.raises(CatalogError, match="cannot be read"):
        read.read_section(tmp_path / "none.yml", "parts", PART)


def test_the_slow_parser_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = "parts:\n  NO: {name: on, memory_gib: {value: 2, note: x}, rates: {bf16: 1e3}, names: [1, true_]}\n"
    fast = entries(tmp_path, text)
    monkeypatch.delattr("yaml.CSafeLoader", raising=False)
    assert entries(tmp_path, text) == fast
    assert "parts.yml:2: unknown key" in fault(tmp_path, "parts:\n  a: {nam: A}\n")


def test_a_users_catalog_replaces_and_adds_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for place, id, name in (("mine", "a", "A"), ("mine", "b", "B"), ("later", "a", "Other")):
        (tmp_path / place / "parts").mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "parts" / f"{name}.yml").write_text(f"parts: {{{id}: {{name: {name}, memory_gib: 1}}}}")
    monkeypatch.setenv("COSTLINE_CATALOG", f"{tmp_path / 'mine'}:{tmp_path / 'later'}")
    found = read.read_all("parts", PART, "parts")
    assert {id: entry.values["name"] for id, entry in found.items()} == {"a": "Other", "b": "B"}


def test_a_users_catalog_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COSTLINE_CATALOG", str(tmp_path / "nowhere"))
    with pytest.raises(CatalogError, match="which is no directory; correct or unset it"):
        read.read_all("parts", PART, "parts")


def test_an_id_in_two_files_of_one_catalog_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "parts").mkdir()
    for name in ("one", "two"):
        (tmp_path / "parts" / f"{name}.yml").write_text("parts: {a: {name: A, memory_gib: 1}}")
    monkeypatch.setenv("COSTLINE_CATALOG", str(tmp_path))
    with pytest.raises(CatalogError, match=r"two\.yml:1: id 'a' also stands at .*one\.yml:1; keep one"):
        read.read_all("parts", PART, "parts")


PRINTED = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=0), PRINTED)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, number: float, text: str):
    body = {"parts": {"a": {"name": text, "memory_gib": 1, "rates": {"bf16": number}}}}
    found = entries(tmp_path_factory.getbasetemp(), json.dumps(body, ensure_ascii=False))["a"].values
    assert found["name"] == text
    assert found["rates"]["bf16"] == number
