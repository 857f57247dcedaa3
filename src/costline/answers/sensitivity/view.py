"""Tables, tornado and words of a sensitivity: layout only, every number is in the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from costline.answers.sensitivity.rows import SAME, change_words, dollars, plan_words
from costline.answers.sensitivity.what_if import ENDS, End
from costline.figures_chart import Axis, Chart, Series
from costline.quantities import MILLI, PERCENT, format_seconds
from costline.render import Column, Table

Row = Mapping[str, Any]
DRAWN = 20
MOST_LINEAR = 5.0
"""A wider range is drawn on a logarithmic axis, on which half and twice the value are as long."""
NAMED = 3
_COLUMNS = (
    Column("place", "#", "count"),
    Column("group", "group", minor=3),
    Column("label", "what"),
    Column("low_words", "low"),
    Column("high_words", "high"),
    Column("cost_low", "$/Mtok low", "usd"),
    Column("cost_high", "high", "usd"),
    Column("change_low", "low", "percent"),
    Column("change_high", "high", "percent"),
    Column("tpot_low", "TPOT low", "seconds", minor=1),
    Column("tpot_high", "high", "seconds", minor=1),
    Column("fixed_low", "plan kept: low", "percent", minor=2),
    Column("fixed_high", "high", "percent", minor=2),
)
_NOTE = (
    "Cost of the cheapest plan, chosen anew at each end, and its change; '–' where there is no such end or no plan. "
    "TPOT and the last two columns keep the plan; those are the change of its cost at full load."
)


def tables(title: str, rows: Sequence[Row], top: int) -> tuple[Table, ...]:
    """The effects by their swing, and a sentence on each."""
    shown = rows[:top]
    more = f" {len(rows) - top} smaller effects are in the JSON." if len(rows) > top else ""
    flat = tuple(_flat(place, row) for place, row in enumerate(shown, start=1))
    columns = (Column("place", "#", "count"), Column("label", "what"), Column("words", "what happens, and why"))
    return Table(title, _COLUMNS, flat, _NOTE + more), Table("", columns, flat)


def _flat(place: int, row: Row) -> dict[str, Any]:
    again, fixed = row["replanned"], row["fixed"]
    flat: dict[str, Any] = {"place": place}
    flat |= {name: row[name] for name in ("group", "label", "low_words", "high_words", "words")}
    for end in ENDS:
        flat[f"cost_{end}"] = again[f"usd_per_mtok_{end}"]
        flat[f"change_{end}"] = again[f"usd_per_mtok_change_{end}"]
        flat[f"tpot_{end}"] = fixed[f"tpot_s_{end}"]
        flat[f"fixed_{end}"] = fixed[f"usd_per_mtok_at_capacity_change_{end}"]
    return flat


def summary(now: Row, rows: Sequence[Row], price: str) -> str:
    """What the cost hangs on, in a few lines."""
    lines = [
        f"Plan: {plan_words(now)}, {dollars(now['usd_per_mtok'])} per million output tokens "
        f"({dollars(now['usd_per_mtok_at_capacity'])} at full load), TPOT {format_seconds(now['tpot_s'])}, "
        f"bound by {now['bound']}.",
    ]
    for word, sign in (("Would save most", -1.0), ("Would cost most", 1.0)):
        moved = sorted(_moves(rows), key=lambda one: -sign * one[0])
        told = [f"{label} {change_words(size)}" for size, label in moved[:NAMED] if size * sign > 0]
        lines += [f"{word}: {'; '.join(told)}."] if told else []
    gone = [f"{row['label']} {row[f'{end}_words']}" for row in rows for end in row["no_plan"]]
    lines += [f"No plan is left with {', '.join(gone)}."] if gone else []
    still = [row["label"] for row in rows if max(row["swing"] or 0.0, row["fixed_swing"] or 0.0) < SAME]
    lines += [f"Makes no difference here: {', '.join(dict.fromkeys(still))}."] if still else []
    if now["replicas"] > 1:
        step = f"{1 / now['replicas'] * PERCENT:.0f} %"
        lines.append(f"Fleets are whole replicas: cost chosen anew moves in steps of about {step}.")
    return "\n".join([*lines, price])


def _moves(rows: Sequence[Row]) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for row in rows:
        changes = {end: row["replanned"][f"usd_per_mtok_change_{end}"] for end in ENDS}
        found += [
            (change, f"{row['label']} {row[f'{end}_words']}") for end, change in changes.items() if change is not None
        ]
    return found


def charts(title: str, now: Row, rows: Sequence[Row]) -> dict[str, Chart]:
    """A tornado of the cost of the best plan, one of the plan held fixed, and one of its time per token."""
    again = _tornado(rows, "replanned", "usd_per_mtok", base=now["usd_per_mtok"], unit=1.0)
    kept = "usd_per_mtok_at_capacity"
    fixed = _tornado(rows, "fixed", kept, base=now[kept], unit=1.0)
    speed = _tornado(rows, "fixed", "tpot_s", base=now["tpot_s"], unit=MILLI)
    cost = "cost ($ per million output tokens)"
    told = {
        "tornado": (again, f"What the cost hangs on: {title}", "plan chosen anew at each end", cost),
        "tornado_fixed": (fixed, f"The same plan at full load: {title}", "plan held fixed, every place taken", cost),
        "tornado_tpot": (speed, f"Time per output token of the same plan: {title}", "plan held fixed", "TPOT (ms)"),
    }
    return {
        stem: Chart(
            title=heading,
            subtitle=f"{plan_words(now)}; {how}",
            x=Axis(label, log=_spread(drawn[0]) > MOST_LINEAR),
            y=Axis("", categories=drawn[1]),
            series=drawn[0],
            bars="overlaid",
            bar_base=drawn[2],
            note="Bars start at the plan's value. Hatched: the higher value, or the other choice.",
        )
        for stem, (drawn, heading, how, label) in told.items()
    }


def _tornado(
    rows: Sequence[Row], block: str, name: str, *, base: float, unit: float
) -> tuple[tuple[Series, ...], tuple[str, ...], float]:
    """Two series of bars, their labels, and where they start; the widest first."""
    wide = [(_width(row[block], name, base), row) for row in rows]
    shown = [row for width, row in sorted(wide, key=lambda pair: -pair[0]) if width > 0][:DRAWN]
    series = tuple(_end_series(shown, block, name, end, base=base, unit=unit) for end in ENDS)
    return series, tuple(_category(row) for row in shown), base / unit


def _spread(series: Sequence[Series]) -> float:
    """The largest value drawn over the smallest."""
    known = [value for one in series for value in one.x if math.isfinite(value) and value > 0]
    return max(known) / min(known) if known else 1.0


def _width(block: Row, name: str, base: float) -> float:
    known = [block[f"{name}_{end}"] for end in ENDS if block[f"{name}_{end}"] is not None]
    return max(*known, base) - min(*known, base) if known else 0.0


def _category(row: Row) -> str:
    ends = [row[f"{end}_words"] for end in ENDS if row[f"{end}_words"] is not None]
    return f"{row['label']}: {' | '.join(ends)}"


def _end_series(rows: Sequence[Row], block: str, name: str, end: End, *, base: float, unit: float) -> Series:
    values = [row[block][f"{name}_{end}"] for row in rows]
    return Series(
        name={"low": "at the lower value", "high": "at the higher value, or the other choice"}[end],
        x=tuple(float("nan") if value is None else value / unit for value in values),
        y=tuple(float(place) for place in range(len(rows))),
        mode="bar",
        hover=tuple(
            f"{row['label']} {row[f'{end}_words']}: {_percent(value, base)}. {row['words']}"
            for row, value in zip(rows, values, strict=True)
        ),
    )


def _percent(value: float | None, base: float) -> str:
    return "no plan" if value is None else f"{(value / base - 1.0) * PERCENT:+.1f} %"
