"""The ledger of a plan: what it rests on, where each fact is from, and where its equations hold."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import cast

from pydantic import BaseModel

from costline.answers.answer import Used
from costline.answers.scenario import Scenario
from costline.catalog import load

_KEYS = re.compile(r"\[([a-z0-9][a-z0-9._-]*)\]")


def facts(used: Sequence[Used]) -> list[dict[str, str]]:
    """Facts that an answer used, each with its citation."""
    known = load.sources()
    rows: list[dict[str, str]] = []
    for one in used:
        if one.kind == "equation":
            continue
        source = known.get(one.source)
        rows.append({
            "what": one.what, "value": one.value, "kind": one.kind, "source": one.source,
            "title": source.title if source else "", "url": source.url if source else "", "retrieved": one.retrieved,
        })  # fmt: skip
    return rows


def equations(used: Sequence[Used]) -> list[dict[str, str]]:
    """Equations on the answer's path: where they stand, what they say, where they hold."""
    found = [one for one in used if one.kind == "equation"]
    return [
        {"what": one.what, "value": one.value, "source": one.source, "holds": holds_when(one.what)} for one in found
    ]


@cache
def holds_when(place: str) -> str:
    """What an equation's docstring says about where it holds.

    >>> "overlap" in holds_when("forward.roofline.roofline_time_s")
    True
    """
    module, _, name = place.rpartition(".")
    text = inspect.getdoc(getattr(import_module(f"costline.{module}"), name, None)) or ""
    found = re.search(r"Holds when\s+(.*?)\n(?:Source|Raises|\s*\n)", text, re.DOTALL)
    return " ".join(found.group(1).split()) if found else ""


def citations(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Each source that facts or equations name, once."""
    known = load.sources()
    keys = dict.fromkeys(key for row in rows for key in (row["source"], *_KEYS.findall(row["source"])))
    return [
        {"key": key, "title": known[key].title, "url": known[key].url, "retrieved": known[key].retrieved}
        for key in keys
        if key in known
    ]


def assumed(scenario: Scenario) -> list[dict[str, str]]:
    """Settings that the question left at their defaults."""
    return _defaults(scenario, "")


def _defaults(block: BaseModel, before: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for name, field in type(block).model_fields.items():
        value: object = getattr(block, name)
        if isinstance(value, BaseModel):
            rows += _defaults(value, f"{before}{name}.")
        elif value is not None and not field.is_required() and value == field.get_default(call_default_factory=True):
            shown = ", ".join(map(str, cast(list[object], value))) if isinstance(value, list) else str(value)
            rows.append({"field": f"{before}{name}", "value": shown, "meaning": field.description or ""})
    return rows
