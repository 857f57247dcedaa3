"""One thing at another value: what it changes in the question, the model, the device or the price, and in words.

Knows what a change is. Knows no answer to it (see `around`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from costline.catalog.records import Model
from costline.deployment.plan import Site
from costline.errors import InputError, UnknownIdError
from costline.forward.rates import Rates

Group = Literal["assumptions", "prices", "rates", "options", "architecture"]
GROUPS: tuple[Group, ...] = ("assumptions", "prices", "rates", "options", "architecture")
End = Literal["low", "high"]
ENDS: tuple[End, End] = ("low", "high")


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """A question with one thing changed; what is not given stays as it is."""

    value: float | str
    words: str
    """The value as a person writes it."""
    blocks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Keys of the scenario."""
    model: Callable[[Model], Model] | None = None
    site: Callable[[Site], Site] | None = None
    """Of the plan's accelerator; others stay as they are."""
    rates: Callable[[Rates], Rates] | None = None
    usd_per_hour: float | None = None
    """Price of the plan's accelerator."""
    slower: float = 1.0
    """Factor on the time of every step."""
    resized: bool = False
    """The plan held fixed may have other numbers of replicas: layout or batch is what changes."""
    held: bool = True
    """Makes sense with the plan held fixed."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One assumption, price, rate, option or shape of the model, at a low and a high value (or at one other value)."""

    name: str
    group: Group
    label: str
    unit: str
    base: float | str
    """Its value in the question."""
    low: WhatIf | None = None
    high: WhatIf | None = None
    at: Callable[[float], WhatIf] | None = None
    """The change to any value, where it is a number."""
    note: str = ""

    def ends(self) -> dict[End, WhatIf]:
        """The ends that there are."""
        both = zip(ENDS, (self.low, self.high), strict=True)
        return {end: what for end, what in both if what is not None}


def ranged(effect: Effect, low: float | None, high: float | None) -> Effect:
    """The effect over a range of numbers; an end at the value that it has anyway is left out."""
    assert effect.at is not None
    ends = {
        end: effect.at(value)
        for end, value in zip(ENDS, (low, high), strict=True)
        if value is not None and value != effect.base
    }
    return replace(effect, low=ends.get("low"), high=ends.get("high"))


def varied(effects: list[Effect], vary: Mapping[str, tuple[float, float]]) -> list[Effect]:
    """The effects with ranges of the user's own; raises InputError for a name that is no number of this question."""
    names = {effect.name for effect in effects}
    for name in vary:
        if name not in names:
            raise UnknownIdError("name to vary", name, names)
    return [_own_range(effect, vary.get(effect.name)) for effect in effects]


def _own_range(effect: Effect, span: tuple[float, float] | None) -> Effect:
    if span is None:
        return effect
    low, high = span
    if effect.at is None:
        raise InputError(f"vary {effect.name} has no range: it is one choice of several; leave it out")
    if not low < high:
        raise InputError(f"vary {effect.name}={low:g},{high:g} must be a low and a higher value; swap them")
    return ranged(effect, low, high)
