"""What a simulated run says of itself as plain values: of the whole, of each pool, stage, tenant and replica.

Composes the measures of `measures` with what is paid for. Knows no file and no layout on a screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.simulate.arriving import Stage
from costline.answers.simulate.fleet import paid_replicas, part_of
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
from costline.answers.simulate.run import Setting, kept_requests
from costline.money.price import fleet_usd_per_hour
from costline.serving.timestamps import Timestamps


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
        use = use_of(part, window=window, role=replica.role, replicas=counts[place])
        awake = use.pop("awake") or 0.0
        rows.append(
            {
                "role": replica.role,
                **replica.row(),
                "replicas": counts[place],
                "accelerators": replica.accelerators * counts[place],
                "replicas_mean": paid,
                "boots": int(part.replicas.boots.sum()),
                "utilization": use
                | {"in_flight_mean": in_flight_mean(stamps, kept, window=window, role=replica.role)},
                "kv": kv_use(
                    one.drawn.requests,
                    part,
                    kept,
                    capacity_tokens=capacity,
                    replicas=counts[place],
                    block_tokens=block,
                    awake=awake,
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
    last = len(counts) - 1
    role = one.sides[last].replica.role
    use = use_of(part_of(stamps, counts, last), window=window, role=role, replicas=counts[last])
    del use["awake"]
    return {
        "rate": stage.rate,
        "start_s": stage.start_s,
        "duration_s": stage.duration_s,
        "requests": int(mine.sum()),
        "latency_ms": latency_ms(latencies(stamps, mine)),
        "throughput": made,
        "utilization": use
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
