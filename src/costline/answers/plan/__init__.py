"""plan: which deployment serves a workload within its targets at the least cost, why, and what would help.

Composes the search; every number comes from the layers below.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costline.answers.answer import Answer
from costline.answers.choices import check_context, sites, the_model, the_price
from costline.answers.plan.prefix_reuse import prefix_reuse
from costline.answers.plan.quantisation import quantisation
from costline.answers.plan.view import charts, formats_table, summary, tables
from costline.answers.plan.what_helps import what_helps
from costline.answers.progress import tell
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.answers.search import ranked, search_all
from costline.answers.search.candidates import Candidates
from costline.answers.search.reasons import excluded_by
from costline.answers.search.rows import frontier_rows, plan_row, trade_offs
from costline.answers.sources import plan_sources
from costline.catalog.records import Model
from costline.errors import InfeasibleError, InputError

TOP = 8
NEAR = 2.0
APART = 1.03
"""Ratio of times between the points of an accelerator's curve."""


def plan(
    scenario: Scenario | str | Path | Mapping[str, Any] | None = None,
    *,
    top: int = TOP,
    today: datetime.date | None = None,
    **blocks: Any,
) -> Answer:
    """The best deployments for a scenario, ranked by cost, with the frontier, the reasons and what would help.

    `scenario` is a file, a mapping or a `Scenario`; keyword blocks (`model={...}, workload={...}`) win over it.
    Raises InputError for a bad question and InfeasibleError if nothing meets the targets.
    """
    asked = scenario if isinstance(scenario, Scenario) and not blocks else _read(scenario, blocks)
    if top < 1:
        raise InputError(f"top={top} must be at least 1; it is the number of plans to show")
    model = the_model(asked.model)
    work = asked.workload
    check_context(model, work.input_mean + work.output_mean, "workload.input_tokens + output_tokens")
    tell("searching deployments")
    found = search_all(asked, model)
    unpriced = [site.chip.id for site in sites(asked) if the_price(asked.price, site.chip) is None]
    best = ranked(found, asked.preference.speed_exponent)
    if not best:
        raise InfeasibleError(excluded_by(found, asked, model))
    day = today or datetime.date.today()
    shown = enumerate(_diverse(found, best, top), start=1)
    rows = [plan_row(found[group], row, rank, asked) for rank, (group, row) in shown]
    front = frontier_rows(found)
    by_chip = {chip: frontier_rows(groups, apart=APART) for chip, groups in _by_chip(found).items()}
    first, at = found[best[0][0]], best[0][1]
    near = _near(found, best)
    tell("trying what would help")
    pools = first.prefill is not None
    help_rows = what_helps(asked, rows[0], lambda changed: _best_cost(changed, model, near, pools=pools))
    formats = quantisation(first, at, asked)
    data: dict[str, Any] = {
        "question": "plan",
        "model": model.id,
        "scenario": asked.model_dump(),
        "plans": rows,
        "frontier": front,
        "frontier_by_accelerator": by_chip,
        "trade_offs": trade_offs(found),
        "what_helps": help_rows,
        "quantisation": formats,
        "prefix_reuse": prefix_reuse(first, at, asked),
        "searched": {**_searched(found), "without_price": unpriced},
    }
    return Answer(
        question="plan",
        data=data,
        tables=(*tables(asked, model, rows, help_rows), formats_table(formats)),
        charts=charts(asked, model, rows, by_chip),
        summary=summary(asked, model, data, today=day),
        sources=plan_sources(found, asked, model),
    )


def _read(scenario: Any, blocks: Mapping[str, Any]) -> Scenario:
    source = scenario.model_dump() if isinstance(scenario, Scenario) else scenario
    return read_scenario(source, **blocks)


def _diverse(found: Sequence[Candidates], best: Sequence[tuple[int, int]], top: int) -> list[tuple[int, int]]:
    """The cheapest row overall, then of each accelerator and format, then of other layouts; in order of cost.

    Many near copies of one plan help nobody: what a reader compares are kinds of accelerators, formats and layouts.
    """
    kept: dict[tuple[int, int], int] = {}
    cuts: set[Any] = set()
    firsts = np.sort(np.unique([index for index, _ in best], return_index=True)[1])
    for places in (firsts.tolist(), range(len(best))):
        for place in places:
            index, row = best[place]
            cut = (index, *(float(found[index].columns[name][row]) for name in ("tp", "dp", "ep")))
            if cut not in cuts:
                kept[index, row] = place
                cuts.add(cut)
            if len(kept) >= top:
                break
        if len(kept) >= top:
            break
    return sorted(kept, key=lambda pair: kept[pair])


def _near(found: Sequence[Candidates], best: Sequence[tuple[int, int]]) -> list[str]:
    """Accelerators whose best plan costs at most `NEAR` times the best of all: those that a change may put first."""
    least = float(found[best[0][0]].columns["usd_per_mtok"][best[0][1]])
    names: dict[str, None] = {}
    for group in found:
        cost = np.min(group.columns["usd_per_mtok"], where=group.ok, initial=np.inf)
        if cost <= NEAR * least:
            names.setdefault(group.site.chip.id)
            names.setdefault((group.prefill or group).site.chip.id)
    return list(names)


def _best_cost(scenario: Scenario, model: Model, accelerators: list[str], *, pools: bool) -> float:
    """Least cost of a changed question on some accelerators; separate pools are tried only where they were best."""
    system = scenario.system.model_copy(update={"accelerator": accelerators})
    block = scenario.deployment if pools else scenario.deployment.model_copy(update={"disaggregated": False})
    found = search_all(scenario.model_copy(update={"system": system, "deployment": block}), model)
    best = ranked(found, scenario.preference.speed_exponent)
    return float(found[best[0][0]].columns["usd_per_mtok"][best[0][1]]) if best else float("inf")


def _by_chip(found: Sequence[Candidates]) -> dict[str, list[Candidates]]:
    groups: dict[str, list[Candidates]] = {}
    for group in found:
        groups.setdefault(group.accelerator, []).append(group)
    return groups


def _searched(found: Sequence[Candidates]) -> dict[str, Any]:
    return {
        "candidates": sum(group.looked_at for group in found),
        "feasible": int(sum(np.sum(group.ok) for group in found)),
        "layouts_without_memory": sum(group.layouts_without_room for group in found if group.prefill is None),
        "groups": [
            {
                "accelerator": group.accelerator,
                "weights": group.option.label,
                "disaggregated": group.prefill is not None,
                "speculation": group.drafter is not None,
                "candidates": group.looked_at,
                "feasible": int(np.sum(group.ok)),
            }
            for group in found
            if group.looked_at
        ],
    }
