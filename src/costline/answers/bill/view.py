"""Tables, chart and words of a bill: layout only, every number is in the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costline.answers.price_words import dollars, price_table, prices_note
from costline.figures_chart import Axis, Chart, Series
from costline.money.price import STALE_DAYS
from costline.quantities import HOUR_S, KILO, PERCENT, format_count, significant
from costline.render import Column, Table

Row = Mapping[str, Any]
_BILLS = (
    Column("name", "a month at"),
    Column("usd_per_month", "total", "usd"),
    Column("input_usd", "input", "usd"),
    Column("output_usd", "output", "usd"),
    Column("egress_usd", "egress", "usd", minor=3),
    Column("redundancy_usd", "redundancy", "usd", minor=3),
    Column("usd_per_mtok_input", "$/Mtok in", "usd"),
    Column("usd_per_mtok_output", "$/Mtok out", "usd"),
    Column("usd_per_request", "a request", "usd", minor=2),
    Column("usd_per_user", "a user", "usd", minor=1),
)
_MACHINES = (
    Column("name", "machines"),
    Column("accelerators", "chips at most", "count"),
    Column("accelerator_hours", "chip-hours", "count"),
    Column("utilization", "used", "percent"),
    Column("kwh", "kWh", "count"),
    Column("kg_co2e", "kg CO2e", "count"),
    Column("embodied_kg_co2e", "and of making them", "count", minor=1),
    Column("joule_per_input_token", "J/token in", "number"),
    Column("joule_per_output_token", "J/token out", "number"),
)
_PARTS = (
    Column("name", "a month at"),
    Column("part", "component"),
    Column("usd", "USD", "usd"),
    Column("share", "share", "percent"),
)
_PHASES = {"input_usd": "input", "output_usd": "output", "egress_usd": "egress", "redundancy_usd": "redundancy"}


def tables(data: Row) -> tuple[Table, ...]:
    """Bills side by side, the machines behind them, components, the mix by the hour, prices with their dates."""
    plan, volume = data["deployment"], data["volume"]
    note = (
        f"On machines: {plan['layout']} on {plan['accelerator']}, {plan['weights']} weights; input and output by the "
        "time that prompts and answers take; traffic of owned nodes is taken as part of colocation. Components add up "
        "to totals exactly."
    )
    bills: list[Row] = list(data["bills"])
    if all(row["usd_per_user"] is None for row in bills):
        columns = tuple(column for column in _BILLS if column.key != "usd_per_user")
    else:
        columns = _BILLS
    grid = volume["grid"]
    located = f"CO2e by location: {grid['name']}, {grid['g_co2e_per_kwh']:g} g/kWh. APIs say nothing of their machines."
    machines = tuple(row for row in bills if row["accelerator_hours"] is not None)
    found = [Table(title_of(data), columns, tuple(bills), note)]
    found += [Table("", _MACHINES, machines, located)] if machines else []
    found.append(Table("Components", _PARTS, tuple(data["components"])))
    found += [_mix(data)] if data["mix"] else []
    found.append(price_table(data["prices"]))
    return tuple(found)


def title_of(data: Row) -> str:
    """The month in one line."""
    volume = data["volume"]
    prompts, answers = (format_count(volume[f"{side}_tokens_per_month"]) for side in ("input", "output"))
    requests = format_count(volume["requests_per_month"])
    return f"{data['model']}: {requests} requests a month, {prompts} tokens in, {answers} out"


def _mix(data: Row) -> Table:
    names = [key for key in data["mix"][0] if key not in ("hour", "needed")]
    columns = (
        Column("hours", "hours"),
        Column("needed", "chips needed", "count"),
        *(Column(name, name, "count") for name in names),
    )
    rows: list[dict[str, Any]] = []
    for row in data["mix"]:
        held = {key: row[key] for key in ("needed", *names)}
        if rows and {key: rows[-1][key] for key in held} == held:
            rows[-1]["to"] = row["hour"] + 1
        else:
            rows.append({"from": row["hour"], "to": row["hour"] + 1, **held})
    shown = tuple({**row, "hours": f"{row['from']} to {row['to']}"} for row in rows)
    return Table("The cheapest rented mix by the hour", columns, shown)


def summary(data: Row) -> str:
    """The cheapest, the spread, the load, and what the prices are worth."""
    bills, volume = data["bills"], data["volume"]
    best, last = bills[0], bills[-1]
    lines = [
        f"Cheapest: {best['name']}, {dollars(best['usd_per_month'])} a month; dearest: {last['name']}, "
        f"{dollars(last['usd_per_month'])}.",
        _load(volume),
        _machines(data),
    ]
    if volume["availability"] is not None:
        promise = data["scenario"]["bill"]["redundancy"]["availability"]
        lines.append(
            f"Spares: {volume['spare_replicas']} beside {volume['replicas_peak']} replicas keep "
            f"{volume['availability']:.4%} where {promise:.4%} is promised."
        )
    lines += [f"{why[:1].upper()}{why[1:]}." for why in data["left_out"]]
    stale = [row["label"] for row in data["prices"] if row["stale"]]
    assumed = [row["label"] for row in data["prices"] if row["kind"] == "assumed"]
    lines += [f"Prices older than {STALE_DAYS} days, check them: {', '.join(stale)}."] if stale else []
    lines += [f"Assumed prices: {', '.join(assumed)}."] if assumed else []
    return "\n".join(line for line in lines if line)


def _load(volume: Row) -> str:
    trace = volume["trace"]
    seen = ""
    if trace is not None:
        seen = (
            f"{trace['requests']:,} requests of the trace in {significant(trace['span_s'] / HOUR_S)} hours "
            f"({significant(trace['requests_per_s'])}/s), taken to a month: "
        )
    return (
        f"Load: {seen}{significant(volume['mean_requests_per_s'])} requests/s on average, "
        f"{significant(volume['peak_requests_per_s'])} in the busiest hour; {volume['shape']}."
    )


def _machines(data: Row) -> str:
    volume, plan = data["volume"], data["deployment"]
    owned = next((row for row in data["bills"] if row["way"] == "own"), None)
    used = f"; the owned nodes are {owned['utilization'] * PERCENT:.0f} % used (computed)" if owned else ""
    return (
        f"A replica ({plan['layout']}) sustains {significant(volume['sustained_requests_per_s'])} requests/s within "
        f"the targets, so the busiest hour needs {volume['replicas_peak']}{used}."
    )


def charts(data: Row) -> dict[str, Chart]:
    """The bills as bars, stacked by phase."""
    rows = data["bills"]
    names = tuple(row["name"] for row in rows)
    series = tuple(
        Series(
            label,
            tuple(row[key] / KILO for row in rows),
            tuple(float(place) for place in range(len(rows))),
            mode="bar",
        )
        for key, label in _PHASES.items()
        if any(row[key] for row in rows)
    )
    chart = Chart(
        title=title_of(data),
        subtitle=data["volume"]["shape"],
        x=Axis("thousand USD a month"),
        y=Axis("", categories=names),
        series=series,
        note=prices_note(data["prices"]),
    )
    return {"bill": chart}
