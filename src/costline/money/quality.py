"""What a right answer costs, and when a difference of benchmark scores is worth a switch.

Knows prices, chances and scores. Knows no model and no benchmark.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array

HAIRCUT = 0.15
"""Share of a published difference to leave out of account: scores move that much with the wording of the prompt."""
LEAST_DELTA = 0.03
"""Difference of scores below which a switch is not worth its cost."""
SATURATED = 0.95
"""Score above which a benchmark no longer tells models apart."""


def usd_per_correct(usd: Numeric, success: Numeric, failure_usd: Numeric = 0.0) -> Array:
    """Cost of a right answer when one tries until it is right, and each wrong one has a cost of its own.

    Equation
        c = p / q + c_f (1 - q) / q

    Parameters
        usd          p    [USD]  array  >= 0, price of one try
        success      q    [1]    array  in [0, 1], chance that a try is right
        failure_usd  c_f  [USD]  array  >= 0, what finding and mending a wrong answer costs

    Returns
        c  [USD]  array; inf where no try is right

    Holds when  tries fail independently and a wrong answer is noticed.
    Source      [derived]
    Raises      DomainError if a cost is negative or the chance not in [0, 1]

    >>> round(float(usd_per_correct(0.28, 0.79)), 3), float(usd_per_correct(25.0, 1.0))
    (0.354, 25.0)
    """
    chance, price, loss = _chance("success", success), as_array(usd), as_array(failure_usd)
    if not (np.all(price >= 0) and np.all(loss >= 0)):
        raise DomainError(f"usd={usd} and failure_usd={failure_usd} must not be negative; correct them")
    works = chance > 0
    return np.where(works, (price + loss * (1 - chance)) / np.where(works, chance, 1.0), np.inf)


def failure_usd_break_even(usd: Numeric, success: Numeric, other_usd: Numeric, other_success: Numeric) -> Array:
    """Cost of a wrong answer at which a dear, better model and a cheap, worse one cost the same for a right one.

    Equation
        c_f = (p_b / q_b - p_a / q_a) / ((1 - q_a) / q_a - (1 - q_b) / q_b)

    Parameters
        usd            p_a  [USD]  array  >= 0, price of a try at the cheap model
        success        q_a  [1]    array  in (0, 1]
        other_usd      p_b  [USD]  array  >= 0, at the dear one
        other_success  q_b  [1]    array  in (0, 1]

    Returns
        c_f  [USD]  array; inf where the dear model is no better, negative where it is cheaper even so

    Holds when  as usd_per_correct.
    Source      [derived]
    Raises      DomainError if a chance is not in (0, 1]

    >>> round(float(failure_usd_break_even(0.28, 0.79, 25.0, 1.0)), 1)
    92.7
    """
    first, second = _chance("success", success), _chance("other_success", other_success)
    if not (np.all(first > 0) and np.all(second > 0)):
        raise DomainError(f"success={success} and other_success={other_success} must be positive; measure them")
    gap = (1 - first) / first - (1 - second) / second
    dearer = as_array(other_usd) / second - as_array(usd) / first
    return np.where(gap > 0, dearer / np.where(gap > 0, gap, 1.0), np.inf)


def success_within(success: Numeric, tries: Numeric) -> Array:
    """Chance of a right answer within a number of tries.

    Equation
        Q = 1 - (1 - q)^n

    Parameters
        success  q  [1]  array  in [0, 1]
        tries    n  [1]  array  >= 0

    Returns
        Q  [1]  array

    Holds when  tries fail independently; one model's tries at one question rarely do, so Q is an upper bound.
    Source      [derived]
    Raises      DomainError if the chance is not in [0, 1]

    >>> round(float(success_within(0.79, 2)), 4)
    0.9559
    """
    return 1 - (1 - _chance("success", success)) ** as_array(tries)


def tries_within(success: Numeric, tries: Numeric) -> Array:
    """Mean number of tries when one stops at the first right answer or after a number of them.

    Equation
        m = (1 - (1 - q)^n) / q

    Parameters
        success  q  [1]  array  in [0, 1]
        tries    n  [1]  array  >= 0, most that are made

    Returns
        m  [1]  array; n where no try is right

    Holds when  as success_within.
    Source      [derived]
    Raises      DomainError if the chance is not in [0, 1]

    >>> round(float(tries_within(0.79, 2)), 2), float(tries_within(0.0, 3))
    (1.21, 3.0)
    """
    chance = _chance("success", success)
    works = chance > 0
    return np.where(works, success_within(chance, tries) / np.where(works, chance, 1.0), as_array(tries))


def score_error(score: Numeric, items: Numeric) -> Array:
    """Standard error of a benchmark score from the number of its questions alone.

    Equation
        e = sqrt(s (1 - s) / n)

    Parameters
        score  s  [1]  array  in [0, 1], share answered right
        items  n  [1]  array  > 0, questions

    Returns
        e  [1]  array

    Holds when  questions are independent; wording, contamination and order add to it.
    Source      [derived] binomial
    Raises      DomainError if the score is not in [0, 1] or there are no questions

    >>> round(float(score_error(0.8, 164)), 4)
    0.0312
    """
    share, count = _chance("score", score), as_array(items)
    if not np.all(count > 0):
        raise DomainError(f"items={items} must be positive; give the benchmark's number of questions")
    return np.sqrt(share * (1 - share) / count)


def adjusted_delta(delta: Numeric, haircut: Numeric = HAIRCUT) -> Array:
    """What is left of a published difference of scores after a haircut for the wording of prompts.

    Equation
        d' = d (1 - h)

    Parameters
        delta    d  [1]  array  difference of two scores
        haircut  h  [1]  array  in [0, 1]

    Returns
        d'  [1]  array

    Holds when  nothing better is known: a rule of thumb, from drops of 10 to 27 % when answers are reordered.
    Source      [palanor-kb] node on prompt variation
    Raises      DomainError if the haircut is not in [0, 1]

    >>> round(float(adjusted_delta(0.04)), 3)
    0.034
    """
    return as_array(delta) * (1 - _chance("haircut", haircut))


def delta_is_actionable(
    score: Numeric, other_score: Numeric, items: Numeric = np.inf, *, haircut: Numeric = HAIRCUT, sigmas: Numeric = 2.0
) -> NDArray[np.bool_]:
    """Whether two scores differ enough to switch models: after the haircut, beyond chance, not both saturated.

    Equation
        |d| (1 - h) >= max(0.03, k sqrt(e_a^2 + e_b^2)) and min(s_a, s_b) < 0.95

    Parameters
        score        s_a  [1]  array  in [0, 1]
        other_score  s_b  [1]  array  in [0, 1]
        items        n    [1]  array  > 0, questions; inf = chance left out of account
        haircut      h    [1]  array  in [0, 1]
        sigmas       k    [1]  array  standard errors that count as more than chance

    Returns
        mask, array of booleans

    Holds when  both were measured on the same benchmark in the same way.
    Source      [palanor-kb] nodes on saturation and prompt variation: 15 %, 3 %, 95 %
    Raises      DomainError if a score or the haircut is not in [0, 1]

    >>> [bool(delta_is_actionable(a, b)) for a, b in ((0.80, 0.76), (0.80, 0.77), (0.99, 0.955))]
    [True, False, False]
    """
    first, second = _chance("score", score), _chance("other_score", other_score)
    left = np.abs(adjusted_delta(first - second, haircut))
    by_chance = as_array(sigmas) * np.hypot(score_error(first, items), score_error(second, items))
    return (left >= np.maximum(LEAST_DELTA, by_chance)) & (np.minimum(first, second) < SATURATED)


def _chance(name: str, value: Numeric) -> Array:
    share = as_array(value)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"{name}={value} must lie in [0, 1]; give a share")
    return share
