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
from costline.answers.estimate.serving import Asked, serving_block
from costline.answers.estimate.view import charts, summary, tables
from costline.answers.scenario import MOST_USD_PER_HOUR, ModelBlock, PriceBlock
from costline.answers.search.columns import Engine, room
from costline.answers.sources import step_sources
from costline.architecture.formats import FORMATS
from costline.architecture.kv_cache import kv_bytes_per_token
from costline.architecture.operations import Formats, Segment, decode_segment, prefill_segment
from costline.architecture.sharding import Layout, layout
from costline.architecture.weights import weight_bytes
from costline.catalog.records import Model
from costline.catalog.residuals import interval_of, model_class
from costline.deployment.grid import Fixed, check_fixed
from costline.errors import InputError
from costline.forward.memory import kv_capacity_tokens
from costline.forward.rates import ideal_rates
from costline.forward.steps import RESOURCES, StepTime, step_time
from costline.money.price import fleet_usd_per_hour
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import as_array

CONTEXT = 4096
PLAIN_FORMATS = ("fp8", "fp4", "int8", "int4")
"""Formats named by their width alone: a checkpoint of that width says which scales and parts it has."""
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
    isl: float | None = None,
    osl: float | None = None,
    concurrency: float | None = None,
    prefix: float = 0.0,
    length_spread: float = 0.1,
    max_batched_tokens: float | None = None,
    stream_interval: float | None = None,
) -> Answer:
    """Step times by term, memory, throughput and cost of one replica; for clients in a closed loop what they see.

    `batch` sequences of `context` cached tokens (default 4096, or the model's longest) decode together
    (`new_tokens` > 1: a verification step); the prefill is of `context` tokens of one prompt. With `concurrency`, `isl`
    and `osl` the batch is the concurrency, the prefill a whole prompt, and `serving` says what a load generator would
    measure. Raises InputError for anything that cannot be.
    """
    record = the_model(_model_block(model, config))
    check_fixed(record, Fixed(tp, pp, dp, ep))
    settings = {"max_batched_tokens": max_batched_tokens, "stream_interval": stream_interval}
    asked = _asked(isl, osl, concurrency, cached_tokens=prefix, length_spread=length_spread, **settings)
    batch, context = _decoding(record, batch, context, asked)
    _check_numbers(batch=batch, context=context, new_tokens=new_tokens)
    check_context(record, context, "context")
    _check_choices(calibration, memory_utilization)
    site = the_site(accelerator, engine)
    where = layout(tp, pp, dp, _experts_degree(ep, tp, dp))
    _check_span(site.system, where)
    label, table = weight_table(record, _released(record, weights))
    formats = Formats(table, kv_format(kv), activation_format(site.chip, table, activations))
    runner = Engine(record, formats, the_rates(site, calibration), site, memory_utilization)
    paid = the_price(_price_block(price), site.chip)
    devices = int(tp * pp * dp)
    decode, prefill = _phases(runner, where, (batch, context, new_tokens), asked)
    _add_ranges(runner, decode, prefill, calibration)
    data: dict[str, Any] = {
        "question": "estimate",
        **{"model": record.id, "accelerator": site.chip.id, "system": site.system.id, "accelerators": devices},
        **{"tp": tp, "pp": pp, "dp": dp, "ep": int(where.ep)},
        **{"batch": batch, "context_tokens": context, "new_tokens": new_tokens},
        "formats": {"weights": label, "kv_cache": formats.kv, "activations": formats.activations},
        **{"calibration": calibration, "decode": decode, "prefill": prefill},
        "memory": _memory(runner, where, context, batch),
        "cost": _cost(paid, devices, decode["tokens_per_s"], prefill["tokens_per_s"]),
    }
    if asked is not None:
        bounds = (decode["lower_bound_s"], prefill["lower_bound_s"])
        data["serving"] = serving_block(runner, asked, where, bounds, calibrated=calibration != "none")
    used = step_sources(runner, where, paid, loaded=asked is not None)
    return Answer("estimate", data, tables(data), charts(data), summary(data, record), used)


def _decoding(record: Model, batch: float, context: float | None, asked: Asked | None) -> tuple[float, float]:
    """Sequences that decode together and their context: as given, or those of a loop in the middle of its answers."""
    if asked is not None:
        check_context(record, asked.input_tokens + asked.output_tokens, "isl + osl")
        batch = asked.concurrency if batch == 1 else batch
        context = asked.input_tokens + asked.output_tokens / 2 if context is None else context
    return batch, min(CONTEXT, record.max_context_tokens or CONTEXT) if context is None else context


def _phases(
    engine: Engine, where: Layout, decoding: tuple[float, float, int], asked: Asked | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A decode step and the prefill of one prompt, with their rates."""
    (batch, context, new_tokens), pp, devices = decoding, float(where.pp), int(where.devices)
    cached = asked.cached_tokens if asked else 0.0
    prompt = asked.input_tokens - cached if asked else context
    decode = _phase(engine, [decode_segment(batch / pp, context, new_tokens)], where)
    prefill = _phase(engine, [prefill_segment(1, prompt, cached)], where)
    decode |= _rates(batch * new_tokens / decode["step_time_s"], devices) | {"tpot_s": decode["step_time_s"]}
    prefill |= _rates(pp * prompt / prefill["step_time_s"], devices) | {"time_s": prefill["step_time_s"]}
    return decode, prefill


def _check_choices(calibration: str, memory_utilization: float | None) -> None:
    if calibration not in ("default", "none"):
        raise InputError(f"calibration={calibration!r} is not known; use default or none")
    if memory_utilization is not None and not 0 < memory_utilization <= 1:
        raise InputError(f"memory_utilization={memory_utilization} must lie in (0, 1]; 0.9 is usual")


def _asked(isl: float | None, osl: float | None, concurrency: float | None, **rest: Any) -> Asked | None:
    """The closed loop that a question states; None if it states none."""
    if concurrency is None and isl is None and osl is None:
        return None
    given = {"isl": isl, "osl": osl, "concurrency": concurrency}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise InputError(f"{missing[0]} is missing; isl, osl and concurrency together ask what a load would measure")
    found = Asked(float(isl or 0), float(osl or 0), float(concurrency or 0), **rest)
    _check_numbers(isl=found.input_tokens, osl=found.output_tokens, concurrency=found.concurrency)
    if not 0 <= found.cached_tokens < found.input_tokens:
        raise InputError(f"prefix={found.cached_tokens} must be at least 0 and below isl={found.input_tokens:g}")
    if not 0 <= found.length_spread < 1:
        raise InputError(f"length_spread={found.length_spread} must lie in [0, 1); 0.1 is usual, 0 = all alike")
    for name in ("max_batched_tokens", "stream_interval"):
        value = getattr(found, name)
        if value is not None and not 1 <= value <= MOST:
            raise InputError(f"{name}={value} must be at least 1; leave it out for what the engine does")
    return found


def _released(model: Model, wanted: str | Mapping[str, str]) -> str | Mapping[str, str]:
    """The released checkpoint where it is as narrow as the plain format asked for: its parts, scales and groups."""
    if not isinstance(wanted, str) or wanted not in PLAIN_FORMATS:
        return wanted
    bits = FORMATS[wanted].bits
    narrow = any(FORMATS[name].bits == bits for name in model.checkpoint_formats.values())
    return "checkpoint" if narrow else wanted


def _add_ranges(engine: Engine, decode: dict[str, Any], prefill: dict[str, Any], calibration: str) -> None:
    """p10 and p90 of both times, from measured systems with models of this kind."""
    if calibration == "none":
        return
    kind, chip = model_class(engine.model), engine.site.chip
    for phase, quantity in ((decode, "tpot"), (prefill, "ttft")):
        phase["interval"] = interval_of(phase["step_time_s"], chip, kind, quantity, low=phase["lower_bound_s"])


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

