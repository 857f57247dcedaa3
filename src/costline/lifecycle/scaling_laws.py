"""Loss and the best size of a model for a training budget, after each publication. Knows no chip and no money."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.lifecycle.facts import JointLoss, LossLaw, OptimumLaw
from costline.lifecycle.training import FLOP_PER_PARAMETER_AND_TOKEN
from costline.quantities import Array, Numeric, as_array


def parametric_loss(parameters: Numeric, tokens: Numeric, law: LossLaw) -> Array:
    """Loss of a model of a size after so many training tokens.

    Equation
        L = E + A / N^α + B / D^β

    Parameters
        parameters  N  [1]      array   > 0
        tokens      D  [token]  array   > 0
        law         -           record  E, A, B, α, β of one publication

    Returns
        L  [1]  array, nats per token of the publication's text; E for infinite N and D

    Holds when  no token is seen twice and the learning rate decays over the whole run.
    Source      [hoffmann-2022] equation 2; [besiroglu-2024] for the refit
    Raises      nothing

    >>> from costline.lifecycle.facts import loss_law
    >>> round(float(parametric_loss(70e9, 1.4e12, loss_law("besiroglu-2024"))), 4)
    1.9739
    """
    shortage = law.parameter_factor / as_array(parameters) ** law.parameter_exponent
    return law.irreducible + shortage + law.token_factor / as_array(tokens) ** law.token_exponent


def kaplan_loss(parameters: Numeric, tokens: Numeric, law: JointLoss) -> Array:
    """Loss of a model of a size after so many training tokens, in the form of Kaplan et al.

    Equation
        L = ((N_c / N)^(α_N / α_D) + D_c / D)^α_D

    Parameters
        parameters  N  [1]      array   > 0, without embeddings
        tokens      D  [token]  array   > 0
        law         -           record  N_c, D_c, α_N, α_D

    Returns
        L  [1]  array, nats per token; 0 for infinite N and D

    Holds when  training stops before the model overfits.
    Source      [kaplan-2020] equation 1.5
    Raises      nothing

    >>> from costline.lifecycle.facts import joint_loss
    >>> round(float(kaplan_loss(1.75e11, 3e11, joint_loss())), 2)
    1.66
    """
    size = (law.critical_parameters / as_array(parameters)) ** (law.parameter_exponent / law.token_exponent)
    return (size + law.critical_tokens / as_array(tokens)) ** law.token_exponent


def optimal_parameters(flop: Numeric, law: LossLaw | OptimumLaw) -> Array:
    """Parameters of the best model for a training budget.

    Equation
        N = G (C / 6)^(β / (α + β)),  G = (α A / (β B))^(1 / (α + β))      a parametric loss
        N = N_0 (C / C_0)^a                                               a power law

    Parameters
        flop  C  [FLOP]  array   > 0, of training
        law   -          record  a parametric loss or a power law of one publication

    Returns
        N  [1]  array

    Holds when  training costs 6 FLOP a parameter and token and nothing else counts.
    Source      [hoffmann-2022] equation 4; [kaplan-2020] section 6
    Raises      nothing

    >>> from costline.lifecycle.facts import loss_law, optimum_law
    >>> round(float(optimal_parameters(5.76e23, loss_law("besiroglu-2024"))) / 1e9, 1)
    72.2
    >>> round(float(optimal_parameters(5.76e23, optimum_law("kaplan-2020"))) / 1e9)
    804
    """
    budget = as_array(flop)
    if isinstance(law, OptimumLaw):
        return law.parameters * (budget / law.reference_flop) ** law.exponent
    alpha, beta = law.parameter_exponent, law.token_exponent
    balance = (alpha * law.parameter_factor / (beta * law.token_factor)) ** (1 / (alpha + beta))
    return balance * (budget / FLOP_PER_PARAMETER_AND_TOKEN) ** (beta / (alpha + beta))


def optimal_tokens(flop: Numeric, law: LossLaw | OptimumLaw) -> Array:
    """Tokens that the best model for a training budget is trained on.

    Equation
        D = C / (6 N)

    Parameters
        flop  C  [FLOP]  array   > 0, of training
        law   -          record  a parametric loss or a power law of one publication

    Returns
        D  [token]  array

    Holds when  training costs 6 FLOP a parameter and token.
    Source      [hoffmann-2022] equation 4
    Raises      nothing

    >>> from costline.lifecycle.facts import loss_law
    >>> round(float(optimal_tokens(5.76e23, loss_law("besiroglu-2024"))) / 1e12, 2)
    1.33
    """
    return as_array(flop) / (FLOP_PER_PARAMETER_AND_TOKEN * optimal_parameters(flop, law))


def tokens_for_loss(parameters: Numeric, target_loss: Numeric, law: LossLaw) -> Array:
    """Training tokens with which a model of a size reaches a loss.

    Equation
        D = (B / (L - E - A / N^α))^(1 / β)

    Parameters
        parameters   N  [1]  array   > 0
        target_loss  L  [1]  array   nats per token
        law          -       record  E, A, B, α, β of one publication

    Returns
        D  [token]  array; inf where the model is too small to reach the loss

    Holds when  the law holds as far as D.
    Source      [hoffmann-2022] equation 2, solved for D
    Raises      nothing

    >>> from costline.lifecycle.facts import loss_law
    >>> epoch = loss_law("besiroglu-2024")
    >>> round(float(tokens_for_loss(70e9, parametric_loss(70e9, 1.4e12, epoch), epoch)) / 1e12, 6)
    1.4
    >>> float(tokens_for_loss(1e9, 1.9, epoch))
    inf
    """
    shortage = law.parameter_factor / as_array(parameters) ** law.parameter_exponent
    left = as_array(target_loss) - law.irreducible - shortage
    reached = left > 0
    safe = np.where(reached, left, 1.0)
    return np.where(reached, (law.token_factor / safe) ** (1 / law.token_exponent), np.inf)


def smallest_parameters(target_loss: Numeric, law: LossLaw) -> Array:
    """Size below which no number of tokens reaches a loss.

    Equation
        N_min = (A / (L - E))^(1 / α)

    Parameters
        target_loss  L  [1]  array   nats per token, > E
        law          -       record  E, A, α of one publication

    Returns
        N_min  [1]  array

    Holds when  the law holds for ever more tokens.
    Source      [hoffmann-2022] equation 2, solved for N
    Raises      DomainError if the loss is not above E

    >>> from costline.lifecycle.facts import loss_law
    >>> round(float(smallest_parameters(1.9739, loss_law("besiroglu-2024"))) / 1e9, 2)
    10.68
    """
    above = as_array(target_loss) - law.irreducible
    if not np.all(above > 0):
        raise DomainError(f"target_loss={target_loss} must exceed the irreducible {law.irreducible} of {law.id}")
    return (law.parameter_factor / above) ** (1 / law.parameter_exponent)
