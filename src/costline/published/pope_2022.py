"""Pope et al. 2022: best decode latencies of PaLM on TPU v4, and the square-root law that they obey.

Knows the three latencies as Erdil 2025 reads them off, a least-squares power law, and Llama speeds by the law.
Does not know PaLM's shape or the TPU.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from costline.errors import DomainError
from costline.published import printed
from costline.published.cells import FigureData, Series, Table
from costline.published.erdil_2025_toy import square_root_law_tokens_per_s
from costline.published.printed import numbers, section
from costline.quantities import GIGA, MILLI, Array

PUBLICATION = "pope_2022"
PREFIX = "pope-2022"


def power_law_exponent(parameters: ArrayLike, latency_s: ArrayLike) -> Array:
    """Exponent of the power law that fits latencies best by least squares of their logarithms.

    Equation
        e = cov(ln N, ln T) / var(ln N)

    Parameters
        parameters  N  [1]  array  > 0, at least two different sizes along the last axis
        latency_s   T  [s]  array  > 0, one for each

    Returns
        e  [1]  array, the shape of the inputs without the last axis

    Holds when  the models are of one family and each runs at its best.
    Source      [derived] least squares; the data are [pope-2022] as read in [erdil-2025] section 2.2.3
    Raises      DomainError if a size or a latency is not positive

    >>> round(float(power_law_exponent([8e9, 62e9, 540e9], [0.004, 0.013, 0.032])), 3)
    0.493
    """
    n, t = np.asarray(parameters, float), np.asarray(latency_s, float)
    if np.any(n <= 0) or np.any(t <= 0):
        raise DomainError(f"parameters={parameters} and latency_s={latency_s} must be positive; leave out others")
    x, y = np.log(n), np.log(t)
    x = x - x.mean(axis=-1, keepdims=True)
    return (x * y).sum(axis=-1) / (x * x).sum(axis=-1)


def _inputs(name: str) -> dict[str, float]:
    return numbers(section(section(printed.read(PUBLICATION), "inputs"), name))


def _law_scale() -> float:
    """Seconds for each root of a parameter: the geometric mean over the measured points."""
    sizes, latencies = _inputs("parameters"), _inputs("latency_s")
    logarithms = [math.log(latencies[name]) - math.log(sizes[name]) / 2 for name in sizes]
    return math.exp(sum(logarithms) / len(logarithms))


def _values() -> dict[str, dict[tuple[str, str], float]]:
    sizes, latencies, llama = _inputs("parameters"), _inputs("latency_s"), _inputs("llama")
    names, scale = list(sizes), _law_scale()
    n, t = list(sizes.values()), list(latencies.values())
    known, anchor = llama["known_tokens_per_s"], llama["known_parameters"]
    return {
        "latency": {(name, "latency"): scale * math.sqrt(sizes[name]) for name in names},
        "exponent": {
            ("8B to 540B", "exponent"): float(power_law_exponent([n[0], n[-1]], [t[0], t[-1]])),
            ("least squares over all three", "exponent"): float(power_law_exponent(n, t)),
            ("layers as the fourth root of parameters", "exponent"): (
                2 / 3 * _inputs("depth_exponent")["layers"] + 1 / 3
            ),
        },
        "llama-speeds": {
            (size, "speed"): float(square_root_law_tokens_per_s(known, anchor, llama[size])) for size in ("70B", "405B")
        },
    }


def tables() -> list[Table]:
    """The latencies beside the law, the exponents, and the Llama speeds that follow."""
    return printed.tables(PUBLICATION, PREFIX, _values())


def figures() -> list[FigureData]:
    """Latency against parameters: the measured points and the square-root law."""
    sizes, latencies, scale = _inputs("parameters"), _inputs("latency_s"), _law_scale()
    grid = np.geomspace(min(sizes.values()), max(sizes.values()), 25)
    return [
        FigureData(
            name=f"{PREFIX}-latency",
            title="PaLM on TPU v4: best latency of a token",
            source="[pope-2022] figure 2, as read in [erdil-2025] section 2.2.3",
            x_label="parameters (billions)",
            y_label="time per output token (ms)",
            x_log=True,
            y_log=True,
            series=(
                Series(
                    name="measured",
                    x=tuple(sizes[name] / GIGA for name in sizes),
                    y=tuple(latencies[name] / MILLI for name in sizes),
                ),
                Series(
                    name="square-root law",
                    x=tuple(float(value / GIGA) for value in grid),
                    y=tuple(float(scale * math.sqrt(value) / MILLI) for value in grid),
                ),
            ),
        )
    ]
