"""Facts by name: an id or an alias, any case, punctuation ignored; a miss names the nearest.

Knows names, terms and dates of offers. Knows no file (see `load`) and no formula.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from costline.catalog import load
from costline.catalog.fields import FileKind
from costline.catalog.records import Chip, EngineMemory, Grid, Offer, Pue, System, Tariff, Workload
from costline.errors import UnknownIdError, nearest_names

_MAKERS = re.compile(r"\b(nvidia|geforce|tesla|amd|instinct|intel|google|cloud|aws|apple)\b")


def chip(name: str) -> Chip:
    """The accelerator of that id or name.

    >>> chip("H100").id, chip("A100-80GB").id, chip("TPU v5e").id, chip("NVIDIA H100 80GB HBM3").id
    ('h100-sxm', 'a100-80gb-sxm', 'tpu-v5e', 'h100-sxm')
    """
    return _find("chips", "accelerator", name)


def system(name: str) -> System:
    """The system of that id or name."""
    return _find("systems", "system", name)


def offer(id: str) -> Offer:
    """The rental offer of that id."""
    return _find("offers", "offer", id)


def grid(name: str) -> Grid:
    """The grid of that id (`fin`, `us-ca`, `gcp-europe-north1`), country, state or place."""
    return _find("grids", "grid", name)


def pue(name: str) -> Pue:
    """The PUE of that id or operator."""
    return _find("pues", "PUE", name)


def tariff(id: str) -> Tariff:
    """The electricity tariff of that id."""
    return _find("tariffs", "tariff", id)


def engine(name: str) -> EngineMemory:
    """The memory division of that serving engine."""
    return _find("engines", "engine", name)


def workload(name: str) -> Workload:
    """The reference workload of that id or name."""
    return _find("workloads", "workload", name)


def offers_for(chip_id: str, *, term: str | None = None, as_of: str | None = None) -> tuple[Offer, ...]:
    """Offers of an accelerator, newest first, then cheapest; `as_of` leaves out later ones (a day, month or year)."""
    id = chip(chip_id).id
    last = "~" if as_of is None else as_of + "~"  # sorts after every day of that month or year
    found = [
        item for item in load.offers().values() if item.chip == id and term in (None, item.term) and item.date <= last
    ]
    found.sort(key=lambda item: (item.usd_per_accelerator_hour, item.id))
    found.sort(key=lambda item: item.date, reverse=True)
    return tuple(found)


def reference_offer(chip_id: str, as_of: str | None = None) -> Offer | None:
    """The lower median of the newest on-demand prices of an accelerator: an actual offer, or None.

    Prices that a marketplace's cheapest host asks (`community`) count only where no provider lists one.
    """
    for term in ("on-demand", "community"):
        found = offers_for(chip_id, term=term, as_of=as_of)
        newest = [item for item in found if item.date == found[0].date]
        if newest:
            return newest[(len(newest) - 1) // 2]
    return None


def normal(name: str) -> str:
    """A name without case, punctuation and maker: what two spellings share.

    >>> normal("NVIDIA A100-SXM4-80GB"), normal("TPU v5e")
    ('a100sxm480gb', 'tpuv5e')
    """
    bare = re.sub(r"[^a-z0-9]+", "", _MAKERS.sub("", name.lower()))
    return bare or re.sub(r"[^a-z0-9]+", "", name.lower())


def names_of(record: Any) -> tuple[str, ...]:
    """All names of a record, its id first."""
    named = [getattr(record, field, "") for field in ("name", "hf_id", "operator", "engine")]
    return (record.id, *getattr(record, "aliases", ()), *(name for name in named if name))


@lru_cache(maxsize=16)
def _index(kind: FileKind) -> dict[str, str]:
    """Id by normal name; ids win over other names, earlier entries over later."""
    records: Mapping[str, Any] = load.LOADERS[kind]()
    index = {normal(id): id for id in reversed(records)}
    for id, record in records.items():
        for name in names_of(record):
            index.setdefault(normal(name), id)
    return index


def _find(kind: FileKind, what: str, name: str) -> Any:
    records = load.LOADERS[kind]()
    if name in records:
        return records[name]
    index = _index(kind)
    id = index.get(normal(name))
    if id is None:
        near = dict.fromkeys(index[key] for key in nearest_names(normal(name), index, 12))
        raise UnknownIdError(what, name, list(near)[:3])
    return records[id]
