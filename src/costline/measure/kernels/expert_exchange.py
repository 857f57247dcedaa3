"""Timed exchanges of expert tokens of `moe_alltoall.csv` (DeepEP), and their fits.

Left out: TensorRT-LLM's own NVLink kernels, timed on one chip and one shape of model only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from costline.architecture.messages import distinct_destinations
from costline.catalog.kernel_records import LowLatencyExchange, ScaleOut, ThroughputExchange
from costline.forward.kernels.expert_exchange import (
    COMBINE_BYTES,
    DISPATCH_BYTES,
    low_latency_exchange_time_s,
    throughput_exchange_time_s,
)
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
from costline.quantities import MICRO, Array

DIRECTIONS = ("dispatch", "combine")
LOCAL_DEVICES = {"gb200": 4, "gb300": 4}
"""Devices of one node in these benchmarks, 8 elsewhere."""
TRAPS = (
    Trap(
        "copied",
        "SGLang 0.5.0's H200 rows are copies of the H100 rows; some still say so",
        lambda row: (row["system"], row["version"]) == ("h200_sxm", "0.5.0"),
    ),
)


def _timings(folder: Path, operation: str, column: str) -> Timings:
    rows = rows_of(folder / "moe_alltoall.csv", lambda row: row["op_name"] == operation)
    both: list[Row] = [
        {**row, "direction": direction, "time_us": row[column.format(direction)], "sms": row[f"{direction}_sms"] or "0"}
        for direction in DIRECTIONS
        for row in rows
    ]
    tokens, top_k, hidden = (numbers(both, name) for name in ("num_token", "num_topk", "hidden_size"))
    experts, domains, units = (numbers(both, name) for name in ("num_experts", "node_num", "sms"))
    local = np.array([float(LOCAL_DEVICES.get(row["system"], 8)) for row in both])
    direction = names(both, lambda row: row["direction"])
    copies, domain_copies = (_destinations(places, top_k) for places in (local * domains, domains))
    nothing = np.full(direction.shape, "")
    return Timings(
        chip=chip_names(both),
        labels={
            "direction": direction,
            "version": names(both, lambda row: f"deepep in {row['framework'].lower()} {row['version']}"),
            "all": np.full(direction.shape, "all"),
            "dispatch": np.where(direction == "dispatch", direction, nothing),
            "combine": np.where(direction == "combine", direction, nothing),
        },
        counts={
            "tokens": tokens,
            "top_k": top_k,
            "hidden": hidden,
            "experts": experts,
            "domains": domains,
            "local_devices": local,
            "compute_units": np.maximum(units, 1.0),
            "copies": copies,
            "domain_copies": domain_copies,
            "bytes_per_number": np.where(direction == "dispatch", DISPATCH_BYTES, COMBINE_BYTES),
        },
        device=devices(chip_names(both), np.full(direction.shape, "bf16")),
        shape=shapes(domains, hidden, tokens, top_k, experts, units),
        time_s=numbers(both, "time_us") * MICRO,
        trap=trapped(both, TRAPS),
    )


def _destinations(places: Array, top_k: Array) -> Array:
    found = np.ones(places.shape)
    for k in np.unique(top_k):
        found[top_k == k] = distinct_destinations(places[top_k == k], float(k))
    return found


def read_low_latency_exchanges(folder: Path) -> Timings:
    """Dispatch and combine for decoding."""
    return _timings(folder, "ll", "{}_avg_t_us")


def read_exchanges_between_domains(folder: Path) -> Timings:
    """Dispatch and combine for decoding among several domains."""
    rows = read_low_latency_exchanges(folder)
    return rows.take(rows.counts["domains"] > 1)


def read_throughput_exchanges(folder: Path) -> Timings:
    """Dispatch and combine for prefill, without the wait for counts (notify) between nodes."""
    return _timings(folder, "normal", "{}_transmit_us")


def _network(rows: Timings) -> ScaleOut:
    """The network of each row; of no matter inside one domain."""
    return ScaleOut(rows.counts.get("network_fraction", np.ones(1)), rows.counts.get("doubling_s", np.zeros(1)))


def _low_latency_s(rows: Timings, kernel: LowLatencyExchange) -> Array:
    return _with_network_s(rows, kernel, _network(rows))


def _with_network_s(rows: Timings, kernel: LowLatencyExchange, network: ScaleOut) -> Array:
    counts = rows.counts
    return low_latency_exchange_time_s(
        counts["tokens"],
        counts["top_k"],
        counts["hidden"],
        experts=counts["experts"],
        bytes_per_number=counts["bytes_per_number"],
        local_devices=counts["local_devices"],
        domains=counts["domains"],
        device=rows.device,
        kernel=kernel,
        network=network,
    )


def _scale_out_s(rows: Timings, network: ScaleOut) -> Array:
    counts = rows.counts
    kernel = LowLatencyExchange(
        counts["round_s"], counts["expert_s"], counts["link_fraction"], counts["expert_bytes_per_s"]
    )
    return _with_network_s(rows, kernel, network)


def _throughput_s(rows: Timings, kernel: ThroughputExchange) -> Array:
    counts = rows.counts
    return throughput_exchange_time_s(
        counts["tokens"],
        counts["copies"],
        counts["hidden"],
        domain_copies=counts["domain_copies"],
        bytes_per_number=counts["bytes_per_number"],
        devices=counts["local_devices"] * counts["domains"],
        domains=counts["domains"],
        compute_units=counts["compute_units"],
        device=rows.device,
        kernel=kernel,
        network=_network(rows),
    )


LOW_LATENCY_EXCHANGE = KernelFit(
    "low_latency_exchange",
    (
        Free("round_us", "all", 3.0, 0.3, 30.0),
        Free("expert_ns", "all", 15.0, 0.5, 200.0),
        Free("link_fraction", "direction", 0.6, 0.05, 1.0),
        Free("expert_gb_per_s", "dispatch", 2.5, 0.1, 60.0),
    ),
    _low_latency_s,
)
THROUGHPUT_EXCHANGE = KernelFit(
    "throughput_exchange",
    (
        Free("floor_us", "direction", 30.0, 1.0, 200.0),
        Free("token_ns", "dispatch", 300.0, 1.0, 3000.0),
        Free("copies", "combine", 4.0, 0.01, 40.0),
        Free("unit_gb_per_s", "direction", 25.0, 2.0, 200.0),
        Free("link_fraction", "all", 0.8, 0.05, 1.0),
    ),
    _throughput_s,
)
SCALE_OUT = KernelFit(
    "scale_out",
    (Free("network_fraction", "all", 0.9, 0.1, 1.0), Free("doubling_us", "all", 5.0, 0.1, 60.0)),
    _scale_out_s,
)
