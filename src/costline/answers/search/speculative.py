"""A draft beside the target: what it weighs, what a round of drafting and verifying takes.

A round is k steps of the draft and one pass of the target over k + 1 new tokens of every sequence; it adds E tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from costline.answers.choices import weight_table
from costline.answers.deployment_block import SpeculationBlock
from costline.answers.search.columns import Engine, room
from costline.answers.search.load import Load
from costline.architecture.kv_cache import kv_bytes_per_sequence
from costline.architecture.operations import Formats, Segment, decode_segment
from costline.architecture.sharding import Layout, stage_share
from costline.catalog.models import find_model
from costline.catalog.records import LayerGroup, Mlp, Model
from costline.deployment.plan import Option, head_counts
from costline.errors import InputError
from costline.forward.memory import weight_bytes_per_device
from costline.forward.steps import StepTime, step_time
from costline.quantities import Array, Numeric, as_array
from costline.serving.speculation import decaying_tokens_per_verification

ONCE = ("prompt_step",)
"""Terms of a step that an engine spends once, however many passes it makes. It prepares each pass of a draft anew."""


@dataclass(frozen=True)
class Drafter:
    """What proposes tokens, in its formats, and how often they are kept."""

    name: str
    model: Model
    """Layers that one draft step runs."""
    formats: Formats
    shares_ends: bool
    """Embedding and head are the target's own: read, but not stored again."""
    acceptance: float
    decay: float
    most_tokens: int

    def tokens(self, draft_tokens: Numeric) -> Array:
        """Tokens that one round adds to a sequence."""
        return decaying_tokens_per_verification(self.acceptance, self.decay, draft_tokens)

    def layout(self, where: Layout) -> Layout:
        """The draft on the devices of a lane's last stage: as many of them as its heads allow."""
        tp = where.tp
        for heads in head_counts(self.model):
            tp = as_array(np.gcd(tp.astype(np.int64), heads))
        lane = np.where(where.ep > 1, tp * where.dp, 1.0)
        return Layout(tp, np.ones_like(tp), where.dp, lane)

    def weight_bytes(self, where: Layout) -> Array:
        """Weights that the draft adds to a device."""
        stored = replace(self.model, vocab=0, position_embeddings=0) if self.shares_ends else self.model
        return weight_bytes_per_device(stored, self.formats.weights, self.layout(where))

    def kv_bytes(self, context_tokens: Numeric, where: Layout) -> Array:
        """Cache that the draft keeps of one sequence on a device."""
        return kv_bytes_per_sequence(self.model, context_tokens, self.formats.kv, tp=self.layout(where).tp)

    def step(self, engine: Engine, segment: Segment, where: Layout) -> StepTime:
        """One pass of the draft inside a step of the engine."""
        took = step_time(self.model, [segment], self.layout(where), self.formats, engine.rates)
        terms = {name: value for name, value in took.terms_s.items() if name not in ONCE}
        host = sum((took.terms_s[name] for name in ONCE if name in took.terms_s), start=as_array(0.0))
        waits = {**took.waits_s, "launch and host": took.waits_s["launch and host"] - host}
        return replace(took, terms_s=terms, waits_s=waits)


def the_drafter(block: SpeculationBlock, model: Model, option: Option) -> Drafter:
    """The draft that a scenario names: a model, the checkpoint's own layer, or one dense layer on top."""
    shared = {"acceptance": block.acceptance, "decay": block.acceptance_decay}
    if block.draft in ("mtp", "eagle"):
        if block.draft == "mtp" and model.mtp_layers < 1:
            raise InputError(
                f"speculation.draft=mtp needs a checkpoint that predicts several tokens, but {model.id} has no such "
                "layer; use eagle or the id of a small model"
            )
        head = _one_layer(model, dense=block.draft == "eagle")
        return Drafter(block.draft, head, option.formats, True, **shared, most_tokens=block.max_draft_tokens)
    draft = find_model(block.draft)
    if draft.vocab > 2 * model.vocab or model.vocab > 2 * draft.vocab:
        raise InputError(
            f"speculation.draft={draft.id} has a vocabulary of {draft.vocab:,}, {model.id} one of {model.vocab:,}; "
            "a draft proposes tokens of its target: name a model of the same family"
        )
    table = _draft_weights(draft, block.weights, option)
    inputs = option.formats.activations if table == option.formats.weights else "bf16"
    formats = Formats(table, option.formats.kv, inputs)
    return Drafter(draft.id, draft, formats, False, **shared, most_tokens=block.max_draft_tokens)


def _draft_weights(draft: Model, wanted: str, option: Option) -> Mapping[str, str]:
    if wanted != "auto":
        return weight_table(draft, wanted)[1]
    weights = option.formats.weights
    return weights if set(weights) == {""} else weight_table(draft, "checkpoint")[1]


def _one_layer(model: Model, *, dense: bool) -> Model:
    """The model cut to one layer of its own shape behind a projection of two states to one."""
    group = next((group for group in reversed(model.layers) if group.attention is not None), model.layers[-1])
    if dense and group.moe is not None:
        group = replace(group, moe=None, mlp=Mlp(_active_width(group)))
    joined = 2 * model.hidden * model.hidden
    layer = replace(group, count=1, extra_parameters=group.extra_parameters + joined)
    return replace(model, layers=(layer,), mtp_layers=0)


def _active_width(group: LayerGroup) -> int:
    return group.moe.top_k * group.moe.expert_width + group.moe.shared_width if group.moe else 0


def room_with_draft(engine: Engine, drafter: Drafter, where: Layout, context_tokens: float) -> dict[str, Array]:
    """Memory of one device and the sequences that fit into a replica when the draft lies beside the target."""
    space = room(engine, where, context_tokens)
    weights = drafter.weight_bytes(where)
    pool = space["pool_bytes"] - weights
    share = stage_share(engine.model, where.pp)
    target = kv_bytes_per_sequence(engine.model, context_tokens, engine.formats.kv, tp=where.tp) * share
    each = target + drafter.kv_bytes(context_tokens, where)
    fits = where.dp * np.floor(np.maximum(pool, 0.0) / np.maximum(each, 1.0))
    return {"weights_bytes": space["weights_bytes"] + weights, "pool_bytes": pool, "max_batch": fits}


def together(target: StepTime, draft: StepTime, times: Numeric) -> StepTime:
    """A pass of the target and some of the draft, one after another."""
    more = as_array(times)
    terms = dict(target.terms_s)
    terms["draft"] = more * draft.expected_s
    return replace(
        target,
        terms_s=terms,
        waits_s={name: value + more * draft.waits_s[name] for name, value in target.waits_s.items()},
        compute_s=target.compute_s + more * draft.compute_s,
        essential_s=target.essential_s + more * draft.essential_s,
        memory_s=target.memory_s + more * draft.memory_s,
        network_s=target.network_s + more * draft.network_s,
    )


def round_time(
    engine: Engine, drafter: Drafter, load: Load, where: Layout, *, batch: Array, draft_tokens: Numeric
) -> StepTime:
    """A round of a lane: the lanes of a pipeline take turns at the stage that drafts."""
    context = load.mean_context_tokens
    verify = decode_segment(batch, context, as_array(draft_tokens) + 1)
    target = step_time(engine.model, [verify], where, engine.formats, engine.rates)
    draft = drafter.step(engine, decode_segment(batch, context), where)
    return together(target, draft, as_array(draft_tokens) * where.pp)
