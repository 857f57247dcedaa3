"""Step times read off the tables, inside the loop.

Knows where an engine's table lies among the numbers and how to go between and beyond its points.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from costline.serving.compiled import compiled
from costline.serving.loop.state import Row


@compiled
def dense_s(numbers: Any, at: int, length: int, count: int) -> float:
    """Time of `count` on an axis that counts from 0; along the last slope beyond it."""
    if count < length:
        return numbers[at + count]
    last = numbers[at + length - 1]
    return last + (count - length + 1) * (last - numbers[at + length - 2])


@compiled
def knot_below(numbers: Any, at: int, length: int, value: float) -> int:
    """The knot at or below a value, so that one more lies above it."""
    low, high = 0, length - 2
    while low < high:
        middle = (low + high + 1) // 2
        if numbers[at + middle] <= value:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def decode_attention(engine: Row, numbers: Any, sequences: int, kv_tokens: float) -> tuple[float, float, float]:
    """Time of decode attention, seconds a token of cache, and the cache up to which that slope holds."""
    at, knots = engine.knots_at, engine.knots
    mean = kv_tokens / sequences
    knot = knot_below(numbers, at, knots, mean)
    row = min(sequences, engine.decode_rows - 1)
    here = engine.decode_at + row * knots + knot
    low_s, high_s = numbers[here], numbers[here + 1]
    if sequences > row:
        beyond = sequences - row
        low_s += beyond * (low_s - numbers[here - knots])
        high_s += beyond * (high_s - numbers[here + 1 - knots])
    low, high = numbers[at + knot], numbers[at + knot + 1]
    slope = (high_s - low_s) / (high - low)
    end = high * sequences if knot < knots - 2 else np.inf
    return low_s + slope * (mean - low), slope / sequences, end


@compiled
def prefill_attention_s(engine: Row, numbers: Any, new_tokens: int, context_tokens: int) -> float:
    """Attention of one prompt chunk, bilinear between the knots."""
    rows, columns = engine.rows_at, engine.columns_at
    row = knot_below(numbers, rows, engine.rows, new_tokens)
    column = knot_below(numbers, columns, engine.columns, context_tokens)
    down = (new_tokens - numbers[rows + row]) / (numbers[rows + row + 1] - numbers[rows + row])
    across = (context_tokens - numbers[columns + column]) / (numbers[columns + column + 1] - numbers[columns + column])
    here = engine.prefill_at + row * engine.columns + column
    under = here + engine.columns
    upper = numbers[here] + across * (numbers[here + 1] - numbers[here])
    lower = numbers[under] + across * (numbers[under + 1] - numbers[under])
    return upper + down * (lower - upper)


@compiled
def shared_s(engine: Row, numbers: Any, tokens: int, outputs: int) -> float:
    """The part of a step that depends on counts alone."""
    counted = dense_s(numbers, engine.tokens_at, engine.tokens, tokens)
    return engine.step_s + counted + dense_s(numbers, engine.outputs_at, engine.outputs, outputs)


@compiled
def mixed_bits(seed: Any, number: Any) -> Any:
    """64 well-mixed bits of a seed and a number (the finaliser of a splitmix generator)."""
    bits = np.uint64(seed) + np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@compiled
def chance(seed: Any, number: int) -> float:
    """A number in [0, 1), the same for the same seed and number wherever it runs."""
    return float(mixed_bits(seed, number) >> np.uint64(11)) * 2.0**-53


@compiled
def verification_steps(engine: Row, numbers: Any, seed: Any, tokens: int) -> int:
    """Decode steps that a sequence needs for `tokens` tokens."""
    if engine.drafts == 0:
        return tokens
    if engine.is_random == 0:
        return math.ceil(tokens / engine.mean_tokens - 1e-9)
    steps, made, draw = 0, 0, 0
    while made < tokens:
        kept = 0
        while kept < engine.drafts:
            draw += 1
            if chance(seed, draw) >= numbers[engine.acceptance_at + kept]:
                break
            kept += 1
        made += 1 + kept
        steps += 1
    return steps
