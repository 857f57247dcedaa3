"""What an answer about a model's life used: facts with source and date, and the equations on its path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from costline.answers.answer import Used
from costline.answers.citing import equations_used, fact_used, price_used, provenance_of
from costline.answers.lifecycle.service import Service
from costline.answers.lifecycle.training import Run
from costline.catalog.records import Model
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
    rate, of = chip.dense_flop_per_s["bf16"], partial(provenance_of, chip.provenance)
    facts = [
        fact_used(f"{chip.id} dense bf16", f"{significant(rate)} FLOP/s", of("dense_flop_per_s.bf16")),
        fact_used(f"{chip.id} memory", format_bytes(chip.memory_bytes), of("memory_bytes")),
        fact_used(f"loss law {law.id}", _law_text(law), law.provenance[""]),
    ]
    facts += price_used(chip.id, price)
    for one in compression_evidence().values():
        if one.weights:
            span = f"{one.lost_low * PERCENT:g} to {one.lost_high * PERCENT:g} % of accuracy"
            facts.append(fact_used(f"loss by {one.name}", span, one.provenance[""]))
    return tuple(dict.fromkeys((*facts, *equations_used(*_EQUATIONS), *served.sources)))


def _law_text(law: LossLaw) -> str:
    size = f"{law.parameter_factor:g} / N^{law.parameter_exponent:g}"
    return f"L = {law.irreducible:g} + {size} + {law.token_factor:g} / D^{law.token_exponent:g}"
