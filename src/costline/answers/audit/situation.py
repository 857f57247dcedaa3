"""The deployment that is audited: its layout and formats, the load that it is under, and what was measured, per lane.

Composes the search for one fixed deployment. Judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from costline.answers.audit.scenario import AuditScenario, MeasuredBlock
from costline.answers.choices import check_context, the_model, the_site
from costline.answers.plan.what_helps import changed
from costline.answers.scenario import Scenario
from costline.answers.search import search
from costline.answers.search.candidates import load_of
from costline.answers.search.columns import Engine, Steady, operate, room, steady_state
from costline.answers.search.load import Load
from costline.answers.search.rows import plan_of
from costline.answers.sensitivity.around import ALONE, Around
from costline.architecture.sharding import Layout, layout
from costline.catalog.records import Model
from costline.deployment.plan import Plan, Site
from costline.errors import InfeasibleError, InputError
from costline.forward.rates import ideal_rates
from costline.quantities import MILLI, PERCENT, as_array

HALVINGS = 20
LEAST = 1e-3
"""Fewest sequences in flight that are told apart from none."""


@dataclass(frozen=True)
class Situation:
    """One deployment under one load, with what was measured of it."""

    base: Around
    """The deployment as one row of a search."""
    measured: MeasuredBlock
    closed: bool
    """The load is a number in flight, not a rate."""

    @property
    def plan(self) -> Plan:
        """Layout, replicas and formats."""
        return plan_of(self.base.group, self.base.row)

    @property
    def engine(self) -> Engine:
        """At the rates that are expected."""
        return self.base.group.engine

    @cached_property
    def ideal(self) -> Engine:
        """At the datasheet's rates."""
        now = self.engine
        rates = ideal_rates(now.site.chip, now.site.system)
        return Engine(now.model, now.formats, rates, now.site, now.memory_fraction)

    @property
    def where(self) -> Layout:
        """The degrees of one replica."""
        plan = self.plan
        return layout(plan.tp, plan.pp, plan.dp, plan.ep)

    @property
    def load(self) -> Load:
        """The workload as the steady state sees it."""
        return load_of(self.base.scenario)

    @property
    def lanes(self) -> int:
        """Lanes of all replicas: pipeline stages work on one each."""
        return self.plan.replicas * self.plan.pp

    def column(self, name: str) -> float:
        """What is expected of the deployment."""
        return float(self.base.group.columns[name][self.base.row])

    @cached_property
    def capacity_tokens_per_s(self) -> float:
        """Expected output with every place taken."""
        batch = as_array([float(self.places)])
        full = operate(self.engine, self.load, self.where, batch, rate_per_replica=None)
        return float(full["capacity_requests_per_s"][0]) * self.plan.replicas * self.load.output_tokens

    @property
    def tpot_s(self) -> float | None:
        """Measured time per output token."""
        return None if self.measured.tpot_ms is None else self.measured.tpot_ms * MILLI

    @property
    def ttft_s(self) -> float | None:
        """Measured time to first token."""
        return None if self.measured.ttft_ms is None else self.measured.ttft_ms * MILLI

    @property
    def tokens_per_s(self) -> float:
        """Measured output of the deployment, or what its latencies say of it by Little's law."""
        if self.measured.output_tokens_per_s is not None:
            return self.measured.output_tokens_per_s
        work = self.base.scenario.workload
        if work.request_rate is not None:
            return work.request_rate * self.load.output_tokens
        first = self.column("ttft_s") if self.ttft_s is None else self.ttft_s
        each = self.column("tpot_s") if self.tpot_s is None else self.tpot_s
        in_flight = work.concurrency or 1.0
        return in_flight * self.load.output_tokens / (first + self.load.decode_steps * each)

    @cached_property
    def running(self) -> float:
        """Sequences that decode together in one lane: as measured, by Little's law, or as expected."""
        if self.measured.batch is not None:
            return self.measured.batch / self.plan.pp
        if self.tpot_s is not None:
            steps = self.tokens_per_s / self.load.output_tokens * self.load.decode_steps
            return max(steps * self.tpot_s / self.lanes, LEAST)
        if self.measured.utilization_percent and not self.closed:
            return self._while_busy(self.measured.utilization_percent / PERCENT)
        return max(self.column("running_batch") / self.plan.pp, LEAST)

    def _while_busy(self, share: float) -> float:
        """The batch that makes all the output in the share of the time in which anything runs."""
        wanted_s = self.lanes * self.load.output_tokens / self.tokens_per_s * share
        low, high = 1.0, max(self.most, 1.0)
        for _ in range(HALVINGS):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if self.expected_request_s(middle) > wanted_s else (low, middle)
        return low if low == 1.0 else high

    def waits_s(self, engine: Engine, batch: float) -> dict[str, float]:
        """What a lane waits for while it takes in and finishes one request at this batch."""
        return {name: float(value) for name, value in self.steady(engine, batch).cycle_waits_s.items()}

    def expected_request_s(self, batch: float) -> float:
        """Expected time of a lane for one request at this batch."""
        return sum(self.waits_s(self.engine, batch).values())

    def steady(self, engine: Engine, batch: float) -> Steady:
        """A lane that keeps so many sequences decoding."""
        return steady_state(engine, self.load, self.where, lane_batch(batch))

    @property
    def measured_request_s(self) -> float:
        """Measured time of a lane for one request: one over its rate."""
        return self.lanes * self.load.output_tokens / self.tokens_per_s

    @property
    def expected_tpot_s(self) -> float:
        """Expected time per output token: under the load, or at the batch that runs while anything does."""
        if self.measured.utilization_percent and self.tpot_s is None and not self.closed:
            return float(self.steady(self.engine, self.running).tpot_s)
        return self.column("tpot_s")

    @property
    def most(self) -> float:
        """Sequences that one lane has room for."""
        return self.places / self.plan.pp

    @property
    def places(self) -> int:
        """Sequences that one replica has room for, taken or not."""
        batch = self.base.scenario.deployment.batch
        return self.plan.batch if batch == "auto" else batch


def situation(asked: AuditScenario) -> Situation:
    """The deployment that a question describes; raises InputError if it cannot be, InfeasibleError if it cannot hold
    one sequence."""
    model = the_model(asked.model)
    work = asked.workload
    check_context(model, work.input_mean + work.output_mean, "workload.input_tokens + output_tokens")
    plain = Scenario.model_validate(asked.model_dump(exclude={"measured"}))
    site = the_site(plain.system.accelerator[0], plain.deployment.engine.name)
    degrees = _degrees(asked, site, model)
    formats: dict[str, Any] = {"weights": "checkpoint"} if plain.model.weights == "auto" else {}
    fixed = changed(plain, {
        "model": formats,
        "system": {"max_accelerators": degrees["tp"] * degrees["pp"] * degrees["dp"]},
        "deployment": {**degrees, **ALONE},
        "slo": dict.fromkeys(("ttft_p99_ms", "tpot_p99_ms", "e2e_p99_ms")),
        "workload": _load(asked, degrees),
    })  # fmt: skip
    base = _one_row(fixed, model, degrees)
    return Situation(base, asked.measured, base.scenario.workload.concurrency is not None)


def _degrees(asked: AuditScenario, site: Site, model: Model) -> dict[str, Any]:
    """Degrees and replicas, from what is given of them and the number of accelerators."""
    block, count = asked.deployment, asked.measured.accelerators
    pp, dp = (1 if value == "auto" else value for value in (block.pp, block.dp))
    tp = block.tp
    if tp == "auto":
        together = min(count or 1, site.system.fabric.domain_size) // (pp * dp)
        tp = max(together, 1)
    each = tp * pp * dp
    replicas = block.replicas
    if replicas == "auto":
        replicas = max((count or each) // each, 1)
    if count is not None and count != each * replicas:
        raise InputError(
            f"accelerators={count} must be tp·pp·dp·replicas={tp}·{pp}·{dp}·{replicas}={each * replicas}; correct one"
        )
    return {"tp": tp, "pp": pp, "dp": dp, "ep": _experts_degree(block.ep, tp * dp, dp), "replicas": replicas}


def _experts_degree(given: Any, lane: int, dp: int) -> int:
    return given if given != "auto" else lane if dp > 1 else 1


def _load(asked: AuditScenario, degrees: dict[str, Any]) -> dict[str, Any]:
    """Requests in flight or their rate: as given, as the batch says, or as the tokens per second say."""
    work, seen = asked.workload, asked.measured
    if work.request_rate is not None or work.concurrency is not None:
        return {}
    if seen.batch is not None:
        return {"concurrency": seen.batch * degrees["replicas"]}
    assert seen.output_tokens_per_s is not None
    return {"request_rate": seen.output_tokens_per_s / work.output_mean}


def _one_row(asked: Scenario, model: Model, degrees: dict[str, Any]) -> Around:
    """The deployment with as many sequences as it has room for."""
    free = changed(asked, {"deployment": {"batch": degrees["pp"] * degrees["dp"]}})
    group = search(free, model)[0]
    if not group.rows:
        raise InfeasibleError(
            f"{model.id} in {group.option.label} does not fit on {degrees['tp'] * degrees['pp'] * degrees['dp']} × "
            f"{group.site.chip.id} a replica at {load_of(asked).full_context_tokens:,.0f} tokens; "
            "check --tp, --count, --weights and the lengths"
        )
    where = layout(*(degrees[name] for name in ("tp", "pp", "dp", "ep")))
    most = float(room(group.engine, where, load_of(asked).full_context_tokens)["max_batch"])
    cap = asked.deployment.engine.max_sequences
    batch = asked.deployment.batch if asked.deployment.batch != "auto" else int(np.floor(min(most, cap)))
    fixed = changed(asked, {"deployment": {"batch": batch}})
    found = search(fixed, model)
    if not found[0].rows:
        raise InputError(f"deployment.batch={batch} has no room: {most:,.0f} sequences fit; lower it")
    return Around(fixed, model, found, found[0], 0)


def lane_batch(value: float) -> Any:
    """A number of sequences as the steady state takes it."""
    return as_array(max(value, LEAST))
