"""The rest of the TPU serving chapter: the fleet of chapter 4, links, disaggregation and the takeaways.

Knows which quantity stands in which cell; see `scaling_book_serving` for the tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from costline.architecture.cost import FLOP_PER_MAC
from costline.published.printed import numbers
from costline.published.scaling_book_inputs import (
    FORMATS,
    SMALLEST,
    Values,
    arithmetic_limit_chips,
    chip,
    critical,
    given,
    serving_slice,
    workload,
)
from costline.quantities import DAY_S, HOUR_S, HOURS_PER_YEAR


def _fleet() -> Values:
    one, work = serving_slice(), workload()
    batch, rate = work["fleet_batch"], work["queries_per_s"]
    step_s = one.step_s(batch, work["prompt_tokens"])
    query_s = step_s * work["output_tokens"]
    replicas = math.ceil(rate * query_s / batch)
    hour_usd = replicas * one.usd_per_s * HOUR_S
    day_usd = hour_usd * DAY_S / HOUR_S
    prefill_s = one.prefill_s(work["prompt_tokens"], work["prefill_utilization"])
    return {
        ("replica", "step"): step_s,
        ("replica", "decode of a query"): query_s,
        ("replica", "queries"): batch / query_s,
        ("fleet", "replicas"): replicas,
        ("fleet", "chips"): replicas * one.chips,
        ("fleet", "prefill replicas"): math.ceil(rate * prefill_s),
        ("price", "an hour"): hour_usd,
        ("price", "a day"): day_usd,
        ("price", "a query"): day_usd / (rate * DAY_S),
        ("price", "a day, second statement"): day_usd,
        ("price", "a year"): hour_usd * HOURS_PER_YEAR,
        ("load", "queries a day"): rate * DAY_S,
    }


def _links() -> Values:
    """Times of one feed-forward product of bf16 weights on 32 chips."""
    one, work = serving_slice(number_format="bf16", chips=32), workload()
    batch, model = work["fleet_batch"], one.model
    weights = model.d_model * model.d_ff
    row = "4x8, batch 64"
    return {
        ("bound by arithmetic", "chips"): arithmetic_limit_chips(),
        ("bound by bandwidth, batch 64", "chips"): model.d_ff / (work["hbm_per_ici_byte"] * batch),
        (row, "ICI time of one product"): one.weight_bytes * batch * model.d_model / work["ici_bytes_per_s"],
        (row, "HBM time of one product"): one.weight_bytes * weights / one.hbm_bytes_per_s,
        (row, "arithmetic time of one product"): FLOP_PER_MAC * batch * weights / one.flop_per_s,
    }


def _kv_heads() -> Values:
    work, model = workload(), serving_slice().model
    out: Values = {(f"TP {tp}", "KV heads on a chip"): model.kv_heads / tp for tp in (4, 8, 16, 32)}
    volume = work["fleet_batch"] * work["prompt_tokens"] * model.head_dim * FORMATS["bf16"]
    out["TP 16", "all-gather of a layer"] = volume
    out["TP 16", "all-gather of a step"] = model.layers * volume / work["ici_bytes_per_s"]
    return out


def prefill_servers(batch: float) -> float:
    """Prefill servers that keep one decode server at `batch` busy."""
    one, work = serving_slice(), workload()
    decode_s = one.step_s(batch, work["prompt_tokens"]) * work["output_tokens"]
    return batch / decode_s * one.prefill_s(work["prompt_tokens"], work["prefill_utilization"])


def _disaggregation() -> Values:
    one, work = serving_slice(), workload()
    batch, context = work["decode_batch"], work["prompt_tokens"]
    prefill_s = one.prefill_s(context, work["prefill_utilization"])
    decode_s = one.step_s(batch, context) * work["output_tokens"]
    cache_bytes = context * one.kv_bytes_per_token
    return {
        ("prefill", "a prompt"): prefill_s,
        ("prefill", "prompts"): 1 / prefill_s,
        ("decode", "512 tokens at batch 32"): decode_s,
        ("decode", "sequences"): batch / decode_s,
        ("servers", "prefill for each decode"): prefill_servers(batch),
        ("transfer", "cache of a prompt"): cache_bytes,
        ("transfer", "at 50 GB/s"): cache_bytes / work["network_bytes_per_s"],
    }


def _interference() -> Values:
    one, work, stall = serving_slice(), workload(), numbers(given("stall"))
    steps = stall["printed_prefill_s"] / stall["printed_step_s"]
    long, share = work["long_prompt_tokens"], work["prefill_utilization"]
    return {
        ("blocking", "prefill"): one.prefill_s(long, share),
        ("blocking", "steps lost"): steps,
        ("blocking", "tokens lost"): steps * work["decode_batch"],
        ("chunked", "chunks"): long / work["chunk_tokens"],
        ("chunked", "added to a step"): one.prefill_s(work["chunk_tokens"], share),
        ("chunked", "prefill"): one.prefill_s(long, share),
    }


def _summary() -> Values:
    one, context = serving_slice(), workload()["prompt_tokens"]
    first_s, last_s = one.step_s(1, context), one.step_s(120, context)
    gained, grown = 120 * first_s / last_s, last_s / first_s
    levers, summary = "batch 1 to 120, levers", "batch 1 to 120, summary"
    return {
        (levers, "throughput gained"): gained,
        (levers, "step grows by"): grown,
        (summary, "first step"): first_s,
        (summary, "first throughput per chip"): 1 / first_s / one.chips,
        (summary, "last step"): last_s,
        (summary, "step grows by"): grown,
        (summary, "last throughput per chip"): 120 / last_s / one.chips,
        (summary, "throughput gained"): gained,
        ("price", "self-hosted output"): one.cost_at(120, context),
    }


def _takeaways() -> Values:
    one, context, v5e = serving_slice(), workload()["prompt_tokens"], chip()
    wide, narrow = (serving_slice(number_format=name, chips=SMALLEST[name]) for name in ("bf16", "int8"))
    per_chip = narrow.max_batch(context) / narrow.chips / (wide.max_batch(context) / wide.chips)
    row = "70B int8"
    return _summary() | {
        ("hardware", "FLOP per USD of v5e"): v5e.flop_per_s * HOUR_S / v5e.usd_per_hour,
        (row, "KV per token"): one.kv_bytes_per_token,
        (row, "smallest slice"): SMALLEST["int8"],
        (row, "critical batch"): critical("int8"),
        (row, "lower bound of a step"): serving_slice(chips=8).floor_step_s,
        (row, "prefill for each decode"): prefill_servers(workload()["decode_batch"]),
        (row, "largest useful tensor parallelism"): arithmetic_limit_chips(),
        ("int8 over bf16", "critical batch"): critical("int8") / critical("bf16"),
        ("int8 over bf16", "throughput per chip"): per_chip,
    }


VALUES: Mapping[str, Callable[[], Values]] = {
    "fleet": _fleet,
    "links": _links,
    "kv-heads": _kv_heads,
    "disaggregation": _disaggregation,
    "interference": _interference,
    "takeaways": _takeaways,
}
"""What computes each of these tables."""
