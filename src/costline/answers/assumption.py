"""One number that an answer about money rests on: its range, where it is from, and how old it is."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from costline.answers.answer import Used
from costline.money.price import STALE_DAYS, price_age_days
from costline.quantities import Array, as_array, significant

Kind = Literal["given", "assumed", "published", "vendor", "measured", "derived", "inferred", "computed"]
Given = float | tuple[float, float, float] | None
"""What a block of the scenario says: nothing, a number, or [low, likely, high]."""


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """A number with its range. Low and high are the same where it is certain."""

    name: str
    label: str
    unit: str
    low: float
    likely: float
    high: float
    kind: Kind
    source: str
    """A key of the catalog's sources, an offer, or what the scenario gave."""
    date: str = ""
    """Day, month or year at which it was true; empty where it is no price."""
    note: str = ""

    @property
    def certain(self) -> bool:
        """Whether there is no range."""
        return self.low == self.high

    @property
    def range(self) -> tuple[float, float, float]:
        """Low, likely, high."""
        return self.low, self.likely, self.high

    def row(self, today: datetime.date) -> dict[str, Any]:
        """As JSON has it, with its age."""
        fields = ("name", "label", "unit", "low", "likely", "high", "kind", "source", "note")
        return {field: getattr(self, field) for field in fields} | dated(self.date, today)

    def used(self) -> Used:
        """Among what an answer used."""
        span = "" if self.certain else f" ({significant(self.low)} to {significant(self.high)})"
        source = self.source if self.kind not in ("given", "assumed") else "scenario" if self.kind == "given" else ""
        value = f"{significant(self.likely)}{span} {self.unit}".strip()
        return Used(self.label, value, self.kind, source or "assumed", self.date)


def dated(date: str, today: datetime.date) -> dict[str, Any]:
    """A price's day, its age, and whether that is more than 90 days."""
    age = price_age_days(date, today) if date else None
    return {"date": date or None, "age_days": age, "stale": age is not None and age > STALE_DAYS}


def settled(default: Assumption, given: Given, as_of: str | None = None) -> Assumption:
    """The default, or what the scenario gives in its place: a single number is taken as certain."""
    if given is None:
        return default
    low, likely, high = given if isinstance(given, tuple) else (given, given, given)
    span = {"low": low, "likely": likely, "high": high}
    return replace(default, **span, kind="given", source="scenario", date=as_of or "", note="")


def likely_values(assumptions: Mapping[str, Assumption]) -> dict[str, float]:
    """Every number at its likely value."""
    return {name: one.likely for name, one in assumptions.items()}


def corner_values(assumptions: Mapping[str, Assumption], uncertain: tuple[str, ...]) -> dict[str, Array]:
    """All 2^k corners of the named ranges as columns, the likely point first; other numbers at their likely value."""
    ends = [(assumptions[name].low, assumptions[name].high) for name in uncertain]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, len(ends)) if ends else np.empty((0, 0))
    likely = as_array([assumptions[name].likely for name in uncertain])
    table = np.concatenate([likely[np.newaxis, :], corners]) if ends else np.empty((1, 0))
    columns = {name: table[:, place] for place, name in enumerate(uncertain)}
    fixed = {name: np.full(table.shape[0], one.likely) for name, one in assumptions.items() if name not in columns}
    return fixed | columns
