"""A printed number is matched by what rounds to it, and by nothing else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.published.cells import Cell, Table


def cell(published: float, computed: float, **options: object) -> Cell:
    return Cell(row="row", column="column", published=published, computed=computed, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("published", "computed", "decimals", "is_match"),
    [
        (0.27, 0.2651, 2, True),
        (0.27, 0.2649, 2, False),
        (247, 246.496, 0, False),
        (60, 59.392, -1, True),
        (60, 54.9, -1, False),
        (0, math.nan, 0, False),
        (5, math.inf, 0, False),
        (math.inf, math.inf, 0, True),
    ],
)
def test_a_cell_matches_what_rounds_to_it(published: float, computed: float, decimals: int, is_match: bool):
    assert cell(published, computed, decimals=decimals).matches is is_match


def test_a_relative_tolerance_replaces_rounding():
    assert cell(500, 497, relative_tolerance=0.01).matches
    assert not cell(500, 497, relative_tolerance=0.005).matches
    assert cell(-500, -497, relative_tolerance=0.01).relative_error == pytest.approx(0.006)


def test_a_printed_zero_is_met_exactly_or_missed_without_bound():
    assert cell(0, 0).relative_error == 0
    assert cell(0, -1).relative_error == -math.inf


@given(st.floats(-1e6, 1e6), st.integers(-2, 4))
def test_a_number_matches_its_own_rounding(value: float, decimals: int):
    assert cell(round(value, decimals), value, decimals=decimals).matches
    assert not cell(round(value, decimals) + 2 * 10.0**-decimals, value, decimals=decimals).matches


def test_a_table_names_its_surprises():
    right, wrong = cell(1, 1), cell(1, 2)
    known = cell(1, 2, expected_match=False)
    stale = cell(1, 1, expected_match=False)
    table = Table(name="t", title="T", source="s", cells=(right, wrong, known, stale))
    assert table.surprises == (wrong, stale)
