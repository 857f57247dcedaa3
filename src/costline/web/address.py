"""A question as the query of an address and back: `workload.input_tokens=2048`. A link is a saved question.

Knows no question: a dotted name is a path, repeated names are a list, what starts with a bracket is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast
from urllib.parse import urlencode

from costline.errors import InputError
from costline.web.documents import check_depth, check_no_file, read_document

MOST_NAMES = 200
LONGEST_NAME = 100
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


def question_of(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Plain values from the names of a query; empty ones are left out. Raises InputError for what has no meaning.

    >>> question_of([("model.id", "llama-3.1-8b"), ("slo.ttft_p99_ms", ""), ("a", "x"), ("a", "y")])
    {'model': {'id': 'llama-3.1-8b'}, 'a': ['x', 'y']}
    """
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        if text.strip():
            given.setdefault(name, []).append(text.strip())
    if len(given) > MOST_NAMES:
        raise InputError(f"the address has {len(given)} settings; {MOST_NAMES} are the most")
    question: dict[str, Any] = {}
    for name, texts in given.items():
        _put(question, name, [_value(text) for text in texts])
    check_depth(question)
    check_no_file(question)
    return question


def _value(text: str) -> Any:
    """A word, a number as text, or JSON where it starts with a bracket."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == "[":
        return read_document(f'{{"list": {text}}}', as_yaml=False)["list"]
    return read_document(text, as_yaml=False) if text[0] == "{" else text


def _put(question: dict[str, Any], name: str, values: list[Any]) -> None:
    *before, last = name.split(".")
    if len(name) > LONGEST_NAME or not all((*before, last)):
        raise InputError(f"{name[:LONGEST_NAME]!r} is no setting; write it like workload.input_tokens")
    place: dict[str, Any] = question
    for part in before:
        inner: Any = place.setdefault(part, {})
        if not isinstance(inner, dict):
            raise InputError(f"{name} and {part} cannot both be given; keep one")
        place = cast(dict[str, Any], inner)
    if last in place:
        raise InputError(f"{name} and a setting inside it cannot both be given; keep one")
    place[last] = values[0] if len(values) == 1 else values


def query_of(question: Mapping[str, Any]) -> str:
    """The query of an address that means the question.

    >>> query_of({"model": {"id": "llama-3.1-8b"}, "compare": {"api": None}, "a": ["x", "y"]})
    'model.id=llama-3.1-8b&compare.api=null&a=x&a=y'
    """
    return urlencode(pairs_of(question))


def pairs_of(question: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Names and texts of a question, in its order."""
    pairs: list[tuple[str, str]] = []
    for key, value in question.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and _plain_keys(cast(Mapping[str, Any], value)) and key != "config":
            pairs += pairs_of(cast(Mapping[str, Any], value), f"{name}.")
        elif isinstance(value, list) and all(isinstance(one, str) for one in cast(list[Any], value)):
            pairs += [(name, one) for one in cast(list[str], value)]
        else:
            pairs.append((name, value if isinstance(value, str) else json.dumps(value)))
    return pairs


def _plain_keys(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(key and "." not in key for key in value)
