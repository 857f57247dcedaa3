"""Closed loops against measured serving systems: errors of groups left out, ranges, and what no system can beat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibrate_steps import CLASSES, FLAT, class_errors, coverage
from closed_loop_runs import QUANTITIES, Loops, least_times_s, read_loops
from costline.catalog.residuals import all_residuals
from costline.quantities import Array

pytestmark = pytest.mark.measured

BEATS_THE_BOUND: dict[str, int] = {}
"""Rows below the datasheet's least step, by group."""
ACHIEVED = {
    "dense": (0.095, 0.18, 0.08),
    "experts": (0.12, 0.22, 0.115),
    "latent": (0.12, 0.30, 0.12),
    "all": (0.105, 0.22, 0.10),
}
"""Median over groups of their median errors, TPOT, TTFT, throughput, with the numbers in the catalogue."""


@pytest.fixture(scope="module")
def loops(shared: Path) -> Loops:
    return read_loops(shared / "measured")


@pytest.fixture(scope="module")
def predicted(loops: Loops) -> dict[str, Array]:
    return loops.predicted()


def test_every_row_is_predicted(loops: Loops, predicted: dict[str, Array]):
    assert len(loops.cases) > 1_500
    for quantity in QUANTITIES:
        assert np.all(np.isfinite(predicted[quantity]) & (predicted[quantity] > 0))


@pytest.mark.parametrize("kind", ACHIEVED)
def test_errors_stay_where_they_were(loops: Loops, predicted: dict[str, Array], kind: str):
    found = class_errors(loops, predicted)[kind]
    for quantity, limit in zip(QUANTITIES, ACHIEVED[kind], strict=True):
        assert found[quantity][0] < limit, quantity


def test_ranges_hold_eight_of_ten(loops: Loops, predicted: dict[str, Array]):
    for quantity, share in coverage(loops, predicted, all_residuals()).items():
        assert share == pytest.approx(0.8, abs=0.08), quantity


def test_ranges_are_of_every_kind(loops: Loops):
    assert set(all_residuals()) == set(CLASSES) == set(loops.kinds)


def test_nothing_measured_beats_the_lower_bound(loops: Loops):
    below: dict[str, int] = {}
    for case, tpot_s in zip(loops.cases, loops.measured["tpot"], strict=True):
        if np.isfinite(tpot_s) and tpot_s < least_times_s(case)[0]:
            below[case.run.group] = below.get(case.run.group, 0) + 1
    assert below == BEATS_THE_BOUND


def test_groups_that_are_not_fitted_exist(loops: Loops):
    assert set(FLAT) <= set(loops.groups_without_format)
