"""The optimisation guide: its memory function and tables against arithmetic done apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.published import optimization_guide
from costline.published.optimization_guide_formulas import cached_generation_gain, drafted_speed_up, guide_memory

TABLES = {table.name.removeprefix("optimization-guide-"): table for table in optimization_guide.tables()}
SHAPE = {"layers": 80, "width": 8192, "element_bytes": 2}


def value(table: str, row: str, column: str) -> float:
    (found,) = (c.computed for c in TABLES[table].cells if (c.row, c.column) == (row, column))
    return found


@pytest.mark.parametrize("name", TABLES)
def test_no_cell_surprises(name: str):
    assert TABLES[name].surprises == ()


def test_every_printed_number_is_there():
    assert sum(len(table.cells) for table in TABLES.values()) == 49
    assert optimization_guide.figures() == []


@pytest.mark.parametrize(("table", "row", "column", "right", "decimals"), [
    ("introduction", "1M requests of 2 s", "cost a month", 50000, 0),
    ("introduction", "100 tokens of a 70B", "99 tokens on one A100", 7162.8, 1),
    ("self-hosting", "2x A100 40GB", "saving", 70, 6),
    ("caching", "5 prompt and 100 new tokens", "tokens saved", 51.9, 1),
    ("batching", "one A100", "arithmetic of a token", 0.449, 3),
    ("batch-table", "batch 8", "throughput", 53, 0),
    ("batch-table", "batch 32", "throughput", 107, 0),
    ("batch-table", "batch 128", "throughput", 160, 0),
    ("speculation", "70 % accepted", "speed-up", 1.98, 2),
    ("speculation", "easy tasks", "speed-up", 3.43, 2),
    ("memory", "printed call", "cache", 10.74, 2),
    ("memory", "printed call", "activations", 0.268, 3),
    ("memory", "printed call", "total", 151.0, 1),
    ("memory", "H100 over A100", "speed", 1.643, 3),
    ("summary", "saving", "cost", 97.5, 6),
])  # fmt: skip
def test_right_values(table: str, row: str, column: str, right: float, decimals: int):
    assert round(value(table, row, column), decimals) == pytest.approx(right, rel=1e-12)


def test_grouped_heads_shrink_the_cache_to_what_the_note_states():
    grouped = guide_memory(70e9, 1, 4096, layers=80, width=1024, element_bytes=2)
    assert round(float(grouped.kv_bytes) / 1e9, 2) == 1.34
    true_total = float(grouped.kv_bytes) + 140e9 + value("memory", "printed call", "activations") * 1e9
    assert round(true_total / 1e9, 1) == 141.6


def test_memory_of_a_grid_is_that_of_its_elements():
    grid = guide_memory(70e9, np.array([[1], [8]]), np.array([1024, 4096]), **SHAPE)
    one = guide_memory(70e9, 8, 4096, **SHAPE)
    assert grid.total_bytes[1, 1] == one.total_bytes
    assert float(guide_memory(70e9, 0, 4096, **SHAPE).total_bytes) == 140e9


@given(st.floats(0, 0.99), st.integers(1, 30), st.floats(0, 1))
def test_speculation_gains_the_mean_of_accepted_tokens(acceptance: float, drafts: int, cost: float):
    tokens = sum(acceptance**n for n in range(drafts + 1))
    assert float(drafted_speed_up(acceptance, drafts, cost)) == pytest.approx(tokens / (1 + drafts * cost))


def test_speculation_of_a_grid_and_at_certainty():
    grid = drafted_speed_up(np.array([0.7, 0.8]), np.array([[4], [8]]), 0.1)
    assert grid[0, 1] == drafted_speed_up(0.8, 4, 0.1)
    assert round(float(grid[0, 1]), 2) == 2.40
    assert np.isnan(drafted_speed_up(1.0, 4, 0.1))


def test_a_cache_saves_nothing_for_one_token():
    assert cached_generation_gain(9, 1) == pytest.approx(0.9)
    assert cached_generation_gain(5, 100) > cached_generation_gain(5, 10) > 1
