"""What a step of an engine takes, as plain arrays whose terms add up, so that runs of decode steps have a closed form.

Holds the numbers and checks them; knows neither the physics that made them nor the requests that use them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from costline.errors import InputError
from costline.quantities import Array


@dataclass(frozen=True)
class StepTable:
    """Terms of a step's time: the step's time is their sum.

    A step of N decoding sequences that hold K tokens of KV cache together before it (mean S = K / N), and of prompt
    chunks of p_i new tokens behind c_i earlier ones, has T = `decode_tokens` · N + Σ p_i tokens and takes

        step_s + tokens_s[T] + decode_attention_s(N, S) + outputs_s[n] + Σ prefill_attention_s(p_i, c_i)
        and mixed_s where there are chunks

    where n = `decode_tokens` · N + prompts that end in the step. Dense axes count from 0 and go on along their last
    slope; the knots' axes are piecewise linear and go on along their outer slopes. A step that verifies drafts has
    k + 1 `decode_tokens`, and what drafting costs is in its `decode_attention_s`.
    """

    tokens_s: Array
    """[T]  work that is counted in tokens, of a step with T tokens in all"""
    outputs_s: Array
    """[n]  head and sampler of n sampled positions"""
    decode_context_tokens: Array
    """[knot]  mean context S of the knots, rising"""
    decode_attention_s: Array
    """[N, knot]  attention of N decoding sequences, row 0 is zero"""
    prefill_new_tokens: Array
    """[row]  new tokens p of the knots, rising"""
    prefill_context_tokens: Array
    """[column]  earlier tokens c of the knots, rising"""
    prefill_attention_s: Array
    """[row, column]  attention of one prompt chunk"""
    step_s: float = 0.0
    """every step"""
    mixed_s: float = 0.0
    """a step with a prompt chunk, more"""
    request_s: float = 0.0
    """outside the engine, a request: in time to first token and in the whole"""
    decode_tokens: int = 1
    """tokens that a decoding sequence brings to a step: 1, or drafts + 1"""

    def __post_init__(self) -> None:
        for item in fields(self)[:7]:
            values = np.ascontiguousarray(getattr(self, item.name), dtype=np.float64)
            if not values.size or not np.all(np.isfinite(values)) or np.any(values < 0):
                raise InputError(f"{item.name} of a step table must hold finite numbers, none below zero")
            object.__setattr__(self, item.name, values)
        knots, rows, columns = self.decode_context_tokens, self.prefill_new_tokens, self.prefill_context_tokens
        for name, axis in (("decode_context_tokens", knots), ("prefill_new_tokens", rows),
                           ("prefill_context_tokens", columns)):  # fmt: skip
            if axis.ndim != 1 or len(axis) < 2 or np.any(np.diff(axis) <= 0):
                raise InputError(f"{name} of a step table must rise strictly, over two knots or more")
        shapes = (self.decode_attention_s.shape[1:], self.prefill_attention_s.shape)
        if shapes != (knots.shape, (len(rows), len(columns))):
            raise InputError(f"attention times of a step table have shapes {shapes}; they must match their knots")
        if min(len(self.tokens_s), len(self.outputs_s), len(self.decode_attention_s)) < 2:
            raise InputError("tokens_s, outputs_s and decode_attention_s of a step table need counts 0 and 1 at least")


def affine_table(
    *,
    step_s: float = 0.0,
    token_s: float = 0.0,
    sequence_s: float = 0.0,
    context_token_s: float = 0.0,
    pair_s: float = 0.0,
    output_s: float = 0.0,
    mixed_s: float = 0.0,
    request_s: float = 0.0,
    decode_tokens: int = 1,
) -> StepTable:
    """A table in which each count costs the same: `context_token_s` a token of cache read by a decode step, `pair_s`
    a pair of new and earlier token of a chunk, `sequence_s` a decoding sequence.

    >>> affine_table(step_s=0.01, token_s=1e-5).tokens_s
    array([0.e+00, 1.e-05])
    """
    counts, ends = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    attention = counts[:, np.newaxis] * (sequence_s + context_token_s * ends)
    return StepTable(
        tokens_s=token_s * counts,
        outputs_s=output_s * counts,
        decode_context_tokens=ends,
        decode_attention_s=attention,
        prefill_new_tokens=ends,
        prefill_context_tokens=ends,
        prefill_attention_s=pair_s * ends[:, np.newaxis] * ends,
        step_s=step_s,
        mixed_s=mixed_s,
        request_s=request_s,
        decode_tokens=decode_tokens,
    )
