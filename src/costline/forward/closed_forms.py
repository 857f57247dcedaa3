"""Back-of-envelope equations in closed form: prefill time, where attention outgrows the MLP, memory in tiers.

Knows aggregate counts only. `steps` has the same physics operation by operation; these are what one checks it with.
"""

from __future__ import annotations

import numpy as np

from costline.architecture.cost import FLOP_PER_MAC
from costline.quantities import Array, Numeric, as_array


def prefill_time_s(
    parameters: Numeric,
    prompt_tokens: Numeric,
    flop_per_s: Numeric,
    *,
    layers: Numeric = 0,
    attention_width: Numeric = 0,
) -> Array:
    """Time to read a prompt, bound by arithmetic.

    Equation
        T = (2 P + 2 L A S) S / C

    Parameters
        parameters       P  [1]       array  that a token meets
        prompt_tokens    S  [token]   array  >= 0
        flop_per_s       C  [FLOP/s]  array  > 0, sustained, all devices together
        layers           L  [1]       array  with attention; 0 leaves attention out
        attention_width  A  [1]       array  query heads times head size

    Returns
        T  [s]  array, the broadcast shape

    Holds when  the prompt is long enough to be bound by arithmetic; a token attends to half the prompt on average.
    Source      [scaling-book] ch. 4; [erdil-2025] section 3.1
    Raises      nothing

    >>> rate = 16 * 1.97e14 * 0.4
    >>> round(float(prefill_time_s(70e9, 8192, rate)), 2)
    0.91
    >>> round(float(prefill_time_s(70e9, 8192, rate, layers=80, attention_width=8192)), 2)
    0.98
    """
    tokens = as_array(prompt_tokens)
    attention = as_array(layers) * attention_width * tokens
    return FLOP_PER_MAC * (as_array(parameters) + attention) * tokens / flop_per_s


def memory_bytes_per_s(stacks: Numeric, pins: Numeric, pin_byte_per_s: Numeric) -> Array:
    """Bandwidth of a device's memory from its stacks: what a datasheet's number is made of.

    Equation
        W = s n r

    Parameters
        stacks          s  [1]       array  >= 0
        pins            n  [1]       array  data pins of a stack (1,024 up to HBM3E, 2,048 for HBM4)
        pin_byte_per_s  r  [byte/s]  array  of one pin, an eighth of its bit rate

    Returns
        W  [byte/s]  array, the broadcast shape

    Holds when  every pin carries data all the time; parts ship below the rate that their generation allows.
    Source      [tanaka-palanor] HBM generations; [derived]
    Raises      nothing

    >>> float(memory_bytes_per_s(1, 1024, 1e9))
    1024000000000.0
    """
    return as_array(stacks) * pins * as_array(pin_byte_per_s)


def attention_crossover_tokens(mlp_parameters: Numeric, attention_width: Numeric) -> Array:
    """Length of a prompt at which causal attention takes as much arithmetic as the MLP.

    Equation
        S* = P_mlp / A          8 d for a plain MLP of width 4 d and A = d

    Parameters
        mlp_parameters   P_mlp  [1]  array  of one layer, that a token meets
        attention_width  A      [1]  array  > 0, query heads times head size

    Returns
        S*  [token]  array, the broadcast shape; above it attention takes more

    Holds when  scores and weighted values count (not the projections), and half of each is masked.
    Source      [scaling-book] ch. 4
    Raises      nothing

    >>> float(attention_crossover_tokens(2 * 8192 * 32768, 8192))
    65536.0
    """
    return as_array(mlp_parameters) / attention_width


def tiered_read_time_s(tier_bytes: object, tier_bytes_per_s: object) -> Array:
    """Time to read data that lies in several memories at once.

    Equation
        T = max_i B_i / W_i

    Parameters
        tier_bytes        B_i  [byte]    array  in each memory, along the last axis
        tier_bytes_per_s  W_i  [byte/s]  array  > 0, of each memory

    Returns
        T  [s]  array, the broadcast shape without its last axis

    Holds when  all memories are read side by side and nothing else uses them.
    Source      [williams2009] the roofline with several bandwidths
    Raises      nothing

    >>> round(1e3 * float(tiered_read_time_s([0.9 * 36e9, 0.1 * 36e9], [3.3e12, 64e9])), 1)
    56.2
    """
    return np.max(as_array(tier_bytes) / as_array(tier_bytes_per_s), axis=-1)
