"""What a simulation leaves: when each request was where, what the replicas did, and samples over time.

Arrays with one element a request, a replica, a sample or a step. Knows no metric: `metrics` takes differences of these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.quantities import Array

SERVED, REJECTED, TOO_LONG, FAILED, UNSENT = 0, 1, 2, 3, 4
"""States of a request at the end: its answer is complete; its queue was full; it never fits; it was lost with its
replica too often; it was never sent (it waits for one that was not served, or nothing was left to serve it)."""


@dataclass(frozen=True)
class Timeline:
    """Samples of replicas as they begin a step, spread over the run."""

    time_s: Array
    replica: NDArray[np.int32]
    running: NDArray[np.int32]
    """sequences that decode or whose prompt is read"""
    waiting: NDArray[np.int32]
    kv_tokens: Array
    """that decoding sequences attend to: a shared prefix counts for each"""
    kv_blocks: NDArray[np.int64]
    """that running requests hold: a shared prefix counts once"""


@dataclass(frozen=True)
class StepTrace:
    """Steps as they were run; consecutive decode steps of one batch are one element."""

    start_s: Array
    end_s: Array
    replica: NDArray[np.int32]
    steps: NDArray[np.int64]
    sequences: NDArray[np.int32]
    """that decode"""
    prompt_tokens: NDArray[np.int32]
    """of prompts, in chunks"""
    kv_tokens: Array
    """that the decoding sequences hold before the first of the steps"""


@dataclass(frozen=True)
class Replicas:
    """Totals by replica."""

    busy_s: Array
    """time in steps"""
    on_s: Array
    """time paid for: from the start of its boot to its release, to the end of the run at most"""
    steps: NDArray[np.int64]
    prompt_tokens: NDArray[np.int64]
    """computed, those computed again included"""
    output_tokens: NDArray[np.int64]
    """of the answers finished here"""
    boots: NDArray[np.int64]


@dataclass(frozen=True)
class Timestamps:
    """Times of each request on the client's clock [s]; NaN where it did not get so far."""

    arrival_s: Array
    """sent; in a closed loop when its turn came"""
    admitted_s: Array
    """start of the first step with tokens of it"""
    first_token_s: Array
    finished_s: Array
    output_tokens: NDArray[np.int32]
    replica: NDArray[np.int32]
    """that finished it; −1 where none did"""
    prefill_replica: NDArray[np.int32]
    """that read its prompt"""
    preemptions: NDArray[np.int32]
    cached_tokens: NDArray[np.int32]
    """of its prompt, found in the prefix cache when it was first admitted"""
    retries: NDArray[np.int32]
    state: NDArray[np.int8]
    """SERVED, REJECTED, TOO_LONG, FAILED or UNSENT"""
    replicas: Replicas
    timeline: Timeline
    trace: StepTrace | None
    itl_edges_s: Array
    """[bins + 1]  of the histogram of gaps between tokens"""
    itl_tokens: Array
    """[bins]  tokens that came after such a gap; a gap with reading of prompts between is one gap"""
    end_s: float
    """when the last request left"""

    @property
    def served(self) -> NDArray[np.bool_]:
        """Whether a request's answer is complete."""
        return self.state == SERVED
