"""Tables and charts about a model's life: layout only, every number is in the data."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from costline.answers.choices import Price
from costline.answers.lifecycle.words import price_text, serving_text
from costline.catalog.records import Model
from costline.figures_chart import Axis, Chart, Marker, Series
from costline.quantities import PERCENT, format_bytes, format_count
from costline.render import Column, Table

_ALTERNATIVES = (
    Column("name", "model"),
    Column("parameters", "parameters", "large"),
    Column("training_tokens", "trained on", "large"),
    Column("tokens_per_parameter", "tok/param", "number", minor=2),
    Column("training_usd", "train $", "large"),
    Column("usd_per_mtok", "$/Mtok out", "usd"),
    Column("serving_usd", "serve $", "large", minor=1),
    Column("total_usd", "life $", "large"),
    Column("present_usd", "today's $", "large"),
    Column("payback_output_tokens", "pays back after", "large", minor=3),
)
_COMPRESSION = (
    Column("weights", "weights"),
    Column("accelerator", "accelerator", minor=2),
    Column("layout", "layout", minor=1),
    Column("usd_per_mtok", "$/Mtok out", "usd"),
    Column("lost_low", "loses from", "percent"),
    Column("lost_high", "to", "percent"),
    Column("usd_per_mtok_with_fallback_low", "with fallback from", "usd"),
    Column("usd_per_mtok_with_fallback_high", "to", "usd"),
    Column("fallback_break_even", "pays up to", "percent", minor=3),
)
_LAWS = (
    Column("name", "publication"),
    Column("parameters", "parameters", "large"),
    Column("training_tokens", "tokens", "large"),
    Column("tokens_per_parameter", "tok/param", "number"),
    Column("loss_as_asked", "loss as asked", "number"),
    Column("loss_at_optimum", "loss at best", "number"),
)
_UTILISATION = {"computed": "computed without failures, evaluation and checkpoints", "assumed": "assumed"}
_LIFE = (Column("what", "what"), Column("value", "value"))


def tables(model: Model, data: Mapping[str, Any], price: Price, today: datetime.date) -> tuple[Table, ...]:
    """The sizes compared, the life in figures, and narrower weights where plans were made for them."""
    law, years = data["scaling_law"]["name"], data["serving"]["years"]
    sparse = data["parameters"] > data["active_parameters"]
    note = (
        f"Sizes reach the same loss by {law}; training at the same USD per FLOP, serving in proportion to size. "
        f"Laws were fitted on far smaller {'and dense runs; sizes are active parameters' if sparse else 'runs'}."
    )
    sizes = Table(f"{model.name}: {years} years", _ALTERNATIVES, tuple(data["alternatives"]), note)
    life = Table("Training and serving", _LIFE, tuple(_life(data, price, today)))
    differ = "Losses of different publications are not on one scale: compare sizes, not losses."
    laws = Table("Best size for the same training budget", _LAWS, tuple(data["laws"]), differ)
    if not data["compression"]:
        return sizes, life, laws
    told = "Lost accuracy is a range told by guides, not a measurement; a lost answer is given again by the first row."
    return sizes, life, laws, Table("Narrower weights", _COMPRESSION, tuple(data["compression"]), told)


def _life(data: Mapping[str, Any], price: Price, today: datetime.date) -> list[dict[str, str]]:
    train, serve, memory = data["training"], data["serving"], data["training"]["memory"]
    held = memory["activations_bytes"]
    states = f"{format_bytes(memory['states_bytes'])} of states"
    kept = f" and {format_bytes(held)} of activations" if held is not None else ""
    fits = {True: "fits", False: "does not fit", None: "activations not counted"}[memory["fits"]]
    pairs = {
        "work": f"{train['flop']:.3g} FLOP (6 N D: {train['flop_6nd']:.3g})",
        "utilisation": f"{train['mfu'] * PERCENT:.1f} % of the peak, {_UTILISATION[train['mfu_source']]}",
        "accelerator-hours": f"{train['accelerator_hours']:,.0f} on {train['accelerator']}",
        "time": f"{train['days']:,.0f} days on {train['accelerators']:,} (dp {train['dp']}, tp {train['tp']}, "
        f"pp {train['pp']})",
        "memory of a device": f"{states}{kept}; {fits}",
        "price in training": price_text(price, train["accelerator"], today),
        "final run": f"${train['final_run_usd']:,.0f}",
        "with research": f"${train['usd']:,.0f} ({train['research_multiplier']:g}×)",
        "serving": serving_text(serve, today),
        "served": f"{format_count(serve['output_tokens'])} answer tokens in {serve['years']} years",
        "serving bill": f"${serve['usd']:,.0f} (${serve['present_usd']:,.0f} today)",
    }
    return [{"what": name, "value": value} for name, value in pairs.items()]


def charts(model: Model, data: Mapping[str, Any]) -> dict[str, Chart]:
    """Cost over tokens served of each size, with the crossover and the end of the life."""
    rows, curves, cross = data["alternatives"], data["curves"], data["crossover"]
    tokens = tuple(curves["output_tokens"].tolist())
    sizes = {row["name"]: row["parameters"] for row in rows}
    lines = [
        Series(name=f"{name}: {format_count(sizes[name])}", x=tokens, y=tuple(usd.tolist()), mode="lines")
        for name, usd in curves["usd"].items()
    ]
    asked, years = rows[0], data["serving"]["years"]
    marks: list[tuple[str, float, float, Marker]] = [
        (f"{years} years", tokens[-1], asked["total_usd"], "star"),
    ]
    if cross["output_tokens_over_life"] is not None:
        marks.append(("serving = training", cross["output_tokens_over_life"], 2 * asked["training_usd"], "diamond"))
    points = [
        Series(name=name, x=(x,), y=(y,), mode="markers", marker=marker, emphasis=True) for name, x, y, marker in marks
    ]
    life = Chart(
        title=f"{model.name}: cost of training and serving",
        subtitle="sizes that reach the same loss; undiscounted",
        x=Axis("answer tokens served", log=True),
        y=Axis("cost ($)", log=True),
        series=(*lines, *points),
    )
    return {"lifecycle": life}
