"""Budgets of training on preferences and rewards: people, memory, work. Knows no model and no chip."""

from __future__ import annotations

from typing import Literal

from costline.lifecycle.facts import TrainingState
from costline.quantities import Array, Numeric, as_array

Algorithm = Literal["ppo", "grpo", "rlvr", "dpo"]
TRAINED = {"ppo": 2, "grpo": 1, "rlvr": 1, "dpo": 1}
"""Models whose weights change: the policy, and the critic of PPO."""
FROZEN = {"ppo": 2, "grpo": 2, "rlvr": 1, "dpo": 1}
"""Models that only run forward: the reference policy, and the reward model where no rule gives the reward."""


def annotation_usd(comparisons: Numeric, usd_each: Numeric) -> Array:
    """Cost of human comparisons.

    Equation
        c = n p

    Parameters
        comparisons  n  [1]    array  >= 0
        usd_each     p  [USD]  array  >= 0

    Returns
        c  [USD]  array

    Holds when  each comparison is paid alike; rewards that a program checks need none.
    Source      [ouyang-2022]; [palanor-kb] for prices of 20 to 100 USD
    Raises      nothing

    >>> float(annotation_usd(50_000, 100.0))
    5000000.0
    """
    return as_array(comparisons) * usd_each


def preference_state_bytes(parameters: Numeric, algorithm: Algorithm, state: TrainingState) -> Array:
    """Bytes of all model copies that an algorithm keeps, without activations and caches.

    Equation
        M = N (n_t b + n_f b_w)

    Parameters
        parameters  N  [1]  array   >= 0, of each copy
        algorithm   -       choice  ppo: 2 trained, 2 frozen; grpo: 1, 2; rlvr and dpo: 1, 1
        state       -       record  b bytes of a trained parameter, b_w of a frozen one

    Returns
        M  [byte]  array, all devices together

    Holds when  all copies have the policy's size.
    Source      [ouyang-2022]; [shao-2024]; [rafailov-2023]; [rajbhandari-2020] for b
    Raises      nothing

    >>> from costline.lifecycle.facts import training_state
    >>> float(preference_state_bytes(70e9, "ppo", training_state("adamw"))) / 1e9
    2520.0
    """
    per_parameter = TRAINED[algorithm] * state.total + FROZEN[algorithm] * state.weight
    return as_array(parameters) * per_parameter


def preference_flop(
    parameters: Numeric, algorithm: Algorithm, *, tokens: Numeric, rollout_tokens: Numeric = 0.0, epochs: Numeric = 1.0
) -> Array:
    """Work of training on preferences or rewards.

    Equation
        F = N (2 G + 2 n_f D + 6 n_t e D)                 (PPO's critic scores once more: 2 D)

    Parameters
        parameters      N  [1]      array   >= 0, of each copy
        algorithm       -           choice  ppo, grpo, rlvr or dpo
        tokens          D  [token]  array   >= 0, prompts and answers that are scored and learned from
        rollout_tokens  G  [token]  array   >= 0, prompts and answers that the policy generates (0 for dpo)
        epochs          e  [1]      array   >= 1, passes over the same tokens

    Returns
        F  [FLOP]  array

    Holds when  attention scores do not count; generation takes far longer than its FLOP suggest.
    Source      [ouyang-2022]; [shao-2024]; [rafailov-2023]; [kaplan-2020] section 2.1
    Raises      nothing

    >>> float(preference_flop(1e9, "dpo", tokens=1e9))
    8e+18
    >>> float(preference_flop(1e9, "ppo", tokens=1e9, rollout_tokens=1e9))
    2e+19
    """
    scored = FROZEN[algorithm] + (1 if algorithm == "ppo" else 0)
    learned = 6 * TRAINED[algorithm] * as_array(epochs) * tokens
    return as_array(parameters) * (2 * as_array(rollout_tokens) + 2 * scored * as_array(tokens) + learned)


def compute_share(flop: Numeric, pretraining_flop: Numeric) -> Array:
    """Work of a later stage over that of pretraining.

    Equation
        s = F / F_0

    Parameters
        flop              F    [FLOP]  array  >= 0
        pretraining_flop  F_0  [FLOP]  array  > 0, in the same unit

    Returns
        s  [1]  array

    Holds when  both count the same operations.
    Source      [ouyang-2022] section 5.1: 60 of 3640 petaFLOP/s-days
    Raises      nothing

    >>> round(float(compute_share(60, 3640)), 4)
    0.0165
    """
    return as_array(flop) / pretraining_flop
