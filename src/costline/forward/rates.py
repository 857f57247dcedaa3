"""How fast a device works: peaks from the datasheet, or what kernels sustain on its family.

`ideal_rates` is the datasheet; `expected_rates` brings the kernels of the chip's family under an engine, and for what
no kernel model covers (states, rows of tables, links without a switch) the datasheet times fitted fractions. Nothing
here counts work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from costline.catalog.records import Chip, Efficiency, System
from costline.catalog.step_overheads import step_overheads
from costline.errors import DomainError
from costline.forward.machine import Machine
from costline.forward.peaks import WIDER, peak_flop_per_s, unit_format


@dataclass(frozen=True)
class Rates:
    """Sustained rates of one device and its links."""

    chip: Chip
    flop_per_s: Mapping[str, float]
    attention_flop_per_s: float
    hbm_bytes_per_s: float
    kv_bytes_per_s: float
    system: System
    kernel_floor_s: float
    """Launch and drain of one kernel."""
    host_step_s: float
    """Scheduling and sampling between two steps."""
    exact_corner: bool
    """Compute and memory overlap fully (datasheet) or partly (real kernels)."""
    machine: Machine | None = None
    """Whose kernels set the time; None = counts over rates, and nothing else."""
    ideal: Rates | None = None
    """The datasheet behind expected rates; None = these are the datasheet."""
    routing_shape: float = math.inf
    """How alike experts are in popularity, where no machine says so (see `architecture.experts.touched_experts`)."""


def ideal_rates(chip: Chip, system: System) -> Rates:
    """The datasheet: every rate at its peak, no launch and no host time."""
    flop = {name: peak_flop_per_s(chip, name) for name in (*WIDER, "fp32") if _has(chip, name)}
    if not flop:
        raise DomainError(f"accelerator {chip.id} states no dense FLOP/s; only chips with a dense rate can be planned")
    bandwidth, shape = chip.hbm_bytes_per_s, step_overheads("default").routing_shape
    return Rates(chip, flop, flop["bf16"], bandwidth, bandwidth, system, 0.0, 0.0, True, routing_shape=shape)


def _has(chip: Chip, name: str) -> bool:
    try:
        return peak_flop_per_s(chip, name) > 0
    except DomainError:
        return False


def _fraction(efficiency: Efficiency, name: str) -> float:
    """The fraction fitted for a format, or for the next wider one that was fitted."""
    while name not in efficiency.flop_fraction:
        name = WIDER.get(name, "bf16")
    return efficiency.flop_fraction[name]


def expected_rates(chip: Chip, system: System, efficiency: Efficiency, engine: str = "vllm") -> Rates:
    """What an engine's kernels sustain on the chip's family, plus launch and host time."""
    ideal = ideal_rates(chip, system)
    flop = {name: rate * _fraction(efficiency, unit_format(chip, name)) for name, rate in ideal.flop_per_s.items()}
    fabric = replace(
        system.fabric,
        bytes_per_s=system.fabric.bytes_per_s * efficiency.link_fraction,
        pair_bytes_per_s=system.fabric.pair_bytes_per_s * efficiency.link_fraction,
        latency_s=max(system.fabric.latency_s, efficiency.collective_floor_s),
    )
    outside = system.scale_out_bytes_per_s * efficiency.scale_out_fraction
    return Rates(
        chip=chip,
        flop_per_s=flop,
        attention_flop_per_s=ideal.attention_flop_per_s * efficiency.attention_flop_fraction,
        hbm_bytes_per_s=chip.hbm_bytes_per_s * efficiency.hbm_fraction,
        kv_bytes_per_s=chip.hbm_bytes_per_s * efficiency.kv_fraction,
        system=replace(system, fabric=fabric, scale_out_bytes_per_s=outside),
        kernel_floor_s=efficiency.kernel_floor_s,
        host_step_s=efficiency.host_step_s,
        exact_corner=False,
        machine=Machine(chip, system, efficiency, step_overheads(engine)),
        ideal=ideal,
    )
