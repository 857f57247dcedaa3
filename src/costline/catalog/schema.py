"""The shape of fact files as JSON Schema, so that editors complete and mark what the reader would refuse.

Knows JSON Schema. Knows no file and no fact (what shapes cannot hold is in `check`).
"""

from __future__ import annotations

from typing import Any

from costline.catalog.check import check
from costline.catalog.engines import ENGINE_FILES
from costline.catalog.fields import FILES, Files
from costline.catalog.model_fields import MODEL
from costline.catalog.shapes import HEADER, KINDS, REQUIRED, Block, Field, Flag, Many, Number, Shape, Table, Text
from costline.errors import UnknownIdError

__all__ = ["ALL", "DRAFT", "check", "json_schema"]

ALL: dict[str, Files] = {**FILES, "models": Files("models", ("models",), MODEL), "engine-facts": ENGINE_FILES}
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a fact file of that kind, such as `chips`.

    >>> schema = json_schema("offers")
    >>> schema["required"], schema["additionalProperties"]
    (['offers'], False)
    """
    if kind not in ALL:
        raise UnknownIdError("kind of fact", kind, ALL)
    files = ALL[kind]
    entry = _entry_schema(files.block, with_header=bool(files.section))
    entries: dict[str, Any] = {"type": "object", "additionalProperties": entry}
    top: dict[str, Any] = {"$schema": DRAFT, "title": f"costline catalog: {kind}", "$defs": _definitions()}
    if not files.section:
        return top | entries
    properties = {key: {"$ref": f"#/$defs/{key}"} for key in (*HEADER, "sources")} | {files.section: entries}
    return top | {
        "type": "object",
        "required": [files.section],
        "properties": properties,
        "additionalProperties": False,
    }


def _definitions() -> dict[str, Any]:
    header: dict[str, Any] = {
        "source": {"type": "string", "description": "key of sources.yml"},
        "kind": {"enum": list(KINDS)},
        "retrieved": {"type": "string", "description": "day the value was read"},
        "note": {"type": "string"},
    }
    stated = {"type": "object", "properties": {key: {"$ref": f"#/$defs/{key}"} for key in HEADER}}
    each = {"anyOf": [{"type": "string"}, stated | {"additionalProperties": False}]}
    sources = {"type": "object", "description": "provenance by field", "additionalProperties": each}
    return header | {"sources": sources}


def _entry_schema(block: Block, *, with_header: bool) -> dict[str, Any]:
    schema = _schema(block)
    if with_header:
        own = {key: {"$ref": f"#/$defs/{key}"} for key in (*HEADER, "sources") if key not in block.fields}
        schema["properties"] = own | schema["properties"]
    return schema


def _schema(shape: Shape) -> dict[str, Any]:
    match shape:
        case Number(_, minimum, maximum, whole, positive):
            schema: dict[str, Any] = {"type": "integer" if whole else "number"}
            bounds = {"minimum": None if positive else minimum, "maximum": maximum}
            schema |= {key: bound for key, bound in bounds.items() if bound is not None}
            return schema | ({"exclusiveMinimum": 0} if positive else {})
        case Text(choices, pattern):
            if choices:
                return {"enum": list(choices)}
            return {"type": ["string", "number"]} | ({"pattern": f"^({pattern})$"} if pattern else {})
        case Flag():
            return {"type": "boolean"}
        case Many(item):
            return {"type": "array", "items": _schema(item)}
        case Table(item, keys):
            names: dict[str, Any] = {"propertyNames": {"enum": list(keys)}} if keys else {}
            return {"type": "object", "additionalProperties": _annotated(_schema(item))} | names
        case Block(fields):
            return {
                "type": "object",
                "required": [key for key, field in fields.items() if field.default is REQUIRED],
                "properties": {key: _field_schema(field) for key, field in fields.items()},
                "additionalProperties": False,
            }


def _field_schema(field: Field) -> dict[str, Any]:
    return _annotated(_schema(field.shape)) | ({"description": field.about} if field.about else {})


def _annotated(schema: dict[str, Any]) -> dict[str, Any]:
    """The plain value, or the value with its provenance."""
    header = {key: {"$ref": f"#/$defs/{key}"} for key in HEADER}
    stated = {"type": "object", "required": ["value"], "properties": {"value": schema} | header}
    return {"anyOf": [schema, stated | {"additionalProperties": False}]}
