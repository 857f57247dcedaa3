"""Fits of kernel models: numbers that made the data are found again, folds repeat, routing adds up, files read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costline.catalog.kernel_parameters import kernel_parameters
from costline.catalog.kernel_records import GemmKernel
from costline.catalog.kernels import gemm_kernel
from costline.forward.kernels.experts import TILE_ROWS
from costline.forward.kernels.gemm import gemm_time_s
from costline.measure.kernels import attention, collectives, expert_exchange, experts, gemm, mla
from costline.measure.kernels.bounds import breaches
from costline.measure.kernels.calibration import Calibrated, calibration_text
from costline.measure.kernels.fitting import FOLDS, fit, fold, predict
from costline.measure.kernels.gemm import GEMM
from costline.measure.kernels.routing import routed
from costline.measure.kernels.suite import FITS, fit_all, predict_all
from costline.measure.kernels.timings import Timings, devices, shapes

TRUE = {
    "flop_fraction": {"bf16": 0.8, "fp8": 0.6},
    "hbm_fraction": {"all": 0.85},
    "floor_us": {"bf16": 4.0, "fp8 vllm": 7.0},
    "k_latency_ns": {"all": 0.5},
    "quantise_passes": {"all": 0.4},
}


def made(noise: float = 0.0) -> Timings:
    """Matrix products that take exactly what `TRUE` says, but for noise."""
    rng = np.random.default_rng(3)
    m, n, k = (2.0 ** rng.integers(low, high, 600) for low, high in ((0, 14), (10, 15), (10, 15)))
    formats = np.where(rng.random(600) < 0.5, "bf16", "fp8")
    width = np.where(formats == "bf16", 2.0, 1.0)
    chips = np.full(600, "h100-sxm")
    rows = Timings(
        chip=chips,
        labels={
            "format": formats,
            "bandwidth": np.full(600, "all"),
            "floor": np.where(formats == "bf16", "bf16", "fp8 vllm"),
            "all": np.full(600, "all"),
            "quantised": np.where(formats == "fp8", "all", ""),
        },
        counts={"m": m, "n": n, "k": k, "bytes_per_weight": width, "bytes_per_activation": width},
        device=devices(chips, formats),
        shape=shapes(m, n, k),
        time_s=np.ones(600),
        trap=np.full(600, ""),
    )
    time_s = predict(GEMM, rows, TRUE) * np.exp(noise * rng.standard_normal(600))
    return Timings(rows.chip, rows.labels, rows.counts, rows.device, rows.shape, time_s, rows.trap)


def test_numbers_that_made_the_data_are_found_again():
    found = fit(GEMM, made())
    for key, table in TRUE.items():
        assert found[key] == pytest.approx(table, rel=1e-3), key
    assert sum(map(len, found.values())) == 7


def test_noise_and_outliers_move_them_little():
    rows = made(noise=0.05)
    rows.time_s[::20] *= 5
    found = fit(GEMM, rows)
    assert found["flop_fraction"] == pytest.approx(TRUE["flop_fraction"], rel=0.03)
    assert found["hbm_fraction"] == pytest.approx(TRUE["hbm_fraction"], rel=0.03)


def test_fixed_numbers_stay():
    found = fit(GEMM, made(), {"floor_us": {"bf16": 5.0}})
    assert found["floor_us"]["bf16"] == 5.0
    assert found["floor_us"]["fp8 vllm"] == pytest.approx(7.0, rel=0.05)


def test_what_was_not_fitted_is_not_predicted():
    rows = made()
    values = {**TRUE, "flop_fraction": {"bf16": 0.8}}
    missing = np.isnan(predict(GEMM, rows, values))
    assert np.array_equal(missing, rows.labels["format"] == "fp8")


def test_rows_of_one_shape_share_a_fold():
    rows = made()
    folds = fold(rows)
    by_shape = dict(zip(rows.shape, folds, strict=True))
    assert all(by_shape[text] == number for text, number in zip(rows.shape, folds, strict=True))
    assert set(folds.tolist()) == set(range(FOLDS))


def test_taken_rows_keep_their_device_and_time():
    rows = made()
    part = rows.take(rows.labels["format"] == "fp8")
    assert np.all(np.asarray(part.device.flop_per_s) == 1979e12)
    assert len(part.shape) == part.time_s.size == part.good.sum() == (rows.labels["format"] == "fp8").sum()


@pytest.mark.parametrize("exponent", [0.0, 1.01, 1.2])
@pytest.mark.parametrize(("tokens", "experts"), [(1, 128), (8, 384), (128, 128), (8192, 8)])
def test_the_busiest_device_has_at_least_its_share(exponent: float, tokens: int, experts: int):
    top_k = min(8, experts // 4)
    for count in (1, 2, 8):
        found = routed(tokens, top_k, experts, devices=count, exponent=exponent)
        assert found.pairs >= tokens * top_k / count - 1e-9
        assert found.distinct <= min(experts / count, found.pairs) + 1e-9
        assert found.rows >= max(found.pairs, TILE_ROWS * found.distinct) - 1e-6
        assert found == routed(tokens, top_k, experts, devices=count, exponent=exponent)
    assert routed(tokens, top_k, experts, devices=1, exponent=exponent).pairs == pytest.approx(tokens * top_k)


def test_a_steeper_law_hits_fewer_experts():
    flat, steep = (routed(32, 8, 384, devices=1, exponent=exponent).distinct for exponent in (1.01, 1.2))
    assert steep < flat < routed(32, 8, 384, devices=1, exponent=0.0).distinct


def test_every_trap_says_why():
    traps = [
        *gemm.TRAPS, *attention.DECODE_TRAPS, *mla.DECODE_TRAPS, *mla.PREFILL_TRAPS, *experts.TRAPS,
        *collectives.LIBRARY_TRAPS, *collectives.ENGINE_TRAPS, *expert_exchange.TRAPS,
    ]  # fmt: skip
    assert all(trap.name and len(trap.reason) > 20 for trap in traps)


def test_bounds_name_what_beats_them():
    rows = made()
    rows.time_s[:] = 1.0
    rows.time_s[0] = 1e-9
    assert breaches({}) == []
    (found,) = breaches({"gemm": rows})
    assert (found.kernel, found.chip, found.rows) == ("gemm", "h100-sxm", 1)
    assert found.least_share_of_bound < 1


def test_a_written_file_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = made()
    errors = {"all": "{median: 0.05, p90: 0.1, low: 0.9, middle: 1, high: 1.1, rows: 600}"}
    one = Calibrated(fit(GEMM, rows), errors, "made up for a test", 600)
    place = tmp_path / "calibration" / "kernels"
    place.mkdir(parents=True)
    (place / "hopper.yml").write_text(calibration_text("hopper", {"gemm": one}), encoding="utf-8")
    monkeypatch.setenv("COSTLINE_CATALOG", str(tmp_path))
    kernel_parameters.cache_clear()
    try:
        record, basis = gemm_kernel("hopper", "fp8", "vllm")
    finally:
        kernel_parameters.cache_clear()
    assert basis.p90_error == 0.1
    assert isinstance(record, GemmKernel)
    assert float(record.floor_s) == pytest.approx(7e-6, rel=1e-3)
    fp8 = rows.take(rows.labels["format"] == "fp8")
    sides = (fp8.counts[side] for side in "mnk")
    again = gemm_time_s(*sides, bytes_per_weight=1, bytes_per_activation=1, device=fp8.device, kernel=record)
    np.testing.assert_allclose(again, fp8.time_s, rtol=1e-3)


def test_kernels_without_rows_are_left_out():
    empty = made().take(np.zeros(600, dtype=np.bool_))
    tables = {one.kernel: empty for one in FITS}
    assert fit_all(tables) == {}
    assert predict_all(tables, {}) == {}
    assert list(fit_all({**tables, "gemm": made()})) == ["gemm"]
