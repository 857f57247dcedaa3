"""The shapes that facts have in files: number, text, flag, list, table, block; and an entry once read.

Knows how a file may be written, for reading (`read`) and for editors (`schema`). Knows no YAML and no chip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from costline.catalog.records import Kind, Provenance

HEADER = ("source", "kind", "retrieved", "note")
"""Keys that state the provenance of everything beside and below them."""
KINDS: tuple[str, ...] = get_args(Kind)
REQUIRED: Final[Any] = object()
"""Default of a field that every entry must state."""


@dataclass(frozen=True)
class Number:
    """A finite number; `factor` takes the file's unit to SI. Integers stay integers where `factor` is 1."""

    factor: float = 1.0
    minimum: float | None = 0.0
    maximum: float | None = None
    whole: bool = False
    positive: bool = False
    """Above 0, not 0 itself."""


@dataclass(frozen=True)
class Text:
    """Text, one of `choices` if there are any, matching all of `pattern` if there is one."""

    choices: tuple[str, ...] = ()
    pattern: str = ""


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Many:
    """A list; read as a tuple."""

    item: Shape


@dataclass(frozen=True)
class Table:
    """A mapping to values of one shape, its keys free or among `keys`."""

    item: Shape
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A mapping with named fields; `build` makes the record from the values, by keyword."""

    fields: Mapping[str, Field]
    build: Callable[..., Any] = dict[str, Any]


Shape = Number | Text | Flag | Many | Table | Block


@dataclass(frozen=True)
class Field:
    """One key of a block; a field with a default other than `REQUIRED` may be left out or null."""

    shape: Shape
    default: Any = REQUIRED
    to: str = ""
    """The record's name of the field, where it is not the file's."""
    about: str = ""


@dataclass(frozen=True)
class Entry:
    """One fact of a file: its values by the record's names, in SI, and where each comes from."""

    id: str
    values: dict[str, Any]
    provenance: dict[str, Provenance]
    where: str
    """``file:line``, for errors found later."""
