"""Tables, charts and words of a plan: layout only, every number is in the rows."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from costline.answers.launch import start_lines
from costline.answers.price_words import price_words
from costline.answers.scenario import Scenario
from costline.architecture.weights import parameters
from costline.catalog.records import Model
from costline.figures_chart import Axis, Chart, Series
from costline.quantities import MILLI, PERCENT, format_count, format_seconds
from costline.render import Column, Table, written

_PLAN_COLUMNS = (
    Column("rank", "#", "count"),
    Column("accelerator", "accelerator"),
    Column("accelerators", "chips", "count"),
    Column("layout", "layout"),
    Column("weights", "weights", minor=1),
    Column("kv_cache", "KV", minor=7),
    Column("batch", "batch", "count", minor=3),
    Column("utilization", "used", "percent", minor=4),
    Column("ttft_p99_s", "TTFT p99", "seconds"),
    Column("tpot_s", "TPOT", "seconds"),
    Column("tpot_p99_s", "TPOT p99", "seconds", minor=6),
    Column("tokens_per_s_per_accelerator", "tok/s/chip", "rate", minor=5),
    Column("usd_per_hour", "$/hour", "usd", minor=2),
    Column("usd_per_mtok", "$/Mtok out", "usd"),
    Column("joule_per_token", "J/token", "number", minor=9),
    Column("bound", "bound by", minor=8),
)


def title_of(scenario: Scenario, model: Model) -> str:
    """The question in one line."""
    work = scenario.workload
    load = "full load"
    if work.peak_request_rate is not None:
        load = f"{work.peak_request_rate:g} request{'' if work.peak_request_rate == 1 else 's'}/s"
    elif work.concurrency is not None:
        load = f"{work.concurrency:g} in flight"
    return f"{model.name}: {work.input_mean:,.0f} tokens in, {work.output_mean:,.0f} out, {load}"


def tables(
    scenario: Scenario, model: Model, rows: Sequence[Mapping[str, Any]], helps: Sequence[Mapping[str, Any]]
) -> tuple[Table, ...]:
    """The ranked plans, and what would help."""
    note = "Steady state; p99 from queueing formulas. tok/s counts output tokens; $/Mtok out pays for the prompts too."
    main = Table(title_of(scenario, model), _PLAN_COLUMNS, tuple(rows), note)
    if not helps:
        return (main,)
    columns = (
        Column("change", "what would help plan 1"),
        Column("usd_per_mtok", "$/Mtok out", "usd"),
        Column("saving", "saves", "percent"),
    )
    return main, Table("", columns, tuple(helps))


def formats_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What each number format of plan 1 does, one effect at a time."""
    columns = (
        Column("change", "number formats of plan 1"),
        Column("chosen", "chosen", "flag"),
        Column("capacity", "sequences ×", "number"),
        Column("decode_step", "decode step ×", "number"),
        Column("prefill", "prefill ×", "number"),
        Column("usd_per_mtok", "$/Mtok ×", "number"),
    )
    note = "Factors of one effect, at batches that fill memory, targets aside; – where the model does not fit without."
    return Table("", columns, tuple(rows), note)


def summary(scenario: Scenario, model: Model, data: Mapping[str, Any], *, today: datetime.date) -> str:
    """The decision in a few lines."""
    rows, helps, unpriced = data["plans"], data["what_helps"], data["searched"]["without_price"]
    best = rows[0]
    each = f"{best['accelerators']} × {best['accelerator']} as {best['layout']}"
    lines = [
        f"Run {each}, {best['weights']} weights, {best['kv_cache']} cache, up to {best['batch']} sequences a replica: "
        f"${best['usd_per_hour']:,.2f}/hour, {written(best['usd_per_mtok'], 'usd')} per million output tokens.",
        f"TTFT {format_seconds(best['ttft_s'])} (p99 {format_seconds(best['ttft_p99_s'])}), "
        f"TPOT {format_seconds(best['tpot_s'])} (p99 {format_seconds(best['tpot_p99_s'])}), "
        f"{best['utilization'] * PERCENT:.0f} % of its capacity used.",
        f"Why: {best['reason']}.",
        f"Next: {best['next_best']['words']}.",
    ]
    lines += [_drafting(best["speculation"])] if best["speculation"] else []
    lines += [f"Prefix: {data['prefix_reuse']['words']}."] if data["prefix_reuse"] else []
    lines += [_runner_up(rows)] if len(rows) > 1 else []
    if helps:
        lines.append(f"Would help most: {helps[0]['change']} (saves {helps[0]['saving'] * PERCENT:.0f} %).")
    lines += _prices(best, today)
    counts = parameters(model)
    lines.append(f"{model.name}: {format_count(counts.total)} parameters, {format_count(counts.active)} active.")
    if unpriced:
        lines.append(f"Left out for want of a price: {', '.join(unpriced)}; give --price or price.offer.")
    return "\n".join([*lines, *start_lines(best, scenario)])


def _prices(best: Mapping[str, Any], today: datetime.date) -> list[str]:
    """One sentence for each kind of accelerator."""
    pools = [best["prefill_pool"], best["decode_pool"]] if best["disaggregated"] else [best]
    words = [
        price_words(pool["price_source"], pool["price_usd_per_accelerator_hour"], pool["accelerator"], today)
        for pool in pools
    ]
    return list(dict.fromkeys(words))


def _drafting(draft: Mapping[str, Any]) -> str:
    if not draft["draft_tokens"]:
        return f"Speculation: {draft['draft']} drafts nothing here; plain steps are cheaper."
    return (
        f"Speculation: {draft['draft']} drafts {draft['draft_tokens']} tokens a round, {draft['speedup']:.2f}× the "
        f"speed at this batch; it pays from an acceptance of {draft['break_even_acceptance'] * PERCENT:.0f} %."
    )


def _runner_up(rows: Sequence[Mapping[str, Any]]) -> str:
    best, second = rows[0], rows[1]
    more = second["usd_per_mtok"] / best["usd_per_mtok"] - 1.0 if best["usd_per_mtok"] > 0 else 0.0
    return (
        f"Runner-up: {second['accelerators']} × {second['accelerator']} as {second['layout']}, "
        f"{second['weights']} weights, {more * PERCENT:.0f} % dearer, TPOT {format_seconds(second['tpot_s'])}."
    )


def charts(
    scenario: Scenario,
    model: Model,
    rows: Sequence[Mapping[str, Any]],
    fronts: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Chart]:
    """The frontier with the chosen plan, and where a decode step of each plan goes."""
    best = rows[0]
    series = [_frontier_series(chip, front) for chip, front in fronts.items() if front]
    chosen = Series(
        name="plan 1",
        x=(best["interactivity_tokens_per_s"] or 0.0,),
        y=(best["usd_per_mtok"],),
        mode="markers",
        marker="star",
        emphasis=True,
        hover=(best["reason"],),
    )
    frontier = Chart(
        title=f"Speed and cost: {title_of(scenario, model)}",
        subtitle="deployments that meet the targets and that no other of the same accelerator beats in both",
        x=Axis("interactivity (tokens/s/user)", log=True),
        y=Axis("cost ($ per million output tokens)", log=True),
        series=(*series, chosen),
    )
    labels = tuple(f"{row['rank']}. {row['accelerator']} {row['layout']} {row['weights']}" for row in rows)
    names = list(dict.fromkeys(name for row in rows for name in row["waits_s"] if row["waits_s"][name] > 0))
    bars = tuple(
        Series(
            name=name,
            x=tuple(row["waits_s"][name] / MILLI for row in rows),
            y=tuple(float(i) for i in range(len(rows))),
            mode="bar",
        )
        for name in names
    )
    steps = Chart(
        title="Where a decode step goes",
        subtitle="by what it waits for",
        x=Axis("time (ms)"),
        y=Axis("plan", categories=labels),
        series=bars,
    )
    return {"frontier": frontier, "step_time": steps}


def _frontier_series(name: str, rows: Sequence[Mapping[str, Any]]) -> Series:
    shown = [row for row in rows if row["interactivity_tokens_per_s"]]
    return Series(
        name=name,
        x=tuple(row["interactivity_tokens_per_s"] for row in shown),
        y=tuple(row["usd_per_mtok"] for row in shown),
        hover=tuple(f"{row['layout']} {row['weights']} batch {row['batch']}" for row in shown),
    )
