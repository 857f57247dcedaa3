"""How the load of a bill is spread over hours: as given, swinging, as a trace measured it, or flat for want of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costline.answers.bill.trace import Trace
from costline.answers.load_shape import MOST_HOURS, by_slot, swing_words
from costline.answers.money_blocks import HOURS_OF_DAY
from costline.answers.workload_block import DiurnalBlock
from costline.errors import InputError
from costline.quantities import HOUR_S, Array, as_array


@dataclass(frozen=True)
class HourlyLoad:
    """Load of each hour of a day or week over the mean, and what the trace's own rate is to that mean."""

    weights: Array
    """Mean 1."""
    highest: Array
    """The highest load within each hour, for which it must be ready; the weights where that is not known."""
    trace_over_mean: float
    """Load in the hours that the trace covers, over the mean; 1 without a trace."""
    source: str
    """given, measured or assumed."""
    words: str

    @property
    def peak(self) -> float:
        """The highest load over the mean."""
        return float(np.max(self.highest))

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
        return HourlyLoad(weights, weights, _anchor(weights, trace), "given", words)
    if trace is None or trace.span_s < HOURS_OF_DAY * HOUR_S:
        hours = "" if trace is None else f": the trace covers {trace.span_s / HOUR_S:.2g} hours"
        alike = np.ones(HOURS_OF_DAY)
        return HourlyLoad(alike, alike, 1.0, "assumed", f"the same load at every hour, assumed{hours}")
    requests, covered = trace.by_hour(HOURS_OF_DAY)
    rates = requests / covered
    weights = rates / np.mean(rates)
    over = trace.requests_per_s / float(np.mean(rates))
    return HourlyLoad(weights, weights, over, "measured", "by the hour of the day, as the trace measured it")


def swinging_load(diurnal: DiurnalBlock) -> HourlyLoad:
    """The load by the hour of a rate that swings; raises InputError for a period that has no hours of its own."""
    hours, rest = divmod(diurnal.length_s, HOUR_S)
    if rest or hours > MOST_HOURS:
        raise InputError(
            f"workload.diurnal.period_s={diurnal.length_s:g} must be whole hours, at most {MOST_HOURS}: a bill goes by "
            f"the hour; give a multiple of {HOUR_S:g} up to {MOST_HOURS * HOUR_S:g}, or leave it out for a day"
        )
    means, highest = by_slot(diurnal)
    return HourlyLoad(means, highest, 1.0, "given", swing_words(diurnal))


def _anchor(weights: Array, trace: Trace | None) -> float:
    if trace is None:
        return 1.0
    _, covered = trace.by_hour(weights.size)
    over = float(np.sum(weights * covered) / np.sum(covered))
    if not over > 0:
        raise InputError("bill.load_by_hour is 0 in the hours of the trace, which has requests then; correct it")
    return over
