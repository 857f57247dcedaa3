"""The facts of the catalog as records by id, each kind read once when it is first asked for.

Knows which files hold which records, and fills in what a file may leave out. Knows no name but ids (see `find`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from costline.catalog.fields import FILES, FileKind
from costline.catalog.read import read_all
from costline.catalog.records import (
    Chip,
    EngineMemory,
    Grid,
    Offer,
    Pue,
    Slice,
    Source,
    System,
    Tariff,
    Workload,
)
from costline.catalog.shapes import Entry
from costline.errors import CatalogError


@lru_cache(maxsize=1)
def chips() -> dict[str, Chip]:
    """Accelerators by id."""
    return {id: _chip(entry) for id, entry in _entries("chips").items()}


@lru_cache(maxsize=1)
def systems() -> dict[str, System]:
    """Node types with their links by id."""
    return {id: _system(entry) for id, entry in _entries("systems").items()}


@lru_cache(maxsize=1)
def offers() -> dict[str, Offer]:
    """Rental prices by id."""
    return _records("offers", Offer)


@lru_cache(maxsize=1)
def grids() -> dict[str, Grid]:
    """Carbon intensity of countries, states and cloud regions by id."""
    return _records("grids", Grid)


@lru_cache(maxsize=1)
def pues() -> dict[str, Pue]:
    """Facility power over IT power of operators by id."""
    return _records("pues", Pue)


@lru_cache(maxsize=1)
def tariffs() -> dict[str, Tariff]:
    """Electricity prices by id."""
    return _records("tariffs", Tariff)


@lru_cache(maxsize=1)
def engines() -> dict[str, EngineMemory]:
    """How serving engines divide device memory, by id."""
    return _records("engines", EngineMemory)


@lru_cache(maxsize=1)
def workloads() -> dict[str, Workload]:
    """Reference workloads by id."""
    return _records("workloads", Workload)


@lru_cache(maxsize=1)
def sources() -> dict[str, Source]:
    """Citations by key."""
    return {key: Source(key=key, **entry.values) for key, entry in _entries("sources").items()}


LOADERS: dict[FileKind, Callable[[], dict[str, Any]]] = {
    "chips": chips,
    "systems": systems,
    "offers": offers,
    "grids": grids,
    "pues": pues,
    "tariffs": tariffs,
    "engines": engines,
    "workloads": workloads,
    "sources": sources,
}


def _entries(kind: FileKind) -> dict[str, Entry]:
    files = FILES[kind]
    return read_all(files.section, files.block, *files.place)


def _records(kind: FileKind, record: Callable[..., Any]) -> dict[str, Any]:
    return {id: record(id=id, **entry.values, provenance=entry.provenance) for id, entry in _entries(kind).items()}


def _chip(entry: Entry) -> Chip:
    values = entry.values
    if values["visible_memory_bytes"] is None:
        values["visible_memory_bytes"] = values["memory_bytes"]
    elif values["visible_memory_bytes"] > values["memory_bytes"]:
        raise CatalogError(f"{entry.where}: {entry.id}: visible_memory_gib exceeds memory_gib; swap or correct them")
    return Chip(id=entry.id, **values, provenance=entry.provenance)


def _system(entry: Entry) -> System:
    shapes = [tuple(int(side) for side in text.split("x")) for text in entry.values["slices"]]
    slices = tuple(Slice(math.prod(shape), shape) for shape in shapes)
    too_big = [item for item in slices if item.accelerators > entry.values["fabric"].domain_size]
    if too_big:
        raise CatalogError(
            f"{entry.where}: {entry.id}: slice {too_big[0].shape} exceeds the fabric's domain_size "
            f"{entry.values['fabric'].domain_size}; remove it"
        )
    entry.values["slices"] = slices
    return System(id=entry.id, **entry.values, provenance=entry.provenance)
