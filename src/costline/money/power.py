"""Watts to USD and to joules per token. Knows sites and tariffs as numbers, not what runs there."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import HOURS_PER_YEAR, JOULE_PER_KWH, KILO, MEGA, Array, Numeric, as_array


def drawn_power_w(
    rated_w: Numeric, utilization: Numeric, *, busy_fraction: Numeric, idle_fraction: Numeric = 0.0
) -> Array:
    """Mean electrical power of a machine that is busy for a share of the time.

    Equation
        P = P_r (f_0 + (f_1 - f_0) u)

    Parameters
        rated_w        P_r  [W]  array  >= 0, what the nameplate says
        utilization    u    [1]  array  in [0, 1], share of the time that is busy
        busy_fraction  f_1  [1]  array  share of the rated power drawn while busy, measured
        idle_fraction  f_0  [1]  array  in 0 … f_1, share drawn while idle

    Returns
        P  [W]  array

    Holds when  power grows in a straight line with the busy share.
    Source      [fan-2007] linear model
    Raises      DomainError if the utilisation is not in [0, 1] or idle draws more than busy

    >>> round(float(drawn_power_w(10_200, 1.0, busy_fraction=0.76)))
    7752
    """
    busy, idle, share = as_array(busy_fraction), as_array(idle_fraction), as_array(utilization)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"utilization={utilization} must lie in [0, 1]; 1 = always busy")
    if not np.all((idle >= 0) & (idle <= busy)):
        raise DomainError(f"idle_fraction={idle_fraction} must lie in 0 … busy_fraction={busy_fraction}; swap them")
    return as_array(rated_w) * (idle + (busy - idle) * share)


def overbuild_share(busy_fraction: Numeric) -> Array:
    """Supply built in excess by someone who plans with the rated power.

    Equation
        x = 1 / f - 1

    Parameters
        busy_fraction  f  [1]  array  in (0, 1], share of the rated power that is drawn

    Returns
        x  [1]  array, share of the supply that would do

    Holds when  all machines draw their mean at once; single peaks need a margin.
    Source      [definition]
    Raises      DomainError if the fraction is not in (0, 1]

    >>> round(float(overbuild_share(0.76)), 3)
    0.316
    """
    drawn = as_array(busy_fraction)
    if not np.all((drawn > 0) & (drawn <= 1)):
        raise DomainError(f"busy_fraction={busy_fraction} must lie in (0, 1]; give the share of rated power drawn")
    return 1 / drawn - 1


def facility_power_w(it_power_w: Numeric, pue: Numeric) -> Array:
    """Power of the building around the machines.

    Equation
        P_f = P PUE

    Parameters
        it_power_w  P    [W]  array  >= 0, at the machines
        pue         PUE  [1]  array  >= 1

    Returns
        P_f  [W]  array

    Holds when  the PUE is that of this load, hour and boundary.
    Source      [iso-30134-2]
    Raises      DomainError if the PUE is below 1

    >>> round(float(facility_power_w(1000 * 10_200 / 8, 1.67)) / 1e6, 2)
    2.13
    """
    overhead = as_array(pue)
    if not np.all(overhead >= 1):
        raise DomainError(f"pue={pue} must be at least 1: the building draws no less than its machines; correct it")
    return as_array(it_power_w) * overhead


def energy_usd_per_hour(it_power_w: Numeric, pue: Numeric, tariff_usd_per_kwh: Numeric) -> Array:
    """Electricity bill of an hour.

    Equation
        e = P PUE / 1000  p

    Parameters
        it_power_w          P    [W]        array  >= 0, at the machines
        pue                 PUE  [1]        array  >= 1
        tariff_usd_per_kwh  p    [USD/kWh]  array  >= 0

    Returns
        e  [USD/hour]  array

    Holds when  the tariff has no price for the peak itself.
    Source      [iso-30134-2]; [definition]
    Raises      DomainError if the PUE is below 1 or the tariff negative

    >>> round(float(energy_usd_per_hour(7752, 1.3, 0.10)), 3)
    1.008
    """
    tariff = as_array(tariff_usd_per_kwh)
    if not np.all(tariff >= 0):
        raise DomainError(f"tariff_usd_per_kwh={tariff_usd_per_kwh} must not be negative; give the price of a kWh")
    return facility_power_w(it_power_w, pue) / KILO * tariff


def pue_saving_usd_per_year(
    it_power_w: Numeric, pue_before: Numeric, pue_after: Numeric, tariff_usd_per_kwh: Numeric
) -> Array:
    """Yearly saving of a better building under the same machines.

    Equation
        s = 8760 P (PUE_0 - PUE_1) / 1000  p

    Parameters
        it_power_w          P      [W]        array  >= 0, at the machines, all year
        pue_before          PUE_0  [1]        array  >= 1
        pue_after           PUE_1  [1]        array  >= 1
        tariff_usd_per_kwh  p      [USD/kWh]  array  >= 0

    Returns
        s  [USD/year]  array; negative where the building gets worse

    Holds when  the machines draw the same all year.
    Source      [iso-30134-2]; [definition]
    Raises      DomainError as energy_usd_per_hour

    >>> round(float(pue_saving_usd_per_year(1e6, 1.50, 1.35, 0.10)))
    131400
    """
    before = energy_usd_per_hour(it_power_w, pue_before, tariff_usd_per_kwh)
    return HOURS_PER_YEAR * (before - energy_usd_per_hour(it_power_w, pue_after, tariff_usd_per_kwh))


def joule_per_token(it_power_w: Numeric, tokens_per_s: Numeric, pue: Numeric = 1.0) -> Array:
    """Energy of a token of one phase, at the meter of the building.

    Equation
        j = P PUE / r

    Parameters
        it_power_w    P    [W]        array  >= 0, drawn in that phase
        tokens_per_s  r    [token/s]  array  >= 0, prefilled or decoded in that phase
        pue           PUE  [1]        array  >= 1; 1 = at the machines

    Returns
        j  [J/token]  array; inf where nothing is produced

    Holds when  power and rate are those of the same machines in the same phase.
    Source      [definition]
    Raises      DomainError if the PUE is below 1

    >>> round(float(joule_per_token(7750, 3000, 1.3)), 2)
    3.36
    """
    rate, power = as_array(tokens_per_s), facility_power_w(it_power_w, pue)
    return np.where(rate > 0, power / np.where(rate > 0, rate, 1.0), np.inf)


def kwh_per_mtok(joule_per_token: Numeric) -> Array:
    """Energy of a million tokens.

    Equation
        k = 10^6 j / (3.6 10^6)

    Parameters
        joule_per_token  j  [J/token]  array

    Returns
        k  [kWh/Mtok]  array

    Holds when  always.
    Source      [definition]
    Raises      nothing

    >>> round(float(kwh_per_mtok(7750 * 1.3 / 3000)), 3)
    0.933
    """
    return as_array(joule_per_token) * MEGA / JOULE_PER_KWH


def energy_per_work(pue: Numeric, utilization: Numeric, idle_fraction: Numeric) -> Array:
    """Energy that a building takes for one unit of work, in units of a busy machine's own.

    Equation
        w = PUE (f_0 + (1 - f_0) u) / u

    Parameters
        pue            PUE  [1]  array  >= 1
        utilization    u    [1]  array  in [0, 1], share of the time that machines are busy
        idle_fraction  f_0  [1]  array  in [0, 1], idle power over busy power

    Returns
        w  [1]  array, >= 1; inf where nothing is done (and w = PUE where u = 0 and idle machines draw nothing)

    Holds when  power grows in a straight line with the busy share; the PUE does not change with load.
    Source      [fan-2007] linear model; [iso-30134-2]
    Raises      DomainError if a share is not in [0, 1] or the PUE below 1

    >>> energy_per_work([1.67, 1.09], [0.9, 0.4], 0.5).round(2).tolist()
    [1.76, 1.91]
    """
    share, idle = np.broadcast_arrays(as_array(utilization), as_array(idle_fraction))
    drawn = drawn_power_w(1.0, share, busy_fraction=1.0, idle_fraction=idle)
    busy = share > 0
    with np.errstate(over="ignore"):  # hardly ever busy is as bad as never
        per_work = np.where(busy, drawn / np.where(busy, share, 1.0), np.where(idle > 0, np.inf, 1.0))
    return facility_power_w(per_work, pue)


def matching_utilization(pue: Numeric, energy_per_work: Numeric, idle_fraction: Numeric) -> Array:
    """Utilisation at which a building of that PUE takes a given energy for one unit of work.

    Equation
        u = f_0 / (w / PUE - (1 - f_0)),  inf where w < PUE

    Parameters
        pue              PUE  [1]  array  >= 1
        energy_per_work  w    [1]  array  of the site to be matched
        idle_fraction    f_0  [1]  array  in [0, 1], idle power over busy power

    Returns
        u  [1]  array; above it this building takes less; inf where no utilisation suffices

    Holds when  as energy_per_work.
    Source      [derived]
    Raises      DomainError if the PUE is below 1

    >>> round(float(matching_utilization(1.09, 1.76, 0.5)), 3), float(matching_utilization(1.67, 1.5, 0.5))
    (0.449, inf)
    """
    overhead, idle, work = np.broadcast_arrays(
        facility_power_w(1.0, pue), as_array(idle_fraction), as_array(energy_per_work)
    )
    reachable = work >= overhead
    above = np.where(reachable, work / overhead - (1 - idle), 1.0)
    return np.where(reachable, idle / np.where(above > 0, above, 1.0), np.inf)
