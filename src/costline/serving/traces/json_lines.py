"""Traces as JSON, one object a line: Mooncake's and Bailian's with hashes of their prompts' blocks, and our own.

Values are taken as columns and checked as such; only a column with a fault is looked through row by row.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from costline.errors import InputError
from costline.quantities import MILLI, Array, as_array
from costline.serving.prefixes import block_prefixes
from costline.serving.traces.csv_bytes import joined
from costline.serving.traces.files import pieces
from costline.serving.traces.trace import Trace, check_counts, check_order, check_rows, check_times, fault

Row = dict[str, Any]


@dataclass(frozen=True)
class Keys:
    """What a format calls its values."""

    format: str
    time: str
    time_s: float
    """Seconds in its unit of time."""
    inputs: str
    outputs: str
    hash_tokens: int
    hashes: str = "hash_ids"
    session: str = "session_id"


MOONCAKE = Keys("mooncake", "timestamp", MILLI, "input_length", "output_length", 512)
BAILIAN = Keys("bailian", "timestamp", 1.0, "input_length", "output_length", 16)
COSTLINE = Keys("costline", "arrival_s", 1.0, "input_tokens", "output_tokens", 16)


def keys_of(row: Row) -> Keys | None:
    """The format of a row, None where it is none of these."""
    if "chat_id" in row:
        return BAILIAN
    return next((keys for keys in (MOONCAKE, COSTLINE) if keys.time in row and keys.inputs in row), None)


@dataclass
class _Reading:
    path: str
    keys: Keys
    columns: tuple[list[Array], list[Array], list[Array]] = field(default_factory=lambda: ([], [], []))
    hashes: list[NDArray[np.int64]] = field(default_factory=list[NDArray[np.int64]])
    hash_counts: list[NDArray[np.int64]] = field(default_factory=list[NDArray[np.int64]])
    sessions: list[Any] = field(default_factory=list[Any])
    rows: int = 0


def read_json_lines(file: BinaryIO, path: Path, keys: Keys) -> Trace:
    """The trace in an open file; raises InputError naming file, row, value, rule and remedy."""
    reading = _Reading(str(path), keys)
    for piece in pieces(file, path):
        _take(reading, rows_of(piece.rstrip(b"\r\n\t "), str(path), reading.rows + 1))
    return _trace(reading)


def rows_of(lines: bytes, path: str, first_row: int) -> list[Row]:
    """The objects of whole lines; raises for the first line that is none."""
    if not lines:
        return []
    text = lines.decode("utf-8").split("\n")
    try:
        found: list[Any] = json.loads(f"[{','.join(text)}]")
        if len(found) == len(text) and set(map(type, found)) == {dict}:
            return found
    except (ValueError, RecursionError):
        pass
    return [_row(line, path, first_row + place) for place, line in enumerate(text)]


def _row(line: str, path: str, row: int) -> Row:
    try:
        found = json.loads(line)
    except ValueError as error:
        said = getattr(error, "msg", "a number too long")
        raise fault(path, row, f"{line.strip()!r:.60} is no JSON ({said}); write one object a line") from None
    except RecursionError:
        raise fault(path, row, "is nested too deeply; write one object a line") from None
    if not isinstance(found, dict):
        raise fault(path, row, f"{line.strip()!r:.60} must be an object; write one object a line")
    return found  # pyright: ignore[reportUnknownVariableType]


def _take(reading: _Reading, rows: list[Row]) -> None:
    keys, first = reading.keys, reading.rows + 1
    for parts, name in zip(reading.columns, (keys.time, keys.inputs, keys.outputs), strict=True):
        parts.append(numbers(reading.path, name, [row.get(name) for row in rows], first))
    if rows and keys.hashes in rows[0]:
        _take_hashes(reading, [row.get(keys.hashes) for row in rows], first)
    reading.sessions += [row.get(keys.session) for row in rows] if keys is not BAILIAN else rows
    reading.rows += len(rows)
    check_rows(reading.path, reading.rows)


def numbers(path: str, column: str, values: Sequence[Any], first_row: int) -> Array:
    """A column of JSON numbers; raises for the first value that is none."""
    if set(map(type, values)) <= {int, float}:
        try:
            return as_array(values)
        except OverflowError:
            pass
    for row, value in enumerate(values, start=first_row):
        if value is None:
            raise fault(path, row, f"{column} is missing; give a number")
        if type(value) not in (int, float) or abs(value) > sys.float_info.max:
            raise fault(path, row, f"{column}={value!r:.40} must be a number; correct it")
    return as_array(values)


def _take_hashes(reading: _Reading, lists: list[Any], first_row: int) -> None:
    for row, value in enumerate(lists, start=first_row):
        if type(value) is not list:
            said = (
                f"{reading.keys.hashes}={value!r:.40} must be a list of whole numbers, as in the first row; correct it"
            )
            raise fault(reading.path, row, said)
    flat: list[Any] = list(chain.from_iterable(lists))
    if not set(map(type, flat)) <= {int} or (flat and not -(2**63) <= min(flat) <= max(flat) < 2**63):
        row, value = next(_odd_hashes(lists, first_row))
        said = f"{reading.keys.hashes} holds {value!r:.40}; it must hold whole numbers below 2^63; correct it"
        raise fault(reading.path, row, said)
    reading.hashes.append(np.array(flat, np.int64))
    reading.hash_counts.append(np.fromiter(map(len, lists), np.int64, len(lists)))


def _odd_hashes(lists: list[list[Any]], first_row: int) -> Iterator[tuple[int, Any]]:
    for row, values in enumerate(lists, start=first_row):
        yield from ((row, value) for value in values if type(value) is not int or not -(2**63) <= value < 2**63)


def _trace(reading: _Reading) -> Trace:
    keys, path = reading.keys, reading.path
    times, inputs, outputs = (joined(parts) for parts in reading.columns)
    rows = np.arange(times.size) + 1
    check_times(path, keys.time, times, rows)
    check_order(path, times, rows)
    check_counts(path, keys.inputs, inputs, rows)
    check_counts(path, keys.outputs, outputs, rows)
    prefixes = None
    if reading.hashes:
        counts = np.concatenate(reading.hash_counts)
        long = np.flatnonzero((counts - 1) * keys.hash_tokens >= np.maximum(inputs, 1))
        if long.size:
            row = int(long[0])
            blocks = f"{int(counts[row])} blocks of {keys.hash_tokens} tokens for {keys.inputs}={inputs[row]:.0f}"
            raise fault(path, row + 1, f"{keys.hashes} has {blocks}, too many; correct one of them")
        start = np.concatenate([[0], np.cumsum(counts)])
        prefixes = block_prefixes(start, np.concatenate(reading.hashes), inputs, hash_tokens=keys.hash_tokens)
    seconds = times * keys.time_s
    start_s = float(seconds[0]) if seconds.size else 0.0
    session = _sessions(reading)
    return Trace(path, keys.format, start_s, seconds - start_s, inputs, outputs, prefixes=prefixes, session=session)


def _sessions(reading: _Reading) -> NDArray[np.int64] | None:
    """Numbers of the sessions that requests belong to; requests without one stand alone."""
    if reading.keys is BAILIAN:
        return _chat_sessions(reading)
    if all(name is None for name in reading.sessions):
        return None
    numbers_of: dict[str, int] = {}
    labels = (f"row {row}" if name is None else f"= {name}" for row, name in enumerate(reading.sessions))
    return np.array([numbers_of.setdefault(label, len(numbers_of)) for label in labels], np.int64)


def _chat_sessions(reading: _Reading) -> NDArray[np.int64]:
    """A chat goes on where its parent was; the first of a chain has the parent -1."""
    session_of: dict[int, int] = {}
    found: list[int] = []
    for row, values in enumerate(reading.sessions, start=1):
        chat, parent = values.get("chat_id"), values.get("parent_chat_id", -1)
        if type(chat) is not int or type(parent) is not int:
            raise InputError(
                f"trace {reading.path} row {row}: chat_id={chat!r:.40} and parent_chat_id={parent!r:.40} must be whole "
                "numbers; correct them"
            )
        session_of[chat] = session_of.get(parent, row)
        found.append(session_of[chat])
    return np.unique(np.array(found, np.int64), return_inverse=True)[1].astype(np.int64)
