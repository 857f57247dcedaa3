"""Turns what pydantic found wrong with a scenario into one line: the field, the value, the rule, the remedy.

Knows pydantic's kinds of fault and the scenario's blocks. Reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from costline.answers.scenario import Scenario
from costline.errors import nearest_names

Fault = Mapping[str, Any]
Place = tuple[str | int, ...]

LONGEST = 60
_BRANCHES = ("function-", "literal[", "dict[", "list[", "constrained-")
_PLAIN_BRANCHES = ("float", "int", "str", "Lengths", "Arrivals", "nullable")
_NUMBERS = ("float_parsing", "float_type", "int_parsing", "int_type", "int_from_float")
_KINDS: dict[str, str] = {
    "float_parsing": "a number",
    "float_type": "a number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a table",
}
"""What the field should have been, for faults of the wrong kind of value."""
_BOUNDS: dict[str, tuple[str, str, str]] = {
    "greater_than": ("gt", "must be above {}", "give a larger number"),
    "greater_than_equal": ("ge", "must be at least {}", "give a larger number"),
    "less_than": ("lt", "must be below {}", "give a smaller number; is the unit right?"),
    "less_than_equal": ("le", "must be at most {}", "give a smaller number; is the unit right?"),
    "too_short": ("min_length", "must have at least {} entry", "name one"),
    "too_long": ("max_length", "must have at most {} entries", "shorten the list"),
    "string_too_long": ("max_length", "must have at most {} characters", "shorten it"),
}


def one_line(error: ValidationError) -> str:
    """The fault that tells most, in one line."""
    faults: list[Fault] = cast(list[Fault], error.errors(include_url=False))
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    if unknown:
        place = visible(unknown[0]["loc"])
        near = nearest_names(str(place[-1]), keys_of(place[:-1]))
        return f"unknown key {written(place)!r}; nearest: {', '.join(near)}"
    first = max(faults, key=_telling)
    place = visible(first["loc"])
    if first["type"] == "missing":
        return f"{written(place)} is missing; add it to the scenario"
    field = written(place) or "scenario"
    same = [fault for fault in faults if visible(fault["loc"]) == place]
    return f"{field}{_shown(first['input'])}{_rule_and_remedy(first, same, place)}"


def visible(place: Sequence[str | int]) -> Place:
    """The path as the user wrote it, without the names that pydantic gives to the branches of a union."""
    return tuple(part for part in place if not _is_branch(part))


def written(place: Place) -> str:
    """A path as text.

    >>> written(("workload", "stages", 0, "rate"))
    'workload.stages[0].rate'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def keys_of(place: Place) -> list[str]:
    """The keys of the block at a path of the scenario.

    >>> keys_of(("workload", "stages", 0))
    ['rate', 'duration_s']
    """
    block: Any = Scenario
    for part in place:
        if isinstance(part, int):
            continue
        field = getattr(block, "model_fields", {}).get(part)
        block = next(iter(_blocks_in(field.annotation)), None) if field else None
    return list(getattr(block, "model_fields", {}))


def _is_branch(part: str | int) -> bool:
    return isinstance(part, str) and (part in _PLAIN_BRANCHES or part.startswith(_BRANCHES))


def _blocks_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    parts: tuple[Any, ...] = getattr(cast(Any, annotation), "__args__", ())
    return [kind for part in parts for kind in _blocks_in(part)]


def _telling(fault: Fault) -> tuple[int, int]:
    """Deeper faults first; at one depth, a value out of bounds tells more than one of the wrong kind."""
    wrong_kind = fault["type"] in (*_KINDS, "literal_error", "model_type")
    return len(visible(fault["loc"])), 0 if wrong_kind else 1


def _rule_and_remedy(fault: Fault, same: Sequence[Fault], place: Place) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "value_error":
        text = str(fault["msg"]).removeprefix("Value error, ")
        return f" {text}" if text.startswith("must") else f": {text}"
    if kind in _BOUNDS:
        key, rule, remedy = _BOUNDS[kind]
        return f" {rule.format(_number(context[key]))}; {remedy}"
    if kind == "finite_number":
        return " must be a finite number; leave it out or give a plain number"
    if kind == "invalid_key":
        return " has a key that is not text; put it in quotes"
    return _wrong_kind(same, place, fault["input"]) or f": {_lowered(str(fault['msg']))}; correct it"


def _wrong_kind(same: Sequence[Fault], place: Place, value: object) -> str:
    """The rule over all branches of a union, such as "must be a whole number or auto", with its remedy."""
    kinds = list(dict.fromkeys(kind for fault in same for kind in _allowed(fault, place)))
    if not kinds:
        return ""
    types = {fault["type"] for fault in same}
    rule = f" must be {', '.join(kinds[:-1])}{' or ' if kinds[1:] else ''}{kinds[-1]}"
    if types & set(_NUMBERS):
        unit = isinstance(value, str) and any(letter.isdigit() for letter in value)
        return f"{rule}; write a plain number{' without a unit' if unit else ''}"
    if types == {"model_type"}:
        return f"{rule}; write {place[-1] if place else 'it'}: {{{keys_of(place)[0]}: …}}"
    remedies = {"string_type": "put it in quotes", "list_type": "write it as [a, b]"}
    return f"{rule}; {remedies.get(same[0]['type'], 'write one of these')}"


def _allowed(fault: Fault, place: Place) -> list[str]:
    """What one branch of a union takes."""
    if fault["type"] == "literal_error":
        words = str(fault["ctx"]["expected"]).replace("'", "").replace("False", "false").replace("True", "true")
        return words.replace(" or ", ", ").split(", ")
    if fault["type"] == "model_type":
        keys = keys_of(place)
        return [f"a block with {', '.join(keys[:3])}{' …' if len(keys) > 3 else ''}"]
    return [_KINDS[fault["type"]]] if fault["type"] in _KINDS else []


def _shown(value: object) -> str:
    if isinstance(value, Mapping | BaseModel):
        return ""
    text = repr(value)
    return "=" + (text if len(text) <= LONGEST else text[: LONGEST - 3] + "...")


def _number(value: Any) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
