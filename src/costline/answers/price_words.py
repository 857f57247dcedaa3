"""Where an hourly price is from, of which day, and whether it is too old to trust: said wherever a price is shown."""

from __future__ import annotations

import datetime
from typing import Any

from costline.catalog import find
from costline.catalog.records import Offer
from costline.money.price import STALE_DAYS, price_age_days

GIVEN = "given"


def price_words(source: str, usd_per_hour: float, chip: str, today: datetime.date | None = None) -> str:
    """One sentence on a price: the offer with its date, flagged when it is older than 90 days."""
    price = f"${usd_per_hour:g} per {chip}-hour"
    if source == GIVEN:
        return f"Price: {price}, as given."
    offer = find.offer(source)
    age = age_of(offer, today)
    stale = f" — {age['age_days']} days old, check it" if age["stale"] else ""
    return f"Price: {price}, {offer.provider} {offer.term} of {offer.date}{stale}."


def age_of(offer: Offer, today: datetime.date | None = None) -> dict[str, Any]:
    """Age of an offer in days (None if its date names the running month or year), and whether it is stale."""
    age = price_age_days(offer.date, today or datetime.date.today())
    return {"age_days": age, "stale": age is not None and age > STALE_DAYS}
