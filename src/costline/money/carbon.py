"""Kilowatt hours to CO2 equivalent, and when and where to run what can wait. Knows grids and sites as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.quantities import HOURS_PER_YEAR, KILO, Array, Numeric, as_array


def emissions_kg(energy_kwh: Numeric, grid_g_per_kwh: Numeric) -> Array:
    """CO2 equivalent of electricity by the mix of the grid where it is used: location-based.

    Equation
        m = E g / 1000

    Parameters
        energy_kwh      E  [kWh]    array  at the meter of the building
        grid_g_per_kwh  g  [g/kWh]  array  >= 0, of the place and, where known, the hour

    Returns
        m  [kg]  array

    Holds when  the grid's mean stands for what the load adds.
    Source      [ghg-scope-2-2015] location-based method
    Raises      DomainError if the intensity is negative

    >>> round(float(emissions_kg(1_287_000, 429)) / 1000, 1)
    552.1
    """
    intensity = as_array(grid_g_per_kwh)
    if not np.all(intensity >= 0):
        raise DomainError(f"grid_g_per_kwh={grid_g_per_kwh} must not be negative; give grams of CO2e per kWh")
    return as_array(energy_kwh) * intensity / KILO


def market_emissions_kg(
    energy_kwh: Numeric, *, contracted_share: Numeric, contract_g_per_kwh: Numeric, residual_g_per_kwh: Numeric
) -> Array:
    """CO2 equivalent of electricity by what was bought: market-based.

    Equation
        m = E (s g_c + (1 - s) g_r) / 1000

    Parameters
        energy_kwh          E    [kWh]    array  at the meter of the building
        contracted_share    s    [1]      array  in [0, 1], share covered by contracts or certificates
        contract_g_per_kwh  g_c  [g/kWh]  array  >= 0, of those
        residual_g_per_kwh  g_r  [g/kWh]  array  >= 0, of what nobody has claimed; the grid's mean where unknown

    Returns
        m  [kg]  array; report it beside emissions_kg, not in its place

    Holds when  contracts meet the quality criteria of the source.
    Source      [ghg-scope-2-2015] market-based method
    Raises      DomainError if the share is not in [0, 1] or an intensity negative

    >>> float(market_emissions_kg(1000, contracted_share=0.6, contract_g_per_kwh=0, residual_g_per_kwh=400))
    160.0
    """
    share = as_array(contracted_share)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"contracted_share={contracted_share} must lie in [0, 1]; give a share of the energy")
    bought = emissions_kg(as_array(energy_kwh) * share, contract_g_per_kwh)
    return bought + emissions_kg(as_array(energy_kwh) * (1 - share), residual_g_per_kwh)


def embodied_kg_per_hour(embodied_kg: Numeric, life_years: Numeric, utilization: Numeric = 1.0) -> Array:
    """CO2 equivalent of making a machine, spread over the hours in which it is used.

    Equation
        m = M / (8760 n u)

    Parameters
        embodied_kg  M  [kg]    array  >= 0, of making, moving and scrapping it
        life_years   n  [year]  array  > 0, years until it is scrapped
        utilization  u  [1]     array  in [0, 1], share of those hours that is used

    Returns
        m  [kg/hour]  array; inf where it is never used

    Holds when  every hour of use bears the same part.
    Source      [ecologits-2025] embodied impact of a request; [definition]
    Raises      DomainError if the life is not positive or the utilisation not in [0, 1]

    >>> round(float(embodied_kg_per_hour(5700 + 8 * 273, 3)), 3)
    0.3
    """
    life, share = as_array(life_years), as_array(utilization)
    if not np.all(life > 0):
        raise DomainError(f"life_years={life_years} must be positive; give the years until it is scrapped")
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"utilization={utilization} must lie in [0, 1]; 1 = always used")
    hours = HOURS_PER_YEAR * life * share
    with np.errstate(over="ignore"):  # hardly ever used is as bad as never
        return np.where(hours > 0, as_array(embodied_kg) / np.where(hours > 0, hours, 1.0), np.inf)


def grams_per_mtok(kwh_per_mtok: Numeric, grid_g_per_kwh: Numeric) -> Array:
    """CO2 equivalent of a million tokens, of the electricity that they take.

    Equation
        m = k g

    Parameters
        kwh_per_mtok    k  [kWh/Mtok]  array  at the meter of the building
        grid_g_per_kwh  g  [g/kWh]     array  >= 0

    Returns
        m  [g/Mtok]  array

    Holds when  as emissions_kg; what making the machines took is not in it.
    Source      [ghg-scope-2-2015] location-based method
    Raises      DomainError if the intensity is negative

    >>> round(float(grams_per_mtok(0.9329, 395.65)))
    369
    """
    return emissions_kg(kwh_per_mtok, grid_g_per_kwh) * KILO


def shifted_load_kwh(
    load_kwh: Numeric, score: Numeric, *, deferrable_share: Numeric, cap_kwh: Numeric = np.inf
) -> Array:
    """Load by slot after what can wait has moved to the best slots, each filled up to its cap.

    Equation
        min Σ_h s_h x_h  subject to  Σ_h x_h = Σ_h e_h,  (1 - d) e_h <= x_h <= C_h

    Parameters
        load_kwh          e  [kWh]  array  by slot on the last axis: an hour, or an hour at a site (0 at other sites)
        score             s  [1]    array  by slot on the last axis, less is better: g/kWh, USD/kWh or a blend
        deferrable_share  d  [1]    array  in [0, 1], share of each slot's load that may move
        cap_kwh           C  [kWh]  array  by slot on the last axis or one for all; inf = none

    Returns
        x  [kWh]  array, by slot on the last axis

    Holds when  load may move to any slot of the axis, earlier ones too; cut the axis where it may not.
    Source      [radovanovic-2021] virtual capacity curves; [derived] filling the best slots first is optimal
    Raises      DomainError if what cannot wait exceeds a cap, or all load exceeds all caps

    >>> shifted_load_kwh([10.0, 0.0, 0.0], [500, 300, 400], deferrable_share=0.5, cap_kwh=[10, 3, 9]).tolist()
    [5.0, 3.0, 2.0]
    """
    share = as_array(deferrable_share)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"deferrable_share={deferrable_share} must lie in [0, 1]; give a share of the load")
    load, rank, most = np.broadcast_arrays(as_array(load_kwh), as_array(score), as_array(cap_kwh))
    fixed = load * (1 - share[..., np.newaxis])
    room = most - fixed
    moving = np.sum(load - fixed, axis=-1, keepdims=True)
    if not (np.all(room >= 0) and np.all(np.sum(room, axis=-1, keepdims=True) >= moving * (1 - 1e-12))):
        raise DomainError(f"cap_kwh={cap_kwh} leaves no room for the load; raise the cap or let more of it wait")
    best_first = np.argsort(rank, axis=-1, kind="stable")
    sorted_room = np.minimum(np.take_along_axis(room, best_first, axis=-1), moving)
    before = np.cumsum(sorted_room, axis=-1) - sorted_room
    taken = np.clip(moving - before, 0.0, sorted_room)
    return fixed + np.take_along_axis(taken, np.argsort(best_first, axis=-1, kind="stable"), axis=-1)


def priced_site_usd(
    cost_usd: Numeric, emitted_kg: Numeric, *, carbon_usd_per_kg: Numeric = 0.0, cap_kg: Numeric = np.inf
) -> Array:
    """Cost of a site with a price on its carbon; the least of several sites is the one to choose.

    Equation
        c = p + κ m,  inf where m > C

    Parameters
        cost_usd           p  [USD]     array  of the load at that site
        emitted_kg         m  [kg]      array  that it emits there
        carbon_usd_per_kg  κ  [USD/kg]  array  >= 0, tax, certificate or one's own price
        cap_kg             C  [kg]      array  most that may be emitted

    Returns
        c  [USD]  array; inf where the cap excludes the site

    Holds when  the sites do the same work.
    Source      [definition]
    Raises      DomainError if the price of carbon is negative

    >>> priced_site_usd([100.0, 120.0], [500.0, 50.0], carbon_usd_per_kg=0.1).tolist()
    [150.0, 125.0]
    """
    price = as_array(carbon_usd_per_kg)
    if not np.all(price >= 0):
        raise DomainError(f"carbon_usd_per_kg={carbon_usd_per_kg} must not be negative; give the price of a kilogram")
    emitted = as_array(emitted_kg)
    return np.where(emitted <= cap_kg, cost_usd + price * emitted, np.inf)


def needs_major_permit(emitted_kg_per_year: Numeric, threshold_kg_per_year: Numeric) -> NDArray[np.bool_]:
    """Whether the backup generators of a site would need a major air permit.

    Equation
        m >= M

    Parameters
        emitted_kg_per_year    m  [kg]  array  of one regulated pollutant (not CO2e) in a year, at the permitted hours
        threshold_kg_per_year  M  [kg]  array  of the place (see the catalog's permits)

    Returns
        mask; array of bool

    Holds when  one pollutant is judged against the threshold of its own place.
    Source      [palanor-kb] node on air permitting
    Raises      nothing

    >>> needs_major_permit([100_000.0, 226_796.0], 226_796.0).tolist()
    [False, True]
    """
    return as_array(emitted_kg_per_year) >= as_array(threshold_kg_per_year)
