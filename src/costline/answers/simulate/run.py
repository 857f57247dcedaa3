"""One simulated run: a replica's step table, the requests, the fleet; and what it measured as plain values.

Knows no file and no layout on a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.scenario import Scenario
from costline.answers.simulate.drafts import speculation, with_drafts
from costline.answers.simulate.knee import LoadCurve, Mix, load_curve
from costline.answers.simulate.load import Drawn, Stage, drawn_requests
from costline.answers.simulate.measures import (
    Mask,
    by_group,
    cost,
    gap_ms,
    kv_use,
    latencies,
    latency_ms,
    throughput,
    use_of,
)
from costline.answers.simulate.replica import Replica
from costline.answers.simulate.step_table import Reach, slower, step_table
from costline.money.price import fleet_usd_per_hour
from costline.serving.fleet import Engine, Fleet, replicas
from costline.serving.simulate import simulate
from costline.serving.step_table import StepTable
from costline.serving.timestamps import Timestamps

LATE_STEPS = {True: 2.5, False: 1.5}
"""Steps to a first token: the rest of a running one, one more that is queued already if asynchronous, the own."""
WARM_SHARE = 0.1
"""Of a run whose length is ours to choose, the first requests are left out: the service is still filling."""
TRACE_STEPS = 200_000


@dataclass(frozen=True)
class Setting:
    """What is simulated: the same for the run itself and for those that bound it."""

    replica: Replica
    table: StepTable
    engine: Engine
    drawn: Drawn
    asked: Scenario

    def fleet(self, count: int, factor: float = 1.0) -> Fleet:
        """So many replicas, each step `factor` times as long."""
        table = self.table if factor == 1.0 else slower(self.table, factor)
        return replicas(table, self.engine, count, self.asked.deployment.router)

    def run(self, count: int, factor: float = 1.0, *, traced: bool = False) -> Timestamps:
        """Timestamps of a fleet of `count` replicas."""
        return simulate(
            self.drawn.requests,
            self.fleet(count, factor),
            seed=self.asked.workload.seed % 2**31,
            concurrency=self.drawn.concurrency,
            trace_steps=TRACE_STEPS if traced else 0,
        )


def setting(asked: Scenario, replica: Replica) -> Setting:
    """Tables, scheduler and requests of a scenario on a replica."""
    block, work = asked.deployment.engine, asked.workload
    most = block.max_sequences if asked.deployment.batch == "auto" else int(asked.deployment.batch)
    most = min(most, block.max_batched_tokens)
    held = replica.kv_capacity_tokens / max(work.input_mean + work.output_mean, 1.0)
    drawn = drawn_requests(work, replica.replicas * max(int(min(most, held)), 1), block.block_tokens)
    requests = drawn.requests
    longest = float(np.max(requests.input_tokens + requests.output_tokens))
    drafted = 0 if replica.drafter is None else replica.drafter.most_tokens
    reach = Reach(block.max_batched_tokens, most, longest, drafted + 1)
    machine = replica.engine.rates.machine
    engine = Engine(
        policy="prefill_first" if machine is not None and machine.overheads.prompts_first else "decode_first",
        kv_capacity_tokens=replica.kv_capacity_tokens,
        max_batched_tokens=block.max_batched_tokens,
        max_sequences=most,
        async_scheduling=block.asynchronous,
        block_tokens=block.block_tokens,
        prefix_caching=block.prefix_caching,
        max_model_tokens=block.max_context_tokens or replica.engine.model.max_context_tokens,
        speculation=None if replica.drafter is None else speculation(replica.drafter),
    )
    table = step_table(replica.engine, replica.where, reach)
    if replica.drafter is not None:
        table = with_drafts(table, replica.engine, replica.drafter, replica.where)
    return Setting(replica, table, engine, drawn, asked)


def kept_requests(drawn: Drawn) -> Mask:
    """Requests that count: all of a stated run; of one whose length is ours, those after the service has filled."""
    kept = np.ones(len(drawn.requests), dtype=bool)
    if drawn.steady and kept.size > 1 / WARM_SHARE:
        kept[: int(WARM_SHARE * kept.size)] = False
    return kept


def window_of(stamps: Timestamps, kept: Mask) -> tuple[float, float]:
    """From the first arrival that counts to the last answer."""
    arrival, finished = stamps.arrival_s[kept], stamps.finished_s[kept]
    start = float(np.min(arrival[np.isfinite(arrival)], initial=np.inf))
    start = start if np.isfinite(start) else 0.0
    ends = finished[np.isfinite(finished)]
    return start, max(float(ends.max(initial=start)), start + 1e-9)


def curve_of(one: Setting, stamps: Timestamps) -> LoadCurve:
    """The load curve of a replica for the mean request of the run."""
    requests, served = one.drawn.requests, stamps.served
    mine = served if served.any() else np.ones(len(requests), dtype=bool)
    prompts, answers = float(requests.input_tokens[mine].mean()), float(requests.output_tokens[mine].mean())
    found = float(stamps.cached_tokens[mine].mean()) if served.any() else 0.0
    drafter = one.replica.drafter
    kept = 1.0 if drafter is None else float(drafter.tokens(drafter.most_tokens))
    mix = Mix(prompts, max(prompts - found, 1.0), answers, kept)
    held = one.replica.kv_capacity_tokens / (prompts + answers / 2)
    return load_curve(
        one.table,
        mix,
        most=max(int(min(one.engine.max_sequences, held)), 1),
        chunk_tokens=one.engine.max_batched_tokens,
        late_steps=LATE_STEPS[one.engine.async_scheduling],
    )


def measured(one: Setting, stamps: Timestamps, count: int) -> dict[str, Any]:
    """Everything that a run says of itself, keys as in the answer."""
    requests, kept = one.drawn.requests, kept_requests(one.drawn)
    start, end = window_of(stamps, kept)
    devices = one.replica.accelerators * count
    made = throughput(
        requests, stamps, kept, duration_s=end - start, accelerators=devices, slo=one.asked.slo
    )
    price = one.replica.price
    hourly = float(fleet_usd_per_hour(devices, price.usd_per_hour)) if price else None
    capacity = one.replica.kv_capacity_tokens * count
    return {
        "requests": _counts(one, stamps, kept),
        "latency_ms": latency_ms(latencies(stamps, kept), interval=True) | {"gap": gap_ms(stamps)},
        "throughput": made,
        "utilization": use_of(stamps, kept, window=(start, end)),
        "kv": kv_use(requests, stamps, kept, capacity_tokens=capacity, block_tokens=one.engine.block_tokens),
        "preemptions": int(stamps.preemptions.sum()),
        "cost": cost(hourly, made),
        "stages": [_stage_row(one, stamps, stage, index, devices) for index, stage in enumerate(one.drawn.stages)],
        **_groups(one, stamps, kept, count),
    }


def _counts(one: Setting, stamps: Timestamps, kept: Mask) -> dict[str, int]:
    served = stamps.served
    return {
        "sent": len(one.drawn.requests),
        "served": int(served.sum()),
        "counted": int((served & kept).sum()),
        "not_served": int((~served).sum()),
    }


def _stage_row(one: Setting, stamps: Timestamps, stage: Stage, index: int, devices: int) -> dict[str, Any]:
    requests = one.drawn.requests
    labels = requests.stage
    mine = np.ones(len(requests), dtype=bool) if labels is None else np.asarray(labels) == index
    made = throughput(
        requests, stamps, mine, duration_s=stage.duration_s, accelerators=devices, slo=one.asked.slo
    )
    price = one.replica.price
    hourly = float(fleet_usd_per_hour(devices, price.usd_per_hour)) if price else None
    window = (stage.start_s, stage.start_s + stage.duration_s)
    return {
        "rate": stage.rate,
        "duration_s": stage.duration_s,
        "requests": int(mine.sum()),
        "latency_ms": latency_ms(latencies(stamps, mine)),
        "throughput": made,
        "utilization": use_of(stamps, mine, window=window),
        "preemptions": int(stamps.preemptions[mine].sum()),
        "cost": cost(hourly, made),
    }


def _groups(one: Setting, stamps: Timestamps, kept: Mask, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tenant = one.drawn.requests.tenant
    if tenant is not None:
        names = dict(enumerate(one.drawn.tenants))
        found["tenants"] = by_group(stamps, kept, groups=tenant, names=names)
    if count > 1:
        names = {index: str(index) for index in range(count)}
        found["replicas"] = by_group(stamps, kept, groups=stamps.replica, names=names)
    return found
