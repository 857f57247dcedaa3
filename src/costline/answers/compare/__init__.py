"""compare: an API, rented or owned accelerators for one workload: what each costs, where that turns, and what the
decision hangs on.

Composes; every number comes from the layers below.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from costline.answers.answer import Answer
from costline.answers.assumption import corner_values, likely_values
from costline.answers.compare import assumptions as assume
from costline.answers.compare.charts import charts
from costline.answers.compare.costs import monthly_costs
from costline.answers.compare.curves import curves
from costline.answers.compare.options import option_rows
from costline.answers.compare.question import months_of, the_question
from costline.answers.compare.rows import (
    assumption_rows,
    break_even_rows,
    cash_flow_rows,
    cheapest,
    decision_row,
    volume_row,
)
from costline.answers.compare.scenario import CompareScenario, read_compare
from costline.answers.compare.sources import compare_sources
from costline.answers.compare.view import tables
from costline.answers.compare.words import summary

HANGS_ON = 3
PRICES = ("api_price", "rent_price", "usd_per_accelerator", "other_usd_per_node", "tariff",
          "colocation_usd_per_kw_month", "staff_usd_per_year")  # fmt: skip
"""Assumptions that are prices: each is shown with its date."""


def compare(
    scenario: CompareScenario | str | Path | Mapping[str, Any] | None = None,
    *,
    today: datetime.date | None = None,
    **blocks: Any,
) -> Answer:
    """API, rented and owned side by side, with break-even volume, utilisation and month, and the cash flow.

    `scenario` is a file, a mapping or a `CompareScenario`; keyword blocks win over it. Raises InputError for a bad
    question and InfeasibleError if nothing serves the load within the targets.
    """
    day = today or datetime.date.today()
    question = the_question(read_compare(scenario, **blocks), day)
    setting, assumptions = question.setting, question.assumptions
    likely = likely_values(assumptions)
    lead = partial(assume.lead_usd, setting, way=cheapest(monthly_costs(setting, likely).usd))
    moved = assume.ranked(assumptions, lead)
    uncertain = assume.most_uncertain(assumptions, moved)
    corners = corner_values(assumptions, uncertain)
    rows = assumption_rows(question, moved, lead, day)
    data = {
        "question": "compare",
        "model": setting.unit.model.id,
        "scenario": question.asked.model_dump(),
        "left_out": list(question.left_out),
        "deployment": dict(setting.unit.row),
        "volume": volume_row(setting),
        "options": option_rows(question, likely, corners),
        "decision": decision_row(setting, likely, corners) | {"uncertain": uncertain},
        "break_even": break_even_rows(setting, corners),
        "assumptions": rows,
        "hangs_on": rows[:HANGS_ON],
        "cash_flow": cash_flow_rows(setting, likely, months_of(question)),
        "prices": [one.row(day) for one in assumptions.values() if one.name in PRICES],
        "curves": curves(setting, likely),
    }
    return Answer(
        question="compare",
        data=data,
        tables=tables(data),
        charts=charts(data),
        summary=summary(data),
        sources=compare_sources(question),
    )
