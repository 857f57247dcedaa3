"""Kernels that cross links: worked by hand, at one device, and never below what the links can carry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.messages import distinct_destinations
from costline.catalog.find import chip, system
from costline.catalog.kernel_records import (
    EngineAllReduce,
    LibraryCollective,
    LowLatencyExchange,
    ScaleOut,
    ThroughputExchange,
)
from costline.catalog.kernels import library_collective
from costline.forward.kernels.all_reduce import LIMITS, Forms, engine_all_reduce_time_s, own_forms
from costline.forward.kernels.collectives import (
    library_all_reduce_time_s,
    library_gather_time_s,
    scale_out_time_s,
)
from costline.forward.kernels.expert_exchange import (
    COMBINE_BYTES,
    DISPATCH_BYTES,
    low_latency_exchange_time_s,
    throughput_exchange_time_s,
)
from costline.forward.kernels.records import Device, device_of
from costline.quantities import KIB, MIB

LINKED = Device(1e15, 4e12, 100, link_bytes_per_s=400e9, network_bytes_per_s=50e9)
LIBRARY = LibraryCollective(5e-6, 0.8e-6, 0.4, 20e-6, 0.9, 0.95)
ENGINE = EngineAllReduce(4e-6, 0.1e-6, 4e-6, 0.6, 0.7)
NETWORK = ScaleOut(0.9, 6e-6)


def test_small_library_all_reduce_is_its_steps():
    found = library_all_reduce_time_s(1.0, 4, device=LINKED, kernel=LIBRARY)
    assert float(found) == pytest.approx(5e-6 + 6 * 0.8e-6, rel=1e-5)


def test_large_library_all_reduce_runs_at_its_share_of_the_links():
    size = 1 << 40
    for devices, share in ((2, 0.9 * 0.75), (4, 0.9 * 0.875), (8, 0.95)):
        found = float(library_all_reduce_time_s(size, devices, device=LINKED, kernel=LIBRARY))
        assert 2 * (devices - 1) / devices * size / found / 400e9 == pytest.approx(share, rel=0.04)


def test_all_to_all_has_no_ring_steps():
    ring, straight = (
        float(library_gather_time_s(1.0, 8, ring_steps=ring, device=LINKED, kernel=LIBRARY)) for ring in (True, False)
    )
    assert ring - straight == pytest.approx(7 * 0.8e-6, rel=1e-6)


def test_one_device_sends_nothing():
    size = np.array([1.0, 1e9])
    assert library_all_reduce_time_s(size, 1, device=LINKED, kernel=LIBRARY).tolist() == [0, 0]
    assert library_gather_time_s(size, 1, ring_steps=True, device=LINKED, kernel=LIBRARY).tolist() == [0, 0]
    assert engine_all_reduce_time_s(size, 1, device=LINKED, kernel=ENGINE).tolist() == [0, 0]
    assert scale_out_time_s(size, 1, device=LINKED, kernel=NETWORK).tolist() == [0, 0]


@given(size=st.floats(1.0, 1e10), devices=st.sampled_from([2, 4]))
def test_no_ring_beats_its_links(size: float, devices: int):
    h100 = chip("h100-sxm")
    fabric = system(h100.system).fabric
    device, kernel = device_of(h100, "bf16", system(h100.system)), library_collective("hopper", "all_reduce")[0]
    found = library_all_reduce_time_s(size, devices, device=device, kernel=kernel)
    assert float(found) > 2 * (devices - 1) / devices * size / fabric.bytes_per_s


def test_engine_all_reduce_by_hand():
    size, n = np.array([16384.0, 4.0 * MIB]), 8
    one_shot = 7 * size / (0.6 * 400e9)
    two_shot = 4e-6 + 2 * size / (0.7 * 400e9)
    floor = 4e-6 + 7 * 0.1e-6
    found = engine_all_reduce_time_s(size, n, device=LINKED, kernel=ENGINE)
    np.testing.assert_allclose(found, floor + np.minimum(one_shot, two_shot), rtol=1e-12)
    assert one_shot[0] < two_shot[0]
    assert one_shot[1] > two_shot[1]


def test_each_form_of_an_engines_all_reduce_by_hand():
    forms = Forms(own=np.array([True, True]), one_shot=np.array([True, False]))
    found = engine_all_reduce_time_s(1.0 * MIB, 4, device=LINKED, kernel=ENGINE, forms=forms)
    whole_s = MIB / 400e9
    due = np.array([3 * whole_s / 0.6, 4e-6 + 2 * whole_s / 0.7])
    np.testing.assert_allclose(found, 4e-6 + 3 * 0.1e-6 + due, rtol=1e-12)


def form_names(sizes: list[float], devices: int, **words: object) -> list[str]:
    """Form of each message in a word."""
    forms = own_forms(sizes, devices, **words)  # type: ignore[arg-type]
    names = np.select([forms.one_shot, forms.own], ["one", "two"], "library")
    return names.tolist()


def test_engines_change_form_where_their_code_says():
    sizes = [1.0 * KIB, 300.0 * KIB, 600.0 * KIB, 3.0 * MIB, 12.0 * MIB, 48.0 * MIB, 512.0 * MIB]
    assert form_names(sizes, 8, engine="vllm", family="hopper") == ["one", *["two"] * 5, "library"]
    forms = ["one", *["two"] * 5, "library"]
    assert form_names(sizes, 8, engine="vllm", family="blackwell") == forms
    assert form_names(sizes, 2, engine="vllm", family="blackwell-ultra") == ["one"] * 4 + ["library"] * 3
    assert form_names(sizes, 4, engine="vllm", family="ampere") == ["one", "one", "two", "two", *["library"] * 3]
    assert form_names(sizes, 4, engine="sglang", family="blackwell") == ["one"] * 3 + ["two"] * 2 + ["library"] * 2
    assert form_names(sizes, 8, engine="trtllm", family="hopper") == ["one"] * 4 + ["library"] * 3
    assert form_names(sizes, 8, engine="none", family="hopper") == ["library"] * 7


def test_limits_are_strict_where_the_code_is():
    sizes = [2.0 * MIB - 1, 2.0 * MIB, 8.0 * MIB, 8.0 * MIB + 1]
    assert form_names(sizes, 2, engine="vllm", family="blackwell") == ["one", "two", "two", "library"]


@pytest.mark.parametrize("engine", LIMITS)
@pytest.mark.parametrize("family", ["ampere", "hopper", "blackwell", "blackwell-ultra", "rubin", "cdna3"])
def test_no_engine_takes_symmetric_memory_without_a_switch(engine: str, family: str):
    sizes = np.logspace(3, 9, 50)
    for devices in (2, 4, 8):
        behind, without = (
            own_forms(sizes, devices, engine=engine, family=family, switched=switched) for switched in (True, False)
        )
        for forms in (behind, without):
            assert np.all(np.diff(forms.own.astype(int)) <= 0)
            assert not np.any(forms.one_shot & ~forms.own)
        assert not np.any(without.own[sizes > 16 * MIB])
        assert np.array_equal(behind.one_shot, without.one_shot & behind.one_shot)


def test_forms_broadcast_as_times_do():
    sizes, devices = np.logspace(3, 9, 20)[:, None], np.array([1, 2, 3, 4, 8])
    forms = own_forms(sizes, devices, engine="vllm", family="blackwell")
    found = engine_all_reduce_time_s(sizes, devices, device=LINKED, kernel=ENGINE, forms=forms)
    assert forms.own.shape == found.shape == (20, 5)
    assert np.all(found[:, 0] == 0)
    for row, size in enumerate(sizes[:, 0]):
        for column, count in enumerate(devices):
            one = own_forms(size, count, engine="vllm", family="blackwell")
            alone = engine_all_reduce_time_s(size, count, device=LINKED, kernel=ENGINE, forms=one)
            assert float(alone) == pytest.approx(found[row, column], rel=1e-15)


def test_low_latency_exchange_by_hand():
    kernel = LowLatencyExchange(3e-6, 10e-9, 0.6, 4e9)

    def time_s(tokens: int, experts: int, domains: int) -> float:
        return float(
            low_latency_exchange_time_s(
                tokens, 8, 7168, experts=experts, bytes_per_number=DISPATCH_BYTES, local_devices=8, domains=domains,
                device=LINKED, kernel=kernel, network=NETWORK,
            )
        )  # fmt: skip

    sent = 128 * 8 * 7168 * 1.03
    assert time_s(128, 256, 1) == pytest.approx(9e-6 + 2.56e-6 + sent / (0.6 * 400e9), rel=1e-12)
    assert time_s(128, 8, 1) == pytest.approx(9e-6 + 0.08e-6 + sent / (8 * 4e9), rel=1e-12)
    outside = sent * 0.75 / (0.9 * 50e9) + 6e-6 * math.log2(5)
    assert time_s(128, 256, 4) == pytest.approx(9e-6 + 0.64e-6 + outside, rel=1e-12)


def test_throughput_exchange_by_hand():
    kernel = ThroughputExchange(40e-6, 300e-9, 3.0, 30e9, 0.8)
    copies = distinct_destinations(np.array(8.0), 8)
    one = 7168 * COMBINE_BYTES
    units = 4096 * (300e-9 + one * (float(copies) + 3.0) / 30e9) / 20
    links = 4096 * one * float(copies) * 7 / 8 / (0.8 * 400e9)
    found = throughput_exchange_time_s(
        4096, copies, 7168, domain_copies=1.0, bytes_per_number=COMBINE_BYTES, devices=8, domains=1, compute_units=20,
        device=LINKED, kernel=kernel, network=NETWORK,
    )  # fmt: skip
    assert float(found) == pytest.approx(40e-6 + math.hypot(units, links), rel=1e-12)


def test_the_network_binds_between_domains():
    kernel = ThroughputExchange(40e-6, 0.0, 0.0, 1e15, 1.0)
    found = throughput_exchange_time_s(
        65536, 5.0, 7168, domain_copies=1.5, bytes_per_number=2.0, devices=16, domains=2, compute_units=20,
        device=LINKED, kernel=kernel, network=NETWORK,
    )  # fmt: skip
    crossing = 65536 * 7168 * 2 * 1.5 / 2
    assert float(found) == pytest.approx(40e-6 + crossing / 45e9 + 6e-6 * math.log2(3), rel=1e-9)
