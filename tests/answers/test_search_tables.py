"""The search reads lanes from tables: they are the exact steps, and what is kept is what nothing beats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import costline
from costline.answers.choices import the_model
from costline.answers.read_scenario import read_scenario
from costline.answers.search import kinds_of, ranked, search, search_all
from costline.answers.search.candidates import load_of
from costline.answers.search.columns import operate
from costline.answers.search.energy import accelerator_watts
from costline.answers.search.rows import trade_offs
from costline.architecture.sharding import Layout
from costline.catalog.find import chip

CASES = {
    "dense": ("llama-3.1-70b", 8192, 1024),
    "latent experts": ("deepseek-v3", 2048, 512),
    "short": ("llama-3.1-8b", 128, 64),
}
SMALL: dict[str, Any] = {
    "model": {"id": "llama-3.1-70b"},
    "system": {"accelerator": ["h100-sxm", "mi300x"], "max_accelerators": 8},
    "workload": {"input_tokens": 2000, "output_tokens": 500, "request_rate": 20},
}


def small(**blocks: Any) -> Any:
    return read_scenario(SMALL, **blocks)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("share", [None, 0.3, 0.7])
def test_tables_are_the_exact_steps(case: str, share: float | None):
    model, prompt, answer = CASES[case]
    asked = small(
        model={"id": model},
        workload={"input_tokens": prompt, "output_tokens": answer},
        system={"accelerator": "h100-sxm", "max_accelerators": 16},
    )
    (kind, *_), load = kinds_of(asked, the_model(asked.model)), load_of(asked)
    rows = kind.ready.grid.rows()
    where = Layout(rows["tp"], rows["pp"], rows["dp"], rows["ep"])
    full = operate(kind.engine, load, where, rows["batch"], rate_per_replica=None)
    rate = None if share is None else share * full["capacity_requests_per_s"]
    exact = operate(kind.engine, load, where, rows["batch"], rate_per_replica=rate)
    table = kind.ready.replicas.operate(rows, rate)
    assert rows["batch"].size > 100
    calm = rows["batch"] > 0
    if share is not None:  # near saturation of places or of prompts a wait blows any difference up
        calm = (exact["running_batch"] < 0.9 * rows["batch"]) & (exact["prefill_share"] < 0.9)
    assert np.sum(calm) > 20
    for name, typical, worst in (("tpot_s", 0.002, 0.015), ("ttft_s", 0.005, 0.06), ("tpot_p99_s", 0.003, 0.02)):
        error = np.abs(table[name] / exact[name] - 1)[calm]
        assert np.quantile(error, 0.95) < typical, (name, np.quantile(error, 0.95))
        assert np.max(error) < worst, (name, np.max(error))
    assert np.mean(table["bound"] == exact["bound"]) > 0.95


def test_a_rate_near_capacity_holds_the_batch_that_holds_itself():
    asked = small(model={"id": "llama-3.1-8b"}, system={"accelerator": "h100-sxm", "max_accelerators": 1})
    (kind, *_), load = kinds_of(asked, the_model(asked.model)), load_of(asked)
    rows = kind.ready.grid.rows()
    capacity = kind.ready.replicas.operate(rows, None)["capacity_requests_per_s"]
    out = kind.ready.replicas.operate(rows, 0.97 * capacity)
    held = out["requests_per_s"] * out["tpot_s"] * load.decode_steps
    np.testing.assert_allclose(held, out["running_batch"], rtol=0.01)


def test_no_trade_off_beats_another():
    asked = small()
    found = search_all(asked, the_model(asked.model))
    rows = trade_offs(found)
    names = ("usd_per_mtok", "tpot_s", "ttft_s", "joule_per_token")
    table = np.array([[row[name] for name in names] for row in rows])
    assert len(rows) > 5
    for one in table:
        assert not np.any(np.all(table < one, axis=1))
    every = np.concatenate([np.stack([group.columns[name][group.ok] for name in names], axis=1) for group in found])
    for one in every[:: max(len(every) // 300, 1)]:
        assert np.any(np.all(table <= one * 1.2001, axis=1))


def test_a_taste_for_speed_ranks_by_speed_for_the_money():
    asked = small()
    found = search(asked, the_model(asked.model))

    def first(exponent: float) -> tuple[float, float]:
        group, row = ranked(found, exponent)[0]
        return float(found[group].columns["usd_per_mtok"][row]), float(found[group].columns["tpot_s"][row])

    (cheap, slow), (dear, fast) = first(0.0), first(3.0)
    assert cheap < dear
    assert fast < slow
    assert dear * fast**3 < cheap * slow**3
    (best, *_) = costline.plan(SMALL, preference={"speed_exponent": 3}).data["plans"]
    assert best["usd_per_mtok"] * best["tpot_s"] ** 3 <= dear * fast**3


def test_power_of_an_idle_and_a_busy_accelerator():
    watts = accelerator_watts(chip("h100-sxm"), np.array([0.0, 1.0, np.nan]))
    assert watts[1] == pytest.approx(10_200 / 8 * 0.76)  # DGX H100 at the most that MLPerf Training drew on average
    assert watts[0] == pytest.approx(10_200 / 8 * 0.2)
    assert watts[2] == watts[1]


def test_energy_of_a_token_is_the_fleets_power_over_its_tokens():
    (best, *_) = costline.plan(SMALL, deployment={"disaggregated": False}).data["plans"]
    used = best["utilization"]
    watts = best["accelerators"] * float(accelerator_watts(chip(best["accelerator"]), np.array(used)))
    assert best["joule_per_token"] == pytest.approx(watts / best["output_tokens_per_s"])
