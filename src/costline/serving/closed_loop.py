"""Clients that each send their next request when the last one is answered: what a load generator measures.

All start at once, so that prompts come in convoys until lengths or schedules pull them apart. Given a step as tables;
knows no physics. The loop itself stands in `closed_loop_steps`, as it is or compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from costline.quantities import Array
from costline.serving import closed_loop_steps
from costline.serving.closed_loop_steps import Rules, StepTables, mean_latencies_s

__all__ = ["ClosedLoop", "Latencies", "StepTables", "closed_loop_latencies", "compiled", "lengths"]

SEED = 3
Loop = Callable[..., tuple[float, float]]


@dataclass(frozen=True)
class ClosedLoop:
    """A load of clients in a closed loop, and the settings of the engine that meet it."""

    clients: int
    input_tokens: float
    output_tokens: float
    cached_tokens: float = 0.0
    requests_per_client: int = 10
    """Load generators send about ten; the convoy of the first weighs a tenth of the mean."""
    length_spread: float = 0.1
    """Lengths are uniform within this share of their mean; 0 = all alike."""
    max_batched_tokens: float = 8192.0
    max_sequences: float = 4096.0
    prompts_first: bool = False
    """Prompts run in steps of their own before the next decode step, instead of within decode steps."""
    stream_interval: float = 1.0
    """Tokens after which an engine sends the next ones to the client."""


@dataclass(frozen=True)
class Latencies:
    """Means over all requests of a closed loop."""

    ttft_s: float
    tpot_s: float


@lru_cache(maxsize=1)
def compiled() -> Loop:
    """The loop through Numba, with the same results: for fits that ask for thousands of loops."""
    from types import FunctionType

    from numba import njit  # type: ignore[import-untyped]

    spaces: dict[str, Any] = dict(vars(closed_loop_steps))
    for name in closed_loop_steps.COMPILED:
        function: Any = FunctionType(spaces[name].__code__, spaces, name)
        spaces[name] = cast(Any, njit)(function)
    return cast(Loop, spaces["mean_latencies_s"])


def lengths(load: ClosedLoop) -> tuple[Array, Array]:
    """Input and output tokens of each request, the same at every call."""
    count = max(load.clients, 1) * load.requests_per_client
    low, high = 1 - load.length_spread, 1 + load.length_spread
    draws: Array = np.random.default_rng(SEED).uniform(low, high, (2, count))
    prompts: Array = np.rint(draws[0] * load.input_tokens)
    answers: Array = np.rint(draws[1] * load.output_tokens)
    return prompts.clip(load.cached_tokens + 1.0), answers.clip(1.0)


def closed_loop_latencies(load: ClosedLoop, tables: StepTables, run: Loop = mean_latencies_s) -> Latencies:
    """Mean latencies of a closed loop on one lane; `run=compiled()` for many of them."""
    prompts, answers = lengths(load)
    most = max(load.max_sequences, 1.0)
    rules = Rules(float(load.max_batched_tokens), float(most), float(load.cached_tokens), load.prompts_first)
    ttft_s, tpot_s = run(load.clients, rules, prompts, answers, tables)
    return Latencies(ttft_s + (load.stream_interval - 1) * tpot_s, tpot_s)
