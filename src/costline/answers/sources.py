"""What an answer used: catalog facts with source and date, and the equations on its path with their references."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from costline.answers.answer import Used
from costline.answers.choices import Price
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates
from costline.architecture import experts, formats, kv_cache, operations, sharding, visible, weights
from costline.catalog.efficiency import efficiency
from costline.catalog.records import Chip, Model, Provenance, System
from costline.deployment.plan import Site
from costline.forward import collectives, memory, roofline
from costline.money import price as price_equations
from costline.money import unit_cost
from costline.quantities import TERA, format_bytes, significant
from costline.serving import queueing, steady

_STEP: tuple[Callable[..., Any], ...] = (
    weights.group_parameters, weights.parameters, formats.bytes_per_weight, kv_cache.layer_kv_bytes_per_token,
    visible.attention_pairs, visible.cached_tokens_read, operations.attention_flop, experts.expected_distinct_experts,
    sharding.attention_parameters_per_device, sharding.kv_head_share, sharding.stage_share, roofline.roofline_time_s,
    roofline.corner_time_s, collectives.collective_time_s, memory.weight_bytes_per_device, memory.pool_bytes,
    memory.max_batch, unit_cost.usd_per_mtok,
)  # fmt: skip
_PLAN: tuple[Callable[..., Any], ...] = (
    steady.request_cycle_s, steady.loaded_tpot_s, steady.crowded_batch, queueing.sakasegawa_wait_s,
    queueing.sakasegawa_wait_share, queueing.schweitzer_response_s, queueing.tail_wait_s,
    price_equations.fleet_usd_per_hour,
)  # fmt: skip
_CHIP_FIELDS = {"memory_bytes": "", "visible_memory_bytes": "", "hbm_bytes_per_s": "/s"}


def step_sources(model: Model, site: Site, price: Price | None, calibration: str) -> tuple[Used, ...]:
    """Facts and equations behind one configuration."""
    facts = [*_model_facts(model), *_site_facts(site, calibration), *_price_facts(site.chip, price)]
    return (*facts, *_equations(_STEP))


def plan_sources(
    found: Sequence[Candidates], scenario: Scenario, model: Model
) -> tuple[Used, ...]:
    """Facts and equations behind a search."""
    facts = _model_facts(model)
    seen: set[str] = set()
    for group in found:
        if group.site.chip.id not in seen:
            seen.add(group.site.chip.id)
            facts += [*_site_facts(group.site, scenario.calibration), *_price_facts(group.site.chip, group.price)]
    return (*dict.fromkeys(facts), *_equations((*_STEP, *_PLAN)))


def _used(what: str, value: str, provenance: Provenance) -> Used:
    return Used(what, value, provenance.kind, provenance.source, provenance.retrieved)


def _of(record: Chip | System | Model, field: str) -> Provenance:
    return record.provenance.get(field, record.provenance[""])


def _model_facts(model: Model) -> list[Used]:
    total = f"{weights.parameters(model).total:,} parameters"
    return [_used(f"model {model.id}", total, _of(model, "layers"))]


def _site_facts(site: Site, calibration: str) -> list[Used]:
    chip, system = site.chip, site.system
    facts = [
        _used(f"{chip.id} {name}", format_bytes(getattr(chip, name)) + unit, _of(chip, name))
        for name, unit in _CHIP_FIELDS.items()
    ]
    for name, rate in chip.dense_flop_per_s.items():
        if rate and name in ("bf16", "fp8", "fp4", "int8"):
            provenance = chip.provenance.get(f"dense_flop_per_s.{name}", _of(chip, "dense_flop_per_s"))
            facts.append(_used(f"{chip.id} dense {name}", f"{significant(rate / TERA)} TFLOP/s", provenance))
    fabric = system.fabric
    rate = f"{format_bytes(fabric.bytes_per_s)}/s per direction, {fabric.topology} of {fabric.domain_size}"
    facts.append(_used(f"system {system.id}", rate, _of(system, "fabric")))
    engine = site.engine
    facts.append(_used(f"engine {engine.id}", f"memory fraction {engine.memory_fraction}", engine.provenance[""]))
    if calibration != "none":
        record = efficiency(chip)
        value = f"weights at {record.hbm_fraction} of peak bandwidth"
        facts.append(_used(f"efficiency of {record.id}", value, record.provenance[""]))
    return facts


def _price_facts(chip: Chip, price: Price | None) -> list[Used]:
    if price is None:
        return []
    if price.offer is None:
        return [Used(f"price of {chip.id}", f"${price.usd_per_hour:g}/hour", "given", "scenario", "")]
    offer = price.offer
    value = f"${offer.usd_per_accelerator_hour:g}/hour, {offer.provider} {offer.term} of {offer.date}"
    return [_used(f"price of {chip.id}", value, offer.provenance[""])]


def _equations(functions: Iterable[Callable[..., Any]]) -> list[Used]:
    return [_equation(function) for function in functions]


@lru_cache(maxsize=256)
def _equation(function: Callable[..., Any]) -> Used:
    text = inspect.getdoc(function) or ""
    body = re.search(r"Equation\n(.*?)\n\s*\n", text, re.DOTALL)
    cited = re.search(r"Source\s+(.*?)\n(?:Raises|\s*\n)", text, re.DOTALL)
    formula = " ; ".join(line.strip() for line in body.group(1).splitlines()) if body else ""
    place = f"{function.__module__.removeprefix('costline.')}.{function.__name__}"
    return Used(place, formula, "equation", " ".join((cited.group(1) if cited else "").split()), "")
