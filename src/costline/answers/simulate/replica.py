"""The deployment that is simulated: what the scenario fixes, or the best plan where it leaves the cut open.

Knows formats, layouts, memory and prices; knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from costline.answers.answer import Used
from costline.answers.choices import (
    Price,
    activation_format,
    kv_format,
    the_price,
    the_rates,
    the_site,
    weight_table,
)
from costline.answers.fleet_blocks import AutoscaleBlock
from costline.answers.scenario import Degree, Scenario
from costline.answers.search import ranked, search
from costline.answers.search.columns import Engine, room
from costline.answers.search.reasons import excluded_by
from costline.answers.search.rows import plain_row
from costline.answers.search.speculative import Drafter
from costline.answers.simulate.drafts import capacity_tokens, drafter_of
from costline.answers.sources import step_sources
from costline.architecture.formats import format_name
from costline.architecture.operations import Formats
from costline.architecture.sharding import Layout, layout
from costline.catalog.models import find_model
from costline.catalog.records import Model
from costline.catalog.serving_overheads import serving_overheads
from costline.deployment.grid import Fixed, check_fixed
from costline.errors import InfeasibleError, UnknownIdError
from costline.forward.memory import kv_capacity_tokens
from costline.quantities import format_bytes
from costline.serving.fleet import Role

WIDE = ("bf16", "fp16", "fp32")
ALWAYS_WIDE = ("embedding", "head", "norms", "router")
"""Components that quantised checkpoints leave as they were trained."""


@dataclass(frozen=True)
class Replica:
    """One copy of the model, how many there are, and what an hour of an accelerator costs."""

    engine: Engine
    where: Layout
    replicas: int
    weights_label: str
    kv_capacity_tokens: float
    price: Price | None
    sources: tuple[Used, ...]
    from_plan: bool
    """The cut is the best plan's."""
    drafter: Drafter | None = None
    role: Role = "both"
    autoscale: AutoscaleBlock | None = None
    """What scales them; `replicas` is then the most."""
    batch: int | None = None
    """Most sequences of one; None = what the engine admits."""

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica."""
        return int(self.where.tp * self.where.pp * self.where.dp)

    def row(self) -> dict[str, Any]:
        """What it is, keys as in a plan."""
        site, formats = self.engine.site, self.engine.formats
        degrees = {name: int(getattr(self.where, name)) for name in ("tp", "pp", "dp", "ep")}
        return {
            "accelerator": site.chip.id,
            "system": site.system.id,
            **degrees,
            "replicas": self.replicas,
            "accelerators": self.accelerators * self.replicas,
            "accelerators_per_replica": self.accelerators,
            "weights": self.weights_label,
            "kv_cache": formats.kv,
            "activations": formats.activations,
            "speculation": None if self.drafter is None else self.drafter.name,
            "chosen_by": "plan" if self.from_plan else "scenario",
        }


def the_replica(asked: Scenario, model: Model) -> Replica:
    """What the scenario fixes; where it leaves tensor parallelism open, the cheapest plan that meets its targets.

    With a tensor parallel degree given, the other degrees are 1 unless they are given too, as engines start.
    """
    block = asked.deployment
    if block.tp == "auto" or len(asked.system.accelerator) > 1 or asked.system.accelerator == ["all"]:
        return _planned(asked, model)
    degrees = {name: or_one(getattr(block, name)) for name in ("tp", "pp", "dp")}
    spread = degrees["tp"] * degrees["dp"]
    experts = block.ep if block.ep != "auto" else spread if degrees["dp"] > 1 else 1
    check_fixed(model, Fixed(**degrees, ep=experts))
    where = layout(**degrees, ep=experts)
    return _sized(asked, replica_of(asked, model, asked.system.accelerator[0], where, or_one(block.replicas)))


def _sized(asked: Scenario, replica: Replica) -> Replica:
    """As many as the scenario says where they follow the load."""
    block = asked.deployment
    batch = None if block.batch == "auto" else int(block.batch)
    most = replica.replicas if block.autoscale is None else block.autoscale.max
    return replace(replica, replicas=most, autoscale=block.autoscale, batch=batch)


def _planned(asked: Scenario, model: Model) -> Replica:
    fitted = asked.model_copy(update={"deployment": asked.deployment.model_copy(update={"disaggregated": False})})
    found = search(fitted, model)
    best = ranked(found)
    if not best:
        raise InfeasibleError(excluded_by(found, fitted, model))
    row = plain_row(found[best[0][0]], best[0][1])
    where = layout(*(row[name] for name in ("tp", "pp", "dp", "ep")))
    return _sized(
        asked, replica_of(asked, model, row["accelerator"], where, row["replicas"], planned=row["weights"])
    )


def replica_of(
    asked: Scenario, model: Model, accelerator: str, where: Layout, replicas: int = 1, *, planned: str | None = None,
    role: Role = "both", drafts: bool = True,
) -> Replica:  # fmt: skip
    """So many copies of a layout on an accelerator; `planned` are the weights of a plan that chose it.

    Raises InfeasibleError where one has no room for a request.
    """
    block = asked.deployment.engine
    site = the_site(accelerator, block.name)
    label, formats = served_formats(asked, model, accelerator, planned)
    engine = Engine(model, formats, the_rates(site, asked.calibration), site, block.memory_utilization)
    work = asked.workload
    context = work.input_mean + (0.0 if role == "prefill" else work.output_mean)
    space = room(engine, where, context)
    pool = float(space["pool_bytes"])
    drafter = None
    if asked.deployment.speculation is not None and drafts:
        drafter = drafter_of(asked.deployment.speculation, engine, label)
    tokens = float(kv_capacity_tokens(model, space["pool_bytes"], formats.kv, where))
    if pool <= 0 or tokens < max(context, block.block_tokens):
        need = format_bytes(float(space["weights_bytes"]))
        raise InfeasibleError(
            f"{model.id} in {label} leaves no room for one request on {int(where.devices)} × {site.chip.id}: weights "
            f"take {need} of {format_bytes(site.chip.visible_memory_bytes)} a device, the cache holds "
            f"{max(tokens, 0.0):,.0f} tokens; raise tp or memory_utilization, or narrow the weights"
        )
    if drafter is not None:
        tokens = capacity_tokens(engine, drafter, where, context)
    price = the_price(asked.price, site.chip)
    facts = step_sources(engine, where, price) + _serving_fact(site.engine.engine, asked.calibration)
    return Replica(engine, where, replicas, label, tokens, price, facts, planned is not None, drafter, role)


def _serving_fact(engine: str, calibration: str) -> tuple[Used, ...]:
    if calibration == "none":
        return ()
    known = serving_overheads(engine)
    rows = known.step_range.rows
    stages = f"{rows} stages of whole runs compared" if rows else "no whole run compared"
    where = known.provenance[""]
    return (Used(f"{engine} in serving", stages, where.kind, where.source, where.retrieved),)


def served_formats(
    asked: Scenario, model: Model, accelerator: str, planned: str | None = None
) -> tuple[str, Formats]:
    """Formats as engines serve them: a narrow format leaves head, embedding and router wide; `auto` = as released."""
    block = asked.model
    wanted: str | Mapping[str, str] = block.weights
    if wanted == "auto":
        wanted = planned if planned in ("fp8",) else "checkpoint"
    label, table = weight_table(model, wanted)
    if isinstance(wanted, str) and wanted != "checkpoint" and format_name(wanted) not in WIDE:
        table = _as_quantised(model, format_name(wanted))
    kv = "bf16" if block.kv_cache == "auto" else kv_format(block.kv_cache)
    chip = the_site(accelerator, asked.deployment.engine.name).chip
    return label, Formats(table, kv, activation_format(chip, table, block.activations))


def _as_quantised(model: Model, name: str) -> dict[str, str]:
    """Formats of the checkpoint in such weights: the model's own, a catalogued one of it, or what is usual."""
    own = {"": "bf16", **model.checkpoint_formats}
    if own[""] == name:
        return own
    try:
        known = find_model(f"{model.id}-{name}")
    except UnknownIdError:
        return {"": name, **dict.fromkeys(ALWAYS_WIDE, "bf16")}
    return {"": name, **known.checkpoint_formats}


def or_one(degree: Degree | str) -> int:
    """A degree that the scenario gives, or 1."""
    if isinstance(degree, str):
        return 1
    return degree
