"""Plans: feasible, ranked, monotone in what is asked, and the same however the question is put."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costline
from costline.answers.choices import the_model
from costline.answers.read_scenario import read_scenario
from costline.answers.search import ranked, search
from costline.catalog.find import chip
from costline.errors import InfeasibleError, InputError

QUESTION: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b"},
    "system": {"accelerator": ["h100-sxm", "l40s"], "max_accelerators": 4},
    "workload": {"input_tokens": 1024, "output_tokens": 128, "request_rate": 20},
}


def ask(**blocks: Any) -> Any:
    return costline.plan(QUESTION, **blocks)


def best(**blocks: Any) -> dict[str, Any]:
    return ask(**blocks).data["plans"][0]


def cost(**blocks: Any) -> float:
    """Least USD per million output tokens, without the rest of the answer."""
    asked = read_scenario(QUESTION, **blocks)
    found = search(asked, the_model(asked.model))
    for group, row in ranked(found)[:1]:
        return float(found[group].columns["usd_per_mtok"][row])
    return float("inf")


# Every answer


def pools_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The pools of a plan: two, or the one that does both."""
    return [row["prefill_pool"], row["decode_pool"]] if row["disaggregated"] else [row]


def pool_size(pool: dict[str, Any]) -> int:
    return pool["replicas"] * pool["tp"] * pool["pp"] * pool["dp"]


def sound(row: dict[str, Any], asked: Any) -> list[str]:
    """What does not hold of one plan."""
    checks = {
        "feasible": row["feasible"],
        "accelerators": row["accelerators"] == sum(pool_size(pool) for pool in pools_of(row)),
        "pools": row["disaggregated"] == (row["prefill_pool"] is not None) == (row["decode_pool"] is not None),
        "replica": row["accelerators_per_replica"] <= asked.system.max_accelerators,
        "order of TTFT": row["ttft_s"] <= row["ttft_p99_s"] * (1 + 1e-12),
        "order of TPOT": row["tpot_s"] <= row["tpot_p99_s"] * (1 + 1e-12),
        "bound": asked.workload.output_mean <= 1
        or row["interval"]["tpot_s"]["lower_bound"] <= row["tpot_s"] * (1 + 1e-9),
        "bill": np.isclose(row["usd_per_hour"], row["accelerators"] * row["price_usd_per_accelerator_hour"]),
        "cost": np.isclose(row["usd_per_mtok"], row["usd_per_hour"] / 3600 / row["output_tokens_per_s"] * 1e6),
        "throughput": np.isclose(row["output_tokens_per_s"], row["tokens_per_s_per_accelerator"] * row["accelerators"]),
        "utilization": 0 < row["utilization"] <= 1 + 1e-9,
        "prefill share": 0 <= row["prefill_share"] <= 1,
        "running": row["running_batch"] <= row["batch"] * (1 + 1e-9),
        "steps": np.isclose(sum(row["terms_s"].values()), sum(row["waits_s"].values())),
        "reason": bool(row["reason"]),
        "end to end": np.isclose(row["e2e_s"], row["ttft_s"] + (asked.workload.output_mean - 1) * row["tpot_s"]),
        "margins": all(margin >= 0 for margin in row["slo_margin"].values()),
        "ttft": row["ttft_p99_s"] * 1e3 <= (asked.slo.ttft_p99_ms or np.inf),
        "tpot": row["tpot_p99_s"] * 1e3 <= (asked.slo.tpot_p99_ms or np.inf),
        "e2e": row["e2e_p99_s"] * 1e3 <= (asked.slo.e2e_p99_ms or np.inf),
    }
    if asked.workload.peak_request_rate is not None:
        wanted = asked.workload.peak_request_rate * asked.workload.output_mean
        checks["carries"] = np.isclose(row["output_tokens_per_s"], wanted)
    return [name for name, holds in checks.items() if not holds]


QUESTIONS: dict[str, dict[str, Any]] = {
    "rate": {},
    "targets": {"slo": {"ttft_p99_ms": 500, "tpot_p99_ms": 20, "e2e_p99_ms": 4000}},
    "offline": {"workload": {"request_rate": None}},
    "concurrency": {"workload": {"request_rate": None, "concurrency": 48}},
    "half a request in flight": {"workload": {"request_rate": None, "concurrency": 0.5}},
    "stages": {
        "workload": {"request_rate": None, "stages": [{"rate": 1, "duration_s": 9}, {"rate": 30, "duration_s": 9}]}
    },
    "prefix": {"workload": {"prefix": {"cached_tokens": 1000}}},
    "bursts": {"workload": {"arrivals": {"cv": 3}}},
    "lengths": {"workload": {"input_tokens": {"mean": 900, "p95": 2000}, "output_tokens": {"mean": 90, "p95": 300}}},
    "replicas": {"deployment": {"replicas": 5}},
    "degrees": {"deployment": {"tp": 2, "pp": 2, "batch": 32}},
    "one token each": {"workload": {"input_tokens": 1, "output_tokens": 1}},
    "one request a day": {"workload": {"request_rate": 1 / 86_400}},
    "a million a second": {"workload": {"request_rate": 1e6}},
    "long": {"workload": {"input_tokens": 120_000, "output_tokens": 8_000, "request_rate": 0.05}},
    "free": {"price": {"accelerator_usd_per_hour": 0}, "slo": {"tpot_p99_ms": 50}},
    "datasheet": {"calibration": "none"},
    "small chunks": {"deployment": {"engine": {"max_batched_tokens": 64}}},
    "sglang": {"deployment": {"engine": {"name": "sglang"}}},
    "experts": {"model": {"id": "mixtral-8x7b"}, "deployment": {"dp": 2}},
    "any slice": {"system": {"accelerator": ["tpu-v5e"]}, "model": {"weights": "bf16"}},
}


@pytest.mark.parametrize("case", QUESTIONS)
def test_every_plan_is_sound(case: str):
    asked = read_scenario(QUESTION, **QUESTIONS[case])
    data = costline.plan(asked, top=20).data
    rows = data["plans"]
    assert [(row["rank"], fault) for row in rows for fault in sound(row, asked)] == []
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    costs = [row["usd_per_mtok"] for row in rows]
    assert costs == pytest.approx(sorted(costs), rel=1e-8)
    assert min(row["usd_per_mtok"] for row in data["frontier"]) == pytest.approx(costs[0], rel=1e-8)
    assert data["searched"]["feasible"] <= data["searched"]["candidates"]
    for name, value in (QUESTIONS[case].get("deployment") or {}).items():
        assert name == "engine" or {row[name] for row in rows} == {value}


FAMILIES = [
    *("llama-3.1-8b", "gemma-3-27b", "gpt-oss-120b", "mixtral-8x7b", "deepseek-v2-lite", "deepseek-v3.2", "kimi-k2"),
    *(
        "qwen3-next-80b-a3b",
        "nemotron-h-56b",
        "minimax-text-01",
        "mistral-7b-v0.1",
        "llama-4-scout-17b-16e",
        "falcon-7b",
    ),
    *("phi-2", "bloom-176b", "glm-4.5", "deepseek-v4-flash", "mimo-v2-flash", "gemma-2-9b", "qwen2.5-7b"),
]


@pytest.mark.parametrize("id", FAMILIES)
def test_every_kind_of_model_is_planned(id: str):
    asked = read_scenario(
        model={"id": id},
        workload={"input_tokens": 1024, "output_tokens": 128, "request_rate": 1},
        system={"accelerator": ["b200-sxm"], "max_accelerators": 16},
    )
    rows = costline.plan(asked).data["plans"]
    assert [(row["rank"], fault) for row in rows for fault in sound(row, asked)] == []


def test_the_first_plan_of_equal_cost_answers_soonest():
    """Small batches cost no less here, so nobody should wait for a place in one."""
    row = best(workload={"request_rate": 1})
    assert row["batch"] > 1
    assert row["ttft_p99_s"] < 0.2


def test_plans_are_not_near_copies():
    rows = ask(top=6).data["plans"]
    cuts = [tuple(row[name] for name in ("accelerator", "weights", "tp", "dp", "ep", "disaggregated")) for row in rows]
    assert len(set(cuts)) == len(cuts) == 6
    assert {name for row in rows for name in row["accelerator"].split(" + ")} == {"h100-sxm", "l40s"}


def test_a_cheaper_place_in_time_and_cost_is_not_on_the_frontier():
    front = ask().data["frontier"]
    tpot = [row["tpot_s"] for row in front]
    costs = [row["usd_per_mtok"] for row in front]
    assert tpot == sorted(tpot)
    assert costs == sorted(costs, reverse=True)
    assert len(set(costs)) == len(costs)


# What is asked and what it costs


@settings(max_examples=15)
@given(
    ttft=st.floats(100, 5_000),
    tpot=st.floats(5, 100),
    e2e=st.floats(2_000, 60_000),
    name=st.sampled_from(["ttft", "tpot", "e2e"]),
)
def test_a_looser_target_never_costs_more(ttft: float, tpot: float, e2e: float, name: str):
    targets = {"ttft_p99_ms": ttft, "tpot_p99_ms": tpot, "e2e_p99_ms": max(e2e, ttft)}
    looser = {**targets, f"{name}_p99_ms": 1.5 * targets[f"{name}_p99_ms"]}
    looser["e2e_p99_ms"] = max(looser["e2e_p99_ms"], looser["ttft_p99_ms"])
    assert cost(slo=looser) <= cost(slo=targets) * (1 + 1e-8)
    assert cost() <= cost(slo=looser) * (1 + 1e-8)


@settings(max_examples=10)
@given(price=st.floats(0.01, 100), factor=st.floats(1, 10))
def test_cost_is_in_proportion_to_the_price(price: float, factor: float):
    dearer = cost(price={"accelerator_usd_per_hour": factor * price})
    assert dearer == pytest.approx(factor * cost(price={"accelerator_usd_per_hour": price}), rel=1e-6)


def test_a_dearer_accelerator_never_lowers_the_cost():
    costs = [cost(price={"accelerator_usd_per_hour": {"h100-sxm": usd, "l40s": 1.0}}) for usd in (0.5, 1, 2, 4, 8, 16)]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1] == costs[-2]  # at last the other accelerator is the cheaper one


@pytest.mark.parametrize("accelerators", [1, 2, 4, 8])
def test_more_freedom_never_costs_more(accelerators: int):
    narrow = cost(system={"max_accelerators": accelerators})
    assert cost(system={"max_accelerators": 2 * accelerators}) <= narrow * (1 + 1e-8)
    assert cost(deployment={"tp": accelerators}, system={"max_accelerators": 8}) >= cost(system={"max_accelerators": 8})


def test_more_accelerators_to_choose_from_never_cost_more():
    both = cost()
    assert both <= min(cost(system={"accelerator": [name]}) for name in ("h100-sxm", "l40s")) * (1 + 1e-8)


def test_more_load_needs_more_machines_and_uses_them_better():
    rows = [best(workload={"request_rate": rate}) for rate in (1, 30, 300, 3000)]
    bills = [row["usd_per_hour"] for row in rows]
    costs = [row["usd_per_mtok"] for row in rows]
    assert bills == sorted(bills)
    assert costs == sorted(costs, reverse=True)


def test_cached_prompts_never_cost_more():
    costs = [
        cost(workload={"prefix": {"cached_tokens": tokens}, "request_rate": 200}) for tokens in (0, 300, 900, 1023)
    ]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0]


def test_longer_answers_and_prompts_take_longer():
    def one(**work: float) -> dict[str, Any]:
        fixed = {"tp": 1, "pp": 1, "batch": 16}
        return best(workload={"request_rate": None, **work}, deployment=fixed, system={"accelerator": ["h100-sxm"]})

    assert one(input_tokens=8192)["ttft_s"] > one(input_tokens=1024)["ttft_s"]
    assert one(input_tokens=8192)["usd_per_mtok"] > one(input_tokens=1024)["usd_per_mtok"]
    assert one(output_tokens=512)["e2e_s"] > one(output_tokens=128)["e2e_s"]


def test_bursts_wait_longer():
    waits = [
        best(workload={"arrivals": one}, deployment={"tp": 1, "batch": 32, "replicas": 2})["ttft_p99_s"]
        for one in ("constant", "poisson", {"cv": 2})
    ]
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]


def test_narrow_formats_never_cost_more_where_memory_binds():
    costs = [cost(model={"weights": name}, workload={"request_rate": None}) for name in ("bf16", "fp8")]
    assert costs[1] <= costs[0]
    caches = [cost(model={"kv_cache": name}, workload={"request_rate": None}) for name in ("bf16", "fp8")]
    assert caches[1] <= caches[0]


# One question, several ways to ask


def test_file_mapping_scenario_and_keywords_get_the_same_answer(tmp_path: Path):
    path = tmp_path / "s.yml"
    path.write_text(json.dumps(QUESTION), encoding="utf-8")
    expected = ask().to_dict()
    for answer in (
        costline.plan(path),
        costline.plan(str(path)),
        costline.plan(read_scenario(QUESTION)),
        costline.plan(**QUESTION),
    ):
        assert answer.to_dict() == expected


def test_the_price_of_an_offer_is_used():
    row = best(system={"accelerator": "b200-sxm"}, price={"offer": "verda-b200-sxm-on-demand-2026-05-24"})
    assert (row["price_source"], row["price_usd_per_accelerator_hour"]) == ("verda-b200-sxm-on-demand-2026-05-24", 4.89)


def test_a_price_by_accelerator_leaves_the_others_at_their_offers():
    rows = ask(price={"accelerator_usd_per_hour": {"L40S": 0.25}}).data["plans"]
    prices = {row["accelerator"]: row["price_source"] for row in rows}
    assert prices["l40s"] == "given"
    assert prices["h100-sxm"] not in ("given", "")


def test_a_model_from_its_config(tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "model_type": "llama",
                "hidden_size": 512,
                "num_hidden_layers": 4,
                "num_attention_heads": 8,
                "intermediate_size": 1024,
                "vocab_size": 1000,
            }
        ),
        encoding="utf-8",
    )
    data = costline.plan(QUESTION | {"model": {"config": str(path)}}).data
    assert data["plans"][0]["feasible"]


def test_the_word_about_the_price_ages():
    young, old = (
        costline.plan(QUESTION, today=datetime.date(2026, 6, 1) + datetime.timedelta(days=days)).summary
        for days in (0, 3650)
    )
    assert "days old" not in young
    assert "days old" in old


# Nothing to answer


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ({"slo": {"tpot_p99_ms": 0.001}}, ("TPOT", "tpot_p99_ms")),
        ({"slo": {"ttft_p99_ms": 0.001}}, ("TTFT", "ttft_p99_ms")),
        ({"slo": {"e2e_p99_ms": 0.001}}, ("end-to-end", "e2e_p99_ms")),
        ({"model": {"id": "llama-3.1-405b"}}, ("memory", "GB")),
        ({"deployment": {"replicas": 1, "tp": 1}, "workload": {"request_rate": 1e5}}, ("request rate",)),
        ({"deployment": {"tp": 4, "pp": 2}}, ("no legal layout", "at most 4")),
    ],
)
def test_what_excludes_everything_is_named(blocks: dict[str, Any], words: tuple[str, ...]):
    with pytest.raises(InfeasibleError) as caught:
        ask(**blocks)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


def test_the_advice_of_a_missed_target_is_enough():
    with pytest.raises(InfeasibleError) as caught:
        ask(slo={"tpot_p99_ms": 0.5})
    advised = float(str(caught.value).partition("tpot_p99_ms to ")[2].split()[0])
    assert best(slo={"tpot_p99_ms": advised})["feasible"]


def test_no_plan_without_a_price():
    assert chip("gaudi3").dense_flop_per_s["bf16"]
    with pytest.raises(InputError, match="no rental offer is catalogued for gaudi3"):
        ask(system={"accelerator": "gaudi3"})
    assert best(system={"accelerator": "gaudi3"}, price={"accelerator_usd_per_hour": 2})["feasible"]


def test_a_target_that_cannot_be_relaxed_alone_is_no_failure():
    """Twice the TTFT would lie beyond the whole answer's target."""
    assert ask(slo={"ttft_p99_ms": 1500, "e2e_p99_ms": 2000}).data["plans"]


def test_what_helps_helps():
    data = ask(slo={"ttft_p99_ms": 120, "tpot_p99_ms": 8}).data
    now = data["plans"][0]["usd_per_mtok"]
    savings = [row["saving"] for row in data["what_helps"]]
    assert savings == sorted(savings, reverse=True)
    for row in data["what_helps"]:
        assert row["usd_per_mtok"] < now
        assert row["saving"] == pytest.approx(1 - row["usd_per_mtok"] / now)
