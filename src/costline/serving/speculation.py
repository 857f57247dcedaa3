"""Speculative decoding in closed form: tokens a verification yields, speed-up, how far to draft, when it pays.

Knows acceptance and the relative cost of a draft step. Knows no models: what a verification step costs beyond a
decode step (large batches) is the caller's.
"""

from __future__ import annotations

import numpy as np

from costline.quantities import Array, Numeric, as_array

MOST_DRAFT_TOKENS = 64
_HALVINGS = 60
"""Steps of bisection: enough for a float's last bit."""


def expected_tokens_per_verification(acceptance: Numeric, draft_tokens: Numeric) -> Array:
    """Tokens that one verification of a draft adds: the accepted ones and the target's own next.

    Equation
        E = (1 - a^(k + 1)) / (1 - a)          k + 1 at a = 1

    Parameters
        acceptance    a  [1]      array  in [0, 1], chance that a drafted token is kept
        draft_tokens  k  [token]  array  >= 0

    Returns
        E  [token]  array, the broadcast shape; 1 where nothing is drafted or nothing accepted

    Holds when  tokens are accepted independently with the same chance, up to the first that is not.
    Source      [leviathan-2023] eq. 1
    Raises      nothing

    >>> round(float(expected_tokens_per_verification(0.8, 4)), 4), float(expected_tokens_per_verification(1.0, 4))
    (3.3616, 5.0)
    """
    a, longest = as_array(acceptance), as_array(draft_tokens) + 1
    between = np.where((a > 0) & (a < 1), a, 0.5)
    some = -np.expm1(longest * np.log(between)) / (1 - between)  # 1 - a^n loses its digits as a nears 1
    return np.where(a >= 1, longest, np.where(a <= 0, 1.0, some))


def decaying_tokens_per_verification(acceptance: Numeric, decay: Numeric, draft_tokens: Numeric) -> Array:
    """Tokens that one verification adds when later tokens of a draft are kept less often.

    Equation
        E = 1 + sum_{j=1..k} prod_{i=1..j} a_i,  a_i = a ρ^(i - 1)
          = 1 + sum_{j=1..k} a^j ρ^(j (j - 1) / 2)

    Parameters
        acceptance    a  [1]      array  in [0, 1], chance that the first drafted token is kept
        decay         ρ  [1]      array  in [0, 1], of that chance from one position to the next; 1 = none
        draft_tokens  k  [token]  array  >= 0, at most 64

    Returns
        E  [token]  array, the broadcast shape; `expected_tokens_per_verification` without decay

    Holds when  a token is kept only after those before it. Fits measured curves of 1 to 8 drafted tokens within 3 %,
                where a constant chance misses by up to 43 %.
    Source      [leviathan-2023] eq. 1; [derived] for the decay
    Raises      nothing

    >>> round(float(decaying_tokens_per_verification(0.8, 0.95, 4)), 4)
    3.1481
    """
    a, rho, k = np.broadcast_arrays(as_array(acceptance), as_array(decay), as_array(draft_tokens))
    total, kept = np.ones(a.shape), np.ones(a.shape)
    for j in range(1, int(np.max(k, initial=0)) + 1):
        kept = kept * a * rho ** (j - 1)
        total = total + np.where(j <= k, kept, 0.0)
    return total


def loaded_speedup(step_s: Numeric, round_s: Numeric, tokens: Numeric) -> Array:
    """Speed of decoding with a draft relative to decoding without, at any batch.

    Equation
        s = E T / (T_v + k T_q)

    Parameters
        step_s   T             [s]      array  decode step without a draft, at the batch
        round_s  T_v + k T_q   [s]      array  > 0, verification and the drafting before it, at the same batch
        tokens   E             [token]  array  that one round adds to a sequence

    Returns
        s  [1]  array, the broadcast shape; below 1 where the work on rejected tokens costs more than it saves

    Holds when  drafting and verification follow one another.
    Source      [leviathan-2023] theorem 3.8 with the times of the real batch
    Raises      nothing

    >>> round(float(loaded_speedup(0.010, 0.014, 2.8)), 6)
    2.0
    """
    return as_array(tokens) * step_s / round_s


def least_acceptance(decay: Numeric, draft_tokens: Numeric, round_cost: Numeric) -> Array:
    """Chance of keeping the first drafted token from which a round pays, at any batch.

    Equation
        E(a, ρ, k) = (T_v + k T_q) / T

    Parameters
        decay         ρ  [1]      array  in [0, 1]
        draft_tokens  k  [token]  array  >= 1, at most 64
        round_cost    -  [1]      array  >= 0, time of a round over that of a decode step without a draft

    Returns
        a  [1]  array, the broadcast shape; 0 where any draft pays, nan where not even a perfect one does

    Holds when  as `decaying_tokens_per_verification`, of which this is the inverse, by bisection.
    Source      [derived]; [leviathan-2023] corollary 3.9 without decay
    Raises      nothing

    >>> round(float(least_acceptance(1.0, 4, 1.4)), 3), float(least_acceptance(1.0, 1, 2.5))
    (0.287, nan)
    """
    rho, k, cost = np.broadcast_arrays(as_array(decay), as_array(draft_tokens), as_array(round_cost))
    low, high = np.zeros(k.shape), np.ones(k.shape)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slower = decaying_tokens_per_verification(middle, rho, k) < cost
        low, high = np.where(slower, middle, low), np.where(slower, high, middle)
    most = decaying_tokens_per_verification(np.ones(k.shape), rho, k)
    return np.where(cost > most, np.nan, np.where(cost <= 1, 0.0, high))


def speculative_speedup(acceptance: Numeric, draft_tokens: Numeric, draft_cost: Numeric) -> Array:
    """Speed of decoding with a draft, relative to decoding without.

    Equation
        s = (1 - a^(k + 1)) / ((1 - a) (1 + k c))

    Parameters
        acceptance    a  [1]      array  in [0, 1]
        draft_tokens  k  [token]  array  >= 0
        draft_cost    c  [1]      array  >= 0, time of a draft step over that of a step of the target

    Returns
        s  [1]  array, the broadcast shape; below 1 where drafting slows down

    Holds when  a verification of k + 1 tokens takes as long as a decode step: small batches, memory bound.
    Source      [leviathan-2023] theorem 3.8
    Raises      nothing

    >>> round(float(speculative_speedup(0.7, 4, 0.1)), 2), round(float(speculative_speedup(0.8, 4, 0.1)), 2)
    (1.98, 2.4)
    """
    drafting = 1 + as_array(draft_tokens) * draft_cost
    return expected_tokens_per_verification(acceptance, draft_tokens) / drafting


def best_draft_tokens(acceptance: Numeric, draft_cost: Numeric, *, most: int = MOST_DRAFT_TOKENS) -> Array:
    """Tokens to draft for the greatest speed-up, 0 where no draft pays.

    Equation
        k* = argmax_{0 <= k <= k_max} s(a, k, c)

    Parameters
        acceptance  a      [1]      array   in [0, 1]
        draft_cost  c      [1]      array   >= 0, time of a draft step over that of a step of the target
        most        k_max  [token]  scalar  longest draft to consider

    Returns
        k*  [token]  array, the broadcast shape; of equally fast lengths the shortest

    Holds when  as `speculative_speedup`.
    Source      [leviathan-2023] section 3.5
    Raises      nothing

    >>> float(best_draft_tokens(0.9, 0.1)), float(best_draft_tokens(0.05, 0.1))
    (10.0, 0.0)
    """
    a, c = np.broadcast_arrays(as_array(acceptance), as_array(draft_cost))
    lengths = np.arange(most + 1, dtype=np.float64)
    return as_array(np.argmax(speculative_speedup(a[..., None], lengths, c[..., None]), axis=-1))


def break_even_acceptance(draft_tokens: Numeric, draft_cost: Numeric) -> Array:
    """Acceptance from which a draft speeds decoding up.

    Equation
        a + a² + ... + a^k = k c

    Parameters
        draft_tokens  k  [token]  array  >= 1
        draft_cost    c  [1]      array  >= 0, time of a draft step over that of a step of the target

    Returns
        a  [1]  array, the broadcast shape; nan where c > 1: not even a perfect draft pays

    Holds when  as `speculative_speedup`, of which this is s = 1.
    Source      [leviathan-2023] corollary 3.9 for k = 1; bisection for longer drafts
    Raises      nothing

    >>> round(float(break_even_acceptance(4, 0.1)), 3), float(break_even_acceptance(4, 1.5))
    (0.287, nan)
    """
    k, c = np.broadcast_arrays(as_array(draft_tokens), as_array(draft_cost))
    low, high = np.zeros(k.shape), np.ones(k.shape)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slower = speculative_speedup(middle, k, c) < 1
        low, high = np.where(slower, middle, low), np.where(slower, high, middle)
    return np.where(c > 1, np.nan, np.where(c >= 1, 1.0, high))


def acceptance_rate(target_probability: Numeric, draft_probability: Numeric) -> Array:
    """Acceptance estimated from tokens that a draft proposed.

    Equation
        a = mean over tokens of min(1, p / q)

    Parameters
        target_probability  p  [1]  array  in [0, 1], that the target gives each proposed token
        draft_probability   q  [1]  array  in (0, 1], that the draft gave it

    Returns
        a  [1]  array, the broadcast shape without its last axis (the tokens)

    Holds when  the tokens were sampled from the draft and are kept by rejection sampling.
    Source      [leviathan-2023] section 3.2
    Raises      nothing

    >>> float(acceptance_rate(0.5, 0.8)), round(float(acceptance_rate([0.5, 0.9], [0.8, 0.3])), 4)
    (0.625, 0.8125)
    """
    kept = np.minimum(as_array(target_probability) / as_array(draft_probability), 1.0)
    return np.mean(kept, axis=-1) if kept.ndim else kept
