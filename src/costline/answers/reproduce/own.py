"""Published cells by costline's own physics: which tables have them, and in words why the others have none."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from costline.answers.answer import Used
from costline.answers.reproduce.case import Own
from costline.published.cells import Table

WITHOUT: Mapping[str, str] = {
    "erdil-2025-table-1": "asks for an unlimited network, which costline never grants: an all-reduce takes time that "
    "grows with its bytes; Tables 2 and 4 ask the same with a network",
    "erdil-2025-text": "steps of an argument on the study's own inputs, no deployments",
    "steinhardt-2022-split": "ratios of one square product cut along all three dimensions; costline cuts a model along "
    "heads, layers and experts",
    "pope-2022-exponent": "a fit through measured latencies; costline's own stand at pope-2022-latency",
    "pope-2022-llama-speeds": "an extrapolation by the square-root law; costline computes each model by itself",
    "scaling-book-serving": "arithmetic on the chapter's own inputs; costline's slices stand at its topology, "
    "max-batch, decode-latency, cost and pareto tables",
    "optimization-guide": "rates and prices that the guide assumes; costline's count stands at its memory table",
    "claims": "each claim is computed from the conditions that it states, which leave costline no choice",
}
"""Why a table, or all others of a publication, cannot be asked of costline."""


def _module(table: str) -> ModuleType | None:
    """What computes the table; imported when asked for."""
    if table.startswith("erdil-2025-table-") and table not in WITHOUT:
        from costline.answers.reproduce import own_erdil as reproduce_own_erdil

        return reproduce_own_erdil
    from costline.answers.reproduce import own_guide as reproduce_own_guide
    from costline.answers.reproduce import own_pope as reproduce_own_pope
    from costline.answers.reproduce import own_slices as reproduce_own_slices

    modules = (reproduce_own_slices, reproduce_own_guide, reproduce_own_pope)
    return next((module for module in modules if table in module.NAMES), None)


def own_cells(table: Table) -> Mapping[tuple[str, str], Own]:
    """The cells that costline can compute, in SI, by row and column; none for most tables (see `without`)."""
    module = _module(table.name)
    return {} if module is None else module.own_cells(table)


def own_sources(table: Table) -> tuple[Used, ...]:
    """Facts and equations behind them."""
    module = _module(table.name)
    return () if module is None else module.own_sources(table)


def without(table: str) -> str:
    """Why costline has no number of its own for a table; empty if it has."""
    if _module(table) is not None:
        return ""
    return WITHOUT.get(table) or next(why for name, why in WITHOUT.items() if table.startswith(f"{name}-"))
