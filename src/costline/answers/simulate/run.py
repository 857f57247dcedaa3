"""One simulated run: replicas' step tables, the requests, the fleet.

Knows no file and no layout on a screen; what a run says of itself is in `measured`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import load_of
from costline.answers.simulate.drafts import speculation, with_drafts
from costline.answers.simulate.fleet import failures_of, scaler_of
from costline.answers.simulate.knee import Mix, prompt_alone_s
from costline.answers.simulate.load import Drawn, drawn_requests
from costline.answers.simulate.measures import Mask
from costline.answers.simulate.pools import Transfer, transfer_of
from costline.answers.simulate.replica import Replica
from costline.answers.simulate.step_table import Reach, slower, step_table
from costline.serving.fleet import Engine, Fleet, Pool
from costline.serving.simulate import simulate
from costline.serving.step_table import StepTable
from costline.serving.timestamps import Timestamps

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


def kept_requests(drawn: Drawn) -> Mask:
    """Requests that count: all of a stated run; of one whose length is ours, those after the service has filled."""
    return drawn.kept
