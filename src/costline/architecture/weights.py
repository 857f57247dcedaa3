"""Parameters of a model by component, and the bytes they take in a number format.

Knows the shapes of layers. Counts what `model.safetensors` holds and a forward pass multiplies or adds: embeddings and
head included; multi-token-prediction layers, router correction terms, lookup tables and vision towers left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from costline.architecture.formats import bytes_per_weight
from costline.architecture.mixers import attention_parameters, state_parameters
from costline.catalog.records import LayerGroup, Mlp, Model, Moe
from costline.errors import UnknownIdError

COMPONENTS: tuple[str, ...] = (
    "embedding",
    "head",
    "attention",
    "state",
    "mlp",
    "experts",
    "shared_experts",
    "router",
    "norms",
    "other",
)
"""`shared_experts` has all that each token uses beside its router: shared experts, their gate, latent projections."""


@dataclass(frozen=True)
class GroupParameters:
    """Parameters of one layer of a group."""

    attention: int = 0
    state: int = 0
    mlp: int = 0
    router: int = 0
    expert: int = 0
    """One routed expert."""
    experts: int = 0
    """All routed experts."""
    shared_experts: int = 0
    norms: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All parameters of the layer."""
        return sum(getattr(self, name) for name in COMPONENTS[2:])


@dataclass(frozen=True)
class Parameters:
    """Parameters of a model: by component, all, and those that one token meets."""

    by_component: Mapping[str, int]
    total: int
    active: int


def group_parameters(group: LayerGroup, hidden: int) -> GroupParameters:
    """Parameters of one layer of `group`, by component.

    Equation
        attention, state   see `mixers`
        mlp     = m d f                                    (+ (m - 1) f + d with biases)
        expert  = m d_e f_e                                d_e = d, or the width that routed experts work in
        experts = E expert
        router  = d E                                      (+ E with biases)
        shared  = m d f_s                                  (+ d for a gate, + 2 d d_e around narrower experts)

    Parameters
        group   -       record        the layer's shape: widths f, f_e, f_s, matrices m, experts E
        hidden  d  [1]  scalar        width of the residual stream

    Returns
        parameters  [1]  record of scalars

    Holds when  norms and extra parameters are stated by the group.
    Source      [vaswani-2017] section 3; [shazeer-2020] for m = 3; [deepseek-v2] section 2.2 for shared experts
    Raises      nothing

    >>> group_parameters(LayerGroup(1, mlp=Mlp(28672)), hidden=8192).mlp
    704643072
    """
    moe = _moe_parameters(group.moe, hidden) if group.moe else GroupParameters()
    return GroupParameters(
        attention=attention_parameters(group.attention, hidden) if group.attention else 0,
        state=state_parameters(group.state, hidden) if group.state else 0,
        mlp=_mlp_parameters(group.mlp, hidden) if group.mlp else 0,
        router=moe.router,
        expert=moe.expert,
        experts=moe.experts,
        shared_experts=moe.shared_experts,
        norms=group.norm_parameters,
        other=group.extra_parameters,
    )


def parameters(model: Model) -> Parameters:
    """Parameters of `model`: by component, total, and active, the ones that one token meets.

    Equation
        N   = (V + S) d + V d + Σ_groups n (attention + state + mlp + router + experts + shared + norms + other)
        N_a = N - Σ_groups n experts (1 - k / E)          (without the second V d if head and embedding are tied)

    Parameters
        model  -  record  vocabulary V, learned positions S, width d, groups of n layers with E experts and k a token

    Returns
        N, N_a  [1]  record of scalars

    Holds when  embeddings and head count as active although a token reads one row of the embedding; multi-token
                prediction is left out.
    Source      [erdil-2025] eq. 20, 21; [transformers-counts] which it meets to the last one
    Raises      nothing

    >>> from costline.catalog.models import find_model
    >>> parameters(find_model("llama-3-70b")).total, parameters(find_model("mixtral-8x7b")).active
    (70553706496, 12879925248)
    """
    totals = dict.fromkeys(COMPONENTS, 0)
    totals["embedding"] = (model.vocab + model.position_embeddings) * model.hidden
    totals["head"] = 0 if model.tied_embeddings else model.vocab * model.hidden
    totals["norms"] = model.final_norm_parameters
    totals["other"] = model.extra_parameters
    idle = 0
    for group in model.layers:
        one = group_parameters(group, model.hidden)
        for component in COMPONENTS[2:]:
            totals[component] += group.count * getattr(one, component)
        if group.moe:
            idle += group.count * one.expert * (group.moe.experts - group.moe.top_k)
    total = sum(totals.values())
    return Parameters(MappingProxyType(totals), total, total - idle)


def weight_bytes_by_component(model: Model, formats: Mapping[str, str] | str) -> dict[str, float]:
    """Bytes of the weights of `model`, by component.

    Equation
        B_i = N_i w(format_i)

    Parameters
        model    -  record  parameters N_i by component
        formats  -  text    one format for all, or a format by component (key "" = the rest)

    Returns
        B_i  [byte]  table of scalars

    Holds when  a component has one format throughout; biases count as weights.
    Source      [derived]
    Raises      UnknownIdError if a component or format is not known

    >>> from costline.catalog.models import find_model
    >>> weight_bytes_by_component(find_model("llama-3-70b"), {"": "fp8", "head": "bf16"})["head"]
    2101346304.0
    """
    chosen = {"": formats} if isinstance(formats, str) else formats
    for component in chosen:
        if component and component not in COMPONENTS:
            raise UnknownIdError("component of weights", component, COMPONENTS)
    counts = parameters(model).by_component
    default = chosen.get("", "bf16")
    return {name: count * bytes_per_weight(chosen.get(name, default)) for name, count in counts.items()}


def weight_bytes(model: Model, formats: Mapping[str, str] | str) -> float:
    """Bytes of all weights of `model`, embeddings and head included.

    Equation
        B = Σ_i N_i w(format_i)

    Parameters
        model    -  record  parameters N_i by component
        formats  -  text    one format for all, or a format by component (key "" = the rest)

    Returns
        B  [byte]  scalar

    Holds when  a component has one format throughout; biases count as weights.
    Source      [derived]
    Raises      UnknownIdError if a component or format is not known

    >>> from costline.catalog.models import find_model
    >>> weight_bytes(find_model("llama-3-70b"), "bf16"), weight_bytes(find_model("llama-3-70b"), "int4")
    (141107412992.0, 36379254912.0)
    """
    return sum(weight_bytes_by_component(model, formats).values())


def _mlp_parameters(mlp: Mlp, hidden: int) -> int:
    return _block(hidden, mlp.width, mlp.matrices, mlp.bias)


def _moe_parameters(moe: Moe, hidden: int) -> GroupParameters:
    inner = moe.latent_dim or hidden
    expert = _block(inner, moe.expert_width, moe.matrices, moe.bias)
    around = 2 * hidden * moe.latent_dim if moe.latent_dim else 0
    shared = _block(hidden, moe.shared_width, moe.matrices, moe.bias) if moe.shared_width else 0
    return GroupParameters(
        router=hidden * moe.experts + (moe.experts if moe.router_bias else 0),
        expert=expert,
        experts=moe.experts * expert,
        shared_experts=shared + (hidden if moe.shared_gate else 0) + around,
    )


def _block(hidden: int, width: int, matrices: int, bias: bool) -> int:
    return matrices * hidden * width + ((matrices - 1) * width + hidden if bias else 0)
