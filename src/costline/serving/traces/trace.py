"""A trace: requests that came, with what the file says of them, and the faults that a file may have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.errors import InputError
from costline.quantities import Array
from costline.serving.lengths import MOST_TOKENS
from costline.serving.requests import Prefixes

MOST_ROWS = 20_000_000
LATEST_S = 2.0**40
"""Latest time that is taken for one: 35,000 years."""


@dataclass(frozen=True)
class Measured:
    """What the file says of how requests fared; NaN where it does not."""

    ttft_s: Array
    e2e_s: Array


@dataclass(frozen=True)
class Trace:
    """Requests in the order in which they came."""

    path: str
    format: str
    """azure, burstgpt, mooncake, bailian, costline, sharegpt, vllm-bench or inference-perf."""
    start_s: float
    """The first request on the file's clock: from Monday, 0:00, of its week, or as the file counts seconds."""
    arrival_s: Array
    """Seconds after the first request; all 0 where the file has no times."""
    input_tokens: Array
    output_tokens: Array
    timed: bool = True
    """Whether the file says when requests came."""
    prefixes: Prefixes | None = None
    session: NDArray[np.int64] | None = None
    stage: NDArray[np.int64] | None = None
    """Which run of a benchmark, where the file holds several."""
    measured: Measured | None = None
    concurrency: float | None = None
    """Requests in flight that the client kept to."""
    notes: tuple[str, ...] = ()
    """What was left out or assumed, a sentence each."""

    @property
    def requests(self) -> int:
        """How many."""
        return int(self.arrival_s.size)


def fault(path: str, row: int, said: str) -> InputError:
    """A fault of one row; `said` is what stands there, the rule and the remedy."""
    return InputError(f"trace {path} row {row}: {said}")


def check_counts(path: str, column: str, values: Array, rows: NDArray[np.int64]) -> None:
    """Raises for the first of `values` (file rows `rows`) that is no number of tokens."""
    wrong = ~((values >= 0) & (values <= MOST_TOKENS) & (np.rint(values) == values))
    if not np.any(wrong):
        return
    place = int(np.argmax(wrong))
    value, row = float(values[place]), int(rows[place])
    if value > MOST_TOKENS:
        said = f"{column}={_text(value)!r} is more than a request can hold ({MOST_TOKENS:,} tokens); correct it"
    else:
        said = f"{column}={_text(value)!r} must be a whole number of tokens >= 0; correct it"
    raise fault(path, row, said)


def check_times(path: str, column: str, values: Array, rows: NDArray[np.int64]) -> None:
    """Raises for the first of `values` in seconds that is no time."""
    wrong = ~((values >= 0) & (values <= LATEST_S))
    if np.any(wrong):
        place = int(np.argmax(wrong))
        said = f"{column}={_text(float(values[place]))!r} must be a time >= 0, less than 35,000 years; correct it"
        raise fault(path, int(rows[place]), said)


def check_order(path: str, times_s: Array, rows: NDArray[np.int64]) -> None:
    """Raises for the first time that is before the one above it."""
    late = np.flatnonzero(np.diff(times_s) < 0)
    if late.size:
        row, above = int(rows[late[0] + 1]), int(rows[late[0]])
        raise fault(path, row, f"its time is before that of row {above}; sort the rows by time")


def check_rows(path: str, rows: int) -> None:
    """Raises for a file that is longer than any we take."""
    if rows > MOST_ROWS:
        raise InputError(f"trace {path} has more than {MOST_ROWS:,} rows; cut it")


def _text(value: float) -> str:
    return f"{value:.0f}" if abs(value) < 2**53 and value == round(value) else f"{value:g}"
