"""bill: a month's bill of a trace or a workload at APIs, on owned and on rented accelerators, side by side.

Composes; every number comes from the layers below.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from costline.answers.answer import Answer
from costline.answers.bill.fleet import Fleet
from costline.answers.bill.question import Billed, billed
from costline.answers.bill.rows import fleet_row, mix_rows, part_rows, price_rows, way_row
from costline.answers.bill.scenario import read_bill
from costline.answers.bill.sources import bill_sources
from costline.answers.bill.view import charts, summary, tables
from costline.answers.bill.ways import (
    Way,
    api_way,
    egress_usd,
    mixed_way,
    owned_way,
    rented_way,
    supplies_of,
    usages_of,
)
from costline.errors import InputError


def bill(
    scenario: str | Path | Mapping[str, Any] | None = None, *, today: datetime.date | None = None, **blocks: Any
) -> Answer:
    """A month's bill by way to pay: input and output apart, per request and user, egress, spares, energy and carbon.

    `scenario` is a file or a mapping; keyword blocks win over it. Raises InputError for a bad question and
    InfeasibleError if nothing serves the load within the targets.
    """
    day = today or datetime.date.today()
    question = read_bill(scenario, **blocks)
    found = billed(question, day)
    ways = sorted(ways_of(found), key=lambda way: way.parts.total)
    rows = [way_row(way, found) for way in ways]
    data = {
        "question": "bill",
        "model": found.fleet.unit.model.id,
        "scenario": question.asked.model_dump(),
        "left_out": list(found.left_out),
        "deployment": dict(found.fleet.unit.row),
        "volume": fleet_row(found),
        "bills": rows,
        "components": [row for way in ways for row in part_rows(way, found)],
        "mix": mix_rows(ways, found.fleet),
        "prices": price_rows(found, day),
    }
    return Answer("bill", data, tables(data), charts(data), summary(data), bill_sources(found))


def ways_of(found: Billed) -> list[Way]:
    """Every way that the question leaves in."""
    fleet: Fleet = found.fleet
    usages = usages_of(found.question.trace, found.usage)
    factor = Decimal(fleet.requests) / Decimal(sum(count for _, count in usages))
    ways = [api_way(one, usages, factor) for one in found.apis]
    if found.owned is not None:
        ways.append(owned_way(found.owned, fleet))
    sent = egress_usd(found.transfer, found.sent_bytes) if found.transfer else 0.0
    if found.rental is not None:
        ways.append(rented_way(found.rental, fleet, sent))
    if found.by_the_hour is not None:
        supplies = supplies_of(found.by_the_hour, found.reserved, found.spot)
        ways.append(mixed_way(supplies, fleet, sent))
    if not ways:
        why = "; ".join(found.left_out)
        raise InputError(f"nothing is left to bill; ask for one of api, rent and own. {why}".strip(" ."))
    return ways
