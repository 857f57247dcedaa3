"""frontier: speed against cost of models on accelerators, at full load, one replica each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from costline.answers.answer import Answer
from costline.answers.choices import check_context, the_model
from costline.answers.price_words import GIVEN, price_words
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.answers.search import search
from costline.answers.search.candidates import Candidates
from costline.answers.search.rows import plain_row
from costline.answers.sources import plan_sources
from costline.catalog.records import Model
from costline.deployment.search import pareto_mask
from costline.errors import InfeasibleError, InputError
from costline.figures_chart import Axis, Chart, Series
from costline.render import Column, Table

_KEYS = (
    "accelerator", "accelerators", "tp", "pp", "ep", "dp", "batch", "layout", "weights", "kv_cache", "tpot_s", "ttft_s",
    "interactivity_tokens_per_s", "tokens_per_s_per_accelerator", "usd_per_mtok", "bound",
)  # fmt: skip
_COLUMNS = (
    Column("model", "model"),
    Column("accelerator", "accelerator"),
    Column("accelerators", "chips", "count"),
    Column("layout", "layout"),
    Column("weights", "weights", minor=2),
    Column("batch", "batch", "count", minor=1),
    Column("interactivity_tokens_per_s", "tok/s/user", "rate"),
    Column("tpot_s", "TPOT", "seconds", minor=3),
    Column("ttft_s", "TTFT", "seconds", minor=4),
    Column("tokens_per_s_per_accelerator", "tok/s/chip", "rate"),
    Column("usd_per_mtok", "$/Mtok out", "usd"),
    Column("bound", "bound by", minor=5),
)


def frontier(
    models: Sequence[str] | str,
    accelerators: Sequence[str] | str,
    *,
    input_tokens: float = 2048,
    output_tokens: float = 512,
    weights: str = "auto",
    kv: str = "auto",
    price: float | None = None,
    max_accelerators: int = 16,
    slo: dict[str, float] | None = None,
    deployment: dict[str, Any] | None = None,
    calibration: str = "default",
) -> Answer:
    """Deployments of each model on each accelerator that no other beats in both speed and cost.

    One replica at full load with both phases on it; `usd_per_mtok` is per million output tokens and pays for the
    prompts too. Raises InputError for a bad question, InfeasibleError if nothing fits anywhere.
    """
    names = [models] if isinstance(models, str) else list(models)
    chips = [accelerators] if isinstance(accelerators, str) else list(accelerators)
    if not names or not chips:
        raise InputError("frontier needs at least one model and one accelerator; give --model and --accelerator")
    points: list[dict[str, Any]] = []
    used: list[tuple[list[Candidates], Scenario, Model]] = []
    for name in names:
        for chip in chips:
            asked = read_scenario(
                {
                    "model": {"id": name, "weights": weights, "kv_cache": kv},
                    "system": {"accelerator": chip, "max_accelerators": max_accelerators},
                    "workload": {"input_tokens": input_tokens, "output_tokens": output_tokens},
                    "slo": slo or {},
                    "deployment": deployment or {},
                    "price": {"accelerator_usd_per_hour": price},
                    "calibration": calibration,
                }
            )
            model = the_model(asked.model)
            check_context(model, input_tokens + output_tokens, "input_tokens + output_tokens")
            found = search(asked, model)
            used.append((found, asked, model))
            points += [{"model": model.id, **point} for point in _front(found)]
    if not points:
        raise InfeasibleError("no deployment of these models fits these accelerators within the targets; allow more")
    best = _overall(points)
    for point, on_front in zip(points, best, strict=True):
        point["on_overall_frontier"] = bool(on_front)
    sources = tuple(dict.fromkeys(fact for found, asked, model in used for fact in plan_sources(found, asked, model)))
    title = f"Speed and cost at {input_tokens:,.0f} tokens in, {output_tokens:,.0f} out"
    data = {
        "question": "frontier",
        "frontier": points,
        "searched": {"candidates": sum(group.rows for found, *_ in used for group in found)},
    }
    words = "\n".join(dict.fromkeys(_price(group) for found, *_ in used for group in found))
    return Answer("frontier", data, (Table(title, _COLUMNS, tuple(points)),), _charts(points, title), words, sources)


def _price(group: Candidates) -> str:
    source = group.price.offer.id if group.price.offer else GIVEN
    return price_words(source, group.price.usd_per_hour, group.site.chip.id)


def _front(found: list[Candidates]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    tpot = np.concatenate([np.where(group.ok, group.columns["tpot_s"], np.nan) for group in found])
    cost = np.concatenate([group.columns["usd_per_mtok"] for group in found])
    place = [(group, row) for group in found for row in range(group.rows)]
    kept = np.flatnonzero(pareto_mask([tpot, cost]))
    for index in kept[np.argsort(tpot[kept])]:
        group, row = place[int(index)]
        full = plain_row(group, row)
        rows.append({key: full[key] for key in _KEYS})
    return rows


def _overall(points: Sequence[dict[str, Any]]) -> Any:
    return pareto_mask([[point["tpot_s"] for point in points], [point["usd_per_mtok"] for point in points]])


def _charts(points: Sequence[dict[str, Any]], title: str) -> dict[str, Chart]:
    pairs = list(dict.fromkeys((point["model"], point["accelerator"]) for point in points))
    models = {model for model, _ in pairs}

    def lines(key: str) -> tuple[Series, ...]:
        found: list[Series] = []
        for model, chip in pairs:
            mine = [p for p in points if (p["model"], p["accelerator"]) == (model, chip) and p["tpot_s"] > 0]
            found.append(
                Series(
                    name=chip if len(models) == 1 else f"{model} on {chip}",
                    x=tuple(p["interactivity_tokens_per_s"] for p in mine),
                    y=tuple(p[key] for p in mine),
                    hover=tuple(f"{p['layout']} {p['weights']} batch {p['batch']}" for p in mine),
                )
            )
        return tuple(found)

    speed = Axis("interactivity (tokens/s/user)", log=True)
    return {
        "frontier": Chart(title, speed, Axis("cost ($ per million output tokens)", log=True), lines("usd_per_mtok")),
        "throughput": Chart(
            title, speed, Axis("throughput (tokens/s/accelerator)", log=True), lines("tokens_per_s_per_accelerator")
        ),
    }
