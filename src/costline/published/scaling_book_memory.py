"""Chapters 0 to 2 of the TPU serving chapter: hardware, cache, topology and batch.

Knows which quantity stands in which cell; see `scaling_book_serving` for the tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from costline.published.scaling_book_inputs import (
    FORMATS,
    GRID,
    SMALLEST,
    Values,
    chip,
    critical,
    serving_slice,
    workload,
)
from costline.quantities import HOUR_S


def _flop_per_usd(name: str) -> float:
    return chip(name).flop_per_s * HOUR_S / chip(name).usd_per_hour


def _hardware() -> Values:
    out: Values = {}
    for name in ("H100", "v5p", "v5e"):
        out[name, "FLOP per USD"] = _flop_per_usd(name)
        out[name, "bandwidth per USD/hour"] = chip(name).hbm_bytes_per_s / chip(name).usd_per_hour
    return out


def _critical_batch() -> Values:
    used = 1 / critical("bf16")
    return {
        ("v5e over H100", "FLOP per USD gained"): _flop_per_usd("v5e") / _flop_per_usd("H100") - 1,
        ("v5p over v5e", "price"): chip("v5p").usd_per_hour / chip().usd_per_hour,
        ("bf16 weights", "critical batch"): critical("bf16"),
        ("bf16 weights", "arithmetic used at batch 1"): used,
        ("bf16 weights", "arithmetic idle at batch 1"): 1 - used,
        ("bf16 weights", "cost of a sequence, batch 1 over 240"): 240,
        ("int8 weights", "critical batch"): critical("int8"),
    }


def _kv_cache() -> Values:
    per_token = serving_slice().kv_bytes_per_token
    out: Values = {}
    for tokens in (2048, 8192, 32768):
        out[f"{tokens:,} tokens", "one sequence"] = tokens * per_token
        for batch in (32, 240):
            out[f"{tokens:,} tokens", f"batch {batch}"] = batch * tokens * per_token
    return out


def _kv_worked() -> Values:
    one, work = serving_slice(), workload()
    cache_bytes = 240 * work["prompt_tokens"] * one.kv_bytes_per_token
    scores = work["decode_batch"] * one.model.heads * work["prompt_tokens"] ** 2 * FORMATS["bf16"]
    found = {
        "KV per token": one.kv_bytes_per_token,
        "KV per token, rounded": one.kv_bytes_per_token,
        "KV over weights at batch 240": cache_bytes / one.weights_bytes,
        "v5e chips at batch 240": math.ceil((one.weights_bytes + cache_bytes) / one.chip.hbm_bytes),
        "scores of one layer at batch 32": scores,
    }
    return {("70B int8", column): value for column, value in found.items()}


def _topology() -> Values:
    out: Values = {}
    for name, chips in SMALLEST.items():
        one = serving_slice(number_format=name, chips=chips)
        out[name, "weights"] = one.weights_bytes
        out[name, "KV per token"] = one.kv_bytes_per_token
        out[name, "least chips"] = one.min_chips
        out[name, "slice"] = next(size for size in GRID if size >= one.min_chips)
        out[name, "memory left"] = one.free_bytes
    return out


def _max_batch() -> Values:
    work = workload()
    out: Values = {}
    for name, chips in (*SMALLEST.items(), ("int8", 16)):
        one = serving_slice(number_format=name, chips=chips)
        out[f"{name} on {GRID[chips]}", "batch"] = one.max_batch(work["prompt_tokens"])
    one = serving_slice(chips=8)
    usable = one.chip.hbm_bytes * work["usable_share"]
    kept = replace(one, chip=replace(one.chip, hbm_bytes=usable))
    out["int8 on 4x2", "batch over critical batch"] = out["int8 on 4x2", "batch"] / critical("int8")
    out["int8 on 4x2", "usable memory of a chip"] = usable
    out["int8 on 4x2", "batch lost to the 80 % rule"] = 1 - kept.free_bytes / one.free_bytes
    out["int8 on 4x4", "memory left"] = serving_slice(chips=16).free_bytes
    return out


def _topology_8b() -> Values:
    out: Values = {}
    for name in FORMATS:
        one = serving_slice("8B", name, 1)
        out[name, "weights"] = one.weights_bytes
        out[name, "KV per token"] = one.kv_bytes_per_token
        out[name, "least chips"] = one.min_chips
        out[name, "KV of 8K"] = one.kv_bytes_per_token * workload()["prompt_tokens"]
    return out


def _worked_8b() -> Values:
    single, four = serving_slice("8B", "int8", 1), serving_slice("8B", "int8", 4)
    return {
        ("bf16", "critical batch"): critical("bf16"),
        ("int8 on one chip", "memory left"): single.free_bytes,
        ("int8 on one chip", "batch"): single.max_batch(workload()["prompt_tokens"]),
        ("int8 on one chip", "critical batch"): critical("int8"),
        ("int8 on 2x2", "memory left"): four.free_bytes,
        ("int8 on 2x2", "batch"): four.max_batch(workload()["prompt_tokens"]),
    }


def _worked_405b() -> Values:
    one, work = serving_slice("405B", "int8", 32), workload()
    context = work["prompt_tokens"]
    batch = one.max_batch(context)
    step_s = one.step_s(batch, context)
    cost, cost_70b = one.usd_per_mtok(batch, step_s), serving_slice().cost_at(120, context)
    return {
        ("memory", "weights"): one.weights_bytes,
        ("memory", "least chips"): one.min_chips,
        ("memory", "slice"): next(size for size in GRID if size >= one.min_chips),
        ("memory", "KV per token"): one.kv_bytes_per_token,
        ("memory", "memory left"): one.free_bytes,
        ("memory", "KV of 8K"): one.kv_bytes_per_token * context,
        ("memory", "batch"): batch,
        ("memory", "critical batch"): critical("int8"),
        ("speed", "step"): step_s,
        ("speed", "512 tokens"): step_s * work["output_tokens"],
        ("speed", "throughput"): batch / step_s,
        ("price", "slice"): one.usd_per_s,
        ("price", "output"): cost,
        ("price", "over 70B on 4x4 at batch 120"): cost / cost_70b,
        ("price", "parameters over 70B"): one.model.parameters / serving_slice().model.parameters,
    }


VALUES: Mapping[str, Callable[[], Values]] = {
    "hardware": _hardware,
    "critical-batch": _critical_batch,
    "kv-cache": _kv_cache,
    "kv-worked": _kv_worked,
    "topology": _topology,
    "max-batch": _max_batch,
    "topology-8b": _topology_8b,
    "worked-8b": _worked_8b,
    "worked-405b": _worked_405b,
}
"""What computes each table of these chapters."""
