"""The search of all deployments that a scenario allows: columns for each accelerator and set of formats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from costline.answers.choices import options, sites, the_price, the_rates
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, evaluate
from costline.answers.search.columns import Engine
from costline.answers.search.disaggregated import Kind, kind_of, search_pools
from costline.answers.search.speculative import the_drafter
from costline.catalog.records import Model
from costline.deployment.pools import to_digits
from costline.errors import InputError
from costline.quantities import Array


def kinds_of(scenario: Scenario, model: Model) -> list[Kind]:
    """Every accelerator and set of formats that the scenario allows and that has a price."""
    if scenario.deployment.given_pools is not None:
        raise InputError("deployment.prefill_pool and decode_pool are simulated, not searched; leave them out here")
    found: list[Kind] = []
    unpriced: list[str] = []
    fraction = scenario.deployment.engine.memory_utilization
    for site in sites(scenario):
        price = the_price(scenario.price, site.chip)
        if price is None:
            unpriced.append(site.chip.id)
            continue
        rates = the_rates(site, scenario.calibration)
        for option in options(model, site.chip, scenario.model):
            found.append(kind_of(Engine(model, option.formats, rates, site, fraction), scenario, option, price))
    if not found:
        names = ", ".join(unpriced)
        raise InputError(f"no rental offer is catalogued for {names}; give price.accelerator_usd_per_hour")
    return found


def search(scenario: Scenario, model: Model) -> list[Candidates]:
    """Candidates whose replicas prefill and decode without a draft: what one replica alone can do.

    Raises InputError if the scenario asks for pools or a draft; `search_all` has them.
    """
    block = scenario.deployment
    if block.disaggregated is True or block.speculation is not None:
        field = "disaggregated: true" if block.disaggregated is True else "speculation"
        raise InputError(f"deployment.{field} is searched by plan alone; leave it out here")
    return _together(scenario, kinds_of(scenario, model))


def search_all(scenario: Scenario, model: Model) -> list[Candidates]:
    """Candidates of every way to serve that the scenario allows: together or in two pools, with a draft or without."""
    block = scenario.deployment
    kinds = kinds_of(scenario, model)
    if block.speculation is not None:
        drafts = [the_drafter(block.speculation, model, kind.option) for kind in kinds]
        kinds += [
            kind_of(kind.engine, scenario, kind.option, kind.price, draft)
            for kind, draft in zip(kinds, drafts, strict=True)
        ]
    found = [] if block.disaggregated is True else _together(scenario, kinds)
    if block.disaggregated is True or (block.disaggregated == "auto" and block.replicas == "auto"):
        found += search_pools(scenario, kinds)
    return found


def _together(scenario: Scenario, kinds: Sequence[Kind]) -> list[Candidates]:
    return [
        evaluate(kind.engine, scenario, kind.option, kind.price, drafter=kind.drafter, ready=kind.ready)
        for kind in kinds
    ]


def ranked(found: Sequence[Candidates], speed_exponent: float = 0.0) -> list[tuple[int, int]]:
    """Feasible rows of all groups, the best worth first; ties go to fewer accelerators, then to shorter answers.

    Worth is speed^a per USD: the least cost for an exponent of 0, Erdil's preferred point for 3.
    """
    rows = [np.flatnonzero(group.ok & np.isfinite(group.columns["usd_per_mtok"])) for group in found]
    if not rows:
        return []
    owner = np.repeat(np.arange(len(found)), [each.size for each in rows])
    row = np.concatenate(rows)

    def column(name: str) -> Array:
        return np.concatenate([group.columns[name][each] for group, each in zip(found, rows, strict=True)])

    price = to_digits(column("usd_per_mtok") * column("tpot_s") ** speed_exponent)
    order = np.lexsort((row, owner, column("e2e_p99_s"), column("accelerators"), price))
    return list(zip(owner[order].tolist(), row[order].tolist(), strict=True))
