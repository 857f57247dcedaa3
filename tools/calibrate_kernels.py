"""Fit the kernel models on timings of real kernels; write catalog/data/calibration/kernels/<family>.yml.

python tools/calibrate_kernels.py SHARED                 fit, print the errors, write the files
python tools/calibrate_kernels.py SHARED --check         the same, but only say whether a file would change
python tools/calibrate_kernels.py SHARED --errors FILE   only print the errors, and write them to FILE as JSON

SHARED/measured holds the timings. Printed are errors on shapes that the fit never saw (each third of the shapes in
turn), by kernel and family; errors of one chip's numbers on another chip; rows left out, by reason; rows that beat the
datasheet's lower bound, with the reason; and how many numbers each family has.
"""

# ruff: noqa: E402  the number of threads must be set before numpy is imported

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # fits are many and small: threads would only wait for one another

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from costline.catalog.kernel_parameters import kernel_parameters
from costline.catalog.read import DATA
from costline.measure.fit import Errors, errors_of
from costline.measure.kernels.bounds import breaches
from costline.measure.kernels.calibration import calibrate, calibration_text, same_numbers
from costline.measure.kernels.suite import FAMILIES, Tables, cross_predicted, read_tables
from costline.measure.kernels.transfer import ACROSS, ACROSS_ELSE, INSIDE, transferred
from costline.quantities import PERCENT, Array

Times = Mapping[str, Array]
TARGET = DATA / "calibration" / "kernels"
NVLINK = ("ampere", "hopper", "blackwell", "blackwell-ultra")


def cell(errors: Errors) -> str:
    return f"{PERCENT * errors.median:.1f}/{PERCENT * errors.p90:.0f}" if errors.rows else "–"


def as_json(errors: Errors) -> dict[str, float]:
    return {"median": errors.median, "p90": errors.p90, "bias": errors.bias, "rows": errors.rows}


def held_out_errors(tables: Tables, predicted: Times) -> dict[str, dict[str, Errors]]:
    """By kernel, then by family; `all` is all families, `all rows` those left out too."""
    found: dict[str, dict[str, Errors]] = {}
    for kernel, rows in tables.items():
        masks = {family: rows.good & (rows.family == family) for family in FAMILIES}
        masks = {"all": rows.good, "all rows": np.ones_like(rows.good), **masks}
        parts = {kernel: np.ones_like(rows.good)}
        if kernel == "library_collective":
            nvlink = (rows.counts["reduces"] > 0) & np.isin(rows.family, NVLINK)
            parts["library all-reduce, NVLink"] = nvlink
        for name, part in parts.items():
            found[name] = {
                key: errors_of(predicted[kernel][mask & part], rows.time_s[mask & part]) for key, mask in masks.items()
            }
    return found


def transfer_errors(tables: Tables) -> dict[str, dict[str, Errors]]:
    """By pair of chips, then by kernel."""
    found: dict[str, dict[str, Errors]] = {}
    for source, target in (*INSIDE, ACROSS, ACROSS_ELSE):
        rows, predicted = transferred(tables, source, target)
        errors = {kernel: errors_of(time_s, rows[kernel].time_s) for kernel, time_s in predicted.items()}
        reduces = rows["library_collective"].counts["reduces"] > 0
        time_s = predicted["library_collective"][reduces]
        errors["library all-reduce"] = errors_of(time_s, rows["library_collective"].time_s[reduces])
        found[f"{source} -> {target}"] = {kernel: one for kernel, one in errors.items() if one.rows}
    return found


def traps(tables: Tables) -> dict[str, dict[str, int]]:
    """Rows left out, by kernel and reason."""
    found: dict[str, dict[str, int]] = {}
    for kernel, rows in tables.items():
        names, counts = np.unique(rows.trap[~rows.good], return_counts=True)
        found[kernel] = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return found


def grid(title: str, columns: list[str], lines: dict[str, list[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, cells in lines.items():
        table.add_row(name, *cells)
    return table


def report(tables: Tables, predicted: Times, console: Console) -> dict[str, Any]:
    """Prints every table and returns them."""
    held_out, transfers = held_out_errors(tables, predicted), transfer_errors(tables)
    columns = ["all", "all rows", *FAMILIES]
    lines = {kernel: [cell(errors[column]) for column in columns] for kernel, errors in held_out.items()}
    console.print(grid("Held-out shapes, median/p90 of the error in %", columns, lines))
    pairs = list(transfers)
    kernels = [kernel for kernel in held_out if kernel != "library all-reduce, NVLink"] + ["library all-reduce"]
    lines = {
        kernel: [cell(transfers[pair][kernel]) if kernel in transfers[pair] else "–" for pair in pairs]
        for kernel in kernels
    }
    console.print(grid("One chip's numbers on another, median/p90 in %", pairs, lines))
    for kernel, reasons in traps(tables).items():
        if reasons:
            text = ", ".join(f"{name} {count}" for name, count in reasons.items())
            console.print(f"left out of {kernel} ({tables[kernel].time_s.size} rows): {text}")
    beaten = breaches(tables)
    for one in beaten:
        share = f"{one.rows} rows, fastest {one.least_share_of_bound:.2f} of the bound"
        console.print(f"faster than the lower bound: {one.kernel} on {one.chip}, {share}: {one.reason}")
    return {
        "held_out": {k: {name: as_json(e) for name, e in v.items()} for k, v in held_out.items()},
        "transfer": {k: {name: as_json(e) for name, e in v.items()} for k, v in transfers.items()},
        "left_out": traps(tables),
        "breaches": [one.__dict__ for one in beaten],
    }


def write(tables: Tables, predicted: Times, *, check: bool) -> bool:
    """Writes the files; with `check` only says which would change. Returns whether any did."""
    changed = False
    for family, kernels in calibrate(tables, predicted).items():
        path, text = TARGET / f"{family}.yml", calibration_text(family, kernels)
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if not same_numbers(old, text) if check else old != text:
            changed = True
            print(f"{path.name} {'would change' if check else 'written'}")
            if not check:
                TARGET.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    kernel_parameters.cache_clear()
    for family in () if check else FAMILIES:
        count = sum(one.fitted_numbers for (name, _), one in kernel_parameters().items() if name == family)
        print(f"{family}: {count} fitted numbers")
    return changed


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    tables = read_tables(Path(arguments[0]) / "measured")
    predicted = cross_predicted(tables)
    found = report(tables, predicted, Console(width=200))
    if "--errors" in arguments:
        Path(arguments[arguments.index("--errors") + 1]).write_text(json.dumps(found, indent=1), encoding="utf-8")
        return 0
    changed = write(tables, predicted, check="--check" in arguments)
    return int(changed and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
