"""Latency and throughput of a replica from the pace of its lanes: the queues for a place and for a prompt.

Composes `serving`; knows no step and no layout beyond its lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from costline.answers.search.load import Load
from costline.answers.search.pace import LEAST, Lane, Pace
from costline.quantities import Array, Numeric, as_array
from costline.serving.queueing import sakasegawa_wait_s, sakasegawa_wait_share, schweitzer_response_s, tail_wait_s
from costline.serving.steady import crowded_batch

P99_SIGMA = 2.326
QUANTILE = 0.99
LOAD_ITERATIONS = 4
HALVINGS = 12


@dataclass(frozen=True)
class _Full:
    """A lane whose places are always taken: who decodes, how long a prompt takes, what leaves."""

    lane: Pace
    decoding: Array
    first_token_s: Array
    requests_per_s: Array


def _full(lane: Lane, load: Load, places: Array) -> _Full:
    """A lane with `places` requests in flight at all times: some wait for their prompt or are in it, others decode."""
    decoding = np.maximum(places, LEAST)
    now = lane.pace(decoding)
    first, away = now.own_prefill_s, now.tpot_s * load.decode_steps
    for _ in range(LOAD_ITERATIONS - 1):
        share = now.own_prefill_s / now.prompts
        away = now.tpot_s * load.decode_steps
        first = schweitzer_response_s(places, away, share) + now.own_prefill_s - share
        decoding = np.maximum(places * away / (first + away), LEAST)
        now = lane.pace(decoding)
    return _Full(now, decoding, first, places / (first + away))


def held_batch(tpot_s: Callable[[Array], Array], tokens_per_s: Array, most: Array) -> Array:
    """The batch at which a lane adds `tokens_per_s` tokens in all, by Little's law; `most` where it cannot.

    The batch that a rate holds grows with the batch that sets the pace; the one that holds itself is found by halving,
    because near capacity repeated substitution hardly moves.
    """
    low, high = np.zeros_like(most), most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = tokens_per_s * tpot_s(middle) > middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.clip(tokens_per_s * tpot_s(high), LEAST, most)


def _settled(lane: Lane, load: Load, full: _Full, lane_rate: Array) -> tuple[Pace, Array]:
    """The batch at which a lane serves `lane_rate`, and its pace there."""
    most = np.maximum(full.decoding, LEAST)
    held = held_batch(lambda batch: lane.pace(batch).tpot_s, lane_rate * load.decode_steps, most)
    return lane.pace(held), held


def place_waits(load: Load, stay: Array, *, slots: Array, held: Array) -> tuple[Array, Array]:
    """Mean and p99 of the wait for a place in a batch of `slots` of which `held` are taken for `stay` seconds each."""
    full = np.minimum(held / slots, 1.0)
    place = np.where(stay > 0, sakasegawa_wait_s(slots, full, stay, load.arrival_cv2 + load.length_cv2), 0.0)
    return place, tail_wait_s(place, sakasegawa_wait_share(slots, full), QUANTILE)


def _waits(load: Load, now: Pace, busy: Array, *, slots: Array, held: Array) -> tuple[Array, Array]:
    """Mean and p99 of the wait before a prompt starts: for a place in the batch, then for the prompts ahead."""
    ahead = sakasegawa_wait_s(now.prompts, busy, now.own_prefill_s, load.arrival_cv2)
    behind = tail_wait_s(ahead, sakasegawa_wait_share(now.prompts, busy), QUANTILE)
    place, outside = place_waits(load, now.tpot_s * load.decode_steps, slots=slots, held=held)
    return ahead + place, behind + outside


def operate_lanes(
    lane: Lane, load: Load, lanes: Numeric, batch: Array, *, rate_per_replica: Array | None,
    tokens_a_step: Numeric = 1.0,
) -> dict[str, Array]:  # fmt: skip
    """Latency and throughput of one replica of `lanes` that may hold `batch` requests.

    With `rate_per_replica` (requests/s) the batch settles where it serves that rate; without, it stays full.
    """
    places = as_array(batch) / lanes
    full = _full(lane, load, places)
    now, held, lane_rate = full.lane, full.decoding, full.requests_per_s
    first, crowd = full.first_token_s, held
    queued = np.minimum((first - now.own_prefill_s) * -np.log(1 - QUANTILE), places * now.own_prefill_s / now.prompts)
    first_p99 = now.own_prefill_s + np.maximum(queued, first - now.own_prefill_s)
    if rate_per_replica is not None:
        lane_rate = np.minimum(rate_per_replica / lanes, full.requests_per_s)
        now, held = _settled(lane, load, full, lane_rate)
        share = np.minimum(lane_rate * now.own_prefill_s / now.prompts, 1.0)
        wait, wait_p99 = _waits(load, now, share, slots=places, held=held)
        crowd = np.minimum(crowded_batch(held, P99_SIGMA), np.maximum(places, held))
        first, first_p99 = now.own_prefill_s + wait, now.own_prefill_s + wait_p99
    step = now.decode_step_s
    tpot_p99 = lane.pace(crowd).decode_step_s / tokens_a_step + (now.tpot_s - step / tokens_a_step)
    lower_bound, bound = lane.limits(held)
    return {
        "capacity_requests_per_s": lanes * full.requests_per_s,
        "requests_per_s": lane_rate * lanes,
        "running_batch": held * lanes,
        "decode_step_s": step,
        "decode_lower_bound_s": lower_bound / tokens_a_step,
        "ttft_s": first + step / 2,
        "ttft_p99_s": np.maximum(first_p99, first) + step,
        "tpot_s": now.tpot_s,
        "tpot_p99_s": np.maximum(tpot_p99, now.tpot_s),
        "prefill_share": np.minimum(lane_rate * now.own_prefill_s / now.prompts, 1.0),
        "bound": as_array(bound),
    }
