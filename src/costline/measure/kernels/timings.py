"""Timed kernels as columns, whichever kernel: counts, labels, devices, and the trap a row fell into.

Knows how a row of the files becomes a row of columns. Knows no kernel and no fit.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from costline.catalog.find import chip, system
from costline.forward.kernels.records import Device, kernel_flop_per_s
from costline.measure.fit import Mask
from costline.measure.kernel_files import CHIPS, Names, families_of
from costline.quantities import Array, as_array

Row = dict[str, str]


@dataclass(frozen=True)
class Trap:
    """Rows that measure something other than the kernel: why, and which."""

    name: str
    reason: str
    holds: Callable[[Row], bool]


@dataclass(frozen=True)
class Timings:
    """Rows of one kernel. Every array and every label has one element a row."""

    chip: Names
    labels: Mapping[str, Names]
    """What parameters may differ by: format, engine, direction …; "" = the parameter does not concern the row."""
    counts: Mapping[str, Array]
    device: Device
    shape: Sequence[str]
    """Rows with the same text are held out together."""
    time_s: Array
    trap: Names
    """Name of the trap, "" for rows to fit."""

    @property
    def family(self) -> Names:
        """Family of each row's chip."""
        return families_of(self.chip)

    @property
    def good(self) -> Mask:
        """Rows that fell into no trap."""
        return self.trap == ""

    def take(self, mask: Mask) -> Timings:
        """The rows where `mask` holds."""
        parts = {one.name: as_array(getattr(self.device, one.name)) for one in fields(Device)}
        device = Device(**{name: part[mask] if part.ndim else part for name, part in parts.items()})
        return Timings(
            chip=self.chip[mask],
            labels={name: label[mask] for name, label in self.labels.items()},
            counts={name: count[mask] for name, count in self.counts.items()},
            device=device,
            shape=[text for text, one in zip(self.shape, mask, strict=True) if one],
            time_s=self.time_s[mask],
            trap=self.trap[mask],
        )

    def with_counts(self, **counts: Array) -> Timings:
        """The same rows with more counts."""
        return replace(self, counts={**self.counts, **counts})


def rows_of(path: Path, keep: Callable[[Row], bool] = lambda row: True) -> list[Row]:
    """Rows of a file on accelerators of the catalogue."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["system"] in CHIPS and keep(row)]


def numbers(rows: Iterable[Row], column: str) -> Array:
    """A column as numbers."""
    return np.array([float(row[column]) for row in rows], dtype=np.float64)


def names(rows: Iterable[Row], value: Callable[[Row], str]) -> Names:
    """A text of each row."""
    return np.array([value(row) for row in rows], dtype=np.str_)


def chip_names(rows: Iterable[Row]) -> Names:
    """The catalogue's id of each row's chip."""
    return names(rows, lambda row: CHIPS[row["system"]])


def trapped(rows: Sequence[Row], traps: Sequence[Trap]) -> Names:
    """Name of the first trap that holds for each row."""
    return names(rows, lambda row: next((trap.name for trap in traps if trap.holds(row)), ""))


def shapes(*columns: Array) -> list[str]:
    """What is held out together: the rows' numbers as text."""
    return [" ".join(f"{value:.0f}" for value in row) for row in zip(*columns, strict=True)]


def joined(*labels: Names) -> Names:
    """Labels side by side, as selectors are written."""
    return np.array([" ".join(filter(None, parts)) for parts in zip(*labels, strict=True)], dtype=np.str_)


def devices(chips: Names, formats: Names, *, warm: bool = True) -> Device:
    """The device of each row at the format of its arithmetic, its links those of the chip's usual system."""
    found = {name: (chip(str(name)), system(chip(str(name)).system)) for name in np.unique(chips)}
    peaks = {
        (name, text): kernel_flop_per_s(found[name][0], text)
        for name, text in {(str(a), str(b)) for a, b in zip(chips, formats, strict=True)}
    }

    def each(value: Callable[[str], float]) -> Array:
        table = {name: value(name) for name in found}
        return as_array([table[name] for name in chips])

    return Device(
        flop_per_s=as_array([peaks[str(a), str(b)] for a, b in zip(chips, formats, strict=True)]),
        hbm_bytes_per_s=each(lambda name: found[name][0].hbm_bytes_per_s),
        compute_units=each(lambda name: float(found[name][0].compute_units or np.nan)),
        l2_bytes=each(lambda name: float(found[name][0].l2_bytes or np.nan)),
        warm=np.full(chips.shape, 1.0 if warm else 0.0),
        link_bytes_per_s=each(lambda name: found[name][1].fabric.bytes_per_s),
        network_bytes_per_s=each(lambda name: found[name][1].scale_out_bytes_per_s),
    )
