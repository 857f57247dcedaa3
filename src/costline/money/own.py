"""What an owned node costs by the hour, part by part. Knows prices, lives and watts, not what the node computes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.catalog.cost_records import NodeCost, SiteCost
from costline.errors import DomainError, InputError
from costline.money.availability import serviceable_share
from costline.money.capital import annuity_usd_per_year
from costline.money.power import drawn_power_w, energy_usd_per_hour
from costline.quantities import DAY_S, HOUR_S, HOURS_PER_MONTH, HOURS_PER_YEAR, KILO, Array, Numeric, as_array

RUNNING = ("energy", "colocation", "staff", "support", "failures")
"""Names of the parts of a node's cost that are not capital."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something bought for a node: accelerators, servers, network, storage, spares."""

    name: str
    usd: Numeric
    """Price for the whole node."""
    life_years: Numeric
    """Years it earns; the annuity runs so long."""
    salvage_share: Numeric = 0.0
    """Share of the price that a buyer pays after that."""


@dataclass(frozen=True, kw_only=True)
class OwnedNode:
    """A node that one owns, and where it stands. Numbers, or arrays of numbers that broadcast together."""

    accelerators: int
    parts: tuple[Part, ...]
    rated_w: Numeric
    """What the nameplate of the whole node says."""
    busy_fraction: Numeric
    """Share of it drawn while busy, measured."""
    idle_fraction: Numeric
    """Share of it drawn while idle."""
    pue: Numeric
    tariff_usd_per_kwh: Numeric
    interest_per_year: Numeric = 0.0
    colocation_usd_per_kw_month: Numeric = 0.0
    """Space and cooling, by rated kilowatts; energy apart."""
    staff_usd_per_year: Numeric = 0.0
    """This node's share of the people who run it."""
    support_per_year: Numeric = 0.0
    """Yearly support contract, as a share of the purchase price."""
    failures_per_year: Numeric = 0.0
    """Of one accelerator."""
    replacement_usd: Numeric = 0.0
    """Paid for each failure: a new accelerator, or what a warranty leaves."""
    repair_years: Numeric = 0.0
    """From a failure until the accelerator serves again."""

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if len({*names, *RUNNING}) != len(names) + len(RUNNING):
            raise DomainError(f"parts={names} must differ from one another and from {', '.join(RUNNING)}; rename one")
        if self.accelerators < 1:
            raise DomainError(f"accelerators={self.accelerators} must be at least 1; count those in the node")

    @classmethod
    def from_catalog(
        cls,
        node: NodeCost,
        site: SiteCost,
        *,
        pue: Numeric,
        tariff_usd_per_kwh: Numeric,
        failures_per_year: Numeric = 0.0,
        accelerator_usd: float | None = None,
        tdp_w: float | None = None,
    ) -> OwnedNode:
        """A node of the catalog at a site of the catalog.

        `accelerator_usd` replaces the price of its accelerators; a node that has none, or no rated power, needs it
        and `tdp_w`, the power limit of one accelerator.
        """
        count = node.accelerators
        prices = {name: part.usd for name, part in node.parts.items()}
        if accelerator_usd is not None:
            prices["accelerators"] = accelerator_usd
        if None in prices.values():
            raise InputError(f"node {node.id!r} has no price of its accelerators; give accelerator_usd")
        if node.rated_w is None and tdp_w is None:
            raise InputError(f"node {node.id!r} has no rated power; give tdp_w, the power limit of one accelerator")
        usd = {name: price or 0.0 for name, price in prices.items()}
        return cls(
            accelerators=count,
            parts=tuple(
                Part(name=name, usd=count * usd[name], life_years=part.life_years, salvage_share=part.salvage_share)
                for name, part in node.parts.items()
            ),
            rated_w=node.rated_w if node.rated_w is not None else count * ((tdp_w or 0.0) + node.host_w),
            busy_fraction=node.busy_fraction,
            idle_fraction=node.idle_fraction,
            pue=pue,
            tariff_usd_per_kwh=tariff_usd_per_kwh,
            interest_per_year=site.interest_per_year,
            colocation_usd_per_kw_month=site.colocation_usd_per_kw_month,
            staff_usd_per_year=count * site.staff_usd_per_accelerator_year,
            support_per_year=site.support_per_year,
            failures_per_year=failures_per_year,
            replacement_usd=site.replacement_share * usd.get("accelerators", 0.0),
            repair_years=site.repair_days * DAY_S / (HOURS_PER_YEAR * HOUR_S),
        )

    @property
    def capital_usd(self) -> Array:
        """Purchase price of all parts."""
        return as_array(sum((as_array(part.usd) for part in self.parts), start=np.zeros(())))


def owned_usd_per_hour(node: OwnedNode, utilization: Numeric = 1.0) -> dict[str, Array]:
    """Cost of an hour of an owned node by what makes it up.

    Equation
        c_k = A(C_k, n_k, i, S_k) / 8760   each part bought
        e   = P(u) PUE / 1000  p           energy, at the power drawn while busy and idle
        l   = P_r / 1000  f / 730          colocation, by rated power
        w   = W / 8760                     staff
        s   = σ Σ_k C_k / 8760             support
        x   = n λ R / 8760                 failures

    Parameters
        node         C n i S P PUE p P_r f W σ λ R  record of what was bought and where it stands
        utilization  u  [1]  array  in [0, 1], share of hours in which it is busy

    Returns
        mapping from part to [USD/hour] array, of the whole node; the sum is its cost

    Holds when  capital is an annuity over each part's own life: the mean over the life, not a year's charge.
    Source      [brealey-2020] equivalent annual cost; [derived]
    Raises      DomainError as the equations of capital and power

    >>> gpus = Part(name="accelerators", usd=250_000, life_years=4)
    >>> node = OwnedNode(accelerators=8, parts=(gpus,), rated_w=10_200, busy_fraction=0.76, idle_fraction=0.3,
    ...                  pue=1.3, tariff_usd_per_kwh=0.10, interest_per_year=0.10)
    >>> {name: round(float(usd), 3) for name, usd in owned_usd_per_hour(node).items() if usd}
    {'accelerators': 9.003, 'energy': 1.008}
    """
    yearly = {
        part.name: annuity_usd_per_year(
            part.usd, part.life_years, node.interest_per_year, as_array(part.usd) * part.salvage_share
        )
        for part in node.parts
    }
    drawn = drawn_power_w(node.rated_w, utilization, busy_fraction=node.busy_fraction, idle_fraction=node.idle_fraction)
    failures = node.accelerators * as_array(node.failures_per_year)
    return {name: usd / HOURS_PER_YEAR for name, usd in yearly.items()} | {
        "energy": energy_usd_per_hour(drawn, node.pue, node.tariff_usd_per_kwh),
        "colocation": as_array(node.rated_w) / KILO * node.colocation_usd_per_kw_month / HOURS_PER_MONTH,
        "staff": as_array(node.staff_usd_per_year) / HOURS_PER_YEAR,
        "support": as_array(node.support_per_year) * node.capital_usd / HOURS_PER_YEAR,
        "failures": failures * node.replacement_usd / HOURS_PER_YEAR,
    }


def owned_usd_per_accelerator_hour(node: OwnedNode, utilization: Numeric = 1.0) -> Array:
    """Cost of an hour of one accelerator of an owned node, comparable with a rental price.

    Equation
        p = Σ_k c_k / (n a),  a = 1 / (1 + λ r)

    Parameters
        node         c n λ r  record of what was bought and where it stands
        utilization  u  [1]  array  in [0, 1], share of hours in which it is busy; it moves energy alone

    Returns
        p  [USD/hour]  array, of an hour in which the accelerator is in service, busy or idle

    Holds when  accelerators under repair cost as much as others and their neighbours go on working.
    Source      [derived]
    Raises      DomainError as owned_usd_per_hour

    >>> total = Part(name="all", usd=675_000, life_years=3)
    >>> node = OwnedNode(accelerators=8, parts=(total,), rated_w=0, busy_fraction=1, idle_fraction=0, pue=1,
    ...                  tariff_usd_per_kwh=0)
    >>> round(float(owned_usd_per_accelerator_hour(node)), 2)
    3.21
    """
    total = sum(owned_usd_per_hour(node, utilization).values(), start=np.zeros(()))
    return total / (node.accelerators * serviceable_share(node.failures_per_year, node.repair_years))


def usd_per_used_hour(usd_per_hour: Numeric, utilization: Numeric) -> Array:
    """Cost of an hour in use where idle hours are paid too.

    Equation
        p_u = p / u

    Parameters
        usd_per_hour  p  [USD/hour]  array  >= 0, paid every hour
        utilization   u  [1]         array  in [0, 1], share of hours in use

    Returns
        p_u  [USD/hour]  array; inf where nothing is used

    Holds when  capacity cannot be given back for the idle hours.
    Source      [palanor-kb] node on utilisation; [definition]
    Raises      DomainError if the price is negative or the utilisation not in [0, 1]

    >>> round(float(usd_per_used_hour(675_000 / (8 * 3 * 8_760), 0.30)), 2), float(usd_per_used_hour(3.21, 0.0))
    (10.7, inf)
    """
    price, share = as_array(usd_per_hour), as_array(utilization)
    if not np.all(price >= 0):
        raise DomainError(f"usd_per_hour={usd_per_hour} must not be negative; give a price")
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"utilization={utilization} must lie in [0, 1]; 1 = always in use")
    with np.errstate(over="ignore"):  # hardly ever used is as dear as never
        return np.where(share > 0, price / np.where(share > 0, share, 1.0), np.inf)
