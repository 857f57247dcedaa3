"""Costs beside those of accelerators by the hour: transfers, links, nodes, sites, failures, lives, discounts, permits.

Knows the files below `data/costs/` and what an entry of each holds. Knows no formula (see `money`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from costline.catalog.cost_records import (
    AddOn,
    BookLife,
    DiscountRange,
    FailureRun,
    Link,
    NodeCost,
    PartCost,
    Permit,
    SiteCost,
    Transfer,
)
from costline.catalog.fields import DATE
from costline.catalog.read import Block, Field, Many, Number, Table, Text, read_all
from costline.errors import CatalogError
from costline.quantities import BITS_PER_BYTE, GIGA

_SHORT_TON_KG = 907.18474
_SHARE = Number(maximum=1.0)
_MORE = Number(positive=True)
_DATE = Field(Text(pattern=DATE), about="day of the price; month or year where no more is known")
_NOTES = Field(Text(), default="")
_PROVIDER = Field(Text(), about="who sends the bill")

_TRANSFER = Block({
    "provider": _PROVIDER,
    "path": Field(Text(("internet", "cross-zone"))),
    "from_gb": Field(Many(Number(GIGA)), to="from_bytes", about="where each tier begins, from 0"),
    "usd_per_gb": Field(Many(Number()), about="rate of each tier"),
    "date": _DATE, "notes": _NOTES,
})  # fmt: skip
_LINK = Block({
    "provider": _PROVIDER,
    "gbit_per_s": Field(Number(GIGA / BITS_PER_BYTE, positive=True), to="bytes_per_s"),
    "usd_per_hour": Field(_MORE),
    "date": _DATE, "notes": _NOTES,
})  # fmt: skip
_PART = Block(
    {"usd": Field(Number(), default=None), "life_years": Field(_MORE), "salvage_share": Field(_SHARE)}, PartCost
)
_NODE = Block({
    "chip": Field(Text(), about="id of the accelerator; empty = any"),
    "accelerators": Field(Number(whole=True, minimum=1)),
    "parts": Field(Table(_PART), about="bought per accelerator"),
    "rated_w": Field(_MORE, default=None),
    "host_w": Field(Number()),
    "busy_fraction": Field(_SHARE),
    "idle_fraction": Field(_SHARE),
    "embodied_kg": Field(Number()),
    "embodied_life_years": Field(_MORE),
    "notes": _NOTES,
})  # fmt: skip
_SITE = Block({
    "interest_per_year": Field(Number()),
    "colocation_usd_per_kw_month": Field(Number()),
    "staff_usd_per_accelerator_year": Field(Number()),
    "support_per_year": Field(_SHARE),
    "repair_days": Field(Number()),
    "replacement_share": Field(_SHARE),
    "notes": _NOTES,
})  # fmt: skip
_FAILURES = Block({
    "chip": Field(Text()), "failures": Field(Number(whole=True)), "accelerators": Field(Number(whole=True, minimum=1)),
    "days": Field(_MORE), "notes": _NOTES,
})  # fmt: skip
_LIFE = Block({"owner": Field(Text()), "years": Field(_MORE), "date": _DATE, "notes": _NOTES})
_DISCOUNT = Block({
    "what": Field(Text()), "low": Field(_SHARE), "high": Field(_SHARE),
    "from_usd": Field(Number(), default=0.0), "date": _DATE, "notes": _NOTES,
})  # fmt: skip
_ADDON = Block({
    "provider": _PROVIDER, "what": Field(Text()), "low_usd_per_month": Field(Number()),
    "high_usd_per_month": Field(Number()), "date": _DATE, "notes": _NOTES,
})  # fmt: skip
_PERMIT = Block({
    "area": Field(Text()),
    "threshold_short_tons": Field(Number(_SHORT_TON_KG, positive=True), to="threshold_kg"),
    "notes": _NOTES,
})  # fmt: skip

Record = TypeVar("Record")


def _read(section: str, block: Block, record: Callable[..., Record]) -> dict[str, Record]:
    entries = read_all(section, block, "costs", f"{section}.yml")
    return {id: record(id=id, **entry.values, provenance=entry.provenance) for id, entry in entries.items()}


@lru_cache(maxsize=1)
def transfers() -> dict[str, Transfer]:
    """Prices of moving bytes by id."""
    found = _read("transfers", _TRANSFER, Transfer)
    for item in found.values():
        ascending = list(item.from_bytes) == sorted(set(item.from_bytes)) and item.from_bytes[:1] == (0.0,)
        if not ascending or len(item.from_bytes) != len(item.usd_per_gb):
            raise CatalogError(f"costs/transfers.yml: {item.id}: from_gb must ascend from 0, with one usd_per_gb each")
    return found


@lru_cache(maxsize=1)
def links() -> dict[str, Link]:
    """Rented links by id."""
    return _read("links", _LINK, Link)


@lru_cache(maxsize=1)
def nodes() -> dict[str, NodeCost]:
    """Owned nodes by id."""
    return _read("nodes", _NODE, NodeCost)


@lru_cache(maxsize=1)
def sites() -> dict[str, SiteCost]:
    """Places for owned nodes by id."""
    return _read("sites", _SITE, SiteCost)


@lru_cache(maxsize=1)
def failure_runs() -> dict[str, FailureRun]:
    """Runs whose failures were counted, by id."""
    return _read("failures", _FAILURES, FailureRun)


@lru_cache(maxsize=1)
def book_lives() -> dict[str, BookLife]:
    """Lives in the books by owner."""
    return _read("lives", _LIFE, BookLife)


@lru_cache(maxsize=1)
def discounts() -> dict[str, DiscountRange]:
    """Ranges of discounts by id."""
    return _read("discounts", _DISCOUNT, DiscountRange)


@lru_cache(maxsize=1)
def addons() -> dict[str, AddOn]:
    """Extras on a bill by id."""
    return _read("addons", _ADDON, AddOn)


@lru_cache(maxsize=1)
def permits() -> dict[str, Permit]:
    """Thresholds of air permits by kind of area."""
    return _read("permits", _PERMIT, Permit)


LOADERS: dict[str, Callable[[], dict[str, Any]]] = {
    "transfers": transfers,
    "links": links,
    "nodes": nodes,
    "sites": sites,
    "failures": failure_runs,
    "lives": book_lives,
    "discounts": discounts,
    "addons": addons,
    "permits": permits,
}
"""By the name of their file."""


def node_for(chip_id: str) -> NodeCost:
    """The node of an accelerator, or the one that stands for any."""
    return next((node for node in nodes().values() if node.chip == chip_id), nodes()["any"])
