"""The exceptions of costline.

    CostlineError            anything costline raises on purpose
    ├── InputError           what the user gave cannot be used (exit code 2)
    │   └── UnknownIdError   an id or key that is not known; names the nearest
    ├── CatalogError         a fact file is malformed: names file and line (exit code 2)
    ├── DomainError          an equation was given a value outside its domain (exit code 2)
    └── InfeasibleError      the question is sound but nothing satisfies it (exit code 3)

Every message is one line: the field, the value, the rule, the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CostlineError(Exception):
    """Anything costline raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 2


class InputError(CostlineError):
    """What the user gave cannot be used."""


class CatalogError(CostlineError):
    """A fact file is malformed; the message names the file and the line."""


class DomainError(CostlineError, ValueError):
    """An equation was given a value outside its domain."""


class InfeasibleError(CostlineError):
    """The question is sound but no deployment satisfies it; the message says which limit excludes the nearest."""

    exit_code = 3


class UnknownIdError(InputError):
    """An id or key that is not known; the message names the nearest three."""

    def __init__(self, kind: str, value: str, known: Iterable[str]) -> None:
        nearest = nearest_names(value, known)
        super().__init__(f"unknown {kind} {value!r}; nearest: {', '.join(nearest)}")


def nearest_names(value: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The `count` known names that look most like `value`, best first (always `count` if that many exist)."""
    names = sorted(set(known))
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(value.lower(), lowered, n=count, cutoff=0.0)
    return [lowered[name] for name in close]
