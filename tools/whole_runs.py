"""Predict whole measured runs as `costline simulate` does, with given numbers of serving.

Stands beside `calibrate_serving.py` because only `costline.answers` composes a prediction and `costline.measure` may
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costline.answers.choices import the_model
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.answers.simulate import step_table as tables
from costline.answers.simulate.measures import latencies
from costline.answers.simulate.replica import Replica, the_replica
from costline.answers.simulate.run import setting
from costline.catalog.serving_overheads import ServingOverheads, serving_overheads
from costline.measure.vllm_runs import METRICS, VllmRun

FILE = "vllm_experiments_calibration.json"
MORE_PROMPTS = {"reasoning-lite": 6}
"""Loads that behave as if they had so many times the prompts that their label says."""
SEEDS = (11, 12, 13, 14)
"""Arrivals of the fit: what is compared is the mean of the predictions, so that no number follows one draw's queue."""
UNSEEN = (0, 21, 22, 23, 24, 25)
"""Arrivals of the table: none of the fit's."""

Numbers = Mapping[str, float | None]
Row = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A run, its scenario and its replica: what stays while numbers are fitted."""

    run: VllmRun
    asked: tuple[Scenario, ...]
    """By seed of the arrivals."""
    replica: Replica


def scenario_of(run: VllmRun, *, seed: int = 0) -> dict[str, Any]:
    """The scenario of a run, as a user would write it."""
    prompts = run.distinct_prompts * MORE_PROMPTS.get(run.workload, 1)
    return {
        "model": {"id": run.model, "weights": run.weights},
        "system": {"accelerator": run.accelerator},
        "workload": {
            "input_tokens": run.input_tokens,
            "output_tokens": run.output_tokens,
            "prefix": {"shared_tokens": run.shared_tokens, "distinct_prompts": prompts},
            "stages": [{"rate": stage.rate, "duration_s": stage.duration_s} for stage in run.stages],
            "seed": seed,
        },
        "deployment": {
            "tp": run.tp,
            "engine": {
                "name": "vllm",
                "max_batched_tokens": run.max_batched_tokens,
                "max_sequences": run.max_sequences,
                "memory_utilization": run.memory_utilization,
            },
        },
    }


def cases(runs: Sequence[VllmRun], *, seeds: Sequence[int] = UNSEEN) -> list[Case]:
    """Every run with its replica, and arrivals of so many seeds."""
    found: list[Case] = []
    for run in runs:
        asked = tuple(read_scenario(scenario_of(run, seed=seed)) for seed in seeds)
        found.append(Case(run, asked, the_replica(asked[0], the_model(asked[0].model))))
    return found


def predicted(case: Case, numbers: Numbers | None = None, *, factor: float = 1.0) -> list[Row]:
    """Latencies of each stage [s], means over the arrivals; with numbers other than the file's where they are given.

    With a factor every step takes so many times as long.
    """
    rows = [_simulated(case, asked, numbers or {}, factor) for asked in case.asked]
    return [{name: float(np.mean([one[name] for one in same])) for name in METRICS} for same in zip(*rows, strict=True)]


def _simulated(case: Case, asked: Scenario, numbers: Numbers, factor: float) -> list[Row]:
    known = serving_overheads("vllm")
    changed: ServingOverheads = replace(known, **dict(numbers))
    usual = tables.serving_overheads
    tables.serving_overheads = lambda engine: changed  # the one place where the numbers come in
    try:
        one = setting(asked, case.replica)
    finally:
        tables.serving_overheads = usual
    stamps = one.run(1, factor=factor)
    labels = one.drawn.requests.stage
    rows: list[Row] = []
    for index in range(len(case.run.stages)):
        mine = np.ones(len(one.drawn.requests), bool) if labels is None else np.asarray(labels) == index
        found = latencies(stamps, mine)
        rows.append(
            {
                "e2e_mean": float(found.e2e.mean()),
                "e2e_p90": float(np.quantile(found.e2e, 0.9)),
                "e2e_p99": float(np.quantile(found.e2e, 0.99)),
                "itl_mean": float(found.tpot.mean()),
                "ttft_mean": float(found.ttft.mean()),
                "ttft_p90": float(np.quantile(found.ttft, 0.9)),
                "ttft_p99": float(np.quantile(found.ttft, 0.99)),
            }
        )
    return rows


def errors(case: Case, numbers: Numbers | None = None, *, factor: float = 1.0) -> list[Row]:
    """Predicted over measured less 1, by stage and metric."""
    return [
        {name: got[name] / stage.measured_s[name] - 1 for name in METRICS}
        for stage, got in zip(case.run.stages, predicted(case, numbers, factor=factor), strict=True)
    ]


def labelled(found: Sequence[Case], numbers: Numbers | None = None) -> list[tuple[str, Row]]:
    """Errors of every stage with its label."""
    return [
        (f"{case.run.id} {stage.rate:g}/s", row)
        for case in found
        for stage, row in zip(case.run.stages, errors(case, numbers), strict=True)
    ]


def table(rows: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    """Signed errors in per cent by stage, and the mean size of each metric's."""
    lines = ["{:48}".format("run") + "".join(f"{name:>10}" for name in METRICS)]
    lines += [f"{label[:48]:48}" + "".join(f"{row[name]:+10.1%}" for name in METRICS) for label, row in rows]
    mean = {name: float(np.mean([abs(row[name]) for _, row in rows])) for name in METRICS}
    lines.append(f"{'mean size':48}" + "".join(f"{mean[name]:10.2%}" for name in METRICS))
    return "\n".join(lines)
