"""How many replicas a load needs: the smallest fleet that meets every target at p99.

More replicas never make a request slower, so the search doubles until the targets are met and then halves the gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from costline.answers.scenario import SloBlock
from costline.answers.simulate.measures import latencies
from costline.answers.simulate.run import Setting, kept_requests
from costline.quantities import MILLI
from costline.serving.timestamps import Timestamps

MOST_REPLICAS = 4096
QUANTILE = 0.99


def targets(slo: SloBlock) -> dict[str, float]:
    """Targets at p99 in milliseconds, by latency."""
    given = {"ttft": slo.ttft_p99_ms, "tpot": slo.tpot_p99_ms, "e2e": slo.e2e_p99_ms}
    return {name: target for name, target in given.items() if target is not None}


def meets_slo(one: Setting, stamps: Timestamps) -> bool:
    """Whether p99 of every latency is within its target and every request was served."""
    kept = kept_requests(one.drawn)
    if not np.all(stamps.served[kept]):
        return False
    found = latencies(stamps, kept).by_name()
    return all(_p99_ms(found[name]) <= target for name, target in targets(one.asked.slo).items())


def smallest_fleet(one: Setting, start: int) -> dict[str, Any] | None:
    """The fewest replicas that meet the targets; None where there are no targets or the load follows the fleet."""
    if not targets(one.asked.slo) or one.drawn.concurrency is not None:
        return None
    tried: dict[int, bool] = {}

    def meets(count: int) -> bool:
        if count not in tried:
            tried[count] = meets_slo(one, one.run(count))
        return tried[count]

    least = least_true(meets, start, MOST_REPLICAS)
    return {
        "replicas": least,
        "accelerators": None if least is None else least * one.replica.accelerators,
        "tried": [{"replicas": count, "meets": met} for count, met in sorted(tried.items())],
    }


def least_true(holds: Callable[[int], bool], start: int, most: int) -> int | None:
    """The least whole number from 1 to `most` for which something holds that holds for all larger ones.

    >>> least_true(lambda count: count >= 13, 4, 100), least_true(lambda count: False, 1, 8)
    (13, None)
    """
    high = min(max(start, 1), most)
    if holds(high):
        low = 0
    else:
        low = high
        while not holds(high):
            if high == most:
                return None
            low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _p99_ms(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, QUANTILE)) / MILLI if known.size else 0.0
