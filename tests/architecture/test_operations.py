"""FLOP and bytes of a pass: against counts made another way, for every model of the catalog."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.architecture.cost import Cost
from costline.architecture.kv_cache import kv_bytes_per_token
from costline.architecture.operations import (
    Formats,
    Segment,
    attention_flop,
    decode_segment,
    forward_costs,
    prefill_segment,
)
from costline.architecture.sharding import Layout, layout
from costline.architecture.visible import attention_pairs
from costline.architecture.weights import group_parameters, parameters, weight_bytes
from costline.catalog.models import find_model, models
from costline.catalog.records import Model

MODELS = models()
EVERY = pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
BF16 = Formats({"": "bf16"})
MIXED = ("attention", "state")
"""Operations whose work depends on the context or the state, not on parameters alone."""
LLAMA, DEEPSEEK = find_model("llama-3.1-70b"), find_model("deepseek-v3")
VARIED = ["llama-3.1-70b", "mixtral-8x7b", "deepseek-v3", "gpt-oss-120b", "gemma-3-27b", "qwen3.5-397b-a17b",
          "llama-4-scout-17b-16e", "deepseek-v3.2", "deepseek-v4-flash", "falcon-40b"]  # fmt: skip


def total(costs: Sequence[Cost], part: str, *, without: tuple[str, ...] = ()) -> float:
    return sum(float(getattr(cost, part)) * cost.count for cost in costs if cost.name not in without)


def matrices(model: Model) -> int:
    """Active parameters of matrices: without norms, and without the embedding unless it is the head too."""
    counts = parameters(model)
    table = model.position_embeddings if model.tied_embeddings else model.vocab + model.position_embeddings
    return counts.active - table * model.hidden - counts.by_component["norms"] - model.extra_parameters


@EVERY
def test_linear_flop_are_twice_the_active_parameters(model: Model):
    costs = forward_costs(model, [decode_segment(1, 0)], layout(), BF16)
    assert total(costs, "flop", without=MIXED) == pytest.approx(2 * matrices(model), rel=1e-9)


@EVERY
def test_a_huge_batch_reads_all_weights_but_the_embedding(model: Model):
    costs = forward_costs(model, [decode_segment(1e9, 0)], layout(), BF16)
    counts = parameters(model)
    left = model.vocab * (0 if model.tied_embeddings else model.hidden) + model.position_embeddings * model.hidden
    left += counts.by_component["norms"] + model.extra_parameters
    read = total(costs, "weight_bytes", without=("embedding",))
    assert read == pytest.approx(weight_bytes(model, "bf16") - 2 * left, rel=1e-9)


@EVERY
def test_one_token_reads_the_active_parameters(model: Model):
    costs = forward_costs(model, [decode_segment(1, 0)], layout(), BF16)
    assert total(costs, "weight_bytes", without=("embedding",)) == pytest.approx(2 * matrices(model), rel=1e-9)


@EVERY
def test_cache_traffic_of_a_first_token_is_its_own_write(model: Model):
    # At no context a token writes what the cache grows by.
    costs = forward_costs(model, [decode_segment(1, 0)], layout(), BF16)
    written = total([cost for cost in costs if cost.name == "attention"], "kv_bytes")
    assert written == pytest.approx(kv_bytes_per_token(model, "bf16"))


def test_an_embedding_is_a_look_up():
    for batch in (1, 64):
        embedding = forward_costs(LLAMA, [decode_segment(batch, 0)], layout(), BF16)[-2]
        assert (embedding.name, float(embedding.flop), float(embedding.weight_bytes)) == (
            "embedding", 0, batch * 8192 * (2 + 2),
        )  # fmt: skip


@pytest.mark.parametrize(("id", "context", "flop"), [
    # 4 x heads x head size x pairs, by hand; windows of gpt-oss and gemma count their own tokens only
    ("llama-3.1-70b", 8191, 80 * 4 * 64 * 128 * 8192),
    ("gpt-oss-120b", 8191, 18 * 4 * 64 * 64 * (8192 + 128)),
    ("gemma-3-27b", 8191, 4 * 32 * 128 * (10 * 8192 + 52 * 1024)),
    # latent attention, absorbed: 2 x (2 x 512 + 64) for each of 128 heads
    ("deepseek-v3", 8191, 61 * 2 * (2 * 512 + 64) * 128 * 8192),
    # the same over the best 2048, and a selector of 64 heads of 128 that scores all
    ("deepseek-v3.2", 8191, 61 * (2 * (2 * 512 + 64) * 128 * 2048 + 2 * 64 * 128 * 8192)),
    # windows of 128 everywhere; the best 512 of entries for 4 tokens in 21 layers, scored by a selector that sees
    # entries only; all entries for 128 tokens in 20 layers
    ("deepseek-v4-flash", 8191, 4 * 64 * 512 * (43 * 128 + 21 * 512 + 20 * 64) + 21 * 2 * 64 * 128 * 8192 // 4),
])  # fmt: skip
def test_attention_flop_of_a_decode_step(id: str, context: int, flop: int):
    costs = forward_costs(find_model(id), [decode_segment(1, context)], layout(), BF16)
    assert total([cost for cost in costs if cost.name == "attention"], "flop") == flop


def test_latent_attention_takes_the_cheaper_form():
    attention = DEEPSEEK.layers[0].attention
    assert attention is not None

    def flop(context: int, new: int) -> float:
        pairs = attention_pairs(attention, context, new)
        return float(attention_flop(attention, pairs, np.asarray(context), np.asarray(new)))

    # A prompt of 4096 from nothing: expanded heads, 2 x (128 + 64 + 128) a pair and head.
    assert flop(0, 4096) == 2 * 320 * 128 * 4096 * 4097 / 2
    # One token after 4096: expanding the cache would cost 2 x 512 x 256 x 128 a cached token.
    assert flop(4096, 1) == 2 * 1088 * 128 * 4097
    assert flop(4096, 4096) == 2 * 320 * 128 * (4096 * 4096 + 4096 * 4097 / 2) + 4096 * 2 * 512 * 256 * 128


def test_experts_of_a_batch():
    # Mixtral: 2 of 8 experts of 3 x 4096 x 14336 a token, in 32 layers; 64 tokens touch all but a share (3/4)^64.
    mixtral, expert = find_model("mixtral-8x7b"), 3 * 4096 * 14336
    experts = next(c for c in forward_costs(mixtral, [decode_segment(64, 0)], layout(), BF16) if c.name == "experts")
    assert float(experts.flop) == 2 * 64 * 2 * expert
    assert float(experts.weight_bytes) == pytest.approx(2 * 8 * expert * (1 - 0.75**64))
    assert float(group_parameters(mixtral.layers[0], 4096).expert) == expert


@pytest.mark.parametrize(("weights", "activations", "math"), [
    ("bf16", "bf16", "bf16"), ("fp8", "bf16", "bf16"), ("fp8", "fp8", "fp8"), ("bf16", "fp8", "bf16"),
    ("nvfp4", "fp8", "fp8"), ("nvfp4", "fp4", "fp4"), ("int4", "int8", "int8"),
])  # fmt: skip
def test_arithmetic_runs_in_the_wider_format(weights: str, activations: str, math: str):
    assert Formats({"": weights}, "bf16", activations).math("mlp") == math


def test_formats_by_component_fall_back_to_the_rest():
    formats = Formats({"": "fp8", "head": "bf16"}, "fp8", "fp8")
    assert (formats.weight("mlp"), formats.weight("head"), formats.math("head")) == ("fp8", "bf16", "bf16")
    half, whole = (
        total(forward_costs(LLAMA, [decode_segment(1, 0)], layout(), Formats({"": name})), "weight_bytes",
              without=("embedding",))
        for name in ("fp8", "bf16")
    )  # fmt: skip
    assert half == whole / 2


def test_parts_of_a_mixed_step_add():
    decode, prompt = decode_segment(32, 4096), prefill_segment(2, 512, 1024)

    def flop(*segments: Segment) -> dict[str, float]:
        costs = forward_costs(LLAMA, segments, layout(tp=4), BF16)
        return {cost.name: float(cost.flop) for cost in costs}

    together, first, second = flop(decode, prompt), flop(decode), flop(prompt)
    assert together == pytest.approx({name: first[name] + second[name] for name in together})
    tokens = [float(segment.tokens) for segment in (decode, prompt)]
    assert tokens == [32, 1024]


def test_a_prompt_in_chunks_costs_what_it_costs_whole():
    whole = forward_costs(LLAMA, [prefill_segment(1, 8192)], layout(), BF16)
    parts = [
        forward_costs(LLAMA, [Segment(*map(np.asarray, (1.0, 2048.0, start, 0.25)))], layout(), BF16)
        for start in range(0, 8192, 2048)
    ]
    assert sum(total(part, "flop") for part in parts) == pytest.approx(total(whole, "flop"))


def test_a_verification_reads_weights_once():
    one, five = (forward_costs(LLAMA, [decode_segment(8, 4096, new)], layout(), BF16) for new in (1, 5))
    assert total(five, "weight_bytes", without=("embedding",)) == total(one, "weight_bytes", without=("embedding",))
    assert total(five, "flop", without=MIXED) == 5 * total(one, "flop", without=MIXED)


def test_a_state_is_read_and_written_once_a_pass():
    # Qwen3.5: 45 layers of 64 heads with 128 x 128 in fp32, and 3 inputs of 12,288 channels in bf16, whatever is new.
    model, held = find_model("qwen3.5-397b-a17b"), 64 * 128 * 128 * 4 + 3 * 12_288 * 2
    for segment in (decode_segment(8, 10_000), prefill_segment(8, 10_000)):
        costs = forward_costs(model, [segment], layout(), BF16)
        assert total([cost for cost in costs if cost.name == "state"], "kv_bytes") == 45 * 2 * held * 8


def in_one(costs: Sequence[Cost], shape: tuple[int, ...]) -> np.ndarray:
    """Counts of all operations, with the shape of a grid behind."""
    parts = ("flop", "weight_bytes", "kv_bytes", "activation_bytes")
    return np.array([[np.broadcast_to(getattr(cost, part), shape) for part in parts] for cost in costs])


@pytest.mark.parametrize("id", VARIED)
def test_a_grid_equals_its_scalars(id: str):
    model, formats = MODELS[id], Formats({"": "fp8", "head": "bf16"}, "fp8", "fp8")
    tp, batch, context = (
        np.array([[[1.0]], [[8.0]]]),
        np.array([[1.0], [48.0], [512.0]]),
        np.array([0.0, 100.0, 60_000.0]),
    )
    dp = 2.0 if any(group.moe for group in model.layers) else 1.0
    new = np.array([1.0, 5.0, 300.0])
    grid = in_one(
        forward_costs(model, [decode_segment(batch, context, new)], Layout(tp, tp, tp * 0 + dp, tp * dp), formats),
        (2, 3, 3),
    )
    for i, j, k in np.ndindex(2, 3, 3):
        where = layout(tp[i, 0, 0], tp[i, 0, 0], dp, tp[i, 0, 0] * dp)
        segment = decode_segment(batch[j, 0], context[k], new[k])
        alone = in_one(forward_costs(model, [segment], where, formats), ())
        np.testing.assert_allclose(grid[..., i, j, k], alone, rtol=1e-12)


@settings(max_examples=40)
@given(
    id=st.sampled_from(sorted(MODELS)),
    batches=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    context=st.integers(0, 100_000),
)
def test_a_larger_batch_never_costs_less_nor_more_for_each(id: str, batches: tuple[int, int], context: int):
    model = MODELS[id]
    few, many = sorted(batches)
    costs = in_one(forward_costs(model, [decode_segment(np.array([few, many]), context)], layout(), BF16), (2,))
    assert (costs[..., 1] >= costs[..., 0] * (1 - 1e-12)).all()
    assert (costs[..., 1] <= costs[..., 0] * many / few * (1 + 1e-12)).all()


@settings(max_examples=40)
@given(
    id=st.sampled_from(sorted(MODELS)), ways=st.tuples(st.integers(0, 6), st.integers(0, 6)), batch=st.integers(1, 512)
)
def test_more_devices_leave_less_on_each_and_no_less_together(id: str, ways: tuple[int, int], batch: int):
    few, many = sorted(2.0**way for way in ways)
    tp = np.array([few, many])
    costs = in_one(forward_costs(MODELS[id], [decode_segment(batch, 4096)], layout(tp=tp), BF16), (2,))
    assert (costs[..., 1] <= costs[..., 0] * (1 + 1e-12)).all()
    assert (costs[..., 1] * many >= costs[..., 0] * few * (1 - 1e-12)).all()


def part_of(costs: Sequence[Cost], name: str, part: str) -> float:
    return sum(float(getattr(cost, part)) * cost.count for cost in costs if cost.name == name)


def test_traffic_of_activations_by_hand():
    # One layer of Mixtral, 64 tokens on 2 devices in bf16: what each matrix reads and writes, once a token.
    mixtral = find_model("mixtral-8x7b")
    costs = forward_costs(mixtral, [decode_segment(64, 100)], layout(tp=2, ep=2), BF16)
    tokens, hidden, expert = 64, 4096, 14_336
    by_hand = {
        # into and out of the residual stream; queries, keys and values out, heads in
        "projections": 2 * tokens * (2 * hidden + (2 * 4096 + 2 * 1024) / 2),
        "router": 2 * tokens * (2 * hidden + 8),
        "attention": 2 * tokens * 32 * (128 + 128) / 2,
        # two experts a token, half of them here, whole: residual in and out, three matrices
        "experts": 2 * (tokens * 2 / 2) * (2 * hidden + 3 * expert),
        # two blocks read and write the stream; two vectors of scales
        "norms": 2 * (2 * 2 * tokens * hidden + 2 * hidden),
    }
    assert {name: part_of(costs, name, "activation_bytes") for name in by_hand} == {
        name: 32 * size for name, size in by_hand.items()
    }
    assert part_of(costs, "head", "activation_bytes") == 2 * tokens * (2 * hidden + 32_000 / 2)


@pytest.mark.parametrize(("id", "kernels"), [
    # a layer: projections 2, attention 2, mlp 2, norms 2; then embedding 1 and head 2
    ("llama-3.1-8b", 32 * 8 + 3),
    # with a router 2 and experts 4 for the mlp
    ("mixtral-8x7b", 32 * 12 + 3),
    # 60 layers with router 2, experts 4, shared experts 2, norms 2; 15 with projections 2 and attention 2, 45 with
    # projections 2 and state 3; norms of queries and keys 1 of the 15
    ("qwen3.5-397b-a17b", 60 * 10 + 15 * 5 + 45 * 5 + 3),
])  # fmt: skip
def test_launches_of_a_step(id: str, kernels: int):
    costs = forward_costs(find_model(id), [decode_segment(1, 100)], layout(), BF16)
    assert sum(cost.kernels * cost.count for cost in costs) == kernels


def test_only_attention_and_states_keep_something():
    for id in VARIED:
        costs = forward_costs(MODELS[id], [decode_segment(4, 1000)], layout(), BF16)
        assert total(costs, "kv_bytes", without=MIXED) == 0
        assert total([cost for cost in costs if cost.name in MIXED], "weight_bytes") == 0
        assert part_of(costs, "state", "activation_bytes") == 0


def test_caches_that_are_read_by_hand():
    # DeepSeek-V3.2, fp8: the best 2048 of 576 values and all selector keys of 132 bytes; the new token is written.
    formats = Formats({"": "fp8"}, "fp8", "fp8")
    sparse = forward_costs(find_model("deepseek-v3.2"), [decode_segment(8, 10_000)], layout(tp=4), formats)
    assert part_of(sparse, "attention", "kv_bytes") == 8 * 61 * (2049 * 576 + 10_001 * 132)
    # DeepSeek-V4-Flash: 127 of a window; the best 512 of 2,500 entries, or all of 78.125; one token and its part of
    # an entry is written.
    pooled = forward_costs(find_model("deepseek-v4-flash"), [decode_segment(8, 10_000)], layout(tp=4), formats)
    window, best = 43 * (127 + 1), 21 * (512 + 1 / 4)
    every = 20 * (10_000 / 128 + 1 / 128)
    by_hand = 8 * ((window + best + every) * 512 + 21 * 10_001 / 4 * 132)
    assert part_of(pooled, "attention", "kv_bytes") == pytest.approx(by_hand, rel=1e-12)


def test_attention_groups_share_the_sequences():
    # Four groups with a quarter of the sequences each; experts see all tokens, over all devices.
    for id in ("deepseek-v3", "qwen3.5-397b-a17b"):
        alone, beside = (
            forward_costs(MODELS[id], [decode_segment(64, 1000)], where, BF16)
            for where in (layout(), layout(dp=4, ep=4))
        )
        for name in {cost.name for cost in alone} - {"norms"}:
            assert part_of(beside, name, "flop") == pytest.approx(part_of(alone, name, "flop") / 4), name
            assert part_of(beside, name, "kv_bytes") == pytest.approx(part_of(alone, name, "kv_bytes") / 4), name
        assert part_of(beside, "projections", "weight_bytes") == part_of(alone, "projections", "weight_bytes")
        assert part_of(beside, "experts", "weight_bytes") == part_of(alone, "experts", "weight_bytes") / 4


@pytest.mark.parametrize(("id", "flop"), [
    # decay, update with an outer product, read-out: 7 FLOP an element with the delta rule, 5 without
    ("qwen3.5-397b-a17b", 45 * 7 * 64 * 128 * 128), ("minimax-text-01", 70 * 5 * 64 * 128 * 128),
    ("nemotron-h-56b", 54 * 5 * 256 * 256 * 64),
])  # fmt: skip
def test_arithmetic_of_a_state(id: str, flop: int):
    costs = forward_costs(find_model(id), [decode_segment(3, 1000, 2)], layout(), BF16)
    assert part_of(costs, "state", "flop") == 3 * 2 * flop
