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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from costline.catalog.nodes import (
    File,
    Pairs,
    flag_of,
    has_tag,
    items_of,
    line_of,
    number_of,
    pairs_of,
    parse,
    text_of,
)
from costline.catalog.records import Provenance
from costline.catalog.shapes import (
    HEADER,
    KINDS,
    REQUIRED,
    Block,
    Entry,
    Field,
    Flag,
    Many,
    Number,
    Shape,
    Table,
    Text,
)
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
    extra = os.environ.get("COSTLINE_CATALOG", "")
    return [DATA, *(Path(part) for part in extra.split(os.pathsep) if part)]


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
        return {id: _entry(file, id, nodes, _Place(block, base), {}) for id, nodes in root.items()}
    known = (*HEADER, "sources", section)
    for key, (key_node, _) in root.items():
        if key not in known:
            file.fail_key(key_node, key, known)
    if section not in root:
        raise CatalogError(f"{file.name}:1: key {section!r} is missing; it holds the entries by id")
    header = _provenance(file, {key: root[key] for key in HEADER if key in root}, base)
    shared = _field_sources(file, root["sources"][1], block, header) if "sources" in root else {}
    entries = pairs_of(file, root[section][1], section)
    return {id: _entry(file, id, nodes, _Place(block, header), shared) for id, nodes in entries.items()}


@dataclass(frozen=True)
class _Place:
    """Where reading stands: the shape due, provenance so far, path for errors, record's name for sources."""

    shape: Shape
    default: Provenance
    path: str = ""
    name: str = ""

    def under(self, key: str, name: str, shape: Shape) -> _Place:
        return _Place(shape, self.default, f"{self.path}.{key}", f"{self.name}.{name}" if self.name else name)


def _entry(
    file: File, id: str, nodes: tuple[yaml.Node, yaml.Node], place: _Place, shared: dict[str, Provenance]
) -> Entry:
    """One entry; `place` has its block and what the file's header says, `shared` the header's `sources`."""
    assert isinstance(place.shape, Block)
    pairs = pairs_of(file, nodes[1], id)
    own = {key: pairs.pop(key) for key in HEADER if key in pairs and key not in place.shape.fields}
    sources = pairs.pop("sources", None)
    default = _provenance(file, own, place.default)
    found: dict[str, Provenance] = {"": default}
    values = _fields(file, nodes[0], (pairs, _Place(place.shape, default, id)), found)
    if sources is not None:
        _merge(found, _field_sources(file, sources[1], place.shape, default), values)
    _merge(found, shared, values)
    return Entry(id, values, found, f"{file.name}:{line_of(nodes[0])}")


def _merge(found: dict[str, Provenance], more: dict[str, Provenance], values: dict[str, Any]) -> None:
    """Add what `more` says of values that are there, where nothing nearer does."""
    for name, provenance in more.items():
        field, dot, key = name.partition(".")
        value = values[field]
        if value not in (None, "", {}, ()) and not (dot and isinstance(value, dict) and key not in value):
            found.setdefault(name, provenance)


def _provenance(file: File, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], base: Provenance) -> Provenance:
    """`base` with the given header keys replaced."""
    stated: dict[str, Any] = {}
    for key, (key_node, node) in pairs.items():
        if key not in HEADER:
            file.fail_key(key_node, key, HEADER)
        stated[key] = text_of(file, node, Text(KINDS if key == "kind" else ()), key)
    return replace(base, **stated) if stated else base


def _field_sources(file: File, node: yaml.Node, block: Block, default: Provenance) -> dict[str, Provenance]:
    """Provenance by the record's field name from a ``sources`` mapping."""
    found: dict[str, Provenance] = {}
    for key, (key_node, value) in pairs_of(file, node, "sources").items():
        name, shape = "", block
        for part in key.split("."):
            if isinstance(shape, Block) and part not in shape.fields:
                file.fail_key(key_node, key, shape.fields)
            if isinstance(shape, Table) and shape.keys and part not in shape.keys:
                file.fail_key(key_node, key, shape.keys)
            field = shape.fields[part] if isinstance(shape, Block) else None
            name += "." * bool(name) + ((field.to or part) if field else part)
            shape = field.shape if field else getattr(shape, "item", Text())
        plain = isinstance(value, yaml.ScalarNode)
        pairs = {"source": (key_node, value)} if plain else pairs_of(file, value, key)
        found[name] = _provenance(file, pairs, default)
    return found


def _fields(
    file: File, at: yaml.Node, block: tuple[Pairs, _Place], found: dict[str, Provenance]
) -> dict[str, Any]:
    """Values of a block by the record's names; `at` is the node to blame for a missing key."""
    pairs, place = block
    assert isinstance(place.shape, Block)
    fields: Mapping[str, Field] = place.shape.fields
    for key, (key_node, _) in pairs.items():
        if key not in fields:
            file.fail_key(key_node, f"{place.path}.{key}", fields)
    values: dict[str, Any] = {}
    for key, spec in fields.items():
        name = spec.to or key
        if key not in pairs:
            if spec.default is REQUIRED:
                file.fail(at, f"{place.path} lacks the key {key!r}; add it")
            values[name] = spec.default
        elif spec.default is not REQUIRED and has_tag(pairs[key][1], "null"):
            values[name] = spec.default
        else:
            values[name] = _value(file, pairs[key][1], place.under(key, name, spec.shape), found)
    return values


def _value(file: File, node: yaml.Node, place: _Place, found: dict[str, Provenance]) -> Any:
    """The value of a node; provenance stated with it goes into `found` under the record's name."""
    file.count(node)
    if isinstance(node, yaml.MappingNode) and _is_annotated(node, place.shape):
        pairs = pairs_of(file, node, place.path)
        node = pairs.pop("value")[1]
        found[place.name] = _provenance(file, pairs, place.default)
        place = replace(place, default=found[place.name])
    shape = place.shape
    match shape:
        case Number():
            return number_of(file, node, shape, place.path)
        case Text():
            return text_of(file, node, shape, place.path)
        case Flag():
            return flag_of(file, node, place.path)
        case Many(item):
            nodes = enumerate(items_of(file, node, place.path))
            return tuple(_value(file, each, place.under(str(i), str(i), item), found) for i, each in nodes)
        case Table():
            return _table(file, node, place, found)
        case Block():
            return _built(file, node, place, found)


def _is_annotated(node: yaml.MappingNode, shape: Shape) -> bool:
    if isinstance(shape, Block) and "value" in shape.fields:
        return False
    return any(isinstance(key, yaml.ScalarNode) and key.value == "value" for key, _ in node.value)


def _table(file: File, node: yaml.Node, place: _Place, found: dict[str, Provenance]) -> dict[str, Any]:
    assert isinstance(place.shape, Table)
    table: dict[str, Any] = {}
    for key, (key_node, value) in pairs_of(file, node, place.path).items():
        if place.shape.keys and key not in place.shape.keys:
            file.fail_key(key_node, f"{place.path}.{key}", place.shape.keys)
        table[key] = _value(file, value, place.under(key, key, place.shape.item), found)
    return table


def _built(file: File, node: yaml.Node, place: _Place, found: dict[str, Provenance]) -> Any:
    assert isinstance(place.shape, Block)
    values = _fields(file, node, (pairs_of(file, node, place.path), place), found)
    try:
        return place.shape.build(**values)
    except (TypeError, ValueError) as error:
        file.fail(node, f"{place.path}: {error}")
