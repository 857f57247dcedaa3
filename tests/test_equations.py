"""Every equation is one function of arrays: an element of a grid is the scalar's value, whatever the shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import docstrings
from costline.architecture import experts, kv_cache, messages, operations, sharding, visible
from costline.catalog.find import chip, engine, system
from costline.catalog.models import find_model
from costline.catalog.records import Attention, Compressor, Indexer
from costline.forward import closed_forms, collectives, memory, roofline
from costline.money import price, unit_cost
from costline.serving import queueing, speculation, steady

BYTES, RATE, SECONDS, COUNT, TOKENS = (1.0, 1e12), (1e6, 1e15), (1e-7, 10.0), (1, 512), (0, 200_000)
SHARE, DEGREE, MONEY, WAYS = (0.01, 0.99), (1, 64), (0.0, 1e4), (0, 7)
H100, V5E, HGX, POD = chip("h100-sxm"), chip("tpu-v5e"), system("hgx-h100"), system(chip("tpu-v5e").system)
LLAMA, DEEPSEEK, GEMMA = find_model("llama-3.1-70b"), find_model("deepseek-v3"), find_model("gemma-3-27b")
FULL = Attention(heads=64, kv_heads=8, head_dim=128, value_dim=128)
WINDOW = Attention(heads=8, kv_heads=4, head_dim=256, value_dim=256, window_tokens=1024)
CHUNK = Attention(heads=40, kv_heads=8, head_dim=128, value_dim=128, chunk_tokens=8192)
BEST = Attention(heads=8, kv_heads=8, head_dim=64, value_dim=64, indexer=Indexer(4, 128, 2048))
POOLED = Attention(8, 1, 512, 512, 128, cached_once=True, compressor=Compressor(4), indexer=Indexer(4, 128, 512))
MLA = DEEPSEEK.layers[0].attention


@dataclass(frozen=True)
class Case:
    """An equation with what is not an array fixed, and the range of each array; whole numbers stay whole."""

    function: Callable[..., Any]
    ranges: dict[str, tuple[float, float]]
    equation: str
    wrap: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    last_axis: bool = False
    """The equation folds the last axis of its arrays."""

    def __call__(self, **arrays: Any) -> Any:
        return self.function(**{name: self.wrap.get(name, np.asarray)(value) for name, value in arrays.items()})


def powers(value: Any) -> Any:
    return 2.0 ** np.asarray(value)


def case(function: Callable[..., Any], name: str = "", /, **ranges: tuple[float, float]) -> Case:
    degrees = {key: powers for key, range_ in ranges.items() if range_ is WAYS}
    return Case(function, ranges, name or function.__name__, degrees)


def attention_case(function: Callable[..., Any], attention: Any, **ranges: tuple[float, float]) -> Case:
    name = "attention_flop" if function is flop_of_all else function.__name__
    return case(lambda **arrays: function(attention, **arrays), name, **ranges)


def flop_of_all(attention: Attention, **arrays: Any) -> Any:
    """The pairs have the shape of the whole."""
    pairs, context, new = np.broadcast_arrays(arrays["pairs"], arrays["context_tokens"], arrays["new_tokens"])
    return operations.attention_flop(attention, pairs, context, new)


def links(function: Callable[..., Any]) -> Case:
    return case(function, size_bytes=BYTES, devices=COUNT, link_bytes_per_s=RATE, latency_s=SECONDS)


def at(tp: Any = 1, pp: Any = 1, dp: Any = 1) -> sharding.Layout:
    return sharding.layout(tp, pp, dp)


CASES = [
    # architecture
    case(experts.expected_distinct_experts, experts=(16, 512), top_k=(1, 16), tokens=(0, 10_000)),
    case(experts.touched_experts, experts=(16, 512), top_k=(1, 16), tokens=(0, 10_000), shape=(0.8, 50)),
    case(messages.distinct_destinations, devices=COUNT, top_k=(1, 16)),
    *(case(lambda tokens, options=options: visible.visible_pairs(tokens, **options), "visible_pairs", tokens=TOKENS)
      for options in ({}, {"window_tokens": 100}, {"chunk_tokens": 100})),
    *(attention_case(function, attention, context_tokens=TOKENS, new_tokens=(1, 10_000))
      for attention in (FULL, WINDOW, CHUNK, BEST, POOLED)
      for function in (visible.attention_pairs, visible.cached_tokens_read)),
    *(attention_case(flop_of_all, attention, pairs=(1, 10**9), context_tokens=TOKENS, new_tokens=(1, 10_000))
      for attention in (FULL, BEST, MLA)),
    case(lambda tp: sharding.kv_head_share(8, tp), "kv_head_share", tp=WAYS),
    *(case(lambda tp, model=model: sharding.attention_parameters_per_device(model.layers[0], model.hidden, tp),
           "attention_parameters_per_device", tp=WAYS) for model in (LLAMA, DEEPSEEK)),
    case(lambda pp: sharding.stage_share(LLAMA, pp), "stage_share", pp=(1, 80)),
    case(lambda tp: kv_cache.kv_bytes_per_token_per_device(GEMMA, "fp8", tp), "kv_bytes_per_token_per_device", tp=WAYS),
    case(lambda tp: kv_cache.kv_parts(GEMMA, "fp8", tp).growing_bytes_per_token, "kv_parts", tp=WAYS),
    case(lambda context_tokens, tp: kv_cache.kv_bytes_per_sequence(GEMMA, context_tokens, tp=tp),
         "kv_bytes_per_sequence", context_tokens=TOKENS, tp=WAYS),
    # forward
    case(roofline.roofline_time_s, flop=RATE, hbm_bytes=BYTES, peak_flop_per_s=RATE, hbm_bytes_per_s=RATE),
    case(roofline.serial_time_s, flop=RATE, hbm_bytes=BYTES, peak_flop_per_s=RATE, hbm_bytes_per_s=RATE),
    case(roofline.corner_time_s, compute_s=SECONDS, memory_s=SECONDS),
    case(roofline.ridge_flop_per_byte, peak_flop_per_s=RATE, hbm_bytes_per_s=RATE),
    case(roofline.critical_batch, bytes_per_weight=(0.5, 4.0), peak_flop_per_s=RATE, hbm_bytes_per_s=RATE),
    case(roofline.attention_intensity, group_size=(1, 64), bytes_per_value=(0.5, 4.0)),
    case(roofline.additive_decode_step_s, weight_bytes=BYTES, kv_bytes=BYTES, flop=RATE, peak_flop_per_s=RATE,
         hbm_bytes_per_s=RATE),
    *(links(function) for function in (
        collectives.ring_all_reduce_s, collectives.tree_all_reduce_s, collectives.one_shot_all_reduce_s,
        collectives.two_shot_all_reduce_s, collectives.in_network_all_reduce_s, collectives.all_gather_s,
        collectives.ring_all_to_all_s)),
    case(collectives.point_to_point_s, size_bytes=BYTES, link_bytes_per_s=RATE, latency_s=SECONDS),
    case(lambda devices: collectives.torus_bytes_per_s(POD.fabric, devices), "torus_bytes_per_s", devices=(1, 256)),
    *(case(lambda size_bytes, devices, name=name, wired=wired:
           collectives.collective_time_s(name, size_bytes, devices, wired),
           "collective_time_s", size_bytes=BYTES, devices=(1, 40))
      for wired in (HGX, POD) for name in ("all_reduce", "all_gather", "all_to_all", "point_to_point")),
    *(case(lambda tp, pp, dp, model=model: memory.weight_bytes_per_device(model, {"": "fp8"}, at(tp, pp, dp)),
           "weight_bytes_per_device", tp=WAYS, pp=(1, 16), dp=WAYS) for model in (LLAMA, DEEPSEEK)),
    case(lambda weight_bytes, tp: memory.pool_bytes(H100, engine("vllm"), weight_bytes, tp), "pool_bytes",
         weight_bytes=BYTES, tp=WAYS),
    case(lambda pool, tp, pp, dp: memory.kv_capacity_tokens(GEMMA, pool, "bf16", at(tp, pp, dp)), "kv_capacity_tokens",
         pool=BYTES, tp=WAYS, pp=(1, 16), dp=WAYS),
    case(lambda pool, context_tokens, tp, pp:
         memory.max_batch(GEMMA, pool, "bf16", context_tokens=context_tokens, where=at(tp, pp)),
         "max_batch", pool=BYTES, context_tokens=TOKENS, tp=WAYS, pp=(1, 16)),
    case(memory.attention_workspace_bytes, batch=COUNT, heads=(1, 128), new_tokens=TOKENS, bytes_per_score=(1, 4)),
    case(closed_forms.prefill_time_s, parameters=BYTES, prompt_tokens=TOKENS, flop_per_s=RATE, layers=(0, 128),
         attention_width=(0, 16384)),
    case(closed_forms.memory_bytes_per_s, stacks=COUNT, pins=COUNT, pin_byte_per_s=RATE),
    case(closed_forms.attention_crossover_tokens, mlp_parameters=BYTES, attention_width=(1, 16384)),
    Case(closed_forms.tiered_read_time_s, {"tier_bytes": BYTES, "tier_bytes_per_s": RATE}, "tiered_read_time_s",
         last_axis=True),
    # serving
    *(case(lambda offered_load, servers=servers: queueing.erlang_c(servers, offered_load), "erlang_c",
           offered_load=(0.0, 40.0)) for servers in (1, 30)),
    case(queueing.erlang_b, servers=COUNT, offered_load=(0.0, 40.0)),
    case(queueing.kingman_wait_s, utilization=(0.0, 1.2), service_s=SECONDS, arrival_cv2=(0.0, 4.0),
         service_cv2=(0.0, 4.0)),
    case(queueing.allen_cunneen_wait_s, utilization=(0.0, 1.2), service_s=SECONDS, arrival_cv2=(0.0, 4.0),
         service_cv2=(0.0, 4.0)),
    case(queueing.schweitzer_response_s, customers=COUNT, think_s=(0.0, 100.0), service_s=SECONDS),
    case(queueing.sakasegawa_wait_share, servers=COUNT, utilization=(0.0, 1.2)),
    case(queueing.schweitzer_response_s, customers=COUNT, think_s=SECONDS, service_s=SECONDS),
    case(queueing.sakasegawa_wait_s, servers=COUNT, utilization=(0.0, 1.2), service_s=SECONDS, cv2_sum=(0.0, 8.0)),
    case(lambda mean_wait_s, wait_share: queueing.tail_wait_s(mean_wait_s, wait_share, 0.99), "tail_wait_s",
         mean_wait_s=SECONDS, wait_share=(0.0, 1.0)),
    case(steady.long_step_share, chunk_share=(0.0, 1.0), lanes=DEGREE),
    case(steady.request_cycle_s, batch=COUNT, decode_steps=(0, 4096), chunks=(1, 64), decode_step_s=SECONDS,
         chunk_step_s=SECONDS),
    case(steady.loaded_tpot_s, cycle_s=SECONDS, batch=COUNT, decode_steps=(0, 4096)),
    case(lambda batch: steady.crowded_batch(batch, 2.33), "crowded_batch", batch=(0.0, 512.0)),
    case(speculation.expected_tokens_per_verification, acceptance=(0.0, 1.0), draft_tokens=(0, 16)),
    case(speculation.decaying_tokens_per_verification, acceptance=(0.0, 1.0), decay=(0.0, 1.0), draft_tokens=(0, 16)),
    case(speculation.loaded_speedup, step_s=SECONDS, round_s=SECONDS, tokens=(1.0, 8.0)),
    case(speculation.least_acceptance, decay=(0.0, 1.0), draft_tokens=(1, 16), round_cost=(0.5, 8.0)),
    case(speculation.speculative_speedup, acceptance=(0.0, 1.0), draft_tokens=(0, 16), draft_cost=(0.0, 1.0)),
    case(speculation.best_draft_tokens, acceptance=(0.0, 1.0), draft_cost=(0.0, 1.0)),
    case(speculation.break_even_acceptance, draft_tokens=(1, 16), draft_cost=(0.0, 1.2)),
    Case(speculation.acceptance_rate, {"target_probability": SHARE, "draft_probability": SHARE}, "acceptance_rate",
         last_axis=True),
    # money
    case(price.fleet_usd_per_hour, accelerators=COUNT, usd_per_accelerator_hour=MONEY),
    case(unit_cost.usd_per_mtok, usd_per_hour=MONEY, tokens_per_s=(0.0, 1e6), utilization=SHARE),
]  # fmt: skip

NO_ARRAYS = {
    "bits_per_weight", "bytes_per_weight", "layer_kv_bytes_per_token", "layer_state_bytes", "kv_bytes_per_token",
    "attention_parameters", "state_parameters", "replicated_attention_parameters", "group_parameters", "parameters",
    "weight_bytes", "weight_bytes_by_component",
}  # fmt: skip
"""Equations of one layer, model or format: nothing to broadcast."""
PLACES = (
    "architecture/", "forward/closed_forms.py", "forward/collectives.py", "forward/memory.py", "forward/roofline.py",
    "serving/queueing.py", "serving/speculation.py", "serving/steady.py", "money/price.py", "money/unit_cost.py",
)  # fmt: skip
"""Files whose equations stand in this table; later ones hold the same in their own tests."""


def drawn(range_: tuple[float, float], shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Numbers of a range, its ends among them: whole where the range is, spread over decades where it is wide."""
    low, high = range_
    if isinstance(low, int):
        values = rng.integers(low, high, size=shape, endpoint=True).astype(float)
    elif low > 0 and high / low > 1e3:
        values = np.exp(rng.uniform(np.log(low), np.log(high), size=shape))
    else:
        values = rng.uniform(low, high, size=shape)
    ends = rng.random(shape)
    return np.where(ends < 0.05, low, np.where(ends > 0.95, high, values))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.equation)
@settings(max_examples=12)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_an_element_of_a_grid_is_the_scalars_value(case: Case, data: st.DataObject, seed: int):
    shapes = data.draw(mutually_broadcastable_shapes(num_shapes=len(case.ranges), max_dims=3, max_side=3))
    rng, shape = np.random.default_rng(seed), shapes.result_shape
    tail = (3,) if case.last_axis else ()
    arrays = {
        name: drawn(range_, (*own, *tail), rng)
        for (name, range_), own in zip(case.ranges.items(), shapes.input_shapes, strict=True)
    }
    grid = np.asarray(case(**arrays))
    whole = {name: np.broadcast_to(values, (*shape, *tail)) for name, values in arrays.items()}
    scalars = np.empty(shape)
    for place in np.ndindex(shape):
        scalars[place] = case(**{name: values[place] for name, values in whole.items()})
    assert grid.shape == shape
    np.testing.assert_allclose(grid, scalars, rtol=1e-12)


def test_each_equation_with_arrays_stands_in_the_table():
    here = {case.equation for case in CASES}
    known = {equation.name for equation in docstrings.equations() if equation.module.startswith(PLACES)}
    assert known == here | NO_ARRAYS
