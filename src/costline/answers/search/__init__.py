"""The search of all deployments that a scenario allows: columns for each accelerator and set of formats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from costline.answers.choices import options, sites, the_price, the_rates
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, evaluate
from costline.answers.search.columns import Engine
from costline.catalog.records import Model
from costline.errors import InputError


def search(scenario: Scenario, model: Model) -> list[Candidates]:
    """Candidates of every accelerator and set of formats that the scenario allows."""
    found: list[Candidates] = []
    unpriced: list[str] = []
    for site in sites(scenario):
        price = the_price(scenario.price, site.chip)
        if price is None:
            unpriced.append(site.chip.id)
            continue
        rates = the_rates(site, scenario.calibration)
        for option in options(model, site.chip, scenario.model):
            fraction = scenario.deployment.engine.memory_utilization
            engine = Engine(model, option.formats, rates, site, fraction)
            found.append(evaluate(engine, scenario, option, price))
    if not found:
        names = ", ".join(unpriced)
        raise InputError(f"no rental offer is catalogued for {names}; give price.accelerator_usd_per_hour")
    return found


def ranked(found: Sequence[Candidates]) -> list[tuple[int, int]]:
    """Feasible rows of all groups, cheapest first; ties go to fewer accelerators, then to shorter answers."""
    keys: list[tuple[float, float, float, int, int]] = []
    for index, group in enumerate(found):
        columns = group.columns
        for row in np.flatnonzero(group.ok & np.isfinite(columns["usd_per_mtok"])):
            cost = float(f"{columns['usd_per_mtok'][row]:.9g}")
            keys.append((cost, float(columns["accelerators"][row]), float(columns["e2e_p99_s"][row]), index, int(row)))
    return [(index, row) for *_, index, row in sorted(keys)]
