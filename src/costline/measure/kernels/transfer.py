"""How well one chip's numbers hold another's timings: inside a family, and from one family to the next.

The second gives the interval of families that were never timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from costline.catalog.find import chip
from costline.measure.fit import Mask
from costline.measure.kernels.fitting import Values
from costline.measure.kernels.suite import Tables, chosen, fit_all, predict_all
from costline.measure.kernels.timings import Timings
from costline.quantities import Array

INSIDE = (
    ("h100-sxm", "h200-sxm"),
    ("b200-sxm", "gb200"),
    ("b200-sxm", "b300-sxm"),
    ("gb200", "b300-sxm"),
    ("b300-sxm", "gb300"),
)
"""Chips of one architecture, the first fitted, the second predicted."""
ACROSS = ("a100-80gb-sxm", "h100-sxm")
"""The same from one generation to the next."""
ACROSS_ELSE = ("h100-sxm", "b200-sxm")
"""For kernels that the first pair lacks."""
FASTER_EXPONENTIALS = {"bf16": 1.25, "fp8": 1.4}
"""Blackwell Ultra computes exponentials at twice the rate: what that is worth to prefill attention, by cache format."""
ATTENTION = ("prefill_attention", "mla_prefill")


def transferred(tables: Tables, source: str, target: str) -> tuple[Tables, Mapping[str, Array]]:
    """Good rows of `target` and their times by numbers that only rows of `source` chose."""
    fitted = fit_all(chosen(tables, partial(_good_rows_of, name=source)))
    if chip(source).family == "blackwell" and chip(target).family == "blackwell-ultra":
        fitted = {kernel: _faster(values) if kernel in ATTENTION else values for kernel, values in fitted.items()}
    rows = chosen(tables, partial(_good_rows_of, name=target))
    return rows, predict_all(rows, fitted)


def _good_rows_of(rows: Timings, name: str) -> Mask:
    return (rows.chip == name) & rows.good


def _faster(values: Values) -> Values:
    """Attention's share of the arithmetic peak on Blackwell Ultra, from Blackwell's."""
    faster = {
        label: share * next((one for name, one in FASTER_EXPONENTIALS.items() if name in label.split()), 1.0)
        for label, share in values["flop_fraction"].items()
    }
    return {**values, "flop_fraction": faster}
