"""Rented accelerators in an answer: the offer that a block of the scenario means, and its range."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from costline.answers.answer import Used
from costline.answers.assumption import Assumption, settled
from costline.answers.choices import Price, the_price
from costline.answers.citing import price_used
from costline.answers.money_blocks import RentBlock
from costline.answers.scenario import PriceBlock
from costline.catalog import find
from costline.catalog.records import Chip, Offer
from costline.errors import InputError


@dataclass(frozen=True)
class Rental:
    """What an accelerator-hour costs, and whether idle hours can be given back."""

    name: str
    price: Assumption
    """USD per accelerator-hour."""
    by_the_hour: bool
    """False: paid in every hour, as a reservation is."""
    lot: int
    facts: tuple[Used, ...]


def the_rental(block: RentBlock, chip: Chip, replica: int, today: datetime.date, price: PriceBlock) -> Rental:
    """The rental that a block means; `replica` is the accelerators of one replica, which come together by default."""
    lot = block.lot or replica
    paid_by_hour = block.term != "reserved"
    if block.usd_per_accelerator_hour is not None or _is_given(block, price):
        own = block.usd_per_accelerator_hour
        blank = _assumption(0.0, 0.0, 0.0)
        known = the_price(price, chip)
        given = settled(blank, own if own is not None else known.usd_per_hour if known else None, block.as_of)
        return Rental(f"rented {block.term}", given, paid_by_hour, lot, ())
    offer, others = _offer(block, chip, today, price)
    by_price = [one.usd_per_accelerator_hour for one in others]
    likely = offer.usd_per_accelerator_hour
    known = offer.provenance[""]
    spread = f"; {len(others)} offers of that day" if len(others) > 1 else ""
    cost = replace(
        _assumption(min(by_price), likely, max(by_price)), kind=known.kind, source=offer.id, date=offer.date,
        note=f"{offer.provider} {offer.term}{spread}",
    )  # fmt: skip
    facts = price_used(chip.id, Price(likely, offer))
    return Rental(f"rented {offer.term}", cost, offer.term != "reserved", lot, facts)


def _is_given(block: RentBlock, price: PriceBlock) -> bool:
    return block.offer is None and block.provider is None and price.accelerator_usd_per_hour is not None


def _assumption(low: float, likely: float, high: float) -> Assumption:
    return Assumption(
        name="rent_price", label="rental price", unit="USD per accelerator-hour", low=low, likely=likely, high=high,
        kind="given", source="scenario",
    )  # fmt: skip


def _offer(
    block: RentBlock, chip: Chip, today: datetime.date, price: PriceBlock
) -> tuple[Offer, Sequence[Offer]]:
    """The offer, and those that it was chosen from: only itself where it was named."""
    named = block.offer or (price.offer if block.provider is None else None)
    if named is not None:
        offer = find.offer(named)
        if offer.chip != chip.id:
            raise InputError(f"rent.offer={named!r} is for {offer.chip}, not {chip.id}; name an offer for it")
        return offer, (offer,)
    day = today.isoformat()
    found = [
        one for one in find.offers_for(chip.id, term=block.term, as_of=day) if block.provider in (None, one.provider)
    ]
    if not found:
        whose = f" by {block.provider}" if block.provider else ""
        known = [one for one in find.offers_for(chip.id, as_of=day) if one.term != "assumption"]
        own = sorted({one.term for one in known if one.provider == block.provider})
        sold = sorted({one.provider for one in known if one.term == block.term})
        has = f"{block.provider} offers it {', '.join(own)}" if own else f"{block.term}: {', '.join(sold) or 'nobody'}"
        raise InputError(
            f"rent: no {block.term} offer of {chip.id}{whose} is catalogued; {has}: name one, or give "
            "usd_per_accelerator_hour"
        )
    if block.provider is not None:
        return found[0], found[:1]
    newest = [one for one in found if one.date == found[0].date]
    return newest[(len(newest) - 1) // 2], newest
