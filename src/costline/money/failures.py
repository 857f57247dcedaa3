"""How often accelerators fail or are taken away, how many spares that needs, and what the lost work costs in time."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import HOUR_S, HOURS_PER_YEAR, Array, Numeric, as_array

_YEAR_S = HOURS_PER_YEAR * HOUR_S


def failures_per_year(failures: Numeric, accelerators: Numeric, observed_s: Numeric) -> Array:
    """Yearly failures of one accelerator, from a run of many.

    Equation
        λ = f / n  (one year) / t

    Parameters
        failures      f  [1]  array  counted
        accelerators  n  [1]  array  > 0, in the run
        observed_s    t  [s]  array  > 0, duration of the run

    Returns
        λ  [1/year]  array

    Holds when  failures are independent and their rate does not change with age.
    Source      [definition]
    Raises      DomainError if the run is empty

    >>> round(float(failures_per_year(148, 16_384, 54 * 86_400)), 4)
    0.0611
    """
    exposure = as_array(accelerators) * observed_s
    if not np.all(exposure > 0):
        raise DomainError(f"accelerators={accelerators} and observed_s={observed_s} must be positive; give a real run")
    return as_array(failures) / exposure * _YEAR_S


def time_between_failures_s(failures_per_year: Numeric, accelerators: Numeric = 1) -> Array:
    """Mean time between failures of a group in which each failure stops all.

    Equation
        M = (one year) / (λ n)

    Parameters
        failures_per_year  λ  [1/year]  array  >= 0, of one accelerator
        accelerators       n  [1]       array  >= 1, that stop together

    Returns
        M  [s]  array; inf where nothing fails

    Holds when  failures are independent.
    Source      [definition]
    Raises      DomainError if the rate is negative

    >>> round(float(time_between_failures_s(0.0611, 16_384)) / 3600, 2), float(time_between_failures_s(0.0))
    (8.75, inf)
    """
    rate = as_array(failures_per_year) * accelerators
    if not np.all(rate >= 0):
        raise DomainError(f"failures_per_year={failures_per_year} must not be negative; give a rate such as 0.06")
    return np.where(rate > 0, _YEAR_S / np.where(rate > 0, rate, 1.0), np.inf)


def spare_count(
    accelerators: Numeric, failures_per_year: Numeric, resupply_years: Numeric, assurance: Numeric = 0.95
) -> Array:
    """Spares on the shelf so that a failed accelerator can be replaced at once.

    Equation
        k = min {k : P(Poisson(n λ L) <= k) >= q}

    Parameters
        accelerators       n  [1]       array  >= 0, in service
        failures_per_year  λ  [1/year]  array  >= 0, of one accelerator
        resupply_years     L  [year]    array  >= 0, from ordering a spare to its arrival
        assurance          q  [1]       array  in (0, 1), chance that the shelf suffices while waiting

    Returns
        k  [1]  array, whole numbers

    Holds when  failures are independent and each spare taken is ordered again at once.
    Source      [barlow-1965] spare parts; [definition]
    Raises      DomainError if the assurance is not in (0, 1)

    >>> float(spare_count(1024, 0.061, 0.25)), float(spare_count(0, 0.061, 0.25))
    (22.0, 0.0)
    """
    from scipy.special import pdtr, pdtrik

    level = as_array(assurance)
    if not np.all((level > 0) & (level < 1)):
        raise DomainError(f"assurance={assurance} must lie in (0, 1); give a probability such as 0.95")
    mean = as_array(accelerators) * failures_per_year * resupply_years
    some = np.where(mean > 0, mean, 1.0)
    count = np.maximum(np.ceil(pdtrik(level, some)), 0.0)
    enough = pdtr(np.maximum(count - 1, 0.0), some) >= level  # the inverse is not exact at a step
    return np.where(mean > 0, np.where(enough & (count > 0), count - 1, count), 0.0)


def checkpoint_interval_s(checkpoint_s: Numeric, time_between_interruptions_s: Numeric) -> Array:
    """Work between two checkpoints that loses the least time.

    Equation
        τ = sqrt(2 δ M) (1 + sqrt(δ / 2M) / 3 + (δ / 2M) / 9) - δ,  M where δ >= 2M

    Parameters
        checkpoint_s                  δ  [s]  array  >= 0, time that writing a checkpoint takes
        time_between_interruptions_s  M  [s]  array  > 0, mean; inf = never

    Returns
        τ  [s]  array; inf where interruptions never come

    Holds when  interruptions are a Poisson process.
    Source      [daly-2006] eq. 37; [young-1974] first order
    Raises      DomainError if the checkpoint takes negative or the interruptions no time

    >>> round(float(checkpoint_interval_s(60, 86_400))), float(checkpoint_interval_s(60, np.inf))
    (3180, inf)
    """
    write, mean = np.broadcast_arrays(as_array(checkpoint_s), as_array(time_between_interruptions_s))
    _check_interruptions(write, mean)
    finite = np.where(np.isfinite(mean), mean, 1.0)
    ratio = write / (2 * finite)
    tau = np.sqrt(2 * write * finite) * (1 + np.sqrt(ratio) / 3 + ratio / 9) - write
    return np.where(np.isfinite(mean), np.where(ratio < 1, tau, finite), np.inf)


def interruption_loss(
    interval_s: Numeric, *, checkpoint_s: Numeric, recovery_s: Numeric, time_between_interruptions_s: Numeric
) -> Array:
    """Extra time, paid for, that checkpoints, lost work and restarts add to a unit of useful work.

    Equation
        l = M e^(R/M) (e^((τ + δ)/M) - 1) / τ - 1,  δ / τ where M -> inf

    Parameters
        interval_s                    τ  [s]  array  > 0, useful work between checkpoints; a request's length in serving
        checkpoint_s                  δ  [s]  array  >= 0, time that writing a checkpoint takes; 0 in serving
        recovery_s                    R  [s]  array  >= 0, from an interruption until work resumes, as far as it is paid
        time_between_interruptions_s  M  [s]  array  > 0, mean; inf = never

    Returns
        l  [1]  array, share of the useful time; inf where work never gets done

    Holds when  interruptions are a Poisson process, strike checkpoints and restarts too, and lose all since the last.
    Source      [daly-2006] eq. 13
    Raises      DomainError if a time is out of range

    >>> hour = {"checkpoint_s": 60, "recovery_s": 300}
    >>> round(float(interruption_loss(3600, **hour, time_between_interruptions_s=86_400)), 4)
    0.0421
    """
    work, write, restart, mean = np.broadcast_arrays(
        *(as_array(value) for value in (interval_s, checkpoint_s, recovery_s, time_between_interruptions_s))
    )
    _check_interruptions(write, mean)
    if not np.all((work > 0) & (restart >= 0)):
        raise DomainError(
            f"interval_s={interval_s} must be positive, recovery_s={recovery_s} not negative; correct them"
        )
    strikes = np.isfinite(mean)
    rate = 1 / np.where(strikes, mean, 1.0)
    with np.errstate(over="ignore"):  # work that never gets done is worth inf
        taken = np.exp(restart * rate) * np.expm1((work + write) * rate) / rate
    return np.where(strikes, taken, work + write) / work - 1


def _check_interruptions(write_s: Array, mean_s: Array) -> None:
    if not np.all((write_s >= 0) & (mean_s > 0)):
        raise DomainError(
            f"checkpoint_s={write_s.tolist()} must not be negative, time_between_interruptions_s={mean_s.tolist()} "
            "must be positive; write inf where nothing interrupts"
        )
