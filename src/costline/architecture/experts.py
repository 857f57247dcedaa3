"""How many routed experts a step touches.

Knows numbers of experts and tokens. Knows no weights and no chip.
"""

from __future__ import annotations

import numpy as np

from costline.quantities import Array, as_array


def expected_distinct_experts(experts: object, top_k: object, tokens: object) -> Array:
    """Routed experts of one layer that at least one of a step's tokens chose, on average.

    Equation
        E_d = E (1 - (1 - k / E)^T)

    Parameters
        experts  E  [1]      array  > 0, routed experts of the layer
        top_k    k  [1]      array  experts that one token uses, 0 to E
        tokens   T  [token]  array  >= 0, tokens of the step

    Returns
        E_d  [1]  array, the broadcast shape; k for one token, towards E for many

    Holds when  tokens choose independently and uniformly; real routing is skewed and touches fewer.
    Source      [erdil-2025] eq. 22
    Raises      nothing

    >>> float(expected_distinct_experts(256, 8, 1)), round(float(expected_distinct_experts(8, 2, 4)) / 8, 3)
    (8.0, 0.684)
    """
    number = as_array(experts)
    missed = np.power(1 - as_array(top_k) / number, as_array(tokens))
    return number * (1 - missed)


def touched_experts(experts: object, top_k: object, tokens: object, shape: object = np.inf) -> Array:
    """Routed experts of one layer that a step touches on average where some experts are more popular than others.

    Equation
        E_d = E (1 - (1 + T / c)^(-a)),  c = a (E / k - 1) + (a - 1) / 2;  as `expected_distinct_experts` for a = inf

    Parameters
        experts  E  [1]      array   > 0, routed experts of the layer
        top_k    k  [1]      array   experts that one token uses, 0 < k <= E
        tokens   T  [token]  array   >= 0, tokens of the step
        shape    a  [1]      array   > 0; 1 = popularity falls off exponentially, inf = all alike

    Returns
        E_d  [1]  array, the broadcast shape; k for one token, towards E for many

    Holds when  an expert's share of tokens is Beta distributed over the experts, with mean k / E and shape a; the ratio
                of gamma functions that follows is taken to second order, within 1 % for a > 0.8 and k <= E / 4.
    Source      [derived]
    Raises      nothing

    >>> touched_experts(128, 4, [1, 32, 512], 1.0).round(1).tolist(), float(touched_experts(128, 4, 32).round(1))
    ([4.0, 65.0, 120.7], 81.7)
    """
    number, alike = as_array(experts), np.isinf(as_array(shape))
    uneven = np.where(alike, 1.0, as_array(shape))
    half = np.maximum(uneven * (number / as_array(top_k) - 1) + (uneven - 1) / 2, np.finfo(float).tiny)
    popular = number * (1 - np.power(1 + as_array(tokens) / half, -uneven))
    return np.where(alike, expected_distinct_experts(experts, top_k, tokens), popular)
