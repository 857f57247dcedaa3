"""Catalog facts behind a configuration: the model, the accelerator and its links, the engine, what was calibrated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from costline.answers.answer import Used
from costline.answers.citing import fact_used, provenance_of
from costline.answers.sources.path import Path, step_kernels
from costline.architecture.weights import parameters
from costline.catalog.costs import node_for
from costline.catalog.efficiency import efficiency
from costline.catalog.kernels import parameters_of
from costline.catalog.records import Chip, Model
from costline.catalog.residuals import MEASURED_FAMILIES, basis, model_class, residuals_provenance, spread
from costline.catalog.step_overheads import step_overheads
from costline.quantities import PERCENT, TERA, format_bytes, format_seconds, significant

_CHIP_FIELDS = {"memory_bytes": "", "visible_memory_bytes": "", "hbm_bytes_per_s": "/s"}
_FORMATS = ("bf16", "fp8", "fp4", "int8")
LATENCIES = ("tpot", "ttft")


def model_fact(model: Model, name: str = "") -> Used:
    """How large the model is; `name` for one that is not the question's own."""
    total = f"{parameters(model).total:,} parameters"
    return fact_used(name or f"model {model.id}", total, provenance_of(model.provenance, "layers"))


def site_facts(path: Path) -> list[Used]:
    """The accelerator, its links as far as they are used, and the engine's way with memory."""
    site = path.engine.site
    chip, system, engine = site.chip, site.system, site.engine
    found = [
        fact_used(f"{chip.id} {name}", format_bytes(getattr(chip, name)) + unit, provenance_of(chip.provenance, name))
        for name, unit in _CHIP_FIELDS.items()
    ]
    for name, rate in chip.dense_flop_per_s.items():
        if rate and name in _FORMATS:
            where = provenance_of(chip.provenance, f"dense_flop_per_s.{name}")
            found.append(fact_used(f"{chip.id} dense {name}", f"{significant(rate / TERA)} TFLOP/s", where))
    fabric = system.fabric
    links = f"{format_bytes(fabric.bytes_per_s)}/s per direction, {fabric.topology} of {fabric.domain_size}"
    found.append(fact_used(f"system {system.id}", links, provenance_of(system.provenance, "fabric")))
    share = f"memory fraction {engine.memory_fraction}"
    return [*found, fact_used(f"engine {engine.id}", share, engine.provenance[""])]


def routing_facts(path: Path) -> list[Used]:
    """How unlike experts are in popularity, where there are any."""
    if not path.routed:
        return []
    machine = path.engine.rates.machine
    known = machine.overheads if machine else step_overheads("default")
    value = f"shape {significant(known.routing_shape)}: 1 = falls off exponentially, ∞ = all alike"
    return [fact_used("popularity of experts", value, provenance_of(known.provenance, "routing_shape"))]


def network_fact(path: Path) -> Used:
    """The network between the scale-up domains of a system."""
    system = path.engine.site.system
    rate, latency = format_bytes(system.scale_out_bytes_per_s), format_seconds(system.scale_out_latency_s)
    where = provenance_of(system.provenance, "scale_out_bytes_per_s")
    return fact_used(f"network of {system.id}", f"{rate}/s per direction, {latency}", where)


def spans_domains(path: Path) -> bool:
    """Whether some replica is larger than a scale-up domain."""
    return bool(np.any(path.where.devices > path.engine.site.system.fabric.domain_size))


def power_fact(chip: Chip) -> Used:
    """What the accelerator and its share of the node draw."""
    node = node_for(chip.id)
    busy = f"{node.busy_fraction * PERCENT:g} % busy, {node.idle_fraction * PERCENT:g} % idle"
    if node.rated_w:
        value = f"node of {node.accelerators} rated {node.rated_w:,.0f} W; {busy}"
        return fact_used(f"power of {chip.id}", value, provenance_of(node.provenance, "rated_w"))
    rated = f"{chip.tdp_w:,.0f} W" if chip.tdp_w else "not stated"
    value = f"{rated}, {node.host_w:,.0f} W of the node beside it; {busy}"
    return fact_used(f"power of {chip.id}", value, provenance_of(chip.provenance, "tdp_w"))


def calibration_facts(path: Path, quantities: Sequence[str] = LATENCIES) -> list[Used]:
    """What was fitted to timings and runs: kernels, what engines add to them, and how sure the result is."""
    if not path.kernels:
        return []
    chip, engine = path.engine.site.chip, path.engine.site.engine
    kind = model_class(path.engine.model)
    return [
        _efficiency_fact(chip),
        *(_kernel_fact(name, chip.family) for name in step_kernels(path)),
        _steps_fact(engine.engine),
        *(range_fact(chip, kind, quantity) for quantity in quantities),
    ]


def _efficiency_fact(chip: Chip) -> Used:
    record = efficiency(chip)
    value = f"passes over activations at {record.hbm_fraction} of peak bandwidth, links at {record.link_fraction}"
    return fact_used(f"efficiency of {record.id}", value, record.provenance[""])


def _kernel_fact(kernel: str, family: str) -> Used:
    one = parameters_of(kernel, family)
    errors = one.held_out[frozenset()]
    off = f"{errors['median'] * PERCENT:.0f} % off on shapes left out, p90 {errors['p90'] * PERCENT:.0f} %"
    other = "" if one.family == family else f"{family} was not timed; "
    what = f"kernel {kernel.replace('_', ' ')} on {one.family}"
    return fact_used(what, f"{other}{one.rows:,} timings, {off}; {one.fitted_on}", one.provenance)


def _steps_fact(engine: str) -> Used:
    one = step_overheads(engine)
    value = (
        f"{format_seconds(one.host_step_s)} of host a step, {one.floor_share:g} of a kernel's launch, "
        f"{format_seconds(one.request_s)} a request"
    )
    return fact_used(f"steps of {engine}", value, one.provenance[""])


def range_fact(chip: Chip, kind: str, quantity: str) -> Used:
    """p10 and p90 of measured over predicted, as intervals take them."""
    low, high = spread(chip, kind, quantity)
    where = residuals_provenance(kind)
    sure = where.kind if chip.family in MEASURED_FAMILIES else "inferred"
    value = f"{significant(low)} to {significant(high)}, {basis(chip, kind, quantity)}"
    return Used(f"range of {quantity} on {chip.family}", value, sure, where.source, where.retrieved)
