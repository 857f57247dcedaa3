"""Operations by their kernels: the busiest device of experts, and expected times never below the datasheet's bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.architecture.operations import Formats, decode_segment, prefill_segment
from costline.architecture.products import COMPONENTS, layer_products
from costline.architecture.sharding import layer_parameters_per_device, layout
from costline.catalog.efficiency import efficiency
from costline.catalog.find import chip, system
from costline.catalog.models import models
from costline.forward.kernel_times import busiest_pairs
from costline.forward.kernels.experts import padded_sides
from costline.forward.rates import expected_rates, ideal_rates
from costline.forward.steps import step_time
from costline.quantities import as_array

MODELS = models()
DEVICES = ("h100-sxm", "b200-sxm", "a100-80gb-sxm", "l40s", "mi300x", "tpu-v5e", "trainium2")


def test_busiest_pairs():
    pairs, devices = as_array([64.0, 4096.0]), as_array([1.0, 8.0])
    grid = busiest_pairs(pairs[:, None], devices)
    alone = [[float(busiest_pairs(as_array(p), as_array(r))) for r in devices] for p in pairs]
    np.testing.assert_allclose(grid, alone)
    assert grid[:, 0].tolist() == [64.0, 4096.0]
    draws = np.random.default_rng(0).multinomial(4096, [1 / 8] * 8, size=2000).max(axis=1)
    assert grid[1, 1] == pytest.approx(draws.mean(), rel=0.03)
    assert float(busiest_pairs(as_array(1e9), as_array(8.0))) == pytest.approx(1e9 / 8, rel=1e-3)


def test_experts_in_mxfp4_are_filled_up_to_whole_tiles():
    """GPT-OSS has 2880 wide experts and states; engines' packages say to which multiples they fill them up."""
    for kind, weights, sides in (
        ("marlin", "mxfp4", (3072.0, 384.0)),
        ("cutlass", "mxfp4", (2944.0, 384.0)),
        ("triton", "mxfp4", (2880.0, 384.0)),
        ("marlin", "int4", (2880.0, 360.0)),
    ):
        found = padded_sides(2880, np.array([360, 2880]), kind, weights)
        assert (float(found[0]), float(found[1][0])) == sides
        assert np.all(found[1] >= [360, 2880])


def test_popular_experts_make_a_device_busier():
    pairs, devices, experts, shape = 65_536.0, 8, 128, 1.0
    generator = np.random.default_rng(0)
    share = generator.gamma(shape, 1 / shape, (4000, devices, experts // devices)).sum(axis=2) / experts
    drawn = float(np.mean(pairs * share.max(axis=1)))
    found = [float(busiest_pairs(as_array(pairs), as_array(float(devices)), experts * one)) for one in (shape, 1e9)]
    assert found[0] == pytest.approx(drawn, rel=0.1)
    assert found[1] == pytest.approx(float(busiest_pairs(as_array(pairs), as_array(float(devices)))), rel=1e-4)


@settings(max_examples=120, deadline=None)
@given(
    id=st.sampled_from(sorted(MODELS)),
    device=st.sampled_from(DEVICES),
    engine=st.sampled_from(["vllm", "sglang", "tensorrt-llm", "another"]),
    weights=st.sampled_from(["bf16", "fp8", "fp8_block", "int4", "nvfp4"]),
    kv=st.sampled_from(["bf16", "fp8"]),
    tp=st.sampled_from([1, 2, 8, 16]),
    batch=st.integers(1, 2048),
    context=st.integers(1, 100_000),
    prompt=st.integers(2, 16_384),
)
def test_no_expected_step_beats_the_datasheet(id, device, engine, weights, kv, tp, batch, context, prompt):
    one = chip(device)
    wired = system(one.system)
    narrow = "fp8" if weights.startswith("fp8") and one.dense_flop_per_s.get("fp8") else "bf16"
    formats, where = Formats({"": weights, "head": "bf16", "embedding": "bf16"}, kv, narrow), layout(tp)
    segments = [decode_segment(batch, context), prefill_segment(1, prompt, context)]
    rates = expected_rates(one, wired, efficiency(one), engine)
    found = step_time(MODELS[id], segments, where, formats, rates)
    limit = step_time(MODELS[id], segments, where, formats, ideal_rates(one, wired))
    assert float(found.lower_bound_s) == pytest.approx(float(limit.lower_bound_s))
    if np.isfinite(float(limit.expected_s)):
        assert float(found.expected_s) >= float(limit.lower_bound_s) * (1 - 1e-9)
        assert float(found.expected_s) == pytest.approx(sum(map(float, found.waits_s.values())))


@pytest.mark.parametrize("tp", [1, 4])
def test_products_have_the_parameters_of_their_layer(tp: int):
    where = layout(tp)
    for model in MODELS.values():
        for group in model.layers:
            counts = layer_parameters_per_device(group, model.hidden, where)
            for name, products in layer_products(group, model.hidden, where).items():
                due = float(counts[COMPONENTS.get(name, name)])
                held = sum(float(one.columns * one.depth) for one in products)
                assert held == pytest.approx(due, rel=2e-3, abs=17 * model.hidden), (model.id, name)
