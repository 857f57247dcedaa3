"""Fit what kernels sustain, show how far whole systems are off; write catalog/data/calibration/efficiency.yml.

python tools/calibrate.py SHARED            fit, print the errors, write the file
python tools/calibrate.py SHARED --check    the same, but only say whether the file would change

SHARED/measured holds kernel timings and serving results. Rates and floors are fitted on kernel timings; they serve
what no kernel model covers. The serving files show the errors of a full steady state; how sure an answer is says
`residuals.yml`, which `calibrate_steps.py` writes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from costline.catalog.find import chip
from costline.catalog.load import chips
from costline.catalog.read import DATA
from costline.catalog.records import Efficiency
from costline.measure.efficiency_file import as_written, efficiency_text
from costline.measure.families import (
    KernelFits,
    best_over_fit,
    default_record,
    fitted_record,
    record_from_best,
)
from costline.measure.fit import Errors, band, by_label, errors_of
from costline.measure.fit_attention import fit_decode_attention, fit_prefill_attention
from costline.measure.fit_collectives import fit_all_reduce, fit_scale_out_fraction
from costline.measure.fit_gemm import fit_gemm
from costline.measure.kernel_files import read_all_reduces, read_attentions, read_gemms, read_scale_out
from costline.measure.serving_runs import read_serving_runs, read_staged_runs
from costline.quantities import PERCENT, Array, as_array
from serving_residuals import (
    QUANTITIES,
    Predictions,
    is_judged,
    predict,
    predict_staged,
    summary,
)

FAMILIES = ("ampere", "hopper", "blackwell", "blackwell-ultra", "ada", "rtx-blackwell")
FROM_BEST = {"cdna3": ("bf16",), "cdna4": ("bf16",), "gaudi": ("bf16", "fp8")}
"""Families without timings whose best matrix products the catalogue states, by format."""
STAGED_CHIP = "h100-sxm"
FLOOR_MULTIPLIER = 0.98
"""Of the floor of operations without a kernel model; kernels have their own floors and `steps.yml` their share."""
TARGET = DATA / "calibration" / "efficiency.yml"
STUDY = (
    "The study that sorted these rows, TPOT: 18 % by row without a fit; with 25 numbers fitted on the rows themselves, "
    "group by group left out, 12 % by row and 17.5 % as mean of group medians."
)


def fit_kernels(measured: Path) -> tuple[dict[str, KernelFits], float, Errors]:
    """Fits of every family with timings, and the share of the network between nodes that large all-reduces reach."""
    gemms, attentions = read_gemms(measured / "gemm.csv"), read_attentions(measured / "attention.csv")
    reduces = read_all_reduces(measured / "collectives.csv")
    fits: dict[str, KernelFits] = {}
    for family in FAMILIES:
        gemm = fit_gemm(gemms, family)
        int8 = fit_gemm(gemms, family, ("int8",)).flop_fraction["int8"] if family == "ampere" else None
        decode = fit_decode_attention(attentions, family, gemm.floor_s)
        prefill = fit_prefill_attention(attentions, family, gemm.floor_s, hbm_fraction=gemm.hbm_fraction)
        fits[family] = KernelFits(family, gemm, decode, prefill, fit_all_reduce(reduces, family), int8)
    return fits, *fit_scale_out_fraction(read_scale_out(measured / "collectives.csv"))


def staged_errors(measured: Path, fits: KernelFits, scale_out: float) -> Mapping[str, Errors]:
    """Errors on the calibration runs, by model."""
    runs = read_staged_runs(measured / "vllm_experiments_calibration.json")
    record = fitted_record(fits, floor_multiplier=FLOOR_MULTIPLIER, scale_out_fraction=scale_out)
    truth = as_array([run.tpot_s for run in runs])
    return by_label([run.model for run in runs], predict_staged(runs, chip(STAGED_CHIP), record), truth)


def records(fits: Mapping[str, KernelFits], multiplier: float, scale_out: float) -> list[Efficiency]:
    """Records of all families: fitted ones, the default, those by rule."""
    fitted = [
        fitted_record(one, floor_multiplier=multiplier, scale_out_fraction=scale_out) for one in fits.values()
    ]
    default = default_record(fitted)
    known = {one.id: one for one in fitted}
    everything = list(chips().values())
    ruled: list[Efficiency] = []
    for family, formats in FROM_BEST.items():
        share = {name: min(best_over_fit(known, everything, name), 1.0) for name in formats}
        mine = [one for one in everything if one.family == family]
        ruled.append(record_from_best(family, mine, default, share))
    return [as_written(one) for one in (default, *fitted, *ruled)]


def show_whole_systems(found: Sequence[Efficiency], measured: Path, console: Console) -> None:
    """Errors on whole systems, which no number of the records was fitted on."""
    known = {one.id: one for one in found}

    def rule(one: object) -> Efficiency:
        return known.get(getattr(one, "family", ""), known["default"])

    online = predict(read_serving_runs(measured, "serving_validation.csv"), rule)
    show_serving(online, np.array([is_judged(run) for run in online.runs]), console)
    for name in ("validation", "calibration"):
        one = predict(read_serving_runs(measured, f"serving_{name}.csv", levels="B"), rule)
        show_offline(one, f"Offline tables of the {name} file: batch from memory, output tokens/s", console)


# Tables


def percent(value: float, signed: bool = False) -> str:
    """A share as people read it."""
    return "–" if not np.isfinite(value) else f"{value * PERCENT:+.0f}" if signed else f"{value * PERCENT:.1f}"


def cell(errors: Errors) -> str:
    """Median (bias; p90)."""
    if not errors.rows:
        return "–"
    return f"{percent(errors.median)} ({percent(errors.bias, signed=True)}; {errors.p90 * PERCENT:.0f})"


def show(console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """One table: names left, numbers right."""
    table = Table(title=title, title_justify="left", pad_edge=False, box=None)
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table, "")


def show_kernels(fits: Mapping[str, KernelFits], console: Console) -> None:
    """Held-out errors of the kernel fits by family, chip, format and size."""
    header = ("family", "matrices", "decode attention", "prefill attention", "all-reduce")
    rows = [
        [name, *(cell(part.held_out) for part in (one.gemm, one.decode, one.prefill, one.links))]
        for name, one in fits.items()
    ]
    show(console, "Kernels, held-out shapes: median % (bias; p90)", header, rows)
    cuts = {
        "chip": lambda one: (one.gemm.by_chip, one.decode.by_chip, one.prefill.by_chip, {}),
        "format": lambda one: (one.gemm.by_format, one.decode.by_format, one.prefill.by_format, {}),
        "size": lambda one: (one.gemm.by_rows, one.decode.by_size, one.prefill.by_size, one.links.by_size),
        "maker and devices": lambda one: ({}, {}, {}, {**one.links.by_implementation, **one.links.by_devices}),
    }
    for cut, parts in cuts.items():
        lines: list[list[str]] = []
        for name, one in fits.items():
            columns = parts(one)
            for label in sorted({key for column in columns for key in column}):
                lines.append([f"{name} {label}", *(cell(c[label]) if label in c else "" for c in columns)])
        show(console, f"Kernels by {cut}", header, lines)


def show_serving(found: Predictions, judged: Array, console: Console) -> None:
    """Errors on closed-loop sweeps: overall, by group, and by what a user would cut by."""
    totals = [summary(found, name, judged) for name in QUANTITIES]
    names = [name for name in totals[0] if name not in ("rows", "groups")]
    lines = [[name.replace("_", " "), *(percent(total[name]) for total in totals)] for name in names]
    lines += [[name, *(f"{total[name]:.0f}" for total in totals)] for name in ("rows", "groups")]
    show(console, "Closed-loop sweeps of the validation file, %", ("", *QUANTITIES), lines)
    console.print(STUDY, "")
    runs = found.runs
    apart = np.array(["" if ok else " (not judged)" for ok in judged])
    cuts: dict[str, Sequence[str]] = {
        "source engine chip model": [run.group + note for run, note in zip(runs, apart, strict=True)],
        "chip": [run.chip for run in runs],
        "format": [run.number_format for run in runs],
        "tensor parallel degree": [f"TP {run.tp}" for run in runs],
        "concurrency": band(as_array([run.concurrency or 0 for run in runs]), (4, 16, 64, 128)),
    }
    for title, labels in cuts.items():
        rows = np.ones(len(runs), dtype=bool) if title.startswith("source") else judged
        show_cut(found, f"By {title}: median % (bias; p90)", labels, rows=rows, console=console)


def show_cut(found: Predictions, title: str, labels: Sequence[str], *, rows: Array, console: Console) -> None:
    """Errors of the three quantities by label."""
    names = np.asarray(labels)
    columns = [
        by_label(names[rows], found.predicted[quantity][rows], found.measured[quantity][rows])
        for quantity in QUANTITIES
    ]
    counts = {name: int(np.sum(names[rows] == name)) for name in columns[0]}
    lines = [[name, counts[name], *(cell(column[name]) for column in columns)] for name in columns[0]]
    show(console, title, ("", "rows", *QUANTITIES), lines)


def show_offline(found: Predictions, title: str, console: Console) -> None:
    """Errors of the throughput by group."""
    guess, truth = found.predicted["throughput"], found.measured["throughput"]
    parts = by_label([run.group for run in found.runs], guess, truth)
    lines = [[name, one.rows, cell(one)] for name, one in parts.items()]
    show(console, title, ("", "rows", "throughput"), [*lines, ["all", len(truth), cell(errors_of(guess, truth))]])


def main(arguments: Sequence[str]) -> int:
    """Fits, prints, writes; 1 if `--check` finds the file stale."""
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    measured = Path(arguments[0]) / "measured"
    if not measured.is_dir():
        print(f"{measured} is not a folder; give the folder that holds measured/", file=sys.stderr)
        return 2
    console = Console(width=150)
    fits, scale_out, scale_out_errors = fit_kernels(measured)
    show_kernels(fits, console)
    staged = staged_errors(measured, fits["hopper"], scale_out)
    lines = [[name, one.rows, cell(one)] for name, one in staged.items()]
    title = "Calibration runs at their batch: TPOT"
    show(console, title, ("", "stages", "median % (bias; p90)"), lines)
    console.print(f"Network between nodes: {scale_out:.3f} of its rate, {scale_out_errors}", "")
    found = records(fits, FLOOR_MULTIPLIER, scale_out)
    show_whole_systems(found, measured, console)
    text = efficiency_text(found)
    stale = not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text
    if "--check" in arguments:
        console.print("stale" if stale else "up to date")
        return int(stale)
    TARGET.write_text(text, encoding="utf-8")
    console.print(f"{TARGET.name}: {'written' if stale else 'unchanged'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
