"""Lanes whose pace is read from tables: a search asks for it at millions of batches, and few numbers say it all.

A lane of one layout under one load is two curves over its batch: the time of a step without a prompt, and the time that
the prompts of one request add. Both are smooth, so that straight lines between a few batches an octave hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.answers.search.columns import Engine, Steady, steady_state
from costline.answers.search.load import Load
from costline.answers.search.operating import operate_lanes
from costline.answers.search.pace import LEAST, Pace, intake, pace_of
from costline.answers.search.rounds import speculative_state
from costline.answers.search.speculative import Drafter
from costline.architecture.sharding import Layout, layout
from costline.quantities import Array, Numeric, as_array

POINTS_AN_OCTAVE = 6
"""Batches an octave at which a lane is computed; curves are then within 0.2 per cent of exact steps."""
SHIFT = 0.25
"""Batch below which knots stand evenly rather than by octaves: lanes of little load hold less than one sequence."""
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class LaneTables:
    """The curves of some lanes, a row each, over the batches `knots`."""

    knots: Array
    decode_step_s: Array
    prompt_s: Array
    """Time that the prompts of one request add to the steps that carry them."""
    lower_bound_s: Array
    """Of a step without a prompt."""
    bound: Array
    """Index of what most of the lane's time is waited for, prompts and answers together."""
    decode_bound: Array
    """The same of a step without a prompt."""

    def place(self, row: Rows, batch: Array) -> tuple[Rows, Array]:
        """Where a batch lies: the flat index of the knot before it, and its distance from that as a share."""
        held = np.where(np.isfinite(batch), batch, LEAST)
        octaves = np.log2(held / SHIFT + 1) * POINTS_AN_OCTAVE
        knot = np.minimum(octaves.astype(np.intp), self.knots.size - 2)
        first = self.knots[knot]
        return row * self.knots.size + knot, (held - first) / (self.knots[knot + 1] - first)

    def step(self, row: Rows, batch: Array) -> Array:
        """Time of a step without a prompt, or of a round."""
        place, share = self.place(row, np.maximum(batch, LEAST))
        return _between(self.decode_step_s, place, share)

    def limits(self, row: Rows, batch: Array, bound: Array) -> tuple[Array, Array]:
        """Lower bound of a step without a prompt, and the nearest entry of one of the tables of bounds."""
        place, share = self.place(row, np.maximum(batch, LEAST))
        return _between(self.lower_bound_s, place, share), bound[place + (share > 1 / 2)]


def lane_tables(state: Callable[[Array], Steady], lanes: int, largest: float) -> LaneTables:
    """Tabulates lanes whose state has the shape (lanes, 1) up to a batch of `largest`."""
    count = np.ceil(np.log2(largest / SHIFT + 1) * POINTS_AN_OCTAVE)
    octaves = np.arange(float(count) + 2) / POINTS_AN_OCTAVE
    knots = as_array(SHIFT * (2**octaves - 1))
    knots[0] = LEAST
    found = state(knots[None, :])
    shape = (lanes, knots.size)
    added = (found.chunk_step_s - found.decode.expected_s) * (found.chunks / found.prompts)
    tables = (found.decode.expected_s, added, found.decode.lower_bound_s, found.bound, found.decode.bound)
    return LaneTables(knots, *(np.ascontiguousarray(np.broadcast_to(one, shape)).ravel() for one in tables))


def _between(table: Array, place: Rows, share: Array) -> Array:
    before = table[place]
    return before + share * (table[place + 1] - before)


@dataclass(frozen=True)
class TabulatedLane:
    """Lanes of many rows of a search, each with its row of the tables."""

    tables: LaneTables
    row: Rows
    load: Load
    where: Layout
    rounds: Numeric
    """Steps or rounds in which a sequence adds all its tokens after the first."""
    tokens_a_step: Numeric = 1.0
    """New tokens of each sequence that a step computes."""

    def pace(self, batch: Array) -> Pace:
        """The lanes at a batch each."""
        batch = np.maximum(batch, LEAST)
        taken = intake(self.load, self.where, batch, rounds=self.rounds, tokens_a_step=self.tokens_a_step)
        place, share = self.tables.place(self.row, batch)
        step = _between(self.tables.decode_step_s, place, share)
        more = _between(self.tables.prompt_s, place, share) * (taken.prompts / taken.chunks)
        return pace_of(
            self.load, self.where, batch, taken, rounds=self.rounds, decode_step_s=step, chunk_step_s=step + more
        )

    def limits(self, batch: Array) -> tuple[Array, Array]:
        """Lower bound of a decode step, and the index of what most of the time is waited for."""
        return self.tables.limits(self.row, batch, self.tables.bound)


@dataclass(frozen=True)
class Replicas:
    """Replicas of one engine in some layouts under a load, with a draft or without, their lanes tabulated once."""

    load: Load
    drafter: Drafter | None
    tables: LaneTables

    def _lane(self, rows: Mapping[str, Array], drafted: Array | None) -> Rows:
        """The row of the tables: a lane, or a lane with a length of draft."""
        lane = rows["lane"].astype(np.intp)
        if self.drafter is None or drafted is None:
            return lane
        return lane * self.drafter.most_tokens + drafted.astype(np.intp) - 1

    def operate(self, rows: Mapping[str, Array], rate_per_replica: Array | None) -> dict[str, Array]:
        """Columns of replicas, full or at a rate; `rows` has their layout, their `lane`, batch and length of draft."""
        where, lane = Layout(rows["tp"], rows["pp"], rows["dp"], rows["ep"]), self._lane(rows, rows.get("draft_tokens"))
        rounds: Numeric = self.load.decode_steps
        tokens: Numeric = 1.0
        computed: Numeric = 1.0
        if self.drafter is not None:
            drafted = rows["draft_tokens"]
            tokens, computed = self.drafter.tokens(drafted), drafted + 1
            rounds = rounds / tokens
        ours = TabulatedLane(self.tables, lane, self.load, where, rounds, computed)
        return operate_lanes(
            ours, self.load, where.pp, rows["batch"], rate_per_replica=rate_per_replica, tokens_a_step=tokens
        )

    def decode_step(self, rows: Mapping[str, Array], drafted: Array, batch: Array) -> Array:
        """Time of a step without prompts, or of a round, of lanes at a batch each."""
        return self.tables.step(self._lane(rows, drafted), batch)

    def decode_limits(self, rows: Mapping[str, Array], drafted: Array, batch: Array) -> tuple[Array, Array]:
        """Its lower bound, and the index of what it waits for most."""
        return self.tables.limits(self._lane(rows, drafted), batch, self.tables.decode_bound)

    def draft_tokens(self, rows: Mapping[str, Array], batch: Array) -> Array:
        """Length of draft, at least 1, with the least time per token of lanes at a batch each; 0 without a draft."""
        if self.drafter is None:
            return np.zeros(batch.shape)
        lengths = np.arange(1.0, self.drafter.most_tokens + 1)[:, None]
        took = self.decode_step(rows, lengths, batch)
        return 1.0 + np.argmin(took / self.drafter.tokens(lengths), axis=0)


def replicas(engine: Engine, load: Load, drafter: Drafter | None, cut: Layout, largest: float) -> Replicas:
    """Tabulates the lanes of each layout of `cut` up to a batch of `largest`; with a draft, for each length of it."""
    if not cut.tp.size:
        cut = layout(1)
    lengths = np.arange(1.0, drafter.most_tokens + 1) if drafter else as_array([1.0])
    flat = [np.repeat(np.atleast_1d(degree), lengths.size)[:, None] for degree in (cut.tp, cut.pp, cut.dp, cut.ep)]
    where, drafted = Layout(*flat), np.tile(lengths, np.size(cut.tp))[:, None]

    def state(batch: Array) -> Steady:
        if drafter is None:
            return steady_state(engine, load, where, batch)
        return speculative_state(engine, drafter, load, where, lane_batch=batch, draft_tokens=drafted)

    return Replicas(load, drafter, lane_tables(state, where.tp.size, largest))
