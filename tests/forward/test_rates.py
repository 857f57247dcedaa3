"""Rates: the data sheet, and what kernels sustain of it; a format without a unit runs in a wider one's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from costline.catalog.efficiency import efficiencies, efficiency
from costline.catalog.find import chip, system
from costline.catalog.load import chips
from costline.errors import DomainError
from costline.forward.rates import WIDER, Rates, expected_rates, ideal_rates, peak_flop_per_s, unit_format

PLANNED = [one for one in chips().values() if one.dense_flop_per_s]
EVERY = pytest.mark.parametrize("one", PLANNED, ids=lambda one: one.id)
H100 = chip("h100-sxm")


def both(one) -> tuple[Rates, Rates]:
    return ideal_rates(one, system(one.system)), expected_rates(one, system(one.system), efficiency(one))


@pytest.mark.parametrize(("name", "format", "unit", "tflop_per_s"), [
    ("h100-sxm", "bf16", "bf16", 989), ("h100-sxm", "fp8", "fp8", 1979), ("h100-sxm", "nvfp4", "fp8", 1979),
    ("h100-sxm", "int4", "int8", 1979), ("a100-80gb-sxm", "fp8", "bf16", 312), ("a100-80gb-sxm", "int8", "int8", 624),
    ("v100-sxm2-32gb", "bf16", "fp16", 125), ("tpu-v5e", "int8", "int8", 394), ("tpu-v5e", "fp8", "bf16", 197),
])  # fmt: skip
def test_a_format_without_a_unit_runs_in_a_wider_one(name: str, format: str, unit: str, tflop_per_s: float):
    assert unit_format(chip(name), format) == unit
    assert peak_flop_per_s(chip(name), format) == pytest.approx(tflop_per_s * 1e12, rel=2e-3)


def test_every_format_ends_in_fp32():
    for name in WIDER:
        seen = [name]
        while seen[-1] in WIDER:
            seen.append(WIDER[seen[-1]])
            assert len(set(seen)) == len(seen)
        assert seen[-1] == "fp32"


@EVERY
def test_a_format_runs_as_fast_as_the_unit_that_it_uses(one):
    for rates in both(one):
        for name, rate in rates.flop_per_s.items():
            assert rate == rates.flop_per_s[unit_format(one, name)], name


@EVERY
def test_kernels_sustain_no_more_than_the_data_sheet(one):
    ideal, expected = both(one)
    assert expected.flop_per_s.keys() == ideal.flop_per_s.keys()
    assert all(0 < expected.flop_per_s[name] <= rate for name, rate in ideal.flop_per_s.items())
    assert 0 < expected.attention_flop_per_s <= ideal.attention_flop_per_s
    assert 0 < expected.hbm_bytes_per_s <= ideal.hbm_bytes_per_s == one.hbm_bytes_per_s
    assert 0 < expected.kv_bytes_per_s <= ideal.kv_bytes_per_s
    assert expected.system.fabric.bytes_per_s <= ideal.system.fabric.bytes_per_s
    assert expected.system.fabric.latency_s >= ideal.system.fabric.latency_s
    assert expected.system.scale_out_bytes_per_s <= ideal.system.scale_out_bytes_per_s
    assert (ideal.kernel_floor_s, ideal.host_step_s, ideal.exact_corner) == (0, 0, True)


def test_expected_rates_are_fractions_of_the_peak():
    fitted = replace(
        efficiencies()["default"], flop_fraction={"bf16": 0.5, "fp8": 0.4}, hbm_fraction=0.8, kv_fraction=0.7
    )
    rates = expected_rates(H100, system(H100.system), fitted)
    assert rates.flop_per_s["bf16"] == pytest.approx(0.5 * 989e12)
    # No fit of its own and no unit: as fp8. A unit but no fit: as the next wider format that was fitted.
    assert rates.flop_per_s["nvfp4"] == rates.flop_per_s["fp8"] == pytest.approx(0.4 * 1979e12)
    assert rates.flop_per_s["int8"] == pytest.approx(0.5 * 1979e12)
    assert rates.hbm_bytes_per_s == pytest.approx(0.8 * 3.35e12)
    assert rates.kv_bytes_per_s == pytest.approx(0.7 * 3.35e12)


def test_a_chip_without_arithmetic_cannot_be_planned():
    bare = replace(H100, dense_flop_per_s={})
    with pytest.raises(DomainError, match="h100-sxm states no dense FLOP/s"):
        ideal_rates(bare, system(H100.system))
    with pytest.raises(DomainError, match="h100-sxm has no dense rate for fp8 or wider; add one to the catalog"):
        peak_flop_per_s(bare, "fp8")
    assert peak_flop_per_s(replace(H100, dense_flop_per_s={"bf16": 0.0, "fp32": 1.0}), "bf16") == 1.0
