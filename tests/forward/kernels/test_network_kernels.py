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
from costline.forward.kernels.all_reduce import engine_all_reduce_time_s, runs_own_kernel
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
from costline.quantities import MIB

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
    two_shot = 4e-6 + 2 * 7 / 8 * size / (0.7 * 400e9)
    due = 4e-6 + 7 * 0.1e-6 + np.minimum(one_shot, two_shot)
    np.testing.assert_allclose(engine_all_reduce_time_s(size, n, device=LINKED, kernel=ENGINE), due, rtol=1e-12)
    assert one_shot[0] < two_shot[0]
    assert one_shot[1] > two_shot[1]


def test_engines_hand_large_messages_to_the_library():
    sizes = np.array([1.0, 8.0, 32.0, 128.0]) * MIB
    assert runs_own_kernel(sizes, 8, engine="vllm", family="hopper").tolist() == [True, True, True, False]
    assert runs_own_kernel(sizes, 8, engine="vllm", family="ampere").tolist() == [True, False, False, False]
    assert runs_own_kernel(sizes, 2, engine="trtllm", family="hopper").tolist() == [True, False, False, False]
    assert runs_own_kernel(sizes, 2, engine="none", family="hopper").tolist() == [False] * 4


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
