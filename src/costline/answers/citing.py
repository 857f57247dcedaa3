"""How an answer cites what it used: a fact with its source and day, a price, an equation with its reference."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from costline.answers.answer import Used
from costline.answers.choices import Price
from costline.catalog.records import Provenance


def fact_used(what: str, value: str, provenance: Provenance) -> Used:
    """A fact, where it is from and when it was read."""
    return Used(what, value, provenance.kind, provenance.source, provenance.retrieved)


def provenance_of(known: Mapping[str, Provenance], field: str) -> Provenance:
    """Where a field is from: its own source, that of the table it stands in, or that of the whole record."""
    return known.get(field, known.get(field.partition(".")[0], known[""]))


def price_used(chip: str, price: Price | None) -> tuple[Used, ...]:
    """The price of an accelerator: an offer with its day, or what the question gives; nothing without a price."""
    if price is None:
        return ()
    what = f"price of {chip}"
    if price.offer is None:
        return (Used(what, f"${price.usd_per_hour:g}/hour", "given", "scenario", ""),)
    offer = price.offer
    value = f"${offer.usd_per_accelerator_hour:g}/hour, {offer.provider} {offer.term} of {offer.date}"
    return (fact_used(what, value, offer.provenance[""]),)


@lru_cache(maxsize=512)
def equation_used(function: Callable[..., Any]) -> Used:
    """An equation as its docstring writes it, with the keys of its sources."""
    text = inspect.getdoc(function) or ""
    body = re.search(r"Equation\n(.*?)\n\s*\n", text, re.DOTALL)
    cited = re.search(r"Source\s+(.*?)\n(?:Raises|\s*\n)", text, re.DOTALL)
    formula = " ; ".join(line.strip() for line in body.group(1).splitlines()) if body else ""
    place = f"{function.__module__.removeprefix('costline.')}.{function.__name__}"
    return Used(place, formula, "equation", " ".join((cited.group(1) if cited else "").split()), "")


def equations_used(*functions: Callable[..., Any]) -> tuple[Used, ...]:
    """Equations, in the order given."""
    return tuple(map(equation_used, functions))
