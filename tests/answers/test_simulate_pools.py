"""simulate with two pools, with replicas that follow the load, and with replicas that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costline.answers.plan import plan
from costline.answers.simulate import simulate
from costline.architecture.kv_cache import kv_bytes_per_token
from costline.catalog.models import find_model
from costline.errors import InputError

SMALL: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b", "weights": "bf16"},
    "system": {"accelerator": "h100-sxm"},
    "workload": {"input_tokens": 8000, "output_tokens": 200, "request_rate": 8, "requests": 600},
    "deployment": {"engine": {"max_batched_tokens": 2048, "max_sequences": 128}},
}
APART: dict[str, Any] = {
    "disaggregated": True, "prefill_pool": {"tp": 1, "replicas": 2}, "decode_pool": {"tp": 1, "replicas": 2},
}  # fmt: skip
SHORT = {"input_tokens": 500, "output_tokens": 100}


def run(**blocks: Any) -> dict[str, Any]:
    asked = {name: {**SMALL.get(name, {}), **blocks.get(name, {})} for name in {*SMALL, *blocks}}
    return simulate(asked, figures=False).to_dict()


@pytest.fixture(scope="module")
def apart() -> dict[str, Any]:
    return run(deployment=APART)


@pytest.fixture(scope="module")
def together() -> dict[str, Any]:
    return run(deployment={"tp": 1, "replicas": 4})


def test_long_prompts_disturb_no_decoding_in_a_pool_of_its_own(apart: dict[str, Any], together: dict[str, Any]):
    assert apart["deployment"]["accelerators"] == together["deployment"]["accelerators"] == 4
    assert apart["latency_ms"]["tpot"]["p99"] < 0.8 * together["latency_ms"]["tpot"]["p99"]
    assert apart["latency_ms"]["gap"]["p99"] < 0.8 * together["latency_ms"]["gap"]["p99"]
    # two replicas read what four read before
    assert apart["latency_ms"]["ttft"]["p99"] > together["latency_ms"]["ttft"]["p99"]


def test_every_request_goes_through_both_pools_and_none_is_lost(apart: dict[str, Any]):
    counts = apart["requests"]
    assert counts["sent"] == counts["served"] == 600
    prefill, decode = apart["pools"]
    assert (prefill["role"], decode["role"]) == ("prefill", "decode")
    assert sum(row["requests"] for row in apart["replicas"]) == counts["counted"]
    inside = prefill["utilization"]["in_flight_mean"] + decode["utilization"]["in_flight_mean"]
    assert inside == pytest.approx(apart["utilization"]["in_flight_mean"], rel=1e-2)
    for row in (prefill, decode):
        assert 0 < row["utilization"]["busy"] <= 1
        assert 0 < row["kv"]["mean_use"] < row["kv"]["peak_use"] < 1


def test_the_bill_is_that_of_both_pools():
    mixed = {
        "disaggregated": True,
        "prefill_pool": {"accelerator": "h100-sxm", "tp": 2, "replicas": 1},
        "decode_pool": {"accelerator": "h200-sxm", "tp": 1, "replicas": 2},
    }
    found = run(deployment=mixed, price={"accelerator_usd_per_hour": {"h100-sxm": 2, "h200-sxm": 3}})
    assert [row["usd_per_hour"] for row in found["pools"]] == [4, 6]
    assert found["cost"]["usd_per_hour"] == 10
    made = found["throughput"]["output_tokens_per_s"]
    assert found["cost"]["usd_per_mtok"] == pytest.approx(10 / 3600 / made * 1e6)
    assert found["deployment"]["accelerator"] == "h100-sxm + h200-sxm"
    assert found["throughput"]["output_tokens_per_s_per_accelerator"] == pytest.approx(made / 4)


def test_the_cache_moves_over_the_link_of_the_systems(apart: dict[str, Any]):
    moved = apart["deployment"]["kv_transfer"]
    each = kv_bytes_per_token(find_model("llama-3.1-8b"), "bf16")
    assert moved["bytes_per_token"] == pytest.approx(each)
    assert moved["token_s"] == pytest.approx(each / 50e9, rel=0.1)  # 400 Gbit/s an accelerator, less what it sustains
    assert moved["mean_s"] == pytest.approx(moved["request_s"] + 8000 * moved["token_s"])
    layerwise = run(deployment={**APART, "kv_transfer": "layerwise"})
    assert layerwise["deployment"]["kv_transfer"]["seen_s"] < 0.1 * moved["seen_s"]
    assert layerwise["latency_ms"]["tpot"]["mean"] < apart["latency_ms"]["tpot"]["mean"]
    wider = run(deployment={**APART, "prefill_pool": {"tp": 2}, "decode_pool": {"tp": 2}})
    assert wider["deployment"]["kv_transfer"]["token_s"] == pytest.approx(moved["token_s"] / 2)


@pytest.mark.parametrize(
    ("work", "place"), [({"request_rate": 16}, 0), ({"input_tokens": 500, "output_tokens": 500, "request_rate": 60}, 1)]
)
def test_beyond_its_capacity_the_pool_that_binds_serves_what_was_computed(work: dict[str, Any], place: int):
    found = run(workload={**work, "requests": 2500}, deployment=APART)
    assert found["knee"]["beyond"]
    assert found["knee"]["limit"] == ("prefill_pool", "decode_pool")[place]
    assert found["throughput"]["requests_per_s"] == pytest.approx(
        found["pools"][place]["capacity_requests_per_s"], rel=0.15
    )
    assert found["pools"][place]["load"] > 1 > found["pools"][1 - place]["load"]


def test_each_pool_is_as_small_as_the_targets_allow():
    slo = {"ttft_p99_ms": 1500, "tpot_p99_ms": 12}
    found = run(deployment=APART, slo=slo)["fleet"]
    sizes = found["prefill_replicas"], found["decode_replicas"]
    assert found["accelerators"] == found["replicas"] == sum(sizes)
    known = {(row["prefill_replicas"], row["decode_replicas"]): row["meets"] for row in found["tried"]}
    assert known[sizes]
    assert found["binds"]
    for place, name in enumerate(("prefill", "decode")):
        less = (sizes[0] - (place == 0), sizes[1] - (place == 1))
        assert (name in found["binds"]) == (less in known and not known[less])


def test_pools_left_open_are_the_best_plans():
    work = {"input_tokens": 2000, "output_tokens": 200, "request_rate": 20, "requests": 300}
    slo = {"ttft_p99_ms": 1000, "tpot_p99_ms": 30}
    block = {**SMALL["deployment"], "disaggregated": True}
    best = plan({**SMALL, "workload": work, "slo": slo, "deployment": block}).data["plans"][0]
    found = run(workload=work, slo=slo, deployment={"disaggregated": True})
    for name in ("prefill_pool", "decode_pool"):
        mine = found["deployment"][name]
        assert mine["chosen_by"] == "plan"
        assert all(mine[key] == best[name][key] for key in ("accelerator", "tp", "pp", "dp", "ep", "replicas"))
    assert found["slo"]["met"]


def test_a_draft_is_used_by_the_pool_that_decodes():
    draft = {"draft": "llama-3.2-1b", "acceptance": 0.9, "max_draft_tokens": 3}
    plain, fast = (run(workload=SHORT, deployment={**APART, **more}) for more in ({}, {"speculation": draft}))
    assert fast["latency_ms"]["tpot"]["mean"] < plain["latency_ms"]["tpot"]["mean"]
    assert [row["speculation"] is None for row in fast["pools"]] == [True, False]


def test_pools_of_several_sizes_make_a_table():
    sizes = {**APART, "prefill_pool": {"tp": 1, "replicas": [2, 3]}}
    answer = simulate({**SMALL, "deployment": {**SMALL["deployment"], **sizes}}, figures=False).to_dict()
    ttft = [row["latency_ms"]["ttft"]["p99"] for row in answer["runs"]]
    assert ttft[1] < ttft[0]


def test_replicas_follow_the_load_and_only_those_that_run_are_paid():
    stages = {"request_rate": None, "stages": [{"rate": rate, "duration_s": 300} for rate in (2, 60, 2)]}
    work = {**SHORT, **stages, "requests": None}
    scaler = {"min": 1, "max": 4, "target": 16, "boot_s": 20, "interval_s": 5, "hold_s": 30}
    fixed, scaled = (
        run(workload=work, deployment=more) for more in ({"tp": 1, "replicas": 4}, {"tp": 1, "autoscale": scaler})
    )
    (row,) = scaled["pools"]
    assert row["boots"] >= 1
    assert 1 < row["replicas_mean"] < 4
    assert scaled["cost"]["usd_per_hour"] == pytest.approx(row["replicas_mean"] / 4 * fixed["cost"]["usd_per_hour"])
    assert scaled["latency_ms"]["ttft"]["p99"] > fixed["latency_ms"]["ttft"]["p99"]
    assert scaled["requests"]["served"] == scaled["requests"]["sent"] == fixed["requests"]["sent"]


def test_each_pool_scales_by_itself():
    scaler = {"min": 1, "max": 4, "target": 4, "boot_s": 10, "interval_s": 5}
    found = run(deployment={**APART, "prefill_pool": {"tp": 1, "autoscale": scaler}})
    assert [row["replicas"] for row in found["pools"]] == [4, 2]
    assert found["pools"][0]["replicas_mean"] < 4
    assert found["pools"][1]["replicas_mean"] == 2
    assert found["requests"]["served"] == 600


@pytest.mark.parametrize("where", [{"tp": 1, "replicas": 2}, APART])
def test_requests_of_a_lost_replica_start_again_and_are_served(where: dict[str, Any]):
    work = {**SHORT, "request_rate": 10}
    failure = {"at_s": 20, "down_s": 15, **({"pool": "decode"} if where is APART else {})}
    whole, broken = (run(workload=work, deployment={**where, **more}) for more in ({}, {"failures": [failure]}))
    assert whole["retries"] == 0 < broken["retries"]
    assert broken["requests"]["served"] == broken["requests"]["sent"]
    assert broken["latency_ms"]["e2e"]["p99"] > whole["latency_ms"]["e2e"]["p99"]


def test_a_fleet_that_loses_a_replica_needs_one_more():
    work, slo = {**SHORT, "request_rate": 10, "requests": 400}, {"e2e_p99_ms": 4000}
    lost = {"failures": [{"replica": 0, "at_s": 10}]}
    sizes = [run(workload=work, slo=slo, deployment={"tp": 1, **more})["fleet"]["replicas"] for more in ({}, lost)]
    assert sizes == [1, 2]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"disaggregated": True, "prefill_pool": {"tp": 1}}, "prefill_pool stands without decode_pool"),
        ({**APART, "disaggregated": "auto"}, "prefill_pool needs disaggregated: true"),
        ({**APART, "tp": 2}, "tp=2 stands beside prefill_pool"),
        ({**APART, "prefill_pool": {"tp": 3}}, "tp=3"),
        ({**APART, "prefill_pool": {"replicas": 2}}, "prefill_pool.tp is missing"),
        ({**APART, "prefill_pool": {"tp": 1, "batch": 500}}, "batch=500 of a pool exceeds"),
        ({**APART, "decode_pool": {"tp": 1, "accelerator": "mi300x"}}, "choose both of one maker"),
        ({**APART, "cp": 2}, "cp=2 is planned, not simulated"),
        ({**APART, "prefill_pool": {"tp": 1, "accelerator": "rtx-4090"}}, "no catalogued network"),
        ({**APART, "autoscale": {"max": 4, "target": 4}}, "autoscale scales one pool"),
        ({"tp": 1, "autoscale": {"min": 4, "max": 2, "target": 4}}, "min=4 exceeds max=2"),
        ({"tp": 1, "autoscale": {"max": 2, "target": 0}}, "autoscale.target=0 must be"),
        ({"tp": 1, "autoscale": {"max": 2, "target": 4, "boot_s": -1}}, "boot_s=-1 must be at least 0"),
        ({"tp": 1, "replicas": 2, "autoscale": {"max": 2, "target": 4}}, "two sizes"),
        ({"tp": 1, "replicas": 2, "failures": [{"replica": 2, "at_s": 5}]}, r"failures\[0\].replica=2 does not exist"),
        ({"tp": 1, "failures": [{"at_s": 5, "down_s": 0}]}, r"failures\[0\].down_s=0 must be"),
        ({"tp": 1, "failures": [{"at_s": 5}, {"at_s": 9}]}, "comes before replica 0 is back"),
        ({"tp": 1, "failures": [{"at_s": 5, "pool": "decode"}]}, "does not fit the deployment"),
    ],
)
def test_faults_are_one_line(block: dict[str, Any], said: str):
    with pytest.raises(Exception, match=said) as caught:
        run(deployment=block)
    assert "\n" not in str(caught.value)


def test_given_pools_are_not_searched():
    with pytest.raises(InputError, match="simulated, not searched"):
        plan({**SMALL, "deployment": {**SMALL["deployment"], **APART}})


def test_the_command_shows_both_pools(run_cli: Callable[..., Any], tmp_path: Path):
    file = tmp_path / "apart.yml"
    file.write_text(
        "model: {id: llama-3.1-8b}\n"
        "workload: {input_tokens: 2000, output_tokens: 100, request_rate: 4, requests: 200}\n"
        "deployment: {disaggregated: true, prefill_pool: {tp: 1}, decode_pool: {tp: 1, replicas: 2}}\n"
    )
    shown = run_cli("simulate", file).stdout
    for words in ("By pool", "prefill h100-sxm tp 1", "decode 2 × h100-sxm tp 1", "cache moves between the pools"):
        assert words in shown


def test_twice_the_load_on_twice_the_replicas_fills_as_much_of_the_cache():
    one, two = (
        run(workload={**SHORT, "request_rate": 12 * count}, deployment={"tp": 1, "replicas": count})["kv"]
        for count in (1, 2)
    )
    assert two["capacity_tokens"] == 2 * one["capacity_tokens"]
    assert two["mean_use"] == pytest.approx(one["mean_use"], rel=0.15)
    assert two["peak_use"] == pytest.approx(one["peak_use"], rel=0.3)


def test_the_prefill_pool_waits_as_its_queue_says():
    found = run(workload={"request_rate": 8, "requests": 3000}, deployment=APART)
    prefill = found["pools"][0]
    assert prefill["load"] == pytest.approx(8 / prefill["capacity_requests_per_s"])
    assert prefill["utilization"]["busy"] == pytest.approx(prefill["load"], rel=0.05)


def test_a_pool_that_never_comes_back_leaves_requests_unserved():
    found = run(workload={**SHORT, "request_rate": 5}, deployment={
        **APART, "failures": [{"pool": "decode", "replica": number, "at_s": 5} for number in (0, 1)],
    }, slo={"ttft_p99_ms": 500})  # fmt: skip
    assert found["requests"]["served"] + found["requests"]["not_served"] == found["requests"]["sent"]
    assert found["requests"]["not_served"] > 0
    assert not found["slo"]["met"]
