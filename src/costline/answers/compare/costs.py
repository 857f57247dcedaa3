"""What each way costs in a month, at any volume and under any set of numbers; arrays in, arrays out.

Composes the serving unit, the load's shape and the equations of `money`. Knows no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.load_shape import LoadShape
from costline.answers.own_node import Owning, owned_node
from costline.answers.serving_unit import ServingUnit
from costline.money.availability import serviceable_share
from costline.money.own import OwnedNode, owned_usd_per_hour
from costline.money.price import fleet_usd_per_hour
from costline.money.volume import volume_usd
from costline.quantities import HOUR_S, HOURS_PER_MONTH, Array, as_array

MONTH_S = HOURS_PER_MONTH * HOUR_S
WAYS = ("api", "rent", "own")
_CEILING_SLACK = 1e-9


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What no assumption changes: the question and the deployment that answers it."""

    unit: ServingUnit
    shape: LoadShape
    ways: tuple[str, ...]
    input_tokens: float
    output_tokens: float
    requests_per_month: float
    by_the_hour: bool
    """Rented accelerators are given back in hours that do not need them."""
    lot: int
    typed_utilization: float | None
    owning: Owning | None

    @property
    def tokens(self) -> float:
        """Tokens of a request, input and output."""
        return self.input_tokens + self.output_tokens

    @property
    def sustained_share(self) -> float:
        """Share of its capacity at which a replica is loaded in its busiest hour."""
        if self.typed_utilization is not None:
            return self.typed_utilization * self.shape.peak
        return self.unit.sustained_requests_per_s / self.unit.capacity_requests_per_s

    @property
    def node_accelerators(self) -> int:
        """Accelerators of an owned node."""
        return self.owning.node.accelerators if self.owning else self.unit.system.accelerators_per_node

    @property
    def nodes_together(self) -> int:
        """Nodes that one replica spans."""
        return -(-self.unit.accelerators // self.node_accelerators)

    @property
    def replicas_together(self) -> int:
        """Replicas that these hold."""
        return self.nodes_together * self.node_accelerators // self.unit.accelerators

    @property
    def replicas_per_lot(self) -> float:
        """Replicas of the smallest rental; below 1 where a replica takes several lots."""
        together = self.lot // self.unit.accelerators
        return float(together) if together else 1.0 / np.ceil(self.unit.accelerators / self.lot)


@dataclass(frozen=True)
class Costs:
    """USD of a month by way, and the fleets behind it."""

    usd: Mapping[str, Array]
    own_parts: Mapping[str, Array]
    """What owning is made of; their sum is its cost."""
    nodes: Array
    rented_peak: Array
    """Accelerators rented in the busiest hour."""
    rented_hours: Array
    """Accelerator-hours of the month that are paid."""
    own_utilization: Array
    rent_utilization: Array
    """Requests served over what the paid fleet could serve with every place taken."""


def monthly_costs(setting: Setting, values: Mapping[str, Any], requests: Any = None) -> Costs:
    """Cost of a month's requests (default: the question's own) by way, at numbers that broadcast with them."""
    volume = as_array(setting.requests_per_month if requests is None else requests)
    capacity = setting.unit.capacity_requests_per_s * as_array(values["speed"])
    mean_rate = volume / MONTH_S
    replicas = _whole(
        mean_rate[..., np.newaxis] * setting.shape.weights / (capacity * setting.sustained_share)[..., np.newaxis]
    )
    lots = _whole(replicas / setting.replicas_per_lot)
    paid = lots if setting.by_the_hour else np.max(lots, axis=-1, keepdims=True)
    hours = setting.lot * np.sum(paid * setting.shape.hours, axis=-1)
    rent_capacity = hours / setting.lot * setting.replicas_per_lot * capacity * HOUR_S
    nodes = _whole(np.max(replicas, axis=-1) / setting.replicas_together) * setting.nodes_together
    own_capacity = capacity * nodes / setting.nodes_together * setting.replicas_together
    used = np.minimum(mean_rate / own_capacity, 1.0)
    usd: dict[str, Array] = {}
    parts: dict[str, Array] = {}
    if "api" in setting.ways:
        usd["api"] = volume_usd(volume * setting.tokens, 0.0, values["api_price"])
    if "rent" in setting.ways:
        usd["rent"] = fleet_usd_per_hour(hours, values["rent_price"])
    if setting.owning is not None:
        parts = own_parts_usd(owned_node(setting.owning, values), nodes, used)
        usd["own"] = as_array(sum(parts.values(), start=np.zeros(())))
    rented_peak = setting.lot * np.max(lots, axis=-1)
    return Costs(usd, parts, nodes, rented_peak, hours, used, np.minimum(volume / rent_capacity, 1.0))


def own_parts_usd(node: OwnedNode, nodes: Array, utilization: Array) -> dict[str, Array]:
    """A month of owned nodes part by part, with what accelerators under repair add."""
    hourly = owned_usd_per_hour(node, utilization)
    month = {name: usd * nodes * HOURS_PER_MONTH for name, usd in hourly.items()}
    whole = as_array(sum(month.values(), start=np.zeros(())))
    share = serviceable_share(node.failures_per_year, node.repair_years)
    return month | {"under repair": whole * (1 / share - 1)}


def _whole(count: Array) -> Array:
    """The next whole number, at least one."""
    return np.maximum(np.ceil(count - _CEILING_SLACK), 1.0)
