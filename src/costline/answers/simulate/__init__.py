"""simulate: latency percentiles, throughput and cost of a deployment under arrivals or a trace, and where it tips over.

Composes the step table, the load and the simulator; every number comes from the layers below.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costline.answers.answer import Answer
from costline.answers.choices import check_context, the_model
from costline.answers.read_document import read_document
from costline.answers.read_scenario import validate
from costline.answers.scenario import Scenario
from costline.answers.simulate.capacity import meets_slo, smallest_fleet, targets
from costline.answers.simulate.interval import interval, saturation
from costline.answers.simulate.replica import Replica, the_replica
from costline.answers.simulate.run import Setting, curve_of, measured, setting
from costline.answers.simulate.sweep import combinations
from costline.serving.timestamps import Timestamps


def simulate(
    scenario: Scenario | str | Path | Mapping[str, Any] | None = None,
    *,
    trace: bool = False,
    **blocks: Any,
) -> Answer:
    """What users of a deployment would see: TTFT, TPOT, E2E and more, by stage, tenant and replica.

    `scenario` is a file, a mapping or a `Scenario`; keyword blocks (`model={...}, workload={...}`) win over it. A list
    where one value is meant (`replicas: [2, 4, 6]`) makes a table of runs. `trace` keeps the steps for a timeline in
    Perfetto. Raises InputError for a bad question and InfeasibleError where nothing fits.
    """
    source = scenario.model_dump(exclude_unset=True) if isinstance(scenario, Scenario) else scenario
    runs = [(varied, validate(document)) for varied, document in combinations(read_document(source, blocks))]
    found = [_one(asked, traced=trace and len(runs) == 1) for _, asked in runs]
    if len(runs) == 1:
        return _single(runs[0][1], found[0])
    return _table([varied for varied, _ in runs], [asked for _, asked in runs], found)


class _Run:
    """One run and what it gave."""

    def __init__(self, replica: Replica, one: Setting, stamps: Timestamps, data: dict[str, Any]) -> None:
        self.replica = replica
        self.one = one
        self.stamps = stamps
        self.data = data


def _one(asked: Scenario, *, traced: bool) -> _Run:
    model = the_model(asked.model)
    work = asked.workload
    check_context(model, work.input_mean + work.output_mean, "workload.input_tokens + output_tokens")
    replica = the_replica(asked, model)
    one = setting(asked, replica)
    count = replica.replicas
    stamps = one.run(count, traced=traced)
    data = {"question": "simulate", "model": model.id, "deployment": replica.row(), **measured(one, stamps, count)}
    bounds = interval(one, stamps, count)
    rate = work.peak_request_rate
    data |= {
        "interval": bounds,
        "knee": saturation(one, curve_of(one, stamps), rate, count, bounds),
        "slo": {"targets_ms": targets(asked.slo), "met": meets_slo(one, stamps)} if targets(asked.slo) else None,
        "notes": list(one.drawn.notes),
    }
    return _Run(replica, one, stamps, data)


def _single(asked: Scenario, run: _Run) -> Answer:
    data = {**run.data, "scenario": asked.model_dump(), "fleet": smallest_fleet(run.one, run.replica.replicas)}
    return Answer("simulate", data, (), {}, "", run.replica.sources)


def _table(varied: list[dict[str, Any]], asked: list[Scenario], found: list[_Run]) -> Answer:
    rows = [{**settings, **run.data} for settings, run in zip(varied, found, strict=True)]
    return Answer("simulate", {"question": "simulate", "runs": rows}, (), {}, "", found[0].replica.sources)
