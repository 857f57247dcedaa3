"""Records of fitted families, of the rest by rule, and the file that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from costline.catalog.efficiency import efficiencies
from costline.catalog.find import chip
from costline.catalog.records import Efficiency
from costline.measure.efficiency_file import as_written, efficiency_text
from costline.measure.families import (
    KernelFits,
    best_over_fit,
    default_record,
    fitted_record,
    flop_fractions,
    record_from_best,
)
from costline.measure.fit import Errors
from costline.measure.fit_attention import FractionFit
from costline.measure.fit_collectives import LinkFit
from costline.measure.fit_gemm import GemmFit

NONE = Errors(0.05, 0.2, 0.0, 10)


def fits(family: str, **fractions: float) -> KernelFits:
    gemm = GemmFit(fractions, 0.85, 5e-6, NONE, {}, {}, {})
    part = FractionFit(0.6, 10, NONE, {}, {}, {})
    return KernelFits(family, gemm, part, part, LinkFit(4e-6, 0.5, 10, NONE, {}, {}, {}), None)


def record(family: str = "hopper", multiplier: float = 1.0, **fractions: float) -> Efficiency:
    return fitted_record(fits(family, **fractions), floor_multiplier=multiplier, scale_out_fraction=0.95)


def test_the_floor_is_multiplied_and_int8_is_like_fp8():
    found = record(multiplier=0.5, bf16=0.8, fp8=0.6, nvfp4=0.4)
    assert found.kernel_floor_s == pytest.approx(2.5e-6)
    assert found.flop_fraction == {"bf16": 0.8, "fp8": 0.6, "fp4": 0.4, "int8": 0.6}
    assert "5.00 us in the timings, times 0.50" in found.notes
    assert flop_fractions({"bf16": 0.8}) == {"bf16": 0.8}


def test_int8_of_its_own_timings_stands():
    found = fitted_record(
        replace(fits("ampere", bf16=0.8), int8_fraction=0.7), floor_multiplier=1.0, scale_out_fraction=0.9
    )
    assert found.flop_fraction == {"bf16": 0.8, "int8": 0.7}


def test_the_default_is_least_favourable():
    one = record("hopper", bf16=0.8, fp8=0.6)
    other = replace(record("ada", bf16=0.6, fp8=0.7), hbm_fraction=0.7, kernel_floor_s=9e-6)
    default = default_record([one, other])
    assert default.flop_fraction == {"bf16": 0.6, "fp8": 0.6, "int8": 0.6}
    assert (default.hbm_fraction, default.kernel_floor_s) == (0.7, pytest.approx(7e-6))
    assert not default.measured
    assert default.collective_floor_s == 0.0


def test_a_family_with_a_bench_takes_its_best_matrix_product():
    # MI300X: 668.4 of 1307.4 TFLOP/s in bf16, as the catalogue states.
    default = default_record([record(bf16=0.7, fp8=0.6)])
    found = record_from_best("cdna3", [chip("mi300x"), chip("mi325x")], default, {"bf16": 0.9})
    assert found.flop_fraction["bf16"] == pytest.approx(0.9 * 668.4 / 1307.4, rel=1e-3)
    assert found.flop_fraction["fp8"] == pytest.approx(0.6 * 0.9 * 668.4 / 1307.4 / 0.7, rel=1e-3)
    assert found.id == "cdna3"
    assert not found.measured


def test_what_is_left_of_the_best_product():
    # H100: 794.5 of 989 TFLOP/s.
    known = {"hopper": record(bf16=0.75)}
    assert best_over_fit(known, [chip("h100-sxm")], "bf16") == pytest.approx(0.75 / (794.5 / 989), rel=1e-3)


@pytest.fixture
def other_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalog directory whose efficiencies win over the packaged ones."""
    (tmp_path / "calibration").mkdir()
    monkeypatch.setenv("COSTLINE_CATALOG", str(tmp_path))
    efficiencies.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    efficiencies.cache_clear()


def test_the_file_reads_back_as_written(other_catalog: Path):
    fitted = record(bf16=0.81234, fp8=0.6)
    written = [as_written(one) for one in (default_record([fitted]), fitted)]
    text = efficiency_text(written)
    (other_catalog / "calibration" / "efficiency.yml").write_text(text, encoding="utf-8")
    back = efficiencies()
    for one in written:
        for name in ("flop_fraction", "hbm_fraction", "measured", "notes", "collective_floor_s"):
            assert getattr(back[one.id], name) == getattr(one, name), name
        assert back[one.id].kernel_floor_s == pytest.approx(one.kernel_floor_s)
    assert back["hopper"].flop_fraction["bf16"] == 0.812
    assert back["default"].provenance[""].kind == "inferred"
    assert back["hopper"].provenance["host_step_s"].kind == "inferred"
    assert text == efficiency_text([as_written(one) for one in written])


def test_the_catalogue_has_every_family_that_was_timed():
    known = efficiencies()
    timed = {"ampere", "hopper", "blackwell", "blackwell-ultra", "ada", "rtx-blackwell"}
    assert {name for name, one in known.items() if one.measured} == timed
    for one in known.values():
        assert "bf16" in one.flop_fraction
        assert 0 < one.hbm_fraction <= 0.95
        assert one.notes
    for name in timed:
        assert known["default"].flop_fraction["bf16"] <= known[name].flop_fraction["bf16"]
