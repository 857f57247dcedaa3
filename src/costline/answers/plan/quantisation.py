"""What each number format of a plan does, one effect at a time: room for sequences, memory traffic, rate of arithmetic.

A row compares two replicas that differ in one effect alone: weights that take the room of 16 bits but are read narrow,
say. Its numbers are factors, with the effect over without it, at batches that fill memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, load_of
from costline.answers.search.columns import Engine, room
from costline.answers.search.pool_reasons import decode_at, prefill_at
from costline.answers.search.reasons import lane_at
from costline.answers.search.speculative import room_with_draft
from costline.architecture.formats import FORMATS
from costline.architecture.operations import Formats
from costline.architecture.sharding import layout
from costline.quantities import BITS_PER_BYTE

WIDE = "bf16"
NARROW = "fp8"
WIDE_BITS = 2 * BITS_PER_BYTE


@dataclass(frozen=True)
class Effect:
    """Two replicas: formats in which they compute, formats that say how many sequences fit, with it and without."""

    change: str
    chosen: bool
    runs: tuple[Formats, Formats]
    fits: tuple[Formats, Formats]


def _is_narrow(name: str) -> bool:
    return FORMATS[name].bits < WIDE_BITS


def effects(formats: Formats, label: str, has_narrow_arithmetic: bool) -> Iterator[Effect]:
    """Every effect of the plan's formats; of a part that is still 16 bits wide, what narrow numbers would do."""
    narrow = any(_is_narrow(name) for name in formats.weights.values())
    weights = formats if narrow else replace(formats, weights={"": NARROW})
    yield from _of_weights(weights, label if narrow else NARROW, chosen=narrow)
    if has_narrow_arithmetic or _is_narrow(formats.activations):
        chosen = _is_narrow(formats.activations)
        quick = weights if chosen else replace(weights, activations=NARROW)
        pair = quick, replace(quick, activations=WIDE)
        yield Effect(f"{quick.activations} arithmetic: rate", chosen, pair, (formats, formats))
    chosen = _is_narrow(formats.kv)
    cache = formats if chosen else replace(formats, kv=NARROW)
    wide = replace(cache, kv=WIDE)
    yield Effect(f"{cache.kv} cache: room", chosen, (cache, cache), (cache, wide))
    yield Effect(f"{cache.kv} cache: traffic", chosen, (cache, wide), (cache, cache))


def _of_weights(formats: Formats, label: str, *, chosen: bool) -> Iterator[Effect]:
    wide = replace(formats, weights={"": WIDE})
    yield Effect(f"{label} weights: room", chosen, (formats, formats), (formats, wide))
    slow = replace(formats, activations=WIDE), replace(wide, activations=WIDE)
    yield Effect(f"{label} weights: traffic", chosen, slow, (formats, formats))


@dataclass(frozen=True)
class _Replica:
    """A row's replica of sequences, in other formats."""

    group: Candidates
    row: int
    scenario: Scenario

    def engine(self, formats: Formats) -> Engine:
        return replace(self.group.engine, formats=formats)

    def places(self, formats: Formats) -> float:
        """Sequences for which there is room."""
        group, columns = self.group, self.group.columns
        where = layout(*(columns[name][self.row] for name in ("tp", "pp", "dp", "ep")))
        context, engine = load_of(self.scenario).full_context_tokens, self.engine(formats)
        space = (
            room_with_draft(engine, group.drafter, where, context) if group.drafter else room(engine, where, context)
        )
        return float(space["max_batch"])

    def held(self, formats: Formats) -> float:
        """Sequences that it holds at most: what fits, within the engine's limit."""
        return min(self.places(formats), float(self.scenario.deployment.engine.max_sequences))

    def times(self, formats: Formats, batch: float) -> tuple[float, float, float]:
        """Seconds of a decode step and of a prompt, and what a request costs, in any unit."""
        engine, group = self.engine(formats), self.group
        if group.prefill is None:
            lane = lane_at(group, self.row, self.scenario, batch, engine)
            return float(lane.decode.expected_s), float(lane.own_prefill_s), float(lane.cycle_s)
        before = replace(group.prefill.engine, formats=formats)
        prompt = float(prefill_at(group, self.row, self.scenario, before).expected_s)
        step = float(decode_at(group, self.row, self.scenario, engine, batch=batch).expected_s)
        return step, prompt, self._bill(prompt, step / batch)

    def _bill(self, prompt_s: float, token_s: float) -> float:
        """Time of both pools, each weighed by its price and size."""
        group, formats = self.group, self.group.option.formats
        batch = self.held(formats)
        now = float(prefill_at(group, self.row, self.scenario).expected_s)
        step = float(decode_at(group, self.row, self.scenario, batch=batch).expected_s) / batch
        share = float(group.columns["prefill_share"][self.row])
        return share * prompt_s / now + (1 - share) * token_s / step


def quantisation(group: Candidates, row: int, scenario: Scenario) -> list[dict[str, Any]]:
    """The plan's formats apart: for each effect factors of capacity, decode step, prefill and cost at full batches.

    A factor is None where the plan would not fit without the effect.
    """
    replica = _Replica(group, row, scenario)
    option, chip = group.option, group.site.chip
    found = effects(option.formats, option.label, bool(chip.dense_flop_per_s.get(NARROW)))
    return [_row(replica, effect) for effect in found]


def _row(replica: _Replica, effect: Effect) -> dict[str, Any]:
    places = [replica.places(formats) for formats in effect.fits]
    held = [replica.held(formats) for formats in effect.fits]
    out: dict[str, Any] = {"change": effect.change, "chosen": effect.chosen}
    names = ("decode_step", "prefill", "usd_per_mtok")
    if not all(held):
        return out | dict.fromkeys(("capacity", *names))
    capacity = places[0] / places[1] if np.isfinite(places[1]) else 1.0
    times = [replica.times(formats, batch) for formats, batch in zip(effect.runs, held, strict=True)]
    return out | {"capacity": capacity, **{n: a / b for n, a, b in zip(names, *times, strict=True)}}
