"""The JSON Schema says what the reader accepts; the check finds what no shape can hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from costline.catalog import load, read, schema
from costline.catalog.check import check
from costline.catalog.nodes import File, has_tag, parse
from costline.catalog.records import Provenance
from costline.errors import UnknownIdError


def plain(node: yaml.Node) -> Any:
    """A node as an editor sees it: text, numbers, lists, mappings."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    if has_tag(node, "int", "float"):
        return float(node.value.replace("_", ""))
    return {"true": True, "false": False}[node.value] if has_tag(node, "bool") else node.value


TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, float),
    "integer": lambda value: isinstance(value, float) and value.is_integer(),
}


def faults(value: Any, rule: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """What a value breaks of a schema: the part of JSON Schema that `json_schema` writes."""
    if "$ref" in rule:
        return faults(value, root["$defs"][rule["$ref"].rpartition("/")[2]], root)
    if "anyOf" in rule:
        tried = [faults(value, option, root) for option in rule["anyOf"]]
        return [] if [] in tried else tried[0]
    if "enum" in rule:
        return [] if value in rule["enum"] else [f"{value!r} is none of {rule['enum']}"]
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    if not any(TYPES[kind](value) for kind in kinds):
        return [f"{value!r} is no {kinds}"]
    found: list[str] = []
    if isinstance(value, float):
        found += [f"{value} < {rule['minimum']}"] if value < rule.get("minimum", value) else []
        found += [f"{value} <= 0"] if "exclusiveMinimum" in rule and value <= 0 else []
        found += [f"{value} > {rule['maximum']}"] if value > rule.get("maximum", value) else []
    if isinstance(value, str) and "pattern" in rule and not re.search(rule["pattern"], value):
        found.append(f"{value!r} breaks {rule['pattern']}")
    if isinstance(value, list):
        found += [fault for item in value for fault in faults(item, rule["items"], root)]
    if isinstance(value, dict):
        found += [f"{key!r} is missing" for key in rule.get("required", []) if key not in value]
        names = rule.get("propertyNames", {}).get("enum")
        found += [f"{key!r} is not a name" for key in value if names and key not in names]
        for key, item in value.items():
            under = rule.get("properties", {}).get(key, rule.get("additionalProperties", True))
            if under is False:
                found.append(f"{key!r} is unknown")
            elif under is not True:
                found += faults(item, under, root)
    return found


@pytest.mark.parametrize("kind", schema.ALL)
def test_every_packaged_file_meets_its_schema(kind: str):
    rules = schema.json_schema(kind)
    paths = read.files(*schema.ALL[kind].place)
    assert paths
    for path in paths:
        assert faults(plain(parse(File(path.name), path)), rules, rules) == [], path.name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"memory_gb": 80.0}, "'memory_gb' is unknown"),
        ({"memory_gib": "80"}, "is no ['number']"),
        ({"memory_gib": -1.0}, "-1.0 <= 0"),
        ({"status": "sold"}, "is none of"),
        ({"launch": "May"}, "breaks"),
        ({"dense_tflop_per_s": {"fp12": 1.0}}, "'fp12' is not a name"),
        ({"memory_gib": {"value": 80.0, "sauce": "x"}}, "is no ['number']"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(change: dict[str, Any], said: str):
    rules = schema.json_schema("chips")
    entry = {"name": "A", "vendor": "B", "family": "c", "memory_gib": 1.0, "hbm_gb_per_s": 1.0, "system": "s"}
    assert faults({"chips": {"a": entry}}, rules, rules) == []
    assert said in "; ".join(faults({"chips": {"a": entry | change}}, rules, rules))
    assert faults({"chips": {"a": {}}}, rules, rules)[0] == "'name' is missing"


def test_fields_say_what_they_mean():
    entry = schema.json_schema("chips")["properties"]["chips"]["additionalProperties"]
    assert entry["properties"]["tdp_w"]["description"] == "power limit of the board"
    assert entry["required"] == ["name", "vendor", "family", "memory_gib", "hbm_gb_per_s", "system"]


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(UnknownIdError, match="unknown kind of fact 'chip'; nearest: chips"):
        schema.json_schema("chip")


# Check


def test_the_packaged_catalog_has_no_errors():
    assert check() == []


def test_cap_10_5_old_prices_are_flagged():
    found = check("2026-11-20")
    assert any("offers dated 2026-05-24 are 180 days old, more than 90" in line for line in found)
    assert all(line.startswith("warning: ") for line in found)
    fresh = check("2026-06-01")
    assert not any("2026-05-24" in line for line in fresh)
    assert any("2024-12-23" in line for line in fresh)


def changed_chip(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[str]:
    chips = dict(load.chips())
    chips["l4"] = replace(chips["l4"], **changes)
    monkeypatch.setattr(load, "chips", lambda: chips)
    monkeypatch.setitem(load.LOADERS, "chips", load.chips)
    return check()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hbm_bytes_per_s": 3e8}, "ridge of 1.01e+05 FLOP/byte is not within 1 to 3000"),
        ({"dense_flop_per_s": {"bf16": 121e12, "fp8": 100e12}}, "error: chip l4: fp8 is slower than bf16"),
        ({"measured_flop_per_s": {"bf16": 122e12}}, "measured bf16 exceeds its dense peak"),
        ({"sparse_flop_per_s": {"bf16": 1e12}}, "sparse bf16 is below its dense peak"),
        ({"system": "pcie-l5"}, "error: chip l4: system 'pcie-l5' is not in systems/"),
        ({"aliases": ("h-100 SXM",)}, "error: chips l4: name 'h-100 SXM' also means h100-sxm"),
        ({"provenance": {"tdp_w": Provenance("hearsay", "vendor", "")}}, "chips l4.tdp_w: source 'hearsay' is not in"),
    ],
)
def test_the_check_finds(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str):
    assert said in "\n".join(changed_chip(monkeypatch, **changes))


def test_the_check_finds_what_lies_between_files(monkeypatch: pytest.MonkeyPatch):
    chips = {id: chip for id, chip in load.chips().items() if id != "l4"}
    monkeypatch.setattr(load, "chips", lambda: chips)
    found = "\n".join(check())
    assert "error: system pcie-l4: chip 'l4' is not in chips/" in found
    assert "chip 'l4' is not in chips/" in found
    assert found.count("error: offer ") == 5
    systems = dict(load.systems())
    box = systems["hgx-h100"]
    systems["hgx-h100"] = replace(box, fabric=replace(box.fabric, pair_bytes_per_s=451e9))
    monkeypatch.setattr(load, "systems", lambda: systems)
    assert "error: system hgx-h100: pair_gb_per_s exceeds gb_per_s" in "\n".join(check())
