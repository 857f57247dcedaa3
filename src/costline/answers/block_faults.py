"""Turns what pydantic found wrong with any block into one line: the field, the value, the rule, the remedy.

Knows the keys of the blocks it is given; what a scenario has of its own is told by `faults`.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ValidationError

from costline.answers import faults
from costline.answers.faults import Fault, Place, visible, written
from costline.errors import nearest_names

_A_BLOCK = ("model_type", "model_attributes_type", "dict_type")
_A_LIST = ("list_type", "tuple_type", "too_long", "too_short")


def one_line(error: ValidationError, root: type[BaseModel]) -> str:
    """The fault that tells most, in one line; `root` is the document that was read."""
    found: list[Fault] = cast(list[Fault], error.errors(include_url=False))
    unknown = [fault for fault in found if fault["type"] == "extra_forbidden"]
    if unknown:
        place = visible(unknown[0]["loc"])
        near = nearest_names(str(place[-1]), keys_of(root, place[:-1]))
        return f"unknown key {written(place)!r}; nearest: {', '.join(near)}"
    first = max(found, key=lambda fault: len(_place(fault)))
    place = _place(first)
    same = {fault["type"] for fault in found if _place(fault) == place}
    if place and same & set(_A_BLOCK) and keys_of(root, place):
        name = f"{place[-1]}: " if isinstance(place[-1], str) else ""
        return f"{written(place)} must be a block; write {name}{{{keys_of(root, place)[0]}: …}}"
    if first["type"] == "missing" and isinstance(place[-1], int):
        return f"{written(place[:-1])} must be a number or [low, likely, high]; write all three"
    if same & set(_A_LIST) and isinstance(first["input"], list | tuple):
        return f"{written(place)}={first['input']!r:.60} must be a number or [low, likely, high]; write one of these"
    return faults.one_line(error)


def keys_of(root: type[BaseModel], place: Place) -> list[str]:
    """The keys of the block at a path of a document."""
    block: Any = root
    for part in place:
        if not isinstance(part, int):
            field = getattr(block, "model_fields", {}).get(part)
            block = next(iter(_blocks_in(field.annotation)), None) if field else None
    return list(getattr(block, "model_fields", {}))


def _place(fault: Fault) -> Place:
    return tuple(part for part in visible(fault["loc"]) if not (isinstance(part, str) and part.startswith("tuple[")))


def _blocks_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    parts: tuple[Any, ...] = getattr(cast(Any, annotation), "__args__", ())
    return [kind for part in parts for kind in _blocks_in(part)]
