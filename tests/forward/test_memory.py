"""What fits on a device: against the sum of the parts, known placements, and what must always hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.architecture.kv_cache import kv_bytes_per_sequence, kv_bytes_per_token
from costline.architecture.sharding import layout
from costline.architecture.weights import parameters, weight_bytes
from costline.catalog.find import chip, engine
from costline.catalog.models import find_model, models
from costline.catalog.records import Model
from costline.errors import DomainError
from costline.forward.memory import (
    attention_workspace_bytes,
    kv_capacity_tokens,
    kv_share_of_pool,
    max_batch,
    pool_bytes,
    weight_bytes_per_device,
)

MODELS = models()
EVERY = pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
LLAMA, DEEPSEEK, HYBRID = find_model("llama-3.1-70b"), find_model("deepseek-v3"), find_model("qwen3.5-397b-a17b")
WAYS = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
GIB = 2**30
ONE = layout()


@EVERY
def test_one_device_holds_all_weights(model: Model):
    # The final norm and parameters outside all layers are too few to count.
    uncounted = 2 * (model.final_norm_parameters + model.extra_parameters)
    held = float(weight_bytes_per_device(model, {"": "bf16"}, ONE))
    assert held == pytest.approx(weight_bytes(model, "bf16") - uncounted, rel=1e-9)
    assert uncounted < 0.02 * held


@EVERY
def test_a_checkpoint_in_its_own_formats(model: Model):
    held = float(weight_bytes_per_device(model, model.checkpoint_formats, ONE))
    assert held == pytest.approx(weight_bytes(model, model.checkpoint_formats), rel=0.02)


@EVERY
def test_more_devices_hold_less_each_and_no_less_together(model: Model):
    for name in ("tp", "dp", "pp"):
        held = np.broadcast_to(weight_bytes_per_device(model, {"": "fp8"}, layout(**{name: WAYS})), WAYS.shape)
        assert (np.diff(held) <= 1e-6).all(), name
        if name == "tp":
            assert (WAYS * held >= held[0] * (1 - 1e-12)).all()


# GiB of weights a GPU that servers logged (InferenceMAX agentic runs of June 2026, vLLM issue 10517).
LOGGED = [
    ("kimi-k2.5-nvfp4", 4, 139.53), ("kimi-k2.5-nvfp4", 8, 71.01), ("kimi-k2.5-mxfp4", 4, 132.45),
    ("minimax-m2.5", 1, 214.51), ("minimax-m2.5", 2, 107.38), ("minimax-m2.5-mxfp4", 1, 118.75),
    ("llama-3.1-8b", 1, 14.9888),
]  # fmt: skip


@pytest.mark.parametrize(("id", "tp", "gib"), LOGGED)
def test_weights_agree_with_logs(id: str, tp: int, gib: float):
    model = find_model(id)
    held = float(weight_bytes_per_device(model, model.checkpoint_formats, layout(tp=tp)))
    assert held / GIB == pytest.approx(gib, rel=3e-3)


def test_the_last_stage_holds_the_head():
    # Llama 70B in 8 stages: 10 layers and the head; embedding and head are equally large.
    counts = parameters(LLAMA).by_component
    layers = sum(counts[name] for name in ("attention", "mlp", "norms")) - 8192
    for pp in (2, 8):
        held = float(weight_bytes_per_device(LLAMA, {"": "bf16"}, layout(pp=pp)))
        assert held == 2 * (layers / pp + counts["head"])
    wide = float(weight_bytes_per_device(LLAMA, {"": "fp8", "head": "bf16"}, layout(pp=8)))
    assert wide == layers / 8 + 2 * counts["head"]


def test_pool_may_be_a_share_of_the_rest():
    # 90 % of what 40 GiB of weights and a reserve of 2 or 5 GiB leave of 79.6 GiB.
    h100, shared_out = chip("h100-sxm"), engine("tensorrt-llm")
    pool = pool_bytes(h100, shared_out, np.asarray(40.0 * GIB), np.array([1.0, 8.0]))
    assert pool.tolist() == pytest.approx([0.9 * 37.6 * GIB, 0.9 * 34.6 * GIB])
    assert float(pool_bytes(h100, shared_out, np.asarray(1e12), np.asarray(1.0))) < 0


def test_pool_is_what_the_engine_leaves():
    h100, vllm, sglang = chip("h100-sxm"), engine("vllm"), engine("sglang")
    weights, tp = np.asarray(20.0 * GIB), np.array([1.0, 2.0])
    # vLLM: 0.9 of 79.6 GiB, less the weights, less 2 GiB alone and 5 GiB in parallel.
    assert pool_bytes(h100, vllm, weights, tp).tolist() == pytest.approx([49.64 * GIB, 46.64 * GIB])
    # SGLang: the fraction of 96.8 % that is free before loading, nothing else.
    assert pool_bytes(h100, sglang, weights, tp, 0.8).tolist() == pytest.approx(
        [0.8 * 0.968 * 79.6 * GIB - weights] * 2
    )
    assert float(pool_bytes(h100, vllm, np.asarray(1e12), np.asarray(1.0))) < 0
    for fraction in (0.0, 1.5, -1.0):
        with pytest.raises(DomainError, match=r"memory_utilization=.* must lie in \(0, 1\]; 0.9 is usual"):
            pool_bytes(h100, vllm, weights, tp, fraction)


def test_hybrids_share_the_pool_with_states():
    assert kv_share_of_pool(HYBRID, engine("sglang")) == 1 / 1.9
    assert kv_share_of_pool(HYBRID, engine("vllm")) == 1
    assert kv_share_of_pool(LLAMA, engine("sglang")) == 1


def test_capacity_in_tokens():
    pool = np.asarray(163_840e3)
    assert kv_capacity_tokens(LLAMA, pool, "int8", ONE) == 1000
    # Eight KV heads on 8 and 16 devices: one each; two stages hold half of the layers each.
    assert kv_capacity_tokens(LLAMA, pool, "int8", layout(tp=np.array([8, 16]))).tolist() == [8000, 8000]
    assert kv_capacity_tokens(LLAMA, pool, "int8", layout(pp=2)) == 2000
    # Latent caches repeat over tp and differ over dp.
    latent = kv_capacity_tokens(DEEPSEEK, np.asarray(70_272e3), "bf16", layout(tp=8, dp=np.array([1, 4])))
    assert latent.tolist() == [1000, 4000]
    assert kv_capacity_tokens(LLAMA, np.asarray(-1.0), "bf16", ONE) == 0


def test_a_model_whose_cache_does_not_grow_has_no_limit_in_tokens():
    states = replace(HYBRID, layers=tuple(group for group in HYBRID.layers if group.attention is None))
    assert kv_capacity_tokens(states, np.asarray(1e9), "bf16", ONE) == np.inf
    each = float(kv_bytes_per_sequence(states, 0))
    assert max_batch(states, np.asarray(10.5 * each), "bf16", context_tokens=1e6, where=ONE) == 10
    assert kv_bytes_per_token(states) == 0


@given(
    id=st.sampled_from(sorted(MODELS)),
    pools=st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)),
    contexts=st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
    tp=st.sampled_from([1, 4, 16]),
)
@settings(max_examples=60)
def test_more_room_fits_more_and_longer_contexts_fewer(
    id: str, pools: tuple[float, float], contexts: tuple[int, int], tp: int
):
    pool, context = np.sort(pools)[:, None], np.sort(contexts)
    batch = max_batch(MODELS[id], pool, "bf16", context_tokens=context, where=layout(tp=tp))
    assert (batch[1] >= batch[0]).all()
    assert (batch[:, 1] <= batch[:, 0]).all()
    each = kv_bytes_per_sequence(MODELS[id], context, "bf16", tp=tp)
    assert (batch * each <= pool * (1 + 1e-12)).all()
    assert ((batch + 1) * each > pool * (1 - 1e-12)).all()
    assert (kv_capacity_tokens(MODELS[id], pool, "bf16", layout(tp=tp)) >= 0).all()


def test_nothing_fits_without_room_and_everything_without_need():
    assert max_batch(LLAMA, np.asarray(-1e9), "bf16", context_tokens=1, where=ONE) == 0
    assert max_batch(LLAMA, np.asarray(1e9), "bf16", context_tokens=0, where=ONE) == np.inf
    assert max_batch(LLAMA, np.asarray(1e9), "bf16", context_tokens=1e9, where=ONE) == 0


def test_attention_groups_hold_different_sequences():
    pool = np.asarray(10.0 * 8192 * 70_272)
    fits = max_batch(DEEPSEEK, pool, "bf16", context_tokens=8192, where=layout(tp=1, dp=np.array([1, 8, 32])))
    assert fits.tolist() == [10, 80, 320]


@pytest.mark.parametrize(
    ("batch", "heads", "tokens", "size"), [(32, 64, 8192, 274.88e9), (1, 1, 1, 2), (0, 64, 8192, 0)]
)
def test_scores_that_are_not_tiled(batch: int, heads: int, tokens: int, size: float):
    assert float(attention_workspace_bytes(batch, heads, tokens)) == pytest.approx(size, rel=1e-5)
