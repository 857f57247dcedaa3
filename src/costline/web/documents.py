"""A document from the network, JSON or YAML, as plain values: small, flat, without tricks, and naming no file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from costline.answers import read_scenario
from costline.errors import InputError

DEEPEST = read_scenario.MAX_DEPTH
FILES = ("config", "trace", "file", "files", "path", "folder", "catalog", "calibration_file", "kernels")
"""Keys that name files in a scenario; over the network only `config` is taken, as the document itself."""
_PLACE = Path("(pasted)")


def read_document(text: str, *, as_yaml: bool) -> dict[str, Any]:
    """The table in a text. Raises InputError naming what is wrong."""
    found = _from_yaml(text) if as_yaml else _from_json(text)
    if not isinstance(found, dict):
        raise InputError("the document must hold blocks such as model: and workload:; give a table")
    document = cast(dict[str, Any], found)
    check_depth(document)
    check_no_file(document)
    return document


def _from_json(text: str) -> Any:
    try:
        return json.loads(text or "{}", parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise InputError(f"the document is not valid JSON at line {error.lineno}: {error.msg}; correct it") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"the document cannot be read ({' '.join(str(error).split())}); correct it") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _from_yaml(text: str) -> Any:
    """As strictly as a scenario's file is read: no aliases, no merge keys, no key twice, text keys alone."""
    loader = read_scenario._LOADER  # pyright: ignore[reportPrivateUsage]
    try:
        read_scenario._check_events(text, _PLACE)  # pyright: ignore[reportPrivateUsage]
        read_scenario._check_keys(yaml.compose(text, Loader=loader), _PLACE)  # pyright: ignore[reportPrivateUsage]
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        fault = read_scenario._yaml_fault(error, text)  # pyright: ignore[reportPrivateUsage]
        raise InputError(f"scenario {_PLACE}{fault}") from None
    except (RecursionError, ValueError) as error:
        raise InputError(f"scenario {_PLACE} holds what cannot be read ({' '.join(str(error).split())})") from None


def check_depth(value: Any, deepest: int = DEEPEST) -> None:
    """Raises InputError where tables and lists nest deeper than any scenario does."""
    level = [value]
    for _ in range(deepest + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise InputError(f"the document nests deeper than {deepest} levels; flatten it")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(cast(Mapping[str, Any], value).values())
    return cast(list[Any], value) if isinstance(value, list) else []


def check_no_file(document: Mapping[str, Any], before: str = "") -> None:
    """Raises InputError where a key names a file: nothing that a visitor names is ever opened."""
    for key, value in document.items():
        place = f"{before}{key}"
        if key in FILES and isinstance(value, str):
            remedy = "paste the document itself, on the page Catalog" if key == "config" else "leave it out"
            raise InputError(f"{place} names a file, and no file is opened for the network; {remedy}")
        if isinstance(value, Mapping) and key != "config":
            check_no_file(cast(Mapping[str, Any], value), f"{place}.")
