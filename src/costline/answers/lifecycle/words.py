"""Words about a model's life: the answers in a few lines, each price with its age. Computes nothing."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from costline.answers.choices import Price
from costline.catalog import find
from costline.catalog.records import Model
from costline.money.price import STALE_DAYS, price_age_days
from costline.quantities import PERCENT, format_count, significant

SMALLEST_SAVING = 0.005
"""Below half a per cent another size is no advice."""


def price_text(price: Price, chip: str, today: datetime.date) -> str:
    """A price with its provider and date; older than 90 days, it says so."""
    if price.offer is None:
        return f"${price.usd_per_hour:g} per {chip}-hour, as given"
    offer = price.offer
    age = price_age_days(offer.date, today)
    stale = f" — {age} days old, check it" if age is not None and age > STALE_DAYS else ""
    return f"${price.usd_per_hour:g} per {chip}-hour, {offer.provider} {offer.term} of {offer.date}{stale}"


def serving_text(serve: Mapping[str, Any], today: datetime.date) -> str:
    """The unit cost of serving, and the deployment it comes from."""
    unit = f"${significant(serve['usd_per_mtok'])} per million answer tokens"
    plan = serve["deployment"]
    if plan is None:
        return f"{unit}, assumed"
    named = plan["price_source"]
    price = Price(plan["price_usd_per_accelerator_hour"], None if named == "given" else find.offer(named))
    rent = price_text(price, plan["accelerator"], today)
    return f"{unit}: {plan['layout']} on {plan['accelerator']}, {plan['weights']}, at {rent}"


def summary(model: Model, data: Mapping[str, Any], price: Price, today: datetime.date) -> str:
    """The four answers, one line each, then the prices and what they hang on."""
    train, serve, cross = data["training"], data["serving"], data["crossover"]
    lines = [
        f"Train: {model.name} on {format_count(train['tokens'])} tokens costs ${train['usd']:,.0f}: "
        f"{train['accelerator_hours']:,.0f} {train['accelerator']}-hours at {train['mfu'] * PERCENT:.0f} % "
        f"utilisation ({train['mfu_source']}), {train['days']:,.0f} days on {train['accelerators']:,}.",
        f"Serve: {format_count(serve['output_tokens'])} answer tokens over {serve['years']} years cost "
        f"${serve['usd']:,.0f}, {serving_text(serve, today)}.",
        _crossover_line(cross),
        _size_line(data["alternatives"]),
        f"Price in training: {price_text(price, train['accelerator'], today)}.",
    ]
    origins = {"utilisation": train["mfu_source"], "cost of serving": serve["usd_per_mtok_source"]}
    assumed = [name for name, origin in origins.items() if origin == "assumed"]
    if assumed:
        lines.append(f"Assumed, not computed: {', '.join(assumed)}.")
    return "\n".join(lines)


def _crossover_line(cross: Mapping[str, Any]) -> str:
    tokens = format_count(cross["output_tokens_over_life"] or cross["output_tokens"])
    if not cross["reached"]:
        share = cross["serving_over_training"]
        part = f": the years asked reach {share * PERCENT:.0f} % of it" if share is not None else ""
        return f"Crossover: serving costs as much as training after {tokens} answer tokens{part}."
    return (
        f"Crossover: serving has cost as much as training after {tokens} answer tokens, {cross['years']:.2f} years in; "
        f"over the whole life it costs {significant(cross['serving_over_training'])} times as much."
    )


def _size_line(rows: Sequence[Mapping[str, Any]]) -> str:
    asked, best = rows[0], rows[2]
    saved = 1 - best["present_usd"] / asked["present_usd"]
    if saved < SMALLEST_SAVING:
        return "Size: no other size at the same loss would cost less over the life."
    side = "smaller" if best["parameters"] < asked["parameters"] else "larger"
    longer = "longer" if best["training_tokens"] > asked["training_tokens"] else "shorter"
    return (
        f"Size: at the same loss a {side} model trained {longer}, {format_count(best['parameters'])} parameters on "
        f"{format_count(best['training_tokens'])} tokens, would cost ${best['training_usd']:,.0f} to train and "
        f"${best['serving_usd']:,.0f} to serve: {saved * PERCENT:.0f} % less in today's money."
    )
