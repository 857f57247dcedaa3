"""One entry out of its nodes: values by the record's names, and the provenance of each.

Knows shapes and where a source may stand (see `read`). Knows neither files nor any chip or model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from costline.catalog.nodes import File, Pairs, flag_of, has_tag, items_of, line_of, number_of, pairs_of, text_of
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


@dataclass(frozen=True)
class Place:
    """Where reading stands: the shape due, provenance so far, path for errors, record's name for sources."""

    shape: Shape
    default: Provenance
    path: str = ""
    name: str = ""

    def under(self, key: str, name: str, shape: Shape) -> Place:
        return Place(shape, self.default, f"{self.path}.{key}", f"{self.name}.{name}" if self.name else name)


def read_entry(
    file: File, id: str, nodes: tuple[yaml.Node, yaml.Node], place: Place, shared: dict[str, Provenance]
) -> Entry:
    """One entry; `place` has its block and what the file's header says, `shared` the header's `sources`."""
    assert isinstance(place.shape, Block)
    pairs = pairs_of(file, nodes[1], id)
    own = {key: pairs.pop(key) for key in HEADER if key in pairs and key not in place.shape.fields}
    sources = pairs.pop("sources", None)
    default = stated(file, own, place.default)
    found: dict[str, Provenance] = {"": default}
    values = _fields(file, nodes[0], (pairs, Place(place.shape, default, id)), found)
    if sources is not None:
        _merge(found, field_sources(file, sources[1], place.shape, default), values)
    _merge(found, shared, values)
    return Entry(id, values, found, f"{file.name}:{line_of(nodes[0])}")


def _merge(found: dict[str, Provenance], more: dict[str, Provenance], values: dict[str, Any]) -> None:
    """Add what `more` says of values that are there, where nothing nearer does."""
    for name, provenance in more.items():
        field, dot, key = name.partition(".")
        value = values[field]
        if value not in (None, "", {}, ()) and not (dot and isinstance(value, dict) and key not in value):
            found.setdefault(name, provenance)


def stated(file: File, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], base: Provenance) -> Provenance:
    """`base` with the given header keys replaced."""
    changes: dict[str, Any] = {}
    for key, (key_node, node) in pairs.items():
        if key not in HEADER:
            file.fail_key(key_node, key, HEADER)
        changes[key] = text_of(file, node, Text(KINDS if key == "kind" else ()), key)
    return replace(base, **changes) if changes else base


def field_sources(file: File, node: yaml.Node, block: Block, default: Provenance) -> dict[str, Provenance]:
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
        found[name] = stated(file, pairs, default)
    return found


def _fields(file: File, at: yaml.Node, block: tuple[Pairs, Place], found: dict[str, Provenance]) -> dict[str, Any]:
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


def _value(file: File, node: yaml.Node, place: Place, found: dict[str, Provenance]) -> Any:
    """The value of a node; provenance stated with it goes into `found` under the record's name."""
    file.count(node)
    if isinstance(node, yaml.MappingNode) and _is_annotated(node, place.shape):
        pairs = pairs_of(file, node, place.path)
        node = pairs.pop("value")[1]
        found[place.name] = stated(file, pairs, place.default)
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


def _table(file: File, node: yaml.Node, place: Place, found: dict[str, Provenance]) -> dict[str, Any]:
    assert isinstance(place.shape, Table)
    table: dict[str, Any] = {}
    for key, (key_node, value) in pairs_of(file, node, place.path).items():
        if place.shape.keys and key not in place.shape.keys:
            file.fail_key(key_node, f"{place.path}.{key}", place.shape.keys)
        table[key] = _value(file, value, place.under(key, key, place.shape.item), found)
    return table


def _built(file: File, node: yaml.Node, place: Place, found: dict[str, Provenance]) -> Any:
    assert isinstance(place.shape, Block)
    values = _fields(file, node, (pairs_of(file, node, place.path), place), found)
    try:
        return place.shape.build(**values)
    except (TypeError, ValueError) as error:
        file.fail(node, f"{place.path}: {error}")
