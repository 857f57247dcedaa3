"""The formulas of the optimisation guide: memory, speculation, and what a cache saves.

Knows the guide's quirks: a cache as wide as the model, every term at the weights' format. Knows no printed number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from costline.quantities import Array


class GuideMemory(NamedTuple):
    """What the guide's memory function returns, in bytes."""

    weights_bytes: Array
    kv_bytes: Array
    activation_bytes: Array

    @property
    def total_bytes(self) -> Array:
        """The three together."""
        return self.weights_bytes + self.kv_bytes + self.activation_bytes


def guide_memory(
    parameters: ArrayLike,
    batch: ArrayLike,
    tokens: ArrayLike,
    *,
    layers: ArrayLike,
    width: ArrayLike,
    element_bytes: ArrayLike,
) -> GuideMemory:
    """Memory of a model and its requests as the guide counts it, every term at the weights' format.

    Equation
        Q = b P,  K = 2 b B S L d,  A = 4 b B S d

    Parameters
        parameters     P  [1]      array  weights of the model
        batch          B  [1]      array  sequences
        tokens         S  [token]  array  context of each
        layers         L  [1]      array  layers
        width          d  [1]      array  size of a token's keys; the guide takes the model's width, 8192
        element_bytes  b  [byte]   array  bytes of a number

    Returns
        Q, K, A  [byte]  arrays: weights, cache and activations, the broadcast shape of the inputs

    Holds when  every query head has its own keys and values (true of no 70B Llama: it has 8 KV heads).
    Source      [optimization-guide] GPU Selection
    Raises      nothing

    >>> [float(part) / 1e9 for part in guide_memory(70e9, 1, 4096, layers=80, width=8192, element_bytes=2)]
    [140.0, 10.73741824, 0.268435456]
    """
    b, d = np.asarray(element_bytes, float), np.asarray(width, float)
    positions = np.asarray(batch, float) * np.asarray(tokens, float)
    weights = b * np.asarray(parameters, float)
    return GuideMemory(weights, 2 * b * positions * np.asarray(layers, float) * d, 4 * b * positions * d)


def drafted_speed_up(acceptance: ArrayLike, draft_tokens: ArrayLike, draft_cost: ArrayLike) -> Array:
    """Gain of speculative decoding while a pass over the drafts costs as much as one over a single token.

    Equation
        g = (1 - a^(k+1)) / ((1 - a) (1 + k c))

    Parameters
        acceptance    a  [1]  array  0 <= a < 1, chance that a drafted token is accepted
        draft_tokens  k  [1]  array  tokens drafted for each pass of the large model
        draft_cost    c  [1]  array  time of a draft pass over one of the large model

    Returns
        g  [1]  array, the broadcast shape of the inputs

    Holds when  acceptances are independent, and decode is bound by reading the weights.
    Source      [leviathan-2023]; the guide's own formula is lost in the text
    Raises      nothing; a = 1 gives NaN

    >>> round(float(drafted_speed_up(0.7, 4, 0.1)), 2)
    1.98
    """
    a, k = np.asarray(acceptance, float), np.asarray(draft_tokens, float)
    certain = a >= 1
    tokens = (1 - a ** (k + 1)) / np.where(certain, np.nan, 1 - a)
    return tokens / (1 + k * np.asarray(draft_cost, float))


def cached_generation_gain(prompt_tokens: int, new_tokens: int) -> float:
    """Tokens that generation without a cache processes, over those with one."""
    without = sum(prompt_tokens + done for done in range(new_tokens))
    return without / (prompt_tokens + new_tokens)
