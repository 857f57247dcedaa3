"""What the shapes of fact files cannot hold: rules between facts, plausible figures, fresh prices.

Knows which facts must agree. Knows no clock: the day to judge prices by is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from costline.catalog import load, models
from costline.catalog.efficiency import efficiencies
from costline.catalog.engines import engine_facts
from costline.catalog.find import names_of, normal
from costline.catalog.records import Chip, System

RIDGE_FLOP_PER_BYTE = (1.0, 3000.0)
"""Plausible ratio of a chip's peak to its memory bandwidth."""
STALE_DAYS = 90
NARROWER = (("bf16", "fp8"), ("fp16", "fp8"), ("fp8", "fp6"), ("fp8", "fp4"), ("tf32", "fp16"))
"""Number formats of which the second is at least as fast as the first."""


def check(as_of: str | None = None) -> list[str]:
    """Faults of the catalog, one line each, `error:` or `warning:` first; prices are judged by the day `as_of`."""
    kinds: dict[str, Mapping[str, Any]] = {kind: loader() for kind, loader in load.LOADERS.items()}
    kinds |= {"efficiencies": efficiencies(), "models": models.models(), "engine facts": engine_facts()}
    found = [*_sources(kinds), *_names(kinds), *_pairs(load.chips(), load.systems())]
    for chip in load.chips().values():
        found += _peaks(chip)
    chips = load.chips()
    found += [
        f"error: offer {offer.id}: chip {offer.chip!r} is not in chips/"
        for offer in load.offers().values()
        if offer.chip not in chips
    ]
    return found + (_stale(date.fromisoformat(as_of)) if as_of else [])


def _sources(kinds: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    known = load.sources()
    for kind, records in kinds.items():
        for id, record in records.items():
            for field, provenance in getattr(record, "provenance", {}).items():
                if provenance.source not in known:
                    where = f"{kind} {id}" + (f".{field}" if field else "")
                    yield f"error: {where}: source {provenance.source!r} is not in sources.yml"


def _names(kinds: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Names that mean two entries; places may share a name (Georgia is a country and a state)."""
    for kind in ("chips", "systems", "engines", "workloads", "models"):
        key = models.normal if kind == "models" else normal
        owner: dict[str, str] = {}
        for id, record in kinds[kind].items():
            for name in names_of(record):
                if owner.setdefault(key(name), id) != id:
                    yield f"error: {kind} {id}: name {name!r} also means {owner[key(name)]}"


def _pairs(chips: Mapping[str, Chip], systems: Mapping[str, System]) -> Iterator[str]:
    for chip in chips.values():
        if chip.system not in systems:
            yield f"error: chip {chip.id}: system {chip.system!r} is not in systems/"
    for system in systems.values():
        if system.chip not in chips:
            yield f"error: system {system.id}: chip {system.chip!r} is not in chips/"
        if system.fabric.pair_bytes_per_s > system.fabric.bytes_per_s:
            yield f"error: system {system.id}: pair_gb_per_s exceeds gb_per_s, all links together"


def _peaks(chip: Chip) -> Iterator[str]:
    low, high = RIDGE_FLOP_PER_BYTE
    dense = chip.dense_flop_per_s
    for name, rate in dense.items():
        if not low <= rate / chip.hbm_bytes_per_s <= high:
            ridge = rate / chip.hbm_bytes_per_s
            yield f"error: chip {chip.id}: {name} ridge of {ridge:.3g} FLOP/byte is not within {low:g} to {high:g}"
    for slow, fast in NARROWER:
        if slow in dense and fast in dense and dense[fast] < dense[slow]:
            yield f"error: chip {chip.id}: {fast} is slower than {slow}"
    for name, rate in chip.measured_flop_per_s.items():
        if rate > dense.get(name, 0.0):
            yield f"error: chip {chip.id}: measured {name} exceeds its dense peak"
    for name, rate in chip.sparse_flop_per_s.items():
        if rate < dense.get(name, 0.0):
            yield f"error: chip {chip.id}: sparse {name} is below its dense peak"


def _stale(today: date) -> list[str]:
    """One warning for each date of prices older than `STALE_DAYS`; a month or year counts to its end."""
    ends = {4: "-12-31", 7: "-28", 10: ""}
    counts: dict[str, int] = {}
    for offer in load.offers().values():
        if offer.term != "assumption":
            counts[offer.date] = counts.get(offer.date, 0) + 1
    ages = {text: (today - date.fromisoformat(text + ends[len(text)])).days for text in sorted(counts)}
    return [
        f"warning: {counts[text]} offers dated {text} are {age} days old, more than {STALE_DAYS}: add newer prices"
        for text, age in ages.items()
        if age > STALE_DAYS
    ]
