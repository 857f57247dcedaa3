"""Parameters, memory and work of tuning a model: every weight, LoRA, or LoRA on quantised weights.

Knows the shapes of a model's matrices. Knows no chip and no money.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from costline.architecture.formats import bytes_per_weight
from costline.architecture.weights import parameters
from costline.catalog.records import Attention, LayerGroup, Model
from costline.errors import DomainError, UnknownIdError
from costline.lifecycle.facts import TrainingState
from costline.lifecycle.training import FLOP_PER_PARAMETER_AND_TOKEN
from costline.quantities import Array, Numeric, as_array

Method = Literal["full", "lora", "qlora"]
TARGETS = ("q", "k", "v", "o", "gate", "up", "down")
QUANTISED = ("attention", "mlp", "experts", "shared_experts")
"""Components that QLoRA holds in 4 bit; the others stay in 16."""
FROZEN_FLOP = 4
"""Forward, and backward to the inputs only: the weights' own gradient is not computed."""


def lora_parameters(model: Model, rank: Numeric, targets: Iterable[str]) -> Array:
    """Parameters of low-rank adapters on the named matrices of every layer.

    Equation
        P = Σ_layers Σ_targets r (d_in + d_out)

    Parameters
        model    -       record  matrices d_in by d_out
        rank     r  [1]  array   >= 1
        targets  -       list    of q, k, v, o, gate, up, down

    Returns
        P  [1]  array

    Holds when  each expert has its own adapter.
    Source      [hu-2021] section 4
    Raises      UnknownIdError for another target; DomainError for q, k, v of latent attention

    >>> from costline.catalog.models import find_model
    >>> float(lora_parameters(find_model("gpt-3-175b"), 4, ("q", "v")))
    18874368.0
    """
    wanted = tuple(targets)
    for name in wanted:
        if name not in TARGETS:
            raise UnknownIdError("LoRA target", name, TARGETS)
    sides = sum(group.count * _sides(group, model.hidden, wanted) for group in model.layers)
    return as_array(rank) * sides


def fine_tuning_bytes(
    model: Model, method: Method, state: TrainingState, *, adapter_parameters: Numeric = 0.0, four_bit: str = "int4_g64"
) -> Array:
    """Bytes of weights, gradients and optimiser while tuning, without activations.

    Equation
        M = N b                                                       full
        M = 2 N + P b                                                 LoRA
        M = Σ_components N_i w_i + P b                                QLoRA: w = 4 bit with scales, 2 byte elsewhere

    Parameters
        model               -       record  N parameters by component
        method              -       choice  full, lora or qlora
        state               -       record  b bytes of a trained parameter
        adapter_parameters  P  [1]  array   >= 0
        four_bit            -       text    number format of QLoRA's frozen weights

    Returns
        M  [byte]  array, all devices together and one copy

    Holds when  frozen weights are kept once, in 16 bit unless quantised.
    Source      [hu-2021] section 4.2; [dettmers-2023] section 3
    Raises      nothing

    >>> from costline.catalog.models import find_model
    >>> from costline.lifecycle.facts import training_state
    >>> llama, adamw = find_model("llama-2-7b"), training_state("adamw")
    >>> needed = [fine_tuning_bytes(llama, m, adamw, adapter_parameters=4e7) for m in ("full", "lora", "qlora")]
    >>> [round(float(one) / 1e9, 1) for one in needed]
    [107.8, 14.1, 4.6]
    """
    counts = parameters(model)
    trained = as_array(adapter_parameters) * state.total
    if method == "full":
        return as_array(counts.total * state.total) + 0.0 * trained
    wide, narrow = bytes_per_weight("bf16"), bytes_per_weight(four_bit)
    narrow_there = QUANTISED if method == "qlora" else ()
    frozen = sum(count * (narrow if name in narrow_there else wide) for name, count in counts.by_component.items())
    return frozen + trained


def fine_tuning_flop(
    active_parameters: Numeric, tokens: Numeric, *, method: Method = "full", adapter_parameters: Numeric = 0.0
) -> Array:
    """Work of tuning on so many tokens.

    Equation
        F = 6 N D                    full
        F = (4 N + 6 P) D            LoRA and QLoRA

    Parameters
        active_parameters   N  [1]      array   >= 0
        tokens              D  [token]  array   >= 0, all epochs
        method              -           choice  full, lora or qlora
        adapter_parameters  P  [1]      array   >= 0

    Returns
        F  [FLOP]  array

    Holds when  nothing is recomputed and widening quantised weights is free.
    Source      [hu-2021] section 4.2; [kaplan-2020] section 2.1
    Raises      nothing

    >>> float(fine_tuning_flop(7e9, 1e8)), float(fine_tuning_flop(7e9, 1e8, method="lora", adapter_parameters=2e7))
    (4.2e+18, 2.812e+18)
    """
    whole = FLOP_PER_PARAMETER_AND_TOKEN if method == "full" else FROZEN_FLOP
    added = 0.0 if method == "full" else FLOP_PER_PARAMETER_AND_TOKEN * as_array(adapter_parameters)
    return (whole * as_array(active_parameters) + added) * tokens


def _sides(group: LayerGroup, hidden: int, targets: tuple[str, ...]) -> float:
    """d_in + d_out of every targeted matrix of one layer."""
    found = 0
    if group.attention is not None:
        found += _attention_sides(group.attention, hidden, targets)
    blocks: list[tuple[int, int, int]] = []
    if group.mlp is not None:
        blocks.append((1, group.mlp.width, group.mlp.matrices))
    if group.moe is not None:
        moe = group.moe
        blocks.append((moe.experts, moe.expert_width, moe.matrices))
        blocks.append((1 if moe.shared_width else 0, moe.shared_width, moe.matrices))
    for count, width, matrices in blocks:
        present = ("gate", "up", "down") if matrices == 3 else ("up", "down")
        found += count * (hidden + width) * sum(name in targets for name in present)
    return found


def _attention_sides(attention: Attention, hidden: int, targets: tuple[str, ...]) -> int:
    if attention.latent is not None and {"q", "k", "v"} & set(targets):
        named = ",".join(targets)
        raise DomainError(f"targets={named}: latent attention has no q, k, v matrices; use o, gate, up, down")
    width = {
        "q": attention.heads * attention.head_dim * (2 if attention.output_gate else 1),
        "k": attention.kv_heads * attention.head_dim,
        "v": attention.kv_heads * attention.value_dim,
        "o": attention.heads * attention.value_dim,
    }
    return sum(hidden + width[name] for name in targets if name in width)
