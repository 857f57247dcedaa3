"""Predict measured closed loops as `costline estimate --concurrency` does, with given overheads of engines.

Stands beside `calibrate_steps.py` because only `costline.answers` composes a prediction and `costline.measure` may not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from costline.answers.estimate.serving import Asked, loop_of, step_tables
from costline.answers.search.columns import Engine, room
from costline.architecture.operations import decode_segment, prefill_segment
from costline.architecture.sharding import Layout, layout
from costline.catalog.efficiency import efficiency
from costline.catalog.residuals import model_class
from costline.catalog.step_overheads import StepOverheads, step_overheads
from costline.forward.rates import ideal_rates
from costline.forward.steps import step_time
from costline.measure.serving_runs import ServingRun, read_serving_runs
from costline.quantities import Array, as_array
from costline.serving.closed_loop import closed_loop_latencies, compiled
from serving_residuals import engine_of, is_judged

FILE = "serving_validation.csv"
QUANTITIES = ("tpot", "ttft", "throughput")
Overheads = Callable[[str], StepOverheads]


@dataclass(frozen=True)
class Case:
    """A run, and what it runs on."""

    run: ServingRun
    engine: Engine
    where: Layout
    most: float

    @property
    def key(self) -> tuple[object, ...]:
        """Runs with the same tables."""
        one = self.run
        return (one.chip, one.engine, one.model, one.number_format, one.kv_format, one.tp, one.pp, one.dp, one.ep)


@dataclass(frozen=True)
class Loops:
    """Closed-loop runs with their measurements as arrays; NaN = not stated or not to be compared."""

    cases: Sequence[Case]

    @cached_property
    def measured(self) -> dict[str, Array]:
        runs = [case.run for case in self.cases]
        return {
            "tpot": as_array([run.tpot_s for run in runs]),
            "ttft": as_array([run.ttft_s for run in runs]),
            "throughput": as_array([run.output_tokens_per_s for run in runs]),
        }

    @cached_property
    def votes(self) -> np.ndarray:
        return np.array([case.run.vote for case in self.cases])

    @cached_property
    def groups(self) -> np.ndarray:
        return np.array([f"{case.run.group} {case.run.number_format}" for case in self.cases])

    @cached_property
    def groups_without_format(self) -> np.ndarray:
        return np.array([case.run.group for case in self.cases])

    @cached_property
    def kinds(self) -> np.ndarray:
        return np.array([model_class(case.engine.model) for case in self.cases])

    def predicted(self, overheads: Overheads = step_overheads, rows: np.ndarray | None = None) -> dict[str, Array]:
        """The three quantities of the chosen rows (all if None); NaN elsewhere."""
        found = {name: np.full(len(self.cases), np.nan) for name in QUANTITIES}
        tables: dict[tuple[object, ...], object] = {}
        for i, case in enumerate(self.cases):
            if rows is not None and not rows[i]:
                continue
            machine = case.engine.rates.machine
            assert machine is not None
            rates = replace(case.engine.rates, machine=replace(machine, overheads=overheads(case.run.engine)))
            run = case.run
            engine = replace(case.engine, rates=rates)
            if case.key not in tables:
                tables[case.key] = step_tables(engine, case.where)
            asked = Asked(
                run.input_tokens,
                run.output_tokens,
                float(run.concurrency or 1),
                length_spread=run.length_spread,
                max_batched_tokens=run.chunk_tokens,
            )
            one = closed_loop_latencies(
                loop_of(engine, asked, case.where, case.most), tables[case.key], compiled()
            )
            found["tpot"][i], found["ttft"][i] = one.tpot_s, one.ttft_s
            each_s = one.ttft_s + one.tpot_s * (run.output_tokens - 1)
            found["throughput"][i] = asked.concurrency * run.output_tokens / each_s
        return found


def case_of(run: ServingRun) -> Case:
    engine = engine_of(run, efficiency)
    where = layout(run.tp, run.pp, run.dp, run.tp * run.dp if run.dp > 1 else run.ep)
    most = float(np.max(room(engine, where, run.input_tokens + run.output_tokens)["max_batch"]))
    return Case(run, engine, where, max(most, 1.0))


def read_loops(measured: Path) -> Loops:
    """Judged closed loops of the validation file."""
    return Loops([case_of(run) for run in read_serving_runs(measured, FILE) if is_judged(run)])


def least_times_s(case: Case) -> tuple[float, float]:
    """The datasheet's least decode step at the run's concurrency, and its least prefill."""
    run = case.run
    chip, system = case.engine.site.chip, case.engine.site.system
    limits = ideal_rates(chip, system)
    batch = min(float(run.concurrency or 1), case.most)
    parts = (decode_segment(batch, run.input_tokens + run.output_tokens / 2), prefill_segment(1, run.input_tokens))
    found = [step_time(case.engine.model, [one], case.where, case.engine.formats, limits) for one in parts]
    return float(found[0].lower_bound_s.max()), float(found[1].lower_bound_s.max())
