"""How many replicas a load needs: the smallest fleet that meets every target at p99.

More replicas never make a request slower, so the search doubles until the targets are met and then halves the gap.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from costline.answers.scenario import SloBlock
from costline.answers.simulate.fleet import least_counts
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


def smallest_fleet(one: Setting) -> dict[str, Any] | None:
    """The fewest replicas that meet the targets; None where there are no targets or the load follows the fleet.

    Of two pools both grow in proportion until the targets are met; then each is made as small as it can be, the
    prefill pool first. The one that binds is the one whose lack of a replica breaks a target.
    """
    if not targets(one.asked.slo) or one.drawn.concurrency is not None:
        return None
    tried: dict[tuple[int, ...], bool] = {}

    def meets(*counts: int) -> bool:
        if counts not in tried:
            tried[counts] = meets_slo(one, one.run(*counts))
        return tried[counts]

    floor = least_counts(one.asked.deployment.failures, len(one.sides))
    if len(one.sides) == 1:
        least = least_true(meets, one.counts[0], MOST_REPLICAS, floor[0])
        return _size(one, None if least is None else (least,), tried)
    sizes = _smallest_pools(meets, one.counts, floor)
    return _size(one, sizes, tried) | {"scaled": "each pool", "binds": _binding(meets, sizes, floor)}


def _smallest_pools(
    meets: Callable[[int, int], bool], start: tuple[int, ...], floor: tuple[int, ...]
) -> tuple[int, int] | None:
    """Pools of which neither can be smaller beside the other."""

    def in_proportion(count: int) -> bool:
        return meets(count * start[0], count * start[1])

    times = least_true(in_proportion, 1, MOST_REPLICAS // max(start))
    if times is None:
        return None
    most = (times * start[0], times * start[1])

    def with_prefill(count: int) -> bool:
        return meets(count, most[1])

    prefill = least_true(with_prefill, most[0], most[0], floor[0]) or most[0]

    def with_decode(count: int) -> bool:
        return meets(prefill, count)

    return prefill, least_true(with_decode, most[1], most[1], floor[1]) or most[1]


def _binding(meets: Callable[[int, int], bool], sizes: tuple[int, int] | None, floor: tuple[int, ...]) -> list[str]:
    """Pools that cannot be smaller because a target would be missed."""
    if sizes is None:
        return []
    found: list[str] = []
    for place, name in enumerate(("prefill", "decode")):
        less = (sizes[0] - (place == 0), sizes[1] - (place == 1))
        if less[place] >= floor[place] and not meets(*less):
            found.append(name)
    return found


def _size(one: Setting, sizes: tuple[int, ...] | None, tried: dict[tuple[int, ...], bool]) -> dict[str, Any]:
    each = [side.replica.accelerators for side in one.sides]
    found: dict[str, Any] = {
        "replicas": None if sizes is None else sum(sizes),
        "accelerators": None if sizes is None else sum(a * n for a, n in zip(each, sizes, strict=True)),
    }
    names = ("replicas",) if len(each) == 1 else ("prefill_replicas", "decode_replicas")
    if len(each) > 1:
        found |= dict(zip(names, sizes or (None, None), strict=True))
    rows = [{**dict(zip(names, counts, strict=True)), "meets": met} for counts, met in sorted(tried.items())]
    return found | {"tried": rows}


def least_true(holds: Callable[[int], bool], start: int, most: int, fewest: int = 1) -> int | None:
    """The least whole number from `fewest` to `most` for which something holds that holds for all larger ones.

    >>> least_true(lambda count: count >= 13, 4, 100), least_true(lambda count: False, 1, 8)
    (13, None)
    """
    high = min(max(start, fewest), most)
    if holds(high):
        low = fewest - 1
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
