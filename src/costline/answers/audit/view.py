"""Tables, charts and words of an audit: layout only, every number is in the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costline.figures_chart import Axis, Chart, Series
from costline.quantities import PERCENT, significant
from costline.render import Column, Table, written

Row = Mapping[str, Any]
_FORMS = {"s": "seconds", "tokens/s": "rate"}
_NOTE = "The limit is physics at datasheet rates; expected is calibrated; p10 to p90 is what measured systems span."


def title_of(data: Row) -> str:
    """The deployment in one line."""
    run = data["deployment"]
    return (
        f"{data['model']} in {run['weights']} on {run['accelerators']} × {run['accelerator']} as {run['layout']}: "
        f"{data['input_tokens']:,.0f} tokens in, {data['output_tokens']:,.0f} out"
    )


def tables(data: Row) -> tuple[Table, ...]:
    """Measured against the limit and the expectation, the gaps, the checks, and what would help."""
    keys = ("measured", "limit", "expected", "p10", "p90")
    told = tuple(
        {**row, **{key: written(row[key], _FORMS[row["unit"]]) for key in keys}}  # pyright: ignore[reportArgumentType]
        for row in data["quantities"]
    )
    main = Table(title_of(data), (
        Column("label", "what"), *(Column(key, key) for key in keys),
        Column("measured_over_expected", "of expected", "percent"), Column("words", "verdict"),
    ), told, _NOTE)  # fmt: skip
    gaps = Table("From the limit to what was measured", (
        Column("name", "where the time goes"), Column("share", "share", "percent"),
        Column("usd_per_mtok", "$/Mtok out", "usd"),
    ), tuple(data["gaps"]))  # fmt: skip
    proofs = Table("Do the numbers agree?", (
        Column("name", "check"), Column("holds", "holds", "flag"), Column("words", "why"),
    ), tuple(data["checks"]))  # fmt: skip
    helps = Table("What would help most", (
        Column("change", "change"), Column("usd_per_mtok", "$/Mtok out", "usd"), Column("saving", "saves", "percent"),
        Column("usd_per_month", "$/month", "usd"), Column("detail", "how"),
    ), tuple(data["helps"]))  # fmt: skip
    return tuple(table for table in (main, gaps, proofs, helps) if table.rows)


def summary(data: Row, price: str) -> str:
    """The verdict, and what it rests on, in a few lines."""
    reached, cost = data["reached"], data["cost"]
    lines = [data["verdict"]["words"]]
    lines.append(
        f"{significant(data['tokens_per_s'])} tokens/s is {reached['mfu'] * PERCENT:.1f} % of the peak arithmetic "
        f"(MFU) and {reached['mbu'] * PERCENT:.1f} % of the memory bandwidth (MBU), with "
        f"{significant(data['running_batch'])} sequences decoding on a replica while it works."
    )
    lines.append(
        f"A million output tokens costs {written(cost['usd_per_mtok'], 'usd')}; "
        f"{written(cost['usd_per_mtok_expected'], 'usd')} is expected at this load, "
        f"{written(cost['usd_per_mtok_at_capacity'], 'usd')} with every place taken."
    )
    if data["helps"]:
        best = data["helps"][0]
        lines.append(f"Would help most: {best['change']}, saves {best['saving'] * PERCENT:.0f} % ({best['detail']}).")
    lines += [f"Assumed: {', '.join(data['assumed'])}."] if data["assumed"] else []
    return "\n".join([*lines, price])


def charts(data: Row) -> dict[str, Chart]:
    """Where the money for a million tokens goes, the limit first."""
    gaps = data["gaps"]
    if not gaps:
        return {}
    bars = Series(
        name="$ per million output tokens",
        x=tuple(gap["usd_per_mtok"] for gap in gaps),
        y=tuple(float(place) for place in range(len(gaps))),
        mode="bar",
        hover=tuple(f"{gap['name']}: {gap['share'] * PERCENT:.1f} %" for gap in gaps),
    )
    chart = Chart(
        title=f"From the limit to what was measured: {title_of(data)}",
        subtitle=data["verdict"]["words"],
        x=Axis("cost ($ per million output tokens)"),
        y=Axis("", categories=tuple(f"{gap['name']}: {gap['share'] * PERCENT:.0f} %" for gap in gaps)),
        series=(bars,),
        note="Bars add up to what a million output tokens costs now; below zero: faster than expected.",
    )
    return {"gaps": chart}
