"""Autoscaling and failures of a scenario as the simulator takes them, and the part of a run that one pool is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from costline.answers.fleet_blocks import FailureBlock
from costline.answers.simulate.replica import Replica
from costline.errors import InputError
from costline.serving.fleet import Autoscaler, Failure
from costline.serving.timestamps import Replicas, Timeline, Timestamps

PLACES = {None: 0, "prefill": 0, "decode": 1}
"""Which side a failure names."""


def scaler_of(replica: Replica) -> Autoscaler | None:
    """What scales the replicas; None where their number is fixed."""
    block = replica.autoscale
    if block is None:
        return None
    return Autoscaler(block.signal, block.target, block.min, block.interval_s, block.boot_s, block.hold_s)


def failures_of(blocks: Sequence[FailureBlock], counts: Sequence[int]) -> tuple[Failure, ...]:
    """Failures with replicas counted over both sides; raises InputError for one that there is not."""
    found: list[Failure] = []
    for index, one in enumerate(blocks):
        place = PLACES[one.pool]
        if one.replica >= counts[place]:
            raise InputError(
                f"deployment.failures[{index}].replica={one.replica} does not exist; "
                f"there are 0 to {counts[place] - 1}: name one of them"
            )
        found.append(Failure(sum(counts[:place]) + one.replica, one.at_s, one.back_s))
    return tuple(found)


def least_counts(blocks: Sequence[FailureBlock], sides: int) -> tuple[int, ...]:
    """Fewest replicas of each side that have those which fail."""
    return tuple(
        1 + max((one.replica for one in blocks if PLACES[one.pool] == place), default=0) for place in range(sides)
    )


def part_of(stamps: Timestamps, counts: Sequence[int], place: int) -> Timestamps:
    """A run's replicas and samples of one side; requests stay all."""
    first = sum(counts[:place])
    last = first + counts[place]
    line = stamps.timeline
    mine = (line.replica >= first) & (line.replica < last)
    return replace(
        stamps,
        timeline=Timeline(**{one.name: getattr(line, one.name)[mine] for one in fields(line)}),
        replicas=Replicas(**{one.name: getattr(stamps.replicas, one.name)[first:last] for one in fields(Replicas)}),
    )


def paid_replicas(replica: Replica, stamps: Timestamps, count: int) -> float:
    """Replicas that are paid for on average: those that are up or boot where they follow the load, or else all."""
    if replica.autoscale is None or not stamps.end_s > 0:
        return float(count)
    return float(np.sum(stamps.replicas.on_s)) / stamps.end_s
