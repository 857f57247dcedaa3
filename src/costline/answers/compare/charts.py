"""Figures of a comparison: cost of a million tokens over volume and utilisation, and money paid over the months."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from costline.answers.compare.view import WORDS, most_used, title_of, used_text
from costline.answers.price_words import dollars, prices_note
from costline.figures_chart import Axis, Chart, Dash, Series
from costline.quantities import PERCENT, format_count, significant

Row = Mapping[str, Any]
_LINES: Mapping[str, tuple[str, Dash]] = {
    "api": ("API", "solid"), "rent": ("rented", "dash"), "own": ("owned", "dashdot"),
    "rent_in_use": ("rented only while in use", "dot"),
}  # fmt: skip


def charts(data: Row) -> dict[str, Chart]:
    """Cost over volume with the break-evens marked, over utilisation, and the cash flow."""
    return {"volume": _over_volume(data), "utilization": _over_utilization(data), "cash_flow": _cash_flow(data)}


def _over_volume(data: Row) -> Chart:
    drawn = data["curves"]["volume"]
    tokens = tuple(map(float, drawn["total_tokens_per_month"]))
    lines = [_line(way, tokens, usd) for way, usd in drawn["usd_per_mtok"].items()]
    for line, way in zip(lines, drawn["usd_per_mtok"], strict=True):
        lines[lines.index(line)] = _with_hover(line, drawn["usd_per_month"][way])
    now = data["options"][0]
    marks = [_mark("now", data["volume"]["total_tokens_per_month"], now["usd_per_mtok"])]
    for row in data["break_even"]:
        at = row["tokens_per_month"]["likely"]
        if tokens[0] < at < tokens[-1]:
            usd = _at(tokens, drawn["usd_per_mtok"][row["against"]], at)
            marks.append(_mark(f"{_short(row)}: {format_count(at)}", at, usd))
    return Chart(
        title=f"{data['model']}: what a million tokens cost",
        subtitle=title_of(data).partition(": ")[2],
        x=Axis("tokens a month, input and output", log=True),
        y=Axis("cost ($ per million tokens)", log=True),
        series=(*lines, *marks),
        note=prices_note(data["prices"]),
    )


def _over_utilization(data: Row) -> Chart:
    drawn = data["curves"]["utilization"]
    used = tuple(float(share) * PERCENT for share in drawn["utilization"])
    lines = [_line(way, used, usd) for way, usd in drawn["usd_per_mtok"].items()]
    marks: list[Series] = []
    for row in data["break_even"]:
        at = row["utilization"]["likely"] * PERCENT
        if used[0] < at < used[-1]:
            marks.append(_mark(f"{_short(row)}: {at:.0f} %", at, _at(used, drawn["usd_per_mtok"][row["way"]], at)))
    for option in data["options"]:
        if option["utilization"] is not None:
            name = f"{option['name']} now, {used_text(option)}"
            at = option["utilization"] * PERCENT
            marks.append(Series(name, (at,), (option["usd_per_mtok"],), mode="markers", hover=(name,)))
    return Chart(
        title=f"{data['model']}: what use does to cost",
        subtitle=f"one smallest fleet, more or less used. {most_used(data)}",
        x=Axis("utilisation (% of capacity)", log=True),
        y=Axis("cost ($ per million tokens)", log=True),
        series=(*lines, *marks),
        note=prices_note(data["prices"]),
    )


def _cash_flow(data: Row) -> Chart:
    rows: Sequence[Row] = data["cash_flow"]
    names = {"api_usd": "api", "rent_usd": "rent", "own_usd": "own"}
    months = tuple(float(row["month"]) for row in rows)
    lines = [_line(way, months, [row[key] for row in rows]) for key, way in names.items() if key in rows[0]]
    if "own_less_resale_usd" in rows[0]:
        resale = tuple(row["own_less_resale_usd"] for row in rows)
        lines.append(Series("owned, less what it could be sold for", months, resale, mode="lines", dash="dot"))
    return Chart(
        title=f"{data['model']}: paid by the end of each month",
        subtitle="not discounted",
        x=Axis("month"),
        y=Axis("USD"),
        series=tuple(lines),
        note=prices_note(data["prices"]),
    )


def _line(way: str, x: tuple[float, ...], y: Any) -> Series:
    name, dash = _LINES[way]
    return Series(name, x, tuple(map(float, y)), mode="lines", dash=dash)


def _with_hover(line: Series, usd: Any) -> Series:
    texts = tuple(
        f"{format_count(tokens)} tokens a month: ${significant(cost)} per million, {dollars(float(month))} a month"
        for tokens, cost, month in zip(line.x, line.y, usd, strict=True)
    )
    return Series(line.name, line.x, line.y, mode=line.mode, dash=line.dash, hover=texts)


def _mark(name: str, x: float, y: float) -> Series:
    return Series(name, (x,), (y,), mode="markers", emphasis=True, hover=(name,))


def _short(row: Row) -> str:
    return f"{WORDS[row['way']]} = {WORDS[row['against']]}"


def _at(x: Sequence[float], y: Any, at: float) -> float:
    """The curve at a place between its points, on logarithmic axes."""
    place = next(i for i in range(1, len(x)) if x[i] >= at)
    share = math.log(at / x[place - 1]) / math.log(x[place] / x[place - 1])
    return float(y[place - 1]) ** (1 - share) * float(y[place]) ** share
