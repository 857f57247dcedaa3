"""Load curves of what is simulated, whole fleets: equal replicas, or a prefill pool, its network and a decode pool.

Closed forms on step tables; the simulation is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from costline.answers.simulate.knee import LoadCurve, Mix, load_curve, prompt_alone_s, prompt_share_s
from costline.answers.simulate.run import Setting, Side
from costline.quantities import Array
from costline.serving.queueing import allen_cunneen_wait_s
from costline.serving.timestamps import Timestamps

LATE_STEPS = {True: 2.5, False: 1.5}
"""Steps to a first token: the rest of a running one, one more that is queued already if asynchronous, the own."""
NEAR_GAIN = 0.5
"""Gain from which the answer says that it is near saturation: errors of a step at least double."""
LOADS = 128
BUSIEST = 0.995
"""Of the most that a prefill replica reads: beyond, its queue has no end."""


@dataclass(frozen=True)
class Curves:
    """Where a fleet tips over, and which part of it."""

    together: LoadCurve
    """Rates are of the whole fleet; the batch is that of one replica that decodes."""
    capacity: tuple[float, ...]
    """Most requests per second of each side."""
    limit: str
    """max_sequences, cache or feedback; of two pools prefill_pool, decode_pool or kv_transfer."""


def curves_of(one: Setting, stamps: Timestamps) -> Curves:
    """The load curves of a setting for the mean request of the run."""
    mix, spread = mean_request(one, stamps)
    if one.transfer is None:
        curve = _scaled(_decoding(one, one.sides[0], mix), one.counts[0])
        return Curves(curve, (float(curve.rate[-1]),), _limit(one, curve, mix))
    prefill, decode = one.sides
    giving = _scaled(_prompts(prefill, mix, spread), one.counts[0])
    rest = replace(mix, new_tokens=0.0, output_tokens=max(mix.output_tokens - 1, 1.0))
    taking = _scaled(_decoding(one, _without_prompts(decode), rest), one.counts[1])
    network = min(rate * count for rate, count in zip(one.transfer.requests_per_s, one.counts, strict=True))
    curve = _together(giving, taking, network, one.transfer.seen_s)
    limits = {"prefill_pool": giving, "decode_pool": taking}
    tips = {name: float(each.rate[each.knee]) for name, each in limits.items()} | {"kv_transfer": network}
    return Curves(curve, (float(giving.rate[-1]), float(taking.rate[-1])), min(tips, key=lambda name: tips[name]))


def mean_request(one: Setting, stamps: Timestamps) -> tuple[Mix, float]:
    """The mean request that was served, and the squared coefficient of variation of what of prompts was computed."""
    requests, served = one.drawn.requests, stamps.served
    mine = served if served.any() else np.ones(len(requests), dtype=bool)
    prompts, answers = float(requests.input_tokens[mine].mean()), float(requests.output_tokens[mine].mean())
    found = stamps.cached_tokens[mine] if served.any() else np.zeros(1)
    new = np.maximum(requests.input_tokens[mine] - found, 1.0)
    drafter = one.replica.drafter
    kept = 1.0 if drafter is None else float(drafter.tokens(drafter.most_tokens))
    mix = Mix(prompts, max(prompts - float(found.mean()), 1.0), answers, kept)
    return mix, float(np.var(new) / np.mean(new) ** 2)


def _prompts(side: Side, mix: Mix, spread: float) -> LoadCurve:
    """A prefill replica as one server whose prompts come at random."""
    alone = prompt_alone_s(side.table, mix, side.engine.max_batched_tokens)
    full = min(float(side.engine.max_batched_tokens), side.replica.kv_capacity_tokens)
    busy = min(prompt_share_s(side.table, mix, full), alone)
    used = np.linspace(1 / LOADS, BUSIEST, LOADS)
    wait = allen_cunneen_wait_s(used, busy, 1.0, spread)
    first = alone + wait + side.table.request_s
    rate = used / busy
    growth = np.gradient(np.log(first), np.log(rate))
    return LoadCurve(rate * first, rate, first, np.zeros(LOADS), first, growth / (1 + growth), wait)


def _decoding(one: Setting, side: Side, mix: Mix) -> LoadCurve:
    held = side.replica.kv_capacity_tokens / (mix.input_tokens + mix.output_tokens / 2)
    return load_curve(
        side.table,
        mix,
        most=max(int(min(side.engine.max_sequences, held)), 1),
        chunk_tokens=side.engine.max_batched_tokens,
        late_steps=LATE_STEPS[side.engine.async_scheduling],
    )


def _without_prompts(side: Side) -> Side:
    table = side.table
    bare = replace(table, mixed_s=0.0, prefill_attention_s=np.zeros_like(table.prefill_attention_s), request_s=0.0)
    return replace(side, table=bare)


def _scaled(curve: LoadCurve, count: int) -> LoadCurve:
    return replace(curve, rate=curve.rate * count)


def _together(giving: LoadCurve, taking: LoadCurve, network: float, moved_s: float) -> LoadCurve:
    """Both pools at one rate: times add up, and the pool that is nearer to its end gives the gain."""
    most = min(float(giving.rate[-1]), float(taking.rate[-1]), network)
    rate = np.linspace(most / LOADS, most, LOADS)

    def at(curve: LoadCurve, values: Array) -> Array:
        return np.interp(rate, curve.rate, values)

    first = at(giving, giving.ttft_s)
    return LoadCurve(
        batch=at(taking, taking.batch),
        rate=rate,
        e2e_s=first + moved_s + at(taking, taking.e2e_s),
        tpot_s=at(taking, taking.tpot_s),
        ttft_s=first,
        gain=np.maximum(at(giving, giving.gain), at(taking, taking.gain)),
        wait_s=at(taking, taking.wait_s),
    )


def _limit(one: Setting, curve: LoadCurve, mix: Mix) -> str:
    if curve.gain[curve.knee] >= NEAR_GAIN and curve.knee < curve.batch.size - 1:
        return "feedback"
    held = one.replica.kv_capacity_tokens / (mix.input_tokens + mix.output_tokens / 2)
    return "max_sequences" if held > one.engine.max_sequences else "cache"
