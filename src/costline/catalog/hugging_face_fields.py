"""Reading of a `config.json`: one field by any of its names, checked, with an error that says what to correct.

Knows JSON's types and how to complain. Knows no architecture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from costline.errors import InputError
from costline.quantities import MEGA

MAX_CONFIG_BYTES = int(MEGA)
MAX_COUNT = 2**40
MAX_LAYERS = 10_000
_NO_DEFAULT: Final[Any] = object()
_INNER_KEYS = ("text_config", "language_config", "llm_config")


@dataclass(frozen=True)
class Fields:
    """The fields of a configuration; a field is asked for by its names, the commonest first."""

    values: Mapping[str, Any]
    outer: Mapping[str, Any]
    """The configuration around a nested one (a vision wrapper), for what the nested one leaves out."""

    def has(self, *names: str) -> bool:
        """Whether one of the names is there and not null."""
        return any(self.values.get(name) is not None for name in names)

    def count(self, *names: str, default: Any = _NO_DEFAULT, least: int = 1, most: int = MAX_COUNT) -> int:
        """A whole number from `least` to `most`."""
        name = next((name for name in names if self.values.get(name) is not None), None)
        if name is None:
            if default is _NO_DEFAULT:
                raise missing(*names)
            return int(default)
        value = self.values[name]
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if not (math.isfinite(number) and number == int(number) and least <= number <= most):
            raise wrong(name, value, f"a whole number from {least} to {most}")
        return int(number)

    def optional_count(self, *names: str) -> int | None:
        """A positive whole number, or None where the field is missing, null or 0."""
        number = self.count(*names, default=0, least=0)
        return number or None

    def flag(self, *names: str, default: bool) -> bool:
        """true or false; also looked for around a nested configuration."""
        for values in (self.values, self.outer):
            for name in names:
                value = values.get(name)
                if value is None:
                    continue
                if not isinstance(value, bool | int) or value not in (0, 1):
                    raise wrong(name, value, "true or false")
                return bool(value)
        return default

    def items(self, name: str, kind: type[str] | type[int], length: int | None = None) -> list[Any] | None:
        """A list of text or of whole numbers, cut to `length` (shorter is an error); None where there is none."""
        value = self.values.get(name)
        if value is None or value == []:
            return None
        found: list[Any] = cast(list[Any], value) if isinstance(value, list) else []
        if not found or any(not isinstance(item, kind) for item in found):
            raise wrong(name, cast(object, value), f"a list of {'text' if kind is str else 'whole numbers'}")
        if length is not None and len(found) < length:
            raise wrong(name, f"a list of {len(found)}", f"a list with one entry for each of {length} layers")
        return found[:length]

    def inner(self, name: str) -> Fields:
        """A nested table; empty where it is missing."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, dict):
            raise wrong(name, value, "a table (a JSON object)")
        return Fields(cast(Mapping[str, Any], value or {}), {})


def fields_of(config: Mapping[str, Any]) -> Fields:
    """The fields of the language model in a configuration, which may be wrapped (`text_config`)."""
    values: Mapping[str, Any] = config
    for key in _INNER_KEYS:
        inner = config.get(key)
        if inner is not None:
            if not isinstance(inner, dict):
                raise wrong(key, inner, "a table (a JSON object)")
            values = cast(Mapping[str, Any], inner)
            break
    return Fields(values, config)


def read_config(path: Path) -> dict[str, Any]:
    """The table in a `config.json`; raises InputError in one line if it cannot be read as one."""
    if path.is_dir():
        raise InputError(f"config={str(path)!r} is a directory; give the config.json inside it")
    if not path.is_file():
        raise InputError(f"config={str(path)!r} does not exist; give the path of a model's config.json")
    try:
        size = path.stat().st_size
        if size > MAX_CONFIG_BYTES:
            raise InputError(
                f"config={str(path)!r} has {size} bytes, more than {MAX_CONFIG_BYTES}; give config.json, not weights"
            )
        config = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"config={str(path)!r} is not valid JSON at line {error.lineno}: {error.msg}; is the file complete?"
        ) from None
    except (OSError, UnicodeDecodeError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"config={str(path)!r} cannot be read ({reason}); give a model's config.json") from None
    if not isinstance(config, dict):
        raise InputError(f"config={str(path)!r} holds no JSON object; give a model's config.json")
    return cast(dict[str, Any], config)


def missing(*names: str) -> InputError:
    """The error for a field that is not there."""
    others = f" (or {', '.join(names[1:])})" if names[1:] else ""
    return InputError(f"config lacks {names[0]}{others}, which must be a whole number; add it to the config.json")


def wrong(name: str, value: object, rule: str) -> InputError:
    """The error for a field with an unusable value."""
    shown = " ".join(repr(value).split())
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return InputError(f"config has {name}={shown}, which must be {rule}; correct it in the config.json")
