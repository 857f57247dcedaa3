"""Tables and words of what formulas say of a simulation, and of its conversations: layout only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from costline.quantities import MILLI, PERCENT, format_seconds, significant
from costline.render import Column, Table

Row = Mapping[str, Any]
_POOLED = (
    Column("name", "queue"),
    Column("utilization", "places used", "percent"),
    Column("waiting_share", "must wait", "percent"),
    Column("beyond_target_share", "beyond TTFT target", "percent", minor=1),
    Column("wait", "mean wait", "seconds"),
    Column("p99", "p99", "seconds"),
    Column("places_needed", "places needed", "count"),
)
_CAPPED = (
    Column("name", "longest answer"),
    Column("cut_share", "answers cut", "percent"),
    Column("lost_token_share", "tokens lost", "percent"),
    Column("utilization", "places used", "percent"),
    Column("wait", "wait for a place", "seconds"),
)
_NEARLY = 0.01
"""Parts of a wait below this share of it are not told."""


def queueing_tables(data: Row) -> tuple[Table, ...]:
    """One queue against several, and caps on answers, by formula; where somebody waits."""
    known: Row = data["queueing"] or {}
    found: list[Table] = []
    pooling: list[Row] = known.get("pooling") or []
    caps: Row = known.get("output_caps") or {"rows": []}
    cuts: list[Row] = caps["rows"]
    if pooling:
        rows = tuple({**row, **_waits(row), "name": _queue_name(row)} for row in pooling)
        note = "By formula. Needed: places with which 1 % of requests wait longer than the TTFT target, or at all."
        found.append(Table("A queue for each replica, or one for all", _POOLED, rows, note))
    if cuts:
        rows = tuple({**row, **_waits(row), "name": _cap_name(row["cap_tokens"])} for row in cuts)
        note = "By formula, answers log-normal, steps as long as now."
        found.append(Table("Answers cut at a cap", _CAPPED, rows, note))
    return tuple(found)


def queueing_words(known: Row | None) -> str:
    """The wait by formula, where it comes from, and how far off it is; what would halve it."""
    if known is None:
        return ""
    waits = known["wait_ms"]
    whole, seen = waits["formula"], waits["simulated"]
    if not math.isfinite(whole):
        wanted = f"{significant(known['places_wanted'])} places are wanted of {known['places']:,}"
        why = wanted if known["utilization"] >= 1 else "prompts come faster than they are read"
        return f"By formula the queue has no end: {why}.{_cap_words(known)}"
    names = {"step": "the running step", "prompts": "prompts ahead", "place": _place(known["places"])}
    parts = [f"{_time(waits[key])} for {name}" for key, name in names.items() if waits[key] > _NEARLY * whole]
    parts = parts if len(parts) > 1 else [part.partition(" ")[2].partition(" ")[2] for part in parts]
    off = known["relative_error"]
    near = "as simulated" if off is None or abs(off) < _NEARLY else f"{_off(off)} than the simulated {_time(seen)}"
    said = f"By formula a request waits {_time(whole)} to be taken up{_list(parts)}: {near}."
    if waits["at_most"] is not None:
        said += f" Kingman's bound on the mean wait for it is {_time(waits['at_most'])}."
    return said + _cap_words(known)


def session_words(data: Row) -> str:
    """What conversations send, and how much of it the cache found."""
    known = data["sessions"]
    if known is None:
        return ""
    sent, found = _share(known["cached_share"]), _share(data["kv"]["prefix_hit_share"])
    prompt = f"a mean prompt of {known['prompt_tokens']:,.0f} tokens, {sent} of them sent before"
    return f"Conversations of {significant(known['turns'])} turns: {prompt}; the cache found {found}."


def _place(places: int) -> str:
    return "the only place" if places == 1 else f"one of {places:,} places"


def _cap_words(known: Row) -> str:
    caps = known.get("output_caps")
    if not caps or not math.isfinite(caps["largest_cap_tokens"]):
        return ""
    return (
        f" Answers cut at {caps['largest_cap_tokens']:,.0f} tokens would bring the wait for a place to "
        f"{_time(caps['target_wait_ms'])}."
    )


def _off(error: float) -> str:
    return f"{significant(abs(error) * PERCENT, 2)} % {'more' if error > 0 else 'less'}"


def _list(parts: list[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _queue_name(row: Row) -> str:
    count, places = row["queues"], f"{row['places']:,} places"
    return f"one of {places}" if count == 1 else f"{count} of {places} each"


def _cap_name(tokens: float | None) -> str:
    return "any" if tokens is None or not math.isfinite(tokens) else f"{tokens:,.0f} tokens"


def _waits(row: Row) -> dict[str, float | None]:
    return {key: None if row.get(f"{key}_ms") is None else row[f"{key}_ms"] * MILLI for key in ("wait", "p99")}


def _time(value_ms: float) -> str:
    return format_seconds(value_ms * MILLI)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{significant(value * PERCENT, 2)} %"
