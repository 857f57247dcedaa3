"""Which accelerators to reserve, rent on demand and take on spot for a demand by the hour. Knows no providers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from costline.errors import DomainError, InfeasibleError
from costline.money.rent import reservation_share
from costline.quantities import Array, Numeric, as_array

_GAP = 1e-6
"""Relative distance from the optimum at which the solver may stop."""
_SLACK = 1e-12
"""What rounding of the machine may take off a share that is meant to be whole."""


@dataclass(frozen=True, kw_only=True)
class Supply:
    """A way to get accelerators."""

    name: str
    usd_per_hour: float
    """Of one accelerator; for spot with what interruptions lose (see `rent.effective_usd_per_hour`)."""
    reserved: bool = False
    """Paid in every hour, used or not; else paid in the hours in which it is taken."""
    lot: int = 1
    """Accelerators that come together, such as 8 of a node."""
    most: float = math.inf
    """Accelerators that can be had at most."""
    demand_share: float = 1.0
    """Share of each hour's demand that it may serve, in whole lots: what tolerates interruption. 1 if reserved."""


@dataclass(frozen=True)
class FleetMix:
    """The cheapest mix: accelerators taken by supply and hour, and what each supply costs over all hours."""

    accelerators: dict[str, Array]
    """By supply, then by hour; a reserved supply is the same in every hour."""
    usd: dict[str, float]
    """By supply, over all hours."""

    @property
    def total_usd(self) -> float:
        """Over all hours and supplies."""
        return math.fsum(self.usd.values())


def reserved_quantile(demand: Numeric, reserved_usd_per_hour: Numeric, on_demand_usd_per_hour: Numeric) -> Array:
    """Accelerators to reserve when the rest is rented on demand, by the hour.

    Equation
        R = min {r >= 0 : share of hours with d > r <= p_r / p_o},  0 where p_r >= p_o

    Parameters
        demand                  d    [1]         array  accelerators needed, by hour on the last axis
        reserved_usd_per_hour   p_r  [USD/hour]  array  >= 0, paid every hour; without the axis of hours
        on_demand_usd_per_hour  p_o  [USD/hour]  array  >= 0, paid for hours used; without the axis of hours

    Returns
        R  [1]  array, a demand of the curve or 0; without the axis of hours

    Holds when  both can be had one by one and without limit; a last reserved accelerator is used p_r / p_o of the time.
    Source      [arrow-1951] critical ratio; [derived]
    Raises      DomainError if a price is negative

    >>> day = [2.0] * 12 + [8.0] * 8 + [10.0] * 4
    >>> float(reserved_quantile(day, 1.0, 2.0)), float(reserved_quantile(day, 0.3, 2.0))
    (2.0, 10.0)
    """
    needed = np.sort(as_array(demand), axis=-1)
    hours = needed.shape[-1]
    share = reservation_share(reserved_usd_per_hour, on_demand_usd_per_hour)
    levels = np.concatenate([np.zeros((*needed.shape[:-1], 1)), needed], axis=-1)
    above = np.sum(needed[..., np.newaxis, :] > levels[..., :, np.newaxis], axis=-1) / hours
    few = above <= share[..., np.newaxis] * (1 + 1e-12)
    first = np.argmax(few, axis=-1)[..., np.newaxis]
    found = np.take_along_axis(np.broadcast_to(levels, few.shape), first, axis=-1)[..., 0]
    return np.where(np.isfinite(share), found, 0.0)


def cheapest_mix(demand: Sequence[float] | Array, supplies: Sequence[Supply]) -> FleetMix:
    """Cheapest accelerators for a demand by the hour, in whole lots.

    Equation
        min Σ_s p_s l_s Σ_h x_sh  subject to  Σ_s l_s x_sh >= d_h,  l_s x_sh <= most_s,
        l_s x_sh <= q_s d_h where q_s < 1,  x whole and >= 0,  x_sh the same in all hours where s is reserved

    Parameters
        demand    d           [1]  array  accelerators needed, by hour, >= 0; rounded up to whole ones
        supplies  p l most q  list of Supply

    Returns
        record of accelerators by supply and hour, and of cost [USD] by supply

    Holds when  accelerators are alike, hours independent (no start-up), and the demand is that to be planned for.
    Source      [huangfu-2018] HiGHS, through SciPy; [derived]
    Raises      DomainError if the demand or a supply makes no sense; InfeasibleError if no mix meets the demand

    >>> day = [2.0] * 12 + [10.0] * 12
    >>> terms = [Supply(name="reserved", usd_per_hour=1.0, reserved=True), Supply(name="on-demand", usd_per_hour=1.5)]
    >>> mix = cheapest_mix(day, terms)
    >>> mix.usd, float(mix.accelerators["on-demand"].max())
    ({'reserved': 48.0, 'on-demand': 144.0}, 8.0)
    """
    needed = as_array(demand)
    _check_demand(needed, supplies)
    levels, level_of, counts = np.unique(np.ceil(needed), return_inverse=True, return_counts=True)
    hours = as_array(counts)
    _check_supply(levels, supplies)
    lots = _lots(supplies, levels, hours)
    taken = {supply.name: supply.lot * lot for supply, lot in zip(supplies, lots, strict=True)}
    return FleetMix(
        accelerators={name: at_level[level_of] for name, at_level in taken.items()},
        usd={supply.name: supply.usd_per_hour * float(hours @ taken[supply.name]) for supply in supplies},
    )


def _lots(supplies: Sequence[Supply], levels: Array, hours: Array) -> list[Array]:
    """Lots of each supply by level of demand; hours of equal demand share their variables."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack

    paid = [hours.sum(keepdims=True) if supply.reserved else hours for supply in supplies]
    most = [_most_lots(supply, levels) for supply in supplies]
    same, own = csr_array(np.ones((levels.size, 1))), eye_array(levels.size)

    def at_least(sizes: list[float], needed: Array) -> LinearConstraint:
        taken = [size * (same if supply.reserved else own) for supply, size in zip(supplies, sizes, strict=True)]
        return LinearConstraint(hstack(taken), needed, np.inf)

    price = [supply.usd_per_hour * supply.lot * each for supply, each in zip(supplies, paid, strict=True)]
    result = milp(
        np.concatenate(price),
        integrality=np.ones(sum(each.size for each in paid), dtype=np.intp),
        bounds=Bounds(0.0, np.concatenate([lots[: each.size] for lots, each in zip(most, paid, strict=True)])),
        constraints=[
            at_least([supply.lot for supply in supplies], levels),
            at_least(*_whole_lots(supplies, levels, most)),
        ],
        options={"mip_rel_gap": _GAP},
    )
    if result.x is None:
        raise InfeasibleError(f"demand of {levels.size} levels: no mix is found ({result.message}); widen the limits")
    each = np.split(np.round(result.x), np.cumsum([each.size for each in paid])[:-1])
    return [np.broadcast_to(lots, levels.size) for lots in each]


def _whole_lots(supplies: Sequence[Supply], levels: Array, most: list[Array]) -> tuple[list[float], Array]:
    """What large lots must serve at least, counted in whole lots: true of every mix, and the solver's best hint.

    With it 1,300 levels in lots of 8 take a tenth of a second; without it two minutes.
    """
    lot = math.gcd(*(supply.lot for supply in supplies if supply.lot > 1)) or 1
    large = [supply.lot % lot == 0 and lot > 1 for supply in supplies]
    rest = np.zeros_like(levels)
    for supply, lots, is_large in zip(supplies, most, large, strict=True):
        rest += 0.0 if is_large else supply.lot * lots
    sizes = [supply.lot / lot if is_large else 0.0 for supply, is_large in zip(supplies, large, strict=True)]
    return sizes, np.maximum(np.ceil((levels - rest) / lot), 0.0)


def _most_lots(supply: Supply, levels: Array) -> Array:
    """Lots of a supply that may serve each level of demand."""
    shared = supply.demand_share * levels * (1 + _SLACK) if supply.demand_share < 1 else np.full_like(levels, np.inf)
    return np.floor(np.minimum(shared, supply.most) / supply.lot)


def _check_demand(needed: Array, supplies: Sequence[Supply]) -> None:
    if needed.ndim != 1 or needed.size == 0 or not np.all((needed >= 0) & np.isfinite(needed)):
        raise DomainError(f"demand of shape {needed.shape} must hold one finite number >= 0 an hour; correct the curve")
    names = [supply.name for supply in supplies]
    if not names or len(set(names)) != len(names):
        raise DomainError(f"supplies={names} must be at least one, each with a name of its own; add or rename one")
    for supply in supplies:
        priced = 0 <= supply.usd_per_hour < math.inf
        if not (priced and supply.lot >= 1 and supply.most >= 0 and 0 <= supply.demand_share <= 1):
            raise DomainError(
                f"{supply} needs a finite usd_per_hour and most >= 0, lot >= 1 and demand_share in [0, 1]"
            )
        if supply.reserved and supply.demand_share < 1:
            raise DomainError(f"reserved supply {supply.name!r} serves any demand; leave its demand_share at 1")


def _check_supply(levels: Array, supplies: Sequence[Supply]) -> None:
    can = sum((supply.lot * _most_lots(supply, levels) for supply in supplies), start=np.zeros_like(levels))
    if np.any(can < levels):
        short = np.argmax(can < levels)
        raise InfeasibleError(
            f"demand={levels[short]:g} accelerators exceeds the {can[short]:g} that all supplies together can give; "
            "raise most or demand_share of one"
        )
