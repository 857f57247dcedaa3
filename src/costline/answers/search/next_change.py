"""For one plan: which single change of a resource or a target would serve most for the same money."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from costline.answers.choices import the_rates
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates
from costline.answers.search.columns import Engine
from costline.answers.search.pool_reasons import pool_gains
from costline.answers.search.reasons import LIMIT_NAMES, TARGETS, lane_at
from costline.forward.rates import Rates
from costline.quantities import MILLI, PERCENT

MORE = 1.25
RELAXED = 2.0


_HOST_TIMES = ("host_step_s", "host_sequence_s", "mixed_step_s", "mixed_layer_s", "pointwise_floor_s")


def _with_more(engine: Engine, resource: str, calibration: str) -> Engine:
    """The same engine on a device with a quarter more of one resource; what follows from the device follows."""
    site, rates = engine.site, engine.rates
    if resource == "launch and host speed":
        return replace(engine, rates=_less_host(rates))
    chip, fabric = site.chip, site.system.fabric
    if resource == "compute":
        dense = {name: MORE * rate for name, rate in chip.dense_flop_per_s.items() if rate}
        site = replace(site, chip=replace(chip, dense_flop_per_s=dense))
    elif resource == "memory bandwidth":
        site = replace(site, chip=replace(chip, hbm_bytes_per_s=MORE * chip.hbm_bytes_per_s))
    else:
        links = replace(
            fabric,
            bytes_per_s=MORE * fabric.bytes_per_s,
            pair_bytes_per_s=MORE * fabric.pair_bytes_per_s,
            latency_s=fabric.latency_s / MORE,
        )
        site = replace(site, system=replace(site.system, fabric=links))
    return replace(engine, site=site, rates=the_rates(site, calibration))


def _less_host(rates: Rates) -> Rates:
    machine = rates.machine
    if machine is not None:
        overheads = machine.overheads
        times = {name: getattr(overheads, name) / MORE for name in _HOST_TIMES}
        share = overheads.floor_share / MORE
        machine = replace(machine, overheads=replace(overheads, floor_share=share, **times))
    return replace(
        rates, kernel_floor_s=rates.kernel_floor_s / MORE, host_step_s=rates.host_step_s / MORE, machine=machine
    )


def next_best(group: Candidates, row: int, scenario: Scenario) -> dict[str, Any]:
    """The change that helps most: a quarter more of a resource, or a target twice as wide, and what it gives.

    `gain` is the rise of requests per USD: at the same batch for a resource, of the best plan of the same accelerator
    and formats for a target. Pools are asked for resources alone.
    """
    found = _of_pools(group, row, scenario) if group.prefill else _resources(group, row, scenario)
    found += [] if group.prefill else _targets(group, row, scenario)
    change, gain = max(found, key=lambda pair: pair[1])
    return {"change": change, "gain": gain, "words": f"{change} would serve {gain * PERCENT:.0f} % more for the money"}


def _names(devices: float) -> list[str]:
    return ["compute", "memory bandwidth", "launch and host speed", *(["link speed"] if devices > 1 else [])]


def _words(name: str) -> str:
    return f"{(MORE - 1) * PERCENT:.0f} % more {name}"


def _of_pools(group: Candidates, row: int, scenario: Scenario) -> list[tuple[str, float]]:
    names = _names(float(group.columns["accelerators"][row]))
    return pool_gains(
        group,
        row,
        scenario,
        {_words(name): partial(_with_more, resource=name, calibration=scenario.calibration) for name in names},
    )


def _resources(group: Candidates, row: int, scenario: Scenario) -> list[tuple[str, float]]:
    columns = group.columns
    batch = float(columns["batch"][row])

    def cycle(engine: Engine) -> float:
        return float(lane_at(group, row, scenario, batch, engine).cycle_s)

    now = cycle(group.engine)
    names = _names(float(columns["tp"][row] * columns["pp"][row] * columns["dp"][row]))
    more = {name: _with_more(group.engine, name, scenario.calibration) for name in names}
    return [(_words(name), now / cycle(engine) - 1.0) for name, engine in more.items()]


def _targets(group: Candidates, row: int, scenario: Scenario) -> list[tuple[str, float]]:
    columns = group.columns
    cost = columns["usd_per_mtok"]
    asked = {name: getattr(scenario.slo, key) for name, key in TARGETS.items()}
    limits = {name: target * MILLI for name, target in asked.items() if target is not None}
    found: list[tuple[str, float]] = []
    for name in limits:
        met = [columns[f"{other}_p99_s"] <= limits[other] * (RELAXED if other == name else 1.0) for other in limits]
        allowed = np.logical_and.reduce([columns["carries"] > 0, *met])
        least = float(np.min(np.where(allowed, cost, np.inf)))
        gain = float(cost[row]) / least - 1.0 if least > 0 else 0.0
        found.append((f"a {LIMIT_NAMES[name]} target of twice the time", gain))
    return found
