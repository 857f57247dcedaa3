"""Timed collectives of `collectives.csv`: the library's, engines' own all-reduce, the network; and their fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from costline.catalog.kernel_records import EngineAllReduce, LibraryCollective
from costline.forward.kernels.all_reduce import engine_all_reduce_time_s, runs_own_kernel
from costline.forward.kernels.collectives import SWITCH_FROM, library_all_reduce_time_s, library_gather_time_s
from costline.measure.kernel_files import families_of
from costline.measure.kernels.fitting import Free, KernelFit
from costline.measure.kernels.timings import (
    Row,
    Timings,
    Trap,
    chip_names,
    devices,
    names,
    numbers,
    rows_of,
    shapes,
    trapped,
)
from costline.quantities import MIB, MICRO, Array

SLOW_PAIR_BYTES = 4 * MIB
OF_ONE_BOX = Trap(
    "through the host",
    "L40S with 4 or 8 devices: 1 to 5 GB/s through the host of that box, not a property of the card",
    lambda row: row["system"] == "l40s" and int(row["num_gpus"]) > 2,
)
LIBRARY_TRAPS = (OF_ONE_BOX,)
ENGINE_TRAPS = (
    OF_ONE_BOX,
    Trap(
        "pcie",
        "on PCIe engines fall back to the library beyond two devices",
        lambda row: row["system"] in ("rtx_pro_6000_server", "l40s"),
    ),
    Trap(
        "slow pair",
        "vLLM on two GB200 above 4 MiB: 199 GB/s where every other engine and count has 530",
        lambda row: (row["system"], int(row["num_gpus"])) == ("gb200", 2)
        and row["impl"].startswith("vllm")
        and float(row["message_bytes"]) > SLOW_PAIR_BYTES,
    ),
)


def _timings(rows: list[Row], traps: tuple[Trap, ...]) -> Timings:
    operations = names(rows, lambda row: row["op"])
    engines = names(rows, lambda row: row["impl"].split()[0].lower())
    n, size = numbers(rows, "num_gpus"), numbers(rows, "message_bytes")
    reduces = operations == "all_reduce"
    return Timings(
        chip=chip_names(rows),
        labels={
            "operation": np.where(reduces, "all_reduce", "gather"),
            "engine": engines,
            "version": names(rows, lambda row: " ".join(row["impl"].split()[:2])),
            "all": np.full(engines.shape, "all"),
            "switched": np.where(reduces & (n >= SWITCH_FROM), "all", ""),
        },
        counts={
            "devices": n,
            "size_bytes": size,
            "reduces": np.where(reduces, 1.0, 0.0),
            "ring": np.where(operations == "alltoall", 0.0, 1.0),
        },
        device=devices(chip_names(rows), np.full(engines.shape, "bf16")),
        shape=shapes(n, size),
        time_s=numbers(rows, "latency_us") * MICRO,
        trap=trapped(rows, traps),
    )


def read_library_collectives(folder: Path) -> Timings:
    """Collectives of the library inside one node."""
    return _timings(rows_of(folder / "collectives.csv", lambda row: row["impl"].startswith("NCCL")), LIBRARY_TRAPS)


def read_engine_all_reduces(folder: Path) -> Timings:
    """All-reduce as engines run it, at every size: their own kernel or (`own` = 0) the library's."""
    rows = _timings(rows_of(folder / "collectives.csv", lambda row: "custom" in row["impl"]), ENGINE_TRAPS)
    own = np.zeros(rows.time_s.shape)
    for engine in np.unique(rows.labels["engine"]):
        for family in np.unique(families_of(rows.chip)):
            mine = (rows.labels["engine"] == engine) & (families_of(rows.chip) == family)
            size, n = rows.counts["size_bytes"][mine], rows.counts["devices"][mine]
            own[mine] = runs_own_kernel(size, n, engine=str(engine), family=str(family))
    return rows.with_counts(own=own)


def read_network_all_reduces(folder: Path) -> Timings:
    """All-reduces forced onto the network between nodes (nccl-tests)."""
    return _timings(rows_of(folder / "collectives.csv", lambda row: "InfiniBand-forced" in row["impl"]), ())


def _library_s(rows: Timings, kernel: LibraryCollective) -> Array:
    n, size = rows.counts["devices"], rows.counts["size_bytes"]
    reduced = library_all_reduce_time_s(size, n, device=rows.device, kernel=kernel)
    ring, straight = (
        library_gather_time_s(size, n, ring_steps=ring, device=rows.device, kernel=kernel) for ring in (True, False)
    )
    gathered = np.where(rows.counts["ring"] > 0, ring, straight)
    return np.where(rows.counts["reduces"] > 0, reduced, gathered)


def _engine_s(rows: Timings, kernel: EngineAllReduce) -> Array:
    own = engine_all_reduce_time_s(
        rows.counts["size_bytes"], rows.counts["devices"], device=rows.device, kernel=kernel
    )
    return np.where(rows.counts["own"] > 0, own, rows.counts["library_s"])


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
        Free("floor_us", "engine", 4.0, 0.2, 30.0),
        Free("peer_us", "all", 0.1, 0.001, 5.0),
        Free("entry_us", "all", 5.0, 0.05, 60.0),
        Free("one_shot_fraction", "all", 0.5, 0.05, 1.0),
        Free("two_shot_fraction", "all", 0.5, 0.05, 1.0),
    ),
    _engine_s,
)
