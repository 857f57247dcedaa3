"""What models cost from which day on: price histories of one model, and of a level of capability.

Knows dated price cards, the days in the names of snapshots, and the launch prices of `data/api_launches.yml`.
Knows no formula: rates of decline are in `money.price_history`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from costline.catalog import api_prices
from costline.catalog.api_records import ApiPrice, PricePoint, Rate
from costline.catalog.fields import DATE
from costline.catalog.read import read_all
from costline.catalog.shapes import Block, Entry, Field, Many, Text
from costline.errors import UnknownIdError

_PRICE = r"\d+(\.\d+)?"
LAUNCH = Block({
    "provider": Field(Text(), about="id of the provider"),
    "model": Field(Text(), about="the provider's id of the model"),
    "date": Field(Text(pattern=DATE), about="first day, month or year of the price"),
    "input_usd_per_mtok": Field(Text(pattern=_PRICE), about="USD per million input tokens"),
    "output_usd_per_mtok": Field(Text(pattern=_PRICE), "", about="USD per million output tokens"),
    "reaches": Field(Many(Text()), (), about="levels of capability, by the model that set them"),
})  # fmt: skip


@lru_cache(maxsize=1)
def launches() -> tuple[PricePoint, ...]:
    """Launch prices, oldest first."""
    entries = read_all("launches", LAUNCH, "api_launches.yml").values()
    return tuple(sorted(map(_launch, entries), key=lambda point: point.date))


def history(model: str, provider: str | None = None) -> tuple[PricePoint, ...]:
    """Every known list price of a model at one provider, oldest first; each point is a change.

    A price whose first day is unknown comes first, with an empty date. A model that is no longer sold has the
    prices of its launch.
    """
    if gone := withdrawn(model, provider):
        return _changes(gone)
    dated = api_prices.cards(model, provider)
    seller, id = dated[-1].provider, dated[-1].model
    own = [point for point in launches() if (point.provider, point.model) == (seller, id)]
    reaches = own[-1].reaches if own else ()
    listed = [_point(card, id, reaches) for card in dated]
    known = {_prices(point) for point in own}
    points = [*own, *(point for point in listed if point.date or _prices(point) not in known)]
    return _changes(sorted(points, key=lambda point: point.date))


def withdrawn(model: str, provider: str | None = None) -> tuple[PricePoint, ...]:
    """Launch prices of a model that nobody lists any more; empty for one that is sold or was never known."""
    known = tuple(one for one in launches() if one.model == model and provider in (None, one.provider))
    try:
        return () if known and api_prices.find(model, provider or known[0].provider) else known
    except UnknownIdError:
        return known


def levels() -> tuple[str, ...]:
    """Levels of capability that have a price history, by the model that set each."""
    return tuple(dict.fromkeys(level for point in launches() for level in point.reaches))


def history_of_level(level: str) -> tuple[PricePoint, ...]:
    """Dated prices of every model that was said to reach a level of capability, oldest first."""
    if level not in levels():
        raise UnknownIdError("level of capability", level, levels())
    points: list[PricePoint] = []
    for launch in launches():
        if level in launch.reaches:
            points += [point for point in history(launch.model, launch.provider) if point.date]
    return tuple(sorted(dict.fromkeys(points), key=lambda point: point.date))


def _launch(entry: Entry) -> PricePoint:
    values = entry.values
    return PricePoint(
        model=values["model"],
        provider=values["provider"],
        date=values["date"],
        input_usd_per_mtok=Decimal(values["input_usd_per_mtok"]),
        output_usd_per_mtok=Decimal(values["output_usd_per_mtok"]) if values["output_usd_per_mtok"] else None,
        reaches=values["reaches"],
        provenance=entry.provenance[""],
    )


def _point(card: ApiPrice, model: str, reaches: tuple[str, ...]) -> PricePoint:
    def base(rate: Rate | None) -> Decimal | None:
        return rate.usd_per_mtok if rate else None

    where = card.provenance.get("valid_from", card.provenance[""])
    return PricePoint(
        model, card.provider, card.valid_from, base(card.rates.input), base(card.rates.output), reaches, where
    )


def _changes(points: Iterable[PricePoint]) -> tuple[PricePoint, ...]:
    kept: list[PricePoint] = []
    for point in points:
        if not kept or _prices(point) != _prices(kept[-1]):
            kept.append(point)
    return tuple(kept)


def _prices(point: PricePoint) -> tuple[Decimal | None, Decimal | None]:
    return point.input_usd_per_mtok, point.output_usd_per_mtok
