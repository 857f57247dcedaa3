"""What costline must be able to say, one test a row, with numbers recomputed from the inputs that the row states.

Rows of sections 1 to 3 that stand elsewhere: 1.1, 1.2, 1.5 to 1.8 in tests/catalog, 2.1 to 2.6 in tests/architecture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from costline.architecture.formats import bytes_per_weight
from costline.architecture.kv_cache import kv_bytes_per_token
from costline.architecture.messages import forward_messages
from costline.architecture.operations import Formats, decode_segment, forward_costs, prefill_segment
from costline.architecture.sharding import kv_head_share, layout
from costline.architecture.weights import parameters, weight_bytes
from costline.catalog.find import chip, engine, system
from costline.catalog.load import LOADERS, sources
from costline.catalog.models import find_model, models
from costline.catalog.records import Model
from costline.forward.closed_forms import (
    attention_crossover_tokens,
    memory_bytes_per_s,
    prefill_time_s,
    tiered_read_time_s,
)
from costline.forward.memory import attention_workspace_bytes, max_batch, pool_bytes, weight_bytes_per_device
from costline.forward.rates import ideal_rates
from costline.forward.roofline import (
    additive_decode_step_s,
    attention_intensity,
    critical_batch,
    ridge_flop_per_byte,
    roofline_time_s,
)
from costline.forward.steps import RESOURCES, step_time
from costline.published.erdil_2025_data import find_gpu
from costline.published.erdil_2025_data import find_model as erdil_model
from costline.published.erdil_2025_printed import all_reduce_bandwidth_s, all_reduce_latency_s
from costline.published.erdil_2025_toy import least_sharded_latency_s, optimal_gpus, square_root_law_tokens_per_s
from costline.published.scaling_book_fleet import VALUES
from costline.published.scaling_book_inputs import arithmetic_limit_chips, serving_slice
from costline.quantities import KIB, KILO, parse_bytes
from costline.serving.speculation import (
    acceptance_rate,
    best_draft_tokens,
    break_even_acceptance,
    expected_tokens_per_verification,
    speculative_speedup,
)

V5E, H100 = chip("tpu-v5e"), chip("h100-sxm")
V5E_FLOP, V5E_BYTES, V5E_MEMORY = 1.97e14, 8.2e11, 16e9
"""Rates and memory as the TPU serving chapter rounds them, in decimal units."""
LLAMA, LLAMA_8B = find_model("llama-3-70b"), find_model("llama-3-8b")
SEVENTY, CONTEXT = 70e9, 8192
BF16 = Formats({"": "bf16"})


def with_kv_heads(model: Model, kv_heads: int) -> Model:
    """The same model with another number of KV heads."""
    layers = []
    for group in model.layers:
        assert group.attention
        layers.append(replace(group, attention=replace(group.attention, kv_heads=kv_heads)))
    return replace(model, layers=tuple(layers))


def step_s(batch: float, *, chips: int = 16, weight_bytes: float = 1.0, model: Model = LLAMA) -> float:
    """The chapter's decode step of 70e9 parameters: int8 cache of 8 K, bf16 arithmetic."""
    return float(additive_decode_step_s(
        SEVENTY * weight_bytes,
        batch * CONTEXT * kv_bytes_per_token(model, "int8"),
        2 * SEVENTY * batch,
        peak_flop_per_s=chips * V5E_FLOP,
        hbm_bytes_per_s=chips * V5E_BYTES,
    ))  # fmt: skip


# 1. Catalogues


def test_cap_1_4_memory_from_stacks_pins_and_rates():
    assert memory_bytes_per_s(1, 1024, 8e9 / 8) == pytest.approx(1.024e12)  # HBM3E at 8 Gbit/s a pin
    assert memory_bytes_per_s(0, 1024, 1e9) == 0
    h100 = chip("h100-sxm").hbm_bytes_per_s
    assert memory_bytes_per_s(5, 1024, 0.6e12 / 1024) == pytest.approx(3.0e12)  # announced: five stacks of 0.6 TB/s
    assert h100 == 3.35e12  # as shipped
    pin_bit_per_s = 8 * h100 / (5 * 1024)
    assert memory_bytes_per_s(5, 1024, pin_bit_per_s / 8) == pytest.approx(h100)
    assert 5.2e9 < pin_bit_per_s < 6.4e9  # below the 6.4 Gbit/s that HBM3 allows


def test_cap_1_3_sustained_rates_of_a_study():
    h100 = find_gpu("H100")
    assert h100.peak_flop_per_s(2) * h100.derate_flop == pytest.approx(7.0e14)
    assert h100.hbm_bytes_per_s * h100.derate_hbm == pytest.approx(2.475e12)


def test_cap_1_9_binary_and_decimal_sizes():
    assert parse_bytes("160 KiB") == parse_bytes("163.84 kB") == 163_840
    assert kv_bytes_per_token(LLAMA, "int8") / KIB == 160
    assert kv_bytes_per_token(LLAMA, "int8") / KILO == 163.84


@pytest.mark.parametrize("kind", ["chips", "systems", "engines", "workloads"])
def test_cap_1_10_every_fact_has_its_source(kind: str):
    for record in LOADERS[kind]().values():  # type: ignore[index]
        assert record.provenance, record.id
        for field, origin in record.provenance.items():
            assert origin.source in sources(), (record.id, field)
            assert origin.retrieved
            assert origin.kind in ("published", "vendor", "measured", "derived", "inferred", "assumed")


def test_cap_1_10_every_model_has_its_source():
    assert all(one.provenance[""].source in sources() for one in models().values())


# 2. Architecture


@pytest.mark.parametrize(("tokens", "share"), [(32_768, 0.31), (8192, 0.0784), (1, 0.0)])
def test_cap_2_7_attention_adds_to_a_prefill(tokens: int, share: float):
    # 4 x 80 layers x 8192 x S/2 over 2 x 68.45e9 parameters of matrices (one row of logits): 31 % at 32 K.
    costs = forward_costs(LLAMA, [prefill_segment(1, tokens)], layout(), BF16)
    flop = {cost.name: float(cost.flop) * cost.count for cost in costs}
    linear = sum(value for name, value in flop.items() if name not in ("attention", "head"))
    assert linear == 2 * (parameters(LLAMA).active - 2 * 128_256 * 8192 - 161 * 8192) * tokens
    assert flop["attention"] / linear == pytest.approx(share, rel=0.02, abs=1e-4)


@pytest.mark.parametrize(("hidden", "tokens"), [(8192, 65_536), (4608, 36_864)])
def test_cap_2_8_attention_outgrows_a_plain_mlp_at_eight_widths(hidden: int, tokens: int):
    assert float(attention_crossover_tokens(2 * hidden * 4 * hidden, hidden)) == 8 * hidden == tokens


def test_cap_2_8_the_crossover_is_where_the_counts_cross():
    # GPT-3: 12288 wide, plain MLP of four widths, so 98,304 tokens.
    gpt3 = find_model("gpt-3-175b")
    crossing = float(attention_crossover_tokens(2 * 12_288 * 49_152, 12_288))
    assert crossing == 8 * 12_288
    for factor in (0.99, 1.01):
        costs = forward_costs(gpt3, [prefill_segment(1, factor * crossing)], layout(), BF16)
        flop = {cost.name: float(cost.flop) for cost in costs}
        assert (flop["attention"] > flop["mlp"]) == (factor > 1)


def test_cap_2_9_parallel_blocks_need_half_the_reductions():
    def reductions(id: str) -> float:
        model = find_model(id)
        sent = forward_messages(model, [decode_segment(1, 1)], layout(tp=8), BF16)
        layers = sum(group.count for group in model.layers)
        return sum(float(message.count) for message in sent if message.name == "tensor_all_reduce") / layers

    assert reductions("palm-540b") == 1
    assert reductions("llama-3-70b") == 2
    assert erdil_model("PaLM_540B").parallel_attention


def test_cap_2_10_attention_of_one_head_cannot_use_an_h100():
    intensity = float(attention_intensity(1, 2))
    assert intensity == 1
    assert intensity / float(ridge_flop_per_byte(1e15, 3.3e12)) == pytest.approx(0.0033)


def test_cap_2_11_multi_head_attention_instead_of_grouped():
    wide = with_kv_heads(LLAMA, 64)
    assert kv_bytes_per_token(wide, "int8") == 8 * kv_bytes_per_token(LLAMA, "int8")
    assert step_s(32, model=wide) / step_s(32) - 1 == pytest.approx(2.66, abs=0.005)
    pool = np.asarray(16 * V5E_MEMORY - SEVENTY)
    most = [float(max_batch(model, pool, "int8", context_tokens=CONTEXT, where=layout())) for model in (LLAMA, wide)]
    assert most == [138, 17]
    costs = [step_s(batch, model=model) / batch for model, batch in zip((LLAMA, wide), most, strict=True)]
    assert costs[1] / costs[0] - 1 == pytest.approx(6.72, abs=0.005)


def test_cap_2_11_one_kv_head_or_a_latent_cache():
    # MQA: an eighth of GQA-8; a latent of 512 + 64 in 80 layers: 9 / 32 of GQA-8.
    assert kv_bytes_per_token(with_kv_heads(LLAMA, 1), "int8") * 8 == kv_bytes_per_token(LLAMA, "int8")
    latent = kv_bytes_per_token(find_model("deepseek-v3"), "int8") / 61 * 80
    assert latent / kv_bytes_per_token(LLAMA, "int8") == 576 / 2048


# 3. Forward pass and roofline


@pytest.mark.parametrize(("name", "width", "format", "batch"), [
    ("tpu-v5e", 2, "bf16", 240), ("tpu-v5e", 1, "bf16", 120), ("tpu-v5e", 1, "int8", 240), ("h100-sxm", 1, "fp8", 295),
])  # fmt: skip
def test_cap_3_1_critical_batch(name: str, width: float, format: str, batch: int):
    one = chip(name)
    found = float(critical_batch(width, one.dense_flop_per_s[format], one.hbm_bytes_per_s))
    assert found == pytest.approx(batch, rel=2.5e-3)


def test_cap_3_1_ridge_of_an_h100():
    assert round(float(ridge_flop_per_byte(H100.dense_flop_per_s["bf16"], H100.hbm_bytes_per_s))) == 295


@pytest.mark.parametrize(("batch", "milliseconds"), [(1, 5.44), (32, 8.61), (120, 17.61)])
def test_cap_3_2_additive_decode_step(batch: int, milliseconds: float):
    assert 1e3 * step_s(batch) == pytest.approx(milliseconds, abs=0.005)


def test_cap_3_3_overlapped_roofline():
    cache = 32 * CONTEXT * kv_bytes_per_token(LLAMA, "int8")
    flop, bandwidth, peak = 2 * SEVENTY * 32, 8 * V5E_BYTES, 8 * V5E_FLOP
    assert float(roofline_time_s(flop, SEVENTY + cache, peak, bandwidth)) == pytest.approx(17.2e-3, abs=0.05e-3)
    assert flop / peak == pytest.approx(2.8e-3, abs=0.05e-3)
    # The same with all 70.55e9 parameters.
    assert (weight_bytes(LLAMA, "int8") + cache) / bandwidth == pytest.approx(17.3e-3, abs=0.05e-3)


def test_cap_3_3_operation_by_operation():
    rates = ideal_rates(V5E, system(V5E.system))
    formats = Formats({"": "int8"}, "int8", "bf16")
    time = step_time(LLAMA, [decode_segment(32, CONTEXT)], layout(tp=8), formats, rates)
    assert float(time.lower_bound_s) == pytest.approx(17.2e-3, abs=0.05e-3)
    assert RESOURCES[int(time.bound)] in ("weight bandwidth", "cache bandwidth")
    assert float(time.compute_s) < 0.2 * float(time.lower_bound_s)


@pytest.mark.parametrize(("name", "tokens_per_s", "gpus"), [
    ("Llama_3_8B", 966, 11), ("Llama_3_70B", 234, 26), ("GPT_3", 148, 42),
])  # fmt: skip
def test_cap_3_4_toy_latency_model(name: str, tokens_per_s: int, gpus: int):
    model = erdil_model(name)
    spec = (model.weights_bytes, model.layers, 3.3e12)
    assert round(1 / float(least_sharded_latency_s(*spec))) == tokens_per_s
    assert round(float(optimal_gpus(*spec))) == gpus


def test_cap_3_5_square_root_speed_law():
    assert [round(float(square_root_law_tokens_per_s(400, 8, size))) for size in (8, 70, 405)] == [400, 135, 56]


def test_cap_3_6_all_reduce_latency():
    found = 1e6 * np.asarray(all_reduce_latency_s([8, 64], [1, 8]))
    assert found.tolist() == pytest.approx([8.994, 23.994], abs=1e-3)


def test_cap_3_7_all_reduce_bandwidth_time():
    assert 1e6 * float(all_reduce_bandwidth_s(2 * 1e4 * 100, 8, 112e9)) == pytest.approx(15.625)


def test_cap_3_8_limits_of_tpu_links():
    links = VALUES["links"]()
    assert links["bound by arithmetic", "chips"] == arithmetic_limit_chips() == pytest.approx(26.07, abs=0.01)
    assert links["bound by bandwidth, batch 64", "chips"] == 28_672 / (8 * 64) == 56
    # One product in int8 on 32 chips: 11.65 us on the links, 8.95 us from memory, so the links bind.
    link_s = 2 * 64 * 8192 / 9e10
    memory_s = float(roofline_time_s(2 * 64 * 8192 * 28_672, 8192 * 28_672, 32 * V5E_FLOP, 32 * V5E_BYTES))
    assert links["4x8, batch 64", "ICI time of one product"] == pytest.approx(link_s)
    assert (1e6 * link_s, 1e6 * memory_s) == pytest.approx((11.65, 8.95), abs=0.01)


def test_cap_3_9_kv_heads_on_more_devices_than_heads():
    # Half a head a device; but an engine never cuts one: each device holds one whole, and 16 read twice the cache.
    assert 8 * float(kv_head_share(8, np.asarray(16))) == 1
    cut, kept = (
        sum(
            float(c.kv_bytes) * c.count
            for c in forward_costs(LLAMA, [decode_segment(64, CONTEXT)], layout(tp=tp), BF16)
        )
        for tp in (8, 16)
    )
    assert kept == cut
    # Gathering heads instead: 64 sequences of 8 K, half a head of 128 in bf16, 1.5 ms a layer, 119 ms a step.
    layer = 64 * CONTEXT * 128 * 2 / 9e10
    assert (1e3 * layer, 1e3 * layer * 80) == pytest.approx((1.491, 119.3), abs=0.05)


@pytest.mark.parametrize(("tokens", "linear", "whole"), [(8192, 0.91, 0.98), (32_768, 3.64, 4.75)])
def test_cap_3_10_prefill_latency(tokens: int, linear: float, whole: float):
    rate = 16 * V5E_FLOP * 0.4
    assert float(prefill_time_s(SEVENTY, tokens, rate)) == pytest.approx(linear, abs=0.005)
    attended = prefill_time_s(SEVENTY, tokens, rate, layers=80, attention_width=64 * 128)
    assert float(attended) == pytest.approx(whole, abs=0.005)
    # Operation by operation: 2 % less, since the embedding multiplies nothing and the head only the last row.
    rates = ideal_rates(V5E, system(V5E.system))
    counted = step_time(LLAMA, [prefill_segment(1, tokens)], layout(tp=16), BF16, rates).compute_s / 0.4
    assert float(counted) == pytest.approx(whole, rel=0.025)


@pytest.mark.parametrize(("format", "chips"), [("bf16", 16), ("int8", 8), ("fp4", 4)])
def test_cap_3_11_largest_batch_on_the_smallest_slices(format: str, chips: int):
    # 70e9 parameters at 2, 1 and 1/2 bytes, scales left out, cache in the same format, no reserve.
    pool = np.asarray(chips * V5E_MEMORY - SEVENTY * bytes_per_weight(format))
    assert float(max_batch(LLAMA, pool, format, context_tokens=CONTEXT, where=layout())) == 43


def test_cap_3_11_a_70b_model_in_fp16_does_not_fit_one_h200():
    weights = weight_bytes_per_device(LLAMA, {"": "fp16"}, layout())
    pool = pool_bytes(chip("h200-sxm"), engine("vllm"), weights, np.asarray(1.0))
    assert pool < 0
    assert max_batch(LLAMA, pool, "fp16", context_tokens=1, where=layout()) == 0


def test_cap_3_12_scores_without_tiles():
    assert float(attention_workspace_bytes(32, 64, 8192)) == pytest.approx(274.9e9, rel=1e-3)


@pytest.mark.parametrize(("size", "chips", "milliseconds"), [(70e9, 8, 10.67), (70e9, 16, 5.34), (8e9, 1, 9.76)])
def test_cap_3_14_latency_floor(size: float, chips: int, milliseconds: float):
    floor = roofline_time_s(0, size, chips * V5E_FLOP, chips * V5E_BYTES)
    assert 1e3 * float(floor) == pytest.approx(milliseconds, abs=0.005)


def test_cap_3_15_speculative_decoding():
    assert float(speculative_speedup(0.7, 4, 0.1)) == pytest.approx(1.98, abs=0.005)
    assert float(speculative_speedup(0.8, 4, 0.1)) == pytest.approx(2.40, abs=0.005)
    assert float(best_draft_tokens(0.9, 0.1)) == 10
    assert float(speculative_speedup(0.9, 10, 0.1)) == pytest.approx(3.43, abs=0.005)
    assert float(break_even_acceptance(4, 0.1)) == pytest.approx(0.287, abs=5e-4)
    assert float(expected_tokens_per_verification(0.7, 4)) == pytest.approx(1 + 0.7 + 0.7**2 + 0.7**3 + 0.7**4)


def test_cap_3_16_acceptance_rate():
    assert float(acceptance_rate(0.5, 0.8)) == 0.625


@pytest.mark.parametrize(("batch", "change"), [(1, -0.49), (32, -0.31), (120, 0.0)])
def test_cap_3_17_int4_weights_instead_of_int8(batch: int, change: float):
    assert step_s(batch, weight_bytes=0.5) / step_s(batch) - 1 == pytest.approx(change, abs=0.005)


def test_cap_3_17_formats_apart_operation_by_operation():
    # Weights, cache and arithmetic are separate choices: int4 weights help only where weights are waited for.
    rates = ideal_rates(V5E, system(V5E.system))

    def step(weights: str, batch: int, activations: str = "bf16") -> float:
        formats = Formats({"": weights}, "int8", activations)
        time = step_time(LLAMA, [decode_segment(batch, 100)], layout(tp=16), formats, rates)
        return float(time.expected_s - time.network_s)

    assert step("int4", 1) / step("int8", 1) == pytest.approx(0.516, abs=0.01)
    assert step("int4", 2048) == pytest.approx(step("int8", 2048), rel=0.01)
    assert step("int8", 2048, "int8") < 0.6 * step("int8", 2048)


def test_cap_3_18_cache_in_two_memories():
    both = np.array([0.9 * 36e9, 0.1 * 36e9]), np.array([3.3e12, 64e9])
    assert (1e3 * both[0] / both[1]).tolist() == pytest.approx([9.8, 56.25], abs=0.05)
    assert 1e3 * float(tiered_read_time_s(*both)) == pytest.approx(56.25)


# Headline numbers


def test_deepseek_v3_counts():
    counts = parameters(find_model("deepseek-v3"))
    assert counts.total == pytest.approx(671e9, rel=1e-3)
    assert counts.active == pytest.approx(37.5e9, rel=5e-3)
    assert kv_bytes_per_token(find_model("deepseek-v3")) == 70_272


def test_a_slice_of_the_serving_chapter_is_the_same_arithmetic():
    one = serving_slice(chips=16)
    assert one.step_s(32, CONTEXT) == pytest.approx(step_s(32), rel=1e-12)
    assert one.kv_bytes_per_token == kv_bytes_per_token(LLAMA, "int8")
