"""simulate: latency percentiles, throughput and cost of a deployment under arrivals or a trace, and where it tips over.

Composes the step table, the load and the simulator; every number comes from the layers below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costline.answers.answer import Answer, Used
from costline.answers.choices import check_context, the_model
from costline.answers.lengths_block import mean_of
from costline.answers.read_document import read_document
from costline.answers.read_scenario import validate
from costline.answers.scenario import Scenario
from costline.answers.simulate.capacity import meets_slo, smallest_fleet, targets
from costline.answers.simulate.charts import charts, run_charts
from costline.answers.simulate.curves import Curves, curves_of
from costline.answers.simulate.formulas import Seen, capped, formulas, pooled, seen_of
from costline.answers.simulate.interval import interval, saturation
from costline.answers.simulate.measured import deployment_row, measured
from costline.answers.simulate.measures import attainment, latencies
from costline.answers.simulate.pools import the_sides
from costline.answers.simulate.run import Setting, kept_requests, setting
from costline.answers.simulate.step_events import events_text
from costline.answers.simulate.sweep import combinations
from costline.answers.simulate.trace_lengths import trace_of, with_trace_lengths
from costline.answers.simulate.view import chosen_words, run_table, summary, tables
from costline.answers.trace.rows import trace_row
from costline.serving.timestamps import Timestamps
from costline.serving.trace_summary import summary_of


def simulate(
    scenario: Scenario | str | Path | Mapping[str, Any] | None = None,
    *,
    steps: bool = False,
    figures: bool = True,
    **blocks: Any,
) -> Answer:
    """What users of a deployment would see: TTFT, TPOT, E2E and more, by stage, tenant and replica.

    `scenario` is a file, a mapping or a `Scenario`; keyword blocks (`model={...}, workload={...}`) win over it. A list
    where one value is meant (`replicas: [2, 4, 6]`) makes a table of runs. `steps` keeps the steps as
    `steps.json`, a timeline for Perfetto. Raises InputError for a bad question and InfeasibleError where nothing fits.
    """
    source = scenario.model_dump(exclude_unset=True) if isinstance(scenario, Scenario) else scenario
    runs = [(varied, validate(_complete(document))) for varied, document in combinations(read_document(source, blocks))]
    found = [_one(asked, traced=steps and len(runs) == 1) for _, asked in runs]
    if len(runs) == 1:
        return _single(runs[0][1], found[0], figures=figures)
    return _table([varied for varied, _ in runs], found)


def _complete(document: Mapping[str, Any]) -> dict[str, Any]:
    return with_trace_lengths(document) if "trace" in str(document.get("workload")) else dict(document)


@dataclass(frozen=True)
class _Run:
    """One run and what it gave."""

    one: Setting
    stamps: Timestamps
    curves: Curves
    data: dict[str, Any]
    seen: Seen | None
    """What formulas are told."""


def _one(asked: Scenario, *, traced: bool) -> _Run:
    model = the_model(asked.model)
    work = asked.workload
    check_context(model, work.input_mean + work.output_mean, "workload.input_tokens + output_tokens")
    one = setting(asked, *the_sides(asked, model))
    stamps = one.run(*one.counts, traced=traced)
    bounds, curves = interval(one, stamps), curves_of(one, stamps)
    rate, seen = rate_of(asked, stamps), seen_of(one, stamps)
    data: dict[str, Any] = {
        "question": "simulate",
        "model": model.id,
        "deployment": deployment_row(one),
        **measured(one, stamps, one.counts),
        "interval": bounds,
        "knee": saturation(curves, rate, bounds),
        "slo": _slo(one, stamps),
        "sessions": _sessions(asked),
        "queueing": None if seen is None else formulas(seen),
        "notes": list(one.drawn.notes),
    }
    for row, most in zip(data["pools"], curves.capacity, strict=True):
        row |= {"capacity_requests_per_s": most, "load": None if rate is None else rate / most}
    return _Run(one, stamps, curves, data, seen)


def _sessions(asked: Scenario) -> dict[str, float] | None:
    """The mean turn of conversations, as a plan takes it; None where requests have nothing to do with one another."""
    block = asked.workload.sessions
    if block is None or not block.prompt_tokens:
        return None
    cached = block.cached_tokens or 0.0
    return {
        "turns": mean_of(block.turns),
        "prompt_tokens": block.prompt_tokens,
        "cached_tokens": cached,
        "cached_share": cached / block.prompt_tokens,
    }


def _slo(one: Setting, stamps: Timestamps) -> dict[str, Any] | None:
    """Targets, whether p99 is within each, and the share of requests that is; None where there are none."""
    known = targets(one.asked.slo)
    if not known:
        return None
    shares = attainment(latencies(stamps, kept_requests(one.drawn)), one.asked.slo)
    del shares["good"]
    return {"targets_ms": known, "met": meets_slo(one, stamps), "attainment": shares}


def sources_of(one: Setting) -> tuple[Used, ...]:
    """Facts that the replicas of all sides used, each once."""
    return tuple(dict.fromkeys(used for side in one.sides for used in side.replica.sources))


def rate_of(asked: Scenario, stamps: Timestamps) -> float | None:
    """Requests per second that come: the scenario's highest, or a trace's mean; None where the load follows."""
    work = asked.workload
    if work.peak_request_rate is not None or work.trace is None:
        return work.peak_request_rate
    span = float(stamps.arrival_s.max() - stamps.arrival_s.min())
    return stamps.arrival_s.size / span if span > 0 else None


def _single(asked: Scenario, run: _Run, *, figures: bool) -> Answer:
    data = {**run.data, "scenario": asked.model_dump(), "fleet": smallest_fleet(run.one)}
    if run.seen is not None:
        more = {"pooling": pooled(run.seen), "output_caps": capped(run.seen)}
        data["queueing"] = formulas(run.seen) | more
    if asked.workload.trace is not None:
        data["trace"] = trace_row(summary_of(trace_of(asked.workload.trace)))
    rate = rate_of(asked, run.stamps)
    drawn = charts(run.one, run.stamps, run.curves.together, data=data, rate=rate) if figures else {}
    files = {"steps.json": events_text(run.stamps.trace)} if run.stamps.trace is not None else {}
    return Answer("simulate", data, tables(data), drawn, summary(data), sources_of(run.one), files)


def _table(varied: list[dict[str, Any]], found: list[_Run]) -> Answer:
    rows = [run.data for run in found]
    data = {"question": "simulate", "runs": [{"settings": one, **row} for one, row in zip(varied, rows, strict=True)]}
    words, drawn = chosen_words(rows, varied), run_charts(rows, varied)
    return Answer("simulate", data, (run_table(rows, varied),), drawn, words, sources_of(found[0].one))
