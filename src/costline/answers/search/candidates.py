"""All deployments of one model on one kind of accelerator in one set of number formats, as columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.choices import Price
from costline.answers.scenario import DeploymentBlock, Scenario, SloBlock
from costline.answers.search.columns import Engine, operate, room
from costline.answers.search.load import Load
from costline.answers.search.rounds import operate_in_rounds
from costline.answers.search.speculative import Drafter, best_draft_tokens, room_with_draft
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


def grid(
    engine: Engine, scenario: Scenario, load: Load, drafter: Drafter | None = None
) -> tuple[Layout, Array, int, float]:
    """Rows of layout and batch that fit into memory; layouts that do not, and the least that one device needs."""
    block = scenario.deployment
    cut = layouts(
        engine.model, engine.site.system, max_accelerators=scenario.system.max_accelerators, fixed=fixed_degrees(block)
    )
    context = load.full_context_tokens
    space = room_with_draft(engine, drafter, cut, context) if drafter else room(engine, cut, context)
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


def evaluate(
    engine: Engine, scenario: Scenario, option: Option, price: Price, *, drafter: Drafter | None = None
) -> Candidates:
    """Every layout, batch and number of replicas of one accelerator and set of formats, with a draft or without."""
    load = load_of(scenario)
    cut, batch, without, least = grid(engine, scenario, load, drafter)
    columns = _columns(_replica(engine, load, drafter), scenario, cut, batch, _drafting(engine, load, drafter))
    devices = columns["tp"] * columns["pp"] * columns["dp"] * columns["replicas"]
    columns["accelerators"] = devices
    columns["usd_per_hour"] = fleet_usd_per_hour(devices, price.usd_per_hour)
    finish(columns, load)
    ok, why = first_failure({"load": columns["carries"] > 0, **slo_masks(scenario.slo, columns)})
    return Candidates(engine.site, option, price, engine, columns, ok, why, without, least, drafter)


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


Rows = Mapping[str, Array]
Operating = Callable[[Rows, Array | None], dict[str, Array]]
"""Columns of replicas from their layout, batch and length of draft, at a rate or full."""
Drafting = Callable[[Rows, Array], Array]
"""Length of draft for rows at a batch."""


def _layout(rows: Rows) -> Layout:
    return Layout(rows["tp"], rows["pp"], rows["dp"], rows["ep"])


def _blockwise(function: Callable[..., dict[str, Array]], rows: Rows, *more: Array) -> dict[str, Array]:
    """`function(rows, *more)` a block at a time; no rows have the columns that one row would have."""
    names = list(rows)
    if not next(iter(rows.values())).size:
        one_row = _blockwise(function, {name: np.ones(1) for name in names}, *(np.ones(1) for _ in more))
        return {name: column[:0] for name, column in one_row.items()}

    def one(*block: Array) -> dict[str, Array]:
        return function(dict(zip(names, block, strict=False)), *block[len(names) :])

    return in_blocks(one, *rows.values(), *more)


def _replica(engine: Engine, load: Load, drafter: Drafter | None) -> Operating:
    def operating(rows: Rows, rate: Array | None = None) -> dict[str, Array]:
        where = _layout(rows)
        if drafter is None:
            return operate(engine, load, where, rows["batch"], rate_per_replica=rate)
        drafted = rows["draft_tokens"]
        return operate_in_rounds(
            engine, drafter, load, where, batch=rows["batch"], draft_tokens=drafted, rate_per_replica=rate
        )

    return operating


def _drafting(engine: Engine, load: Load, drafter: Drafter | None) -> Drafting | None:
    if drafter is None:
        return None

    def drafting(rows: Rows, running: Array) -> Array:
        where = _layout(rows)
        return best_draft_tokens(engine, drafter, load, where, running / where.pp)

    return lambda rows, running: _blockwise(lambda *at: {"k": drafting(*at)}, rows, running)["k"]


def _columns(
    operating: Operating, scenario: Scenario, cut: Layout, batch: Array, drafting: Drafting | None
) -> dict[str, Array]:
    rows: dict[str, Array] = {"tp": cut.tp, "pp": cut.pp, "dp": cut.dp, "ep": cut.ep, "batch": batch}
    if drafting is not None:
        rows["draft_tokens"] = drafting(rows, batch)
    capacity = _blockwise(operating, rows)["capacity_requests_per_s"]
    counts = copies(scenario, batch, capacity)
    new = np.ones(counts.shape, dtype=bool)
    new[:, 1:] = counts[:, 1:] != counts[:, :-1]
    rows = {name: np.repeat(column, counts.shape[1])[new.ravel()] for name, column in rows.items()}
    replicas = counts.ravel()[new.ravel()]
    rate = scenario.workload.peak_request_rate
    if rate is not None:
        return _at_rate(operating, rows, replicas, rate, drafting)
    if scenario.workload.concurrency is not None:
        rows["batch"] = np.minimum(rows["batch"], scenario.workload.concurrency / replicas)
        rows |= {"draft_tokens": drafting(rows, rows["batch"])} if drafting else {}
    out = _blockwise(operating, rows)
    out["carries"] = np.ones(replicas.shape)
    out["total_requests_per_s"] = replicas * out["requests_per_s"]
    return {**rows, "replicas": replicas, **out}


def _at_rate(
    operating: Operating, rows: Rows, replicas: Array, rate: float, drafting: Drafting | None
) -> dict[str, Array]:
    """Columns at a share of the rate; the draft is then fitted to the batch that runs, where that still carries it."""

    def served(rows: Rows) -> dict[str, Array]:
        out = _blockwise(operating, rows, rate / replicas)
        most = replicas * out["capacity_requests_per_s"]
        carries = as_array(most >= rate * (1 - 1e-9))
        return {**rows, "replicas": replicas, **out, "carries": carries, "total_requests_per_s": np.minimum(most, rate)}

    first = served(rows)
    if drafting is None or not replicas.size:
        return first
    second = served({**rows, "draft_tokens": drafting(rows, first["running_batch"])})
    capacity = second["capacity_requests_per_s"] * replicas * MOST_UTILIZATION
    better = (capacity >= rate) & (second["tpot_s"] < first["tpot_s"])
    return {name: np.where(better, second[name], first[name]) for name in first}
