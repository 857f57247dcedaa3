"""prices: what APIs ask for a token, since when, how fast that falls, and the bill of a workload."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from costline.answers.answer import Answer
from costline.answers.citing import equations_used
from costline.answers.prices import history_view as history_view
from costline.answers.prices import view as view
from costline.answers.prices.rows import (
    bill_row,
    card_row,
    card_source,
    crossing,
    declines,
    freshness,
    level_row,
    point_rows,
    point_source,
    price_of,
)
from costline.catalog import api_history, api_prices
from costline.catalog.api_records import ApiPrice, Rates, decimal
from costline.errors import InputError, UnknownIdError
from costline.money.api_bill import Usage, request_bill, workload_bill
from costline.money.api_price import leaf_usd_per_mtok, tier_usd_per_mtok
from costline.money.price_history import cheapest_so_far, decline_per_year

__all__ = ["freshness", "prices_bill", "prices_history", "prices_list", "rates_of"]


def prices_list(
    model: str | None = None,
    *,
    provider: str | None = None,
    as_of: str | None = None,
    today: datetime.date | None = None,
) -> Answer:
    """List prices of everyone who sells a model (or whose models' names hold the text), cheapest output first.

    With a provider, its models; with neither, the providers. Prices are those of the day `as_of` (default: today).
    """
    day, dated = _day(as_of, today), freshness(today)
    every = list(api_prices.all_cards(provider, as_of=day))
    if model is None and provider is None:
        sellers = [one.provider for one in every]
        rows = [{"provider": name, "models": sellers.count(name)} for name in dict.fromkeys(sellers)]
        return Answer("prices list", {"data": dated, "providers": rows}, (view.providers_table(rows, dated),))
    found = _named(every, model or "")
    if not found:
        raise UnknownIdError("API model", model or "", [one.model for one in every])
    found.sort(key=lambda one: [*(float(price_of(one.rates, kind) or 0) for kind in ("output", "input")), one.model])
    rows = [card_row(one, today) for one in found]
    data = {"as_of": day, "data": dated, "prices": rows}
    return Answer("prices list", data, (view.cards_table(data),), sources=tuple(map(card_source, found)))


def prices_history(model: str, provider: str | None = None, *, today: datetime.date | None = None) -> Answer:
    """Every known list price of a model with its days, how fast it fell, and how fast its level of capability did.

    Rates of decline run from the first dated price to the day of the data.
    """
    points = api_history.history(model, provider)
    dated = freshness(today)
    end = dated["date"]
    sold = not api_history.withdrawn(model, provider)
    data: dict[str, Any] = {
        "model": points[-1].model,
        "provider": points[-1].provider,
        "sold": sold,
        "data": dated,
        "points": point_rows(points, end),
        "decline_per_year": declines(points if sold else (), end),
        "levels": [level_row(name, end) for name in points[-1].reaches],
    }
    return Answer(
        "prices history",
        data,
        history_view.tables(data),
        history_view.charts(data),
        history_view.summary(data),
        (*map(point_source, points), *equations_used(decline_per_year, cheapest_so_far)),
    )


def prices_bill(
    models: Sequence[str],
    *,
    input_tokens: int,
    output_tokens: int,
    requests: int = 1,
    cached_tokens: int = 0,
    written_tokens: int = 0,
    provider: str | None = None,
    service: str = "standard",
    discount: float | str = 0,
    as_of: str | None = None,
    at: str | None = None,
    today: datetime.date | None = None,
) -> Answer:
    """Bill of equal requests at one or several models side by side, component by component.

    `cached_tokens` and `written_tokens` are the parts of the input read from, and written to, the prompt cache;
    `at` is a time of day (UTC) for models with peak hours, which else have the prices of their dearest hours.
    """
    if not models:
        raise InputError("models=[] names nothing to bill; give one or more models")
    usage = Usage(input_tokens, output_tokens, cached_tokens, written_tokens)
    day, hour = _day(as_of, today), _hour(at)
    cards = [api_prices.card(name, provider, as_of=day, at=hour) for name in models]
    offers = [rates_of(card, service) for card in cards]
    bills = [request_bill(rates, usage, requests, decimal(discount)) for rates in offers]
    rows = [bill_row(card, bill, usage, requests) for card, bill in zip(cards, bills, strict=True)]
    for row, bill, rates in zip(rows, bills, offers, strict=True):
        row["saved_usd"] = bills[0].total_usd - bill.total_usd
        row["same_at_input_per_output"] = crossing(offers[0], rates)
    data: dict[str, Any] = {
        "as_of": day,
        "data": freshness(today),
        "service": service,
        "discount": decimal(discount),
        "requests": requests,
        "usage": vars(usage),
        "bills": rows,
    }
    return Answer(
        "prices bill",
        data,
        view.bill_tables(data),
        view.bill_charts(data),
        view.bill_summary(data),
        (*map(card_source, cards), *equations_used(tier_usd_per_mtok, leaf_usd_per_mtok, workload_bill)),
    )


def rates_of(card: ApiPrice, service: str = "standard") -> Rates:
    """The card's prices for a way to be served: standard, batch, flex, priority, fast. Raises InputError."""
    if service == "standard":
        return card.rates
    if service not in card.variants:
        listed = ", ".join(["standard", *card.variants])
        raise InputError(f"service={service!r}: {card.provider} lists no such price for {card.model}; it has {listed}")
    return card.variants[service]


def _named(cards: Sequence[ApiPrice], model: str) -> list[ApiPrice]:
    """Cards of that model under any seller's name, else those whose names hold the text."""
    same = [one for one in cards if model and api_prices.normal(one.model) == api_prices.normal(model)]
    return same or [one for one in cards if model.lower() in f"{one.model} {one.name}".lower()]


def _day(as_of: str | None, today: datetime.date | None) -> str:
    if as_of is None:
        return (today or datetime.date.today()).isoformat()
    try:
        return datetime.date.fromisoformat(as_of).isoformat()
    except ValueError:
        raise InputError(f"as_of={as_of!r} is no day; write for example 2024-06-01") from None


def _hour(at: str | None) -> datetime.time | None:
    try:
        return None if at is None else datetime.time.fromisoformat(at)
    except ValueError:
        raise InputError(f"at={at!r} is no time of day; write for example 02:30, in UTC") from None
