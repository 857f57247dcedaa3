"""Traces as CSV: one header, one row a request. Plain lines are read by column, others row by row; both by one rule.

Knows the names of columns by format: Azure's, BurstGPT's and our own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from costline.errors import InputError
from costline.quantities import Array, as_array
from costline.serving.lengths import MOST_TOKENS
from costline.serving.traces.clock import Clock, clock_of
from costline.serving.traces.csv_bytes import joined, table
from costline.serving.traces.files import pieces
from costline.serving.traces.trace import LATEST_S, Trace, check_counts, check_order, check_rows, fault


@dataclass(frozen=True)
class Columns:
    """The header that a format needs, in any order and among others."""

    format: str
    names: tuple[str, str, str]
    """Time, tokens in, tokens out."""


AZURE = Columns("azure", ("TIMESTAMP", "ContextTokens", "GeneratedTokens"))
BURSTGPT = Columns("burstgpt", ("Timestamp", "Request tokens", "Response tokens"))
COSTLINE = Columns("costline", ("arrival_s", "input_tokens", "output_tokens"))
FORMATS = (AZURE, BURSTGPT, COSTLINE)


@dataclass
class _Reading:
    """A file half read."""

    path: str
    columns: Columns
    places: tuple[int, int, int]
    fields: int
    clock: Clock | None = None
    rows: int = 0
    parts: list[tuple[Array, Array, Array]] = field(default_factory=list[tuple[Array, Array, Array]])


def read_csv(file: BinaryIO, path: Path) -> Trace:
    """The trace in an open CSV file; raises InputError naming file, row, value, rule and remedy."""
    reading: _Reading | None = None
    for piece in pieces(file, path):
        if reading is None:
            header, _, rest = piece.partition(b"\n")
            reading = _headed(header, str(path))
        else:
            rest = piece
        if rest.strip():
            _read(reading, rest)
    return _trace(reading or _headed(b"", str(path)))


def _headed(header: bytes, path: str) -> _Reading:
    text = header.decode("utf-8").rstrip("\r")
    try:
        found = [name.strip().lower() for name in next(csv.reader([text], strict=True), [""])]
    except csv.Error as error:
        raise fault(path, 1, f"{error}; correct its quotes") from None
    for columns in FORMATS:
        wanted = [name.lower() for name in columns.names]
        if all(found.count(name) == 1 for name in wanted):
            time, inputs, outputs = (found.index(name) for name in wanted)
            return _Reading(path, columns, (time, inputs, outputs), len(found))
    known = " or ".join(",".join(columns.names) for columns in FORMATS)
    raise InputError(f"trace {path} row 1={text!r:.80} must be the header {known}; put it there")


def _read(reading: _Reading, lines: bytes) -> None:
    """Takes in whole lines, as columns where they are plain."""
    time, inputs, outputs = reading.places
    plain = table(lines, reading.fields)
    if plain is not None:
        if reading.clock is None:
            first = bytes(plain.text[plain.begin[0, time] : plain.end[0, time]]).decode("utf-8")
            reading.clock = clock_of(reading.path, reading.columns.names[0], first)
        times = reading.clock.column_s(plain, time)
        found = [plain.numbers(place, points=False) for place in (inputs, outputs)]
        counts = [count for count in found if count is not None and np.all(count <= MOST_TOKENS)]
        if times is not None and len(counts) == 2 and np.all(times <= LATEST_S):
            _take(reading, (times, counts[0], counts[1]))
            return
    rows = list(_rows(reading, lines))
    _take(reading, tuple(as_array(rows).reshape(-1, 3).T))  # pyright: ignore[reportArgumentType]


def _take(reading: _Reading, part: tuple[Array, Array, Array]) -> None:
    reading.parts.append(part)
    reading.rows += part[0].size
    check_rows(reading.path, reading.rows)


def _rows(reading: _Reading, lines: bytes) -> Iterator[tuple[float, float, float]]:
    """Row by row: what is not a request raises."""
    row = reading.rows + 1
    names, path = reading.columns.names, reading.path
    text = lines.decode("utf-8").rstrip("\r\n")
    try:
        for line in csv.reader(io.StringIO(text, newline=""), strict=True):
            row += 1
            if len(line) != reading.fields:
                said = f"has {len(line)} fields; it must have {reading.fields}, among them {', '.join(names)}"
                raise InputError(f"trace {path} row {row} {said}")
            time, inputs, outputs = (line[place] for place in reading.places)
            reading.clock = reading.clock or clock_of(path, names[0], time)
            seconds = reading.clock.seconds(time, row)
            yield seconds, _tokens(inputs, names[1], path, row), _tokens(outputs, names[2], path, row)
    except csv.Error as error:
        raise fault(path, row + 1, f"{error}; correct its quotes") from None


def _tokens(text: str, column: str, path: str, row: int) -> float:
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit():
        raise fault(path, row, f"{column}={text!r:.40} must be a whole number of tokens; correct it")
    count = float(digits[:400])
    if count > MOST_TOKENS:
        said = f"{column}={text!r:.40} is more than a request can hold ({MOST_TOKENS:,} tokens); correct it"
        raise fault(path, row, said)
    return count


def _trace(reading: _Reading) -> Trace:
    times, inputs, outputs = (joined([part[place] for part in reading.parts]) for place in range(3))
    rows = np.arange(times.size) + 2
    check_order(reading.path, times, rows)
    for name, counts in zip(reading.columns.names[1:], (inputs, outputs), strict=True):
        check_counts(reading.path, name, counts, rows)
    start = float(times[0]) if times.size else 0.0
    notes: tuple[str, ...] = ()
    if reading.columns is BURSTGPT and np.any(failed := outputs == 0):
        notes = (f"{int(failed.sum()):,} requests without an answer are left out",)
        times, inputs, outputs = times[~failed], inputs[~failed], outputs[~failed]
    return Trace(reading.path, reading.columns.format, start, times - start, inputs, outputs, notes=notes)
