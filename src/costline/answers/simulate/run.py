"""One simulated run: a replica's step table, the requests, the fleet; and what it measured as plain values.

Knows no file and no layout on a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import load_of
from costline.answers.simulate.drafts import speculation, with_drafts
from costline.answers.simulate.fleet import failures_of, paid_replicas, part_of, scaler_of
from costline.answers.simulate.knee import Mix, prompt_alone_s
from costline.answers.simulate.load import Drawn, Stage, drawn_requests
from costline.answers.simulate.measures import (
    Mask,
    by_group,
    cost,
    gap_ms,
    in_flight_mean,
    kv_use,
    latencies,
    latency_ms,
    throughput,
    use_of,
)
from costline.answers.simulate.pools import Transfer, transfer_of
from costline.answers.simulate.replica import Replica
from costline.answers.simulate.step_table import Reach, slower, step_table
from costline.money.price import fleet_usd_per_hour
from costline.serving.fleet import Engine, Fleet, Pool
from costline.serving.simulate import simulate
from costline.serving.step_table import StepTable
from costline.serving.timestamps import Timestamps

WARM_SHARE = 0.1
"""Of a run whose length is ours to choose, the first requests are left out: the service is still filling."""
TRACE_STEPS = 200_000


@dataclass(frozen=True)
class Side:
    """Replicas that are alike, with the numbers that the simulator takes."""

    replica: Replica
    table: StepTable
    engine: Engine

    def pool(self, count: int, factor: float) -> Pool:
        """So many of them, each step `factor` times as long."""
        table = self.table if factor == 1.0 else slower(self.table, factor)
        return Pool(table, self.engine, count, self.replica.role, scaler_of(self.replica))


@dataclass(frozen=True)
class Setting:
    """What is simulated: the same for the run itself and for those that bound it."""

    sides: tuple[Side, ...]
    """Replicas that do both, or the prefill pool and the decode pool."""
    drawn: Drawn
    asked: Scenario
    transfer: Transfer | None = None
    """Between two pools."""

    @property
    def replica(self) -> Replica:
        """The replicas that decode."""
        return self.sides[-1].replica

    @property
    def engine(self) -> Engine:
        """Scheduler of those that decode."""
        return self.sides[-1].engine

    @property
    def counts(self) -> tuple[int, ...]:
        """Replicas of each side."""
        return tuple(side.replica.replicas for side in self.sides)

    def fleet(self, counts: tuple[int, ...], factor: float = 1.0) -> Fleet:
        """So many replicas of each side, each step `factor` times as long."""
        block, moved = self.asked.deployment, self.transfer
        return Fleet(
            tuple(side.pool(count, factor) for side, count in zip(self.sides, counts, strict=True)),
            block.router,
            transfer_s=0.0 if moved is None else moved.request_s,
            transfer_token_s=0.0 if moved is None else moved.token_s,
            failures=failures_of(block.failures, counts),
        )

    def run(self, *counts: int, factor: float = 1.0, traced: bool = False) -> Timestamps:
        """Timestamps of a fleet with so many replicas of each side."""
        return simulate(
            self.drawn.requests,
            self.fleet(counts, factor),
            seed=self.asked.workload.seed % 2**31,
            concurrency=self.drawn.concurrency,
            trace_steps=TRACE_STEPS if traced else 0,
        )


def setting(asked: Scenario, *replicas: Replica) -> Setting:
    """Tables, schedulers and requests of a scenario on replicas that do both, or on those of two pools."""
    work, last = asked.workload, replicas[-1]
    held = last.kv_capacity_tokens / max(work.input_mean + work.output_mean, 1.0)
    idle = last.replicas * max(int(min(_most_sequences(asked, last), held)), 1)
    drawn = drawn_requests(work, idle, asked.deployment.engine.block_tokens)
    longest = float(np.max(drawn.requests.input_tokens + drawn.requests.output_tokens))
    sides = tuple(_side(asked, replica, longest) for replica in replicas)
    if len(sides) == 1:
        return Setting(sides, drawn, asked)
    load = load_of(asked)
    mix = Mix(load.input_tokens, load.new_tokens, load.output_tokens)
    alone = prompt_alone_s(sides[0].table, mix, sides[0].engine.max_batched_tokens)
    return Setting(sides, drawn, asked, transfer_of(asked, replicas[0], replicas[1], alone))


def _most_sequences(asked: Scenario, replica: Replica) -> int:
    block = asked.deployment.engine
    return min(replica.batch or block.max_sequences, block.max_batched_tokens)


def _side(asked: Scenario, replica: Replica, longest: float) -> Side:
    block, most = asked.deployment.engine, _most_sequences(asked, replica)
    drafted = 0 if replica.drafter is None else replica.drafter.most_tokens
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
    table = step_table(replica.engine, replica.where, Reach(block.max_batched_tokens, most, longest, drafted + 1))
    if replica.drafter is not None:
        table = with_drafts(table, replica.engine, replica.drafter, replica.where)
    return Side(replica, table, engine)


def deployment_row(one: Setting) -> dict[str, Any]:
    """What is simulated, keys as in a plan: of two pools the degrees are those of the decode pool."""
    rows = [side.replica.row() for side in one.sides]
    if one.transfer is None:
        return rows[0] | {"disaggregated": False, "prefill_pool": None, "decode_pool": None, "kv_transfer": None}
    names = list(dict.fromkeys(row["accelerator"] for row in rows))
    return rows[-1] | {
        "accelerator": " + ".join(names),
        "accelerators": sum(row["accelerators"] for row in rows),
        "disaggregated": True,
        "prefill_pool": rows[0],
        "decode_pool": rows[1],
        "kv_transfer": {
            "mean_s": one.transfer.mean_s,
            "seen_s": one.transfer.seen_s,
            "request_s": one.transfer.request_s,
            "token_s": one.transfer.token_s,
            "bytes_per_token": one.transfer.bytes_per_token,
        },
    }


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


def measured(one: Setting, stamps: Timestamps, counts: tuple[int, ...]) -> dict[str, Any]:
    """Everything that a run says of itself, keys as in the answer; use and cache are of the replicas that decode."""
    requests, kept = one.drawn.requests, kept_requests(one.drawn)
    window = window_of(stamps, kept)
    bill = bill_of(one, stamps, counts)
    made = throughput(
        requests, stamps, kept, duration_s=window[1] - window[0], accelerators=bill.accelerators, slo=one.asked.slo
    )
    rows = pool_rows(one, stamps, counts)
    found = latencies(stamps, kept)
    whole = {"in_flight_mean": in_flight_mean(stamps, kept, window=window)}
    return {
        "requests": _counts(one, stamps, kept),
        "latency_ms": latency_ms(found, interval=True) | {"gap": gap_ms(stamps)},
        "throughput": made,
        "utilization": rows[-1]["utilization"] | whole,
        "kv": rows[-1]["kv"] | {"prefix_hit_share": rows[0]["kv"]["prefix_hit_share"]},
        "pools": rows,
        "preemptions": int(stamps.preemptions.sum()),
        "retries": int(stamps.retries.sum()),
        "cost": cost(bill.usd_per_hour, made),
        "stages": [_stage_row(one, stamps, stage, index, counts) for index, stage in enumerate(one.drawn.stages)],
        **_groups(one, stamps, kept, counts),
    }


@dataclass(frozen=True)
class Bill:
    """What is paid for on average over a run."""

    accelerators: float
    usd_per_hour: float | None


def bill_of(one: Setting, stamps: Timestamps, counts: tuple[int, ...]) -> Bill:
    """Accelerators of all sides and their hour; None where one has no price."""
    devices, hourly = 0.0, 0.0
    known = all(side.replica.price is not None for side in one.sides)
    for place, side in enumerate(one.sides):
        mine = side.replica.accelerators * paid_replicas(side.replica, part_of(stamps, counts, place), counts[place])
        devices += mine
        if side.replica.price is not None:
            hourly += float(fleet_usd_per_hour(mine, side.replica.price.usd_per_hour))
    return Bill(devices, hourly if known else None)


def pool_rows(one: Setting, stamps: Timestamps, counts: tuple[int, ...]) -> list[dict[str, Any]]:
    """Each side: what it is, how busy, how full its cache, and what it costs."""
    kept = kept_requests(one.drawn)
    window = window_of(stamps, kept)
    rows: list[dict[str, Any]] = []
    for place, side in enumerate(one.sides):
        part, replica = part_of(stamps, counts, place), side.replica
        paid = paid_replicas(replica, part, counts[place])
        price, block = replica.price, one.engine.block_tokens
        capacity = replica.kv_capacity_tokens
        rows.append(
            {
                "role": replica.role,
                **replica.row(),
                "replicas": counts[place],
                "accelerators": replica.accelerators * counts[place],
                "replicas_mean": paid,
                "boots": int(part.replicas.boots.sum()),
                "utilization": use_of(part, window=window)
                | {"in_flight_mean": in_flight_mean(stamps, kept, window=window, role=replica.role)},
                "kv": kv_use(
                    one.drawn.requests, part, kept, capacity_tokens=capacity, replicas=counts[place], block_tokens=block
                ),
                "usd_per_hour": None if price is None else paid * replica.accelerators * price.usd_per_hour,
            }
        )
    return rows


def _counts(one: Setting, stamps: Timestamps, kept: Mask) -> dict[str, int]:
    served = stamps.served
    return {
        "sent": len(one.drawn.requests),
        "served": int(served.sum()),
        "counted": int((served & kept).sum()),
        "not_served": int((~served).sum()),
    }


def _stage_row(one: Setting, stamps: Timestamps, stage: Stage, index: int, counts: tuple[int, ...]) -> dict[str, Any]:
    requests = one.drawn.requests
    labels = requests.stage
    mine = np.ones(len(requests), dtype=bool) if labels is None else np.asarray(labels) == index
    bill = bill_of(one, stamps, counts)
    made = throughput(
        requests, stamps, mine, duration_s=stage.duration_s, accelerators=bill.accelerators, slo=one.asked.slo
    )
    window = (stage.start_s, stage.start_s + stage.duration_s)
    return {
        "rate": stage.rate,
        "duration_s": stage.duration_s,
        "requests": int(mine.sum()),
        "latency_ms": latency_ms(latencies(stamps, mine)),
        "throughput": made,
        "utilization": use_of(part_of(stamps, counts, len(counts) - 1), window=window)
        | {"in_flight_mean": in_flight_mean(stamps, mine, window=window)},
        "preemptions": int(stamps.preemptions[mine].sum()),
        "cost": cost(bill.usd_per_hour, made),
    }


def _groups(one: Setting, stamps: Timestamps, kept: Mask, counts: tuple[int, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tenant = one.drawn.requests.tenant
    if tenant is not None:
        names = dict(enumerate(one.drawn.tenants))
        found["tenants"] = by_group(stamps, kept, groups=tenant, names=names)
    if sum(counts) > 1:
        first = sum(counts[:-1])
        names = {first + index: str(index) for index in range(counts[-1])}
        found["replicas"] = by_group(stamps, kept, groups=stamps.replica, names=names)
    return found
