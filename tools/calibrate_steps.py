"""Fit what steps and requests cost engines beside their kernels; write catalog/data/calibration/{steps,residuals}.yml.

python tools/calibrate_steps.py SHARED            fit, print the errors, write the files
python tools/calibrate_steps.py SHARED --check    the same, but only say whether a file would change

The fit sees closed loops of the validation file, each group (source x accelerator x model) one vote. Errors and ranges
are of groups that the numbers were fitted without (each group in turn). No number belongs to a model or an accelerator.
"""

# ruff: noqa: E402  the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from closed_loop_runs import QUANTITIES, Loops, Overheads, read_loops
from costline.catalog.read import DATA
from costline.catalog.records import Residuals
from costline.catalog.step_overheads import StepOverheads
from costline.measure.votes import vote_weights, weighted_quantile
from costline.quantities import MICRO, MILLI, NANO, PERCENT, Array, as_array

ENGINES = ("vllm", "sglang", "trtllm")
SHARED_BY_ENGINES = {
    "floor_share": (0.6, 0.2, 1.0),
    "compute_share": (0.95, 0.6, 1.0),
    "pointwise_floor_s": (2.5e-6, 0.5e-6, 8e-6),
    "moe_layer_s": (15e-6, 1e-6, 2e-4),
    "moe_token_s": (1e-8, 1e-10, 1e-6),
    "routing_shape": (1.0, 0.05, 50.0),
    "latent_layer_s": (40e-6, 1e-6, 3e-4),
    "collective_floor_s": (1e-6, 1e-7, 2e-5),
    "mixed_moe_layer_s": (1e-4, 1e-6, 5e-3),
    "mixed_latent_layer_s": (1e-4, 1e-6, 5e-3),
}
"""Start and bounds of numbers that all engines share."""
BY_ENGINE = {
    "host_step_s": (0.3e-3, 1e-5, 5e-3),
    "host_sequence_s": (10e-6, 5e-7, 1e-4),
    "mixed_layer_s": (53e-6, 1e-6, 2e-3),
    "request_s": (0.03, 0.002, 0.3),
}
TOP_P_VOCABULARY_S = 0.28e-9
"""From staged runs of vLLM; closed loops mostly take the likeliest token."""
FIXED = {"sglang": {"prompts_first": True}, "trtllm": {"latent_stream_interval": 10.0, "fuses_all_reduce": True}}
NAMES = [*SHARED_BY_ENGINES, *(f"{name} {engine}" for engine in ENGINES for name in BY_ENGINE)]
_BOXES = [(SHARED_BY_ENGINES | BY_ENGINE)[name.split()[0]] for name in NAMES]
START, LOW, HIGH = (np.log(as_array([box[i] for box in _BOXES])) for i in range(3))
SOFT = {"tpot": 0.1, "ttft": 0.2, "throughput": 0.1}
"""Log error beyond which a row counts linearly."""
WEIGHT = {"tpot": 1.0, "ttft": 0.4, "throughput": 0.0}
PRIOR = 0.06
"""Pull of each log number to its start: what the runs cannot tell stays there."""
REFIT_STEPS = 3
"""Steps of a fit without one group, from the optimum of all."""
FLAT = ("gap vllm h200-sxm Qwen3-235B-A22B",)
"""Not fitted: a flat step whatever the batch, shorter with more devices, as if each step read all experts."""
NOISY = ("inferencex sglang b200-sxm DeepSeek-R1",)
"""First tokens not fitted: the same sweep scatters by its own size, as where warm-up is in the mean."""
KEYS = {
    "floor_share": ("floor_share", 1.0), "compute_share": ("compute_share", 1.0),
    "pointwise_floor_s": ("pointwise_floor_us", MICRO), "moe_layer_s": ("moe_layer_us", MICRO),
    "moe_token_s": ("moe_token_ns", NANO), "routing_shape": ("routing_shape", 1.0),
    "latent_layer_s": ("latent_layer_us", MICRO), "collective_floor_s": ("collective_floor_us", MICRO),
    "host_step_s": ("host_step_ms", MILLI), "host_sequence_s": ("host_sequence_us", MICRO),
    "mixed_layer_s": ("mixed_layer_us", MICRO), "mixed_moe_layer_s": ("mixed_moe_layer_us", MICRO),
    "mixed_latent_layer_s": ("mixed_latent_layer_us", MICRO), "request_s": ("request_ms", MILLI),
}  # fmt: skip
"""Key and unit in the file of each number."""
CLASSES = ("dense", "experts", "latent")
TARGETS = {"dense": (8, 20, 8), "experts": (15, 35, 15), "latent": (12, 40, 12), "all": (12, 30, 12)}


def overheads_of(numbers: Array, digits: int = 3) -> Overheads:
    """Overheads by engine, rounded as the file states them."""
    values = dict(zip(NAMES, np.exp(numbers), strict=True))

    def of(engine: str) -> StepOverheads:
        found = {
            name: float(f"{values.get(name, values.get(f'{name} {engine}')) / unit:.{digits}g}") * unit
            for name, (_, unit) in KEYS.items()
        }
        return StepOverheads(
            engine=engine, mixed_step_s=0.0, top_p_vocabulary_s=TOP_P_VOCABULARY_S, **found, **FIXED.get(engine, {})
        )

    return of


class Fit:
    """Numbers that make the log errors of voting groups small."""

    def __init__(self, loops: Loops) -> None:
        self.loops = loops
        counts = dict(zip(*np.unique(loops.votes, return_counts=True), strict=True))
        self.weights = np.array([1 / np.sqrt(counts[vote]) for vote in loops.votes])
        self.weights = self.weights * ~np.isin(loops.groups_without_format, FLAT)

    def errors(self, numbers: Array) -> Array:
        """Weighted log errors [quantity, row]; 0 where nothing is compared."""
        predicted, rows = self.loops.predicted(overheads_of(numbers, 9)), []
        for name in QUANTITIES:
            log = np.nan_to_num(np.log(predicted[name] / self.loops.measured[name]))
            log = np.where((name == "ttft") & np.isin(self.loops.groups_without_format, NOISY), 0.0, log)
            soft = SOFT[name]
            size = soft * np.sqrt(2 * (np.sqrt(1 + (log / soft) ** 2) - 1))
            rows.append(np.sign(log) * size * self.weights * WEIGHT[name])
        return np.array(rows)

    def residuals(self, numbers: Array) -> Array:
        return np.concatenate([self.errors(numbers).ravel(), PRIOR * (numbers - START)])

    def solve(self) -> tuple[Array, Array, Array]:
        """Numbers, residuals and Jacobian at the optimum."""
        from scipy.optimize import least_squares

        inside = np.clip(START, LOW + 1e-6, HIGH - 1e-6)
        found = least_squares(self.residuals, inside, bounds=(LOW, HIGH), diff_step=0.02, max_nfev=16)
        return as_array(found.x), as_array(found.fun), as_array(found.jac)

    def without(self, vote: str, solved: tuple[Array, Array, Array]) -> Array:
        """Numbers fitted without one group: Gauss-Newton steps from the optimum of all, by its Jacobian."""
        from scipy.optimize import lsq_linear

        numbers, residuals, jacobian = solved
        out = np.tile(self.loops.votes == vote, len(QUANTITIES))
        keep = np.concatenate([~out, np.ones(len(NAMES), dtype=bool)])
        for left in reversed(range(REFIT_STEPS)):
            box = (LOW - numbers - 1e-9, HIGH - numbers + 1e-9)
            numbers = numbers + as_array(lsq_linear(jacobian[keep], -residuals[keep], bounds=box).x)
            residuals = self.residuals(numbers) if left else residuals
        return numbers


def leave_one_out(fit: Fit, solved: tuple[Array, Array, Array]) -> dict[str, Array]:
    """Predictions of each group with numbers fitted without it."""
    found = {name: np.full(len(fit.loops.cases), np.nan) for name in QUANTITIES}
    for vote in np.unique(fit.loops.votes):
        rows = fit.loops.votes == vote
        one = fit.loops.predicted(overheads_of(fit.without(str(vote), solved)), rows)
        for name in QUANTITIES:
            found[name][rows] = one[name][rows]
    return found


def class_errors(loops: Loops, predicted: Mapping[str, Array]) -> dict[str, dict[str, tuple[float, float, float]]]:
    """By class and quantity: median over groups of their medians, median by row, p90 by row."""
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for kind in (*CLASSES, "all"):
        found[kind] = {}
        for name in QUANTITIES:
            size = np.abs(predicted[name] / loops.measured[name] - 1)
            rows = np.isfinite(size) & ((loops.kinds == kind) | (kind == "all"))
            medians = [np.median(size[rows & (loops.votes == vote)]) for vote in np.unique(loops.votes[rows])]
            found[kind][name] = (
                float(np.median(medians)), float(np.median(size[rows])), float(np.quantile(size[rows], 0.9)),
            )  # fmt: skip
    return found


def class_residuals(loops: Loops, predicted: Mapping[str, Array]) -> dict[str, dict[str, Residuals]]:
    """Quantiles of measured over predicted by class, half the weight by group and half by row."""
    found: dict[str, dict[str, Residuals]] = {}
    for kind in CLASSES:
        found[kind] = {}
        for name in QUANTITIES:
            ratio = loops.measured[name] / predicted[name]
            rows = np.isfinite(ratio) & (loops.kinds == kind)
            weights = vote_weights(list(loops.votes[rows]))
            weights = weights / weights.sum() + 1 / rows.sum()
            low, middle, high = (round(weighted_quantile(ratio[rows], weights, q), 3) for q in (0.1, 0.5, 0.9))
            found[kind][name] = Residuals(low, middle, high, int(rows.sum()))
    return found


def coverage(
    loops: Loops, predicted: Mapping[str, Array], ranges: Mapping[str, Mapping[str, Residuals]]
) -> dict[str, float]:
    """Share of points inside p10 to p90, by quantity, half by group and half by row."""
    found: dict[str, float] = {}
    for name in QUANTITIES:
        ratio = loops.measured[name] / predicted[name]
        rows = np.isfinite(ratio)
        low = np.array([min(ranges[kind][name].p10, 1.0) for kind in loops.kinds])
        high = np.array([max(ranges[kind][name].p90, 1.0) for kind in loops.kinds])
        found[name] = float(np.mean(((ratio >= low) & (ratio <= high))[rows]))
    return found


def show(loops: Loops, predicted: Mapping[str, Array], console: Console) -> None:
    """Errors by class against the targets, and by group."""
    for kind, parts in class_errors(loops, predicted).items():
        cells = [
            f"{name} {PERCENT * group:.1f} (target {target}; by row {PERCENT * row:.1f}, p90 {PERCENT * high:.0f})"
            for (name, (group, row, high)), target in zip(parts.items(), TARGETS[kind], strict=True)
        ]
        console.print(f"{kind:8s}", " | ".join(cells))
    for group in np.unique(loops.groups):
        rows = loops.groups == group
        cells = []
        for name in QUANTITIES:
            ratio = (predicted[name] / loops.measured[name])[rows]
            ratio = ratio[np.isfinite(ratio)]
            if ratio.size:
                size = np.abs(ratio - 1)
                cells.append(
                    f"{PERCENT * np.median(size):5.1f} ({PERCENT * (np.median(ratio) - 1):+4.0f}; "
                    f"{PERCENT * np.quantile(size, 0.9):3.0f})"
                )
        console.print(f"{group:62s}{rows.sum():5d}  " + "  ".join(cells))


def _table(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value:g}" for name, value in values.items()) + "}"


HEADER = """\
# {about}
# Written by `make calibrate`: edit the rules in tools/calibrate_steps.py, not this file.
source: serving-study
kind: measured
retrieved: 2026-11-20

"""


def steps_text(overheads: Overheads, errors: str) -> str:
    """The file of overheads; `default` is the middle of the engines."""
    found = {engine: overheads(engine) for engine in ENGINES}
    lines = [HEADER.format(about="What a step and a request cost an engine beside its kernels."), "steps:\n"]
    middle = {name: float(np.median([getattr(one, name) for one in found.values()])) for name in KEYS}
    default = StepOverheads(
        engine="default", mixed_step_s=0.0, top_p_vocabulary_s=TOP_P_VOCABULARY_S, **middle
    )
    for id, one in {"default": default, **found}.items():
        lines.append(f"  {id}:\n")
        lines += [f"    {key}: {getattr(one, name) / unit:.3g}\n" for name, (key, unit) in KEYS.items()]
        lines.append(f"    top_p_vocabulary_ns: {TOP_P_VOCABULARY_S / NANO:g}\n    mixed_step_ms: 0\n")
        if one.prompts_first:
            lines.append("    prompts_first: true\n")
        if one.fuses_all_reduce:
            lines.append("    fuses_all_reduce: true\n")
        if one.latent_stream_interval != 1.0:
            lines.append(f"    latent_stream_interval: {{value: {one.latent_stream_interval:g}, kind: inferred, "
                         "note: \"first tokens come 9 steps late in all runs with latent attention\"}\n")
        text = "Middle of the engines that were measured." if id == "default" else errors
        lines.append(f"    notes: >-\n      {text}\n\n")
    return "".join(lines).rstrip("\n") + "\n"


def residuals_text(found: Mapping[str, Mapping[str, Residuals]], covered: Mapping[str, float]) -> str:
    """The file of ranges."""
    about = "Measured over predicted by kind of model; each group predicted with numbers fitted without it."
    text = HEADER.format(about=about)
    text = text.replace("source:", "# Inside p10 to p90: " + ", ".join(
        f"{name} {PERCENT * value:.0f} %" for name, value in covered.items()) + ".\nsource:", 1)
    text += "residuals:\n"
    for kind, parts in found.items():
        text += f"  {kind}:\n"
        for name, one in parts.items():
            text += f"    {name}: {_table({'p10': one.p10, 'p50': one.p50, 'p90': one.p90, 'rows': one.rows})}\n"
        text += "\n"
    return text.rstrip("\n") + "\n"


def main(arguments: Sequence[str]) -> int:
    """Fits, prints, writes; 1 if `--check` finds a file stale."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    measured = Path(arguments[0]) / "measured"
    if not measured.is_dir():
        print(f"{measured} is not a folder; give the folder that holds measured/", file=sys.stderr)
        return 2
    console = Console(width=170, highlight=False)
    loops = read_loops(measured)
    fit = Fit(loops)
    solved = fit.solve()
    for name, value in zip(NAMES, np.exp(solved[0]), strict=True):
        console.print(f"{name:32s}{value:.3g}")
    console.print("\nIn sample")
    show(loops, loops.predicted(overheads_of(solved[0])), console)
    console.print("\nEach group with numbers fitted without it")
    outside = leave_one_out(fit, solved)
    show(loops, outside, console)
    ranges = class_residuals(loops, outside)
    covered = coverage(loops, outside, ranges)
    console.print("inside p10 to p90:", json.dumps(covered))
    errors = class_errors(loops, outside)["all"]
    words = ", ".join(f"{name} {PERCENT * one[0]:.0f} %" for name, one in errors.items())
    note = f"Fitted on {len(loops.cases)} closed loops; median error of groups left out, all engines: {words}."
    texts = {"steps.yml": steps_text(overheads_of(solved[0]), note), "residuals.yml": residuals_text(ranges, covered)}
    stale = False
    for name, text in texts.items():
        target = DATA / "calibration" / name
        changed = not target.is_file() or target.read_text(encoding="utf-8") != text
        stale |= changed
        if "--check" not in arguments:
            target.write_text(text, encoding="utf-8")
        console.print(f"{name}: {'stale' if changed else 'up to date'}")
    return int(stale and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
