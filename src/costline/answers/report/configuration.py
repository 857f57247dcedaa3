"""One configuration as pictures: the roofline with its operating points, and what fills the memory.

Reads the data of an `estimate`; knows no plan and no page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from costline.catalog import find
from costline.catalog.records import Chip
from costline.figures_chart import Axis, Chart, Series
from costline.quantities import GIGA, MILLI, PERCENT, TERA, format_bytes, significant
from costline.render import Column, Form, Table, written

Row = Mapping[str, Any]
_MARGIN = 4.0
"""How far the roof is drawn beyond the operating points, as a factor."""
_PHASES = (("decode", "decode step"), ("prefill", "prefill"))
WAITS = {
    "compute": "compute", "weight bandwidth": "reading weights", "cache bandwidth": "reading the cache",
    "launch and host": "launches and host", "scale-up network": "network inside the node",
    "scale-out network": "network between nodes",
}  # fmt: skip
"""What a step may wait for, in words."""


def operating_points(data: Row) -> dict[str, dict[str, float]]:
    """FLOP per byte and FLOP/s of each phase on one accelerator: counts at datasheet rates, time as expected."""
    chip, peak = find.chip(data["accelerator"]), _peak(data)
    points: dict[str, dict[str, float]] = {}
    for phase, _ in _PHASES:
        step = data[phase]
        flop = step["roofline_s"]["compute"] * peak
        moved = step["roofline_s"]["memory"] * chip.hbm_bytes_per_s
        points[phase] = {
            "flop_per_byte": flop / moved if moved > 0 else 0.0,
            "flop_per_s": flop / step["step_time_s"],
            "share_of_peak": flop / step["step_time_s"] / peak,
            "share_of_bandwidth": step["roofline_s"]["memory"] / step["step_time_s"],
        }
    return points


def _peak(data: Row) -> float:
    """Dense rate at the format in which the linear layers compute; the widest known where the datasheet is silent."""
    chip = find.chip(data["accelerator"])
    known = chip.dense_flop_per_s.get(data["formats"]["activations"])
    return float(known or max(rate for rate in chip.dense_flop_per_s.values() if rate))


def roofline_chart(data: Row) -> Chart:
    """The roof of the chip, and where a decode step and a prefill stand below it."""
    chip, peak, points = find.chip(data["accelerator"]), _peak(data), operating_points(data)
    ridge = peak / chip.hbm_bytes_per_s
    places = [point["flop_per_byte"] for point in points.values() if point["flop_per_byte"] > 0] + [ridge]
    x = np.geomspace(min(places) / _MARGIN, max(places) * _MARGIN, 65)
    x = np.unique(np.append(x, ridge))
    roof = Series(
        f"roof of {chip.id}",
        tuple(map(float, x)),
        tuple(map(float, np.minimum(peak, x * chip.hbm_bytes_per_s) / TERA)),
        mode="lines",
    )
    marks = [
        Series(
            name,
            (points[phase]["flop_per_byte"],),
            (points[phase]["flop_per_s"] / TERA,),
            mode="markers",
            emphasis=True,
            hover=(_point_words(name, data[phase], points[phase]),),
        )
        for phase, name in _PHASES
        if points[phase]["flop_per_byte"] > 0
    ]
    formats = data["formats"]
    return Chart(
        title=f"Roofline of {chip.name}",
        subtitle=f"dense {formats['activations']} {significant(peak / TERA)} TFLOP/s, "
        f"{format_bytes(chip.hbm_bytes_per_s)}/s, ridge at {significant(ridge)} FLOP/byte",
        x=Axis("arithmetic intensity (FLOP/byte)", log=True),
        y=Axis("attained (TFLOP/s per accelerator)", log=True),
        series=(roof, *marks),
        note="Work is counted at datasheet rates; a point below the roof also waits for what the roof leaves out.",
    )


def _point_words(name: str, step: Row, point: Mapping[str, float]) -> str:
    return (
        f"{name}: {significant(step['step_time_s'] / MILLI)} ms, bound by {step['bound']}; "
        f"{significant(point['flop_per_byte'])} FLOP/byte, {significant(point['flop_per_s'] / TERA)} TFLOP/s"
    )


def memory_parts(data: Row) -> list[dict[str, Any]]:
    """What one accelerator's memory holds, part by part; shares of the whole, which may exceed 1 if it does not fit."""
    memory = data["memory"]
    whole, weights = float(memory["accelerator_memory_bytes"]), float(memory["weights_bytes_per_accelerator"])
    pool = float(memory["kv_pool_bytes_per_accelerator"])
    most = memory["max_batch"]
    used = pool * min(data["batch"] / most, 1.0) if most else 0.0
    rest = max(whole - weights - pool, 0.0)
    parts = (("weights", weights), ("cache in use", used), ("cache, free", pool - used), ("engine and reserve", rest))
    scale = max(whole, weights + pool)
    start, rows = 0.0, list[dict[str, Any]]()
    for name, size in parts:
        rows.append({
            "part": name, "bytes": size, "text": format_bytes(size), "share": size / scale,
            "percent": PERCENT * size / scale, "start_percent": PERCENT * start,
        })  # fmt: skip
        start += size / scale
    return rows


def memory_chart(data: Row) -> Chart:
    """The memory of one accelerator as one bar."""
    parts = memory_parts(data)
    bars = tuple(Series(row["part"], (row["bytes"] / GIGA,), (0.0,), mode="bar") for row in parts)
    whole = data["memory"]["accelerator_memory_bytes"]
    return Chart(
        title="Memory of one accelerator",
        subtitle=f"{format_bytes(whole)} usable of {data['accelerator']}",
        x=Axis("memory (GB)"),
        y=Axis("", categories=(data["accelerator"],)),
        series=bars,
    )


def waits_chart(data: Row) -> Chart:
    """What a decode step and a prefill wait for, as shares of each."""
    names = [name for name in WAITS if any(data[phase]["waits_s"].get(name, 0.0) > 0 for phase, _ in _PHASES)]
    labels = tuple(name for _, name in _PHASES)
    steps = [data[phase] for phase, _ in _PHASES]
    bars = tuple(
        Series(
            WAITS[name],
            tuple(PERCENT * step["waits_s"].get(name, 0.0) / sum(step["waits_s"].values()) for step in steps),
            tuple(float(place) for place in range(len(steps))),
            mode="bar",
        )
        for name in names
    )
    return Chart(
        title="What a step waits for",
        subtitle="shares of its time",
        x=Axis("share of the step (%)"),
        y=Axis("", categories=labels),
        series=bars,
    )


def memory_table(data: Row) -> Table:
    """The parts of the memory as a table."""
    columns = (Column("part", "part"), Column("bytes", "size", "bytes"), Column("share", "share", "percent"))
    return Table("Memory of one accelerator", columns, tuple(memory_parts(data)))


_HEADLINE: tuple[tuple[str, str, Form], ...] = (
    ("TPOT", "decode.tpot_s", "seconds"), ("tokens/s", "decode.tokens_per_s", "rate"),
    ("tokens/s/accelerator", "decode.tokens_per_s_per_accelerator", "rate"),
    ("prefill of the context", "prefill.time_s", "seconds"),
    ("$/Mtok out", "cost.usd_per_mtok_output", "usd"), ("$/Mtok in", "cost.usd_per_mtok_input", "usd"),
    ("$/hour", "cost.usd_per_hour", "usd"), ("largest batch", "memory.max_batch", "count"),
    ("decode bound by", "decode.bound", "text"),
)  # fmt: skip


def headline(data: Row) -> list[dict[str, Any]]:
    """The numbers that are looked at first, by their place in the data."""
    speed = 1.0 / data["decode"]["tpot_s"]
    found: list[tuple[str, str, Any, Form]] = [("tokens/s/user", "interactivity", speed, "rate")]
    for name, place, form in _HEADLINE:
        block, _, key = place.partition(".")
        found.append((name, place, data[block][key], form))
    return [{"name": n, "key": key, "value": value, "text": written(value, form)} for n, key, value, form in found]


def rates_per_dollar(chips: Sequence[Chip], prices: Mapping[str, float]) -> list[dict[str, Any]]:
    """What a dollar an hour buys on each chip: arithmetic, bandwidth and memory."""
    rows: list[dict[str, Any]] = []
    for chip in chips:
        price = prices.get(chip.id)
        best = max((rate for name, rate in chip.dense_flop_per_s.items() if rate and name == "bf16"), default=None)
        paid = price if price else float("nan")
        rows.append({
            "accelerator": chip.id,
            "usd_per_accelerator_hour": price,
            "tflop_per_s_per_usd_hour": best / TERA / paid if best else None,
            "gb_per_s_per_usd_hour": chip.hbm_bytes_per_s / GIGA / paid,
            "memory_bytes": chip.visible_memory_bytes,
        })  # fmt: skip
    return rows
