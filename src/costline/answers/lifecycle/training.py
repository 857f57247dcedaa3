"""One training run of the question: work, utilisation, time, money, memory. Composes; every formula lies below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costline.answers.choices import Price, the_price, the_site
from costline.answers.lifecycle.scenario import TrainingBlock
from costline.architecture.weights import parameters
from costline.catalog.efficiency import efficiency
from costline.catalog.records import Model
from costline.deployment.plan import Site
from costline.errors import DomainError, InputError
from costline.forward.rates import peak_flop_per_s
from costline.lifecycle import activations, parallel_efficiency, training, training_memory, training_work
from costline.lifecycle.facts import training_state

ALL_REDUCES = {"none": 4, "selective": 4, "full": 6}
"""All-reduces of tensor parallelism a layer: two forward, two backward, two more where all runs forward again."""
FORMAT = "bf16"


@dataclass(frozen=True)
class Run:
    """A training run: where it runs, at what price, and what came of it."""

    site: Site
    price: Price
    data: Mapping[str, Any]


def training_run(block: TrainingBlock, model: Model) -> Run:
    """What training `model` takes; raises InputError if its accelerator has no price."""
    site = the_site(block.accelerator, "vllm")
    price = the_price(block.price, site.chip)
    if price is None:
        missing = f"no rental offer is catalogued for {site.chip.id}"
        raise InputError(f"{missing}; give training.price.accelerator_usd_per_hour")
    exact = float(training_work.model_training_flop(model, block.tokens, block.sequence_tokens))
    utilisation = _utilisation(block, model, site)
    mfu = utilisation["mfu"]
    hours = float(training.training_device_hours(exact, peak_flop_per_s(site.chip, FORMAT), mfu))
    final = float(training.training_usd(hours, price.usd_per_hour))
    counts = parameters(model)
    data = {
        "tokens": block.tokens,
        "tokens_per_parameter": block.tokens / counts.active,
        "flop": exact,
        "flop_6nd": float(training.training_flop(counts.active, block.tokens)),
        "accelerator": site.chip.id,
        "accelerators": block.accelerators,
        "tp": block.tp,
        "pp": block.pp,
        "dp": block.dp,
        "micro_batches": block.micro_batches,
        **utilisation,
        "accelerator_hours": hours,
        "days": float(training.training_days(hours, block.accelerators)),
        "price_usd_per_accelerator_hour": price.usd_per_hour,
        "price_source": price.offer.id if price.offer else "given",
        "final_run_usd": final,
        "research_multiplier": block.research_multiplier,
        "usd": float(training.training_usd(hours, price.usd_per_hour, block.research_multiplier)),
        "memory": _memory(block, model, site),
    }
    return Run(site, price, data)


def _utilisation(block: TrainingBlock, model: Model, site: Site) -> dict[str, Any]:
    """Model FLOP utilisation: as given, or kernels less recomputation, all-reduces and the pipeline's bubble."""
    recomputed = float(training_work.recomputed_share(model, block.sequence_tokens, block.recompute))
    if block.mfu != "auto":
        return {"mfu": block.mfu, "mfu_source": "assumed", "recomputed_share": recomputed}
    record = efficiency(site.chip)
    scores = float(training_work.forward_flop_per_token(model, block.sequence_tokens, only="attention"))
    scores /= float(training_work.forward_flop_per_token(model, block.sequence_tokens))
    kernels = float(
        parallel_efficiency.mixed_kernel_share(record.flop_fraction[FORMAT], record.attention_flop_fraction, scores)
    )
    tokens = block.micro_batch * block.sequence_tokens
    layers = sum(group.count for group in model.layers)
    sent = parallel_efficiency.tensor_parallel_bytes(
        tokens, model.hidden, layers, block.tp, passes=ALL_REDUCES[block.recompute]
    )
    work = training_work.model_training_flop(model, tokens, block.sequence_tokens) / block.tp
    work_s = work / (peak_flop_per_s(site.chip, FORMAT) * kernels)
    fabric = site.system.fabric
    inside = block.tp <= fabric.domain_size
    link = fabric.bytes_per_s * record.link_fraction
    if not inside:
        link = site.system.scale_out_bytes_per_s * record.scale_out_fraction
    exposed = float(sent / link / work_s) if block.tp > 1 else 0.0
    bubble = float(parallel_efficiency.pipeline_bubble(block.pp, block.micro_batches, block.interleave))
    mfu = parallel_efficiency.training_mfu(kernels, bubble=bubble, exposed=exposed, recomputed=recomputed)
    return {
        "mfu": float(mfu),
        "mfu_source": "computed",
        "kernel_share": kernels,
        "recomputed_share": recomputed,
        "exposed_communication": exposed,
        "bubble": bubble,
    }


def _memory(block: TrainingBlock, model: Model, site: Site) -> dict[str, Any]:
    """Bytes on the fullest device: states, and activations of the first stage."""
    state = training_state(block.optimizer)
    shards = block.tp * block.pp
    states = float(
        training_memory.zero_state_bytes(
            parameters(model).total, state, stage=block.zero, dp=block.dp, shards=shards
        )
    )
    room = site.chip.visible_memory_bytes
    found: dict[str, Any] = {"states_bytes": states, "device_bytes": room}
    tokens = block.micro_batch * block.sequence_tokens
    try:
        per_layer = {
            place: tokens
            * activations.layer_activation_bytes(
                group, model.hidden, block.sequence_tokens, tp=block.tp, recompute=block.recompute
            )
            for place, group in enumerate(model.layers)
        }
    except DomainError as error:
        return {**found, "activations_bytes": None, "fits": None, "note": str(error)}
    whole = activations.model_activation_bytes(model, per_layer)
    held = float(
        activations.stage_activation_bytes(
            whole, 1, pp=block.pp, micro_batches=block.micro_batches, interleave=block.interleave
        )
    )
    return {**found, "activations_bytes": held, "fits": states + held <= room}


