"""A bill as rows of plain data: ways, components, the mix by the hour, prices with their dates."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from costline.answers.assumption import dated
from costline.answers.bill.energy import energy_row
from costline.answers.bill.fleet import Fleet
from costline.answers.bill.question import Billed
from costline.answers.bill.ways import EGRESS, SPARES, Way
from costline.answers.phase_split import INPUT, OUTPUT
from costline.quantities import MEGA

OWN_PRICES = (
    "usd_per_accelerator", "other_usd_per_node", "tariff", "colocation_usd_per_kw_month", "staff_usd_per_year",
)  # fmt: skip


def way_row(way: Way, found: Billed) -> dict[str, Any]:
    """A way's bill; `exact_usd` holds its components and total as decimal text."""
    requests, (prompts, answers) = found.fleet.requests, found.tokens
    total, users = float(way.parts.total), found.question.asked.bill.users
    hours = way.accelerator_hours
    return {
        "way": way.kind,
        "name": name_of(way, found),
        "usd_per_month": total,
        "input_usd": float(way.phases[INPUT]),
        "output_usd": float(way.phases[OUTPUT]),
        "egress_usd": float(way.phases[EGRESS]),
        "redundancy_usd": float(way.phases[SPARES]),
        "usd_per_mtok_input": float(way.phases[INPUT]) / prompts * MEGA,
        "usd_per_mtok_output": float(way.phases[OUTPUT]) / answers * MEGA,
        "usd_per_mtok": total / (prompts + answers) * MEGA,
        "usd_per_request": total / requests,
        "usd_per_user": total / users if users else None,
        "accelerators": way.accelerators,
        "accelerator_hours": hours,
        "utilization": found.fleet.utilization(hours) if hours else None,
        "utilization_source": "computed" if hours else None,
        **energy_row(way, found),
        "exact_usd": {name: str(usd) for name, usd in way.parts.parts} | {"total": str(way.parts.total)},
    }


def name_of(way: Way, found: Billed) -> str:
    """The way with its machines."""
    return way.name if way.accelerators is None else f"{way.accelerators} × {found.fleet.unit.chip.id} {way.name}"


def part_rows(way: Way, found: Billed) -> list[dict[str, Any]]:
    """The components of a way's bill; those of nothing are left out."""
    total = way.parts.total
    return [
        {"name": name_of(way, found), "part": part, "usd": float(usd), "share": float(usd / total) if total else None}
        for part, usd in way.parts.parts
        if usd
    ]


def fleet_row(found: Billed) -> dict[str, Any]:
    """The month's volume, where it is from, and the replicas that it needs."""
    fleet, question, (prompts, answers) = found.fleet, found.question, found.tokens
    trace = question.trace
    return {
        "requests_per_month": fleet.requests,
        "input_tokens_per_month": prompts,
        "output_tokens_per_month": answers,
        "peak_requests_per_s": float(np.max(fleet.requests_per_s)),
        "mean_requests_per_s": float(np.mean(fleet.requests_per_s)),
        "shape": question.load.words,
        "shape_source": question.load.source,
        "trace": None
        if trace is None
        else {"requests": trace.requests, "span_s": trace.span_s, "requests_per_s": trace.requests_per_s},
        "replicas_peak": int(np.max(fleet.replicas)),
        "spare_replicas": fleet.spares,
        "availability": fleet.availability,
        "sustained_requests_per_s": fleet.unit.sustained_requests_per_s,
        "replicas_by_hour": fleet.replicas,
        "grid": {"id": found.grid.id, "name": found.grid.name, "g_co2e_per_kwh": found.grid.g_co2e_per_kwh},
    }


def mix_rows(ways: Sequence[Way], fleet: Fleet) -> list[dict[str, Any]]:
    """The cheapest mix by hour of the day or week, in accelerators."""
    mixed = next((way.fleet for way in ways if way.fleet is not None), None)
    if mixed is None:
        return []
    needed = fleet.accelerators(spared=True)
    return [
        {"hour": hour, "needed": float(needed[hour]), **{name: float(held[hour]) for name, held in mixed.items()}}
        for hour in range(needed.size)
    ]


def price_rows(found: Billed, today: datetime.date) -> list[dict[str, Any]]:
    """Every price with its day and age."""
    prices = [replace(one.price, label=one.name) for one in found.apis]
    rentals = (found.rental or found.by_the_hour, found.reserved, found.spot[0] if found.spot else None)
    prices += [replace(one.price, label=one.name) for one in rentals if one]
    if found.owned is not None:
        prices += [found.owned.numbers[name] for name in OWN_PRICES]
    rows = [one.row(today) for one in prices]
    if found.transfer is not None:
        rows.append(_transfer_row(found, today))
    return rows


def _transfer_row(found: Billed, today: datetime.date) -> dict[str, Any]:
    transfer = found.transfer
    assert transfer is not None
    rate = max(transfer.usd_per_gb)
    where = transfer.provenance[""]
    fields = {"name": "egress", "label": "egress", "unit": "USD per GB at most", "low": rate, "likely": rate}
    more = {"high": rate, "kind": where.kind, "source": where.source, "note": f"{transfer.id}, by tier"}
    return fields | more | dated(transfer.date, today)
