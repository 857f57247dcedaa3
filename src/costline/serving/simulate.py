"""Discrete-event simulation of continuous batching: requests, a fleet and step tables in, timestamps out.

The clock, the requests and the replicas are here; the physics is in the tables. Equal seeds give equal results.
"""

from __future__ import annotations

import numpy as np

from costline.errors import InputError
from costline.serving.fleet import Fleet
from costline.serving.loop.state import BOOTING, DRAINING, ON, STEPS, World, bin_edges_s
from costline.serving.loop.world import point, world_of
from costline.serving.machine_code import event_loop
from costline.serving.requests import Requests
from costline.serving.timestamps import Replicas, StepTrace, Timeline, Timestamps


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
    if concurrency is not None and concurrency < 1:
        raise InputError(f"concurrency={concurrency} must be 1 or more")
    world = world_of(requests, fleet, concurrency)._replace(trace=np.empty(trace_steps, dtype=STEPS))
    run = world.run
    run["seed"], run["sample_s"], run["is_single"] = seed, sample_s, not fast_forward
    point(world)
    event_loop()(run.ctypes.data, concurrency or 0)
    return _timestamps(world)


def _timestamps(world: World) -> Timestamps:
    """The rows as arrays of the result; those of requests are views, so that ten million take no room twice."""
    run, rows, samples = world.run[0], world.requests, world.samples[: world.run[0]["samples"]]
    end_s = max(float(run["now_s"]), float(np.fmax.reduce(rows["finished_s"], initial=0.0)))
    replicas, trace = world.replicas, world.trace[: run["traced"]]
    is_on = np.isin(replicas["mode"], (ON, BOOTING, DRAINING))
    order = np.argsort(samples["time_s"], kind="stable")
    columns = ("time_s", "replica", "running", "waiting", "kv_tokens", "kv_blocks")
    fields = ("start_s", "end_s", "replica", "steps", "sequences", "prompt_tokens", "kv_tokens")
    return Timestamps(
        arrival_s=rows["arrival_s"],
        admitted_s=rows["admitted_s"],
        first_token_s=rows["first_token_s"],
        finished_s=rows["finished_s"],
        output_tokens=rows["output"],
        replica=rows["replica"],
        prefill_replica=rows["prefill_replica"],
        preemptions=rows["preemptions"],
        cached_tokens=rows["cached"],
        retries=rows["retries"],
        state=rows["state"],
        replicas=Replicas(
            busy_s=replicas["busy_s"],
            on_s=replicas["on_s"] + np.where(is_on, end_s - replicas["on_since_s"], 0.0),
            steps=replicas["all_steps"],
            prompt_tokens=replicas["prompt_tokens"],
            output_tokens=replicas["output_tokens"],
            boots=replicas["boots"],
        ),
        timeline=Timeline(**{name: samples[name][order] for name in columns}),
        trace=StepTrace(**{name: trace[name] for name in fields}) if len(world.trace) else None,
        itl_edges_s=bin_edges_s(),
        itl_tokens=world.itl_tokens,
        end_s=end_s,
    )
