"""Erdil 2025: the paper's six tables, cell by cell.

Knows which settings of the model give which table. Knows no physics.
"""

from __future__ import annotations

from costline.published.cells import Cell, Table
from costline.published.erdil_2025_data import find_gpu, find_model, printed_rows
from costline.published.erdil_2025_frontier import Point
from costline.published.erdil_2025_grid import frontier
from costline.published.erdil_2025_latency import EARLIER
from costline.published.erdil_2025_toy import least_sharded_latency_s, optimal_gpus

_SPEED = "tokens per second"
_SIZE = "GPUs"
_DRAFT = "Llama_3_8B"
_ALPHA = 3.0
_TWICE_ROUNDED = "246.496 on the study's own grid; printed 247 is 246.50 rounded once more"


def _speed_cells(row: str, printed: tuple[float, float], computed: tuple[float, float]) -> list[Cell]:
    return [
        Cell(row=row, column=_SPEED, published=printed[0], computed=computed[0], unit="token/s"),
        Cell(row=row, column=_SIZE, published=printed[1], computed=computed[1]),
    ]


def _setup_cells(row: str, printed: tuple[float, float, float, float], point: Point) -> list[Cell]:
    """A row of a table of preferred setups: speed, cost, GPUs, batch."""
    speed, cost, n_gpu, batch = printed
    is_twice_rounded = row.startswith("DeepSeek-V3")
    return [
        *_speed_cells(row, (speed, n_gpu), (point.tokens_per_s, point.n_gpu)),
        Cell(
            row=row,
            column="cost per million tokens",
            published=cost,
            computed=point.usd_per_mtok,
            unit="USD/Mtok",
            decimals=2,
        ),
        Cell(
            row=row,
            column="batch",
            published=batch,
            computed=point.batch,
            expected_match=not is_twice_rounded,
            note=_TWICE_ROUNDED if is_twice_rounded else "",
        ),
    ]


def _table(number: int, title: str, cells: list[Cell]) -> Table:
    name, source = f"erdil-2025-table-{number}", f"[erdil-2025] Table {number}"
    return Table(name=name, title=title, source=source, cells=tuple(cells))


def table_1() -> Table:
    """Eq. 13 and 14 on an undiscounted H100, four all-reduces a layer for every model."""
    cells: list[Cell] = []
    hbm_bytes_per_s = find_gpu("H100").hbm_bytes_per_s
    for row, name, speed, n_gpu in printed_rows("table_1"):
        model = find_model(name)
        spec = (model.weights_bytes, model.layers, hbm_bytes_per_s)
        computed = (1.0 / float(least_sharded_latency_s(*spec)), float(optimal_gpus(*spec)))
        cells += _speed_cells(row, (speed, n_gpu), computed)
    return _table(1, "Fastest speed and its instance size with unlimited network bandwidth, H100", cells)


def table_2() -> Table:
    """The fastest points under speculative decoding, whatever they cost."""
    cells: list[Cell] = []
    for row, name, speed, n_gpu in printed_rows("table_2"):
        point = frontier(name, "H100", _DRAFT).fastest
        cells += _speed_cells(row, (speed, n_gpu), (point.tokens_per_s, point.n_gpu))
    return _table(2, "Fastest speed and its instance size with speculative decoding, H100", cells)


def table_3() -> Table:
    """The preferred points under speculative decoding; alpha is 3 although the caption says 4."""
    cells: list[Cell] = []
    for row, name, *printed in printed_rows("table_3"):
        speed, cost, n_gpu, batch = printed
        point = frontier(name, "H100", _DRAFT).preferred(_ALPHA)
        cells += _setup_cells(row, (speed, cost, n_gpu, batch), point)
    return _table(3, "Preferred setups with speculative decoding, H100", cells)


def table_4() -> Table:
    """The fastest points of three GPUs, no speculation."""
    cells: list[Cell] = []
    for row, gpu, speed, n_gpu in printed_rows("table_4"):
        point = frontier("Llama_3_70B_8_bit", gpu).fastest
        cells += _speed_cells(row, (speed, n_gpu), (point.tokens_per_s, point.n_gpu))
    return _table(4, "Fastest speed and its instance size of Llama 3 70B at 8-bit weights, by GPU", cells)


def table_5() -> Table:
    """The preferred points with and without speculation, by the code of 2025-05-22."""
    cells: list[Cell] = []
    for row, name, *printed in printed_rows("table_5"):
        speed, cost, n_gpu, batch = printed
        draft = _DRAFT if row.endswith("(S)") else None
        point = frontier(name, "H100", draft, revision=EARLIER).preferred(_ALPHA)
        cells += _setup_cells(row, (speed, cost, n_gpu, batch), point)
    return _table(5, "Preferred setups with (S) and without speculative decoding, 16-bit weights, H100", cells)


def table_6() -> Table:
    """The preferred points of three weight precisions; alpha is 3 although the caption says 4."""
    cells: list[Cell] = []
    for row, name, *printed in printed_rows("table_6"):
        speed, cost, n_gpu, batch = printed
        point = frontier(name, "H100").preferred(_ALPHA)
        cells += _setup_cells(row, (speed, cost, n_gpu, batch), point)
    return _table(6, "Preferred setups of Llama 3 70B by weight precision, H100", cells)
