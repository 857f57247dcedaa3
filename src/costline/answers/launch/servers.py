"""What is to be started, in no engine's words: a model, its formats and limits, and servers on nodes.

Reads a plan's row beside its scenario. Knows no flag (see `vllm`, `sglang`, `tensorrt_llm`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from costline.answers.choices import the_model, weight_table
from costline.answers.launch.plan_row import PlanRow, PoolRow, read_row
from costline.answers.scenario import Scenario
from costline.architecture.weights import weight_bytes
from costline.catalog import find
from costline.catalog.engine_records import EngineFacts
from costline.catalog.engines import engine_facts
from costline.catalog.models import find_model
from costline.catalog.records import Model
from costline.errors import InputError, UnknownIdError
from costline.quantities import KIB

Role = Literal["serve", "prefill", "decode"]
BLOCK_TOKENS = 16
"""The scenario's own default: only another one is passed on."""


@dataclass(frozen=True)
class Server:
    """Replicas of one role: how each is cut and on how many nodes it runs."""

    role: Role
    accelerator: str
    vendor: str
    replicas: int
    tp: int
    pp: int
    dp: int
    ep: int
    cp: int
    """Devices around which one prompt is spread."""
    batch: int
    """Most sequences of a replica."""
    nodes: int
    """That one replica spans."""
    per_node: int
    """Accelerators of a node."""

    @property
    def accelerators(self) -> int:
        """Of one replica."""
        return self.tp * self.pp * self.dp * self.cp

    @property
    def on_each_node(self) -> int:
        """Accelerators that one replica takes on each of its nodes."""
        return self.accelerators // self.nodes

    @property
    def replicas_per_node(self) -> int:
        """Replicas that share a node; 1 where a replica takes several."""
        return max(self.per_node // self.accelerators, 1)


@dataclass(frozen=True)
class Draft:
    """What proposes tokens: `mtp`, `eagle` or a checkpoint, and how many tokens a round."""

    model: str
    tokens: int


@dataclass(frozen=True)
class Launch:
    """Everything that the engines' command lines need."""

    engine: EngineFacts
    model: str
    """Hugging Face id or folder of the checkpoint."""
    name: str
    """As clients ask for it."""
    weights: str
    """Format to quantise to while loading; empty = the checkpoint as it is."""
    checkpoint: str
    """Format of the checkpoint."""
    checkpoint_bytes: float
    activations: str
    kv_cache: str
    context_tokens: int
    max_batched_tokens: int
    memory_fraction: float
    prefix_caching: bool
    asynchronous: bool
    block_tokens: int | None
    draft: Draft | None
    servers: tuple[Server, ...]
    layout: str

    @property
    def vendor(self) -> str:
        """Maker of the accelerators."""
        return self.servers[0].vendor


def read_launch(row: Mapping[str, Any], scenario: Scenario, engine: str | None = None) -> Launch:
    """The row of a plan under an engine; the scenario's own if none is named. Raises InputError."""
    plan, block = read_row(row), scenario.deployment.engine
    known = find.engine(block.name if engine is None else engine)
    facts = engine_facts().get(known.id)
    if facts is None:
        raise UnknownIdError("engine with flags", known.id, engine_facts())
    model = the_model(scenario.model)
    given = block.memory_utilization if find.engine(block.name).id == facts.id else None
    servers = tuple(_server(role, pool, facts) for role, pool in plan.pools.items())
    for server in servers:
        _check_formats(plan, server, facts)
    return Launch(
        engine=facts,
        model=_checkpoint(model, scenario),
        name=model.id,
        weights=_weights(model, plan),
        checkpoint=weight_table(model, "checkpoint")[0],
        checkpoint_bytes=float(weight_bytes(model, model.checkpoint_formats)),
        activations=plan.activations,
        kv_cache=plan.kv_cache,
        context_tokens=_context_tokens(scenario, model),
        max_batched_tokens=block.max_batched_tokens,
        memory_fraction=known.memory_fraction if given is None else given,
        prefix_caching=block.prefix_caching,
        asynchronous=block.asynchronous,
        block_tokens=block.block_tokens if block.block_tokens != BLOCK_TOKENS else None,
        draft=_draft(plan),
        servers=servers,
        layout=plan.layout,
    )


def _server(role: str, pool: PoolRow, facts: EngineFacts) -> Server:
    chip = find.chip(pool.accelerator)
    if chip.vendor.lower() not in facts.images:
        makers = " and ".join(sorted(facts.images))
        raise InputError(f"engine={facts.id} does not run on {chip.id} here: only on accelerators of {makers}")
    system = find.system(pool.system or chip.system)
    nodes = math.ceil(pool.accelerators / system.accelerators_per_node)
    if pool.accelerators % nodes:
        raise InputError(
            f"a replica of {pool.accelerators} accelerators does not fill nodes of {system.accelerators_per_node} "
            f"evenly; fix tp, pp or dp so that it does"
        )
    return Server(
        role="prefill" if role == "prefill" else "decode" if role == "decode" else "serve",
        accelerator=chip.id,
        vendor=chip.vendor.lower(),
        replicas=pool.replicas,
        tp=pool.tp,
        pp=pool.pp,
        dp=pool.dp,
        ep=pool.ep,
        cp=pool.cp,
        batch=max(math.ceil(pool.batch), 1),
        nodes=nodes,
        per_node=system.accelerators_per_node,
    )


def _check_formats(plan: PlanRow, server: Server, facts: EngineFacts) -> None:
    """Raises InputError if the engine is known not to serve the formats on the accelerator's family."""
    family = find.chip(server.accelerator).family
    for field, name, known in (
        ("weights", plan.weights, facts.weight_formats), ("kv_cache", plan.kv_cache, facts.cache_formats),
    ):  # fmt: skip
        plain = name.split()[0].split("_g")[0]
        formats = known.get(family, ())
        if formats and plain != "checkpoint" and plain not in formats:
            raise InputError(
                f"{field}={name} is nothing that {facts.id} {facts.release} serves on {server.accelerator}; "
                f"plan with one of {', '.join(formats)}, or export another engine"
            )


def _checkpoint(model: Model, scenario: Scenario) -> str:
    if scenario.model.config is not None:
        return str(Path(scenario.model.config).parent)
    return model.hf_id or model.id


def _weights(model: Model, plan: PlanRow) -> str:
    released = weight_table(model, "checkpoint")[0]
    return "" if plan.weights in (released, "checkpoint") else plan.weights


def _draft(plan: PlanRow) -> Draft | None:
    if not plan.speculation or not plan.speculation.tokens:
        return None
    name = plan.speculation.draft
    if name in ("mtp", "eagle"):
        return Draft(name, plan.speculation.tokens)
    draft = find_model(name)
    return Draft(draft.hf_id or draft.id, plan.speculation.tokens)


def _context_tokens(scenario: Scenario, model: Model) -> int:
    """What the engine must admit: what the scenario sets, else its longest requests, and up to 2,048 tokens more."""
    given = scenario.deployment.engine.max_context_tokens
    most = model.max_context_tokens
    if given is not None:
        return given
    if scenario.workload.trace is not None and most:
        return most
    rounded = (math.ceil(scenario.workload.longest_tokens / KIB) + 1) * KIB
    return min(rounded, most) if most else rounded
