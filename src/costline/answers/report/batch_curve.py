"""What a larger batch does to one configuration: speed for each user against the cost of a token.

Composes estimates; knows no plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from costline.answers.answer import Answer
from costline.answers.estimate import estimate
from costline.figures_chart import Axis, Chart, Series

POINTS = 7


def batch_curve(answer: Answer, given: Mapping[str, Any]) -> dict[str, Chart]:
    """The configuration over batches up to the largest that fits, the one asked about marked; {} without a price."""
    data = answer.data
    most = data["memory"]["max_batch"] or data["batch"]
    if data["cost"]["usd_per_hour"] is None or most < 1:
        return {}
    sizes = np.unique(np.round(np.geomspace(1.0, float(most), POINTS)))
    rest = {name: value for name, value in given.items() if name != "batch"}
    curve = _curve(json.dumps(rest, sort_keys=True), tuple(map(float, sizes)))
    here = Series(
        f"batch {data['batch']:g}",
        (1.0 / data["decode"]["tpot_s"],),
        (data["cost"]["usd_per_mtok_output"],),
        mode="markers",
        marker="star",
        emphasis=True,
        hover=(f"batch {data['batch']:g}" + ("" if data["memory"]["fits"] else ", which does not fit"),),
    )
    chart = Chart(
        title="What a larger batch does",
        subtitle="decode alone, at this context",
        x=Axis("interactivity (tokens/s/user)", log=True),
        y=Axis("cost ($ per million output tokens)", log=True),
        series=(curve, here),
    )
    return {"batch": chart}


@lru_cache(maxsize=256)
def _curve(configuration: str, sizes: tuple[float, ...]) -> Series:
    """The curve of one configuration, which stays where it is while only the batch moves along it."""
    rest: dict[str, Any] = json.loads(configuration)
    rows = [estimate(**rest, batch=size).data for size in sizes]
    return Series(
        "batch from 1 to the largest that fits",
        tuple(1.0 / row["decode"]["tpot_s"] for row in rows),
        tuple(row["cost"]["usd_per_mtok_output"] for row in rows),
        hover=tuple(f"batch {row['batch']:,.0f}" for row in rows),
    )
