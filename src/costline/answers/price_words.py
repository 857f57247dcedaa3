"""Where a price is from, of which day, and whether it is too old to trust: said wherever a price is shown."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from costline.catalog import find
from costline.catalog.records import Offer
from costline.money.price import STALE_DAYS, price_age_days
from costline.quantities import PERCENT, significant
from costline.render import Column, Table

Row = Mapping[str, Any]
GIVEN = "given"
_PRICES = (
    Column("label", "price"),
    Column("value", "taken as"),
    Column("source", "source"),
    Column("date", "of"),
    Column("age_days", "days old", "count"),
    Column("remark", "note"),
)


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


def dollars(usd: float) -> str:
    """Whole dollars, or as many digits as a small sum needs."""
    if not math.isfinite(usd):
        return "never"
    sign = "-" if usd < 0 else ""
    return f"{sign}${abs(usd):,.0f}" if abs(usd) >= PERCENT or usd == 0 else f"{sign}${significant(abs(usd), 2)}"


def quantity(value: float, unit: str) -> str:
    """A number with its unit, dollars with their sign."""
    text = f"${significant(value)}" if unit.startswith("USD") else significant(value)
    return f"{text} {unit.removeprefix('USD').strip()}".strip()


def price_table(rows: Sequence[Row]) -> Table:
    """Prices that an answer rests on, with their sources and days."""
    return Table("Prices", _PRICES, tuple(map(_price_texts, rows)))


def _price_texts(row: Row) -> dict[str, Any]:
    """A price with its day and age; one older than 90 days says so."""
    source = "as given" if row["kind"] == "given" else "assumed" if row["kind"] == "assumed" else row["source"]
    stale = f"OLDER THAN {STALE_DAYS} DAYS" if row["stale"] else ""
    stale = "day not known, age unsure" if row["date"] and row["age_days"] is None else stale
    remark = "; ".join(text for text in (stale, row["note"]) if text)
    value = quantity(row["likely"], row["unit"])
    return {**row, "value": value, "source": source, "date": row["date"] or "–", "remark": remark}


def prices_note(rows: Sequence[Row]) -> str:
    """The day of every price in a line, for a figure; one older than 90 days says so."""
    old = f" (older than {STALE_DAYS} days)"
    dates = [f"{row['label']} of {row['date']}{old if row['stale'] else ''}" for row in rows if row["date"]]
    return f"Prices: {', '.join(dates)}." if dates else "Prices as given or assumed."
