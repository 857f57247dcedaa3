"""Bytes that a sequence keeps: per token, per sequence, per device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.kv_cache import (
    kv_bytes_per_sequence,
    kv_bytes_per_token,
    kv_bytes_per_token_per_device,
    kv_parts,
    layer_kv_bytes_per_token,
    layer_state_bytes,
)
from costline.catalog.models import find_model, models
from costline.catalog.records import Attention, Indexer, Latent, State
from costline.errors import UnknownIdError

MODELS = models()


@pytest.mark.parametrize(("id", "format", "bytes_per_token"), [
    ("llama-3-70b", "int8", 163_840), ("llama-3-70b", "bf16", 327_680), ("llama-3-8b", "int8", 65_536),
    ("llama-2-7b", "fp16", 524_288), ("mistral-large-2", "bf16", 360_448),
])  # fmt: skip
def test_cap_2_2_bytes_per_token(id: str, format: str, bytes_per_token: int):
    assert kv_bytes_per_token(find_model(id), format) == bytes_per_token


def test_cap_2_3_latent_cache():
    model = find_model("deepseek-v3")
    attention = model.layers[0].attention
    assert attention is not None
    assert attention.latent is not None
    assert kv_bytes_per_token(model) == (512 + 64) * 61 * 2 == 70_272
    assert attention.latent.kv_rank / attention.value_dim == 4


# Bytes per token and rank in KV pools that servers logged (InferenceMAX agentic runs of June 2026, vLLM issue 21348):
# pool size over tokens, exact.
LOGGED = [
    ("minimax-m2.5", "fp8", 1, 126_976), ("minimax-m2.5", "fp8", 2, 63_488), ("qwen3-235b-a22b-fp8", "bf16", 4, 48_128),
    ("kimi-k2.5", "fp8", 4, 35_136), ("kimi-k2.5", "fp8", 8, 35_136), ("glm-5.1", "fp8", 2, 55_224),
    ("qwen3.5-397b-a17b-fp8", "bf16", 4, 15_360),
]  # fmt: skip


@pytest.mark.parametrize(("id", "format", "tp", "bytes_per_token"), LOGGED)
def test_bytes_per_device_agree_with_logs(id: str, format: str, tp: int, bytes_per_token: int):
    assert kv_bytes_per_token_per_device(find_model(id), format, tp) == bytes_per_token


def test_heads_repeat_beyond_their_number_and_latents_always():
    ways = np.array([1, 2, 4, 8, 16])
    llama = kv_bytes_per_token_per_device(find_model("llama-3-70b"), "bf16", ways)
    assert llama.tolist() == [327_680, 163_840, 81_920, 40_960, 40_960]
    deepseek = kv_bytes_per_token_per_device(find_model("deepseek-v3"), "bf16", ways)
    assert deepseek.tolist() == [70_272] * 5


def test_layers_that_share_a_selection_store_no_selector_keys():
    glm, sharing = find_model("glm-5.1"), find_model("glm-5.2")
    assert kv_bytes_per_token(glm, "fp8") == 78 * (576 + 132)
    assert kv_bytes_per_token(sharing, "fp8") == 78 * 576 + 21 * 132


def test_one_layer():
    plain = Attention(heads=8, kv_heads=2, head_dim=16, value_dim=8)
    assert layer_kv_bytes_per_token(plain, "bf16") == 2 * (16 + 8) * 2
    assert layer_kv_bytes_per_token(Attention(8, 1, 512, 512, cached_once=True), "fp8") == 512
    assert layer_kv_bytes_per_token(Attention(8, 2, 16, 16, reuses_cache=True), "fp8") == 0
    latent = Attention(8, 8, 24, 16, latent=Latent(None, 32, 16, 8), indexer=Indexer(4, 128, 64))
    assert layer_kv_bytes_per_token(latent, "nvfp4") == 40 * 0.5625 + 132


def test_states_do_not_grow():
    # Qwen3.5-397B: 45 layers of 64 heads with 128 x 128 in fp32, and 3 inputs of 12,288 channels in bf16.
    model = find_model("qwen3.5-397b-a17b")
    parts = kv_parts(model, "bf16")
    assert parts.fixed_bytes == 45 * (64 * 128 * 128 * 4 + 3 * 12_288 * 2)
    assert parts.growing_bytes_per_token == 15 * 2 * 2 * 256 * 2
    assert kv_bytes_per_sequence(model, 0) == parts.fixed_bytes
    assert kv_parts(model, "bf16", 4).fixed_bytes == parts.fixed_bytes / 4
    state = State("lightning", key_heads=4, value_heads=4, key_dim=16, value_dim=16, state_format="bf16")
    assert layer_state_bytes(state) == 4 * 16 * 16 * 2


def test_windows_stop_growing():
    model = find_model("gpt-oss-120b")
    layer = 2 * 8 * 64 * 2
    lengths = np.array([0, 1, 128, 129, 8192])
    kept = kv_bytes_per_sequence(model, lengths)
    assert kept.tolist() == [18 * layer * (n + min(n, 128)) for n in lengths.tolist()]
    assert kv_bytes_per_token(model) == 36 * layer


def test_chunks_stop_growing():
    scout = find_model("llama-4-scout-17b-16e")
    layer = 2 * 8 * 128
    assert kv_bytes_per_sequence(scout, 100_000, "fp8") == layer * (12 * 100_000 + 36 * 8192)


def test_pooled_layers_keep_a_window_and_one_entry_for_many_tokens():
    # DeepSeek-V4-Flash: 43 windows of 128, 21 layers with an entry for 4 tokens and a selector's key, 20 for 128.
    flash = find_model("deepseek-v4-flash")
    growing = 21 * (512 + 132) / 4 + 20 * 512 / 128
    assert kv_parts(flash, "fp8").growing_bytes_per_token == growing
    assert kv_bytes_per_sequence(flash, 1_000_000, "fp8") == 43 * 128 * 512 + 1_000_000 * growing
    assert kv_bytes_per_sequence(flash, 1_000_000, "fp8", tp=8) == kv_bytes_per_sequence(flash, 1_000_000, "fp8")


def test_a_grid_equals_its_scalars():
    model = find_model("gemma-3-27b")
    lengths, ways = np.array([[100], [1024], [50_000]]), np.array([1, 4, 32])
    grid = kv_bytes_per_sequence(model, lengths, "fp8", tp=ways)
    assert grid.shape == (3, 3)
    for (i, j), value in np.ndenumerate(grid):
        assert value == kv_bytes_per_sequence(model, int(lengths[i, 0]), "fp8", tp=int(ways[j]))


def test_an_unknown_format_is_refused():
    with pytest.raises(UnknownIdError, match="unknown number format 'fp9'"):
        kv_bytes_per_token(find_model("llama-3-8b"), "fp9")


@given(
    id=st.sampled_from(sorted(MODELS)),
    lengths=st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)),
    ways=st.tuples(st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([1, 2, 4, 8, 16])),
)
def test_more_context_never_takes_less_and_more_devices_never_more(
    id: str, lengths: tuple[int, int], ways: tuple[int, int]
):
    model = MODELS[id]
    short, long = sorted(lengths)
    few, many = sorted(ways)
    kept = kv_bytes_per_sequence(model, np.array([[short], [long]]), "bf16", tp=np.array([few, many]))
    assert (kept[0] <= kept[1]).all()
    assert (kept[:, 1] <= kept[:, 0]).all()
    assert (many / few * kept[:, 1] >= kept[:, 0] * (1 - 1e-12)).all()
    bound = long * kv_bytes_per_token_per_device(model, "bf16", few) + kv_parts(model, "bf16", few).fixed_bytes
    assert kept[1, 0] <= bound * (1 + 1e-12)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
def test_the_parts_make_the_whole(model):
    parts = kv_parts(model, "bf16")
    capped = sum(float(rate) for _, rate in parts.capped_bytes_per_token)
    assert kv_bytes_per_token(model) == pytest.approx(float(parts.growing_bytes_per_token) + capped)
    assert all(cap > 0 and rate > 0 for cap, rate in parts.capped_bytes_per_token)
