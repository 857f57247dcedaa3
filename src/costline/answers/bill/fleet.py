"""The fleet behind a bill: replicas by the hour, spares for a promise, and the cheapest mix of ways to rent them.

Composes the serving unit, the hourly load and `money`. Knows no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from costline.answers.bill.scenario import BillQuestion, RedundancyBlock
from costline.answers.own_node import Owning
from costline.answers.serving_unit import ServingUnit
from costline.errors import InfeasibleError
from costline.money.availability import copies_for_availability, redundant_availability, serviceable_share
from costline.money.fleet_mix import Supply, cheapest_mix
from costline.quantities import DAY_S, HOUR_S, HOURS_PER_MONTH, HOURS_PER_YEAR, Array

MONTH_S = HOURS_PER_MONTH * HOUR_S
_DAYS_PER_YEAR = HOURS_PER_YEAR * HOUR_S / DAY_S
_SLACK = 1e-9


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Replicas that a load needs, hour by hour, and those that a promise adds."""

    unit: ServingUnit
    requests_per_s: Array
    """On average, by hour of a day or week."""
    replicas: Array
    spares: int
    availability: float | None
    """What the busiest hour's replicas and the spares promise; None where nothing was promised."""
    node_accelerators: int

    @property
    def requests(self) -> int:
        """Requests of the month."""
        return round(float(np.mean(self.requests_per_s)) * MONTH_S)

    def accelerators(self, *, spared: bool) -> Array:
        """Accelerators by hour, with or without spares."""
        return self.unit.accelerators * (self.replicas + (self.spares if spared else 0))

    def nodes(self, *, spared: bool) -> Array:
        """Whole nodes by hour."""
        together = -(-self.unit.accelerators // self.node_accelerators)
        held = together * self.node_accelerators // self.unit.accelerators
        wanted = self.replicas + (self.spares if spared else 0)
        return together * np.maximum(np.ceil(wanted / held - _SLACK), 1.0)

    def utilization(self, accelerator_hours: float) -> float:
        """Requests served over what so many paid accelerator-hours could serve with every place taken."""
        could = accelerator_hours / self.unit.accelerators * self.unit.capacity_requests_per_s * HOUR_S
        return min(self.requests / could, 1.0) if could else 0.0


def the_fleet(question: BillQuestion, unit: ServingUnit, node_accelerators: int, owned: Owning | None) -> Fleet:
    """Replicas by the hour for the question's load, and its spares."""
    load = question.load
    mean = (question.asked.workload.peak_request_rate or 0.0) / load.peak
    replicas = np.maximum(np.ceil(mean * load.highest / unit.sustained_requests_per_s - _SLACK), 1.0)
    most = int(np.max(replicas))
    spares, kept = 0, None
    promise = question.asked.bill.redundancy
    if promise is not None:
        one = _replica_availability(promise, unit, owned)
        spares, kept = _spares(promise, one, most)
    return Fleet(
        unit=unit, requests_per_s=mean * load.weights, replicas=replicas, spares=spares, availability=kept,
        node_accelerators=node_accelerators,
    )  # fmt: skip


def _replica_availability(promise: RedundancyBlock, unit: ServingUnit, owned: Owning | None) -> float:
    """Share of time in which no accelerator of a replica is under repair, unless it was given."""
    if promise.replica_availability is not None:
        return promise.replica_availability
    if owned is None:
        return 1.0
    failing, days = (owned.numbers[name].likely for name in ("failures_per_year", "repair_days"))
    return float(serviceable_share(unit.accelerators * failing, days / _DAYS_PER_YEAR))


def _spares(promise: RedundancyBlock, one: float, needed: int) -> tuple[int, float]:
    copies = float(copies_for_availability(promise.availability, one, needed=needed, common_share=promise.common_share))
    if not np.isfinite(copies):
        raise InfeasibleError(
            f"bill.redundancy.availability={promise.availability:g} is out of reach with replicas that work "
            f"{one:.4%} of the time and common_share={promise.common_share:g}; lower the promise or the common share"
        )
    kept = float(redundant_availability(one, copies, needed=needed, common_share=promise.common_share))
    return int(copies) - needed, kept


def month_of(hourly: Array) -> float:
    """A day's or week's hours as a month's."""
    return float(np.mean(hourly)) * HOURS_PER_MONTH


def mix_usd(demand: Array, supplies: list[Supply]) -> tuple[Mapping[str, float], Mapping[str, Array]]:
    """The cheapest mix's bill of a month by supply, and its accelerators by hour."""
    mix = cheapest_mix(demand, supplies)
    scale = HOURS_PER_MONTH / demand.size
    return {name: usd * scale for name, usd in mix.usd.items()}, mix.accelerators
