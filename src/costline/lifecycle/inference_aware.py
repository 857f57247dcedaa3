"""The size that is cheapest over training and serving together, at one loss. Knows no chip and no price list."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.lifecycle.facts import LossLaw
from costline.lifecycle.scaling_laws import smallest_parameters, tokens_for_loss
from costline.lifecycle.training import training_flop
from costline.quantities import Array, Numeric, as_array

INFERENCE_FLOP_PER_PARAMETER = 2
_HALVINGS = 200
"""Bisection steps: more than the bits of a float, whatever the range."""


def lifetime_flop(parameters: Numeric, training_tokens: Numeric, inference_tokens: Numeric) -> Array:
    """Work of training a model and of serving tokens with it.

    Equation
        F = 6 N D + 2 N D_inf

    Parameters
        parameters        N      [1]      array  >= 0
        training_tokens   D      [token]  array  >= 0
        inference_tokens  D_inf  [token]  array  >= 0, prompts and answers over the life

    Returns
        F  [FLOP]  array

    Holds when  attention scores do not count.
    Source      [sardana-2024] equation 1
    Raises      nothing

    >>> float(lifetime_flop(1e9, 20e9, 60e9))
    2.4e+20
    """
    serving = INFERENCE_FLOP_PER_PARAMETER * as_array(parameters) * inference_tokens
    return training_flop(parameters, training_tokens) + serving


def inference_aware_parameters(
    target_loss: Numeric, inference_tokens: Numeric, law: LossLaw, *, cost_ratio: Numeric = 1.0
) -> Array:
    """Size that reaches a loss at the least cost of training and serving together.

    Equation
        min_N 6 N D(N) + 2 φ N D_inf,  D(N) = (B / (L - E - A / N^α))^(1 / β)
        -> α x / (β (r - x)) = 1 + φ D_inf / (3 D),  x = A / N^α,  r = L - E

    Parameters
        target_loss       L      [1]      array   nats per token, > E
        inference_tokens  D_inf  [token]  array   >= 0, prompts and answers over the life
        law               -               record  E, A, B, α, β of one publication
        cost_ratio        φ      [1]      array   >= 0, price of a FLOP in serving over one in training

    Returns
        N  [1]  array; the compute-optimal size for D_inf = 0, towards the smallest possible for ever more

    Holds when  the law holds at many tokens a parameter, and serving costs in proportion to the size.
    Source      [sardana-2024] section 2; [hoffmann-2022] for D(N)
    Raises      DomainError if the loss is not above E, or tokens or ratio are negative

    >>> from costline.lifecycle.facts import loss_law
    >>> epoch = loss_law("besiroglu-2024")
    >>> [round(float(inference_aware_parameters(1.97388, d, epoch)) / 1e9, 1) for d in (0.0, 1e13)]
    [73.0, 34.5]
    """
    served = as_array(inference_tokens) * as_array(cost_ratio)
    if not np.all(served >= 0):
        raise DomainError(f"inference_tokens={inference_tokens} and cost_ratio={cost_ratio} must not be negative")
    alpha, beta = law.parameter_exponent, law.token_exponent
    smallest = smallest_parameters(target_loss, law)
    reducible = as_array(target_loss) - law.irreducible
    # u = x / r runs from the compute-optimal share to 1 at the smallest size; the condition is monotone in u.
    shape = np.broadcast_shapes(np.shape(served), np.shape(reducible))
    low, high = np.full(shape, beta / (alpha + beta)), np.ones(shape)
    for _ in range(_HALVINGS):
        u = (low + high) / 2
        left = np.maximum(1 - u, np.finfo(np.float64).eps)
        tokens = (law.token_factor / (reducible * left)) ** (1 / beta)
        too_small = alpha * u / (beta * left) > 1 + served / (3 * tokens)
        low, high = np.where(too_small, low, u), np.where(too_small, u, high)
    return smallest / low ** (1 / alpha)


def inference_aware_tokens(
    target_loss: Numeric, inference_tokens: Numeric, law: LossLaw, *, cost_ratio: Numeric = 1.0
) -> Array:
    """Training tokens of the size that `inference_aware_parameters` finds.

    Equation
        D = D(N*)

    Parameters
        target_loss       L      [1]      array   nats per token, > E
        inference_tokens  D_inf  [token]  array   >= 0
        law               -               record  E, A, B, α, β of one publication
        cost_ratio        φ      [1]      array   >= 0, price of a FLOP in serving over one in training

    Returns
        D  [token]  array

    Holds when  as `inference_aware_parameters`.
    Source      [sardana-2024] section 2
    Raises      DomainError if the loss is not above E, or tokens or ratio are negative

    >>> from costline.lifecycle.facts import loss_law
    >>> round(float(inference_aware_tokens(1.97388, 1e13, loss_law("besiroglu-2024"))) / 1e12, 2)
    3.75
    """
    size = inference_aware_parameters(target_loss, inference_tokens, law, cost_ratio=cost_ratio)
    return tokens_for_loss(size, target_loss, law)
