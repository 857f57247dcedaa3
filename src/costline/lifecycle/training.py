"""FLOP of a training run to accelerator time, days and USD. Knows no model and no chip."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import DAY_S, HOUR_S, Array, Numeric, as_array

FLOP_PER_PARAMETER_AND_TOKEN = 6
"""A multiply-add forward and two backward."""


def training_flop(parameters: Numeric, tokens: Numeric) -> Array:
    """Work of training on so many tokens.

    Equation
        F = 6 N D

    Parameters
        parameters  N  [1]      array  >= 0, those that a token meets
        tokens      D  [token]  array  >= 0

    Returns
        F  [FLOP]  array

    Holds when  sequences are short enough for attention scores not to count; see `model_training_flop`.
    Source      [kaplan-2020] section 2.1
    Raises      nothing

    >>> float(training_flop(70e9, 15e12)), float(training_flop(175e9, 300e9))
    (6.3e+24, 3.15e+23)
    """
    return FLOP_PER_PARAMETER_AND_TOKEN * as_array(parameters) * tokens


def training_device_hours(flop: Numeric, peak_flop_per_s: Numeric, mfu: Numeric) -> Array:
    """Accelerator-hours of a training run.

    Equation
        H = F / (3600 P η)

    Parameters
        flop             F  [FLOP]    array  >= 0, of the model (recomputation lowers η instead)
        peak_flop_per_s  P  [FLOP/s]  array  > 0, dense rate of one accelerator
        mfu              η  [1]       array  in (0, 1]

    Returns
        H  [hour]  array

    Holds when  the utilisation holds from the first step to the last.
    Source      [chowdhery-2022] appendix B, model FLOP utilisation
    Raises      DomainError if η is not in (0, 1] or P not positive

    >>> round(float(training_device_hours(3.14e23, 28e12, 1.0)) / 8760, 1)
    355.6
    """
    rate, share = as_array(peak_flop_per_s), as_array(mfu)
    if not np.all((share > 0) & (share <= 1)):
        raise DomainError(f"mfu={mfu} must lie in (0, 1]; large runs reach 0.3 to 0.5")
    if not np.all(rate > 0):
        raise DomainError(f"peak_flop_per_s={peak_flop_per_s} must be positive; give the dense rate of the format")
    return as_array(flop) / (rate * share) / HOUR_S


def training_days(device_hours: Numeric, devices: Numeric) -> Array:
    """Days that a training run takes.

    Equation
        T = H / (24 n)

    Parameters
        device_hours  H  [hour]  array  >= 0
        devices       n  [1]     array  > 0

    Returns
        T  [1]  array, days

    Holds when  all accelerators work from start to end; restarts are part of the utilisation.
    Source      [narayanan-2021] section 5.1
    Raises      nothing

    >>> float(training_days(24_000.0, 1_000))
    1.0
    """
    return as_array(device_hours) * HOUR_S / (as_array(devices) * DAY_S)


def training_usd(device_hours: Numeric, usd_per_hour: Numeric, research_multiplier: Numeric = 1.0) -> Array:
    """Price of a training run with the research that led to it.

    Equation
        c = H p m

    Parameters
        device_hours         H  [hour]      array  >= 0, of the final run
        usd_per_hour         p  [USD/hour]  array  >= 0, of one accelerator
        research_multiplier  m  [1]         array  >= 1, all hours over those of the final run

    Returns
        c  [USD]  array

    Holds when  research runs on the same accelerators; staff and data are not in it.
    Source      [strubell-2019] section 4 for m
    Raises      DomainError if the price is negative or m below 1

    >>> float(training_usd(1_000.0, 2.0)), float(training_usd(1_000.0, 2.0, 3.0))
    (2000.0, 6000.0)
    """
    price, times = as_array(usd_per_hour), as_array(research_multiplier)
    if not np.all(price >= 0):
        raise DomainError(f"usd_per_hour={usd_per_hour} must not be negative; give the price of an hour")
    if not np.all(times >= 1):
        raise DomainError(f"research_multiplier={research_multiplier} must be at least 1; 1 = the final run alone")
    return as_array(device_hours) * price * times


def research_multiplier(all_hours: Numeric, final_hours: Numeric) -> Array:
    """How often the hours of the final run were spent in all.

    Equation
        m = H_all / H

    Parameters
        all_hours    H_all  [hour]  array  >= final_hours: searches, ablations, failed runs and the final one
        final_hours  H      [hour]  array  > 0

    Returns
        m  [1]  array

    Holds when  both count the same accelerator.
    Source      [strubell-2019] section 4
    Raises      nothing

    >>> round(float(research_multiplier(239_942, 120)), 1)
    1999.5
    """
    return as_array(all_hours) / final_hours
