"""All deployments of one model on one kind of accelerator in one set of number formats, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.choices import Price
from costline.answers.scenario import DeploymentBlock, Scenario, SloBlock
from costline.answers.search.columns import Engine, Load, operate, room
from costline.architecture.sharding import Layout
from costline.deployment.grid import Fixed, batch_sizes, in_blocks, layouts
from costline.deployment.plan import Option, Site
from costline.deployment.search import Mask, first_failure
from costline.money.price import fleet_usd_per_hour
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import MILLI, Array, as_array

HEADROOM = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
"""Replicas beyond those that the rate needs at full batch: shorter queues for more money."""
MOST_UTILIZATION = 0.95
"""Busiest that a plan for a request rate may be: beyond, a small error of the rate or of a step time is an outage."""


@dataclass(frozen=True)
class Candidates:
    """Columns of equal length; one row is one deployment."""

    site: Site
    option: Option
    price: Price
    engine: Engine
    columns: Mapping[str, Array]
    ok: Mask
    why_not: Any
    layouts_without_room: int
    smallest_need_bytes: float
    """Least device memory that any layout needs for weights, reserve and one sequence."""

    @property
    def rows(self) -> int:
        """Deployments looked at."""
        return int(self.ok.size)


def fixed_degrees(block: DeploymentBlock) -> Fixed:
    """What the user fixed of the parallelism."""
    given = {name: getattr(block, name) for name in ("tp", "pp", "dp", "ep")}
    return Fixed(**{name: None if value == "auto" else int(value) for name, value in given.items()})


def load_of(scenario: Scenario) -> Load:
    """The workload as the steady state sees it: a shared start, or prompts that repeat, are in the cache already."""
    work = scenario.workload
    prefix = work.prefix
    cached = max(prefix.cached_tokens, prefix.shared_tokens)
    if prefix.distinct_prompts is not None:
        cached = work.input_mean
    cached = min(cached, max(work.input_mean - 1.0, 0.0))
    return Load(
        input_tokens=work.input_mean,
        cached_tokens=cached,
        output_tokens=work.output_mean,
        arrival_cv2=work.arrival_cv2,
        length_cv2=work.output_cv2,
        chunk_tokens=float(scenario.deployment.engine.max_batched_tokens),
    )


def _grid(engine: Engine, scenario: Scenario, load: Load) -> tuple[Layout, Array, int, float]:
    """Rows of layout and batch that fit into memory; layouts that do not, and the least that one device needs."""
    block = scenario.deployment
    cut = layouts(
        engine.model, engine.site.system, max_accelerators=scenario.system.max_accelerators, fixed=fixed_degrees(block)
    )
    space = room(engine, cut, load.full_context_tokens)
    cap = min(float(block.engine.max_sequences), 2.0**20)
    largest = np.minimum(np.where(np.isfinite(space["max_batch"]), space["max_batch"], cap), cap)
    need = engine.site.chip.visible_memory_bytes - space["pool_bytes"]
    least = float(np.min(need)) if need.size else np.inf
    rows: list[tuple[float, ...]] = []
    lanes = cut.pp * cut.dp
    for tp, pp, dp, ep, most, lane in zip(cut.tp, cut.pp, cut.dp, cut.ep, largest, lanes, strict=True):
        if most < lane:
            continue
        if block.batch != "auto":
            sizes = as_array([float(block.batch)]) if lane <= block.batch <= most else as_array([])
        else:
            sizes = np.unique(np.append(batch_sizes(int(most)), np.floor(most)))
            sizes = sizes[sizes >= lane]
        rows += [(tp, pp, dp, ep, float(size)) for size in sizes]
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Layout(*table.T[:4]), table[:, 4], int(np.sum(largest < lanes)), least


def _replicas(scenario: Scenario, batch: Array, capacity: Array) -> Array:
    """Copies for each row and headroom (last axis): from the rate, the concurrency, or one."""
    work, fixed = scenario.workload, scenario.deployment.replicas
    if fixed != "auto":
        return np.full((batch.size, 1), float(fixed))
    if work.peak_request_rate is not None:
        return np.ceil(work.peak_request_rate / (MOST_UTILIZATION * capacity[:, None]) * np.array(HEADROOM))
    if work.concurrency is not None:
        return np.ceil(work.concurrency / batch)[:, None]
    return np.ones((batch.size, 1))


def evaluate(engine: Engine, scenario: Scenario, option: Option, price: Price) -> Candidates:
    """Every layout, batch and number of replicas of one accelerator and set of formats."""
    load = load_of(scenario)
    cut, batch, without, least = _grid(engine, scenario, load)
    columns = _columns(engine, scenario, load, cut, batch)
    devices = columns["tp"] * columns["pp"] * columns["dp"] * columns["replicas"]
    columns["accelerators"] = devices
    columns["usd_per_hour"] = fleet_usd_per_hour(devices, price.usd_per_hour)
    columns["output_tokens_per_s"] = columns["total_requests_per_s"] * load.output_tokens
    columns["usd_per_mtok"] = usd_per_mtok(columns["usd_per_hour"], columns["output_tokens_per_s"])
    columns["tokens_per_s_per_accelerator"] = columns["output_tokens_per_s"] / np.maximum(devices, 1.0)
    columns["e2e_p99_s"] = columns["ttft_p99_s"] + load.decode_steps * columns["tpot_p99_s"]
    columns["e2e_s"] = columns["ttft_s"] + load.decode_steps * columns["tpot_s"]
    ok, why = first_failure({"load": columns["carries"] > 0, **slo_masks(scenario.slo, columns)})
    return Candidates(engine.site, option, price, engine, columns, ok, why, without, least)


def slo_masks(slo: SloBlock, columns: Mapping[str, Array]) -> dict[str, Mask]:
    """Which rows meet each target."""
    targets = {"ttft": slo.ttft_p99_ms, "tpot": slo.tpot_p99_ms, "e2e": slo.e2e_p99_ms}
    return {
        name: columns[f"{name}_p99_s"] <= target * MILLI for name, target in targets.items() if target is not None
    }


def _columns(engine: Engine, scenario: Scenario, load: Load, cut: Layout, batch: Array) -> dict[str, Array]:
    rate = scenario.workload.peak_request_rate

    def full(*block: Array) -> dict[str, Array]:
        return operate(engine, load, Layout(*block[:4]), block[4], rate_per_replica=None)

    def loaded(*block: Array) -> dict[str, Array]:
        return operate(engine, load, Layout(*block[:4]), block[4], rate_per_replica=block[5])

    base = (cut.tp, cut.pp, cut.dp, cut.ep, batch)
    capacity = in_blocks(full, *base)["capacity_requests_per_s"] if batch.size else batch
    copies = _replicas(scenario, batch, capacity)
    names = ("tp", "pp", "dp", "ep", "batch")
    spread = {name: np.repeat(column, copies.shape[1]) for name, column in zip(names, base, strict=True)}
    spread["replicas"] = copies.ravel()
    keep = np.ones(copies.shape, dtype=bool)
    keep[:, 1:] = copies[:, 1:] != copies[:, :-1]
    spread = {name: column[keep.ravel()] for name, column in spread.items()}
    replicas = spread["replicas"]
    layout = [spread[name] for name in names[:4]]
    if rate is not None:
        out = in_blocks(loaded, *layout, spread["batch"], rate / replicas)
        most = replicas * out["capacity_requests_per_s"]
        out["carries"] = as_array(most >= rate * (1 - 1e-9))
        out["total_requests_per_s"] = np.minimum(most, rate)
    else:
        held = spread["batch"]
        if scenario.workload.concurrency is not None:
            held = np.minimum(held, scenario.workload.concurrency / replicas)
            spread["batch"] = held
        out = in_blocks(full, *layout, held)
        out["carries"] = np.ones(held.shape)
        out["total_requests_per_s"] = replicas * out["requests_per_s"]
    return {**spread, **out}
