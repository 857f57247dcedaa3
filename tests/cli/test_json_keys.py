"""The contract of the command line: keys that stay and their types, JSON alone on stdout, files, no colour."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from costline.catalog.load import sources

Call = Callable[..., Any]

NUMBER = (int, float)
MAYBE_NUMBER = (int, float, type(None))
PLAN = ("plan", "examples/chat-70b.yml", "--top", "3")
ESTIMATE = ("estimate", "--model", "mixtral-8x7b", "--tp", "2", "--batch", "16")
FRONTIER = ("frontier", "--model", "llama-3.1-8b", "--accelerators", "h100,b200", "--isl", "1024", "--osl", "128")

TERMS = {
    "step_time_s": NUMBER,
    "terms_s": dict,
    "tokens_per_s": NUMBER,
    "tokens_per_s_per_accelerator": NUMBER,
    "bound": str,
}
PLAN_KEYS = {
    "rank": int,
    "accelerator": str,
    "accelerators": int,
    "replicas": int,
    "tp": int,
    "pp": int,
    "ep": int,
    "dp": int,
    "batch": int,
    "disaggregated": bool,
    "prefill_pool": (dict, type(None)),
    "decode_pool": (dict, type(None)),
    "speculation": (dict, type(None)),
    "ttft_s": NUMBER,
    "tpot_s": NUMBER,
    "tokens_per_s_per_accelerator": NUMBER,
    "usd_per_mtok": NUMBER,
    "feasible": bool,
    "reason": str,
    "interval": dict,
}
FRONTIER_KEYS = {
    "accelerator": str,
    "accelerators": int,
    "tp": int,
    "pp": int,
    "ep": int,
    "dp": int,
    "batch": int,
    "ttft_s": NUMBER,
    "tpot_s": NUMBER,
    "tokens_per_s_per_accelerator": NUMBER,
    "usd_per_mtok": NUMBER,
    "interactivity_tokens_per_s": MAYBE_NUMBER,
}
LISTS: dict[str, dict[str, Any]] = {
    "models": {
        "id": str,
        "aliases": list,
        "hf_id": str,
        "parameters": {"total": int, "active": int},
        "kv_bytes_per_token": {"bf16": NUMBER, "fp8": NUMBER},
        "source": str,
    },
    "accelerators": {
        "id": str,
        "vendor": str,
        "memory_bytes": NUMBER,
        "hbm_bytes_per_s": NUMBER,
        "dense_flop_per_s": dict,
        "source": str,
    },
    "systems": {"id": str, "chip": str, "accelerators_per_node": int, "fabric": dict, "source": str},
    "offers": {"id": str, "provider": str, "chip": str, "usd_per_accelerator_hour": NUMBER, "date": str, "source": str},
    "grids": {"id": str, "name": str, "g_co2e_per_kwh": NUMBER, "source": str},
    "pues": {"id": str, "operator": str, "pue": NUMBER, "source": str},
    "tariffs": {"id": str, "region": str, "usd_per_kwh": NUMBER, "source": str},
    "engines": {"id": str, "engine": str, "memory_fraction": NUMBER, "source": str},
    "workloads": {"id": str, "name": str, "input": dict, "output": dict, "source": str},
    "sources": {"key": str, "title": str, "url": str, "retrieved": str},
}


def faults(value: Any, shape: dict[str, Any], place: str = "") -> list[str]:
    """Keys of `shape` that are missing from `value` or of another type; a number is never a yes or no."""
    found: list[str] = []
    for key, kind in shape.items():
        where = f"{place}.{key}"
        if key not in value:
            found.append(f"{where} is missing")
        elif isinstance(kind, dict):
            found += faults(value[key], kind, where)
        elif not isinstance(value[key], kind) or (isinstance(value[key], bool) and kind is not bool):
            found.append(f"{where} is {value[key]!r}")
    return found


def test_a_broken_contract_is_found():
    assert faults({"a": True, "c": {"d": "x"}}, {"a": int, "b": str, "c": {"d": NUMBER}}) == [
        ".a is True",
        ".b is missing",
        ".c.d is 'x'",
    ]


def answered(outcome: Any) -> dict[str, Any]:
    """The JSON that stdout holds alone."""
    assert outcome.code == 0, outcome.stderr
    assert outcome.stderr == ""
    assert outcome.stdout.endswith("}\n")
    return json.loads(outcome.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_estimate(call: Call):
    data = answered(call(*ESTIMATE, "--json"))
    memory = {
        "weights_bytes": NUMBER,
        "kv_bytes_per_token": NUMBER,
        "kv_capacity_tokens": NUMBER,
        "max_batch": int,
        "fits": bool,
    }
    cost = dict.fromkeys(("usd_per_mtok_output", "usd_per_mtok_input", "usd_per_hour"), NUMBER)
    shape = {
        "decode": {**TERMS, "tpot_s": NUMBER},
        "prefill": {**TERMS, "time_s": NUMBER},
        "memory": memory,
        "cost": cost,
    }
    assert faults(data, shape) == []
    for phase in ("decode", "prefill"):
        step = data[phase]
        assert sum(step["terms_s"].values()) == pytest.approx(step["step_time_s"])
        assert sum(step["waits_s"].values()) == pytest.approx(step["step_time_s"])
        assert step["lower_bound_s"] <= step["step_time_s"]
        assert step["waits_s"][step["bound"]] == max(step["waits_s"].values())


def test_estimate_without_a_price_or_a_growing_cache_has_the_same_keys(call: Call):
    data = answered(call("estimate", "--model", "llama-3.1-8b", "--accelerator", "gaudi3", "--json"))
    assert data["cost"]["usd_per_hour"] is None
    assert data["cost"].keys() == answered(call(*ESTIMATE, "--json"))["cost"].keys()


def test_plan(call: Call):
    data = answered(call(*PLAN, "--json"))
    assert {"plans", "frontier", "searched"} <= data.keys()
    assert [fault for row in data["plans"] for fault in faults(row, PLAN_KEYS)] == []
    assert [fault for row in data["frontier"] for fault in faults(row, {**FRONTIER_KEYS, "replicas": int})] == []
    assert faults(data["searched"], {"candidates": int, "feasible": int}) == []
    assert [row["rank"] for row in data["plans"]] == [1, 2, 3]
    assert all(row["interval"]["tpot_s"]["lower_bound"] > 0 for row in data["plans"])


def test_frontier(call: Call):
    data = answered(call(*FRONTIER, "--json"))
    assert [fault for row in data["frontier"] for fault in faults(row, {**FRONTIER_KEYS, "model": str})] == []
    assert {row["accelerator"] for row in data["frontier"]} == {"h100-sxm", "b200-sxm"}


@pytest.mark.parametrize("kind", LISTS)
def test_catalog_list(call: Call, kind: str):
    data = answered(call("catalog", "list", kind, "--json"))
    assert list(data) == [kind]
    assert [fault for row in data[kind] for fault in faults(row, LISTS[kind])] == []
    names = [row["key" if kind == "sources" else "id"] for row in data[kind]]
    assert len(names) == len(set(names)) > 1
    assert [row["source"] for row in data[kind] if row.get("source", "erdil-2025") not in sources()] == []


def test_each_listed_entry_can_be_shown_by_its_id(call: Call):
    for kind, name in (("systems", "system"), ("engines", "engine"), ("workloads", "workload"), ("pues", "pue")):
        for row in answered(call("catalog", "list", kind, "--json"))[kind]:
            shown = answered(call("catalog", "show", row["id"], "--json"))
            assert shown[name]["id"] == row["id"]
            assert shown[name]["provenance"]["default"]["source"]


def test_catalog_show_and_check(call: Call):
    chip = answered(call("catalog", "show", "H100", "--json"))["accelerator"]
    assert chip["id"] == "h100-sxm"
    assert chip["dense_flop_per_s"]["bf16"] == pytest.approx(989e12, rel=0.01)
    assert {"offers", "provenance"} <= chip.keys()
    model = answered(call("catalog", "show", "meta-llama/Llama-3.1-70B-Instruct", "--json"))["model"]
    assert model["parameters"]["total"] == 70_553_706_496
    assert sum(model["parameters_by_component"].values()) == model["parameters"]["total"]
    assert answered(call("catalog", "check", "--json"))["errors"] == []


def test_catalog_schema_is_a_json_schema(call: Call):
    scenario = answered(call("catalog", "schema", "scenario"))
    assert set(scenario["required"]) == {"model", "workload"}
    assert scenario["additionalProperties"] is False
    assert answered(call("catalog", "schema", "chips"))["$schema"].startswith("https://json-schema.org/")


# What else lies on stdout and stderr


@pytest.mark.parametrize("question", [PLAN, ESTIMATE, FRONTIER, ("catalog", "list", "accelerators")])
def test_two_runs_say_the_same(call: Call, question: tuple[str, ...]):
    assert call(*question, "--json") == call(*question, "--json")
    assert call(*question) == call(*question)


@pytest.mark.parametrize("question", [PLAN, ESTIMATE, FRONTIER, ("catalog", "show", "h100"), ("plan", "--help")])
def test_a_pipe_gets_no_colour_and_a_quiet_stderr(run_cli: Call, question: tuple[str, ...]):
    done = run_cli(*question)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) > 60


@pytest.mark.parametrize("question", [PLAN, ESTIMATE, FRONTIER])
def test_sources_lists_facts_and_equations(call: Call, question: tuple[str, ...]):
    used = answered(call(*question, "--json", "--sources"))["sources"]
    facts = [item for item in used if item["kind"] != "equation"]
    equations = [item for item in used if item["kind"] == "equation"]
    assert len(facts) > 5
    assert len(equations) > 10
    assert [item for item in facts if item["source"] not in sources() or not item["retrieved"]] == []
    cited = {item["what"]: set(re.findall(r"\[([^\]]+)\]", item["source"])) for item in equations}
    assert [what for what, keys in cited.items() if not keys or not keys <= set(sources())] == []
    assert [item["what"] for item in used if not item["value"]] == []
    assert len({(item["what"], item["value"]) for item in used}) == len(used)


def test_a_price_given_by_the_user_is_named_as_such(call: Call):
    used = answered(call(*ESTIMATE, "--price", "2", "--json", "--sources"))["sources"]
    assert [item["source"] for item in used if item["kind"] == "given"] == ["scenario"]


def test_sources_as_a_table(call: Call):
    text = call(*ESTIMATE, "--sources").stdout
    assert "gemm_time_s" in text
    assert "[kwon-2023]" in text


# Files


class Balance(HTMLParser):
    """Counts what stays open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["title"]:
            self.title += data


def read_page(path: Path) -> str:
    page = Balance()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page.title


FILES: dict[str, tuple[tuple[str, ...], set[str], set[str]]] = {
    "plan": (PLAN, {"table.csv", "plans.csv", "frontier.csv"}, {"frontier", "step_time"}),
    "estimate": (ESTIMATE, {"table.csv"}, {"decode_terms", "prefill_terms"}),
    "frontier": (FRONTIER, {"table.csv", "frontier.csv"}, {"frontier", "throughput"}),
}


@pytest.mark.parametrize("case", FILES)
def test_files(call: Call, tmp_path: Path, case: str):
    question, tables, figures = FILES[case]
    folder = tmp_path / "new" / "folder"
    printed = answered(call(*question, "--json", "--out", folder))
    assert json.loads((folder / "result.json").read_text(encoding="utf-8")) == printed
    names = {path.name for path in folder.iterdir()}
    assert {"result.json"} | tables | {f"{stem}.{kind}" for stem in figures for kind in ("html", "svg")} <= names
    assert not [name for name in names if name.startswith(".")]
    for path in folder.glob("*.csv"):
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        assert len(rows) > 1
        assert {len(row) for row in rows} == {len(rows[0])}
    for stem in figures:
        assert ET.parse(folder / f"{stem}.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
        assert read_page(folder / f"{stem}.html")


def test_plans_csv_holds_the_plans(call: Call, tmp_path: Path):
    data = answered(call(*PLAN, "--json", "--out", tmp_path))
    for key in ("plans", "frontier"):
        with (tmp_path / f"{key}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(data[key])
        for row, known in zip(rows, data[key], strict=True):
            assert row["accelerator"] == known["accelerator"]
            assert float(row["usd_per_mtok"]) == known["usd_per_mtok"]
    with (tmp_path / "plans.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert float(first["interval.tpot_s.lower_bound"]) == data["plans"][0]["interval"]["tpot_s"]["lower_bound"]


def test_files_are_written_again_over_the_old_ones(call: Call, tmp_path: Path):
    call(*ESTIMATE, "--out", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    outcome = call(*ESTIMATE, "--out", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert outcome.stdout.count("wrote ") == len(before)
