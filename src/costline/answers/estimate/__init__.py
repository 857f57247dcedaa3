"""estimate: one configuration — step times by term, memory, throughput, cost, and what binds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from costline.answers.answer import Answer
from costline.answers.choices import (
    Price,
    activation_format,
    check_context,
    kv_format,
    the_model,
    the_price,
    the_rates,
    the_site,
    weight_table,
)
from costline.answers.estimate.view import charts, summary, tables
from costline.answers.scenario import MOST_USD_PER_HOUR, ModelBlock, PriceBlock
from costline.answers.search.columns import Engine, room
from costline.answers.sources import step_sources
from costline.architecture.kv_cache import kv_bytes_per_token
from costline.architecture.operations import Formats, Segment, decode_segment, prefill_segment
from costline.architecture.sharding import Layout, layout
from costline.architecture.weights import weight_bytes
from costline.deployment.grid import Fixed, check_fixed
from costline.errors import InputError
from costline.forward.memory import kv_capacity_tokens
from costline.forward.rates import ideal_rates
from costline.forward.steps import RESOURCES, StepTime, step_time
from costline.money.price import fleet_usd_per_hour
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import as_array

CONTEXT = 4096
MOST = 1e8  # largest batch or context taken for a number rather than a slip


def estimate(
    model: str | None = None,
    accelerator: str = "h100-sxm",
    *,
    config: str | Path | None = None,
    tp: int = 1,
    pp: int = 1,
    dp: int = 1,
    ep: int | None = None,
    batch: float = 1,
    context: float | None = None,
    new_tokens: int = 1,
    weights: str | Mapping[str, str] = "checkpoint",
    kv: str = "bf16",
    activations: str = "auto",
    price: float | None = None,
    engine: str = "vllm",
    memory_utilization: float | None = None,
    calibration: str = "default",
) -> Answer:
    """Step times by term, memory, throughput and cost of one replica.

    `batch` sequences of `context` cached tokens (default 4096, or the model's longest) decode together
    (`new_tokens` > 1: a verification step); the prefill is of `context` tokens of one prompt. Raises InputError for
    anything that cannot be.
    """
    record = the_model(_model_block(model, config))
    check_fixed(record, Fixed(tp, pp, dp, ep))
    context = min(CONTEXT, record.max_context_tokens or CONTEXT) if context is None else context
    _check_numbers(batch=batch, context=context, new_tokens=new_tokens)
    check_context(record, context, "context")
    _check_choices(calibration, memory_utilization)
    site = the_site(accelerator, engine)
    where = layout(tp, pp, dp, _experts_degree(ep, tp, dp))
    _check_span(site.system, where)
    label, table = weight_table(record, weights)
    formats = Formats(table, kv_format(kv), activation_format(site.chip, table, activations))
    runner = Engine(record, formats, the_rates(site, calibration), site, memory_utilization)
    paid = the_price(_price_block(price), site.chip)
    decode = _phase(runner, [decode_segment(batch / pp, context, new_tokens)], where)
    prefill = _phase(runner, [prefill_segment(1, context)], where)
    devices = int(tp * pp * dp)
    decode |= _rates(batch * new_tokens / decode["step_time_s"], devices) | {"tpot_s": decode["step_time_s"]}
    prefill |= _rates(pp * context / prefill["step_time_s"], devices) | {"time_s": prefill["step_time_s"]}
    data: dict[str, Any] = {
        "question": "estimate",
        "model": record.id,
        "accelerator": site.chip.id,
        "system": site.system.id,
        "accelerators": devices,
        **{"tp": tp, "pp": pp, "dp": dp, "ep": int(where.ep)},
        "batch": batch,
        "context_tokens": context,
        "new_tokens": new_tokens,
        "formats": {"weights": label, "kv_cache": formats.kv, "activations": formats.activations},
        "calibration": calibration,
        "decode": decode,
        "prefill": prefill,
        "memory": _memory(runner, where, context, batch),
        "cost": _cost(paid, devices, decode["tokens_per_s"], prefill["tokens_per_s"]),
    }
    words = summary(data, record)
    return Answer("estimate", data, tables(data), charts(data), words, step_sources(record, site, paid, calibration))


def _check_choices(calibration: str, memory_utilization: float | None) -> None:
    if calibration not in ("default", "none"):
        raise InputError(f"calibration={calibration!r} is not known; use default or none")
    if memory_utilization is not None and not 0 < memory_utilization <= 1:
        raise InputError(f"memory_utilization={memory_utilization} must lie in (0, 1]; 0.9 is usual")


def _rates(tokens_per_s: float, devices: int) -> dict[str, float]:
    return {"tokens_per_s": tokens_per_s, "tokens_per_s_per_accelerator": tokens_per_s / devices}


def _cost(paid: Price | None, devices: int, output_per_s: float, input_per_s: float) -> dict[str, Any]:
    """Hourly bill, and what a million tokens cost if the replica did only one phase all the time."""
    if paid is None:
        keys = ("usd_per_hour", "usd_per_mtok_output", "usd_per_mtok_input", "usd_per_accelerator_hour", "price_source")
        return dict.fromkeys(keys)
    hourly = float(fleet_usd_per_hour(devices, paid.usd_per_hour))
    return {
        "usd_per_hour": hourly,
        "usd_per_mtok_output": float(usd_per_mtok(hourly, output_per_s)),
        "usd_per_mtok_input": float(usd_per_mtok(hourly, input_per_s)),
        "usd_per_accelerator_hour": paid.usd_per_hour,
        "price_source": paid.offer.id if paid.offer else "given",
    }


def _model_block(model: str | None, config: str | Path | None) -> ModelBlock:
    if (model is None) == (config is None):
        raise InputError("give exactly one of --model and --config: a catalogued model or a config.json")
    return ModelBlock.model_construct(id=model, config=None if config is None else str(config))


def _price_block(price: float | None) -> PriceBlock:
    if price is not None and not 0 <= price <= MOST_USD_PER_HOUR:
        most = f"{MOST_USD_PER_HOUR:,}"
        raise InputError(f"price={price} must be a number of USD per accelerator-hour from 0 to {most}; correct it")
    return PriceBlock(accelerator_usd_per_hour=price)


def _check_numbers(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value <= MOST:
            raise InputError(f"{name}={value} must be above 0 and at most {MOST:,.0f}; give a plain number")


def _experts_degree(ep: int | None, tp: int, dp: int) -> int:
    return ep if ep is not None else (tp * dp if dp > 1 else 1)


def _check_span(system: Any, where: Layout) -> None:
    devices, domain = int(where.devices), system.fabric.domain_size
    if devices > domain and system.scale_out_bytes_per_s <= 0:
        raise InputError(
            f"tp·pp·dp={devices} exceeds the {domain} accelerators that {system.id} connects; use at most {domain}"
        )


def _phase(engine: Engine, parts: list[Segment], where: Layout) -> dict[str, Any]:
    """One step: expected time, bounds at datasheet rates, terms and waits."""
    ideal = ideal_rates(engine.site.chip, engine.site.system)
    step = step_time(engine.model, parts, where, engine.formats, engine.rates)
    limit = step_time(engine.model, parts, where, engine.formats, ideal)
    return {
        "step_time_s": float(step.expected_s),
        "lower_bound_s": float(limit.lower_bound_s),
        "serial_bound_s": float(limit.serial_s),
        "terms_s": {name: float(value) for name, value in step.terms_s.items() if float(value) > 0},
        "waits_s": {name: float(step.waits_s[name]) for name in RESOURCES},
        "bound": RESOURCES[int(step.bound)],
        "roofline_s": _roofline(limit),
    }


def _roofline(limit: StepTime) -> dict[str, float]:
    return {
        "compute": float(limit.compute_s),
        "memory": float(limit.essential_s),
        "network": float(limit.network_s),
    }


def _memory(engine: Engine, where: Layout, context: float, batch: float) -> dict[str, Any]:
    space = room(engine, where, context)
    tokens = float(kv_capacity_tokens(engine.model, space["pool_bytes"], engine.formats.kv, where))
    most = float(space["max_batch"])
    return {
        "weights_bytes": weight_bytes(engine.model, engine.formats.weights),
        "weights_bytes_per_accelerator": float(space["weights_bytes"]),
        "kv_bytes_per_token": kv_bytes_per_token(engine.model, engine.formats.kv),
        "kv_pool_bytes_per_accelerator": max(float(space["pool_bytes"]), 0.0),
        "kv_capacity_tokens": tokens,
        "accelerator_memory_bytes": engine.site.chip.visible_memory_bytes,
        "max_batch": int(most) if np.isfinite(most) else None,
        "fits": bool(as_array(most) >= batch),
    }

