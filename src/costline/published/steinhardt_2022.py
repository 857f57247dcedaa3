"""Steinhardt 2022: how far cutting a matrix product along all three dimensions can speed up a forward pass.

Knows the scaling argument as Erdil 2025 retells it, and sets it against that paper's latency of hops, which the
argument leaves out. Knows no number format and no batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from costline.errors import DomainError
from costline.forward.roofline import critical_batch
from costline.published.cells import Cell, FigureData, Series, Table
from costline.published.erdil_2025_data import find_gpu, find_model
from costline.published.erdil_2025_toy import sharded_latency_s
from costline.quantities import Array

_SIDE = 8192
"""Side of the product behind the table; for equal cuts the ratios do not depend on it."""
_GPUS = tuple(2**power for power in range(10))


def split_matmul_bytes(
    rows: ArrayLike,
    inner: ArrayLike,
    columns: ArrayLike,
    *,
    row_splits: ArrayLike = 1,
    inner_splits: ArrayLike = 1,
    column_splits: ArrayLike = 1,
    element_bytes: ArrayLike = 2,
) -> Array:
    """Bytes that all devices together hold and exchange for one matrix product cut along its dimensions.

    Equation
        Q = b (M K c + K N a + M N k)

    Parameters
        rows           M  [1]     array  rows of the left factor
        inner          K  [1]     array  the dimension that is summed over
        columns        N  [1]     array  columns of the right factor
        row_splits     a  [1]     array  > 0, cuts of M: so many devices need each part of the right factor
        inner_splits   k  [1]     array  > 0, cuts of K: so many partial products are added
        column_splits  c  [1]     array  > 0, cuts of N: so many devices need each part of the left factor
        element_bytes  b  [byte]  array  bytes of one element

    Returns
        Q  [byte]  array, the broadcast shape of the inputs

    Holds when  the a k c devices form a grid and each block is sent once to whoever needs it.
    Source      [steinhardt-2022] as retold in [erdil-2025] section 1
    Raises      DomainError if a number of splits is not positive

    >>> whole, cut = (float(split_matmul_bytes(4, 4, 4, row_splits=f, inner_splits=f, column_splits=f)) for f in (1, 2))
    >>> cut / whole
    2.0
    """
    m, k, n = (np.asarray(value, float) for value in (rows, inner, columns))
    a, s, c = (np.asarray(value, float) for value in (row_splits, inner_splits, column_splits))
    if np.any(np.minimum(np.minimum(a, s), c) <= 0):
        raise DomainError(f"splits={row_splits}, {inner_splits}, {column_splits} must be positive; 1 leaves it whole")
    return np.asarray(element_bytes, float) * (m * k * c + k * n * a + m * n * s)


def split_speed_gain(row_splits: ArrayLike, inner_splits: ArrayLike, column_splits: ArrayLike) -> Array:
    """Serial speed of a square product that is bound by its traffic, against one device.

    Equation
        v = a k c Q(1, 1, 1) / Q(a, k, c) = 3 a k c / (a + k + c)

    Parameters
        row_splits     a  [1]  array  > 0
        inner_splits   k  [1]  array  > 0
        column_splits  c  [1]  array  > 0

    Returns
        v  [1]  array, the broadcast shape of the inputs

    Holds when  memory and network keep their bandwidth for each device and a message takes no time to start.
    Source      [steinhardt-2022] as retold in [erdil-2025] section 1
    Raises      DomainError if a number of splits is not positive

    >>> float(split_speed_gain(2, 2, 2)), float(split_speed_gain(8, 1, 1))
    (4.0, 2.4)
    """
    whole = split_matmul_bytes(1, 1, 1)
    cut = split_matmul_bytes(1, 1, 1, row_splits=row_splits, inner_splits=inner_splits, column_splits=column_splits)
    devices = np.asarray(row_splits, float) * np.asarray(inner_splits, float) * np.asarray(column_splits, float)
    return devices * whole / cut


def _traffic_grown(row_splits: float, inner_splits: float, column_splits: float) -> float:
    whole = split_matmul_bytes(_SIDE, _SIDE, _SIDE)
    cut = split_matmul_bytes(
        _SIDE, _SIDE, _SIDE, row_splits=row_splits, inner_splits=inner_splits, column_splits=column_splits
    )
    return float(cut / whole)


def tables() -> list[Table]:
    """The argument in numbers: each dimension cut in two."""
    devices, speed = 2 * 2 * 2, float(split_speed_gain(2, 2, 2))
    rows: dict[str, dict[str, tuple[float, float]]] = {
        "each dimension cut in two": {
            "GPUs": (8, devices),
            "memory and network traffic": (2, _traffic_grown(2, 2, 2)),
            "serial speed": (4, speed),
            "utilisation": (0.5, speed / devices),
            "cost of a token": (2, devices / speed),
        },
        "2-D tensor parallelism by 4, pipeline or data by 2": {
            "GPUs": (8, 4 * 2),
            "memory and network traffic": (2, _traffic_grown(2, 2, 2)),
        },
    }
    cells = tuple(
        Cell(row=row, column=column, published=printed, computed=computed, unit="ratio", decimals=int(printed < 1))
        for row, columns in rows.items()
        for column, (printed, computed) in columns.items()
    )
    return [
        Table(
            name="steinhardt-2022-split",
            title="Cutting a matrix product along all three dimensions",
            source="[steinhardt-2022], as retold in [erdil-2025] sections 1 and 5.1",
            cells=cells,
        )
    ]


def figures() -> list[FigureData]:
    """The argument's frontier for Llama 3 70B on H100, and the one that hops of 1 µs leave of it."""
    model, gpu = find_model("Llama_3_70B"), find_gpu("H100")
    rate = gpu.peak_flop_per_s(model.weight_bytes)
    latency_s = sharded_latency_s(
        model.parameters,
        model.layers,
        np.asarray(_GPUS),
        critical_batch(model.weight_bytes, rate, gpu.hbm_bytes_per_s),
        weight_bytes=model.weight_bytes,
        hbm_bytes_per_s=gpu.hbm_bytes_per_s,
        flop_per_s=rate,
    )
    single = float(latency_s[0])
    cuts = [gpus ** (1 / 3) for gpus in _GPUS]
    return [
        FigureData(
            name="steinhardt-2022-frontier",
            title="Llama 3 70B on H100: what cutting further buys, with and without latency",
            source="[steinhardt-2022], as retold in [erdil-2025] sections 1 and 5.1; Eq. 9 for hops",
            x_label="interactivity (tokens/s/user)",
            y_label="cost of a token (one GPU = 1)",
            x_log=True,
            y_log=True,
            series=(
                Series(
                    name="traffic alone",
                    x=tuple(float(split_speed_gain(cut, cut, cut)) / single for cut in cuts),
                    y=tuple(cuts),
                ),
                Series(
                    name="hops of 1 µs alone",
                    x=tuple(float(1 / one) for one in latency_s),
                    y=tuple(float(gpus * one / single) for gpus, one in zip(_GPUS, latency_s, strict=True)),
                ),
            ),
            note="From 1 to 512 GPUs, a mark for each doubling, at the critical batch; hops turn the curve back at 26",
        )
    ]
