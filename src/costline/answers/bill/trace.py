"""What a bill needs of a trace of requests: its rate, its lengths, and its load by the hour of the day or week."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from costline.errors import InputError
from costline.quantities import HOUR_S, Array, as_array
from costline.serving import traces


@dataclass(frozen=True)
class Trace:
    """Requests in the order in which they came."""

    path: str
    arrival_s: Array
    """Seconds from Monday, 0:00, of the first request's week, or as the file counts them."""
    input_tokens: Array
    output_tokens: Array

    @property
    def requests(self) -> int:
        """Rows of the file."""
        return int(self.arrival_s.size)

    @property
    def span_s(self) -> float:
        """From the first request to the last."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    @property
    def requests_per_s(self) -> float:
        """Mean rate."""
        return self.requests / self.span_s

    @property
    def arrival_cv(self) -> float:
        """Coefficient of variation of the gaps between requests: 1 = Poisson, more = bursts."""
        gaps = np.diff(self.arrival_s)
        return float(np.std(gaps) / np.mean(gaps))

    @property
    def counts(self) -> Counter[tuple[int, int]]:
        """Requests by tokens in and out."""
        pairs = (tokens.astype(int).tolist() for tokens in (self.input_tokens, self.output_tokens))
        return Counter(zip(*pairs, strict=True))

    def lengths(self, tokens: Array) -> dict[str, float]:
        """Mean and 95th percentile; the mean alone where a few very long ones lift it above that."""
        mean, p95 = max(float(np.mean(tokens)), 1.0), float(np.percentile(tokens, 95))
        return {"mean": mean, "p95": p95} if p95 >= mean else {"mean": mean}

    def by_hour(self, period: int) -> tuple[Array, Array]:
        """Requests in each hour of a day (24) or week (168), and the seconds in which the trace covers it."""
        requests = np.bincount((self.arrival_s // HOUR_S % period).astype(int), minlength=period)
        start, end = float(self.arrival_s[0]), float(self.arrival_s[-1])
        covered = np.zeros(period)
        for hour in range(int(start // HOUR_S), int(end // HOUR_S) + 1):
            covered[hour % period] += max(min(end, (hour + 1) * HOUR_S) - max(start, hour * HOUR_S), 0.0)
        return as_array(requests), covered


def read_trace(path: Path) -> Trace:
    """The trace in a file of any format that says when requests came; raises InputError naming file and row."""
    found = traces.read_trace(path, least_requests=2)
    if not found.timed:
        raise InputError(f"trace {path} says not when requests came, so it shows no rate; give one with times")
    if not found.arrival_s[-1] > 0:
        raise InputError(f"trace {path}: all requests come at one time, so it shows no rate; give a longer trace")
    return Trace(found.path, found.start_s + found.arrival_s, found.input_tokens, found.output_tokens)
