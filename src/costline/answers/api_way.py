"""An API in an answer: the card that a block of the scenario means, and what a request costs there."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from costline.answers.answer import Used
from costline.answers.assumption import Assumption
from costline.answers.money_blocks import ApiBlock
from costline.answers.prices import rates_of
from costline.answers.prices.rows import card_source
from costline.catalog import api_prices
from costline.catalog.api_cards import SOURCE
from costline.catalog.api_records import ApiPrice, Rates, decimal, flat_rates
from costline.catalog.records import Model
from costline.errors import UnknownIdError
from costline.money.api_bill import Usage, request_bill
from costline.money.api_price import scaled_rates
from costline.quantities import MEGA


@dataclass(frozen=True)
class ApiWay:
    """Who sells the model, at which prices."""

    name: str
    provider: str
    model: str
    rates: Rates
    price: Assumption
    """USD per million tokens of the question's mix of input and output."""
    deprecated: bool
    facts: tuple[Used, ...]


def the_api(block: ApiBlock, model: Model, usage: Usage, today: datetime.date) -> ApiWay:
    """The API that a block means: a contract's price, a named provider's card, or the median seller's."""
    if block.input_usd_per_mtok is not None and block.output_usd_per_mtok is not None:
        rates = _less(flat_rates(block.input_usd_per_mtok, block.output_usd_per_mtok), block.discount)
        name = block.model or model.id
        cost = _usd_per_mtok(rates, usage)
        return ApiWay(f"API, {name}", "contract", name, rates, _price((cost, cost, cost), block.as_of), False, ())
    if block.provider is not None or block.model is not None:
        cards = (_card(block, model, today),)
    else:
        cards = median_first(sellers(model, today), block, usage)
    costs = [_usd_per_mtok(_less(rates_of(card, block.service), block.discount), usage) for card in cards]
    chosen = cards[0]
    span = min(costs), costs[0], max(costs)
    note = f"the lower median of {len(cards)} sellers" if len(cards) > 1 else ""
    return ApiWay(
        name=f"API, {chosen.provider}",
        provider=chosen.provider,
        model=chosen.model,
        rates=_less(rates_of(chosen, block.service), block.discount),
        price=_price(span, None, note, listed=True),
        deprecated=chosen.deprecated,
        facts=(card_source(chosen),),
    )


def sellers(model: Model, today: datetime.date) -> list[ApiPrice]:
    """Everyone who sells the model and means to go on; raises UnknownIdError if nobody does."""
    found = [one for one in api_prices.sellers(model.id, as_of=today.isoformat()) if not one.deprecated]
    if not found:
        every = {one.model for one in api_prices.all_cards(as_of=today.isoformat())}
        raise UnknownIdError(f"API model (name one with api: {{model: …}}; nobody lists {model.id})", model.id, every)
    return found


def median_first(cards: Sequence[ApiPrice], block: ApiBlock, usage: Usage) -> tuple[ApiPrice, ...]:
    """Cards that list the asked way to be served, the lower median by the cost of a request first."""
    able = [one for one in cards if block.service == "standard" or block.service in one.variants] or list(cards)
    able.sort(key=lambda one: (_usd_per_mtok(rates_of(one, block.service), usage), one.provider))
    middle = able[(len(able) - 1) // 2]
    return (middle, *(one for one in able if one is not middle))


def _card(block: ApiBlock, model: Model, today: datetime.date) -> ApiPrice:
    return api_prices.card(block.model or model.id, block.provider, as_of=today.isoformat())


def _less(rates: Rates, discount: float) -> Rates:
    return scaled_rates(rates, 1 - decimal(discount)) if discount else rates


def _usd_per_mtok(rates: Rates, usage: Usage) -> float:
    tokens = Decimal(usage.input_tokens) + Decimal(usage.output_tokens)
    return float(request_bill(rates, usage).total_usd / tokens) * MEGA


def _price(span: tuple[float, float, float], as_of: str | None, note: str = "", *, listed: bool = False) -> Assumption:
    low, likely, high = span
    return Assumption(
        name="api_price", label="API price", unit="USD per Mtok, all tokens", low=low, likely=likely, high=high,
        kind="vendor" if listed else "given", source=SOURCE if listed else "scenario",
        date=api_prices.snapshot().date if listed else as_of or "", note=note,
    )  # fmt: skip

