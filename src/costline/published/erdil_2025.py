"""Erdil 2025, "Inference economics of language models" (arXiv 2506.04645), as its authors' code computes it.

The public surface of the reproduction: latencies, frontiers, and the paper's tables and figures. Quirks of the
code are kept where the printed tables need them: real-numbered GPUs and batches, a KV cache of one micro-batch
in the memory test, expert parallelism that switches on at twice the sparsity, alpha = 3 in every table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from costline.published import erdil_2025_figures as _figures
from costline.published import erdil_2025_tables as _tables
from costline.published.cells import FigureData, Table
from costline.published.erdil_2025_data import gpus, models
from costline.published.erdil_2025_frontier import Frontier, Point, preference
from costline.published.erdil_2025_grid import frontier
from costline.published.erdil_2025_latency import token_latency_s
from costline.published.erdil_2025_printed import printed_latency_s
from costline.published.erdil_2025_terms import LatencyTerms, latency_terms, pinned_terms
from costline.published.erdil_2025_text import text_numbers
from costline.published.erdil_2025_toy import infinite_bandwidth_latency_s

__all__ = [
    "FIGURES",
    "TABLES",
    "Frontier",
    "LatencyTerms",
    "Point",
    "figures",
    "frontier",
    "gpus",
    "infinite_bandwidth_latency_s",
    "latency_terms",
    "models",
    "pinned_terms",
    "preference",
    "printed_latency_s",
    "tables",
    "token_latency_s",
]


TABLES: Mapping[str, Callable[[], Table]] = {
    "erdil-2025-table-1": _tables.table_1,
    "erdil-2025-table-2": _tables.table_2,
    "erdil-2025-table-3": _tables.table_3,
    "erdil-2025-table-4": _tables.table_4,
    "erdil-2025-table-5": _tables.table_5,
    "erdil-2025-table-6": _tables.table_6,
    "erdil-2025-text": text_numbers,
}
"""What computes each table, so that one of them can be had alone; some 10 s together."""

FIGURES: Mapping[str, Callable[[], FigureData]] = {
    "erdil-2025-figure-1": _figures.figure_1,
    "erdil-2025-figure-3": _figures.figure_3,
    "erdil-2025-figure-4": _figures.figure_4,
    "erdil-2025-figure-6": _figures.figure_6,
    "erdil-2025-figure-7": _figures.figure_7,
    "erdil-2025-figure-8": _figures.figure_8,
    "erdil-2025-figure-9": _figures.figure_9,
    "erdil-2025-figure-10": _figures.figure_10,
}
"""What computes each figure."""


def tables() -> list[Table]:
    """The paper's six tables and the numbers of its text, printed beside computed."""
    return [compute() for compute in TABLES.values()]


def figures() -> list[FigureData]:
    """The curves of the paper's Figures 1, 3, 4 and 6 to 10."""
    return [compute() for compute in FIGURES.values()]
