"""Tables, charts and words of price histories: layout only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from costline.answers.prices.view import PRICE_COLUMNS, dated
from costline.figures_chart import Axis, Chart, Series
from costline.money.price import STALE_DAYS
from costline.money.price_history import years_between
from costline.quantities import PERCENT, significant
from costline.render import Column, Table


def tables(data: Mapping[str, Any]) -> tuple[Table, ...]:
    """The prices of the model, and the cheapest of the highest level of capability that it reaches."""
    columns = (
        Column("date", "since"),
        Column("until", "until"),
        *PRICE_COLUMNS,
        Column("input_change", "input", "percent"),
        Column("output_change", "output", "percent"),
        Column("kind", "day is"),
        Column("source", "source"),
        Column("remark", "note"),
    )
    old = f"older than {STALE_DAYS} days" if data["data"]["stale"] else ""
    remarks = ("announced" if row["announced"] else "" if row["until"] else old for row in data["points"])
    rows = tuple({**row, "remark": remark} for row, remark in zip(data["points"], remarks, strict=True))
    title = f"List price of {data['model']} at {data['provider']}"
    return (Table(title, columns, rows, dated(data["data"])), *map(_level_table, data["levels"][-1:]))


def _level_table(level: Mapping[str, Any]) -> Table:
    columns = (
        Column("date", "since"),
        Column("model", "model"),
        *PRICE_COLUMNS,
        Column("cheapest_input_usd_per_mtok", "cheapest input", "number"),
        Column("source", "source"),
    )
    note = "Who said that a model reaches the level stands in the catalog's api_launches.yml."
    return Table(f"Models said to be at the level of {level['level']} or above", columns, tuple(level["points"]), note)


def summary(data: Mapping[str, Any]) -> str:
    """The rates of decline in words."""
    rates = data["decline_per_year"]
    kinds = [f"{kind} {_rate(rates[kind])}" for kind in ("input", "output") if rates[kind] is not None]
    if kinds:
        span = f"from {rates['from']} to {rates['to']} ({significant(rates['years'], 2)} years)"
        lines = [f"Rate of decline {span}: {', '.join(kinds)}."]
    else:
        why = "nothing tells since when its first price held" if data["sold"] else "it is no longer sold"
        lines = [f"Rate of decline of {data['model']}: not known; {why}."]
    changed = [row for row in data["points"][1:] if row["date"] and not row["announced"]]
    lines += [f"Last change on {row['date']}: {_changes(row)}." for row in changed[-1:]]
    for level in data["levels"][-1:]:
        first, last = level["points"][0], level["points"][-1]
        cheapest = significant(last["cheapest_input_usd_per_mtok"])
        lines.append(
            f"At the level of {level['level']}, input fell from ${significant(first['input_usd_per_mtok'])} "
            f"({first['date']}) to ${cheapest} per Mtok: {_rate(level['decline_per_year'])} over "
            f"{significant(level['years'], 2)} years; models without a stated level are left out: at least so fast."
        )
    return "\n".join(lines)


def _changes(row: Mapping[str, Any]) -> str:
    parts = [(kind, row[f"{kind}_change"]) for kind in ("input", "output")]
    return ", ".join(f"{kind} {change * PERCENT:+.0f} %" for kind, change in parts if change is not None)


def _rate(share: float) -> str:
    """A rate of decline; a rise says so."""
    if abs(share) < 0.5 / PERCENT:
        return "unchanged"
    return f"{'-' if share >= 0 else '+'}{significant(abs(share) * PERCENT, 2)} % a year"


def charts(data: Mapping[str, Any]) -> dict[str, Chart]:
    """Price over time, of the model and of the highest level of capability that it reaches."""
    known = [row for row in data["points"] if row["date"] and not row["announced"]]
    drawn: dict[str, Chart] = {}
    end = data["data"]["date"]
    if known:
        series = [_steps(kind, known, f"{kind}_usd_per_mtok", end) for kind in ("input", "output")]
        title = f"List price of {data['model']} at {data['provider']}"
        drawn["price_history"] = replace(_chart(title, known, series, data), note=summary(data).splitlines()[0])
    for level in data["levels"][-1:]:
        series = [_models(level), _steps("cheapest so far", level["points"], "cheapest_input_usd_per_mtok", end)]
        title = f"Input price of models at the level of {level['level']} or above"
        drawn["price_of_level"] = _chart(title, level["points"], series, data)
    return drawn


def _chart(title: str, rows: Sequence[Mapping[str, Any]], series: Sequence[Series], data: Mapping[str, Any]) -> Chart:
    start = rows[0]["date"]
    return Chart(
        title=title,
        subtitle=dated(data["data"]),
        x=Axis(f"years since {start}"),
        y=Axis("price ($/Mtok)", log=True),
        series=tuple(one for one in series if one.x),
    )


def _steps(name: str, rows: Sequence[Mapping[str, Any]], key: str, end: str) -> Series:
    """A price that holds until the next, to the day of the data."""
    start = rows[0]["date"]
    priced = [row for row in rows if row[key]]
    x = [years_between(start, row["date"]) for row in priced] + ([years_between(start, end)] if priced else [])
    y = [float(row[key]) for row in priced]
    hover = tuple(f"{row['date']} {row['model']}: ${significant(row[key])}" for row in priced)
    return Series(name, tuple(x), tuple(y + y[-1:]), mode="step", hover=(*hover, *([f"{end}: still"] if y else [])))


def _models(level: Mapping[str, Any]) -> Series:
    rows = level["points"]
    x = tuple(years_between(rows[0]["date"], row["date"]) for row in rows)
    y = tuple(float(row["input_usd_per_mtok"] or 0) for row in rows)
    hover = tuple(f"{row['date']} {row['model']}" for row in rows)
    return Series("models", x, y, mode="markers", hover=hover)
