"""Chapters 3 and 4 of the TPU serving chapter: decode latency, throughput, cost and sensitivity.

Knows which quantity stands in which cell; see `scaling_book_serving` for the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from costline.architecture.cost import FLOP_PER_MAC
from costline.published.printed import numbers
from costline.published.scaling_book_inputs import (
    BATCHES,
    FORMATS,
    GRID,
    SMALLEST,
    Values,
    arithmetic_limit_chips,
    chip,
    given,
    serving_slice,
    workload,
)
from costline.published.scaling_book_slice import ServingSlice
from costline.quantities import HOUR_S, MEGA


def _decode_latency() -> Values:
    small, large, work = serving_slice(chips=8), serving_slice(chips=16), workload()
    batch, context = work["decode_batch"], work["prompt_tokens"]
    step_s = small.step_s(batch, context)
    return {
        ("4x2", "bytes read"): small.weights_bytes + batch * context * small.kv_bytes_per_token,
        ("4x2", "step"): step_s,
        ("4x2", "throughput"): batch / step_s,
        ("4x2", "throughput per chip"): batch / step_s / small.chips,
        ("4x4", "step"): large.step_s(batch, context),
        ("one chip", "reading a full memory"): small.full_step_s,
        ("one chip", "shortest step of an 8 GB model"): serving_slice("8B", "int8", 1).floor_step_s,
        ("links", "largest useful tensor parallelism"): arithmetic_limit_chips(),
    }


def _decode_breakdown() -> Values:
    one, work = serving_slice(chips=8), workload()
    batch, context = work["decode_batch"], work["prompt_tokens"]
    total = one.step_s(batch, context)
    cache_s = batch * context * one.kv_bytes_per_token / one.hbm_bytes_per_s
    return {
        ("weights", "time"): one.floor_step_s,
        ("weights", "share"): one.floor_step_s / total,
        ("cache", "time"): cache_s,
        ("cache", "share"): cache_s / total,
        ("arithmetic", "time"): FLOP_PER_MAC * one.model.parameters * batch / one.flop_per_s,
        ("total", "time"): total,
    }


def _decode_floor() -> Values:
    fast = serving_slice(number_format="int4")
    return {
        ("int8 on 4x2", "step"): serving_slice(chips=8).floor_step_s,
        ("int8 on 4x4", "step"): serving_slice(chips=16).floor_step_s,
        ("int4 on 4x4", "step"): fast.floor_step_s,
        ("int4 on 4x4", "speed"): 1 / fast.floor_step_s,
    }


def _queries_per_chip(one: ServingSlice) -> float:
    """Queries per second and chip at the largest batch and a full memory."""
    work = workload()
    batch = one.max_batch(work["prompt_tokens"])
    return batch / (one.full_step_s * work["output_tokens"] * one.chips)


def _queries() -> Values:
    context = workload()["prompt_tokens"]
    out: Values = {}
    for name, chips in (*SMALLEST.items(), ("bf16", 32)):
        one = serving_slice(number_format=name, chips=chips)
        out[f"{name} on {GRID[chips]}", "batch"] = one.max_batch(context)
        out[f"{name} on {GRID[chips]}", "queries"] = _queries_per_chip(one)
    out["bf16 on 4x8", "memory left"] = serving_slice(number_format="bf16", chips=32).free_bytes
    least = out["bf16 on 4x4", "queries"]
    out["int4 over bf16", "queries gained"] = out["int4 on 2x2", "queries"] / least
    out["4x8 over 4x4 in bf16", "queries gained"] = out["bf16 on 4x8", "queries"] / least
    return out


def _cost() -> Values:
    """A full memory takes the time to read it, or longer where the arithmetic binds."""
    context = workload()["prompt_tokens"]
    out: Values = {}
    for name, chips in (*SMALLEST.items(), ("int8", 16), ("bf16", 32)):
        one = serving_slice(number_format=name, chips=chips)
        batch = one.max_batch(context)
        step_s = max(one.full_step_s, one.step_s(batch, context))
        row = f"{name} on {GRID[chips]}"
        out[row, "batch"] = batch
        out[row, "throughput"] = batch / step_s
        out[row, "cost"] = one.usd_per_mtok(batch, step_s)
    out["bf16 over int4", "cost"] = out["bf16 on 4x4", "cost"] / out["int4 on 2x2", "cost"]
    return out


def _script() -> Values:
    return {(name, "FLOP per parameter"): FLOP_PER_MAC for name in FORMATS}


def _pareto() -> Values:
    one, context = serving_slice(), workload()["prompt_tokens"]
    out: Values = {}
    for batch in BATCHES:
        row, step_s = f"batch {batch}", one.step_s(batch, context)
        out[row, "cache"] = batch * context * one.kv_bytes_per_token
        out[row, "step"] = step_s
        out[row, "throughput"] = batch / step_s
        out[row, "throughput per chip"] = batch / step_s / one.chips
        out[row, "cost"] = one.usd_per_mtok(batch, step_s)
    return out


def training_usd() -> float:
    """Six FLOP for each parameter and token on v5p, as the chapter counts."""
    training, v5p = numbers(given("training")), chip("v5p")
    flop = 3 * FLOP_PER_MAC * serving_slice().model.parameters * training["tokens"]
    return flop / (v5p.flop_per_s * training["utilization"]) / HOUR_S * v5p.usd_per_hour


def _price() -> Values:
    one, context = serving_slice(), workload()["prompt_tokens"]
    training, response_tokens = numbers(given("training")), workload()["response_tokens"]
    tokens = training["printed_usd"] / training["printed_usd_per_mtok"] * MEGA
    response_usd = one.cost_at(120, context) * response_tokens / MEGA
    return {
        ("batch 1 to 120", "cost falls by"): one.cost_at(1, context) / one.cost_at(120, context),
        ("batch 1 to 120", "step grows by"): one.step_s(120, context) / one.step_s(1, context),
        ("a response of 500 tokens", "cost"): response_usd,
        ("a response of 500 tokens", "cost of 100"): 100 * response_usd,
        ("training", "cost"): training_usd(),
        ("training", "output tokens of equal cost"): tokens,
        ("training", "over its training tokens"): tokens / training["tokens"],
    }


def largest_batch_cost(one: ServingSlice, context_tokens: float) -> float:
    """Cost of a million tokens at the largest batch that fits."""
    return one.cost_at(one.max_batch(context_tokens), context_tokens)


def multi_head(one: ServingSlice) -> ServingSlice:
    """The same model with a KV head for each query head."""
    return replace(one, model=replace(one.model, kv_heads=one.model.heads))


def _sensitivity() -> Values:
    one, work = serving_slice(), workload()
    batch, context = work["decode_batch"], work["prompt_tokens"]
    base, wide = one.cost_at(batch, context), multi_head(one)
    int4_weights = replace(one, weight_bytes=FORMATS["int4"])
    short, long = work["short_context_tokens"], work["long_prompt_tokens"]
    by_bandwidth = [c.hbm_bytes_per_s / c.usd_per_hour for c in (chip(), chip("H100"))]
    wide_cost = largest_batch_cost(wide, context) / largest_batch_cost(one, context)
    gqa = "GQA-8 to MHA-64"
    return {
        ("int8 to int4 weights", "cost"): int4_weights.cost_at(batch, context) / base - 1,
        ("2K to 32K context", "cost"): one.cost_at(batch, long) / one.cost_at(batch, short) - 1,
        (gqa, "cost"): wide_cost - 1,
        (gqa, "cache"): wide.kv_bytes_per_token / one.kv_bytes_per_token,
        (gqa, "largest batch lost"): one.max_batch(context) / wide.max_batch(context),
        (gqa, "throughput lost"): wide_cost,
        ("v5e to H100", "cost"): by_bandwidth[0] / by_bandwidth[1] - 1,
        ("batch 32 to 120", "cost"): one.cost_at(120, context) / base - 1,
    }


VALUES: Mapping[str, Callable[[], Values]] = {
    "decode-latency": _decode_latency,
    "decode-breakdown": _decode_breakdown,
    "decode-floor": _decode_floor,
    "queries": _queries,
    "cost": _cost,
    "script": _script,
    "pareto": _pareto,
    "price": _price,
    "sensitivity": _sensitivity,
}
"""What computes each table of these chapters."""
