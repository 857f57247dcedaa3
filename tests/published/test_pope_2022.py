"""Pope's PaLM latencies and the square-root law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError
from costline.published import pope_2022
from costline.published.pope_2022 import power_law_exponent

CELLS = {(c.row, c.column): c for table in pope_2022.tables() for c in table.cells}


def test_no_cell_surprises():
    assert [table.surprises for table in pope_2022.tables()] == [(), (), ()]


def test_llama_speeds_of_the_square_root_law():
    # Erdil 2025, section 2.2.3: 400 tokens/s at 8B gives 135 at 70B and 56 at 405B.
    assert round(CELLS["70B", "speed"].computed) == 135
    assert round(CELLS["405B", "speed"].computed) == 56


def test_exponents_of_the_notes():
    sizes, latencies = (8e9, 62e9, 540e9), (0.004, 0.013, 0.032)
    pairs = [float(power_law_exponent(sizes[i : i + 2], latencies[i : i + 2])) for i in (0, 1)]
    assert [round(e, 2) for e in pairs] == [0.58, 0.42]
    assert round(CELLS["8B to 540B", "exponent"].computed, 3) == 0.494
    assert CELLS["layers as the fourth root of parameters", "exponent"].computed == pytest.approx(0.5)


def test_the_law_goes_through_the_middle_of_the_points():
    errors = [CELLS[row, "latency"].relative_error for row in ("PaLM 8B", "PaLM 62B", "PaLM 540B")]
    assert sum(math.log1p(e) for e in errors) == pytest.approx(0)
    assert [round(100 * e) for e in errors] == [4, -11, 7]


@given(st.floats(-2, 2), st.floats(1e-6, 1e6))
def test_a_power_law_is_found_again(exponent: float, scale: float):
    sizes = np.array([1.0, 3.0, 20.0, 100.0])
    assert float(power_law_exponent(sizes, scale * sizes**exponent)) == pytest.approx(exponent, abs=1e-9)


def test_scalars_are_elements_of_the_grid():
    sizes, latencies = np.array([[1.0, 2.0, 4.0], [1.0, 10.0, 50.0]]), np.array([1.0, 3.0, 5.0])
    grid = power_law_exponent(sizes, np.broadcast_to(latencies, sizes.shape))
    assert [float(value) for value in grid] == [float(power_law_exponent(row, latencies)) for row in sizes]


def test_a_size_of_zero_is_refused():
    with pytest.raises(DomainError, match="must be positive"):
        power_law_exponent([0, 1], [1, 1])


def test_the_chart_shows_points_and_law():
    (figure,) = pope_2022.figures()
    measured, law = figure.series
    assert measured.y == pytest.approx((4, 13, 32))
    assert law.y[-1] / law.y[0] == pytest.approx(math.sqrt(540 / 8))
