"""Promises to spend: what is paid when more or less is used, and what stands beside the list price. Knows no vendor."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def committed_bill_usd(list_usd: Numeric, committed_usd: Numeric, discount: Numeric = 0.0) -> Array:
    """What is paid for usage under a promise to spend at least a sum.

    Equation
        b = max(K, (1 - d) U)

    Parameters
        list_usd       U  [USD]  array  >= 0, usage of the term at list price
        committed_usd  K  [USD]  array  >= 0, promised for the term
        discount       d  [1]    array  in [0, 1], that the promise earned

    Returns
        b  [USD]  array

    Holds when  the discounted price counts towards the promise, and what is not drawn lapses.
    Source      [palanor-kb] nodes on commitments to Azure; [definition]
    Raises      DomainError if a sum is negative or the discount not in [0, 1]

    >>> committed_bill_usd(np.array([5.5e6, 12e6]), 8e6, 0.15).tolist()
    [8000000.0, 10200000.0]
    """
    used, promised, share = as_array(list_usd), as_array(committed_usd), as_array(discount)
    if not (np.all(used >= 0) and np.all(promised >= 0)):
        raise DomainError(f"list_usd={list_usd} and committed_usd={committed_usd} must not be negative; correct them")
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"discount={discount} must lie in [0, 1]; give the share taken off")
    return np.maximum(promised, (1 - share) * used)


def shortfall_usd(committed_usd: Numeric, drawn_usd: Numeric) -> Array:
    """Part of a promise that is not drawn: what new usage can absorb without a new bill.

    Equation
        s = max(K - D, 0)

    Parameters
        committed_usd  K  [USD]  array  promised for the term
        drawn_usd      D  [USD]  array  drawn by the end of the term, at the discounted price

    Returns
        s  [USD]  array

    Holds when  what is not drawn lapses.
    Source      [palanor-kb] node on drawdown of MACC credit; [definition]
    Raises      nothing

    >>> float(shortfall_usd(8e6, 5.5e6)), float(shortfall_usd(8e6, 9e6))
    (2500000.0, 0.0)
    """
    return np.maximum(as_array(committed_usd) - drawn_usd, 0.0)


def added_bill_usd(added_usd: Numeric, committed_usd: Numeric, drawn_usd: Numeric) -> Array:
    """What new usage adds to the bill when part of a promise would lapse without it.

    Equation
        b = max(A - max(K - D, 0), 0)

    Parameters
        added_usd      A  [USD]  array  >= 0, new usage at the discounted price
        committed_usd  K  [USD]  array  promised for the term
        drawn_usd      D  [USD]  array  drawn without the new usage

    Returns
        b  [USD]  array; 0 up to the shortfall, then every dollar

    Holds when  what is not drawn would lapse; where it could serve something else, it is worth that instead.
    Source      [palanor-kb] node on drawdown of MACC credit; [derived]
    Raises      nothing

    >>> float(added_bill_usd(2e6, 8e6, 5.5e6)), float(added_bill_usd(3e6, 8e6, 5.5e6))
    (0.0, 500000.0)
    """
    return np.maximum(as_array(added_usd) - shortfall_usd(committed_usd, drawn_usd), 0.0)


def paid_over_list(list_usd: Numeric, committed_usd: Numeric, discount: Numeric = 0.0) -> Array:
    """Effective price of usage under a promise, as a multiple of its list price.

    Equation
        x = max(K, (1 - d) U) / U

    Parameters
        list_usd       U  [USD]  array  >= 0, usage of the term at list price
        committed_usd  K  [USD]  array  >= 0, promised for the term
        discount       d  [1]    array  in [0, 1], that the promise earned

    Returns
        x  [1]  array; 1 - d where the promise is met, inf where nothing is used

    Holds when  as committed_bill_usd.
    Source      [derived]
    Raises      DomainError as committed_bill_usd

    >>> float(paid_over_list(5e6, 8e6, 0.15)), float(paid_over_list(10e6, 8e6, 0.15))
    (1.6, 0.85)
    """
    used = as_array(list_usd)
    paid = committed_bill_usd(list_usd, committed_usd, discount)
    return np.where(used > 0, paid / np.where(used > 0, used, 1.0), np.inf)


def ladder_discount(amount: Numeric, step_from: Numeric, step_discount: Numeric) -> Array:
    """Discount of the highest step of a ladder that an amount reaches.

    Equation
        d = d_k,  k = max {k : f_k <= x},  0 below the first step

    Parameters
        amount         x  [1]  array  what the ladder counts: USD promised, months reserved
        step_from      f  [1]  array  where each step begins, ascending; one axis
        step_discount  d  [1]  array  discount of each step; one axis

    Returns
        d  [1]  array

    Holds when  the step reached holds for the whole amount.
    Source      [definition]
    Raises      DomainError if the steps do not ascend

    >>> ladder_discount(np.array([1e6, 5e6, 20e6]), [5e6, 10e6], [0.135, 0.20]).tolist()
    [0.0, 0.135, 0.2]
    """
    start = as_array(step_from)
    if not np.all(np.diff(start) > 0):
        raise DomainError(f"step_from={start.tolist()} must ascend; sort the steps")
    with_none = np.concatenate([[0.0], as_array(step_discount)])
    return with_none[np.searchsorted(start, as_array(amount), side="right")]


def support_usd(spend_usd: Numeric, share: Numeric, minimum_usd: Numeric = 0.0) -> Array:
    """Support plan that costs a share of the spend, and something at least.

    Equation
        c = max(m, s U)

    Parameters
        spend_usd    U  [USD]  array  >= 0, of a month
        share        s  [1]    array  >= 0
        minimum_usd  m  [USD]  array  >= 0, of a month

    Returns
        c  [USD]  array

    Holds when  one share holds for the whole spend.
    Source      [definition]
    Raises      DomainError if a value is negative

    >>> support_usd(np.array([500.0, 5000.0]), 0.1, 100.0).tolist()
    [100.0, 500.0]
    """
    spend, part, least = as_array(spend_usd), as_array(share), as_array(minimum_usd)
    if not (np.all(spend >= 0) and np.all(part >= 0) and np.all(least >= 0)):
        raise DomainError(
            f"spend_usd={spend_usd}, share={share} and minimum_usd={minimum_usd} must not be negative; correct them"
        )
    return np.maximum(least, part * spend)


def overhead_share(total_usd: Numeric, list_usd: Numeric) -> Array:
    """What a bill adds to the list price of the tokens or hours in it.

    Equation
        o = T / U - 1

    Parameters
        total_usd  T  [USD]  array  >= 0, all that is billed
        list_usd   U  [USD]  array  >= 0, its tokens or hours at list price

    Returns
        o  [1]  array; inf where nothing was used

    Holds when  always.
    Source      [definition]
    Raises      nothing

    >>> round(float(overhead_share(1270, 1000)), 2)
    0.27
    """
    used = as_array(list_usd)
    return np.where(used > 0, as_array(total_usd) / np.where(used > 0, used, 1.0) - 1, np.inf)
