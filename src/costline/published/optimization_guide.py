"""The optimisation guide: what each of its tables and worked numbers comes to.

Knows which quantity stands in which printed cell; the printed numbers and why some of them are wrong are in
`catalog/data/published/optimization_guide.yml`. Does not know the formulas (see `optimization_guide_formulas`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from costline.architecture.cost import FLOP_PER_MAC
from costline.published import printed
from costline.published.cells import FigureData, Table
from costline.published.optimization_guide_formulas import cached_generation_gain, drafted_speed_up, guide_memory
from costline.published.printed import numbers, section
from costline.quantities import BITS_PER_BYTE, HOUR_S, HOURS_PER_MONTH

PUBLICATION = "optimization_guide"
PREFIX = "optimization-guide"
FP16_BYTES = 2
_MOST_DRAFTED = 64

Values = Mapping[tuple[str, str], float]


def _given(name: str) -> dict[str, float]:
    return numbers(section(section(printed.read(PUBLICATION), "inputs"), name))


def _introduction() -> Values:
    load, parts, model, a100 = (_given(name) for name in ("load", "latency_s", "model", "a100"))
    day_s = load["requests_per_day"] * load["request_s"]
    total_s = sum(parts.values())
    token_s = FP16_BYTES * model["parameters"] / a100["hbm_bytes_per_s"]
    answer = "100 tokens of a 70B"
    return {
        ("1M requests of 2 s", "GPU time a day"): day_s,
        ("1M requests of 2 s", "cost a month"): day_s / HOUR_S * load["usd_per_hour"] * load["days"],
        (answer, "prefill share"): parts["prefill"] / total_s,
        (answer, "first token share"): parts["first_token"] / total_s,
        (answer, "other tokens share"): parts["rest"] / total_s,
        (answer, "total"): total_s,
        (answer, "99 tokens on one A100"): _given("generation")["rest_tokens"] * token_s,
    }


def _self_hosting() -> Values:
    a100, gpus = _given("a100"), _given("baseline")
    large_usd = gpus["gpus"] * a100["usd_per_month"]
    return {
        ("4x A100 80GB", "hardware a month"): large_usd,
        ("4x A100 80GB", "total a month"): sum(_given("self_hosted_usd_per_month").values()),
        ("2x A100 40GB", "saving"): 1 - gpus["gpus_after"] * a100["small_usd_per_month"] / large_usd,
    }


def _quantization() -> Values:
    parameters, full = _given("model")["parameters"], 2 * BITS_PER_BYTE
    out: dict[tuple[str, str], float] = {}
    for name, bits in (("FP16", full), ("INT8", full / 2), ("INT4", full / 4)):
        out[name, "weights"] = parameters * bits / BITS_PER_BYTE
        if name != "INT4":
            out[name, "levels"] = 2**bits
        if name != "FP16":
            out[name, "saved"] = 1 - bits / full
    return out


def _caching() -> Values:
    given = _given("generation")
    gain = cached_generation_gain(int(given["prompt_tokens"]), int(given["new_tokens"]))
    return {("5 prompt and 100 new tokens", "tokens saved"): gain}


def _batching() -> Values:
    model, a100, given, rates = (_given(n) for n in ("model", "a100", "batching", "requests_per_s"))
    load_s, compute_s, batch = given["printed_load_s"], given["printed_compute_s"], given["batch"]
    return {
        ("one A100", "reading the weights"): FP16_BYTES * model["parameters"] / a100["hbm_bytes_per_s"],
        ("one A100", "arithmetic of a token"): FLOP_PER_MAC * model["parameters"] / a100["flop_per_s"],
        ("one A100", "utilisation"): compute_s / (load_s + compute_s),
        ("batch 32", "gain"): (load_s + compute_s) / ((load_s + batch * compute_s) / batch),
        ("requests", "gain"): rates["batched"] / rates["sequential"],
    }


def _batch_table() -> Values:
    """Throughput from batch and latency; cost on the two A100 that hold the weights."""
    usd_per_s = 2 * _given("a100")["usd_per_month"] / HOURS_PER_MONTH / HOUR_S
    out: dict[tuple[str, str], float] = {}
    for batch, latency_s in _given("batch_latency_s").items():
        tokens_per_s = float(batch) / latency_s
        out[f"batch {batch}", "throughput"] = tokens_per_s
        out[f"batch {batch}", "cost"] = usd_per_s / tokens_per_s
    return out


def _speculation() -> Values:
    draft, given = _given("draft"), _given("generation")
    lengths = np.arange(1, _MOST_DRAFTED)
    tokens = draft["accepted"] + 1
    return {
        ("without", "100 tokens"): given["new_tokens"] * given["token_s"],
        ("70 % accepted", "speed-up"): float(drafted_speed_up(draft["acceptance"], draft["tokens"], draft["cost"])),
        ("easy tasks", "speed-up"): float(drafted_speed_up(draft["easy_acceptance"], lengths, draft["cost"]).max()),
        ("worked example", "tokens"): tokens,
        ("worked example", "speed-up"): tokens / (1 + draft["tokens"] * draft["cost"]),
    }


def _attention() -> Values:
    rates = _given("attention_tokens_per_s")
    return {("version 2 over standard", "speed-up"): rates["second"] / rates["standard"]}


def _memory() -> Values:
    model, call, bandwidth = _given("model"), _given("call"), _given("sxm_hbm_bytes_per_s")
    shape = {"layers": model["layers"], "width": model["width"], "element_bytes": FP16_BYTES}
    found = guide_memory(model["parameters"], call["batch"], call["tokens"], **shape)
    one_bytes = _given("a100")["memory_bytes"]
    gpus = math.ceil(float(found.total_bytes) / one_bytes)
    return {
        ("printed call", "weights"): float(found.weights_bytes),
        ("printed call", "cache"): float(found.kv_bytes),
        ("printed call", "activations"): float(found.activation_bytes),
        ("printed call", "total"): float(found.total_bytes),
        ("A100 80GB", "GPUs"): gpus,
        ("A100 80GB", "memory of them"): gpus * one_bytes,
        ("H100 over A100", "speed"): bandwidth["h100"] / bandwidth["a100"],
    }


def _summary() -> Values:
    given, price, rates = _given("baseline"), _given("a100")["usd_per_month"], _given("requests_per_s")
    before_usd, after_usd = given["gpus"] * price, given["gpus_after"] * price
    gained = rates["batched"] / rates["sequential"]
    cost = given["usd_per_mtok"] * after_usd / before_usd / gained
    return {
        ("before", "hardware a month"): before_usd,
        ("after", "hardware a month"): after_usd,
        ("after", "requests gained"): gained,
        ("after", "cost"): cost,
        ("saving", "cost"): 1 - cost / given["usd_per_mtok"],
    }


def tables() -> list[Table]:
    """All tables and worked numbers of the guide."""
    values = {
        "introduction": _introduction(),
        "self-hosting": _self_hosting(),
        "quantization": _quantization(),
        "caching": _caching(),
        "batching": _batching(),
        "batch-table": _batch_table(),
        "speculation": _speculation(),
        "attention": _attention(),
        "memory": _memory(),
        "summary": _summary(),
    }
    return printed.tables(PUBLICATION, PREFIX, values)


def figures() -> list[FigureData]:
    """None: the guide prints no chart."""
    return []
