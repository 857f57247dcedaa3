"""Cache memory that holds nothing: reserved ahead of need, or the rest of a last page; what paging it gains."""

from __future__ import annotations

from costline.quantities import Array, Numeric, as_array


def reservation_waste(held_tokens: Numeric, reserved_tokens: Numeric) -> Array:
    """Share of cache memory that is empty where each sequence reserves a fixed length.

    Equation
        w = 1 - L / R

    Parameters
        held_tokens      L  [token]  array  mean over time of what a sequence holds
        reserved_tokens  R  [token]  array  >= L, set aside for each

    Returns
        w  [1]  array

    Holds when  every sequence reserves the same length while it runs.
    Source      [kwon-2023] section 3.1
    Raises      nothing

    >>> float(reservation_waste(600, 2048)) > 0.7
    True
    """
    return 1 - as_array(held_tokens) / reserved_tokens


def paging_waste(held_tokens: Numeric, block_tokens: Numeric) -> Array:
    """Share of cache memory that is empty in the last pages of sequences.

    Equation
        w = (b - 1) / 2 / (L + (b - 1) / 2)

    Parameters
        held_tokens   L  [token]  array  > 0, mean of what a sequence holds
        block_tokens  b  [token]  array  >= 1, a page

    Returns
        w  [1]  array; 0 for pages of one token

    Holds when  lengths are spread evenly over the places within a page, so that (b - 1) / 2 tokens of it are empty.
    Source      [kwon-2023]; [derived]
    Raises      nothing

    >>> round(float(paging_waste(600, 16)), 4), float(paging_waste(600, 1))
    (0.0123, 0.0)
    """
    empty = (as_array(block_tokens) - 1) / 2
    return empty / (as_array(held_tokens) + empty)


def capacity_gain(waste_before: Numeric, waste_after: Numeric) -> Array:
    """Sequences that fit after a change in wasted memory, relative to before.

    Equation
        g = (1 - w_after) / (1 - w_before)

    Parameters
        waste_before  w_before  [1]  array  in [0, 1)
        waste_after   w_after   [1]  array  in [0, 1)

    Returns
        g  [1]  array

    Holds when  memory for the cache, and what a sequence needs of it, stay the same.
    Source      [kwon-2023]
    Raises      nothing

    >>> round(float(capacity_gain(0.6, 0.04)), 9), round(float(capacity_gain(0.8, 0.04)), 9)
    (2.4, 4.8)
    """
    return (1 - as_array(waste_after)) / (1 - as_array(waste_before))
