"""What an answer about a model's life used: facts with source and date, and the equations on its path."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from costline.answers.answer import Used
from costline.answers.lifecycle.service import Service
from costline.answers.lifecycle.training import Run
from costline.catalog.records import Model, Provenance
from costline.lifecycle import (
    activations,
    compression,
    crossover,
    inference_aware,
    net_present_value,
    parallel_efficiency,
    scaling_laws,
    training,
    training_memory,
    training_work,
)
from costline.lifecycle.facts import LossLaw, compression_evidence
from costline.quantities import PERCENT, format_bytes, significant

_EQUATIONS: tuple[Callable[..., Any], ...] = (
    training_work.model_training_flop, training_work.recomputed_share, parallel_efficiency.pipeline_bubble,
    parallel_efficiency.tensor_parallel_bytes, parallel_efficiency.training_mfu, training.training_device_hours,
    training.training_days, training.training_usd, training_memory.zero_state_bytes,
    activations.layer_activation_bytes, activations.stage_activation_bytes, net_present_value.yearly_usd,
    net_present_value.net_present_value, crossover.crossover_tokens, crossover.payback_tokens,
    scaling_laws.parametric_loss, scaling_laws.tokens_for_loss, inference_aware.inference_aware_parameters,
    compression.fallback_usd_per_mtok,
)  # fmt: skip


def lifecycle_sources(model: Model, run: Run, served: Service, law: LossLaw) -> tuple[Used, ...]:
    """Facts and equations behind the answer, those of the serving plan last."""
    chip, price = run.site.chip, run.price
    rate = chip.dense_flop_per_s["bf16"]
    facts = [
        _used(f"{chip.id} dense bf16", f"{significant(rate)} FLOP/s", _of(chip.provenance, "dense_flop_per_s.bf16")),
        _used(f"{chip.id} memory", format_bytes(chip.memory_bytes), _of(chip.provenance, "memory_bytes")),
        _used(f"loss law {law.id}", _law_text(law), law.provenance[""]),
    ]
    if price.offer is None:
        facts.append(Used(f"price of {chip.id}", f"${price.usd_per_hour:g}/hour", "given", "scenario", ""))
    else:
        offer = price.offer
        value = f"${offer.usd_per_accelerator_hour:g}/hour, {offer.provider} {offer.term} of {offer.date}"
        facts.append(_used(f"price of {chip.id}", value, offer.provenance[""]))
    for one in compression_evidence().values():
        if one.weights:
            span = f"{one.lost_low * PERCENT:g} to {one.lost_high * PERCENT:g} % of accuracy"
            facts.append(_used(f"loss by {one.name}", span, one.provenance[""]))
    return tuple(dict.fromkeys((*facts, *map(_equation, _EQUATIONS), *served.sources)))


def _law_text(law: LossLaw) -> str:
    size = f"{law.parameter_factor:g} / N^{law.parameter_exponent:g}"
    return f"L = {law.irreducible:g} + {size} + {law.token_factor:g} / D^{law.token_exponent:g}"


def _used(what: str, value: str, provenance: Provenance) -> Used:
    return Used(what, value, provenance.kind, provenance.source, provenance.retrieved)


def _of(provenance: Any, field: str) -> Provenance:
    return provenance.get(field, provenance.get(field.partition(".")[0], provenance[""]))


def _equation(function: Callable[..., Any]) -> Used:
    text = inspect.getdoc(function) or ""
    body = re.search(r"Equation\n(.*?)\n\s*\n", text, re.DOTALL)
    cited = re.search(r"Source\s+(.*?)\n(?:Raises|\s*\n)", text, re.DOTALL)
    formula = " ; ".join(line.strip() for line in body.group(1).splitlines()) if body else ""
    place = f"{function.__module__.removeprefix('costline.')}.{function.__name__}"
    return Used(place, formula, "equation", " ".join((cited.group(1) if cited else "").split()), "")
