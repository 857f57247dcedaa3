"""A step as tables: the sum of the parts is the step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.architecture.operations import Formats, decode_segment, prefill_segment
from costline.architecture.sharding import layout
from costline.catalog.efficiency import efficiency
from costline.catalog.find import chip, system
from costline.catalog.models import find_model
from costline.forward.rates import expected_rates, ideal_rates
from costline.forward.step_parts import StepAxes, step_axes, step_parts
from costline.forward.steps import step_time
from costline.quantities import as_array

FORMATS = Formats({"": "fp8", "head": "bf16", "embedding": "bf16"}, "bf16", "fp8")
MODELS = ("llama-3.1-8b", "deepseek-v3", "gpt-oss-120b", "qwen3.5-397b-a17b")


def rates_of(name: str, kind: str, engine: str = "vllm"):
    one = chip(name)
    wired = system(one.system)
    return ideal_rates(one, wired) if kind == "ideal" else expected_rates(one, wired, efficiency(one), engine)


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    kind=st.sampled_from(["ideal", "expected"]),
    device=st.sampled_from(["h100-sxm", "b200-sxm", "tpu-v5e", "mi300x"]),
    tp=st.sampled_from([1, 4, 8]),
    sequences=st.integers(1, 300),
    context=st.integers(1, 30_000),
    prompt=st.integers(2, 8192),
    cached=st.integers(0, 20_000),
)
def test_parts_add_up_to_the_step(model, kind, device, tp, sequences, context, prompt, cached):
    shape, where, rates = find_model(model), layout(tp), rates_of(device, kind)
    points = ([sequences + prompt], [sequences, sequences + 1], [context], [prompt], [cached])
    axes = StepAxes(*(as_array(one) for one in points))
    found = step_parts(shape, where, FORMATS, rates, axes)
    segments = [decode_segment(sequences, context), prefill_segment(1, prompt, cached)]
    total = (
        found.tokens_s[0] + found.decode_attention_s[0, 0] + found.prefill_attention_s[0, 0] + found.outputs_s[1]
        + found.step_s + found.mixed_s
    )
    assert float(step_time(shape, segments, where, FORMATS, rates).expected_s) == pytest.approx(float(total), rel=1e-12)


def test_straight_lines_between_points_are_close():
    shape, where, rates = find_model("llama-3.1-70b"), layout(4), rates_of("h100-sxm", "expected")
    axes = step_axes(8192, 512, 65_536)
    found = step_parts(shape, where, FORMATS, rates, axes)
    asked = np.random.default_rng(1).integers(1, 8192, 400).astype(float)
    exact = step_parts(shape, where, FORMATS, rates, StepAxes(asked, *[as_array([1.0])] * 4)).tokens_s
    assert np.interp(asked, axes.tokens, found.tokens_s) == pytest.approx(exact, rel=0.02)
    assert found.decode_attention_s.shape == (axes.sequences.size, axes.context_tokens.size)
    assert found.prefill_attention_s.shape == (axes.prompt_tokens.size, axes.cached_tokens.size)
    assert found.step_s > 0 < found.mixed_s
    assert found.request_s > 0
