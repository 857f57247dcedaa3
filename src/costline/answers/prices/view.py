"""Tables, charts and words of price cards and bills: layout only.

Prices older than 90 days are marked wherever they stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from costline.figures_chart import Axis, Chart, Series
from costline.money.price import STALE_DAYS
from costline.quantities import significant
from costline.render import Column, Table, written

PRICE_COLUMNS = (
    Column("input_usd_per_mtok", "input $/Mtok", "number"),
    Column("output_usd_per_mtok", "output $/Mtok", "number"),
)


def dated(data: Mapping[str, Any]) -> str:
    """Where prices come from and how old they are, in a line."""
    age = f"{data['age_days']} days old" if data["age_days"] is not None else "age unknown"
    stale = f"; OLDER THAN {STALE_DAYS} DAYS: check before you decide" if data["stale"] else ""
    return f"Prices of genai-prices {data['version']} as of {data['date']}, {data['date_is']} ({age}{stale})."


def providers_table(rows: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> Table:
    """Providers and how many models for text each sells."""
    columns = (Column("provider", "provider"), Column("models", "models", "count"))
    note = dated(data) + " Name a model or a provider to see prices."
    return Table(f"{_counted(len(rows), 'provider')} of APIs", columns, tuple(rows), note)


def cards_table(data: Mapping[str, Any]) -> Table:
    """Price cards, a line each."""
    columns = (
        Column("provider", "provider"),
        Column("model", "model"),
        *PRICE_COLUMNS,
        Column("cache_read_usd_per_mtok", "cache read", "number", minor=1),
        Column("cache_write_usd_per_mtok", "cache write", "number", minor=2),
        Column("batch_input_usd_per_mtok", "batch input", "number", minor=1),
        Column("batch_output_usd_per_mtok", "batch output", "number", minor=1),
        Column("steps_at_tokens", "dearer above", "count", minor=2),
        Column("valid_from", "since", minor=3),
        Column("remark", "note"),
    )
    rows = tuple({**row, "remark": _remark(row)} for row in data["prices"])
    return Table(f"{_counted(len(rows), 'API price')} on {data['as_of']}", columns, rows, dated(data["data"]))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _remark(row: Mapping[str, Any]) -> str:
    remarks = {
        f"older than {STALE_DAYS} days": row["stale"],
        "deprecated": row["deprecated"],
        "dearest hours": row["peak_hours"],
        f"until {row['valid_until']}": row["valid_until"],
    }
    return ", ".join(text for text, holds in remarks.items() if holds)


def bill_tables(data: Mapping[str, Any]) -> tuple[Table, ...]:
    """Totals side by side, then what each bill is made of."""
    columns = (
        Column("provider", "provider"),
        Column("model", "model"),
        Column("total_usd", "total", "usd"),
        Column("usd_per_request", "a request", "usd"),
        Column("usd_per_mtok", "$/Mtok, all tokens", "number"),
        Column("saved_usd", "less than the first", "usd", minor=1),
        Column("same_at_input_per_output", "equal at in/out", "number", minor=2),
        Column("remark", "note"),
    )
    rows = tuple({**_as_floats(row), "remark": _bill_remark(row, data["data"])} for row in data["bills"])
    usage = data["usage"]
    size = f"{usage['input_tokens']:,} input and {usage['output_tokens']:,} output tokens"
    title = f"{_counted(data['requests'], 'request')} of {size}, {data['service']}, on {data['as_of']}"
    parts = tuple(
        {"provider": row["provider"], "model": row["model"], **_as_floats(line)}
        for row in data["bills"]
        for line in row["components"]
    )
    part_columns = (
        Column("provider", "provider"),
        Column("model", "model"),
        Column("what", "tokens of"),
        Column("tokens", "tokens", "count"),
        Column("usd_per_mtok", "$/Mtok", "number"),
        Column("usd", "USD", "usd"),
    )
    return Table(title, columns, rows, dated(data["data"])), Table("What the bills are made of", part_columns, parts)


def _as_floats(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: float(value) if isinstance(value, Decimal) else value for key, value in row.items()}


def _bill_remark(row: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    context = row["context_tokens"] or 0
    remarks = {
        f"longer than its context of {context:,} tokens": row["fits_context"] is False,
        f"price older than {STALE_DAYS} days": data["stale"],
        "deprecated": row["deprecated"],
        "price of the dearest hours unless a time is given": row["peak_hours"],
        f"price until {row['valid_until']}": row["valid_until"],
    }
    return ", ".join(text for text, holds in remarks.items() if holds)


def bill_summary(data: Mapping[str, Any]) -> str:
    """The cheapest, and what the choice hangs on."""
    bills = data["bills"]
    best = min(bills, key=lambda row: row["total_usd"])
    lines = [f"Cheapest: {best['model']} at {best['provider']}, {written(float(best['total_usd']), 'usd')}."]
    for row in bills[1:]:
        ratio = row["same_at_input_per_output"]
        if ratio is not None:
            lines.append(
                f"{bills[0]['model']} and {row['model']} cost the same at {significant(ratio)} input tokens "
                "per output token, uncached."
            )
    return "\n".join(lines)


def bill_charts(data: Mapping[str, Any]) -> dict[str, Chart]:
    """The bills as bars, stacked by component."""
    rows = data["bills"]
    names = tuple(f"{row['model']} ({row['provider']})" for row in rows)
    amounts: dict[str, dict[int, float]] = {}
    for place, row in enumerate(rows):
        for line in row["components"]:
            part = amounts.setdefault(line["what"].replace("_", " "), {})
            part[place] = part.get(place, 0.0) + float(line["usd"])
    series = tuple(
        Series(what, tuple(part.values()), tuple(map(float, part)), mode="bar") for what, part in amounts.items()
    )
    chart = Chart(
        title=f"Bill of {_counted(data['requests'], 'request')}",
        subtitle=dated(data["data"]),
        x=Axis("USD"),
        y=Axis("model", categories=names),
        series=series,
    )
    return {"bill": chart}
