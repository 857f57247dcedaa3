"""Strict reading of fact files: entries by id, their values in SI, each with its provenance.

Knows how a fact file is laid out. Knows neither YAML's syntax (`nodes`) nor any chip or model: the shapes of
their entries stand beside their loaders.

A file has a header (`source`, `kind`, `retrieved`, `note`: the provenance of every value below) and one
section of entries by id. An entry may carry the four header keys for itself. Header and entry may have
``sources: {field: key}`` or ``sources: {field: {source: …, kind: …}}`` for single fields (``field.key`` inside
a table); any value may also be written ``{value: …, source: …, kind: …, retrieved: …, note: …}``. The nearest
statement holds: the value's own, the entry's for the field, the file's for the field, the entry's, the file's.
"""

from __future__ import annotations

import os
from pathlib import Path

from costline.catalog.entries import Place, field_sources, read_entry, stated
from costline.catalog.nodes import File, pairs_of, parse
from costline.catalog.records import Provenance
from costline.catalog.shapes import HEADER, Block, Entry, Field, Flag, Many, Number, Table, Text
from costline.errors import CatalogError

__all__ = [
    "DATA",
    "Block",
    "Entry",
    "Field",
    "Flag",
    "Many",
    "Number",
    "Table",
    "Text",
    "directories",
    "files",
    "read_all",
    "read_section",
]

DATA = Path(__file__).parent / "data"


def directories() -> list[Path]:
    """The catalog's directories: the packaged one, then those of ``COSTLINE_CATALOG`` (later ids win)."""
    extra = [Path(part) for part in os.environ.get("COSTLINE_CATALOG", "").split(os.pathsep) if part]
    for place in extra:
        if not place.is_dir():
            raise CatalogError(f"COSTLINE_CATALOG names {str(place)!r}, which is no directory; correct or unset it")
    return [DATA, *extra]


def files(*parts: str) -> list[Path]:
    """The fact files at `parts` of each directory (a folder of ``*.yml``, or one file), in order."""
    found: list[Path] = []
    for directory in directories():
        place = directory.joinpath(*parts)
        found += sorted(place.glob("*.yml")) if place.is_dir() else [place] if place.is_file() else []
    return found


def read_all(section: str, block: Block, *parts: str) -> dict[str, Entry]:
    """The entries of all files at `parts`; an id that stands twice in one directory is an error."""
    merged: dict[str, Entry] = {}
    for directory in directories():
        own: dict[str, Entry] = {}
        for path in files(*parts):
            if not path.is_relative_to(directory):
                continue
            for id, entry in read_section(path, section, block).items():
                if id in own:
                    raise CatalogError(f"{entry.where}: id {id!r} also stands at {own[id].where}; keep one")
                own[id] = entry
        merged |= own
    return merged


def read_section(path: Path, section: str, block: Block) -> dict[str, Entry]:
    """The entries of `path` by id; raises CatalogError with file and line at the first fault.

    An empty `section` means that the whole file is entries by id, without a header.
    """
    file = File(path.relative_to(DATA).as_posix() if path.is_relative_to(DATA) else str(path))
    root = pairs_of(file, parse(file, path), "")
    base = Provenance(source="", kind="assumed", retrieved="")
    if not section:
        return {id: read_entry(file, id, nodes, Place(block, base), {}) for id, nodes in root.items()}
    known = (*HEADER, "sources", section)
    for key, (key_node, _) in root.items():
        if key not in known:
            file.fail_key(key_node, key, known)
    if section not in root:
        raise CatalogError(f"{file.name}:1: key {section!r} is missing; it holds the entries by id")
    header = stated(file, {key: root[key] for key in HEADER if key in root}, base)
    shared = field_sources(file, root["sources"][1], block, header) if "sources" in root else {}
    entries = pairs_of(file, root[section][1], section)
    return {id: read_entry(file, id, nodes, Place(block, header), shared) for id, nodes in entries.items()}
