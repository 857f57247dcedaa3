"""Tables and words of a trace: layout only, every number is in the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from costline.quantities import PERCENT, format_seconds, significant
from costline.render import Column, Table

Row = Mapping[str, Any]
_QUANTILES = ("p5", "p25", "p50", "p75", "p90", "p95", "p99")
_MINOR = {"p5": 3, "p25": 2, "p75": 2, "p90": 1}
_LENGTHS = (
    Column("name", "tokens"),
    Column("mean", "mean", "count"),
    Column("cv", "cv", "rate"),
    Column("least", "least", "count", minor=3),
    *(Column(name, name, "count", minor=_MINOR.get(name, 0)) for name in _QUANTILES),
    Column("most", "most", "count"),
)
_KINDS = {"input_tokens": "prompt", "output_tokens": "answer"}
_FACTS = (Column("what", "what"), Column("value", "value"), Column("meaning", "meaning"))


def tables(data: Row) -> tuple[Table, ...]:
    """Lengths, then everything else that the file shows."""
    lengths = tuple(_lengths(data[key], name) for key, name in _KINDS.items())
    title = f"{data['path']} ({data['format']}): {data['requests']:,} requests"
    facts = [*_arrivals(data["arrivals"]), *_reuse(data), *_little(data["little"])]
    rows = tuple({"what": what, "value": value, "meaning": meaning} for what, value, meaning in facts)
    return Table(title, _LENGTHS, lengths), Table("When they come and what repeats", _FACTS, rows)


def _lengths(row: Row, name: str) -> dict[str, Any]:
    return {"name": name, **row, **row["quantiles"]}


def _arrivals(come: Row | None) -> list[tuple[str, str, str]]:
    if come is None:
        return [("duration", "–", "the file has no times")]
    windows: Mapping[str, float] = come["dispersion"]
    spread = ", ".join(f"{significant(value)} a {name}" for name, value in windows.items() if math.isfinite(value))
    found = [
        ("duration", format_seconds(come["span_s"]), "from the first request to the last"),
        ("rate", f"{significant(come['requests_per_s'])}/s", "mean"),
        ("busiest minute", f"{significant(come['peak_requests_per_s'])}/s", "mean over it"),
        ("burstiness", significant(come["gap_cv"]), "coefficient of variation of the gaps; 1 = Poisson"),
    ]
    if spread:
        found.append(("dispersion", spread, "variance over mean of requests in a window; 1 = Poisson"))
    return found


def _reuse(data: Row) -> list[tuple[str, str, str]]:
    reuse, found = data["reuse"], list[tuple[str, str, str]]()
    found.append(("correlation", significant(data["rank_correlation"]), "of the ranks of prompt and answer lengths"))
    if data["sessions"] is not None:
        turns = f"{data['sessions']:,}, {significant(data['turns_per_session'])} turns each"
        found.append(("conversations", turns, "requests over conversations"))
    if reuse is None:
        return [*found, ("prefix reuse", "–", "the file does not say what prompts have in common")]
    most = f"{_share(reuse['best_hit_rate'])} of prompt tokens"
    some = f"what a cache that never forgets would find; {_share(reuse['requests_with_a_hit'])} of requests find some"
    return [*found, ("prefix reuse", most, some)]


def _little(check: Row | None) -> list[tuple[str, str, str]]:
    if check is None:
        return []
    value = f"{significant(check['counted'])} in flight, rate times time {significant(check['rate_times_time'])}"
    fits = "does not fit" if check["violations"] else "fits"
    return [
        ("Little's law", f"{value}: {fits}", "in the middle half of the file"),
        ("most in flight", f"{check['peak']:,.0f}", "at once"),
    ]


def summary(data: Row) -> str:
    """What the trace is like, what does not fit, and a workload like it."""
    wrong: tuple[str, ...] = data["little"]["violations"] if data["little"] else ()
    lines = [*(f"Little's law: {said}." for said in wrong), *data["notes"]]
    return "\n".join([*lines, f"A workload like it: {{{_written(data['workload'])}}}"])


def _written(block: Row) -> str:
    """A mapping as YAML writes it in one line."""
    return ", ".join(
        f"{key}: {{{_written(cast(Row, value))}}}" if isinstance(value, Mapping) else f"{key}: {value:g}"
        for key, value in block.items()
    )


def _share(value: float) -> str:
    return f"{significant(value * PERCENT, 2)} %"
