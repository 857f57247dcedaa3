"""Owned nodes: parts add up, every price raises the cost, more utilisation never raises that of an hour used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog import find
from costline.catalog.costs import failure_runs, node_for, sites
from costline.errors import DomainError, InputError
from costline.money.break_even import corner_interval
from costline.money.failures import failures_per_year
from costline.money.ledger import Ledger
from costline.money.own import (
    RUNNING,
    OwnedNode,
    Part,
    owned_usd_per_accelerator_hour,
    owned_usd_per_hour,
    usd_per_used_hour,
)

GPUS = Part(name="accelerators", usd=200_000, life_years=4, salvage_share=0.3)
REST = Part(name="servers", usd=50_000, life_years=6)
NODE = OwnedNode(
    accelerators=8, parts=(GPUS, REST), rated_w=10_200, busy_fraction=0.76, idle_fraction=0.2, pue=1.3,
    tariff_usd_per_kwh=0.10, interest_per_year=0.10, colocation_usd_per_kw_month=150, staff_usd_per_year=4_000,
    support_per_year=0.03, failures_per_year=0.061, replacement_usd=2_500, repair_years=7 / 365,
)  # fmt: skip
DEARER = (
    "rated_w", "busy_fraction", "idle_fraction", "pue", "tariff_usd_per_kwh", "interest_per_year",
    "colocation_usd_per_kw_month", "staff_usd_per_year", "support_per_year", "failures_per_year", "replacement_usd",
    "repair_years",
)  # fmt: skip
used = st.floats(0, 1)


def test_parts_by_hand():
    found = {name: float(usd) for name, usd in owned_usd_per_hour(NODE, 0.5).items()}
    assert list(found) == ["accelerators", "servers", *RUNNING]
    recovery = 0.1 / (1 - 1.1**-4)
    assert found["accelerators"] * 8760 == pytest.approx(200_000 * recovery - 60_000 * (recovery - 0.1))
    assert found["servers"] * 8760 == pytest.approx(50_000 * 0.1 / (1 - 1.1**-6))
    assert found["energy"] == pytest.approx(10.2 * (0.2 + 0.56 / 2) * 1.3 * 0.10)
    assert found["colocation"] * 730 == pytest.approx(10.2 * 150)
    assert found["staff"] * 8760 == pytest.approx(4_000)
    assert found["support"] * 8760 == pytest.approx(7_500)
    assert found["failures"] * 8760 == pytest.approx(8 * 0.061 * 2_500)
    assert float(NODE.capital_usd) == 250_000


@given(used)
def test_components_sum_to_the_total(share: float):
    parts = owned_usd_per_hour(NODE, share)
    per_accelerator = float(owned_usd_per_accelerator_hour(NODE, share))
    in_service = 1 / (1 + 0.061 * 7 / 365)
    assert sum(float(usd) for usd in parts.values()) == pytest.approx(per_accelerator * 8 * in_service)
    month = Ledger.of(parts).times(730)
    assert month.total == sum(usd for _, usd in month.parts)
    assert all(usd >= 0 for _, usd in month.parts)


@pytest.mark.parametrize("name", DEARER)
def test_cost_grows_with_each_input(name: str):
    more = replace(NODE, **{name: getattr(NODE, name) * 1.01})
    assert owned_usd_per_accelerator_hour(more, 0.5) > owned_usd_per_accelerator_hour(NODE, 0.5)
    with_dearer_part = replace(NODE, parts=(replace(GPUS, usd=GPUS.usd * 1.01), REST))
    assert owned_usd_per_accelerator_hour(with_dearer_part) > owned_usd_per_accelerator_hour(NODE)


@given(used, used)
def test_more_utilisation_never_raises_the_cost_of_an_hour_used(one: float, other: float):
    low, high = sorted((one, other))
    lazy, busy = (float(usd_per_used_hour(owned_usd_per_accelerator_hour(NODE, u), u)) for u in (low, high))
    assert busy <= lazy * (1 + 1e-12)


def test_an_hour_used_at_the_ends():
    assert usd_per_used_hour(3.21, np.array([0.0, 0.5, 1.0])).tolist() == [np.inf, 6.42, 3.21]


def test_inputs_may_be_arrays():
    lives, tariffs = np.array([3.0, 6.0]), np.array([[0.06], [0.10], [0.23]])
    node = replace(NODE, parts=(replace(GPUS, life_years=lives), REST), tariff_usd_per_kwh=tariffs)
    grid = owned_usd_per_accelerator_hour(node, 0.7)
    assert grid.shape == (3, 2)
    for row, tariff in enumerate(tariffs[:, 0]):
        for column, life in enumerate(lives):
            single = replace(NODE, parts=(replace(GPUS, life_years=life), REST), tariff_usd_per_kwh=tariff)
            assert float(owned_usd_per_accelerator_hour(single, 0.7)) == pytest.approx(grid[row, column], rel=1e-12)


def test_an_interval_of_the_cost():
    def cost(life: float, tariff: float) -> float:
        node = replace(NODE, parts=(replace(GPUS, life_years=life), REST), tariff_usd_per_kwh=tariff)
        return float(owned_usd_per_accelerator_hour(node, 0.7))

    low, likely, high = corner_interval(cost, {"life": (3, 4, 6), "tariff": (0.06, 0.10, 0.23)})
    assert low == cost(6, 0.06) < likely < high == cost(3, 0.23)


def test_a_node_of_the_catalog():
    run = failure_runs()["llama-3-405b-gpu"]
    rate = failures_per_year(run.failures, run.accelerators, run.days * 86_400)
    site = {"site": sites()["colocation"], "pue": 1.3, "tariff_usd_per_kwh": 0.10, "failures_per_year": rate}
    h100 = OwnedNode.from_catalog(node_for("h100-sxm"), **site)
    assert float(h100.capital_usd) == 250_000
    assert h100.rated_w == 10_200
    assert 1.2 < float(owned_usd_per_accelerator_hour(h100, 0.7)) < 1.8
    quoted = OwnedNode.from_catalog(node_for("h100-sxm"), accelerator_usd=30_000, **site)
    assert float(quoted.capital_usd) == 290_000
    assert quoted.replacement_usd == 3_000

    chip = find.chip("mi300x")
    other = OwnedNode.from_catalog(node_for(chip.id), accelerator_usd=15_000, tdp_w=chip.tdp_w, **site)
    assert other.rated_w == 8 * (750 + 575)
    with pytest.raises(InputError, match="accelerator_usd"):
        OwnedNode.from_catalog(node_for(chip.id), tdp_w=chip.tdp_w, **site)
    with pytest.raises(InputError, match="tdp_w"):
        OwnedNode.from_catalog(node_for(chip.id), accelerator_usd=15_000, **site)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: replace(NODE, parts=(GPUS, GPUS)), "must differ"),
    (lambda: replace(NODE, parts=(replace(GPUS, name="energy"),)), "must differ"),
    (lambda: replace(NODE, accelerators=0), "accelerators=0"),
    (lambda: owned_usd_per_hour(NODE, 1.5), "utilization=1.5"),
    (lambda: owned_usd_per_hour(replace(NODE, pue=0.5)), "pue=0.5"),
    (lambda: usd_per_used_hour(-1, 1), "usd_per_hour=-1"),
    (lambda: usd_per_used_hour(1, 1.2), "utilization=1.2"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
