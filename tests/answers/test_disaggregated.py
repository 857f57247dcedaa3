"""Prefill and decode pools: the pruned search finds what trying every pair finds, and wins where it should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import costline
from costline.answers.choices import the_model
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.answers.search import kinds_of, ranked, search_all, search_pools
from costline.answers.search.candidates import finish, load_of, slo_masks
from costline.answers.search.decode_pool import decode_rows
from costline.answers.search.disaggregated import Kind, joined
from costline.answers.search.prefill_pool import prefill_rows, sending
from costline.answers.search.rows import frontier_rows
from costline.errors import InfeasibleError, InputError

LONG: dict[str, Any] = {
    "model": {"id": "llama-3.1-70b"},
    "system": {"accelerator": ["h100-sxm"], "max_accelerators": 16},
    "workload": {"input_tokens": 16_384, "output_tokens": 512, "request_rate": 20},
    "slo": {"ttft_p99_ms": 4000, "tpot_p99_ms": 15},
}


def plans(**blocks: Any) -> list[dict[str, Any]]:
    return costline.plan(LONG, **blocks).data["plans"]


# Every pair, one by one


def every_pair(scenario: Scenario, kinds: list[Kind]) -> tuple[np.ndarray, np.ndarray]:
    """Cost and TPOT of every pair that meets the targets, each evaluated on its own row of the tables."""
    load, costs, tpots = load_of(scenario), [], []
    for giver in kinds:
        before = prefill_rows(giver.engine, scenario, load, giver.price)
        for taker in kinds:
            if (giver.option.label, giver.option.formats.kv) != (taker.option.label, taker.option.formats.kv):
                continue
            after = decode_rows(taker.engine, scenario, taker.price, taker.ready)
            if not before or not after:
                continue
            layers = sum(group.count for group in taker.engine.model.layers)
            for row in range(after["replicas"].size):
                take = {name: column[row] for name, column in after.items()}
                give = {**before, **sending(before, float(take["moved_bytes"]))}
                give["queue_s"] = give["wait_s"] + give["port_wait_s"]
                give["queue_p99_s"] = give["wait_p99_s"] + give["port_wait_p99_s"]
                table = joined(give, take, scenario, layers)
                finish(table, load)
                met = np.isfinite(table["ttft_p99_s"])
                for mask in slo_masks(scenario.slo, table).values():
                    met &= mask
                costs.append(table["usd_per_mtok"][met])
                tpots.append(table["tpot_s"][met])
    return np.concatenate([[], *costs]), np.concatenate([[], *tpots])


def small_scenario(rng: np.random.Generator) -> Scenario:
    pick = rng.choice
    load = [{"request_rate": float(rng.uniform(0.5, 60))}, {"concurrency": int(rng.integers(1, 64))}, {}]
    slo: dict[str, float] = {}
    if rng.random() < 0.7:
        slo["tpot_p99_ms"] = float(rng.uniform(6, 60))
    if rng.random() < 0.7:
        slo["ttft_p99_ms"] = float(rng.uniform(100, 5000))
    if rng.random() < 0.3:
        slo["e2e_p99_ms"] = float(rng.uniform(6000, 60_000))
    return read_scenario(
        model={"id": str(pick(["llama-3.1-8b", "mixtral-8x7b", "deepseek-v2-lite"])), "weights": "fp8"},
        system={
            "accelerator": [str(name) for name in pick(["h100-sxm", "h200-sxm", "l40s"], 2, replace=False)],
            "max_accelerators": int(pick([2, 4])),
        },
        workload={
            "input_tokens": int(rng.integers(64, 12_000)),
            "output_tokens": int(rng.integers(16, 1500)),
            **load[int(pick([0, 0, 1, 2]))],
        },
        slo=slo,
        deployment={
            "disaggregated": True,
            "kv_transfer": str(pick(["after", "layerwise"])),
            "engine": {"max_sequences": int(pick([8, 16]))},
        },
    )


@pytest.mark.parametrize("seed", range(50))
def test_the_pruned_search_finds_what_every_pair_has(seed: int):
    scenario = small_scenario(np.random.default_rng(seed))
    kinds = kinds_of(scenario, the_model(scenario.model))
    found = search_pools(scenario, kinds)
    costs, tpots = every_pair(scenario, kinds)
    best = ranked(found)
    assert bool(best) == bool(costs.size)
    if not best:
        return
    group, row = found[best[0][0]], best[0][1]
    assert float(group.columns["usd_per_mtok"][row]) == pytest.approx(np.min(costs), rel=1e-8)
    for point in frontier_rows(found):
        quicker = costs[tpots <= point["tpot_s"] * (1 + 1e-12)]
        assert point["usd_per_mtok"] == pytest.approx(np.min(quicker), rel=1e-8)
    assert min(point["tpot_s"] for point in frontier_rows(found)) == pytest.approx(np.min(tpots), rel=1e-12)
    assert sum(group.covered or 0 for group in found) >= costs.size
    kept = sum(group.rows for group in found)
    assert kept <= sum(group.covered or 0 for group in found)


def test_few_pairs_are_looked_at_and_all_are_counted():
    found = costline.plan(LONG).data["searched"]
    pairs = [group for group in found["groups"] if group["disaggregated"]]
    assert sum(group["candidates"] for group in pairs) > 100_000
    assert found["candidates"] == sum(group["candidates"] for group in found["groups"])
    scenario = read_scenario(LONG)
    rows = [group.rows for group in search_all(scenario, the_model(scenario.model)) if group.prefill]
    assert sum(rows) < 10_000


# Where pools win


def test_pools_win_for_long_prompts_under_a_tight_tpot():
    best = plans()[0]
    together = plans(deployment={"disaggregated": False})[0]
    assert best["disaggregated"]
    assert not together["disaggregated"]
    assert best["usd_per_mtok"] < 0.9 * together["usd_per_mtok"]
    assert best["prefill_pool"]["replicas"] > best["decode_pool"]["replicas"]  # prompts are most of the work


def test_pools_lose_for_short_prompts():
    work = {"input_tokens": 128, "output_tokens": 512, "request_rate": 5}
    best = plans(workload=work, slo={"ttft_p99_ms": 1000, "tpot_p99_ms": 40})[0]
    apart = plans(workload=work, slo={"ttft_p99_ms": 1000, "tpot_p99_ms": 40}, deployment={"disaggregated": True})[0]
    assert not best["disaggregated"]
    assert apart["usd_per_mtok"] > 1.2 * best["usd_per_mtok"]


def test_both_ways_stand_in_one_ranking():
    rows = plans()
    assert {row["disaggregated"] for row in rows} == {True, False}
    assert [row["usd_per_mtok"] for row in rows] == sorted(row["usd_per_mtok"] for row in rows)


def test_auto_is_the_cheaper_of_both():
    least = min(plans(deployment={"disaggregated": choice})[0]["usd_per_mtok"] for choice in (True, False))
    assert plans()[0]["usd_per_mtok"] == pytest.approx(least, rel=1e-8)


# What a pair says


def test_pools_of_two_accelerators():
    rows = plans(system={"accelerator": ["h100-sxm", "h200-sxm"]}, deployment={"disaggregated": True})
    mixed = next(row for row in rows if "+" in row["accelerator"])
    pools = mixed["prefill_pool"], mixed["decode_pool"]
    assert mixed["accelerator"] == " + ".join(pool["accelerator"] for pool in pools)
    assert mixed["accelerators"] == sum(pool["accelerators"] for pool in pools)
    bill = sum(pool["accelerators"] * pool["price_usd_per_accelerator_hour"] for pool in pools)
    assert mixed["usd_per_hour"] == pytest.approx(bill)
    assert all(0 < pool["utilization"] <= 1 for pool in pools)
    keys = {"accelerator", "accelerators", "replicas", "tp", "pp", "dp", "ep", "batch"}
    assert all(keys <= set(pool) for pool in pools)


def test_the_first_token_waits_for_prefill_transfer_and_a_step():
    row = plans(deployment={"disaggregated": True})[0]
    parts = row["prefill_pool"]["prefill_s"] + row["kv_transfer_s"] + row["decode_step_s"]
    assert row["ttft_s"] > parts
    assert row["tpot_s"] == pytest.approx(row["decode_step_s"])
    cache = 16_384 * 327_680  # bytes of a prompt: 80 layers, 8 heads of 128, keys and values in bf16
    ports = min(pool["tp"] * pool["pp"] for pool in (row["prefill_pool"], row["decode_pool"]))
    assert row["kv_transfer_s"] > cache / ports / 50e9


def test_the_reason_names_the_pool_that_binds():
    row = plans(deployment={"disaggregated": True})[0]
    assert row["reason"].startswith("the prefill pool binds")
    answers = {"input_tokens": 256, "output_tokens": 2048}
    row = plans(workload=answers, deployment={"disaggregated": True})[0]
    assert row["reason"].startswith("the decode pool binds")


def test_moving_the_cache_during_the_prefill_never_costs_more():
    slow = {"ttft_p99_ms": 2500, "tpot_p99_ms": 15}
    after, during = (
        plans(slo=slow, deployment={"disaggregated": True, "kv_transfer": how})[0] for how in ("after", "layerwise")
    )
    assert during["usd_per_mtok"] <= after["usd_per_mtok"] * (1 + 1e-9)


def test_a_ring_of_prefill_devices_shortens_long_prompts():
    work = {"input_tokens": 65_536, "output_tokens": 64, "request_rate": 0.5}
    alone, ring = (
        plans(
            workload=work, slo={"ttft_p99_ms": None, "tpot_p99_ms": None},
            deployment={"disaggregated": True, "cp": cp, "tp": 4, "pp": 1},
        )[0]
        for cp in (1, 2)
    )  # fmt: skip
    assert ring["prefill_pool"]["cp"] == 2
    assert ring["prefill_pool"]["prefill_s"] == pytest.approx(alone["prefill_pool"]["prefill_s"] / 2)


# What cannot be asked


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"disaggregated": True, "replicas": 3}, "replicas=3 cannot size two pools"),
        ({"cp": 2}, "cp=2 needs disaggregated: true"),
        ({"disaggregated": "perhaps"}, "must be auto, true or false"),
    ],
)
def test_what_contradicts_pools_is_named(block: dict[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        plans(deployment=block)


def test_pools_that_cannot_meet_the_targets_say_which():
    with pytest.raises(InfeasibleError, match="TPOT"):
        plans(deployment={"disaggregated": True}, slo={"tpot_p99_ms": 0.01})
    with pytest.raises(InfeasibleError, match="memory"):
        plans(deployment={"disaggregated": True}, system={"max_accelerators": 1}, model={"weights": "bf16"})


def test_a_fixed_number_of_replicas_is_served_together():
    rows = plans(deployment={"replicas": 64}, slo={"ttft_p99_ms": None, "tpot_p99_ms": None})
    assert not any(row["disaggregated"] for row in rows)
