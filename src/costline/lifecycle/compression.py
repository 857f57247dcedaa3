"""What a smaller or coarser model saves once its failures go back to the large one. Knows prices and shares only."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def fallback_usd_per_mtok(
    compressed_usd_per_mtok: Numeric, original_usd_per_mtok: Numeric, fallback_share: Numeric
) -> Array:
    """Cost of a million tokens when some requests are answered a second time by the original.

    Equation
        u = u_c + p u_o

    Parameters
        compressed_usd_per_mtok  u_c  [USD/Mtok]  array  >= 0
        original_usd_per_mtok    u_o  [USD/Mtok]  array  >= 0
        fallback_share           p    [1]         array  in [0, 1], of requests

    Returns
        u  [USD/Mtok]  array

    Holds when  the failure is noticed, and the second answer is as long as the first.
    Source      [derived]
    Raises      DomainError if p is not in [0, 1]

    >>> round(float(fallback_usd_per_mtok(0.2, 1.0, 0.05)), 2)
    0.25
    """
    share = as_array(fallback_share)
    if not np.all((share >= 0) & (share <= 1)):
        raise DomainError(f"fallback_share={fallback_share} must lie in [0, 1]; 0.05 = one request in twenty")
    return as_array(compressed_usd_per_mtok) + share * original_usd_per_mtok


def fallback_break_even(compressed_usd_per_mtok: Numeric, original_usd_per_mtok: Numeric) -> Array:
    """Share of fallbacks from which compression saves nothing.

    Equation
        p = max(1 - u_c / u_o, 0)

    Parameters
        compressed_usd_per_mtok  u_c  [USD/Mtok]  array  >= 0
        original_usd_per_mtok    u_o  [USD/Mtok]  array  > 0

    Returns
        p  [1]  array; 0 where the compressed model is no cheaper

    Holds when  as `fallback_usd_per_mtok`.
    Source      [derived]
    Raises      nothing

    >>> float(fallback_break_even(0.25, 1.0)), float(fallback_break_even(2.0, 1.0))
    (0.75, 0.0)
    """
    return np.maximum(1 - as_array(compressed_usd_per_mtok) / original_usd_per_mtok, 0.0)


def distillation_flop(student_parameters: Numeric, teacher_parameters: Numeric, tokens: Numeric) -> Array:
    """Work of training a student on what the teacher says of every token.

    Equation
        F = (6 N_s + 2 N_t) D

    Parameters
        student_parameters  N_s  [1]      array  >= 0
        teacher_parameters  N_t  [1]      array  >= 0, those that a token meets
        tokens              D    [token]  array  >= 0

    Returns
        F  [FLOP]  array

    Holds when  the teacher runs forward once on each token; text that it writes itself costs as serving does.
    Source      [hinton-2015]; [kaplan-2020] section 2.1
    Raises      nothing

    >>> float(distillation_flop(8e9, 70e9, 1e11))
    1.88e+22
    """
    return (6 * as_array(student_parameters) + 2 * as_array(teacher_parameters)) * tokens


def pruned_parameters(parameters: Numeric, pruned_share: Numeric) -> Array:
    """Parameters that are left when a share is removed.

    Equation
        N' = N (1 - s)

    Parameters
        parameters    N  [1]  array  >= 0
        pruned_share  s  [1]  array  in [0, 1)

    Returns
        N'  [1]  array

    Holds when  whole heads, widths, experts or layers go; scattered zeros save no time on most chips.
    Source      [definition]
    Raises      DomainError if s is not in [0, 1)

    >>> float(pruned_parameters(70e9, 0.5))
    35000000000.0
    """
    share = as_array(pruned_share)
    if not np.all((share >= 0) & (share < 1)):
        raise DomainError(f"pruned_share={pruned_share} must lie in [0, 1); 0.25 = a quarter removed")
    return as_array(parameters) * (1 - share)
