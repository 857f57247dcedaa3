"""Reads a scenario from a file, a dict or keyword arguments; every fault becomes one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError

from costline.answers.scenario import Scenario
from costline.errors import InputError, nearest_names
from costline.quantities import MIB

MAX_BYTES = MIB
MAX_DEPTH = 32


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
        raise InputError(_one_line(error, given)) from None


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
        loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise InputError(f"scenario {path}{line}: {problem}; fix the YAML") from None
    if not isinstance(loaded, dict):
        raise InputError(f"scenario {path} holds {_kind(loaded)}; it must hold blocks such as model: and workload:")
    return cast(dict[str, Any], loaded)


def read_text(path: Path, what: str) -> str:
    """Text of a small file; raises InputError if it is missing, a directory, unreadable, too large or not UTF-8."""
    if path.is_dir():
        raise InputError(f"{what} {path} is a directory; give a file")
    try:
        raw = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except FileNotFoundError:
        raise InputError(f"{what} {path} does not exist; check the path") from None
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read ({error.strerror}); check its permissions") from None
    if raw is None:
        raise InputError(f"{what} {path} is larger than {MAX_BYTES // MIB} MiB; give the document itself")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{what} {path} is not UTF-8 text; save it as UTF-8") from None


def _check_events(text: str, path: Path) -> None:
    depth = 0
    parse = cast(Any, yaml).parse
    events: Iterator[Any] = parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1
            raise InputError(f"scenario {path} line {line}: alias *{event.anchor} is not allowed; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise InputError(f"scenario {path} nests deeper than {MAX_DEPTH} levels; flatten it")


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _one_line(error: ValidationError, given: Mapping[str, Any]) -> str:
    first = _most_telling(error)
    place = [str(part) for part in first["loc"] if not _is_branch(part)]
    field = ".".join(place) or "scenario"
    value, kind = first["input"], first["type"]
    if kind == "extra_forbidden":
        near = nearest_names(place[-1], _known_keys(place[:-1]))
        return f"unknown key {field!r}; nearest: {', '.join(near)}"
    if kind == "missing":
        return f"{field} is missing; add it to the scenario"
    if isinstance(value, str) and kind in ("float_parsing", "int_parsing", "int_from_float", "literal_error"):
        unit = " without a unit" if any(letter.isdigit() for letter in value) else ""
        return f"{field}={value!r} is not understood: {_rule(first)}; write a plain number{unit} or an allowed word"
    shown = "" if isinstance(value, Mapping | BaseModel) else f"={_short(value)}"
    return f"{field}{shown}: {_rule(first)}"


def _most_telling(error: ValidationError) -> Any:
    """The deepest fault: of a union's branches, the one that got furthest is the one the user meant."""
    return max(error.errors(include_url=False), key=lambda one: (len(one["loc"]), one["type"] != "model_type"))


def _is_branch(part: object) -> bool:
    """Pydantic names the branch of a union in the path; users never wrote it."""
    text = str(part)
    made_up = ("function-", "literal[", "dict[", "list[", "constrained-")
    return text in ("float", "int", "str", "Lengths", "Arrivals") or text.startswith(made_up)


def _rule(fault: Any) -> str:
    text = str(fault["msg"]).removeprefix("Value error, ")
    return text[0].lower() + text[1:]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(place: list[str]) -> list[str]:
    block: Any = Scenario
    for part in place:
        field = getattr(block, "model_fields", {}).get(part)
        if field is None:
            return []
        block = next(iter(_block_types(field.annotation)), None)
    return list(getattr(block, "model_fields", {}))


def _block_types(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    parts: tuple[Any, ...] = getattr(cast(Any, annotation), "__args__", ())
    return [kind for part in parts for kind in _block_types(part)]
