"""Timed collectives of `collectives.csv`: the library's, engines' own all-reduce, the network; and their fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from costline.catalog.kernel_records import EngineAllReduce, LibraryCollective
from costline.forward.kernels.all_reduce import Forms, engine_all_reduce_time_s, own_forms
from costline.forward.kernels.collectives import SWITCH_FROM, library_all_reduce_time_s, library_gather_time_s
from costline.measure.kernels.fitting import Free, KernelFit
from costline.measure.kernels.timings import (
    Row,
    Timings,
    Trap,
    chip_names,
    devices,
    joined,
    names,
    numbers,
    rows_of,
    shapes,
    trapped,
)
from costline.quantities import MICRO, Array, as_array

OF_ONE_BOX = Trap(
    "through the host",
    "L40S with 4 or 8 devices: 1 to 5 GB/s through the host of that box, not a property of the card",
    lambda row: row["system"] == "l40s" and int(row["num_gpus"]) > 2,
)
LIBRARY_TRAPS = (OF_ONE_BOX,)
FORMS = ("own", "one_shot")
DIRECT_PEERS = 3
"""Peers that share a device's links in a box of four without a switch."""
ENGINE_TRAPS = (
    OF_ONE_BOX,
    Trap(
        "pcie",
        "on PCIe engines fall back to the library beyond two devices",
        lambda row: row["system"] in ("rtx_pro_6000_server", "l40s"),
    ),
)


def _direct(row: Row) -> bool:
    """Runs on devices linked one to one, without a switch: vLLM's on GB200.

    The file does not say so; its times do. Between two devices the library moves 205 GB/s where it reaches 530 on the
    same chip elsewhere, a third of the links; among four it has them all. vLLM's own kernel goes on to 8 MiB instead of
    2, as it does without the multicast of a switch. Everything else on that chip ran behind one.
    """
    return row["system"] == "gb200" and row["impl"].startswith("vllm")


def _timings(rows: list[Row], traps: tuple[Trap, ...]) -> Timings:
    operations = names(rows, lambda row: row["op"])
    engines = names(rows, lambda row: row["impl"].split()[0].lower())
    n, size = numbers(rows, "num_gpus"), numbers(rows, "message_bytes")
    reduces = operations == "all_reduce"
    direct = np.array([_direct(row) for row in rows], dtype=np.bool_)
    device = devices(chip_names(rows), np.full(engines.shape, "bf16"))
    share = np.where(direct, np.minimum((n - 1) / DIRECT_PEERS, 1.0), 1.0)
    return Timings(
        chip=chip_names(rows),
        labels={
            "operation": np.where(reduces, "all_reduce", "gather"),
            "engine": engines,
            "version": names(rows, lambda row: " ".join(row["impl"].split()[:2])),
            "links": joined(engines, np.where(direct, "direct", "")),
            "all": np.full(engines.shape, "all"),
            "switched": np.where(reduces & (n >= SWITCH_FROM), "all", ""),
        },
        counts={
            "devices": n,
            "size_bytes": size,
            "reduces": np.where(reduces, 1.0, 0.0),
            "ring": np.where(operations == "alltoall", 0.0, 1.0),
            "direct": np.where(direct, 1.0, 0.0),
        },
        device=replace(device, link_bytes_per_s=share * device.link_bytes_per_s),
        shape=shapes(n, size),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=trapped(rows, traps),
    )


def read_library_collectives(folder: Path) -> Timings:
    """Collectives of the library inside one node."""
    return _timings(rows_of(folder / "collectives.csv", lambda row: row["impl"].startswith("NCCL")), LIBRARY_TRAPS)


def read_engine_all_reduces(folder: Path) -> Timings:
    """All-reduce as engines run it, at every size: their own kernel in one of its forms, or the library's."""
    rows = _timings(rows_of(folder / "collectives.csv", lambda row: "custom" in row["impl"]), ENGINE_TRAPS)
    flags = {name: np.zeros(rows.time_s.shape) for name in FORMS}
    engines, direct = rows.labels["engine"], rows.counts["direct"] > 0
    for engine, family, apart in set(zip(engines, rows.family, direct, strict=True)):
        mine = (engines == engine) & (rows.family == family) & (direct == apart)
        forms = own_forms(
            rows.counts["size_bytes"][mine],
            rows.counts["devices"][mine],
            engine=str(engine),
            family=str(family),
            switched=not apart,
        )
        for name, flag in flags.items():
            flag[mine] = getattr(forms, name)
    return rows.with_counts(**flags)


def _library_s(rows: Timings, kernel: LibraryCollective) -> Array:
    """Times; among 8 or more where none were timed, the switch counts for nothing and the ring's share holds."""
    kernel = replace(kernel, switch_fraction=np.nan_to_num(as_array(kernel.switch_fraction)))
    n, size = rows.counts["devices"], rows.counts["size_bytes"]
    reduced = library_all_reduce_time_s(size, n, device=rows.device, kernel=kernel)
    ring, straight = (
        library_gather_time_s(size, n, ring_steps=ring, device=rows.device, kernel=kernel) for ring in (True, False)
    )
    gathered = np.where(rows.counts["ring"] > 0, ring, straight)
    return np.where(rows.counts["reduces"] > 0, reduced, gathered)


def _engine_s(rows: Timings, kernel: EngineAllReduce) -> Array:
    counts = rows.counts
    forms = Forms(*(counts[name] > 0 for name in FORMS))
    own_s = engine_all_reduce_time_s(
        counts["size_bytes"], counts["devices"], device=rows.device, kernel=kernel, forms=forms
    )
    return np.where(forms.own, np.minimum(own_s, counts["library_s"]), counts["library_s"])


LIBRARY_COLLECTIVE = KernelFit(
    "library_collective",
    (
        Free("launch_us", "operation", 6.0, 0.2, 60.0),
        Free("step_us", "all", 0.8, 0.01, 20.0),
        Free("low_latency_fraction", "all", 0.3, 0.01, 1.0),
        Free("bulk_entry_us", "all", 15.0, 0.1, 100.0),
        Free("link_fraction", "all", 0.8, 0.05, 1.0),
        Free("switch_fraction", "switched", 0.8, 0.05, 1.2),
    ),
    _library_s,
)
ENGINE_ALL_REDUCE = KernelFit(
    "engine_all_reduce",
    (
        Free("floor_us", "links", 4.0, 0.2, 30.0),
        Free("peer_us", "all", 0.1, 0.001, 5.0),
        Free("entry_us", "all", 5.0, 0.05, 60.0),
        Free("one_shot_fraction", "all", 0.5, 0.05, 1.0),
        Free("two_shot_fraction", "all", 0.5, 0.05, 1.0),
    ),
    _engine_s,
)
