"""What a simulated run measured, as the rows of an answer: latencies, throughput, use of the machine, money.

Timestamps in, plain values out. Knows no physics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costline.answers.scenario import SloBlock
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import HOUR_S, MILLI, Array, as_array
from costline.serving.fleet import Role
from costline.serving.metrics import (
    e2e_s,
    goodput_per_s,
    independent_samples,
    meets,
    percentile_interval,
    queue_s,
    time_mean,
    tpot_s,
    ttft_s,
)
from costline.serving.requests import Integers, Requests
from costline.serving.timestamps import Timestamps

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Latencies:
    """Latencies of the requests that were served [s], in order of arrival."""

    ttft: Array
    tpot: Array
    e2e: Array
    queue: Array

    def by_name(self) -> dict[str, Array]:
        """As the answer names them; the mean gap between a request's tokens is its time per output token."""
        return {"ttft": self.ttft, "tpot": self.tpot, "itl": self.tpot, "e2e": self.e2e, "queue": self.queue}


def latencies(stamps: Timestamps, mask: Mask) -> Latencies:
    """Latencies of the served requests of a mask."""
    kept = mask & stamps.served
    arrival = stamps.arrival_s[kept]
    first, whole = ttft_s(arrival, stamps.first_token_s[kept]), e2e_s(arrival, stamps.finished_s[kept])
    gaps = tpot_s(whole, first, as_array(stamps.output_tokens[kept]))
    return Latencies(first, gaps, whole, queue_s(arrival, stamps.admitted_s[kept]))


def distribution_ms(values_s: Array, *, interval: bool) -> dict[str, Any]:
    """Mean and percentiles in milliseconds, with the interval that chance leaves to the percentiles."""
    known = values_s[np.isfinite(values_s)]
    if not known.size:
        return dict.fromkeys(("mean", *PERCENTILES))
    ordered = np.sort(known)
    places = np.array(list(PERCENTILES.values())) * (ordered.size - 1)
    found: dict[str, Any] = {"mean": float(np.mean(known)) / MILLI}
    values_ms = np.interp(places, np.arange(ordered.size), ordered) / MILLI
    found |= dict(zip(PERCENTILES, values_ms.tolist(), strict=True))
    if interval:
        samples = independent_samples(known)
        found["interval"] = {
            name: [bound / MILLI for bound in percentile_interval(ordered, share, samples)]
            for name, share in PERCENTILES.items()
        }
    return found


def latency_ms(found: Latencies, *, interval: bool = False) -> dict[str, Any]:
    """`latency_ms` of an answer."""
    values = found.by_name()
    rows = {name: distribution_ms(values[name], interval=interval) for name in values if name != "itl"}
    return {name: rows["tpot" if name == "itl" else name] for name in values}


def attainment(found: Latencies, slo: SloBlock) -> dict[str, Any]:
    """Share of requests within each target, and within all."""
    targets = {"ttft": slo.ttft_p99_ms, "tpot": slo.tpot_p99_ms, "e2e": slo.e2e_p99_ms}
    values = found.by_name()
    good = np.ones(found.e2e.shape, dtype=bool)
    shares: dict[str, Any] = {}
    for name, target in targets.items():
        if target is not None:
            within = meets(values[name], target * MILLI) | ((name == "tpot") & np.isnan(values[name]))
            good &= within
            shares[name] = float(np.mean(within)) if within.size else None
    return {**shares, "all": float(np.mean(good)) if good.size else None, "good": good}


def throughput(
    requests: Requests, stamps: Timestamps, mask: Mask, *, duration_s: float, accelerators: float, slo: SloBlock
) -> dict[str, Any]:
    """Requests and tokens a second over a time; tokens/s counts output unless named `total_` or `input_`."""
    kept = mask & stamps.served
    output, prompt = float(stamps.output_tokens[kept].sum()), float(requests.input_tokens[kept].sum())
    met = attainment(latencies(stamps, mask), slo)["good"]
    return {
        "requests_per_s": float(kept.sum()) / duration_s,
        "output_tokens_per_s": output / duration_s,
        "input_tokens_per_s": prompt / duration_s,
        "total_tokens_per_s": (output + prompt) / duration_s,
        "output_tokens_per_s_per_accelerator": output / duration_s / accelerators,
        "goodput_requests_per_s": goodput_per_s(met, duration_s),
    }


def use_of(stamps: Timestamps, *, window: tuple[float, float], role: Role, replicas: int) -> dict[str, Any]:
    """Batch, queue and busy time over a window of time, means by replica.

    Samples are taken while a replica works; what they say is spread over the time in which it had nothing to do.
    """
    line = stamps.timeline
    inside = (line.time_s >= window[0]) & (line.time_s < window[1])
    if not inside.any():
        inside = np.ones(line.time_s.shape, dtype=bool)
    lasting = _lasting_s(line.time_s, line.replica)[inside]
    working = time_mean(as_array(line.running[inside]), lasting)
    batch = batch_mean(stamps, window=window, role=role, replicas=replicas)
    awake = min(batch / working, 1.0) if working > 0 else 0.0
    return {
        "busy": float(stamps.replicas.busy_s.sum() / max(stamps.replicas.on_s.sum(), 1e-9)),
        "batch_mean": _or_none(batch),
        "batch_peak": int(line.running[inside].max(initial=0)),
        "waiting_mean": _or_none(awake * time_mean(as_array(line.waiting[inside]), lasting)),
        "waiting_peak": int(line.waiting[inside].max(initial=0)),
        "awake": _or_none(awake),
    }


def batch_mean(stamps: Timestamps, *, window: tuple[float, float], role: Role, replicas: int) -> float:
    """Requests that one replica works on, mean over a window of time."""
    came = (stamps.first_token_s if role == "decode" else stamps.admitted_s)[stamps.served]
    left = (stamps.first_token_s if role == "prefill" else stamps.finished_s)[stamps.served]
    held = np.maximum(np.minimum(left, window[1]) - np.maximum(came, window[0]), 0.0)
    return float(np.nansum(held)) / max((window[1] - window[0]) * replicas, 1e-9)


def in_flight_mean(stamps: Timestamps, mask: Mask, *, window: tuple[float, float], role: Role = "both") -> float | None:
    """Requests of a mask in the service, mean over a window of time; of two pools until or from the first token."""
    kept = mask & stamps.served
    came = (stamps.first_token_s if role == "decode" else stamps.arrival_s)[kept]
    left = (stamps.first_token_s if role == "prefill" else stamps.finished_s)[kept]
    held = float(np.sum(np.maximum(np.minimum(left, window[1]) - came, 0.0)))
    span = window[1] - window[0]
    return held / span if span > 0 else None


def kv_use(
    requests: Requests, stamps: Timestamps, mask: Mask, *, capacity_tokens: float, replicas: int, block_tokens: int,
    awake: float,
) -> dict[str, Any]:  # fmt: skip
    """The cache of all replicas, each with a capacity: how full, and how much of the prompts was found in it.

    The peak is that of the fullest replica; samples hold for the `awake` share of the time.
    """
    line = stamps.timeline
    prompts = float(requests.input_tokens[mask & stamps.served].sum())
    found = float(stamps.cached_tokens[mask & stamps.served].sum())
    held = as_array(line.kv_blocks) * block_tokens
    mean = awake * replicas * time_mean(held, _lasting_s(line.time_s, line.replica))
    peak = float(np.max(held, initial=0.0))
    whole = replicas * capacity_tokens
    return {
        "capacity_tokens": whole if np.isfinite(whole) else None,
        "mean_tokens": _or_none(mean),
        "peak_tokens": peak,
        "mean_use": _or_none(mean / whole),
        "peak_use": _or_none(peak / capacity_tokens),
        "prefix_hit_share": found / prompts if prompts else None,
    }


def gap_ms(stamps: Timestamps) -> dict[str, Any]:
    """Single gaps between tokens, over all tokens of the run, in milliseconds: from a histogram."""
    counts, edges = stamps.itl_tokens, stamps.itl_edges_s
    total = float(counts.sum())
    if total <= 0:
        return dict.fromkeys(("mean", *PERCENTILES))
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts) / total
    found: dict[str, Any] = {"mean": float(counts @ middle) / total / MILLI}
    found |= {name: float(middle[np.searchsorted(below, share)]) / MILLI for name, share in PERCENTILES.items()}
    return found


def by_group(stamps: Timestamps, mask: Mask, *, groups: Integers, names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Latencies of each tenant or replica."""
    rows: list[dict[str, Any]] = []
    for index, name in names.items():
        mine = mask & (groups == index)
        rows.append({"name": name, "requests": int(mine.sum()), "latency_ms": latency_ms(latencies(stamps, mine))})
    return rows


def cost(usd_per_hour: float | None, made: Mapping[str, Any]) -> dict[str, Any]:
    """What a token costs at this load: the fleet's hour over what it served in one."""
    if usd_per_hour is None:
        return dict.fromkeys(("usd_per_hour", "usd_per_mtok", "usd_per_mtok_total", "usd_per_request"))
    rate = made["requests_per_s"]
    return {
        "usd_per_hour": usd_per_hour,
        "usd_per_mtok": _price(usd_per_hour, made["output_tokens_per_s"]),
        "usd_per_mtok_total": _price(usd_per_hour, made["total_tokens_per_s"]),
        "usd_per_request": usd_per_hour / HOUR_S / rate if rate > 0 else None,
    }


def _price(usd_per_hour: float, tokens_per_s: float) -> float | None:
    return float(usd_per_mtok(usd_per_hour, tokens_per_s)) if tokens_per_s > 0 else None


def _lasting_s(time_s: Array, replica: Integers) -> Array:
    """How long each sample held: to the next one of its replica; the last one of each counts nothing."""
    order = np.lexsort((time_s, replica))
    lasting = np.zeros(time_s.size)
    if time_s.size > 1:
        ahead, behind = order[1:], order[:-1]
        same = replica[ahead] == replica[behind]
        lasting[behind] = np.where(same, time_s[ahead] - time_s[behind], 0.0)
    return lasting


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
