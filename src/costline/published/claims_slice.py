"""Formulas of claims about a decoder on a slice of v5e: batch, step, throughput and cost.

Knows the chapter's defaults: LLaMA 3-70B in int8 on 16 chips at 8,192 tokens. One function a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from costline.published.scaling_book_inputs import FORMATS, serving_slice
from costline.published.scaling_book_slice import ServingSlice

_CONTEXT = 8192


def _slice(
    model: str = "70B",
    number_format: str = "int8",
    chips: float = 16,
    *,
    cache_format: str = "",
    kv_heads: float = 0,
) -> ServingSlice:
    """The slice a claim is about; the cache follows the weights' format unless it has its own."""
    one = serving_slice(model, number_format, int(chips))
    if cache_format:
        one = replace(one, kv_element_bytes=FORMATS[cache_format])
    return replace(one, model=replace(one.model, kv_heads=kv_heads)) if kv_heads else one


def _largest_batch(*, tokens: float = _CONTEXT, **shape: float | str) -> float:
    return _of(shape).max_batch(tokens)


def _memory_left(**shape: float | str) -> float:
    return _of(shape).free_bytes


def _cache_lost(*, usable_share: float, **shape: float | str) -> float:
    """Share of the cache that goes when so much of each chip's memory is usable."""
    one = _of(shape)
    kept = replace(one, chip=replace(one.chip, hbm_bytes=one.chip.hbm_bytes * usable_share))
    return 1 - kept.free_bytes / one.free_bytes


def _decode_step_s(*, batch: float, tokens: float = _CONTEXT, **shape: float | str) -> float:
    return _of(shape).step_s(batch, tokens)


def _floor_step_s(**shape: float | str) -> float:
    return _of(shape).floor_step_s


def _throughput_per_chip(*, batch: float, tokens: float = _CONTEXT, **shape: float | str) -> float:
    one = _of(shape)
    return batch / one.step_s(batch, tokens) / one.chips


def _decode_usd_per_mtok(*, batch: float, tokens: float = _CONTEXT, **shape: float | str) -> float:
    return _of(shape).cost_at(batch, tokens)


def _largest_batch_usd_per_mtok(*, tokens: float = _CONTEXT, **shape: float | str) -> float:
    one = _of(shape)
    return one.cost_at(one.max_batch(tokens), tokens)


def _full_memory_usd_per_mtok(*, tokens: float = _CONTEXT, **shape: float | str) -> float:
    """Cost at the largest batch when a step takes the time to read a full memory."""
    one = _of(shape)
    return one.usd_per_mtok(one.max_batch(tokens), one.full_step_s)


def _full_memory_queries(*, output_tokens: float, tokens: float = _CONTEXT, **shape: float | str) -> float:
    """Queries per second and chip at the largest batch and a full memory."""
    one = _of(shape)
    return one.max_batch(tokens) / (one.full_step_s * output_tokens * one.chips)


def _of(shape: Mapping[str, float | str]) -> ServingSlice:
    build: Callable[..., ServingSlice] = _slice
    return build(**shape)


FORMULAS: Mapping[str, Callable[..., float]] = {
    "largest_batch": _largest_batch,
    "memory_left": _memory_left,
    "cache_lost": _cache_lost,
    "decode_step_s": _decode_step_s,
    "floor_step_s": _floor_step_s,
    "throughput_per_chip": _throughput_per_chip,
    "decode_usd_per_mtok": _decode_usd_per_mtok,
    "largest_batch_usd_per_mtok": _largest_batch_usd_per_mtok,
    "full_memory_usd_per_mtok": _full_memory_usd_per_mtok,
    "full_memory_queries_per_s_per_chip": _full_memory_queries,
}
"""By the name that claims.yml uses."""
