"""Parameters of kernels: the files are whole, each family within its count, and what was not timed has a stand-in."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import pytest

from costline.catalog import kernels
from costline.catalog.kernel_parameters import ENGINES, FORMATS, KERNELS, PARAMETERS, kernel_parameters
from costline.catalog.load import chips, sources
from costline.errors import CatalogError

MOST_NUMBERS = 100
TIMED = ("ampere", "hopper", "blackwell", "blackwell-ultra", "ada", "rtx-blackwell")


def test_no_family_has_more_than_a_hundred_numbers():
    counts = {
        family: sum(one.fitted_numbers for (name, _), one in kernel_parameters().items() if name == family)
        for family in TIMED
    }
    assert all(0 < count <= MOST_NUMBERS for count in counts.values()), counts


def test_each_kernel_has_a_default():
    assert {kernel for family, kernel in kernel_parameters() if family == "default"} == set(KERNELS)


def test_the_source_is_known():
    assert "kernel-study" in sources()


def test_shares_are_shares():
    for (family, kernel), one in kernel_parameters().items():
        for key, table in one.tables.items():
            values = list(table.values())
            assert all(math.isfinite(value) and value >= 0 for value in values), (family, kernel, key)
            if key in ("flop_fraction", "hbm_fraction", "link_fraction", "network_fraction"):
                assert all(0 < value <= 1 for value in values), (family, kernel, key)


@pytest.mark.parametrize("family", sorted({one.family for one in chips().values()}))
def test_every_family_gets_every_kernel(family: str):
    for engine in (*ENGINES, "", "some-engine"):
        for number_format in (*FORMATS, "mxfp8", "fp4", "fp16", "int4"):
            for choose in (
                kernels.gemm_kernel,
                kernels.decode_attention_kernel,
                kernels.prefill_attention_kernel,
                kernels.latent_decode_kernel,
                kernels.latent_prefill_kernel,
            ):
                record, basis = choose(family, number_format, engine)
                assert all(float(getattr(record, field.name)) >= 0 for field in fields(record))
                assert 0 < basis.interval.p10 <= basis.interval.p50 <= basis.interval.p90
        assert kernels.engine_all_reduce(family, engine)[0].floor_s > 0
    for direction in ("dispatch", "combine"):
        assert kernels.low_latency_exchange(family, direction)[0].round_s > 0
        assert kernels.throughput_exchange(family, direction)[0].unit_bytes_per_s > 0
    assert kernels.library_collective(family, "gather")[0].launch_s > 0
    assert 0 < kernels.scale_out(family)[0].network_fraction <= 1


def test_what_was_timed_needs_no_stand_in():
    record, basis = kernels.gemm_kernel("hopper", "fp8", "vllm")
    assert basis.stand_ins == ()
    assert basis.median_error < basis.p90_error < 0.3
    assert record.quantise_passes > 0
    assert kernels.gemm_kernel("hopper", "bf16", "vllm")[0].floor_s < record.floor_s


def test_an_engine_that_was_not_timed_takes_the_median():
    floors = sorted(float(kernels.gemm_kernel("hopper", "fp8", engine)[0].floor_s) for engine in ENGINES)
    record, basis = kernels.gemm_kernel("hopper", "fp8")
    assert record.floor_s == floors[1]
    assert "not timed" in basis.stand_ins[0]


def test_a_format_that_was_not_timed_takes_the_next_one():
    record, basis = kernels.gemm_kernel("hopper", "nvfp4", "vllm")
    assert record.flop_fraction == kernels.gemm_kernel("hopper", "fp8", "vllm")[0].flop_fraction
    assert any("nvfp4" in text for text in basis.stand_ins)


def test_a_family_that_was_not_timed_has_a_wider_interval():
    timed, guessed = (kernels.gemm_kernel(family, "bf16", "vllm")[1] for family in ("hopper", "cdna3"))
    assert "cdna3" in guessed.stand_ins[0]
    assert guessed.interval.p90 / guessed.interval.p10 > timed.interval.p90 / timed.interval.p10
    assert "ampere stands in" in kernels.gemm_kernel("volta", "bf16")[1].stand_ins[0]


def test_dispatch_is_held_back_by_few_experts_and_combine_is_not():
    assert kernels.low_latency_exchange("hopper", "dispatch")[0].expert_bytes_per_s < 1e10
    assert kernels.low_latency_exchange("hopper", "combine")[0].expert_bytes_per_s == math.inf


ENTRY = """\
source: kernel-study
kind: measured
retrieved: 2026-11-20
kernels:
  {id}:
    kernel: scale_out
    family: hopper
    network_fraction: {{{selector}: 0.9}}
    {more}
    fitted_on: somewhere
    rows: 10
    held_out:
      all: {{median: 0.1, p90: 0.2, low: 0.9, middle: 1.0, high: 1.1, rows: 10}}
"""


@pytest.mark.parametrize(
    ("id", "selector", "more", "words"),
    [
        ("hopper-scale_out", "all", "doubling_us: {all: 5}", ""),
        ("hopper-scale_out", "warp", "doubling_us: {all: 5}", "unknown word 'warp'"),
        ("hopper-scale_out", "all", "", "lacks doubling_us"),
        ("hopper-scale_out", "all", "doubling_us: {all: 5}\n    copies: {all: 1}", "does not take"),
        ("scale_out-hopper", "all", "doubling_us: {all: 5}", "should be named hopper-scale_out"),
    ],
)
def test_files_are_read_strictly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, id: str, selector: str, more: str, words: str
):
    place = tmp_path / "calibration" / "kernels"
    place.mkdir(parents=True)
    (place / "own.yml").write_text(ENTRY.format(id=id, selector=selector, more=more), encoding="utf-8")
    monkeypatch.setenv("COSTLINE_CATALOG", str(tmp_path))
    kernel_parameters.cache_clear()
    try:
        if not words:
            assert kernels.scale_out("hopper")[0].doubling_s == pytest.approx(5e-6)
            return
        with pytest.raises(CatalogError, match=words):
            kernel_parameters()
    finally:
        kernel_parameters.cache_clear()


def test_each_parameter_belongs_to_a_kernel():
    assert {key for _, keys in KERNELS.values() for key in keys} == set(PARAMETERS)
    for record, keys in KERNELS.values():
        assert sorted(PARAMETERS[key].field for key in keys) == sorted(field.name for field in fields(record))


@pytest.mark.parametrize(("family", "used"), [("hopper", "hopper"), ("turing", "ampere"), ("cdna3", "default")])
def test_the_numbers_of_a_kernel_name_their_source(family: str, used: str):
    found = kernels.parameters_of("gemm", family)
    assert (found.family, found.provenance.source) == (used, "kernel-study")
    assert found.provenance.kind == ("inferred" if used == "default" else "measured")
