"""Whole runs of vLLM on H100 beside what `simulate` says: how far off it is, and that the file is read as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import calibrate_serving
import whole_runs
from costline.catalog.serving_overheads import serving_overheads
from costline.errors import CatalogError
from costline.measure.vllm_runs import METRICS, VllmRun, read_vllm_runs

pytestmark = pytest.mark.measured
MEAN_ERROR = {"e2e_mean": 0.022, "itl_mean": 0.022, "ttft_mean": 0.04, "ttft_p90": 0.04, "e2e_p99": 0.045}
"""Mean size over 24 stages, means over arrivals drawn with other seeds than the fit's."""


@pytest.fixture(scope="module")
def runs(shared: Path) -> tuple[VllmRun, ...]:
    return read_vllm_runs(shared / "measured" / whole_runs.FILE)


@pytest.fixture(scope="module")
def errors(runs: tuple[VllmRun, ...]) -> list[tuple[str, dict[str, float]]]:
    return whole_runs.labelled(whole_runs.cases(runs))


def test_the_file_holds_15_runs_of_six_models(runs: tuple[VllmRun, ...]):
    assert len(runs) == 15
    assert sum(len(run.stages) for run in runs) == 24
    assert len({run.model for run in runs}) == 6
    assert all(set(METRICS) - {"itl_mean"} <= set(stage.measured_s) for run in runs for stage in run.stages)


def test_the_mean_gap_is_from_nominal_lengths(runs: tuple[VllmRun, ...]):
    """Llama-2 general at 20/s: (4158 - 51.9) ms over 247 gaps."""
    stage = next(run for run in runs if "llama-2" in run.id and run.workload == "general").stages[1]
    assert stage.rate == 20
    assert stage.measured_s["itl_mean"] == pytest.approx((4.158 - 0.0519) / 247, rel=1e-3)


@pytest.mark.parametrize("metric", MEAN_ERROR)
def test_errors_stay_within_what_is_stated(errors: list[tuple[str, dict[str, float]]], metric: str):
    assert np.mean([abs(row[metric]) for _, row in errors]) <= MEAN_ERROR[metric]


def test_one_draw_of_arrivals_is_no_worse_than_stated(runs: tuple[VllmRun, ...]):
    rows = whole_runs.labelled(whole_runs.cases(runs, seeds=whole_runs.UNSEEN[:1]))
    for metric in ("e2e_mean", "itl_mean"):
        assert np.mean([abs(row[metric]) for _, row in rows]) <= 0.025


def test_errors_are_those_that_the_file_states(errors: list[tuple[str, dict[str, float]]]):
    """The file is written by the fit: with its numbers, the errors come out as it says."""
    stated = serving_overheads("vllm").residuals
    found = {metric: np.mean([abs(row[metric]) for _, row in errors]) for metric in stated}
    assert found == pytest.approx({metric: row["mean"] for metric, row in stated.items()}, abs=2e-4)


def test_models_left_out_stay_within_their_bars():
    """Each model by a fit to the others, as the file states."""
    left_out = serving_overheads("vllm").left_out
    bars = {"e2e_mean": 0.05, "itl_mean": 0.05, "ttft_mean": 0.09, "ttft_p90": 0.09}
    for metric, bar in bars.items():
        assert left_out[metric]["mean"] <= bar
        assert left_out[metric]["p10"] < 1 < left_out[metric]["p90"]


def test_what_is_fitted_is_what_the_file_states():
    known = serving_overheads("vllm")
    assert len(calibrate_serving.NAMES) <= 12
    assert all(getattr(known, name) is not None for name in calibrate_serving.NAMES)
    assert all(getattr(known, name) == value for name, value in calibrate_serving.NOTHING.items())
    assert all(getattr(known, name) is None for name in calibrate_serving.OF_STEPS)


def test_seeds_of_the_table_are_none_of_the_fits():
    assert not set(whole_runs.SEEDS) & set(whole_runs.UNSEEN)


def test_no_stage_is_far_off(errors: list[tuple[str, dict[str, float]]]):
    assert {label for label, row in errors if abs(row["e2e_mean"]) > 0.12} == set()


def test_another_file_is_refused(tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"x\.json is no file of serving runs"):
        read_vllm_runs(path)
