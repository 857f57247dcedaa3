"""What a load generator would measure on one replica: clients in a closed loop, with the range that residuals give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.search.columns import Engine, room
from costline.architecture.sharding import Layout
from costline.catalog.residuals import interval_of, model_class
from costline.catalog.step_overheads import StepOverheads, step_overheads
from costline.forward.step_parts import StepAxes, step_parts
from costline.quantities import Array, as_array
from costline.serving.closed_loop import ClosedLoop, Latencies, StepTables, closed_loop_latencies

MOST_TOKENS, MOST_SEQUENCES, MOST_CONTEXT = 20_000, 2048, 140_000
"""Ends of the axes; beyond, their last lines go on."""


@dataclass(frozen=True)
class Asked:
    """A closed loop as a question states it; None = what the engine does."""

    input_tokens: float
    output_tokens: float
    concurrency: float
    cached_tokens: float = 0.0
    length_spread: float = 0.1
    max_batched_tokens: float | None = None
    stream_interval: float | None = None


def loop_axes() -> StepAxes:
    """Axes for one loop: coarse where steps change slowly."""

    def rising(dense: int, most: int, points: int) -> Array:
        return as_array(np.unique(np.r_[np.arange(1, dense), np.geomspace(dense, most, points).round()]))

    context = as_array(np.unique(np.r_[0.0, 128.0, np.geomspace(256, MOST_CONTEXT, 24).round()]))
    prompts = as_array(np.unique(np.r_[1.0, np.geomspace(16, MOST_TOKENS, 24).round()]))
    return StepAxes(rising(9, MOST_TOKENS, 36), rising(5, MOST_SEQUENCES, 26), context, prompts, context)


def step_tables(engine: Engine, where: Layout) -> StepTables:
    """A lane's step as tables."""
    axes = loop_axes()
    parts = step_parts(engine.model, where, engine.formats, engine.rates, axes)
    flat = np.ascontiguousarray
    return StepTables(
        tokens_at=axes.tokens,
        tokens_s=flat(parts.tokens_s),
        sequences_at=axes.sequences,
        outputs_s=flat(parts.outputs_s),
        context_at=axes.context_tokens,
        decode_attention_s=flat(parts.decode_attention_s),
        prompt_at=axes.prompt_tokens,
        prefill_attention_s=flat(parts.prefill_attention_s),
        step_s=parts.step_s,
        mixed_s=parts.mixed_s,
        request_s=parts.request_s,
    )


def _overheads(engine: Engine) -> StepOverheads:
    machine = engine.rates.machine
    return machine.overheads if machine else step_overheads(engine.site.engine.engine)


def loop_of(engine: Engine, asked: Asked, where: Layout, most: float) -> ClosedLoop:
    """The loop of one lane: its share of the clients, and the engine's way with prompts and streams."""
    overheads = _overheads(engine)
    latent = any(group.attention and group.attention.latent for group in engine.model.layers)
    interval = asked.stream_interval or (overheads.latent_stream_interval if latent else 1.0)
    lanes = float(where.pp)
    plain = ClosedLoop(max(round(asked.concurrency / lanes), 1), asked.input_tokens, asked.output_tokens)
    chunk = asked.max_batched_tokens or plain.max_batched_tokens
    return ClosedLoop(
        clients=plain.clients,
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        cached_tokens=asked.cached_tokens,
        length_spread=asked.length_spread,
        max_batched_tokens=chunk * float(where.dp),
        max_sequences=float(np.clip(most / lanes, 1.0, plain.max_sequences)),
        prompts_first=overheads.prompts_first,
        stream_interval=interval,
    )


def throughput_tokens_per_s(asked: Asked, found: Latencies) -> float:
    """Output tokens per second of all clients: Little's law over the time of one request."""
    return asked.concurrency * asked.output_tokens / (found.ttft_s + found.tpot_s * (asked.output_tokens - 1))


def serving_block(
    engine: Engine, asked: Asked, where: Layout, bounds: tuple[float, float], *, calibrated: bool
) -> dict[str, Any]:
    """Latency and throughput of a closed loop, each with its range; `bounds` are the least step and first token."""
    most = float(room(engine, where, asked.input_tokens + asked.output_tokens)["max_batch"])
    found = closed_loop_latencies(loop_of(engine, asked, where, most), step_tables(engine, where))
    rate, devices = throughput_tokens_per_s(asked, found), float(where.devices)
    values = {"ttft_s": found.ttft_s, "tpot_s": found.tpot_s, "output_tokens_per_s": rate}
    return {
        **values,
        "tokens_per_s_per_accelerator": rate / devices,
        "e2e_s": found.ttft_s + found.tpot_s * (asked.output_tokens - 1),
        "concurrency": asked.concurrency,
        "input_tokens": asked.input_tokens,
        "output_tokens": asked.output_tokens,
        "saturated": bool(asked.concurrency > most),
    } | ({"interval": _ranges(engine, asked, values, bounds, devices)} if calibrated else {})


def _ranges(
    engine: Engine, asked: Asked, values: Mapping[str, float], bounds: tuple[float, float], devices: float
) -> dict[str, dict[str, float]]:
    """p10 and p90 of each value, within what the bounds allow."""
    kind, chip = model_class(engine.model), engine.site.chip
    least_request_s = bounds[1] + bounds[0] * (asked.output_tokens - 1)
    fastest = asked.concurrency * asked.output_tokens / least_request_s
    limits = {"ttft_s": (bounds[1], np.inf), "tpot_s": (bounds[0], np.inf), "output_tokens_per_s": (0.0, fastest)}
    keys = {"ttft_s": "ttft", "tpot_s": "tpot", "output_tokens_per_s": "throughput"}
    ranges = {
        name: interval_of(value, chip, kind, keys[name], low=limits[name][0], high=limits[name][1])
        for name, value in values.items()
    }
    each = {name: value / devices for name, value in ranges["output_tokens_per_s"].items()}
    return {**ranges, "tokens_per_s_per_accelerator": each}
