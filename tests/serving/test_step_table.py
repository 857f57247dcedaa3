"""Step tables: what they hold, and the times that the loop reads off them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from costline.errors import InputError
from costline.serving.fleet import Engine, replicas
from costline.serving.requests import Requests
from costline.serving.simulate import simulate
from costline.serving.step_table import StepTable, affine_table

CONTEXTS = np.array([0.0, 256.0, 1024.0, 8192.0])
NEW = np.array([0.0, 128.0, 512.0, 4096.0])
EARLIER = np.array([0.0, 1024.0, 8192.0])
SEQUENCES = np.arange(33.0)[:, np.newaxis]
TABLE = StepTable(
    tokens_s=np.sqrt(np.arange(5000)) * 1e-4,
    outputs_s=np.log1p(np.arange(40)) * 1e-3,
    decode_context_tokens=CONTEXTS,
    decode_attention_s=1e-5 * SEQUENCES * np.sqrt(1 + CONTEXTS),
    prefill_new_tokens=NEW,
    prefill_context_tokens=EARLIER,
    prefill_attention_s=1e-9 * NEW[:, np.newaxis] ** 1.5 * (1 + EARLIER) ** 0.5,
    step_s=1e-3,
    mixed_s=5e-4,
)
PREFILL = RegularGridInterpolator((NEW, EARLIER), TABLE.prefill_attention_s)


def step_times_s(requests: Requests, engine: Engine) -> np.ndarray:
    found = simulate(requests, replicas(TABLE, engine), trace_steps=100_000, fast_forward=False)
    assert found.trace is not None
    return found.trace.end_s - found.trace.start_s


@given(st.integers(1, 4000), st.integers(2, 20), st.sampled_from([64, 500, 4096]))
def test_a_lone_request_takes_the_sum_of_the_terms(prompt: int, output: int, budget: int):
    engine = Engine(max_batched_tokens=budget, max_sequences=8)
    found_s = step_times_s(Requests(np.zeros(1), np.array([prompt]), np.array([output])), engine)
    expected_s = []
    for read in range(0, prompt, budget):
        chunk = min(budget, prompt - read)
        ended = int(read + chunk == prompt)
        attention_s = PREFILL((chunk, read)).item()
        expected_s.append(1.5e-3 + TABLE.tokens_s[chunk] + TABLE.outputs_s[ended] + attention_s)
    contexts = prompt + np.arange(output - 1)
    attention_s = np.interp(contexts, CONTEXTS, TABLE.decode_attention_s[1])
    expected_s += list(1e-3 + TABLE.tokens_s[1] + TABLE.outputs_s[1] + attention_s)
    np.testing.assert_allclose(found_s, expected_s, rtol=1e-9, atol=1e-12)


def test_beyond_its_ends_a_table_goes_on():
    # 40 sequences where the table ends at 32, prompts of 9,000 tokens where the knots end at 4,096 and 8,192.
    requests = Requests(np.zeros(40), np.full(40, 9000), np.full(40, 3))
    engine = Engine(max_batched_tokens=400_000, max_sequences=40)
    prompts_s, decode_s, _ = step_times_s(requests, engine)
    last_s = TABLE.tokens_s[-1] + (360_000 - 4999) * (TABLE.tokens_s[-1] - TABLE.tokens_s[-2])
    corner_s = TABLE.prefill_attention_s[:, 0]
    attention_s = corner_s[-1] + (9000 - 4096) * (corner_s[-1] - corner_s[-2]) / (4096 - 512)
    outputs_s = TABLE.outputs_s[-1] + (TABLE.outputs_s[-1] - TABLE.outputs_s[-2])
    assert prompts_s == pytest.approx(1.5e-3 + last_s + outputs_s + 40 * attention_s, rel=1e-9)
    row_s = TABLE.decode_attention_s[32] + 8 * (TABLE.decode_attention_s[32] - TABLE.decode_attention_s[31])
    beyond_s = row_s[-1] + (9000 - 8192) * (row_s[-1] - row_s[-2]) / (8192 - 1024)
    assert decode_s == pytest.approx(1e-3 + TABLE.tokens_s[40] + outputs_s + beyond_s, rel=1e-9)


def test_verification_brings_more_tokens():
    table = affine_table(step_s=1e-3, token_s=1e-5, output_s=1e-6, decode_tokens=4)
    requests = Requests(np.zeros(2), np.full(2, 10), np.full(2, 2))
    found = simulate(requests, replicas(table, Engine()), trace_steps=9)
    assert found.trace is not None
    first_s, second_s = found.trace.end_s - found.trace.start_s
    assert first_s == pytest.approx(1e-3 + 20e-5 + 2e-6)
    assert second_s == pytest.approx(1e-3 + 8e-5 + 8e-6)


@pytest.mark.parametrize(("changes", "word"), [
    ({"tokens_s": np.array([np.nan, 1.0])}, "tokens_s"),
    ({"outputs_s": np.array([0.0, -1.0])}, "outputs_s"),
    ({"outputs_s": np.array([0.0])}, "outputs_s"),
    ({"decode_context_tokens": np.array([5.0, 1.0])}, "decode_context_tokens"),
    ({"prefill_new_tokens": np.array([0.0, 1.0])}, "shapes"),
])  # fmt: skip
def test_bad_tables_are_named(changes: dict[str, np.ndarray], word: str):
    with pytest.raises(InputError, match=word):
        replace(TABLE, **changes)
