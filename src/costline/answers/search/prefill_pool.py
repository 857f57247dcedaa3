"""Pools of replicas that only prefill, as columns: each row a kind of replica and a number of them.

A pool is described by what a partner has to know: its price, the requests that it carries, and what it adds to the
latency of one. Nothing here depends on the other pool but the size of the cache that it wants.
"""

from __future__ import annotations

import numpy as np

from costline.answers.choices import Price
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import HEADROOM, MOST_UTILIZATION, fixed_degrees
from costline.answers.search.columns import Engine, room
from costline.answers.search.load import Load
from costline.answers.search.operating import QUANTILE
from costline.answers.search.pace import LEAST
from costline.answers.search.speculative import Drafter, room_with_draft, together
from costline.architecture.kv_cache import kv_bytes_per_sequence
from costline.architecture.operations import Segment
from costline.architecture.sharding import Layout
from costline.deployment.grid import layouts
from costline.forward.steps import StepTime, step_time
from costline.money.price import fleet_usd_per_hour
from costline.quantities import Array, Numeric, as_array
from costline.serving.disaggregation import ring_prefill_s
from costline.serving.queueing import allen_cunneen_wait_s, sakasegawa_wait_s, sakasegawa_wait_share, tail_wait_s

MOST_REPLICAS = 8
"""Largest pool that is tried where no rate says how large it has to be."""
BUSY = (0.5, 0.7, 0.85, MOST_UTILIZATION)
"""Shares of its capacity that a prefill pool may work at where no rate says it and a target limits its queue."""
Columns = dict[str, Array]


def prompt_step(engine: Engine, load: Load, where: Layout, at_once: Numeric, drafter: Drafter | None) -> StepTime:
    """A step of a prefill lane with `at_once` prompts, or a chunk of one, in each attention group."""
    share = as_array(at_once) * where.dp / chunks_of(load, at_once)
    prompt = Segment(share, as_array(load.new_tokens), as_array(load.cached_tokens), as_array(1.0))
    took = step_time(engine.model, [prompt], where, engine.formats, engine.rates)
    return took if drafter is None else together(took, drafter.step(engine, prompt, where), where.pp)


def chunks_of(load: Load, at_once: Numeric) -> Array:
    """Steps that prompts taken in at once need."""
    return np.ceil(as_array(at_once) * load.new_tokens / load.chunk_tokens)


def _prefill_grid(engine: Engine, scenario: Scenario, load: Load, drafter: Drafter | None) -> tuple[Layout, Array]:
    """Rows of layout and prompts taken in together by an attention group: more than one only if a step holds them."""
    block = scenario.deployment
    devices = scenario.system.max_accelerators // block.cp
    cut = layouts(engine.model, engine.site.system, max_accelerators=devices, fixed=fixed_degrees(block))
    context = load.input_tokens
    space = room_with_draft(engine, drafter, cut, context) if drafter else room(engine, cut, context)
    fits = space["max_batch"] / (cut.pp * cut.dp)
    most = max(int(load.chunk_tokens / load.new_tokens), 1)
    sizes = as_array(sorted({2**power for power in range(most.bit_length())} | {most}))
    rows, columns = np.nonzero(sizes[None, :] <= fits[:, None])
    return Layout(cut.tp[rows], cut.pp[rows], cut.dp[rows], cut.ep[rows]), sizes[columns]


def _service_s(
    engine: Engine, load: Load, where: Layout, at_once: Array, *, cp: int, drafter: Drafter | None
) -> Array:
    """Time that prompts taken in at once take, their tokens spread over `cp` members of a ring."""
    took = chunks_of(load, at_once) * prompt_step(engine, load, where, at_once, drafter).expected_s
    if cp == 1:
        return took
    system = engine.rates.system
    inside = where.tp * where.dp * cp <= system.fabric.domain_size
    link = np.maximum(np.where(inside, system.fabric.bytes_per_s, system.scale_out_bytes_per_s), LEAST)
    own = kv_bytes_per_sequence(engine.model, load.input_tokens, engine.formats.kv, tp=where.tp)
    return ring_prefill_s(took, at_once * own, cp, link)


def prefill_rows(
    engine: Engine, scenario: Scenario, load: Load, price: Price, drafter: Drafter | None = None
) -> Columns:
    """Pools of prefill replicas, without the queue for their network (see `sending`); nothing where none fits."""
    where, at_once = _prefill_grid(engine, scenario, load, drafter)
    if not at_once.size:
        return {}
    cp, system = scenario.deployment.cp, engine.rates.system
    service = _service_s(engine, load, where, at_once, cp=cp, drafter=drafter)
    capacity = where.pp * where.dp * at_once / service
    counts, busy = _sizes(scenario, capacity)
    row, choice = np.nonzero(counts > 0)
    replicas, share = counts[row, choice], busy[row, choice]
    places, takes = (where.dp * at_once)[row], service[row]
    wait = sakasegawa_wait_s(places, share, takes, load.arrival_cv2)
    devices = cp * where.devices[row] * replicas
    return {
        **{name: getattr(where, name)[row] for name in ("tp", "pp", "dp", "ep")},
        "cp": np.full(row.shape, float(cp)),
        "batch": places * where.pp[row],
        "replicas": replicas,
        "accelerators": devices,
        "usd_per_hour": fleet_usd_per_hour(devices, price.usd_per_hour),
        "capacity_requests_per_s": capacity[row],
        "requests_per_s": share * capacity[row] * replicas,
        "service_s": takes,
        "wait_s": wait,
        "wait_p99_s": tail_wait_s(wait, sakasegawa_wait_share(places, share), QUANTILE),
        "out_bytes_per_s": np.full(row.shape, max(system.scale_out_bytes_per_s, LEAST)),
        "latency_s": np.full(row.shape, system.scale_out_latency_s),
    }


def _sizes(scenario: Scenario, capacity: Array) -> tuple[Array, Array]:
    """Replicas of each row, 0 = none, and the share of their capacity that is used; the last axis has the choices."""
    rate = scenario.workload.peak_request_rate
    if rate is not None:
        counts = np.ceil(rate / (MOST_UTILIZATION * capacity[:, None]) * np.array(HEADROOM))
        counts[:, 1:] = np.where(counts[:, 1:] == counts[:, :-1], 0.0, counts[:, 1:])
        return counts, rate / (np.maximum(counts, 1.0) * capacity[:, None])
    waits = scenario.slo.ttft_p99_ms is not None or scenario.slo.e2e_p99_ms is not None
    busy = BUSY if waits else (MOST_UTILIZATION,)
    sizes, shares = np.meshgrid(np.arange(1.0, MOST_REPLICAS + 1), as_array(busy), indexing="ij")
    shape = (capacity.size, sizes.size)
    return np.broadcast_to(sizes.ravel(), shape), np.broadcast_to(shares.ravel(), shape)


def sending(columns: Columns, kv_bytes: float) -> Columns:
    """What a prefill device sends of a prompt's cache, and the wait for its network port."""
    senders = columns["tp"] * columns["pp"] * columns["cp"]
    sent = kv_bytes / senders
    each = columns["requests_per_s"] / (columns["replicas"] * columns["dp"])
    wait, tail = port_waits(sent / columns["out_bytes_per_s"], each)
    return {"sent_bytes": sent, "port_wait_s": wait, "port_wait_p99_s": tail}


def port_waits(transfer_s: Array, requests_per_s: Array) -> tuple[Array, Array]:
    """Mean and p99 of the wait for a network port; inf where it is busier than a plan may be."""
    busy = transfer_s * requests_per_s
    busy = np.where(busy <= MOST_UTILIZATION, busy, 1.0)
    wait = allen_cunneen_wait_s(busy, transfer_s)
    tail = np.where(busy < 1, tail_wait_s(np.where(busy < 1, wait, 0.0), busy, QUANTILE), np.inf)
    return wait, tail
