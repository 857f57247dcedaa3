"""Price cards from the installed `genai-prices` package: its layout to our records.

Knows how that package writes prices, tiers, dates and variants, and how old its data are. Knows no formula, no
clock and no network; the package is imported when a price is first asked for.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from costline.catalog import load
from costline.catalog.api_records import ApiPrice, PeakHours, Rate, Rates, Snapshot
from costline.catalog.records import Provenance

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, Provider

SOURCE = "genai-prices"
_CHECKED = re.compile(r"(?:verified on|checked|as of|last updated)\D{0,12}(20\d\d-\d\d-\d\d)", re.IGNORECASE)
_DATED_NAME = re.compile(r"(.+?)[-@](20\d\d)-?([01]\d)-?([0-3]\d)")
_KINDS = {
    "input": "input_mtok", "output": "output_mtok", "cache_read": "cache_read_mtok", "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok", "reasoning": "output_reasoning_mtok",
}  # fmt: skip


@lru_cache(maxsize=1)
def providers() -> dict[str, Provider]:
    """The package's providers by id."""
    from genai_prices.data import providers as listed

    return {provider.id: provider for provider in listed}


@lru_cache(maxsize=1)
def snapshot() -> Snapshot:
    """The installed prices: their version and the day they were read.

    The package carries no date of its own: it is the release's where `sources.yml` names the installed version,
    else the newest check that the data mention (older than the release, so that age is never understated).
    """
    installed = importlib.metadata.version(SOURCE)
    released = re.search(r"version (\S+) of (\d{4}-\d\d-\d\d)", load.sources()[SOURCE].locator)
    models = [model for provider in providers().values() for model in provider.models]
    if released and released[1] == installed:
        date, date_is = released[2], "the day of its release"
    else:
        texts = [item.price_comments or "" for item in (*providers().values(), *models)]
        date = max((day for text in texts for day in _CHECKED.findall(text)), default="2020-01-01")
        date_is = "the newest check that the data mention"
    return Snapshot(installed, date, date_is, len(providers()), len(models))


def cards_of(provider: Provider, model: ModelInfo) -> tuple[ApiPrice, ...]:
    """The model's price cards by period, oldest first: the last entry that is active on a day wins."""
    from genai_prices.types import ConditionalPrice, StartDateConstraint, TimeOfDateConstraint

    entries = model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
    starts: list[tuple[str, int]] = []
    for place, entry in enumerate(entries):
        limit = entry.constraint
        if not isinstance(limit, TimeOfDateConstraint):
            starts.append((limit.start_date.isoformat() if isinstance(limit, StartDateConstraint) else "", place))
    found: list[ApiPrice] = []
    days = sorted({day for day, _ in starts})
    for day, until in zip(days, [*days[1:], ""], strict=True):
        winner = max(place for start, place in starts if start <= day)
        peak = tuple(
            PeakHours(later.constraint.start_time, later.constraint.end_time, _rates(vars(later.prices)))
            for later in entries[winner:]
            if isinstance(later.constraint, TimeOfDateConstraint)
        )
        card = _card(provider, model, entries[winner].prices, (day or _release(model, until), until))
        found.append(replace(card, peak=peak))
    return tuple(found)


def snapshot_dates(model: ModelInfo) -> dict[str, str]:
    """Days in the names of a model's dated snapshots (`gpt-4o-2024-08-06`), by the name without the day."""
    found: dict[str, str] = {}
    for name in (model.id, *re.findall(r"equals='([^']*)'", str(model.match))):
        match = _DATED_NAME.fullmatch(name)
        if match:
            day = f"{match[2]}-{match[3]}-{match[4]}"
            found[match[1]] = min(day, found.get(match[1], day))
    return found


@lru_cache(maxsize=64)
def dated_models(provider: str) -> dict[str, list[tuple[str, ModelInfo]]]:
    """A provider's models by the name of which they are a snapshot, each with its day."""
    found: dict[str, list[tuple[str, ModelInfo]]] = {}
    for model in providers()[provider].models:
        for name, day in snapshot_dates(model).items():
            found.setdefault(name, []).append((day, model))
    return found


def _release(model: ModelInfo, before: str) -> str:
    """The day of the model's earliest dated snapshot, if it is known and precedes the next price."""
    first = min(snapshot_dates(model).values(), default="")
    return first if not before or first < before else ""


def _card(provider: Provider, model: ModelInfo, prices: ModelPrice, period: tuple[str, str]) -> ApiPrice:
    begin, until = period
    base = Provenance(SOURCE, "vendor", snapshot().date)
    inferred = replace(base, kind="inferred", note="the day in the name of the model's snapshot")
    read_off = begin and begin in snapshot_dates(model).values()
    rates = _rates(vars(prices))
    return ApiPrice(
        provider=provider.id,
        model=model.id,
        name=model.name or model.id,
        rates=rates,
        variants=_variants(model.price_variants or [], rates, (max(begin, snapshot().date), until)),
        valid_from=begin,
        valid_until=until,
        context_tokens=model.context_window,
        deprecated=bool(model.deprecated),
        also_billed=tuple(key for key, price in vars(prices).items() if price and key not in _KINDS.values()),
        urls=tuple(provider.pricing_urls or ()),
        notes=model.price_comments or "",
        provenance={"": base} | ({"valid_from": inferred} if read_off else {}),
    )


def _variants(listed: list[PriceVariant], standard: Rates, period: tuple[str, str]) -> dict[str, Rates]:
    """Prices of other ways to be served that began by the period's first day or the data's, and before its end.

    The first to state a price wins.
    """
    from genai_prices.types import StartDateConstraint

    stated: dict[str, dict[str, object]] = {}
    for variant in listed:
        limit = variant.constraint
        start = limit.start_date.isoformat() if isinstance(limit, StartDateConstraint) else ""
        begun = start <= period[0] and (not period[1] or start < period[1])
        names = [variant.when[key] for key in ("processing", "service_tier", "speed") if key in variant.when]
        if begun and names and names != ["default"]:
            stated[names[0]] = vars(variant.prices) | stated.get(names[0], {})
    return {name: _rates(prices, standard) for name, prices in stated.items()}


def _rates(prices: Mapping[str, object], default: Rates | None = None) -> Rates:
    own = {kind: _rate(prices.get(key)) for kind, key in _KINDS.items()}
    return Rates(**{kind: rate or (getattr(default, kind) if default else None) for kind, rate in own.items()})


def _rate(price: object) -> Rate | None:
    from decimal import Decimal

    from genai_prices.types import TieredPrices

    if isinstance(price, TieredPrices):
        return Rate(price.base, tuple((tier.start, tier.price) for tier in price.tiers))
    return Rate(price) if isinstance(price, Decimal) else None
