"""List prices of APIs by model, provider and day: the price card that holds, and who sells a model.

Knows the names of models and sellers. Knows no formula and no clock: days and hours are given. The prices
themselves come from `api_cards`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from costline.catalog.api_cards import cards_of, dated_models, providers, snapshot
from costline.catalog.api_records import ApiPrice, PeakHours, Rates
from costline.errors import InputError, UnknownIdError, nearest_names

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

__all__ = ["all_cards", "at_hour", "card", "cards", "find", "normal", "sellers", "snapshot"]

_SERVED_AS = re.compile(
    r"[-_](instruct[-_]turbo|fp8[-_]fast|instruct|it|versatile|fp8|bf16|hf|reference|maas|v1:0|latest)(?=[-_:]|$)"
)
_SOLD_BY = re.compile(r"^(databricks-|us\.|global\.|eu\.)*(meta[-.](?=llama))?")


def card(
    model: str, provider: str | None = None, *, as_of: str | None = None, at: datetime.time | None = None
) -> ApiPrice:
    """The price card of a model on the day `as_of` (default: the day of the data), at a time of day (UTC).

    Without a time, a model with peak hours has the dearest hours' prices: load comes when others come.
    Raises UnknownIdError if nobody sells the model, InputError if several do and none is named.
    """
    dated = cards(model, provider)
    held = _held(dated, as_of or snapshot().date)
    if held is None:
        first = f"its first known price is of {dated[0].valid_from}; give a later day"
        raise InputError(f"as_of={as_of}: {dated[0].provider} did not sell {dated[0].model} yet; {first}")
    return at_hour(held, at)


def at_hour(one: ApiPrice, at: datetime.time | None) -> ApiPrice:
    """The card with the prices of a time of day (UTC), or of the dearest hours where none is given."""
    if not one.peak:
        return one
    if at is None:
        return replace(one, rates=max([one.rates, *(peak.rates for peak in one.peak)], key=_dearness))
    inside = [peak.rates for peak in one.peak if _covers(peak, at)]
    return replace(one, rates=inside[-1]) if inside else one


def cards(model: str, provider: str | None = None) -> tuple[ApiPrice, ...]:
    """Every dated price card of a model at one provider, oldest first.

    A dated snapshot of the model that is priced apart (`gpt-4o-2024-05-13`) counts as its price until the next.
    """
    seller, found = find(model, provider)
    own = cards_of(seller, found)
    older = [
        replace(one, valid_from=day, valid_until=own[0].valid_from)
        for day, other in dated_models(seller.id).get(found.id, ())
        if day < own[0].valid_from
        for one in cards_of(seller, other)[-1:]
    ]
    return (*sorted(older, key=lambda one: one.valid_from), *own)


def all_cards(provider: str | None = None, *, as_of: str | None = None) -> Iterator[ApiPrice]:
    """The card of every model for text, of one provider or all, on a day (default: the day of the data)."""
    day = as_of or snapshot().date
    for seller in [_provider(provider)] if provider else providers().values():
        for model in seller.models:
            held = _held(cards_of(seller, model), day)
            if held and held.rates.input and held.rates.output:
                yield at_hour(held, None)


def sellers(model: str, *, as_of: str | None = None) -> tuple[ApiPrice, ...]:
    """Cards of everyone who sells a model, by whatever name; a model of the catalog is found by its own id too."""
    wanted = normal(model)
    return tuple(one for one in all_cards(as_of=as_of) if normal(one.model) == wanted)


def find(model: str, provider: str | None = None) -> tuple[Provider, ModelInfo]:
    """The provider and its model of that name: the maker's own API where it has one and no provider is named."""
    if provider is not None:
        seller = _provider(provider)
        found = _model_of(seller, model)
        if found is None:
            raise UnknownIdError(f"model of {seller.id}", model, [one.id for one in seller.models])
        return seller, found
    head, _, tail = model.partition("/")
    named = providers().get(head.lower())
    makers = [one for one in providers().values() if one.model_match and one.model_match.is_match(model.lower())]
    for seller, name in ([(named, tail)] if named and tail else []) + [(maker, model) for maker in makers]:
        if found := _model_of(seller, name):
            return seller, found
    return _sold_by_one(model)


def normal(name: str) -> str:
    """A model's name without maker, seller and way of serving: what the names of its sellers share.

    >>> normal("meta-llama/Llama-3.3-70B-Instruct"), normal("meta.llama3-3-70b-instruct-v1:0")
    ('llama3370b', 'llama3370b')
    """
    if name.startswith("~"):  # a name that follows the newest model is no model's name
        return name
    bare = _SOLD_BY.sub("", name.lower().rsplit("/", 1)[-1])
    return re.sub(r"[^a-z0-9:]+", "", _SERVED_AS.sub("", bare))


def _held(dated: Iterable[ApiPrice], day: str) -> ApiPrice | None:
    return max((one for one in dated if one.valid_from <= day), key=lambda one: one.valid_from, default=None)


def _provider(id: str) -> Provider:
    known = providers()
    if id.lower() not in known:
        raise UnknownIdError("API provider", id, known)
    return known[id.lower()]


def _model_of(seller: Provider, name: str) -> ModelInfo | None:
    exact = _sole(seller.models, lambda one: one.id.lower() == name.lower())
    return exact or seller.find_model(name) or _sole(seller.models, lambda one: normal(one.id) == normal(name))


def _sole(models: Iterable[ModelInfo], test: Callable[[ModelInfo], bool]) -> ModelInfo | None:
    """The one model that passes, or the first of several that cost the same."""
    found = [one for one in models if test(one)]
    return found[0] if found and all(one.prices == found[0].prices for one in found) else None


def _sold_by_one(model: str) -> tuple[Provider, ModelInfo]:
    listed = ((seller, _model_of(seller, model)) for seller in providers().values())
    found = [(seller, own) for seller, own in listed if own]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(seller.id for seller, _ in found)
        raise InputError(f"model {model!r} is sold by {names}; name one with provider")
    by_name = {normal(one.id): one.id for seller in providers().values() for one in seller.models}
    raise UnknownIdError("API model", model, [by_name[near] for near in nearest_names(normal(model), by_name)])


def _dearness(rates: Rates) -> list[float]:
    return [float(rate.usd_per_mtok) if rate else 0.0 for rate in (rates.output, rates.input)]


def _covers(peak: PeakHours, at: datetime.time) -> bool:
    start, end, moment = (one.replace(tzinfo=None) for one in (peak.start, peak.end, at))
    return start <= moment < end if start <= end else moment >= start or moment < end
