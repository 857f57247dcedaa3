"""How the load of a bill is spread over hours: as given, as a trace measured it, or flat for want of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costline.answers.bill.trace import Trace
from costline.answers.money_blocks import HOURS_OF_DAY
from costline.errors import InputError
from costline.quantities import HOUR_S, Array, as_array


@dataclass(frozen=True)
class HourlyLoad:
    """Load of each hour of a day or week over the mean, and what the trace's own rate is to that mean."""

    weights: Array
    """Mean 1."""
    trace_over_mean: float
    """Load in the hours that the trace covers, over the mean; 1 without a trace."""
    source: str
    """given, measured or assumed."""
    words: str

    @property
    def peak(self) -> float:
        """The busiest hour over the mean."""
        return float(np.max(self.weights))

    @property
    def peak_over_trace(self) -> float:
        """The busiest hour over the hours of the trace."""
        return self.peak / self.trace_over_mean


def hourly_load(given: Sequence[float] | None, trace: Trace | None) -> HourlyLoad:
    """The load by the hour: what is given, what a trace of a day or more measured, else flat."""
    if given is not None:
        load = as_array(given)
        weights = load / np.mean(load)
        words = f"by the hour of the {'day' if load.size == HOURS_OF_DAY else 'week'}, as given"
        return HourlyLoad(weights, _anchor(weights, trace), "given", words)
    if trace is None or trace.span_s < HOURS_OF_DAY * HOUR_S:
        hours = "" if trace is None else f": the trace covers {trace.span_s / HOUR_S:.2g} hours"
        return HourlyLoad(np.ones(HOURS_OF_DAY), 1.0, "assumed", f"the same load at every hour, assumed{hours}")
    requests, covered = trace.by_hour(HOURS_OF_DAY)
    rates = requests / covered
    weights = rates / np.mean(rates)
    over = trace.requests_per_s / float(np.mean(rates))
    return HourlyLoad(weights, over, "measured", "by the hour of the day, as the trace measured it")


def _anchor(weights: Array, trace: Trace | None) -> float:
    if trace is None:
        return 1.0
    _, covered = trace.by_hour(weights.size)
    over = float(np.sum(weights * covered) / np.sum(covered))
    if not over > 0:
        raise InputError("bill.load_by_hour is 0 in the hours of the trace, which has requests then; correct it")
    return over
