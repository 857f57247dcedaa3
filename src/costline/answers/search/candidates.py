"""All deployments of one model on one kind of accelerator in one set of number formats, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.choices import Price
from costline.answers.scenario import DeploymentBlock, Scenario, SloBlock
from costline.answers.search.columns import Engine, room
from costline.answers.search.energy import accelerator_watts
from costline.answers.search.load import Load
from costline.answers.search.pace import LEAST
from costline.answers.search.speculative import Drafter, room_with_draft
from costline.answers.search.tabulated import Replicas, Rows, replicas
from costline.architecture.sharding import Layout
from costline.deployment.grid import Fixed, batch_sizes, in_blocks, layouts
from costline.deployment.plan import Option, Site
from costline.deployment.search import Mask, first_failure
from costline.money.power import joule_per_token
from costline.money.price import fleet_usd_per_hour
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import MILLI, Array, as_array

HEADROOM = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0)
"""Replicas beyond those that the rate needs at full batch: shorter queues for more money."""
MOST_UTILIZATION = 0.95
"""Busiest that a plan for a request rate may be: beyond, a small error of the rate or of a step time is an outage."""


@dataclass(frozen=True)
class PrefillSide:
    """The other pool of a disaggregated deployment: what its replicas run on."""

    site: Site
    price: Price
    engine: Engine
    columns: Mapping[str, Array]
    """As long as those of the deployment."""


@dataclass(frozen=True)
class Candidates:
    """Columns of equal length; one row is one deployment, or a pool of decode replicas with one of `prefill`."""

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
    drafter: Drafter | None = None
    """What proposes tokens, in each row."""
    prefill: PrefillSide | None = None
    covered: int | None = None
    """Deployments that these rows stand for, where the others could be ruled out; None = every one is a row."""

    @property
    def rows(self) -> int:
        """Deployments kept as rows."""
        return int(self.ok.size)

    @property
    def looked_at(self) -> int:
        """Deployments that were searched, rows or not."""
        return self.rows if self.covered is None else self.covered

    @property
    def accelerator(self) -> str:
        """Accelerators of the deployment, the prefill pool's first."""
        decode = self.site.chip.id
        if self.prefill is None or self.prefill.site.chip.id == decode:
            return decode
        return f"{self.prefill.site.chip.id} + {decode}"


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


@dataclass(frozen=True)
class Grid:
    """Layouts that have room for a sequence, and the batches to try on each."""

    cut: Layout
    """One element a layout."""
    lane: Rows
    """The layout of each row."""
    batch: Array
    """Sequences of a replica, one element a row."""
    without_room: int
    """Layouts that hold no sequence."""
    least_need_bytes: float
    """Least that any layout needs of one device for weights and reserve."""

    def rows(self) -> dict[str, Array]:
        """Columns of the rows."""
        cut = self.cut
        degrees = {"tp": cut.tp, "pp": cut.pp, "dp": cut.dp, "ep": cut.ep}
        columns = {name: degree[self.lane] for name, degree in degrees.items()}
        return {**columns, "lane": as_array(self.lane), "batch": self.batch}

    @property
    def largest_lane(self) -> float:
        """Most sequences that one lane of a pipeline holds."""
        return float(np.max(self.batch / self.cut.pp[self.lane], initial=1.0))


def grid(engine: Engine, scenario: Scenario, load: Load, drafter: Drafter | None = None) -> Grid:
    """Layouts and batches that fit into memory."""
    block = scenario.deployment
    cut = layouts(
        engine.model, engine.site.system, max_accelerators=scenario.system.max_accelerators, fixed=fixed_degrees(block)
    )
    context = load.full_context_tokens
    space = room_with_draft(engine, drafter, cut, context) if drafter else room(engine, cut, context)
    cap = min(float(block.engine.max_sequences), 2.0**20)
    largest = np.minimum(np.where(np.isfinite(space["max_batch"]), space["max_batch"], cap), cap)
    need = engine.site.chip.visible_memory_bytes - space["pool_bytes"]
    lanes = cut.pp * cut.dp
    roomy = np.flatnonzero(largest >= lanes)
    sizes = [_sizes(block, float(lanes[one]), float(largest[one])) for one in roomy]
    return Grid(
        cut=Layout(cut.tp[roomy], cut.pp[roomy], cut.dp[roomy], cut.ep[roomy]),
        lane=np.repeat(np.arange(roomy.size), [each.size for each in sizes]),
        batch=np.concatenate(sizes) if sizes else as_array([]),
        without_room=int(np.sum(largest < lanes)),
        least_need_bytes=float(np.min(need)) if need.size else np.inf,
    )


def _sizes(block: DeploymentBlock, lanes: float, most: float) -> Array:
    """Batches to try: at least one sequence a lane, at most what fits."""
    if block.batch != "auto":
        return as_array([float(block.batch)]) if lanes <= block.batch <= most else as_array([])
    sizes = np.unique(np.append(batch_sizes(int(most)), np.floor(most)))
    return sizes[sizes >= lanes]


def copies(scenario: Scenario, batch: Array, capacity: Array) -> Array:
    """Copies for each row and headroom (last axis): from the rate, the concurrency, or one."""
    work, fixed = scenario.workload, scenario.deployment.replicas
    if fixed != "auto":
        return np.full((batch.size, 1), float(fixed))
    if work.peak_request_rate is not None:
        return np.ceil(work.peak_request_rate / (MOST_UTILIZATION * capacity[:, None]) * np.array(HEADROOM))
    if work.concurrency is not None:
        return np.ceil(work.concurrency / batch)[:, None]
    return np.ones((batch.size, 1))


@dataclass(frozen=True)
class Prepared:
    """What every way to use one kind of replica shares: layouts with batches, and their lanes as tables."""

    grid: Grid
    replicas: Replicas


def prepare(engine: Engine, scenario: Scenario, drafter: Drafter | None = None) -> Prepared:
    """Layouts and batches of an engine, with a draft or without, and the pace of their lanes."""
    load = load_of(scenario)
    tried = grid(engine, scenario, load, drafter)
    return Prepared(tried, replicas(engine, load, drafter, tried.cut, tried.largest_lane))


def evaluate(
    engine: Engine, scenario: Scenario, option: Option, price: Price, *, drafter: Drafter | None = None,
    ready: Prepared | None = None,
) -> Candidates:  # fmt: skip
    """Every layout, batch and number of replicas of one accelerator and set of formats, with a draft or without."""
    load = load_of(scenario)
    ready = ready or prepare(engine, scenario, drafter)
    columns = _columns(ready.replicas, scenario, ready.grid.rows())
    devices = columns["tp"] * columns["pp"] * columns["dp"] * columns["replicas"]
    columns["accelerators"] = devices
    columns["usd_per_hour"] = fleet_usd_per_hour(devices, price.usd_per_hour)
    finish(columns, load)
    used = columns["total_requests_per_s"] / np.maximum(columns["capacity_requests_per_s"] * columns["replicas"], LEAST)
    watts = devices * accelerator_watts(engine.site.chip, used)
    columns["joule_per_token"] = joule_per_token(watts, columns["output_tokens_per_s"])
    ok, why = first_failure({"load": columns["carries"] > 0, **slo_masks(scenario.slo, columns)})
    return Candidates(
        site=engine.site,
        option=option,
        price=price,
        engine=engine,
        columns=columns,
        ok=ok,
        why_not=why,
        layouts_without_room=ready.grid.without_room,
        smallest_need_bytes=ready.grid.least_need_bytes,
        drafter=drafter,
    )


def finish(columns: dict[str, Array], load: Load) -> None:
    """Adds what follows from the bill, the requests served and the latencies."""
    columns["output_tokens_per_s"] = columns["total_requests_per_s"] * load.output_tokens
    columns["usd_per_mtok"] = usd_per_mtok(columns["usd_per_hour"], columns["output_tokens_per_s"])
    columns["tokens_per_s_per_accelerator"] = columns["output_tokens_per_s"] / np.maximum(columns["accelerators"], 1.0)
    columns["e2e_p99_s"] = columns["ttft_p99_s"] + load.decode_steps * columns["tpot_p99_s"]
    columns["e2e_s"] = columns["ttft_s"] + load.decode_steps * columns["tpot_s"]


def slo_masks(slo: SloBlock, columns: Mapping[str, Array]) -> dict[str, Mask]:
    """Which rows meet each target."""
    targets = {"ttft": slo.ttft_p99_ms, "tpot": slo.tpot_p99_ms, "e2e": slo.e2e_p99_ms}
    return {
        name: columns[f"{name}_p99_s"] <= target * MILLI for name, target in targets.items() if target is not None
    }


Columns = Mapping[str, Array]


def _operated(ours: Replicas, rows: Columns, rate: Array | None = None) -> dict[str, Array]:
    """Columns of replicas, full or at a rate each; no rows have the columns that one row would have."""
    if rows["batch"].size:
        names = (*rows, *(() if rate is None else ("rate",)))

        def block(*columns: Array) -> dict[str, Array]:
            part = dict(zip(names, columns, strict=True))
            return ours.operate(part, part.pop("rate", None))

        return in_blocks(block, *rows.values(), *(() if rate is None else (rate,)))
    one_row = {name: np.ones(1) for name in rows} | {"lane": np.zeros(1)}
    return {name: column[:0] for name, column in ours.operate(one_row, None).items()}


def _columns(ours: Replicas, scenario: Scenario, rows: dict[str, Array]) -> dict[str, Array]:
    work, drafts = scenario.workload, ours.drafter is not None
    if drafts:
        rows["draft_tokens"] = ours.draft_tokens(rows, rows["batch"] / rows["pp"])
    capacity = _operated(ours, rows)["capacity_requests_per_s"]
    counts = copies(scenario, rows["batch"], capacity)
    new = np.ones(counts.shape, dtype=bool)
    new[:, 1:] = counts[:, 1:] != counts[:, :-1]
    rows = {name: np.repeat(column, counts.shape[1])[new.ravel()] for name, column in rows.items()}
    number = counts.ravel()[new.ravel()]
    if work.peak_request_rate is not None:
        return _at_rate(ours, rows, number, work.peak_request_rate)
    if work.concurrency is not None:
        rows["batch"] = np.minimum(rows["batch"], work.concurrency / number)
        rows |= {"draft_tokens": ours.draft_tokens(rows, rows["batch"] / rows["pp"])} if drafts else {}
    out = _operated(ours, rows)
    out["carries"] = np.ones(number.shape)
    out["total_requests_per_s"] = number * out["requests_per_s"]
    return {**rows, "replicas": number, **out}


def _at_rate(ours: Replicas, rows: Columns, number: Array, rate: float) -> dict[str, Array]:
    """Columns at a share of the rate; the draft is then fitted to the batch that runs, where that still carries it."""

    def served(rows: Columns) -> dict[str, Array]:
        out = _operated(ours, rows, rate / number)
        most = number * out["capacity_requests_per_s"]
        carries = as_array(most >= rate * (1 - 1e-9))
        return {**rows, "replicas": number, **out, "carries": carries, "total_requests_per_s": np.minimum(most, rate)}

    first = served(rows)
    if ours.drafter is None or not number.size:
        return first
    second = served({**rows, "draft_tokens": ours.draft_tokens(rows, first["running_batch"] / rows["pp"])})
    capacity = second["capacity_requests_per_s"] * number * MOST_UTILIZATION
    better = (capacity >= rate) & (second["tpot_s"] < first["tpot_s"])
    return {name: np.where(better, second[name], first[name]) for name in first}
