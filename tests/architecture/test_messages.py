"""What devices of a replica send one another: which collective, how often, how much."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.cost import Message
from costline.architecture.messages import distinct_destinations, forward_messages
from costline.architecture.operations import Formats, decode_segment, prefill_segment
from costline.architecture.sharding import layout
from costline.catalog.models import find_model, models

BF16 = Formats({"": "bf16"})
LLAMA, DEEPSEEK, PALM = find_model("llama-3.1-70b"), find_model("deepseek-v3"), find_model("palm-540b")


def sent(model, segment, where, formats: Formats = BF16) -> dict[str, tuple[float, float, float]]:
    """Messages by name: group, bytes each, and how often (groups of layers together)."""
    found: dict[str, tuple[float, float, float]] = {}
    for message in forward_messages(model, [segment], where, formats):
        times = found.get(message.name, (0, 0, 0))[2] + float(message.count)
        found[message.name] = (float(message.group), float(message.bytes_per_device), times)
    return found


def test_a_dense_layer_reduces_twice():
    # 80 layers, after attention and after the MLP: a batch of 32 residual vectors of 8192 in bf16.
    messages = sent(LLAMA, decode_segment(32, 4096), layout(tp=8))
    assert messages["tensor_all_reduce"] == (8, 32 * 8192 * 2, 160)
    assert messages["logits"] == (8, 32 * 128256 * 2, 1)
    assert messages["pipeline"][2] == 0


def test_parallel_blocks_reduce_once():
    # PaLM: attention and MLP read one input (Chowdhery et al. 2022, section 2).
    assert sent(PALM, decode_segment(1, 1), layout(tp=8))["tensor_all_reduce"][2] == 118


def test_stages_pass_on_what_a_device_holds():
    messages = sent(LLAMA, decode_segment(32, 4096), layout(tp=4, pp=8))
    assert messages["pipeline"] == (32, 32 * 8192 * 2 / 4, 7)


def test_a_prompt_needs_one_rows_logits():
    prompt = sent(LLAMA, prefill_segment(1, 8192), layout(tp=8))
    assert prompt["tensor_all_reduce"][1] == 8192 * 8192 * 2
    assert prompt["logits"][1] == 128256 * 2
    # Three prompts need three rows, a verification of 5 drafted tokens all of its rows.
    assert sent(LLAMA, prefill_segment(3, 512), layout(tp=8))["logits"][1] == 3 * 128256 * 2
    assert sent(LLAMA, decode_segment(3, 512, 5), layout(tp=8))["logits"][1] == 15 * 128256 * 2


def test_experts_cut_like_matrices_reduce_like_an_mlp():
    messages = sent(DEEPSEEK, decode_segment(8, 4096), layout(tp=8, ep=8))
    assert messages["tensor_all_reduce"][2] == 2 * 61
    assert messages["expert_dispatch"][2] == messages["expert_combine"][2] == 0


def test_experts_apart_from_attention_are_sent_tokens():
    # DeepSeek-V3 on 32 devices, each with its own sequences: 58 expert layers, 8 experts a token, fp8 out, bf16 back.
    formats = Formats({"": "fp8"}, "fp8", "fp8")
    messages = sent(DEEPSEEK, decode_segment(1024, 4096), layout(dp=32, ep=32), formats)
    copies = 32 * (1 - (31 / 32) ** 8)
    group, dispatched, times = messages["expert_dispatch"]
    assert (group, times) == (32, 58)
    assert dispatched == pytest.approx(32 * 7168 * copies)
    assert messages["expert_combine"][1] == pytest.approx(2 * dispatched)
    # Attention, alone on its device, sends nothing; three dense layers neither.
    assert messages["tensor_all_reduce"][0] == 1
    # Over pairs of devices: each sends half of a token's vector, and gathers what came back.
    pairs = sent(DEEPSEEK, decode_segment(1024, 4096), layout(tp=2, dp=32, ep=64), formats)
    assert pairs["expert_dispatch"][:2] == (64, pytest.approx(32 * 7168 / 2 * 64 * (1 - (63 / 64) ** 8)))
    assert pairs["expert_gather"] == (2, 32 * 7168 * 2, 58)
    assert pairs["tensor_all_reduce"][2] == 61 + 3


@given(devices=st.integers(1, 512), top_k=st.integers(1, 16))
def test_a_token_goes_nowhere_twice(devices: int, top_k: int):
    copies = float(distinct_destinations(np.asarray(devices), top_k))
    assert 1 - 1e-12 <= copies <= min(devices, top_k) * (1 + 1e-12)


def test_copies_of_a_token_at_the_limits_and_by_throwing_dice():
    assert distinct_destinations(np.asarray(1), 8) == 1
    assert float(distinct_destinations(np.asarray(1e9), 8)) == pytest.approx(8, rel=1e-6)
    rng = np.random.default_rng(1)
    drawn = [len(set(rng.integers(0, 8, size=8))) for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(float(distinct_destinations(np.asarray(8), 8)), rel=0.01)


@pytest.mark.parametrize("model", models().values(), ids=lambda model: model.id)
def test_one_device_sends_nothing_and_no_message_is_negative(model):
    alone = forward_messages(model, [decode_segment(4, 100)], layout(), BF16)
    assert all(message.group == 1 or message.count == 0 for message in alone)
    many = forward_messages(model, [decode_segment(4, 100)], layout(tp=2, pp=2, dp=2, ep=4), BF16)
    assert all(np.all(message.bytes_per_device >= 0) and np.all(message.count >= 0) for message in many)


def test_a_grid_equals_its_scalars():
    tp, dp = np.array([[1.0], [4.0]]), np.array([1.0, 2.0, 8.0])
    segment, formats = decode_segment(64, 100), Formats({"": "fp8"}, "fp8", "fp8")
    grid = forward_messages(DEEPSEEK, [segment], layout(tp=tp, dp=dp, ep=tp * dp), formats)
    for i, j in np.ndindex(2, 3):
        where = layout(tp=tp[i, 0], dp=dp[j], ep=tp[i, 0] * dp[j])
        alone = forward_messages(DEEPSEEK, [segment], where, formats)
        for one, two in zip(grid, alone, strict=True):
            assert element(one, i, j) == pytest.approx(element(two, 0, 0))


def element(message: Message, i: int, j: int) -> list[float]:
    parts = (message.group, message.bytes_per_device, message.count)
    grids = [np.broadcast_to(part, (2, 3)) for part in parts]
    return [float(grid[i, j]) for grid in grids]
