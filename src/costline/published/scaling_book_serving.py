"""The TPU serving chapter, course edition: its tables cell by cell and its Pareto chart.

Knows which modules compute which chapter. The printed numbers, and the reason where one of them does not
follow from the chapter's own inputs, are in `catalog/data/published/scaling_book_serving.yml`. The course
edition is a retelling; the book that it retells may print other numbers.
"""

from __future__ import annotations

from costline.published import printed, scaling_book_decode, scaling_book_fleet, scaling_book_memory
from costline.published.cells import FigureData, Series, Table
from costline.published.scaling_book_inputs import BATCHES, PUBLICATION, serving_slice
from costline.quantities import MILLI

PREFIX = "scaling-book-serving"
CONTEXTS = (2048, 8192, 32768)
"""Contexts of the chart, in tokens."""


def tables() -> list[Table]:
    """All tables and worked numbers of the chapter."""
    modules = (scaling_book_memory, scaling_book_decode, scaling_book_fleet)
    values = {name: compute() for module in modules for name, compute in module.VALUES.items()}
    return printed.tables(PUBLICATION, PREFIX, values)


def _frontier(context_tokens: int) -> Series:
    one = serving_slice()
    batches = range(1, one.max_batch(context_tokens) + 1)
    return Series(
        name=f"{context_tokens:,} tokens",
        x=tuple(one.step_s(batch, context_tokens) / MILLI for batch in batches),
        y=tuple(one.cost_at(batch, context_tokens) for batch in batches),
    )


def _printed_points() -> Series:
    cells = {
        (cell.row, cell.column): cell.published
        for table in tables()
        if table.name == f"{PREFIX}-pareto"
        for cell in table.cells
    }
    rows = [f"batch {batch}" for batch in BATCHES]
    return Series(
        name="8,192 tokens, as printed",
        x=tuple(cells[row, "step"] for row in rows),
        y=tuple(cells[row, "cost"] for row in rows),
    )


def figures() -> list[FigureData]:
    """The chart of the chapter's cost explorer: each batch that fits, at three contexts."""
    return [
        FigureData(
            name=f"{PREFIX}-pareto-chart",
            title="LLaMA 3-70B in int8 on 16 TPU v5e: every batch that fits",
            source="[scaling-book-serving] chapters 4 and 7",
            x_label="time per output token (ms)",
            y_label="cost ($ per million output tokens)",
            x_log=False,
            y_log=True,
            series=(*(_frontier(context) for context in CONTEXTS), _printed_points()),
            note="Batch grows along each curve until the memory is full, at 20 ms; at 2,048 tokens arithmetic binds "
            "first, from 8.4 ms on, and the curve goes on to 39 ms at the same cost",
        )
    ]
