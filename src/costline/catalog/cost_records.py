"""What a fact of cost looks like: frozen records of transfers, links, nodes, sites, failures, lives and discounts.

Knows the shape of the facts and their units. Knows no formula and reads no file (see `costs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from costline.catalog.records import Provenance


@dataclass(frozen=True)
class Transfer:
    """Price of moving bytes along one kind of path, by tier of a month's volume."""

    id: str
    provider: str
    path: Literal["internet", "cross-zone"]
    from_bytes: tuple[float, ...]
    """Where each tier begins, from 0."""
    usd_per_gb: tuple[float, ...]
    date: str
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Link:
    """A rented link between regions or clouds."""

    id: str
    provider: str
    bytes_per_s: float
    usd_per_hour: float
    date: str
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class PartCost:
    """Something bought for a node, per accelerator of it."""

    usd: float | None
    """None: depends on the accelerator, whose own price is needed."""
    life_years: float
    salvage_share: float


@dataclass(frozen=True)
class NodeCost:
    """What an owned node costs and draws; `any` stands for accelerators without an entry."""

    id: str
    chip: str
    accelerators: int
    parts: Mapping[str, PartCost]
    rated_w: float | None
    """Nameplate of the whole node; None: accelerators times (TDP + `host_w`)."""
    host_w: float
    """Rated power beside the accelerator itself, per accelerator."""
    busy_fraction: float
    idle_fraction: float
    embodied_kg: float
    """CO2 equivalent of making it, per accelerator."""
    embodied_life_years: float
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class SiteCost:
    """What it takes to keep owned nodes running somewhere, energy apart."""

    id: str
    interest_per_year: float
    colocation_usd_per_kw_month: float
    staff_usd_per_accelerator_year: float
    support_per_year: float
    """Share of the purchase price."""
    repair_days: float
    replacement_share: float
    """Share of an accelerator's price that a failure costs beyond its warranty."""
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class FailureRun:
    """Failures counted in a large run."""

    id: str
    chip: str
    failures: int
    accelerators: int
    days: float
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class BookLife:
    """Life of accelerator servers in an owner's books."""

    id: str
    owner: str
    years: float
    date: str
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class DiscountRange:
    """Discounts that buyers report."""

    id: str
    what: str
    low: float
    high: float
    from_usd: float
    """Spend that must be promised for it."""
    date: str
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class AddOn:
    """Something on a bill beside tokens and hours."""

    id: str
    provider: str
    what: str
    low_usd_per_month: float
    high_usd_per_month: float
    date: str
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Permit:
    """Yearly emissions of one pollutant at which backup generators need a major air permit."""

    id: str
    area: str
    threshold_kg: float
    notes: str
    provenance: Mapping[str, Provenance]
