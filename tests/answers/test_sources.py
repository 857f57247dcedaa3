"""What an answer used: facts and equations, each with a citation that the catalog knows."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

import costline
from costline.answers.answer import Used
from costline.catalog.load import sources

CITED = re.compile(r"\[([^\]]+)\]")
ANSWERS = {
    "plan": lambda: costline.plan(
        model={"id": "deepseek-v3"},
        workload={"input_tokens": 2048, "output_tokens": 256, "request_rate": 2},
        system={"accelerator": ["h200-sxm", "mi300x", "tpu-v5e"], "max_accelerators": 16},
    ),
    "estimate": lambda: costline.estimate("qwen3-next-80b-a3b", "b200-sxm", tp=2),
    "frontier": lambda: costline.frontier(["llama-3.1-8b", "gpt-oss-20b"], ["h100", "a100"], max_accelerators=2),
}


@pytest.fixture(scope="module", params=ANSWERS)
def used(request: pytest.FixtureRequest) -> tuple[Used, ...]:
    return ANSWERS[request.param]().sources


def test_each_fact_has_a_source_and_a_day(used: tuple[Used, ...]):
    facts = [one for one in used if one.kind != "equation"]
    assert len(facts) > 5
    assert [one for one in facts if one.source not in sources()] == []
    assert [one for one in facts if not re.fullmatch(r"20\d\d-\d\d-\d\d", one.retrieved)] == []
    assert [one for one in facts if not one.value or "nan" in one.value] == []


def test_each_equation_is_written_out_and_cited(used: tuple[Used, ...]):
    equations = [one for one in used if one.kind == "equation"]
    assert len(equations) > 10
    for one in equations:
        keys = CITED.findall(one.source)
        assert keys, one
        assert set(keys) <= set(sources()), one
        assert one.value, one


def test_each_equation_can_be_found(used: tuple[Used, ...]):
    for one in used:
        if one.kind == "equation":
            module, _, name = one.what.rpartition(".")
            assert callable(getattr(importlib.import_module(f"costline.{module}"), name))


def test_nothing_is_listed_twice(used: tuple[Used, ...]):
    assert len(set(used)) == len(used)


def names(answer: Any) -> set[str]:
    return {one.what for one in answer.sources}


def test_what_is_used_is_listed():
    plain = costline.estimate("llama-3.1-8b", "h100-sxm")
    assert {"model llama-3.1-8b", "h100-sxm hbm_bytes_per_s", "price of h100-sxm", "engine vllm"} <= names(plain)
    assert "efficiency of hopper" in names(plain)
    assert not [name for name in names(plain) if "b200" in name]
    datasheet = costline.estimate("llama-3.1-8b", "h100-sxm", calibration="none")
    assert not [name for name in names(datasheet) if name.startswith("efficiency")]
    assert not [name for name in names(costline.estimate("llama-3.1-8b", "gaudi3")) if name.startswith("price")]


def test_rates_are_written_in_the_units_of_the_field():
    values = {one.what: one.value for one in costline.estimate("llama-3.1-8b", "h100-sxm").sources}
    assert values["h100-sxm dense bf16"] == "989 TFLOP/s"
    assert values["h100-sxm hbm_bytes_per_s"] == "3.35 TB/s"
    assert values["model llama-3.1-8b"] == "8,030,261,248 parameters"


def test_a_given_price_comes_from_the_scenario():
    given = [one for one in costline.estimate("llama-3.1-8b", price=1.5).sources if one.kind == "given"]
    assert [(one.what, one.value, one.source) for one in given] == [("price of h100-sxm", "$1.5/hour", "scenario")]


def test_plan_names_the_queueing_behind_its_tails():
    plan = ANSWERS["plan"]()
    assert {name for name in names(plan) if name.startswith("serving.")} > {"serving.queueing.tail_wait_s"}
