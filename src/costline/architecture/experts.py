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
