"""Fit what serving adds to steps on whole runs of vLLM; write catalog/data/calibration/serving.yml.

python tools/calibrate_serving.py SHARED            fit, print the errors, write the file
python tools/calibrate_serving.py SHARED --check    the same, but only say whether the file would change
python tools/calibrate_serving.py SHARED --table    only print how far each stage is off with the file's numbers

The fit sees the means over four draws of arrivals; errors are of means over six other draws, and of models that the
numbers were fitted without (each model in turn). No number belongs to a model. What is not fitted here is that of
`steps.yml`, so fit that first.
"""

# ruff: noqa: E402  the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from costline.catalog.read import DATA
from costline.catalog.serving_overheads import all_serving_overheads
from costline.measure.kernels.calibration import same_numbers
from costline.measure.vllm_runs import VllmRun, read_vllm_runs
from costline.quantities import Array, as_array
from serving_file import KEYS, Seen, as_written, range_of, serving_text, step_ratios, summary, words
from whole_runs import FILE, SEEDS, Case, Numbers, Row, cases, errors, labelled, table

TARGET = DATA / "calibration" / "serving.yml"
START = {
    "pointwise_floor_s": 2.7e-6,
    "moe_layer_s": 46e-6,
    "request_s": 10e-3,
    "attention_item_share": 1.0,
    "sampler_s": 280e-12,
    "launch_layer_s": 500e-6,
    "launch_moe_layer_s": 140e-6,
}
"""Where the fit of each number begins, and what it is pulled to."""
NOTHING = {"host_step_s": 0.0, "host_sequence_s": 0.0, "decode_attention_share": 1.0}
"""Set, since fits take them there: the host works beside the step before, and decode attention is as it was timed."""
OF_STEPS = ("floor_share", "collective_floor_s", "mixed_layer_s", "mixed_step_s")
"""Not stated: the number of `steps.yml` holds."""
NAMES = tuple(START)
FROM: Array = np.log(as_array(list(START.values())))
WEIGHTS = {"e2e_mean": 1.0, "itl_mean": 0.5, "ttft_mean": 0.5, "ttft_p90": 0.25, "e2e_p99": 0.15, "ttft_p99": 0.03}
SOFT = 0.003
"""Log errors above it count by their size rather than its square, so that one odd stage does not bend the others."""
PRIOR = 0.003
"""Pull of each log number to its start: what the runs cannot tell stays there."""
DIFFERENCE = 0.04
"""Of log numbers in the Jacobian: the simulator is bumpy below."""
FARTHEST = 0.7
"""A log number moves in one step of the fit."""
MOST_STEPS = 16
SHARES = (1.0, 0.5, 0.25, 0.1)
"""Of a step, tried in turn."""
SETTLED = 1e-3
"""Relative gain of a step below which the fit is done."""
LINEAR_STEPS, REFIT_STEPS = 30, 8


@dataclass(frozen=True)
class Solved:
    """The end of a fit: log numbers and what is left of the loss."""

    at: Array
    loss: float


class Fit:
    """Numbers that bring runs nearest."""

    def __init__(self, found: Sequence[Case]) -> None:
        self.cases = found

    def residuals(self, at: Array) -> Array:
        """Weighted log errors."""
        numbers = numbers_at(at)
        rows = [row for case in self.cases for row in errors(case, numbers)]
        return as_array([weight * np.log1p(row[name]) for row in rows for name, weight in WEIGHTS.items()])

    def jacobian(self, at: Array) -> Array:
        """Central differences of the residuals by log numbers."""
        steps = DIFFERENCE * np.eye(at.size)
        sides = [(self.residuals(at + step), self.residuals(at - step)) for step in steps]
        return np.stack([(above - below) / (2 * DIFFERENCE) for above, below in sides], axis=1)

    def solve(self, begin: Array = FROM, most_steps: int = MOST_STEPS) -> Solved:
        """Gauss-Newton steps, shortened where the whole one does not help, until none helps."""
        at, residuals = begin, self.residuals(begin)
        for _ in range(most_steps):
            jacobian, now = self.jacobian(at), loss(residuals, at)
            aim = linear_best(jacobian, residuals, at)
            for share in SHARES:
                there = at + share * (aim - at)
                found = self.residuals(there)
                if loss(found, there) < (1 - SETTLED) * now:
                    at, residuals = there, found
                    break
            else:
                return Solved(at, now)
        return Solved(at, loss(residuals, at))


def loss(residuals: Array, at: Array) -> float:
    """What a fit makes small."""
    errors_part = SOFT**2 * np.sum(np.sqrt(1 + (residuals / SOFT) ** 2) - 1)
    return float(errors_part + 0.5 * PRIOR**2 * np.sum((at - FROM) ** 2))


def linear_best(jacobian: Array, residuals: Array, at: Array) -> Array:
    """Log numbers of the least loss if errors were straight lines in them, within reach of a step."""
    there, expected = at, residuals
    for _ in range(LINEAR_STEPS):
        weights = (1 + (expected / SOFT) ** 2) ** -0.25
        left = np.concatenate([weights[:, np.newaxis] * jacobian, PRIOR * np.eye(at.size)])
        right = np.concatenate([weights * (jacobian @ at - residuals), PRIOR * FROM])
        there = at + np.clip(np.linalg.lstsq(left, right, rcond=None)[0] - at, -FARTHEST, FARTHEST)
        expected = residuals + jacobian @ (there - at)
    return there


def numbers_at(at: Array) -> Numbers:
    """All that the fit states, those of `steps.yml` as None."""
    return {**dict.fromkeys(OF_STEPS), **NOTHING, **dict(zip(NAMES, np.exp(at).tolist(), strict=True))}


def rounded(at: Array) -> Array:
    """Log numbers as the file states them."""
    written = as_written(numbers_at(at))
    return np.log(as_array([written[KEYS[name][0]] * KEYS[name][1] for name in NAMES]))


def seen_of(runs: Sequence[VllmRun], at: Array) -> Seen:
    """Errors by arrivals that the fit did not see: with its numbers, and of each model by a fit to the others."""
    unseen = cases(runs)
    rows = [row for case in unseen for row in errors(case, numbers_at(at))]
    apart: list[Row] = []
    ratios: list[float] = []
    for model in dict.fromkeys(run.model for run in runs):
        fit = Fit(cases([run for run in runs if run.model != model], seeds=SEEDS))
        others = numbers_at(fit.solve(at, REFIT_STEPS).at)
        for case in unseen:
            if case.run.model == model:
                apart += errors(case, others)
                ratios += step_ratios(case, others)
    return Seen(summary(rows), summary(apart), range_of(ratios))


def write(text: str, *, check: bool) -> bool:
    """Writes the file; with `check` only says whether it would change. Returns whether it did."""
    old = TARGET.read_text(encoding="utf-8") if TARGET.is_file() else ""
    changed = not same_numbers(old, text) if check else old != text
    if changed and not check:
        beside = TARGET.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(TARGET)
        all_serving_overheads.cache_clear()
    print(f"{TARGET.name} {('would change' if check else 'written') if changed else 'up to date'}")
    return changed


def main(arguments: Sequence[str]) -> int:
    """Fits, prints, writes; 1 if `--check` finds the file stale."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    path = Path(arguments[0]) / "measured" / FILE
    if not path.is_file():
        print(f"{path} is not there; give the folder that holds measured/", file=sys.stderr)
        return 2
    runs = read_vllm_runs(path)
    if "--table" in arguments:
        print(table(labelled(cases(runs))))
        return 0
    fit = Fit(cases(runs, seeds=SEEDS))
    found = fit.solve()
    at = rounded(found.at)
    seen = seen_of(runs, at)
    print(table(labelled(cases(runs), numbers_at(at))))
    print(f"loss {found.loss:.6f}; {words('runs', seen.residuals)}\n{words('models left out', seen.left_out)}")
    changed = write(serving_text(numbers_at(at), runs, seen), check="--check" in arguments)
    return int(changed and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
