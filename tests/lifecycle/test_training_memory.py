"""Memory of training: ZeRO's published figure, activations measured in PyTorch, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog.models import find_model
from costline.catalog.records import Attention, LayerGroup, Mlp, State
from costline.errors import DomainError
from costline.lifecycle.activations import (
    gpt_layer_activation_bytes,
    layer_activation_bytes,
    model_activation_bytes,
    stage_activation_bytes,
)
from costline.lifecycle.facts import training_state, training_states
from costline.lifecycle.training_memory import training_state_bytes, zero_state_bytes

ADAMW = training_state("adamw")


def gpt_layer(hidden: int, heads: int) -> LayerGroup:
    attention = Attention(heads=heads, kv_heads=heads, head_dim=hidden // heads, value_dim=hidden // heads)
    return LayerGroup(1, attention=attention, mlp=Mlp(4 * hidden, matrices=2))


def test_zero_stages_of_a_7_5_billion_model_on_64_devices():
    # Rajbhandari et al. 2020, figure 1: 120, 31.4, 16.6 and 1.9 GB
    found = [float(zero_state_bytes(7.5e9, ADAMW, stage=stage, dp=64)) / 1e9 for stage in (0, 1, 2, 3)]
    assert found == pytest.approx([120, 31.4, 16.6, 1.9], abs=0.05)


@given(dp=st.integers(1, 4096), shards=st.integers(1, 512))
def test_sharding_never_adds_and_stage_3_shares_everything(dp: int, shards: int):
    stages = [float(zero_state_bytes(1e9, ADAMW, stage=stage, dp=dp, shards=shards)) for stage in (0, 1, 2, 3)]
    assert stages == sorted(stages, reverse=True)
    assert stages[3] * dp * shards == pytest.approx(float(training_state_bytes(1e9, ADAMW)))


def test_states_of_each_optimizer():
    totals = {name: state.total for name, state in training_states().items()}
    assert totals["adamw"] == totals["adamw-fp32"] == 16
    assert totals["sgd"] < totals["momentum"] < totals["adamw"]


def test_a_gpt_layer_meets_korthikanti():
    layer = gpt_layer(512, 8)
    for tp in (1, 2, 8):
        mine = layer_activation_bytes(layer, 512, 2048, tp=tp, sequence_parallel=False, flash=False, dropout=True)
        assert float(mine) == pytest.approx(float(gpt_layer_activation_bytes(1.0, 2048, 512, 8, tp)))
    # Korthikanti et al. 2022, section 4.2: 34 bytes a hidden element without scores, 2 at least
    kept = layer_activation_bytes(layer, 512, 2048, recompute="selective", flash=False, dropout=True)
    assert float(kept) == 34 * 512
    assert float(layer_activation_bytes(layer, 512, 2048, recompute="full")) == 2 * 512


def test_a_gpt_layer_meets_what_pytorch_keeps():
    # Measured: bytes that torch 2.13 (CPU, bf16) saves for the backward pass of a GPT layer of width 512 with 8 heads,
    # no dropout, scores kept, on 2 sequences of 512 tokens, less the two statistics of two norms (8 bytes a token).
    measured = 25_174_016 - 8 * 1024
    mine = layer_activation_bytes(gpt_layer(512, 8), 512, 512, flash=False)
    assert 1024 * float(mine) == measured


def test_stages_hold_as_much_as_micro_batches_allow():
    assert float(stage_activation_bytes(1.0, 80, pp=8, micro_batches=2)) == 20.0
    assert float(stage_activation_bytes(1.0, 80, pp=8, micro_batches=64)) == 80.0
    assert float(stage_activation_bytes(1.0, 80, pp=8, micro_batches=64, interleave=2)) == 115.0
    assert np.isclose(float(stage_activation_bytes(1.0, 80, pp=8, micro_batches=64, interleave=10**9)), 80.0)


def test_activations_of_a_whole_model():
    llama = find_model("llama-3-70b")
    layer = layer_activation_bytes(llama.layers[0], llama.hidden, 8192)
    assert float(model_activation_bytes(llama, {0: layer})) == 80 * float(layer)


def test_experts_keep_more_than_they_are_wide():
    mixtral = find_model("mixtral-8x7b")
    group = mixtral.layers[0]
    assert group.moe is not None
    dense = LayerGroup(1, attention=group.attention, mlp=Mlp(group.moe.top_k * group.moe.expert_width))
    sparse = float(layer_activation_bytes(group, mixtral.hidden, 4096))
    assert sparse - float(layer_activation_bytes(dense, mixtral.hidden, 4096)) == 4 * 2 * mixtral.hidden


def test_a_parallel_block_has_one_norm():
    layer = gpt_layer(512, 8)
    together = LayerGroup(1, attention=layer.attention, mlp=layer.mlp, parallel=True)
    gain = layer_activation_bytes(layer, 512, 2048) - layer_activation_bytes(together, 512, 2048)
    assert float(gain) == 4 * 512


def test_what_cannot_be_counted_is_refused():
    state = State("mamba2", key_heads=1, value_heads=8, key_dim=128, value_dim=64)
    with pytest.raises(DomainError, match="no activation count"):
        layer_activation_bytes(LayerGroup(1, state=state), 512, 2048)
    with pytest.raises(DomainError, match="dp=0"):
        zero_state_bytes(1e9, ADAMW, stage=1, dp=0)
