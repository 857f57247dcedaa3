"""API list prices beside a frontier: dots at the price, since nobody lists a speed.

Composes `frontier` and `prices`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from costline.answers.answer import Answer
from costline.answers.prices import prices_list
from costline.catalog.models import find_model
from costline.errors import CostlineError
from costline.figures_chart import Chart, Series
from costline.render import Column, Table

LEFT_OF_ALL = 0.8
"""Where the dots stand: left of the slowest point, as a factor."""
MOST = 12


def with_api_prices(answer: Answer) -> tuple[dict[str, Chart], Table | None]:
    """The frontier's cost chart with the prices of those who sell its models, and these prices as a table."""
    points: Sequence[dict[str, Any]] = answer.data["frontier"]
    rows = [row for model in dict.fromkeys(point["model"] for point in points) for row in api_rows(model)]
    chart = answer.charts["frontier"]
    speeds = [point["interactivity_tokens_per_s"] for point in points if point["interactivity_tokens_per_s"]]
    if not rows or not speeds:
        return {"frontier": chart}, None
    place = LEFT_OF_ALL * min(speeds)
    dots = tuple(_dots(model, rows, place) for model in dict.fromkeys(row["model"] for row in rows))
    note = "API dots show list prices of output tokens; sellers list no speed, so the dots stand at the left edge."
    return {"frontier": replace(chart, series=(*chart.series, *dots), note=note)}, _table(rows)


def api_rows(model: str) -> list[dict[str, Any]]:
    """Who sells a model under its own name, cheapest output first; none where nobody does."""
    try:
        found = prices_list(find_model(model).id)
    except CostlineError:
        return []
    rows: list[dict[str, Any]] = []
    for row in found.data["prices"]:
        cost = row["output_usd_per_mtok"]
        if cost is not None and float(cost) > 0 and _same(row["model"], model):
            asked = row["input_usd_per_mtok"]
            rows.append({
                "model": model, "provider": row["provider"], "name": row["name"], "output": float(cost),
                "input": None if asked is None else float(asked), "date": found.data["data"]["date"],
            })  # fmt: skip
    return rows[:MOST]


def _same(name: str, model: str) -> bool:
    try:
        return find_model(name).id == model
    except CostlineError:
        return False


def _dots(model: str, rows: Sequence[dict[str, Any]], place: float) -> Series:
    mine = [row for row in rows if row["model"] == model]
    return Series(
        f"API price of {model}",
        (place,) * len(mine),
        tuple(row["output"] for row in mine),
        mode="markers",
        hover=tuple(f"{row['provider']}: ${row['output']:g} per million output tokens" for row in mine),
    )


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    columns = (
        Column("model", "model"), Column("provider", "sold by"), Column("name", "as"),
        Column("input", "$/Mtok in", "usd"), Column("output", "$/Mtok out", "usd"), Column("date", "as of"),
    )  # fmt: skip
    return Table("API list prices of the same models", columns, tuple(rows))
