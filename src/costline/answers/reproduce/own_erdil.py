"""Erdil 2025, Tables 2 to 6, by costline's own physics.

The question stays the study's: its price, its preference for speed, its draft and acceptance, no context. Knows which
row asks what.
"""

from __future__ import annotations

from collections.abc import Mapping

from costline.answers.answer import Used
from costline.answers.reproduce.case import CALIBRATED, DATASHEET, Own
from costline.answers.reproduce.own_erdil_why import Row, cost_why, size_why, speed_why
from costline.answers.reproduce.own_search import search
from costline.published.cells import Table
from costline.published.erdil_2025_data import printed_rows
from costline.published.erdil_2025_latency import EARLIER

_SPEED, _SIZE, _COST, _BATCH = "tokens per second", "GPUs", "cost per million tokens", "batch"


def _rows(table: str) -> dict[str, Row]:
    """The rows of a printed table by their labels."""
    named = {str(label): str(name) for label, name, *_ in printed_rows(table)}
    if table == "table_4":
        return {label: Row("Llama_3_70B_8_bit", gpu) for label, gpu in named.items()}
    if table == "table_5":
        drafted = {label: label.endswith("(S)") for label in named}
        return {label: Row(name, is_drafted=drafted[label], revision=EARLIER) for label, name in named.items()}
    return {label: Row(name, is_drafted=table in ("table_2", "table_3")) for label, name in named.items()}


def _owns(row: Row, printed: Mapping[str, float]) -> dict[str, Own]:
    """The cells of a row; a table with costs prints preferred deployments, else the fastest."""
    is_preferred = _COST in printed
    ideal = search(row.question, DATASHEET).best(is_preferred=is_preferred)
    tried = search(row.question, CALIBRATED)
    real = tried.best(is_preferred=is_preferred)
    if ideal is None or real is None:
        return {}
    is_fewer = real.devices < printed[_SIZE]
    bounds = {"wider_than": float(real.where.tp * real.where.dp)} if is_fewer else {"fewer_than": real.devices}
    other = tried.best(is_preferred=is_preferred, **bounds)
    speed = speed_why(row, real, printed[_SPEED])
    cells = {
        _SPEED: Own(1 / ideal.token_s, 1 / real.token_s, speed),
        _SIZE: Own(ideal.devices, real.devices, size_why(real, other, is_fewer=is_fewer)),
    }
    if is_preferred:
        cost = cost_why(real, printed)
        cells |= {_COST: Own(ideal.usd_per_mtok, real.usd_per_mtok, cost), _BATCH: Own(ideal.batch, real.batch, speed)}
    return cells


def own_cells(table: Table) -> dict[tuple[str, str], Own]:
    """The cells of one of Tables 2 to 6 by row and column."""
    printed: dict[str, dict[str, float]] = {}
    for cell in table.cells:
        printed.setdefault(cell.row, {})[cell.column] = cell.published
    return {
        (label, column): own
        for label, row in _rows(_key(table)).items()
        for column, own in _owns(row, printed[label]).items()
    }


def own_sources(table: Table) -> tuple[Used, ...]:
    """Facts and equations behind them."""
    questions = [row.question for row in _rows(_key(table)).values()]
    return tuple(dict.fromkeys(fact for asked in questions for fact in asked.case.sources(asked.usd_per_hour)))


def _key(table: Table) -> str:
    """As the study's file names the table."""
    return table.name.removeprefix("erdil-2025-").replace("-", "_")
