"""API prices as rows of plain data: cards, histories, levels of capability, bills."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from costline.answers.answer import Used
from costline.answers.citing import fact_used
from costline.catalog import api_history, api_prices
from costline.catalog.api_records import ApiPrice, PricePoint, Rate, Rates
from costline.money import price_history
from costline.money.api_bill import Bill, Usage
from costline.money.migration import indifferent_input_per_output
from costline.money.price import STALE_DAYS, price_age_days

Row = dict[str, Any]
KINDS = ("input", "output", "cache_read", "cache_write")


def freshness(today: datetime.date | None = None) -> Row:
    """Version and day of the installed API prices, their age, and whether that is more than 90 days."""
    known = api_prices.snapshot()
    age = price_age_days(known.date, today or datetime.date.today())
    stale = age is None or age > STALE_DAYS
    return {"version": known.version, "date": known.date, "date_is": known.date_is, "age_days": age, "stale": stale}


def price_of(rates: Rates | None, kind: str) -> Decimal | None:
    """The price of a kind of token below any step, if the card lists one."""
    rate: Rate | None = getattr(rates, kind, None)
    return rate.usd_per_mtok if rate else None


def card_row(card: ApiPrice, today: datetime.date | None = None) -> Row:
    """A price card as JSON has it."""
    rates, dated = card.rates, freshness(today)
    row: Row = {"provider": card.provider, "model": card.model, "name": card.name}
    row |= {f"{kind}_usd_per_mtok": price_of(rates, kind) for kind in KINDS}
    row |= {f"batch_{kind}_usd_per_mtok": price_of(card.variants.get("batch"), kind) for kind in KINDS[:2]}
    steps = [(kind, step) for kind in KINDS if (rate := getattr(rates, kind)) for step in rate.tiers]
    return row | {
        "tiers": [{"kind": kind, "above_input_tokens": start, "usd_per_mtok": price} for kind, (start, price) in steps],
        "steps_at_tokens": min((start for _, (start, _) in steps), default=None),
        "services": ["standard", *card.variants],
        "peak_hours": [f"{peak.start:%H:%M}-{peak.end:%H:%M} UTC" for peak in card.peak],
        "valid_from": card.valid_from or None,
        "valid_until": card.valid_until or None,
        "context_tokens": card.context_tokens,
        "deprecated": card.deprecated,
        "also_billed": list(card.also_billed),
        "age_days": dated["age_days"],
        "stale": dated["stale"],
        "source": card.provenance[""].source,
    }


def card_source(card: ApiPrice) -> Used:
    """The card among the facts that an answer used."""
    where = card.provenance[""]
    prices = " / ".join(f"${price_of(card.rates, kind)}" for kind in KINDS[:2])
    since = f" since {card.valid_from}" if card.valid_from else ""
    value = f"{prices} per Mtok of input / output{since}"
    return fact_used(f"{card.provider} {card.model}", value, where)


def point_source(point: PricePoint) -> Used:
    """A price of a history among the facts that an answer used."""
    where = point.provenance
    value = f"${point.input_usd_per_mtok} / ${point.output_usd_per_mtok} per Mtok of input / output"
    return fact_used(f"{point.model} {point.date or 'first price'}", value, where)


def point_rows(points: Sequence[PricePoint], end: str) -> list[Row]:
    """The prices of a history, each with its change against the one before; `end` is the day of the data."""
    rows: list[Row] = []
    for place, point in enumerate(points):
        row: Row = {
            "date": point.date or None,
            "until": points[place + 1].date if place + 1 < len(points) else None,
            "model": point.model,
            "provider": point.provider,
            "input_usd_per_mtok": point.input_usd_per_mtok,
            "output_usd_per_mtok": point.output_usd_per_mtok,
            "announced": point.date > end,
            "kind": point.provenance.kind,
            "source": point.provenance.source,
        }
        if place:
            row["input_change"] = _change(points[place - 1].input_usd_per_mtok, point.input_usd_per_mtok)
            row["output_change"] = _change(points[place - 1].output_usd_per_mtok, point.output_usd_per_mtok)
        rows.append(row)
    return rows


def declines(points: Sequence[PricePoint], end: str) -> Row:
    """Yearly rates from the first price to the one that held on the day of the data; None if its day is unknown."""
    held = [point for point in points if point.date <= end]
    if not held or not held[0].date:
        return {"from": None, "to": end, "years": None, "input": None, "output": None}
    years = price_history.years_between(held[0].date, end)
    ends = held[0], held[-1]
    return {
        "from": held[0].date,
        "to": end,
        "years": years,
        "input": _decline([one.input_usd_per_mtok for one in ends], years),
        "output": _decline([one.output_usd_per_mtok for one in ends], years),
    }


def level_row(name: str, end: str) -> Row:
    """The cheapest model of a level of capability over time, by the price of its input."""
    points = [point for point in api_history.history_of_level(name) if point.date <= end]
    cheapest = price_history.cheapest_so_far(np.array([float(point.input_usd_per_mtok or 0) for point in points]))
    days = np.array([price_history.years_between(points[0].date, point.date) for point in points])
    years = price_history.years_between(points[0].date, end)
    rows = point_rows(points, end)
    return {
        "level": name,
        "points": [
            {key: row[key] for key in ("date", "model", "input_usd_per_mtok", "output_usd_per_mtok", "source")}
            | {"cheapest_input_usd_per_mtok": float(low)}
            for row, low in zip(rows, cheapest, strict=True)
        ],
        "years": years,
        "decline_per_year": float(price_history.decline_per_year(cheapest[0], cheapest[-1], years)),
        "fitted_decline_per_year": float(price_history.fitted_decline_per_year(days, cheapest)),
    }


def bill_row(card: ApiPrice, bill: Bill, usage: Usage, requests: int) -> Row:
    """A bill as JSON has it; its components sum to its total."""
    context = card.context_tokens
    return {
        "provider": card.provider,
        "model": card.model,
        "total_usd": bill.total_usd,
        "usd_per_request": bill.total_usd / requests if requests else None,
        "usd_per_mtok": bill.usd_per_mtok,
        "components": [vars(line) for line in bill.lines],
        "valid_from": card.valid_from or None,
        "valid_until": card.valid_until or None,
        "deprecated": card.deprecated,
        "peak_hours": bool(card.peak),
        "context_tokens": context,
        "fits_context": usage.input_tokens + usage.output_tokens <= context if context else None,
    }


def crossing(first: Rates, other: Rates) -> float | None:
    """Input tokens per output token at which both cards cost the same, below any step; None if they never do."""
    prices = [float(price_of(rates, kind) or 0) for rates in (first, other) for kind in KINDS[:2]]
    ratio = float(indifferent_input_per_output(*prices))
    return None if np.isnan(ratio) else ratio


def _change(before: Decimal | None, after: Decimal | None) -> float | None:
    return float(after / before - 1) if before and after is not None else None


def _decline(prices: Sequence[Decimal | None], years: float) -> float | None:
    first, last = prices
    if not first or last is None or years <= 0:
        return None
    return float(price_history.decline_per_year(float(first), float(last), years))
