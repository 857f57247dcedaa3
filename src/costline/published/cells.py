"""What a reproduced publication is made of: tables of cells (printed beside computed) and figures of series.

Knows how a computed number is compared with a printed one. Knows no model and draws nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One printed number and what the same model computes for it."""

    row: str
    column: str
    published: float
    """The number as the publication prints it, in `unit`."""
    computed: float
    """What this code computes, in `unit`, unrounded."""
    unit: str = ""
    decimals: int = 0
    """Decimals of the printed number; negative where it is rounded to tens, hundreds and so on."""
    relative_tolerance: float | None = None
    """If given, the cell matches within this relative error instead of by rounding to `decimals`."""
    expected_match: bool = True
    """False where the publication's own number is known not to follow from its model; `note` says why."""
    note: str = ""

    @property
    def relative_error(self) -> float:
        """(computed - published) / |published|; infinite for a printed zero that is not met.

        >>> round(Cell(row="8B", column="tokens/s", published=966, computed=965.5).relative_error, 6)
        -0.000518
        """
        difference = self.computed - self.published
        if self.published == 0:
            return 0.0 if difference == 0 else math.copysign(math.inf, difference)
        return difference / abs(self.published)

    @property
    def matches(self) -> bool:
        """Whether the computed number, rounded as the printed one, is the printed one.

        >>> Cell(row="a", column="b", published=0.27, computed=0.2651, decimals=2).matches
        True
        >>> Cell(row="a", column="b", published=247, computed=246.496).matches
        False
        >>> Cell(row="a", column="b", published=500, computed=497.0, relative_tolerance=0.01).matches
        True
        """
        if not math.isfinite(self.computed):
            return self.computed == self.published
        if self.relative_tolerance is not None:
            return abs(self.relative_error) <= self.relative_tolerance
        return round(self.computed, self.decimals) == round(self.published, self.decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A printed table, cell by cell."""

    name: str
    """Unique over all publications: `<publication>-<table>`, such as `erdil-2025-table-3`."""
    title: str
    source: str
    """A key of sources.yml and the place in it, such as `[erdil-2025] Table 3`."""
    cells: tuple[Cell, ...]

    @property
    def surprises(self) -> tuple[Cell, ...]:
        """The cells that match although they are expected not to, or the other way round."""
        return tuple(cell for cell in self.cells if cell.matches != cell.expected_match)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve or set of points of a figure."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureData:
    """A figure as data: its axes and its series, without looks."""

    name: str
    """Unique over all publications: `<publication>-<figure>`, such as `erdil-2025-figure-3`."""
    title: str
    source: str
    x_label: str
    y_label: str
    x_log: bool
    y_log: bool
    series: tuple[Series, ...]
    note: str = ""
