"""Until where more of a resource helps: the factor at which a plan held fixed starts to wait for something else."""

from __future__ import annotations

import math
from typing import Any

from costline.answers.search.reasons import running
from costline.answers.sensitivity.around import Around, held
from costline.answers.sensitivity.rates import Resource, resources, scaled
from costline.quantities import PERCENT, significant

MOST = 16.0
STEPS = 6
"""Halvings of the range in which the knee lies: it is known to a twentieth."""


def knees(base: Around) -> dict[str, dict[str, Any]]:
    """By resource: its share of a replica's time, the factor at which something else binds (None: not looked for, or
    beyond 16 times), and both in words."""
    lane = running(base.group, base.row, base.scenario)
    waits = {name: float(value) for name, value in lane.cycle_waits_s.items()}
    total, bound = sum(waits.values()), max(waits, key=lambda name: waits[name])
    found: dict[str, dict[str, Any]] = {}
    for resource in resources(base):
        if not resource.waits:
            continue
        share = sum(waits[name] for name in resource.waits) / total
        found[resource.name] = _knee(base, resource, share, bound)
    return found


def _knee(base: Around, resource: Resource, share: float, bound: str) -> dict[str, Any]:
    part = f"{share * PERCENT:.0f} % of a replica's time"
    if bound not in resource.waits:
        return {"share": share, "factor": None, "words": f"takes {part}; {bound} binds"}

    def binds(factor: float) -> str:
        return str(held(base, scaled(resource, base, factor))["bound"])

    after = binds(MOST)
    if after in resource.waits:
        return {"share": share, "factor": None, "words": f"takes {part} and still binds at {MOST:g} times as much"}
    low, high = 0.0, math.log(MOST)
    for _ in range(STEPS):
        middle = (low + high) / 2
        now = binds(math.exp(middle))
        low, high = (middle, high) if now in resource.waits else (low, middle)
        after = after if now in resource.waits else now
    factor = math.exp(high)
    words = f"takes {part}; helps until {after} binds at {significant(factor, 2)} times as much"
    return {"share": share, "factor": factor, "words": words}
