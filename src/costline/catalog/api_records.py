"""What a price of an API looks like: frozen price cards in Decimal USD per million tokens, with dates.

Knows the shape of list prices: tiers by context, cache reads and writes, batch, peak hours. Knows no formula and
where no price comes from (see `api_prices`).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from costline.catalog.records import Provenance
from costline.errors import InputError

Amount = Decimal | int | float | str
"""What a price may be given as; a float means the decimal that it prints as."""


@dataclass(frozen=True)
class Rate:
    """Price of a million tokens of one kind, with steps by the length of the whole input."""

    usd_per_mtok: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    """(start, price): a request whose input exceeds `start` tokens pays this price for all its tokens."""


@dataclass(frozen=True)
class Rates:
    """Prices by kind of token; None = the provider lists none (see `money.api_price.leaf_usd_per_mtok`)."""

    input: Rate | None
    output: Rate | None
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    """Writes that live about five minutes, or as long as the provider keeps them by default."""
    cache_write_1h: Rate | None = None
    reasoning: Rate | None = None


@dataclass(frozen=True)
class PeakHours:
    """Hours of a day (UTC) with prices of their own; `end` before `start` runs over midnight."""

    start: datetime.time
    end: datetime.time
    rates: Rates


@dataclass(frozen=True)
class ApiPrice:
    """One price card: what a provider asks for a model from a day on."""

    provider: str
    model: str
    name: str
    rates: Rates
    variants: Mapping[str, Rates] = field(default_factory=dict[str, Rates])
    """Other ways to be served, by name: batch, flex, priority, fast."""
    peak: tuple[PeakHours, ...] = ()
    valid_from: str = ""
    """First day of these prices; empty where nothing states it."""
    valid_until: str = ""
    """First day they no longer hold; empty where no later price is known."""
    context_tokens: int | None = None
    deprecated: bool = False
    also_billed: tuple[str, ...] = ()
    """Units with prices that are no text tokens (audio, images, searches): not on this card."""
    urls: tuple[str, ...] = ()
    notes: str = ""
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])


@dataclass(frozen=True)
class PricePoint:
    """A list price that held from a day on: one entry of a model's price history."""

    model: str
    provider: str
    date: str
    """Day, month or year; empty where the first day is not known."""
    input_usd_per_mtok: Decimal | None
    output_usd_per_mtok: Decimal | None
    reaches: tuple[str, ...]
    """Levels of capability that the model was said to reach: the name of the model that set it."""
    provenance: Provenance


@dataclass(frozen=True)
class Snapshot:
    """The body of prices that is installed: which version, and the day its prices were read."""

    version: str
    date: str
    date_is: str
    """How the date is known: the release's own, or the newest check that the data mention."""
    providers: int
    models: int


def decimal(amount: Amount) -> Decimal:
    """An amount as the decimal that it prints as.

    >>> decimal(0.15), decimal("2.50"), decimal(3)
    (Decimal('0.15'), Decimal('2.50'), Decimal('3'))
    """
    try:
        value = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    except ArithmeticError:
        raise InputError(f"amount={amount!r} is not a decimal number; write for example 2.50") from None
    if not value.is_finite():
        raise InputError(f"amount={amount!r} must be finite; write for example 2.50")
    return value


def flat_rates(
    input_usd_per_mtok: Amount,
    output_usd_per_mtok: Amount,
    *,
    cache_read: Amount | None = None,
    cache_write: Amount | None = None,
    cache_write_1h: Amount | None = None,
) -> Rates:
    """Prices without steps, such as a contract's.

    >>> flat_rates(3, 15, cache_read=0.3).cache_read
    Rate(usd_per_mtok=Decimal('0.3'), tiers=())
    """
    given = (input_usd_per_mtok, output_usd_per_mtok, cache_read, cache_write, cache_write_1h)
    return Rates(*(None if amount is None else Rate(decimal(amount)) for amount in given))
