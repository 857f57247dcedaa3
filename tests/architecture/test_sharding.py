"""What parallelism leaves on one device: nothing lost, what repeats repeats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.sharding import (
    attention_parameters_per_device,
    cached_heads,
    kv_head_share,
    layer_parameters_per_device,
    layout,
    replicated_attention_parameters,
    stage_share,
)
from costline.architecture.weights import group_parameters
from costline.catalog.models import find_model, models
from costline.catalog.records import Attention, LayerGroup, State

MODELS = models()
WAYS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
LLAMA, DEEPSEEK, SPARSE = find_model("llama-3.1-70b"), find_model("deepseek-v3"), find_model("deepseek-v3.2")


def test_devices_of_a_replica():
    assert layout(tp=4, pp=2, dp=8).devices == 64
    assert layout().devices == 1
    assert layout(tp=WAYS, pp=2).devices.tolist() == (2 * WAYS).tolist()


@pytest.mark.parametrize(("kv_heads", "tp", "heads"), [(8, 1, 8), (8, 8, 1), (8, 16, 1), (1, 8, 1), (64, 8, 8)])
def test_kv_heads_repeat_beyond_their_number(kv_heads: int, tp: int, heads: int):
    # Whole heads, never a part of one: as KV pools that engines log show.
    assert kv_heads * kv_head_share(kv_heads, np.asarray(tp)) == heads


@given(kv_heads=st.integers(1, 128), tp=st.integers(1, 1024))
def test_all_devices_together_hold_every_head(kv_heads: int, tp: int):
    held = tp * kv_heads * float(kv_head_share(kv_heads, np.asarray(tp)))
    assert held == pytest.approx(max(kv_heads, tp))


def test_latent_cache_is_one_head():
    assert cached_heads(DEEPSEEK.layers[0].attention) == 1
    assert cached_heads(LLAMA.layers[0].attention) == 8


@pytest.mark.parametrize(("model", "parameters"), [
    (LLAMA, 0),
    # down-projections: 7168 x (512 + 64) for keys and values, 7168 x 1536 for queries
    (DEEPSEEK, 7168 * 576 + 7168 * 1536),
    # and the selector: keys 7168 x 128, queries 1536 x 64 x 128, weights of heads 7168 x 64
    (SPARSE, 7168 * 576 + 7168 * 1536 + 7168 * 128 + 1536 * 64 * 128 + 7168 * 64),
], ids=lambda value: getattr(value, "id", value))  # fmt: skip
def test_what_each_device_repeats(model, parameters: int):
    assert replicated_attention_parameters(model.layers[0].attention, model.hidden) == parameters


def test_attention_of_llama_70b_on_1_8_and_16_devices():
    # Per layer: queries and output 2 x 8192^2, keys and values 2 x 8192 x 1024.
    queries, keys = 2 * 8192**2, 2 * 8192 * 1024
    held = attention_parameters_per_device(LLAMA.layers[0], LLAMA.hidden, np.array([1.0, 8.0, 16.0, 1e12]))
    assert held.tolist() == pytest.approx([queries + keys, (queries + keys) / 8, queries / 16 + keys / 8, keys / 8])


def test_attention_of_many_devices_is_what_repeats():
    held = attention_parameters_per_device(DEEPSEEK.layers[0], DEEPSEEK.hidden, np.asarray(1e15))
    assert float(held) == pytest.approx(replicated_attention_parameters(DEEPSEEK.layers[0].attention, 7168))
    eight = attention_parameters_per_device(DEEPSEEK.layers[0], DEEPSEEK.hidden, np.asarray(8.0))
    # up-projections 1536 x 128 x 192 and 512 x 128 x 256, output 128 x 128 x 7168, two norms: an eighth each
    cut = 1536 * 128 * 192 + 512 * 128 * 256 + 128 * 128 * 7168 + 1536 + 512
    assert float(eight) == cut / 8 + 7168 * (512 + 64 + 1536)
    state = LayerGroup(1, state=State("gated_delta", 16, 32, 128, 128))
    assert attention_parameters_per_device(state, 2048, WAYS).tolist() == 0


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
def test_one_device_holds_all_and_many_hold_no_less_together(model):
    for group in model.layers:
        whole = group_parameters(group, model.hidden)
        alone = layer_parameters_per_device(group, model.hidden, layout())
        assert {name: float(count) for name, count in alone.items()} == pytest.approx(
            {name: getattr(whole, name) for name in alone}
        )
        cut = layer_parameters_per_device(group, model.hidden, layout(tp=WAYS))
        for name, count in cut.items():
            held = np.broadcast_to(count, WAYS.shape)
            assert (np.diff(held) <= 0).all(), name
            assert (WAYS * held >= getattr(whole, name) * (1 - 1e-12)).all(), name


def test_experts_are_cut_over_the_lane_and_attention_is_not():
    group = next(group for group in DEEPSEEK.layers if group.moe)
    wide = layer_parameters_per_device(group, DEEPSEEK.hidden, layout(tp=1, dp=32, ep=32))
    alone = layer_parameters_per_device(group, DEEPSEEK.hidden, layout())
    assert wide["experts"] == alone["experts"] / 32
    for name in ("attention", "router", "shared_experts", "norms"):
        assert wide[name] == alone[name]


def test_kv_projections_follow_their_heads_only_while_there_are_enough():
    whole = Attention(heads=8, kv_heads=8, head_dim=64, value_dim=64)
    one = LayerGroup(1, attention=whole)
    shared = LayerGroup(1, attention=replace(whole, kv_heads=1))
    assert attention_parameters_per_device(one, 512, np.asarray(8.0)) * 8 == group_parameters(one, 512).attention
    kept = attention_parameters_per_device(shared, 512, np.asarray(8.0)) * 8
    assert kept == group_parameters(shared, 512).attention + 7 * 512 * 2 * 64


@given(layers=st.integers(1, 200), pp=st.integers(1, 64))
def test_stages_hold_whole_layers(layers: int, pp: int):
    model = replace(LLAMA, layers=(LayerGroup(layers, attention=LLAMA.layers[0].attention),))
    fullest = float(stage_share(model, np.asarray(pp))) * layers
    assert fullest == pytest.approx(max(len(part) for part in np.array_split(np.arange(layers), pp)))


def test_stage_share_at_the_limits():
    assert stage_share(LLAMA, np.asarray(1)) == 1
    assert stage_share(LLAMA, np.asarray(80)) == stage_share(LLAMA, np.asarray(1000)) == 1 / 80
    assert float(stage_share(LLAMA, np.asarray(3))) == 27 / 80
