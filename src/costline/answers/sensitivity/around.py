"""The plan that a question leads to, and the same question with one thing changed: plan held fixed, and chosen anew.

Composes the search; every number comes from the layers below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costline.answers.choices import Price, check_context, options, the_model, the_rates
from costline.answers.plan.what_helps import DEGREES, changed, targets_ms
from costline.answers.scenario import Scenario
from costline.answers.search import ranked, search, search_all
from costline.answers.search.candidates import Candidates, evaluate, load_of, slo_masks
from costline.answers.search.columns import Engine, room
from costline.answers.search.reasons import excluded_by
from costline.answers.search.rows import plain_row, plan_of
from costline.answers.sensitivity.what_if import WhatIf
from costline.architecture.sharding import layout
from costline.catalog.records import Model
from costline.deployment.plan import Option
from costline.deployment.search import first_failure
from costline.errors import CostlineError, InfeasibleError
from costline.money.unit_cost import usd_per_mtok

WIDER, LEAST_SEARCHED = 4, 8
"""Largest replicas that a changed question looks at: so many times the plan's, and at least so many accelerators."""
ALONE = {"disaggregated": False, "speculation": None}
"""A deployment in which each replica does everything itself."""
_TIMES = ("ttft_s", "ttft_p99_s", "tpot_s", "tpot_p99_s")
_KEPT = (
    "accelerator", "accelerators", "replicas", "layout", "weights", "kv_cache", "batch", "running_batch",
    "usd_per_hour", "usd_per_mtok", *_TIMES, "tokens_per_s_per_accelerator", "utilization", "bound",
)  # fmt: skip


@dataclass(frozen=True)
class Around:
    """A question, all deployments that answer it, and the one that is looked at."""

    scenario: Scenario
    """About replicas that prefill and decode without a draft; pools and drafts are options beside it."""
    model: Model
    found: Sequence[Candidates]
    group: Candidates
    row: int

    @property
    def devices_per_replica(self) -> int:
        """Accelerators of one replica."""
        return plan_of(self.group, self.row).accelerators_per_replica


def around(question: Scenario) -> Around:
    """The cheapest plan and its alternatives; raises InfeasibleError if nothing meets the targets."""
    model = the_model(question.model)
    scenario = changed(question, {"deployment": ALONE})
    _check_length(scenario, model)
    found = search(scenario, model)
    best = ranked(found)
    if not best:
        raise InfeasibleError(excluded_by(found, scenario, model))
    return Around(scenario, model, found, found[best[0][0]], best[0][1])


def _check_length(scenario: Scenario, model: Model) -> None:
    work = scenario.workload
    check_context(model, work.input_mean + work.output_mean, "workload.input_tokens + output_tokens")


def outcome(group: Candidates, row: int) -> dict[str, Any]:
    """What one deployment costs and how fast it is; `missed` names the target or load that it fails, or is None."""
    plain, columns = plain_row(group, row), group.columns
    served = float(columns["total_requests_per_s"][row])
    at_capacity = float(columns["capacity_requests_per_s"][row]) * plain["replicas"]
    tokens = plain["output_tokens_per_s"] / served * at_capacity if served > 0 else 0.0
    missed = None if group.ok[row] else str(group.why_not[row])
    full = {"usd_per_mtok_at_capacity": float(usd_per_mtok(plain["usd_per_hour"], tokens))}
    return {name: plain[name] for name in _KEPT} | full | {"missed": missed, "reason": None}


def _nothing(reason: str) -> dict[str, Any]:
    return dict.fromkeys((*_KEPT, "usd_per_mtok_at_capacity")) | {"missed": "everything", "reason": reason}


def held(base: Around, what: WhatIf) -> dict[str, Any]:
    """The same layout, replicas and batch (as much of it as fits) with one thing changed, targets met or not."""
    try:
        asked, model = _asked(base, what)
        if same_steps(base, what, asked):
            return outcome(_paid(_with_targets(base.group, asked), what), base.row)
        engine, option = _engine(base, what, asked, model)
        given = dict(_fixed_deployment(base, engine, asked, what))
        group = evaluate(engine, changed(asked, {"deployment": given}), option, base.group.price)
    except CostlineError as error:
        return _nothing(str(error))
    if not group.rows:
        return _nothing("memory: not one sequence fits")
    best = ranked([group])
    return _in_time(outcome(group, best[0][1] if best else 0), what.slower)


def anew(base: Around, what: WhatIf) -> dict[str, Any]:
    """The cheapest plan of the changed question, over everything that the scenario allows."""
    try:
        asked, model = _asked(base, what)
        found = [_replaced(base, what, group, asked) for group in _searched(base, what, asked, model)]
        best = ranked(found)
        if not best:
            return _nothing(excluded_by(found, asked, model))
    except CostlineError as error:
        return _nothing(str(error))
    return _in_time(outcome(found[best[0][0]], best[0][1]), what.slower)


def same_steps(base: Around, what: WhatIf, asked: Scenario) -> bool:
    """Whether only targets or prices change, so that every deployment does what it did."""
    if what.model or what.site or what.rates or what.slower != 1.0:
        return False
    return asked.model_copy(update={"slo": base.scenario.slo}) == base.scenario


def _searched(base: Around, what: WhatIf, asked: Scenario, model: Model) -> Sequence[Candidates]:
    """All deployments of the changed question; other targets or prices need no new search."""
    if same_steps(base, what, asked):
        return [_with_targets(group, asked) for group in base.found]
    if asked == base.scenario and what.model is None:
        return base.found
    find = search if asked.deployment.disaggregated is False and asked.deployment.speculation is None else search_all
    return find(_narrow(asked, base), model)


def _with_targets(group: Candidates, asked: Scenario) -> Candidates:
    ok, why = first_failure({"load": group.columns["carries"] > 0, **slo_masks(asked.slo, group.columns)})
    return replace(group, ok=ok, why_not=why)


def _paid(group: Candidates, what: WhatIf) -> Candidates:
    """The same deployments, at another price of an hour where the change has one."""
    if what.usd_per_hour is None:
        return group
    factor = what.usd_per_hour / group.price.usd_per_hour
    dearer = {name: factor * group.columns[name] for name in ("usd_per_hour", "usd_per_mtok")}
    return replace(group, price=Price(what.usd_per_hour, None), columns={**group.columns, **dearer})


def _asked(base: Around, what: WhatIf) -> tuple[Scenario, Model]:
    asked = changed(base.scenario, what.blocks)
    model = what.model(base.model) if what.model else base.model
    _check_length(asked, model)
    return (asked if what.slower == 1.0 else _hurried(asked, what.slower)), model


def _hurried(scenario: Scenario, slower: float) -> Scenario:
    """A load so much denser and targets so much tighter that, times multiplied again, every step was slower.

    Queues and batches do not know how long a second is: slower steps are a faster world.
    """
    work: dict[str, Any] = {}
    if scenario.workload.request_rate is not None:
        work["request_rate"] = scenario.workload.request_rate * slower
    if scenario.workload.stages:
        work["stages"] = [
            {"rate": stage.rate * slower, "duration_s": stage.duration_s} for stage in scenario.workload.stages
        ]
    targets = {name: target / slower for name, target in targets_ms(scenario).items()}
    return changed(scenario, {"workload": work, "slo": targets})


def _in_time(found: dict[str, Any], slower: float) -> dict[str, Any]:
    """Times and costs of the faster world in seconds of this one."""
    longer = (*_TIMES, "usd_per_mtok", "usd_per_mtok_at_capacity")
    found |= {name: found[name] * slower for name in longer}
    return found | {"tokens_per_s_per_accelerator": found["tokens_per_s_per_accelerator"] / slower}


def _engine(base: Around, what: WhatIf, asked: Scenario, model: Model) -> tuple[Engine, Option]:
    """The plan's engine and formats with the change."""
    group = base.group
    option = group.option
    if asked.model != base.scenario.model:
        found = options(model, group.site.chip, asked.model)
        option = next((one for one in found if one.label == option.label), found[0])
    site = what.site(group.site) if what.site else group.site
    rates = the_rates(site, asked.calibration) if what.site else group.engine.rates
    rates = what.rates(rates) if what.rates else rates
    fraction = asked.deployment.engine.memory_utilization
    return Engine(model, option.formats, rates, site, fraction), option


def _replaced(base: Around, what: WhatIf, group: Candidates, asked: Scenario) -> Candidates:
    """A group of the search with another device or price, where it is the plan's accelerator."""
    if group.site.chip.id != base.group.site.chip.id:
        return group
    if what.site or what.rates:
        engine, option = _engine(replace(base, group=group), what, asked, group.engine.model)
        group = evaluate(engine, _narrow(asked, base), option, group.price)
    return _paid(group, what)


def _narrow(asked: Scenario, base: Around) -> Scenario:
    """The question over replicas up to some size beyond the plan's: the rest of the grid only takes time."""
    most = min(asked.system.max_accelerators, max(WIDER * base.devices_per_replica, LEAST_SEARCHED))
    return changed(asked, {"system": {"max_accelerators": most}})


def _fixed_deployment(base: Around, engine: Engine, asked: Scenario, what: WhatIf) -> dict[str, Any]:
    """The plan's degrees, replicas and batch as the scenario writes them, with what the change says of them."""
    now = plan_of(base.group, base.row)
    given: dict[str, Any] = {name: getattr(now, name) for name in DEGREES} | {"replicas": now.replicas}
    if what.resized and asked.workload.concurrency is None and asked.workload.peak_request_rate is not None:
        given["replicas"] = "auto"
    given |= {name: value for name, value in what.blocks.get("deployment", {}).items() if name in given}
    if given["batch"] == "auto":
        given["batch"] = now.batch
    where = layout(given["tp"], given["pp"], given["dp"], given["ep"])
    most = float(room(engine, where, load_of(asked).full_context_tokens)["max_batch"])
    if np.isfinite(most):
        given["batch"] = max(min(given["batch"], int(most)), 1)
    return given
