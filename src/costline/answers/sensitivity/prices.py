"""What an hour of the plan's accelerator costs: a fifth less or more, and what providers ask for it."""

from __future__ import annotations

from costline.answers.sensitivity.around import Around
from costline.answers.sensitivity.what_if import Effect, WhatIf, ranged
from costline.catalog import find
from costline.catalog.records import Offer

FIFTH = 0.2
TERMS = ("on-demand", "reserved", "spot")


def prices(base: Around) -> list[Effect]:
    """Effects of the price of an hour."""
    chip, now = base.group.site.chip, base.group.price.usd_per_hour
    hour = Effect(
        name="accelerator_hour", group="prices", label=f"hour of one {chip.id}", unit="USD/hour", base=now,
        at=lambda value: WhatIf(value=value, words=f"${value:.2f}", usd_per_hour=value),
        note="other accelerators keep their price",
    )  # fmt: skip
    found = [ranged(hour, now * (1 - FIFTH), now * (1 + FIFTH))] if now > 0 else []
    return found + _offers(chip.id, now)


def _offers(chip: str, now: float) -> list[Effect]:
    """The cheapest and the dearest offer of the newest day that the catalogue has."""
    listed = [offer for offer in find.offers_for(chip) if offer.term in TERMS]
    newest = [offer for offer in listed if offer.date == listed[0].date]
    if not newest:
        return []
    cheap, dear = newest[0], newest[-1]
    return [
        Effect(
            name="offers", group="prices", label=f"offers of {chip}", unit="USD/hour", base=now,
            low=_at(cheap) if cheap.usd_per_accelerator_hour < now else None,
            high=_at(dear) if dear.usd_per_accelerator_hour > now else None,
            note=f"{len(newest)} offers of {newest[0].date}; spot instances can be taken away",
        )
    ]  # fmt: skip


def _at(offer: Offer) -> WhatIf:
    price = offer.usd_per_accelerator_hour
    return WhatIf(value=price, words=f"${price:.2f} ({offer.provider} {offer.term})", usd_per_hour=price)
