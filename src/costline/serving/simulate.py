"""Discrete-event simulation of continuous batching: requests, a fleet and step tables in, timestamps out.

The clock, the requests and the replicas are here; the physics is in the tables. Equal seeds give equal results.
"""

from __future__ import annotations

from costline.serving.fleet import Fleet
from costline.serving.requests import Requests
from costline.serving.timestamps import Timestamps


def simulate(
    requests: Requests,
    fleet: Fleet,
    *,
    seed: int = 0,
    concurrency: int | None = None,
    sample_s: float = 1.0,
    trace_steps: int = 0,
    fast_forward: bool = True,
) -> Timestamps:
    """Serve the requests and say when each was where.

    `concurrency` makes a closed loop: as many requests at once, each end (and think time) sends the next.
    `sample_s` is the least time between samples of a replica; it doubles when the room for samples is full.
    `trace_steps` keeps the first so many runs of steps. `fast_forward=False` takes every decode step singly.
    """
    raise NotImplementedError
