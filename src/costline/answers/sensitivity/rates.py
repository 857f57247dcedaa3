"""What the device is: bandwidth, arithmetic, links, memory and host, a fifth less or more, and how sure step times are.

A what-if replaces the accelerator's record, so that everything that follows from it follows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from costline.answers.search.rows import interval
from costline.answers.sensitivity.around import Around
from costline.answers.sensitivity.what_if import Effect, WhatIf, ranged
from costline.catalog.residuals import basis, model_class
from costline.deployment.plan import Site
from costline.forward.rates import Rates
from costline.quantities import PERCENT, format_bytes, format_count

FIFTH = 0.2
_HOST_TIMES = ("host_step_s", "host_sequence_s", "mixed_step_s")


@dataclass(frozen=True)
class Resource:
    """A property of the device that could be larger or smaller."""

    name: str
    label: str
    unit: str
    waits: tuple[str, ...]
    """What steps wait for when it binds."""
    scaled: Callable[[Site, float], Site]
    value: Callable[[Site], float]
    written: Callable[[float], str]


def _bandwidth(site: Site, factor: float) -> Site:
    return replace(site, chip=replace(site.chip, hbm_bytes_per_s=factor * site.chip.hbm_bytes_per_s))


def _arithmetic(site: Site, factor: float) -> Site:
    chip = site.chip
    dense = {name: factor * rate for name, rate in chip.dense_flop_per_s.items() if rate}
    return replace(site, chip=replace(chip, dense_flop_per_s=dense))


def _memory(site: Site, factor: float) -> Site:
    chip = site.chip
    sizes = {name: factor * getattr(chip, name) for name in ("memory_bytes", "visible_memory_bytes")}
    return replace(site, chip=replace(chip, **sizes))


def _links(site: Site, factor: float) -> Site:
    fabric = site.system.fabric
    wider = replace(
        fabric, bytes_per_s=factor * fabric.bytes_per_s, pair_bytes_per_s=factor * fabric.pair_bytes_per_s
    )
    return replace(site, system=replace(site.system, fabric=wider))


def _network(site: Site, factor: float) -> Site:
    wider = factor * site.system.scale_out_bytes_per_s
    return replace(site, system=replace(site.system, scale_out_bytes_per_s=wider))


def _per_s(value: float) -> str:
    return f"{format_bytes(value)}/s"


BANDWIDTH = Resource(
    "memory_bandwidth", "memory bandwidth", "byte/s", ("weight bandwidth", "cache bandwidth"), _bandwidth,
    lambda site: site.chip.hbm_bytes_per_s, _per_s,
)  # fmt: skip
ARITHMETIC = Resource(
    "peak_flop", "peak FLOP/s (bf16; all formats alike)", "FLOP/s", ("compute",), _arithmetic,
    lambda site: site.chip.dense_flop_per_s.get("bf16") or next(iter(site.chip.dense_flop_per_s.values())),
    lambda value: f"{format_count(value)} FLOP/s",
)  # fmt: skip
MEMORY = Resource(
    "memory_capacity", "memory capacity", "byte", (), _memory, lambda site: site.chip.visible_memory_bytes,
    format_bytes,
)  # fmt: skip
LINKS = Resource(
    "link_bandwidth", "link bandwidth in a node", "byte/s", ("scale-up network",), _links,
    lambda site: site.system.fabric.bytes_per_s, _per_s,
)  # fmt: skip
NETWORK = Resource(
    "network_bandwidth", "network bandwidth between nodes", "byte/s", ("scale-out network",), _network,
    lambda site: site.system.scale_out_bytes_per_s, _per_s,
)  # fmt: skip


def resources(base: Around) -> list[Resource]:
    """Those that the plan's replica uses."""
    found = [BANDWIDTH, ARITHMETIC, MEMORY]
    site, devices = base.group.site, base.devices_per_replica
    if devices > 1:
        found.append(LINKS)
    if devices > site.system.fabric.domain_size:
        found.append(NETWORK)
    return found


def scaled(resource: Resource, base: Around, factor: float) -> WhatIf:
    """So many times as much of a resource."""
    value = factor * resource.value(base.group.site)
    return WhatIf(value=value, words=resource.written(value), site=lambda site: resource.scaled(site, factor))


def rates(base: Around) -> list[Effect]:
    """Effects of the device's properties, and of the error of the predicted step time."""
    return [*(_effect(resource, base) for resource in resources(base)), *_host(base), *_error(base)]


def _effect(resource: Resource, base: Around) -> Effect:
    now = resource.value(base.group.site)
    effect = Effect(
        name=resource.name, group="rates", label=resource.label, unit=resource.unit, base=now,
        at=lambda value: scaled(resource, base, value / now),
        note=f"of {base.group.site.chip.id}; other accelerators stay as they are",
    )  # fmt: skip
    return ranged(effect, now * (1 - FIFTH), now * (1 + FIFTH))


def _host(base: Around) -> list[Effect]:
    """All times in which the device waits for the host, which a faster one or overlap would shorten."""
    device = base.group.engine.rates
    times = [device.host_step_s]
    if device.machine is not None:
        times = [getattr(device.machine.overheads, name) for name in _HOST_TIMES]
    if not any(times):
        return []
    effect = Effect(
        name="host_time", group="rates", label="host time of a step", unit="of the present", base=1.0,
        at=lambda value: WhatIf(value=value, words=_percent(value), rates=partial(_hosted, value)),
        note="scheduling, sampling and output that the device waits for",
    )  # fmt: skip
    return [ranged(effect, 1 - FIFTH, 1 + FIFTH)]


def _hosted(factor: float, device: Rates) -> Rates:
    machine = device.machine
    if machine is not None:
        slower = {name: factor * getattr(machine.overheads, name) for name in _HOST_TIMES}
        machine = replace(machine, overheads=replace(machine.overheads, **slower))
    return replace(device, host_step_s=factor * device.host_step_s, machine=machine)


def _percent(value: float) -> str:
    return f"{value * PERCENT:.0f} % of it"


def _error(base: Around) -> list[Effect]:
    """All step times at the ends of the calibrated interval of the plan's time per output token."""
    expected = float(base.group.columns["tpot_s"][base.row])
    if base.scenario.calibration == "none" or expected <= 0:
        return []
    span = interval(base.group, base.row, base.scenario)["tpot_s"]

    def timed(factor: float) -> WhatIf:
        return WhatIf(value=factor, words=_percent(factor), slower=factor)

    effect = Effect(
        name="step_time", group="rates", label="step time, calibrated interval", unit="of the predicted", base=1.0,
        at=timed, note=basis(base.group.site.chip, model_class(base.model), "tpot"),
    )  # fmt: skip
    return [ranged(effect, span["p10"] / expected, span["p90"] / expected)]
