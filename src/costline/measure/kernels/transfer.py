"""How well one chip's numbers hold another's timings: inside a family, and from one family to the next.

The second gives the interval of families that were never timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from costline.catalog.find import chip
from costline.forward.kernels.mla import EXPANDED_WIDTH
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
EXPONENTIAL_SPEEDUP = 2.0
"""Blackwell Ultra computes exponentials at twice Blackwell's rate [kernel-study]."""
EXPONENTIAL_FLOP = 512.0
"""Products in bf16 that take Blackwell's units as long as one exponential: 8192 FLOP a cycle against 16 (assumed)."""
BF16_SPEEDUPS = {"bf16": 1.0, "fp8": 2.0}
"""Rate of the products by format, over bf16."""
PAIR_WIDTHS = {"prefill_attention": 256, "mla_prefill": EXPANDED_WIDTH}
"""Width of a key plus width of a value, of attention that exponentials slow down."""


def transferred(tables: Tables, source: str, target: str) -> tuple[Tables, Mapping[str, Array]]:
    """Good rows of `target` and their times by numbers that only rows of `source` chose."""
    fitted = fit_all(chosen(tables, partial(_good_rows_of, name=source)))
    if chip(source).family == "blackwell" and chip(target).family == "blackwell-ultra":
        fitted = {kernel: _faster(values, PAIR_WIDTHS.get(kernel)) for kernel, values in fitted.items()}
    rows = chosen(tables, partial(_good_rows_of, name=target))
    return rows, predict_all(rows, fitted)


def _good_rows_of(rows: Timings, name: str) -> Mask:
    return (rows.chip == name) & rows.good


def exponential_gain(pair_width: float, speedup: float) -> float:
    """What twice the rate of exponentials is worth to attention that computes them after its products.

    >>> round(exponential_gain(256, 1.0), 3), exponential_gain(256, 2.0)
    (1.333, 1.5)
    """
    products = 2 * pair_width / (EXPONENTIAL_FLOP * speedup)
    return (products + 1) / (products + 1 / EXPONENTIAL_SPEEDUP)


def _faster(values: Values, pair_width: float | None) -> Values:
    """A kernel's numbers on Blackwell Ultra, from Blackwell's: attention has a larger share of the arithmetic peak."""
    if pair_width is None:
        return values
    shares = {
        label: share * exponential_gain(pair_width, BF16_SPEEDUPS[label.split()[0]])
        for label, share in values["flop_fraction"].items()
    }
    return {**values, "flop_fraction": shares}
