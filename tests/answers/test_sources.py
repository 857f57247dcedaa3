"""What an answer used: facts and equations, each with a citation that the catalog knows."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import costline
from costline.answers.answer import Answer, Used
from costline.answers.sensitivity import sensitivity
from costline.answers.sources.path import RULES
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


# What is listed is what was called


def planned(model: str, accelerator: str, most: int, load: dict[str, Any], **deployment: Any) -> Callable[[], Answer]:
    return lambda: costline.plan(
        model={"id": model},
        system={"accelerator": accelerator, "max_accelerators": most},
        workload={"input_tokens": 2048, "output_tokens": 256, **load},
        deployment={"disaggregated": False, **deployment},
    )


def estimated(model: str, accelerator: str, **options: Any) -> Callable[[], Answer]:
    return lambda: costline.estimate(model, accelerator, **options)


RATE = {"request_rate": 2}
DRAFT = {"draft": "llama-3.1-8b", "acceptance": 0.8}
USES = {
    "plan with queues": planned("llama-3.1-8b", "h100-sxm", 2, RATE),
    "plan of a concurrency": planned("llama-3.1-8b", "h100-sxm", 2, {"concurrency": 32}),
    "plan with experts": planned("mixtral-8x7b", "h100-sxm", 4, RATE),
    "plan with a draft": planned("llama-3.1-70b", "h100-sxm", 4, RATE, speculation=DRAFT),
    "plan with pools": planned("deepseek-v3", "h200-sxm", 16, RATE, disaggregated=True),
    "plan with a ring of prefills": planned("llama-3.1-8b", "h100-sxm", 2, RATE, disaggregated=True, cp=2),
    "plan of either": planned("llama-3.1-8b", "h100-sxm", 2, RATE, disaggregated="auto"),
    "one device": estimated("llama-3.1-8b", "h100-sxm"),
    "a closed loop": estimated("llama-3.1-8b", "h100-sxm", isl=1000, osl=100, concurrency=8),
    "a switch": estimated("llama-3.1-8b", "h100-sxm", tp=4),
    "a mesh": estimated("llama-3.1-8b", "mi300x", tp=2),
    "a bus": estimated("llama-3.1-8b", "l40s", tp=2),
    "a torus": estimated("llama-3.1-8b", "tpu-v5e", tp=4),
    "a torus and experts": estimated("mixtral-8x7b", "tpu-v5e", dp=8),
    "no price": estimated("llama-3.1-8b", "gaudi3", tp=2),
    "a pipeline": estimated("llama-3.1-8b", "h100-sxm", pp=2),
    "two nodes": estimated("deepseek-v3", "h200-sxm", tp=16),
    "experts and latent attention": estimated("deepseek-v3", "h200-sxm", tp=8, ep=8),
    "experts that exchange tokens": estimated("deepseek-v3", "h200-sxm", tp=1, dp=16),
    "states": estimated("qwen3-next-80b-a3b", "b200-sxm", tp=2),
    "the datasheet": estimated("deepseek-v3", "h200-sxm", tp=8, ep=8, calibration="none"),
    "another engine": estimated("llama-3.1-8b", "h100-sxm", tp=2, engine="tensorrt-llm"),
}


@lru_cache(maxsize=1)
def equations() -> dict[Any, str]:
    """Every public equation of the package by its code."""
    found: dict[Any, str] = {}
    for module in walk_packages(costline.__path__, "costline."):
        if module.name.split(".")[1] in ("architecture", "forward", "deployment", "serving", "money"):
            for name, one in vars(importlib.import_module(module.name)).items():
                ours = inspect.isfunction(one) and one.__module__ == module.name and not name.startswith("_")
                if ours and "Equation\n" in (inspect.getdoc(one) or ""):
                    found[one.__code__] = f"{module.name.removeprefix('costline.')}.{name}"
    return found


def forget() -> None:
    """Empties the memory of physics, so that what an answer calls is called."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("costline.architecture", "costline.forward", "costline.answers.search")):
            for one in vars(module).values():
                if hasattr(one, "cache_clear"):
                    one.cache_clear()


@lru_cache(maxsize=64)
def traced(name: str) -> tuple[Answer, frozenset[str]]:
    """An answer, and the equations that were called on the way to it."""
    known, called = equations(), set[str]()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in known:
            called.add(known[frame.f_code])

    forget()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        answer = USES[name]()
    finally:
        sys.setprofile(before)
    return answer, frozenset(called)


@pytest.mark.parametrize("name", USES)
def test_the_equations_listed_are_those_called(name: str):
    answer, called = traced(name)
    listed = {one.what for one in answer.sources if one.kind == "equation"}
    assert called - listed == set(), "called, but not listed: add a rule to answers/sources/path.py"
    assert listed - called == set(), "listed, but not called"


def test_every_rule_holds_somewhere():
    listed = {one.what for name in USES for one in traced(name)[0].sources}
    for rule in RULES:
        for one in rule.equations:
            assert f"{one.__module__.removeprefix('costline.')}.{one.__name__}" in listed


def test_pools_name_their_network_and_both_kinds_of_replica():
    plan = costline.plan(
        model={"id": "llama-3.1-8b"},
        system={"accelerator": ["h100-sxm", "h200-sxm"], "max_accelerators": 2},
        workload={"input_tokens": 2048, "output_tokens": 256, "request_rate": 2},
        deployment={"disaggregated": True},
    )
    assert {
        "network of hgx-h100", "network of hgx-h200", "price of h100-sxm", "price of h200-sxm", "power of h100-sxm",
        "serving.disaggregation.kv_transfer_time_s", "serving.disaggregation.exposed_transfer_s",
        "serving.queueing.allen_cunneen_wait_s",
    } <= names(plan)  # fmt: skip
    assert not {"serving.disaggregation.kv_transfer_time_s", "network of hgx-h100"} & names(traced("a switch")[0])


def test_kernels_of_experts_and_latent_attention_are_named_with_their_timings():
    used = {one.what: one for one in traced("experts that exchange tokens")[0].sources}
    kernels = ("gemm", "mla prefill", "mla decode", "experts", "low latency exchange", "throughput exchange")
    for kernel in kernels:
        fact = used[f"kernel {kernel} on hopper"]
        assert (fact.kind, fact.source) == ("measured", "kernel-study")
        assert re.search(r"[\d,]+ timings, \d+ % off on shapes left out", fact.value)
    assert used["steps of vllm"].source == used["range of tpot on hopper"].source == "serving-study"
    assert "kernel decode attention on hopper" not in used
    assert {"popularity of experts"} <= names(traced("the datasheet")[0])
    assert "popularity of experts" not in names(traced("one device")[0])
    assert "forward.kernels.mla.mla_decode_time_s" in used
    assert not [what for what in names(traced("the datasheet")[0]) if what.startswith(("kernel ", "steps ", "range "))]


def test_what_was_never_timed_says_what_stands_in():
    used = {one.what: one for one in traced("a mesh")[0].sources}
    gemm = used["kernel gemm on default"]
    assert gemm.kind == "inferred"
    assert gemm.value.startswith("cdna3 was not timed")
    assert used["range of tpot on cdna3"].kind == "inferred"


def test_a_closed_loop_says_how_sure_its_throughput_is():
    assert "range of throughput on hopper" in names(traced("a closed loop")[0])
    assert "range of throughput on hopper" not in names(traced("one device")[0])


def test_a_draft_is_a_model_and_a_given_chance():
    used = {one.what: one for one in traced("plan with a draft")[0].sources}
    assert used["draft llama-3.1-8b"].value == "8,030,261,248 parameters"
    assert used["acceptance of llama-3.1-8b"].kind == "given"
    assert "serving.speculation.loaded_speedup" in used


def test_ranges_that_sensitivity_chose_are_assumed_but_not_the_measured_one():
    answer = sensitivity(Path(__file__).resolve().parents[2] / "examples" / "sensitivity-experts.yml", groups=["rates"])
    assumed = {one.what for one in answer.sources if one.kind == "assumed"}
    assert "range of memory bandwidth" in assumed
    assert "range of step time, calibrated interval" not in assumed
    assert "range of tpot on hopper" in names(answer)
