"""Numbers of every family with their errors, and the file that holds them: the same text for the same numbers."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np

from costline.catalog.kernel_parameters import KERNELS, PARAMETERS
from costline.measure.fit import Mask, errors_of
from costline.measure.kernel_files import Names
from costline.measure.kernels.fitting import Values
from costline.measure.kernels.suite import FAMILIES, Fitted, Tables, chosen, fit_all
from costline.measure.kernels.timings import Timings
from costline.measure.kernels.transfer import ACROSS, ACROSS_ELSE, transferred
from costline.quantities import Array

WIDTH = 116
DIGITS = 3
DEFAULT = "default"
ERRORS_BY = {
    "gemm": "both", "decode_attention": "both", "prefill_attention": "both", "mla_decode": "both",
    "mla_prefill": "both", "experts": "errors", "library_collective": "operation", "engine_all_reduce": "engine",
    "low_latency_exchange": "direction", "scale_out": "all", "throughput_exchange": "direction",
}  # fmt: skip
"""Label by which a kernel's errors are told apart."""
FILES = {
    "gemm": "gemm.csv", "decode_attention": "attention.csv", "prefill_attention": "attention.csv",
    "mla_decode": "mla.csv", "mla_prefill": "mla.csv", "experts": "moe.csv", "library_collective": "collectives.csv",
    "engine_all_reduce": "collectives.csv", "low_latency_exchange": "moe_alltoall.csv",
    "scale_out": "moe_alltoall.csv", "throughput_exchange": "moe_alltoall.csv",
}  # fmt: skip
LEAST_ROWS = 12
"""Fewer held-out rows than so many have no line of their own."""
UNITS = {
    "_us": "us", "_ns": "ns", "_gb_per_s": "GB/s", "_fraction": "1", "_share": "1", "_passes": "1",
    "_exposure": "1", "copies": "1",
}  # fmt: skip
NUMBER = re.compile(r"(?<![\w-])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w-])")
MACHINE_DIFFERENCE = 0.03
"""Relative difference of a number that another machine's arithmetic explains."""
HEADER = """\
# What kernels sustain on {title}: parameters of the models in src/costline/forward/kernels.
# Written by `tools/calibrate_kernels.py`: edit the fits in src/costline/measure/kernels, not this file.
# A parameter is a table from selectors (`all`, or words such as a format and an engine) to numbers; the unit stands
# behind it. `held_out` are errors on shapes that the fit never saw, each third of the shapes in turn: median and p90 of
# the relative error's size, and p10, p50 and p90 of measured over predicted.
source: kernel-study
kind: {kind}
retrieved: 2026-11-20

kernels:
"""


@dataclass(frozen=True)
class Calibrated:
    """One kernel of one family: numbers, errors by selector, and what they rest on."""

    values: Values
    held_out: Mapping[str, str]
    fitted_on: str
    rows: int


def calibrate(tables: Tables, predicted: Mapping[str, Array]) -> Mapping[str, Mapping[str, Calibrated]]:
    """Every kernel of every family, and of `default`, by family and kernel, from the rows' held-out times."""
    fits = {family: fit_all(chosen(tables, partial(_good_rows, family=family))) for family in FAMILIES}
    found: dict[str, dict[str, Calibrated]] = {}
    for family, fitted in fits.items():
        found[family] = {}
        for kernel, values in fitted.items():
            mine = _good_rows(tables[kernel], family)
            rows, guess = tables[kernel].take(mine), predicted[kernel][mine]
            errors = _held_out(rows.labels[ERRORS_BY[kernel]], guess, rows.time_s)
            found[family][kernel] = Calibrated(_rounded(values), errors, _sources(kernel, rows), int(mine.sum()))
    found[DEFAULT] = _default(tables, fits)
    return found


def _good_rows(rows: Timings, family: str) -> Mask:
    return (rows.family == family) & rows.good


def _sources(kernel: str, rows: Timings) -> str:
    chips = ", ".join(sorted({str(name) for name in rows.chip}))
    versions = ", ".join(sorted({str(name) for name in rows.labels["version"]}))
    return f"{FILES[kernel]}: {chips}; {versions}"


def _rounded(values: Values) -> Values:
    return {
        key: {label: float(f"{values[key][label]:.{DIGITS}g}") for label in sorted(values[key])}
        for key in PARAMETERS
        if key in values
    }


def _held_out(labels: Names, predicted: Array, measured: Array) -> Mapping[str, str]:
    """Errors of all rows, and of each label with enough of them."""
    found = {"all": _errors_text(predicted, measured)}
    for label in np.unique(labels):
        mine = (labels == label) & np.isfinite(predicted)
        if label not in ("", "all") and mine.sum() >= LEAST_ROWS:
            found[str(label)] = _errors_text(predicted[mine], measured[mine])
    return found


def _errors_text(predicted: Array, measured: Array) -> str:
    sizes = errors_of(predicted, measured)
    ratio = (measured / predicted)[np.isfinite(predicted)]
    low, middle, high = (f"{value:.{DIGITS}g}" for value in np.quantile(ratio, [0.1, 0.5, 0.9]))
    return (
        f"{{median: {sizes.median:.{DIGITS}g}, p90: {sizes.p90:.{DIGITS}g}, low: {low}, middle: {middle}, "
        f"high: {high}, rows: {sizes.rows}}}"
    )


def _default(tables: Tables, fits: Mapping[str, Fitted]) -> dict[str, Calibrated]:
    """For families without timings: medians of those that have them; errors of one generation's numbers on the next."""
    pairs = {pair: transferred(tables, *pair) for pair in (ACROSS, ACROSS_ELSE)}
    found: dict[str, Calibrated] = {}
    for kernel in KERNELS:
        known = [fitted[kernel] for fitted in fits.values() if kernel in fitted]
        labels = {key: sorted({label for one in known for label in one.get(key, {})}) for key in KERNELS[kernel][1]}
        values = {
            key: {label: median(one[key][label] for one in known if label in one.get(key, {})) for label in names}
            for key, names in labels.items()
            if names
        }
        judged = _judged(kernel)
        pair = next(p for p, (_, times) in pairs.items() if np.any(np.isfinite(times.get(judged, np.array([np.nan])))))
        rows, predicted = pairs[pair][0][judged], pairs[pair][1][judged]
        errors = {"all": _errors_text(predicted, rows.time_s)}
        text = f"median of {len(known)} families; errors of {pair[0]}'s numbers on {pair[1]}"
        found[kernel] = Calibrated(_rounded(values), errors, text, int(np.isfinite(predicted).sum()))
    return found


def _judged(kernel: str) -> str:
    """The kernel whose transfer stands for one that was timed on a single family."""
    return "low_latency_exchange" if kernel == "scale_out" else kernel


def calibration_text(family: str, kernels: Mapping[str, Calibrated]) -> str:
    """The file of one family."""
    title = "families that were never timed" if family == DEFAULT else f"chips of the family {family}"
    header = HEADER.format(title=title, kind="inferred" if family == DEFAULT else "measured")
    return header + "\n".join(_entry(family, kernel, kernels[kernel]) for kernel in KERNELS if kernel in kernels)


def same_numbers(first: str, second: str) -> bool:
    """Whether two files say the same but for what another machine's arithmetic may move.

    >>> same_numbers("a: {b: 0.500}", "a: {b: 0.502}"), same_numbers("a: {b: 0.5}", "a: {b: 0.6}")
    (True, False)
    """
    if NUMBER.sub("#", first) != NUMBER.sub("#", second):
        return False
    pairs = zip(NUMBER.findall(first), NUMBER.findall(second), strict=True)
    return all(abs(float(a) - float(b)) <= MACHINE_DIFFERENCE * max(abs(float(a)), abs(float(b))) for a, b in pairs)


def _entry(family: str, kernel: str, one: Calibrated) -> str:
    lines = [f"  {family}-{kernel}:", f"    kernel: {kernel}", f"    family: {family}"]
    for key, table in one.values.items():
        unit = next(unit for end, unit in UNITS.items() if key.endswith(end))
        lines += _wrapped(f"    {key}: ", [f"{label}: {number:g}" for label, number in table.items()], f"  # {unit}")
    indent = 6 * " "
    lines += ["    fitted_on: >-"]
    lines += textwrap.wrap(one.fitted_on, WIDTH, initial_indent=indent, subsequent_indent=indent)
    lines += [f"    rows: {one.rows}", "    held_out:"]
    lines += [f"      {label}: {text}" for label, text in one.held_out.items()]
    return "\n".join(lines) + "\n"


def _wrapped(start: str, items: list[str], end: str) -> list[str]:
    """A flow mapping over as many lines as it needs, the comment behind its first."""
    whole = start + "{" + ", ".join(items) + "}" + end
    if len(whole) <= WIDTH:
        return [whole]
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) > WIDTH - 8:
            lines.append("")
        lines[-1] += f"{item}, "
    lines[-1] = lines[-1].removesuffix(", ")
    return [start + "{" + end, *(f"      {line.rstrip()}" for line in lines), "    }"]
