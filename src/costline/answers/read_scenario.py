"""Reads a scenario from a file, a dict or keyword arguments; every fault becomes one line that says what to do.

Knows files and YAML. Knows no field of the scenario (see `scenario`, and `faults` for what may be wrong with it).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from costline.answers.faults import one_line
from costline.answers.scenario import Scenario
from costline.errors import InputError
from costline.quantities import MIB

MAX_BYTES = MIB
MAX_DEPTH = 32
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


def read_scenario(source: str | Path | Mapping[str, Any] | None = None, **blocks: Any) -> Scenario:
    """The scenario in a YAML file, a mapping or keyword blocks (keywords win over the source, key by key).

    Raises InputError naming the field, the value, the rule and the remedy.
    """
    if source is None:
        given: dict[str, Any] = {}
    elif isinstance(source, Mapping):
        given = dict(source)
    else:
        given = _load_yaml(Path(source))
    return validate(_merged(given, blocks))


def validate(given: Mapping[str, Any]) -> Scenario:
    """A `Scenario` from plain values; raises InputError for the first fault."""
    try:
        return Scenario.model_validate(dict(given))
    except ValidationError as error:
        raise InputError(one_line(error)) from None


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        mine: Any = out.get(key)
        both = isinstance(mine, Mapping) and isinstance(value, Mapping)
        out[key] = _merged(cast(Mapping[str, Any], mine), cast(Mapping[str, Any], value)) if both else value
    return out


def _load_yaml(path: Path) -> dict[str, Any]:
    text = read_text(path, "scenario")
    try:
        _check_events(text, path)
        _check_keys(yaml.compose(text, Loader=_LOADER), path)
        loaded = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise InputError(f"scenario {path}{_yaml_fault(error, text)}") from None
    except ValueError as error:
        raise InputError(f"scenario {path} holds a value that cannot be read ({error}); correct it") from None
    if not isinstance(loaded, dict):
        raise InputError(f"scenario {path} holds {_kind(loaded)}; it must hold blocks such as model: and workload:")
    return cast(dict[str, Any], loaded)


def read_text(path: Path, what: str) -> str:
    """Text of a small file; raises InputError if it is missing, a directory, unreadable, too large or not UTF-8."""
    try:
        if path.is_dir():
            raise InputError(f"{what} {path} is a directory; give a file")
        raw = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except FileNotFoundError:
        raise InputError(f"{what} {path} does not exist; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{what} {path} cannot be read ({reason}); check the path and its permissions") from None
    if raw is None:
        raise InputError(f"{what} {path} is larger than {MAX_BYTES // MIB} MiB; give the document itself")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{what} {path} is not UTF-8 text; save it as UTF-8") from None


def _yaml_fault(error: yaml.YAMLError, text: str) -> str:
    """Where the YAML breaks off, why, and what to do."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML").removeprefix("but ")
    if mark is None:
        return f": {problem}; remove what is not plain text"
    lines = text.splitlines()
    tab = mark.line < len(lines) and "\t" in lines[mark.line]
    return f" line {mark.line + 1}: {problem}; {'indent with spaces, not tabs' if tab else 'fix the YAML'}"


def _check_events(text: str, path: Path) -> None:
    """Refuses aliases, which can grow without end, and nesting that no scenario has."""
    depth = 0
    for event in cast(Any, yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1
            raise InputError(f"scenario {path} line {line}: alias *{event.anchor} is not allowed; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise InputError(f"scenario {path} nests deeper than {MAX_DEPTH} levels; flatten it")


def _check_keys(node: Any, path: Path) -> None:
    """Refuses keys that stand twice (YAML keeps the last and says nothing), merge keys and keys that are not text."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_keys(item, path)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line, name = key.start_mark.line + 1, str(key.value)
        place = f"scenario {path} line {line}"
        if key.tag == _MERGE:
            raise InputError(f"{place}: merge key << is not allowed; write the keys out")
        if key.tag != _TEXT:
            shown = repr(name) if isinstance(key, yaml.ScalarNode) else "a list or a block"
            raise InputError(f"{place}: key {shown} is not text; put it in quotes")
        if name in lines:
            raise InputError(f"{place}: key {name!r} also stands on line {lines[name]}; keep one")
        lines[name] = line
        _check_keys(value, path)


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "one value"
