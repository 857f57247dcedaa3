"""Collectives: against schedules played step by step, at known sizes, at the edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.catalog.find import chip, system
from costline.catalog.load import systems
from costline.catalog.records import Fabric
from costline.errors import DomainError
from costline.forward.collectives import (
    all_gather_s,
    collective_time_s,
    in_network_all_reduce_s,
    one_shot_all_reduce_s,
    point_to_point_s,
    ring_all_reduce_s,
    ring_all_to_all_s,
    torus_bytes_per_s,
    tree_all_reduce_s,
    two_shot_all_reduce_s,
)

KINDS = ("all_reduce", "all_gather", "all_to_all", "point_to_point")
SYSTEMS = systems()
HGX, POD = system("hgx-h100"), system(chip("tpu-v5e").system)
ALGORITHMS = (
    ring_all_reduce_s, tree_all_reduce_s, one_shot_all_reduce_s, two_shot_all_reduce_s, in_network_all_reduce_s,
    all_gather_s,
)  # fmt: skip
SIZE, COUNT, RATE, LATENCY = st.floats(0, 1e10), st.integers(1, 64), st.floats(1e8, 1e12), st.floats(0, 1e-4)


def played_ring_all_reduce(size: float, devices: int, rate: float, latency: float) -> float:
    """Every device passes one block to its neighbour in each step, until each block has gone round, twice."""
    held = [{(device, block) for block in range(devices)} for device in range(devices)]
    blocks = [[{device} for _ in range(devices)] for device in range(devices)]
    time = 0.0
    for phase in range(2):
        for step in range(devices - 1):
            sent = [(device, (device - step + phase) % devices) for device in range(devices)]
            moved = {(device, block): set(blocks[device][block]) for device, block in sent}
            for (device, block), have in moved.items():
                blocks[(device + 1) % devices][block] |= have
            time += latency + size / devices / rate
    assert len(held) == devices
    assert all(have == set(range(devices)) for row in blocks for have in row)
    return time


@pytest.mark.parametrize("devices", [1, 2, 3, 5, 8])
def test_a_ring_played_step_by_step(devices: int):
    assert float(ring_all_reduce_s(1e6, devices, 1e9, 1e-6)) == pytest.approx(
        played_ring_all_reduce(1e6, devices, 1e9, 1e-6)
    )


@pytest.mark.parametrize("devices", [2, 4, 8, 16])
def test_an_all_to_all_around_a_ring_counted_link_by_link(devices: int):
    # Every device sends a part to each other the shorter way, half of each kind at half a round; W = two links.
    load = np.zeros((devices, 2))
    part = 1e6 / devices
    for source in range(devices):
        for distance in range(1, devices):
            ways = [(1, 0), (-1, 1)] if 2 * distance == devices else [(1, 0) if 2 * distance < devices else (-1, 1)]
            for step, side in ways:
                for hop in range(min(distance, devices - distance)):
                    load[(source + step * hop) % devices, side] += part / len(ways)
    assert float(ring_all_to_all_s(1e6, devices, 2e9, 0.0)) == pytest.approx(load.max() / 1e9)


@given(SIZE, COUNT, RATE, LATENCY)
def test_no_all_reduce_beats_its_bound(size: float, devices: int, rate: float, latency: float):
    # Each device must send what it has but its own share, and receive the rest: (n - 1) / n of S each way [thakur2005].
    bound = (devices - 1) / devices * size / rate
    for algorithm in ALGORITHMS:
        time = float(algorithm(size, devices, rate, latency))
        assert time >= bound * (1 - 1e-9)
        assert time <= 2 * (devices - 1) * (latency + size / rate) * (1 + 1e-9)


@pytest.mark.parametrize(("algorithm", "arguments", "seconds"), [
    # 2 (n - 1) / n of 1 GB over 450 GB/s on 8 devices: 3.89 ms, what NCCL's bus bandwidth is defined by
    (ring_all_reduce_s, (1e9, 8, 450e9, 0), 3.8889e-3),
    (tree_all_reduce_s, (1e9, 8, 450e9, 0), 4.4444e-3),
    (tree_all_reduce_s, (0, 64, 450e9, 1e-6), 12e-6), (tree_all_reduce_s, (0, 5, 450e9, 1e-6), 6e-6),
    (one_shot_all_reduce_s, (1e6, 8, 450e9, 3e-6), 18.556e-6),
    (two_shot_all_reduce_s, (1e6, 8, 450e9, 3e-6), 9.8889e-6),
    (in_network_all_reduce_s, (1e9, 8, 450e9, 0), 2.2222e-3), (in_network_all_reduce_s, (0, 8, 450e9, 3e-6), 6e-6),
    (all_gather_s, (1e9, 8, 450e9, 0), 1.9444e-3),
    # scaling-book ch. 3: an all-to-all on a bidirectional ring takes a quarter of an all-gather of the same total
    (ring_all_to_all_s, (1e9 / 16, 16, 9e10, 0), 1e9 / 9e10 / 4),
    # TPU serving chapter, ch. 6: 1.34 GB of cache at 50 GB/s take 26.8 ms
    (point_to_point_s, (8192 * 163_840, 50e9, 0), 26.84e-3),
])  # fmt: skip
def test_known_numbers(algorithm, arguments: tuple[float, ...], seconds: float):
    assert float(algorithm(*arguments)) == pytest.approx(seconds, rel=5e-4)


@given(SIZE, RATE, LATENCY)
def test_one_device_has_nothing_to_do(size: float, rate: float, latency: float):
    assert all(float(algorithm(size, 1, rate, latency)) == 0 for algorithm in (*ALGORITHMS, ring_all_to_all_s))
    for one in SYSTEMS.values():
        assert all(float(collective_time_s(kind, size, 1, one)) == 0 for kind in KINDS[:3]), one.id


def test_a_message_of_nothing_takes_the_latency():
    assert float(point_to_point_s(0, 1e9, 3e-6)) == 3e-6
    assert float(point_to_point_s(1e9, np.inf, 3e-6)) == 3e-6


def test_torus_slices():
    # v5e: 4 links of 45 GB/s each way; a row of 4 uses one axis unclosed, 4x4 two, 16x16 closes.
    rates = torus_bytes_per_s(POD.fabric, np.array([2, 3, 4, 16, 64, 256])) / 1e9
    assert rates.tolist() == [45, 45, 90, 90, 90, 180]
    three = Fabric("torus_3d", 8960, 540e9, 90e9, 1e-6)
    assert torus_bytes_per_s(three, np.array([2, 8, 64])).tolist() == [90e9, 270e9, 540e9]


def test_an_all_reduce_in_a_torus():
    # 2 x 255 / 256 of 1 GB through all four links of a v5e pod, and a diameter of 16 hops each way.
    seconds = float(collective_time_s("all_reduce", 1e9, 256, POD))
    assert seconds == pytest.approx(2 * 255 / 256 * 1e9 / 180e9 + 2 * 16 * POD.fabric.latency_s)


def test_an_all_reduce_across_nodes():
    # Two HGX: scatter and gather in each node, between them 2 (2 - 1) / 2 of an eighth over the network.
    size, latency = 1e9, HGX.scale_out_latency_s
    inside = 2 * float(all_gather_s(size, 8, HGX.fabric.bytes_per_s, HGX.fabric.latency_s))
    between = 2 * latency + size / 8 / HGX.scale_out_bytes_per_s
    assert float(collective_time_s("all_reduce", size, 16, HGX)) == pytest.approx(inside + between)


def test_an_all_to_all_in_a_torus():
    # 16x16 v5e: along each axis a quarter of 16 hops on average over 2 links of 45 GB/s, both axes at once.
    seconds = float(collective_time_s("all_to_all", 1e9, 256, POD))
    assert seconds == pytest.approx(16 * 1e9 / (4 * 90e9) + 8 * POD.fabric.latency_s)
    # A gather: 255 / 256 of the whole through all four links.
    gather = float(collective_time_s("all_gather", 1e9, 256, POD))
    assert gather == pytest.approx(255 / 256 * 1e9 / 180e9 + 16 * POD.fabric.latency_s)


@pytest.mark.parametrize(("kind", "crossing"), [
    # 16 devices in two nodes: half of what each sends to all crosses; of a gathered whole each gets an eighth of it
    ("all_to_all", 0.5), ("all_gather", 0.5 / 8),
])  # fmt: skip
def test_what_crosses_between_nodes(kind, crossing: float):
    slow = replace(HGX, scale_out_bytes_per_s=1e9)
    seconds = float(collective_time_s(kind, 1e9, 16, slow))
    assert seconds == pytest.approx(crossing * 1e9 / 1e9 + HGX.scale_out_latency_s)
    # Where the network is fast, the links in the node remain.
    fast = replace(HGX, scale_out_bytes_per_s=1e15, scale_out_latency_s=0.0)
    assert float(collective_time_s(kind, 1e9, 16, fast)) == float(collective_time_s(kind, 1e9, 8, HGX))


def test_pcie_takes_a_ring_or_a_tree():
    l40s = system(chip("l40s").system)
    rate, latency = l40s.fabric.bytes_per_s, l40s.fabric.latency_s
    assert float(collective_time_s("all_gather", 0.0, 8, l40s)) == pytest.approx(7 * latency)
    small, large = (float(collective_time_s("all_reduce", size, 8, l40s)) for size in (1.0, 1e9))
    assert small == float(tree_all_reduce_s(1.0, 8, rate, latency)) < float(ring_all_reduce_s(1.0, 8, rate, latency))
    assert large == float(ring_all_reduce_s(1e9, 8, rate, latency)) < float(tree_all_reduce_s(1e9, 8, rate, latency))


def test_a_ring_sends_both_ways():
    inf2 = next(one for one in SYSTEMS.values() if one.fabric.topology == "ring")
    seconds = float(collective_time_s("all_to_all", 1e9, 8, inf2))
    assert seconds == pytest.approx(8 * 1e9 / (4 * 2 * inf2.fabric.pair_bytes_per_s) + 4 * inf2.fabric.latency_s)


def test_a_switch_takes_the_fastest_way():
    for size in (1e3, 1e6, 1e9):
        ways = [
            float(way(size, 8, HGX.fabric.bytes_per_s, HGX.fabric.latency_s))
            for way in (one_shot_all_reduce_s, two_shot_all_reduce_s, in_network_all_reduce_s)
        ]
        assert float(collective_time_s("all_reduce", size, 8, HGX)) == min(ways)
    plain = replace(HGX, fabric=replace(HGX.fabric, in_network_reduction=False))
    assert collective_time_s("all_reduce", 1e9, 8, plain) > collective_time_s("all_reduce", 1e9, 8, HGX)


def test_two_of_a_mesh_share_one_link():
    mesh = system(chip("mi300x").system)
    pair = float(collective_time_s("all_gather", 1e9, 2, mesh))
    assert pair == pytest.approx(mesh.fabric.latency_s + 0.5e9 / mesh.fabric.pair_bytes_per_s)


def test_a_system_without_network_between_domains():
    alone = replace(HGX, scale_out_bytes_per_s=0.0)
    for kind in KINDS:
        times = collective_time_s(kind, 1e6, np.array([8, 16]), alone)
        assert np.isfinite(times[0])
        assert np.isinf(times[1])


def test_fewer_than_one_device_is_refused():
    with pytest.raises(DomainError, match=r"devices=0 must be at least 1"):
        collective_time_s("all_reduce", 1.0, 0, HGX)


@pytest.mark.parametrize("one", SYSTEMS.values(), ids=lambda one: one.id)
def test_every_system_answers(one):
    devices = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 256.0, 4096.0])
    for kind in KINDS:
        times = np.broadcast_to(collective_time_s(kind, np.array([[0.0], [1e6], [1e9]]), devices, one), (3, 7))
        assert (times >= 0).all()
        assert not np.isnan(times).any()
        assert (times[1:] >= times[:-1]).all()


@settings(max_examples=60)
@given(
    id=st.sampled_from(sorted(SYSTEMS)),
    kind=st.sampled_from(KINDS),
    devices=st.sampled_from([2, 4, 8, 16, 64]),
    size=SIZE,
    factor=st.floats(1, 100),
)
def test_better_links_are_never_slower(id: str, kind, devices: int, size: float, factor: float):
    one = SYSTEMS[id]
    base = float(collective_time_s(kind, size, devices, one))
    wide = replace(
        one.fabric, bytes_per_s=one.fabric.bytes_per_s * factor, pair_bytes_per_s=one.fabric.pair_bytes_per_s * factor
    )
    quick = replace(one.fabric, latency_s=one.fabric.latency_s / factor)
    for better in (
        replace(one, fabric=wide),
        replace(one, fabric=quick),
        replace(one, scale_out_bytes_per_s=one.scale_out_bytes_per_s * factor),
        replace(one, scale_out_latency_s=one.scale_out_latency_s / factor),
    ):
        assert float(collective_time_s(kind, size, devices, better)) <= base * (1 + 1e-12)
