"""One row for each effect: cost and times with the plan held fixed and chosen anew, their change, and why in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costline.answers.sensitivity.around import Around, anew, held
from costline.answers.sensitivity.what_if import ENDS, Effect
from costline.quantities import PERCENT, significant
from costline.render import written

Row = Mapping[str, Any]
MEASURES = ("usd_per_mtok", "usd_per_mtok_at_capacity", "tpot_s", "ttft_s")
SAME = 0.005
"""Smaller changes are called none."""


def effect_row(base: Around, now: Row, effect: Effect, knee: Mapping[str, Any] | None) -> dict[str, Any]:
    """Everything that an answer says about one effect."""
    ends = effect.ends()
    nothing = {"value": None, "words": None}
    said = {end: {"value": ends[end].value, "words": ends[end].words} if end in ends else nothing for end in ENDS}
    fixed = {end: held(base, what) for end, what in ends.items() if what.held}
    again = {end: anew(base, what) for end, what in ends.items()}
    row: dict[str, Any] = {
        "name": effect.name,
        "group": effect.group,
        "label": effect.label,
        "unit": effect.unit,
        "base": effect.base,
        **{end: said[end]["value"] for end in ENDS},
        **{f"{end}_words": said[end]["words"] for end in ENDS},
        "fixed": _block(now, fixed),
        "replanned": _block(now, again),
        "swing": _swing(now["usd_per_mtok"], [one["usd_per_mtok"] for one in again.values()]),
        "fixed_swing": _fixed_swing(now, list(fixed.values())),
        "no_plan": [end for end, one in again.items() if one["usd_per_mtok"] is None],
        "note": effect.note,
        "knee": dict(knee) if knee else None,
    }
    return row | {"words": _words(row, now, again, knee)}


def _block(now: Row, found: Mapping[Any, Row]) -> dict[str, Any]:
    """Values and relative changes at both ends, keys ending in `_low` and `_high`."""
    block: dict[str, Any] = {}
    for end in ENDS:
        one = found.get(end)
        for name in MEASURES:
            block[f"{name}_{end}"] = one[name] if one else None
            block[f"{name}_change_{end}"] = change(one[name], now[name]) if one else None
        for name in ("batch", "missed", "reason"):
            block[f"{name}_{end}"] = one[name] if one else None
        block[f"plan_{end}"] = plan_words(one) if one and one["usd_per_mtok"] is not None else None
    return block


def plan_words(one: Row) -> str:
    """A deployment in a few words."""
    return f"{one['accelerators']} × {one['accelerator']} as {one['layout']}, {one['weights']}"


def change(value: float | None, now: float) -> float | None:
    """Relative change; None where either is missing."""
    return None if value is None or not now else value / now - 1.0


def _swing(now: float, values: Sequence[float | None]) -> float | None:
    """Width of the range of costs, the plan's own among them, over it; None where no end has a plan."""
    known = [value for value in values if value is not None]
    return (max(*known, now) - min(*known, now)) / now if known and now else None


def _fixed_swing(now: Row, found: Sequence[Row]) -> float | None:
    """The larger of the swings of cost and of cost at capacity: with a fixed fleet and load only the latter moves."""
    names = ("usd_per_mtok", "usd_per_mtok_at_capacity")
    swings = [_swing(now[name], [one[name] for one in found]) for name in names]
    return max((swing for swing in swings if swing is not None), default=None)


def _words(row: Row, now: Row, again: Mapping[Any, Row], knee: Mapping[str, Any] | None) -> str:
    parts = [f"{row[f'{end}_words']}: {_end_words(one, now)}" for end, one in again.items()]
    if knee:
        parts.append(f"{row['label'].partition(' (')[0]} {knee['words']}")
    elif row["name"] == "memory_capacity":
        parts.append(_room_words(row, now))
    if row["note"]:
        parts.append(row["note"])
    return "; ".join(part for part in parts if part)


def _end_words(one: Row, now: Row) -> str:
    if one["usd_per_mtok"] is None:
        return f"no plan ({str(one['reason']).partition(';')[0]})"
    words = change_words(change(one["usd_per_mtok"], now["usd_per_mtok"]))
    ways = [(each["accelerator"], each["weights"], each["layout"].partition("× ")[2]) for each in (one, now)]
    if ways[0] != ways[1]:
        words += f" as {plan_words(one)}"
    elif one["bound"] != now["bound"]:
        words += f" and {one['bound']} binds instead of {now['bound']}"
    return words


def change_words(moved: float | None) -> str:
    """A relative change of cost as a person says it."""
    if moved is None:
        return "unknown"
    if abs(moved) < SAME:
        return "no change"
    return f"{significant(abs(moved) * PERCENT, 2)} % {'dearer' if moved > 0 else 'cheaper'}"


def _room_words(row: Row, now: Row) -> str:
    found = [f"{row['fixed'][f'batch_{end}']:,}" for end in ENDS if row["fixed"][f"batch_{end}"]]
    return f"the plan's {now['batch']:,} sequences become {' or '.join(found)}" if found else ""


def ranked_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By swing of the cost, then of the plan held fixed; without accelerators that no plan is left on."""
    kept = [row for row in rows if row["swing"] is not None or row["fixed_swing"] is not None or row["low"] is not None]
    return sorted(kept, key=lambda row: (-(row["swing"] or 0.0), -(row["fixed_swing"] or 0.0)))


def dollars(value: float | None) -> str:
    """USD as tables have them."""
    return written(value, "usd")
