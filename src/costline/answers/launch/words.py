"""A command as words, and what a parser that recorded its flags would say to it.

A word such as `$NODE_RANK` is a variable that the shell fills in. Knows no engine.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from costline.catalog.engine_records import Flag
from costline.catalog.engines import program
from costline.errors import InputError

SETTINGS = "engine.yml"
"""File of an engine that reads its settings from one."""


@dataclass(frozen=True)
class Command:
    """A command line: the program whose flags were recorded, how it is started, its flags, its settings file."""

    program: str
    start: tuple[str, ...]
    flags: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def words(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.start, *self.flags)


def flag(name: str, value: object) -> tuple[str, str]:
    """A flag and its value; objects as JSON."""
    if isinstance(value, dict):
        return name, json.dumps(value)
    return name, f"{value:g}" if isinstance(value, float) else str(value)


def quoted(word: str) -> str:
    """A word for the shell; variables stay variables."""
    return f'"{word}"' if word.startswith("$") else shlex.quote(word)


def lines_of(command: Command, indent: str = "  ") -> str:
    """The command for the shell, a flag with its values a line."""
    lines = [" ".join(quoted(word) for word in command.start)]
    for word in command.flags:
        if word.startswith("--"):
            lines.append(word)
        else:
            lines[-1] += f" {quoted(word)}"
    return f" \\\n{indent}".join(lines)


def one_line(command: Command) -> str:
    """The command for the shell in one line."""
    return " ".join(quoted(word) for word in command.words)


def checked(command: Command) -> Command:
    """The command, if its program takes every flag with its value; raises InputError for the first that it refuses."""
    for fault in faults(command):
        raise InputError(f"{fault}; choose another engine or format")
    return command


def faults(command: Command) -> list[str]:
    """What the program's parser would refuse."""
    recorded = program(command.program)
    known = {name: one for main, one in recorded.flags.items() for name in (main, *one.aliases)}
    negated = {f"--no-{name[2:]}": one for name, one in known.items() if one.negatable}
    found: list[str] = []
    for name, values in grouped(command.flags):
        place = f"{recorded.id} {recorded.version}: {name}"
        if name in negated:
            found += [f"{place} takes no value, not {' '.join(values)}"] if values else []
        elif name not in known:
            found.append(f"{place} is no flag of it")
        else:
            found += [f"{place} {fault}" for fault in _value_faults(known[name], values)]
            found += [f"{place}: {fault}" for fault in _object_faults(recorded.objects.get(name), values)]
    if command.settings:
        keys = program("tensorrt-llm").objects["engine_args"]
        found += [f"{SETTINGS}: {key} is no setting of it" for key in _paths(command.settings) if key not in keys]
    return found


def grouped(flags: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each flag with the values behind it."""
    name, values = "", list[str]()
    for word in flags:
        if word.startswith("--"):
            if name:
                yield name, values
            name, values = word, []
        else:
            values.append(word)
    if name:
        yield name, values


def _value_faults(one: Flag, values: Sequence[str]) -> Iterator[str]:
    if one.type == "flag":
        if values:
            yield f"takes no value, not {values[0]}"
        return
    if not values or (len(values) > 1 and one.type != "list"):
        yield f"takes one value, not {len(values)}"
    for value in values:
        if value.startswith("$"):
            continue
        kind = one.of if one.type == "list" else one.type
        if not _is(kind, value):
            yield f"takes {kind}, not {value}"
        allowed = one.choices or one.known
        if allowed and value not in allowed:
            yield f"takes {', '.join(allowed)}, not {value}"


def _is(kind: str, text: str) -> bool:
    """Whether a text reads as a value of that kind."""
    try:
        match kind:
            case "int":
                int(text)
            case "float":
                float(text)
            case "json":
                json.loads(text)
            case _:
                pass
    except ValueError:
        return False
    return True


def _object_faults(keys: Mapping[str, Flag] | None, values: Sequence[str]) -> Iterator[str]:
    if keys is None or not values or not _is("json", values[0]):
        return
    for key, value in cast(dict[str, Any], json.loads(values[0])).items():
        if key not in keys:
            yield f"{key} is no key of it"
        elif isinstance(value, str | int | float):
            yield from (f"{key} {fault}" for fault in _value_faults(keys[key], [str(value)]))


def _paths(settings: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in settings.items():
        yield f"{before}{key}"
        if isinstance(value, dict):
            yield from _paths(cast(dict[str, Any], value), f"{before}{key}.")
