"""Fills the columns of a search where every step is a round of speculation: the counterpart of `columns.operate`.

The steady state is that of rounds: a request takes D / E of them, E tokens each, instead of D steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from costline.answers.search.columns import LEAST, LOAD_ITERATIONS, P99_SIGMA, QUANTILE, Engine, Load, Steady
from costline.answers.search.speculative import Drafter, together
from costline.architecture.operations import Segment, decode_segment
from costline.architecture.sharding import Layout
from costline.forward.steps import step_time
from costline.quantities import Array, as_array
from costline.serving.queueing import sakasegawa_wait_s, sakasegawa_wait_share, schweitzer_response_s, tail_wait_s
from costline.serving.steady import crowded_batch, loaded_tpot_s, long_step_share, request_cycle_s


def speculative_state(
    engine: Engine, drafter: Drafter, load: Load, where: Layout, *, lane_batch: Array, draft_tokens: Array
) -> Steady:
    """A lane that decodes `lane_batch` sequences in rounds and takes in prompts, which the draft reads too."""
    batch, k = np.maximum(as_array(lane_batch), LEAST), as_array(draft_tokens)
    rounds = load.decode_steps / drafter.tokens(k)
    context = load.mean_context_tokens
    verify = decode_segment(batch, context, k + 1)
    drafting = drafter.step(engine, decode_segment(batch, context), where)
    alone = step_time(engine.model, [verify], where, engine.formats, engine.rates)
    alone = together(alone, drafting, k * where.pp)
    space = np.maximum(load.chunk_tokens - batch * (k + 1) / where.dp, 1.0)
    chunks = np.ceil(load.new_tokens / space)
    finished = batch / where.dp / np.maximum(rounds, 1.0)
    prompts = where.dp * np.clip(finished, 1.0, np.maximum(space / load.new_tokens, 1.0))
    prompt = Segment(prompts / chunks, as_array(load.new_tokens), as_array(load.cached_tokens), as_array(1.0))
    mixed = step_time(engine.model, [verify, prompt], where, engine.formats, engine.rates)
    mixed = together(mixed, drafting, k * where.pp)
    mixed = together(mixed, drafter.step(engine, prompt, where), where.pp)
    cycle = request_cycle_s(
        batch,
        rounds,
        chunks / prompts,
        decode_step_s=alone.expected_s,
        chunk_step_s=mixed.expected_s,
        lanes=where.pp,
    )
    steps = np.maximum(rounds / batch, chunks / prompts)
    return Steady(
        decode=alone,
        mixed=mixed,
        chunks=chunks,
        prompts=prompts,
        steps=steps,
        mixed_steps=steps * long_step_share(chunks / prompts / steps, where.pp),
        cycle_s=cycle,
        tpot_s=loaded_tpot_s(cycle, batch, load.decode_steps),
    )


@dataclass(frozen=True)
class _Full:
    """A lane whose places are always taken."""

    lane: Steady
    decoding: Array
    first_token_s: Array
    requests_per_s: Array


def _full(at: Callable[[Array], Steady], load: Load, places: Array) -> _Full:
    decoding = places
    lane = at(decoding)
    first, away = lane.own_prefill_s, lane.tpot_s * load.decode_steps
    for _ in range(LOAD_ITERATIONS - 1):
        share = lane.own_prefill_s / lane.prompts
        away = lane.tpot_s * load.decode_steps
        first = schweitzer_response_s(places, away, share) + lane.own_prefill_s - share
        decoding = np.maximum(places * away / (first + away), LEAST)
        lane = at(decoding)
    return _Full(lane, decoding, first, places / (first + away))


def _settled(at: Callable[[Array], Steady], load: Load, full: _Full, lane_rate: Array) -> tuple[Steady, Array]:
    """The batch at which a lane serves `lane_rate`, by Little's law over the decode phase."""
    held = np.maximum(full.decoding * np.minimum(lane_rate / full.requests_per_s, 1.0), LEAST)
    lane = full.lane
    for _ in range(LOAD_ITERATIONS):
        lane = at(held)
        held = np.clip(lane_rate * lane.tpot_s * load.decode_steps, LEAST, np.maximum(full.decoding, LEAST))
    return lane, held


def _waits(load: Load, now: Steady, busy: Array, *, slots: Array, held: Array) -> tuple[Array, Array]:
    """Mean and p99 of the wait before a prompt starts: for a place in the batch, then for the prompts ahead."""
    ahead = sakasegawa_wait_s(now.prompts, busy, now.own_prefill_s, load.arrival_cv2)
    behind = tail_wait_s(ahead, sakasegawa_wait_share(now.prompts, busy), QUANTILE)
    place, outside = place_waits(load, now.tpot_s * load.decode_steps, slots=slots, held=held)
    return ahead + place, behind + outside


def place_waits(load: Load, stay: Array, *, slots: Array, held: Array) -> tuple[Array, Array]:
    """Mean and p99 of the wait for a place in a batch of `slots` of which `held` are taken for `stay` seconds each."""
    full = np.minimum(held / slots, 1.0)
    place = np.where(stay > 0, sakasegawa_wait_s(slots, full, stay, load.arrival_cv2 + load.length_cv2), 0.0)
    return place, tail_wait_s(place, sakasegawa_wait_share(slots, full), QUANTILE)


def operate_in_rounds(
    engine: Engine, drafter: Drafter, load: Load, where: Layout, *, batch: Array, draft_tokens: Array,
    rate_per_replica: Array | None,
) -> dict[str, Array]:  # fmt: skip
    """Latency and throughput of one replica that speculates; the same columns as `columns.operate`."""

    def at(lane_batch: Array) -> Steady:
        return speculative_state(engine, drafter, load, where, lane_batch=lane_batch, draft_tokens=draft_tokens)

    tokens = drafter.tokens(draft_tokens)
    places = as_array(batch) / where.pp
    full = _full(at, load, places)
    now, held, lane_rate = full.lane, full.decoding, full.requests_per_s
    first, crowd = full.first_token_s, held
    queued = np.minimum((first - now.own_prefill_s) * -np.log(1 - QUANTILE), places * now.own_prefill_s / now.prompts)
    first_p99 = now.own_prefill_s + np.maximum(queued, first - now.own_prefill_s)
    if rate_per_replica is not None:
        lane_rate = np.minimum(rate_per_replica / where.pp, full.requests_per_s)
        now, held = _settled(at, load, full, lane_rate)
        share = np.minimum(lane_rate * now.own_prefill_s / now.prompts, 1.0)
        wait, wait_p99 = _waits(load, now, share, slots=places, held=held)
        crowd = np.minimum(crowded_batch(held, P99_SIGMA), np.maximum(places, held))
        first, first_p99 = now.own_prefill_s + wait, now.own_prefill_s + wait_p99
    busy = np.minimum(lane_rate * now.own_prefill_s / now.prompts, 1.0)
    half_round = now.decode.expected_s / 2
    tpot_p99 = at(crowd).decode.expected_s / tokens + (now.tpot_s - now.decode.expected_s / tokens)
    return {
        "capacity_requests_per_s": where.pp * full.requests_per_s,
        "requests_per_s": lane_rate * where.pp,
        "running_batch": held * where.pp,
        "decode_step_s": now.decode.expected_s,
        "decode_lower_bound_s": now.decode.lower_bound_s / tokens,
        "ttft_s": first + half_round,
        "ttft_p99_s": np.maximum(first_p99, first) + 2 * half_round,
        "tpot_s": now.tpot_s,
        "tpot_p99_s": np.maximum(tpot_p99, now.tpot_s),
        "prefill_share": busy,
        "bound": as_array(now.bound),
    }
