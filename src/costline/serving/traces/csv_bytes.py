"""Numbers and dates out of the bytes of plain CSV lines, a column at a time.

Reads only what it is sure of (no quotes, digits with at most one point, dates written out); for the rest it answers
None, and a reader of rows decides. Knows no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.quantities import HOUR_S, MINUTE_S, Array, as_array

_COMMA, _NEWLINE, _POINT, _ZERO = b",\n.0"
_MOST_DIGITS = 15
"""A float64 holds so many exactly."""
_DATE = "0000-00-00 00:00:00"
_DATE_PLACES = [place for place, mark in enumerate(_DATE) if mark == "0"]

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """Where the fields of lines begin and end, [lines, fields]."""

    text: Bytes
    begin: Places
    end: Places

    def numbers(self, column: int, *, points: bool = True) -> Array | None:
        """The column as numbers >= 0 written with digits and, if `points` may be, at most one point."""
        return _numbers(self.text, self.begin[:, column], self.end[:, column], points=points)

    def dates(self, column: int) -> tuple[Places, Array] | None:
        """The column as days since 1970 and seconds of the day, from `2023-11-16 18:15:46.68`, of one zone."""
        begin, end = self.begin[:, column], self._without_zone(column)
        fixed = begin[:, None] + np.arange(len(_DATE))
        if not begin.size or np.any(end - begin < len(_DATE)):
            return None
        marks = self.text[fixed]
        digits = (marks - np.uint8(_ZERO))[:, _DATE_PLACES].astype(np.int64)
        written = np.all(marks[:, [4, 7, 13, 16]] == np.frombuffer(b"--::", np.uint8))
        if not written or np.any(digits > 9) or not np.all(np.isin(marks[:, 10], np.frombuffer(b" T", np.uint8))):
            return None
        year = digits[:, :4] @ 10 ** np.arange(3, -1, -1)
        month, day, hour, minute, second = (digits[:, 4 + 2 * k : 6 + 2 * k] @ [10, 1] for k in range(5))
        rest = self._rest(begin + len(_DATE), end)
        first, length = _month(year, month)
        sound = (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
        if rest is None or not np.all(sound & (hour < 24) & (minute < 60) & (second < 60) & (year > 0)):
            return None
        return first + day - 1, as_array(hour * HOUR_S + minute * MINUTE_S + second + rest)

    def _without_zone(self, column: int) -> Places:
        """Ends of the fields, without a zone of `Z` or `+00:00` that all have."""
        begin, end = self.begin[:, column], self.end[:, column]
        for zone in (b"Z", b"+00:00"):
            tail = self.text[np.maximum(end[:, None] - len(zone) + np.arange(len(zone)), 0)]
            if np.all(tail == np.frombuffer(zone, np.uint8)):
                return np.maximum(end - len(zone), begin)
        return end

    def _rest(self, begin: Places, end: Places) -> Array | None:
        """Seconds after a point, 0 where the field ends before it."""
        rest = np.zeros(begin.size)
        some = begin < end
        if np.any(self.text[begin[some]] != _POINT):
            return None
        if np.any(some):
            found = _numbers(self.text, begin[some], end[some])
            if found is None:
                return None
            rest[some] = found
        return rest


def _numbers(text: Bytes, begin: Places, end: Places, *, points: bool = True) -> Array | None:
    width = end - begin
    if not width.size or width.min() < 1 or width.max() > _MOST_DIGITS + 1:
        return None
    value, digits, after = np.zeros(width.size), np.zeros(width.size, np.int64), np.full(width.size, -1)
    for place in range(int(width.max())):
        inside = place < width
        mark = text[np.where(inside, begin + place, begin)]
        digit = mark - np.uint8(_ZERO)
        is_digit, is_point = inside & (digit < 10), inside & (mark == _POINT) & (after < 0) & points
        if np.any(inside & ~is_digit & ~is_point):
            return None
        value = np.where(is_digit, value * 10 + digit, value)
        digits += is_digit
        if points:
            after = np.where(is_point, 0, np.where(is_digit & (after >= 0), after + 1, after))
    if digits.min() < 1 or digits.max() > _MOST_DIGITS:
        return None
    return value / 10.0 ** np.maximum(after, 0)


def table(lines: bytes, fields: int) -> Table | None:
    """The fields of whole lines, None where a line has a quote or other than so many fields."""
    if b'"' in lines:
        return None
    text = np.frombuffer(lines.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n", np.uint8)
    marks = np.flatnonzero((text == _COMMA) | (text == _NEWLINE))
    if marks.size % fields:
        return None
    end = marks.reshape(-1, fields)
    if np.any(text[end[:, -1]] != _NEWLINE) or np.any(text[end[:, :-1]] != _COMMA):
        return None
    begin = np.concatenate([[0], marks[:-1] + 1]).reshape(-1, fields)
    return Table(text, begin, end)


def _month(year: Places, month: Places) -> tuple[Places, Places]:
    """Days since 1970 of the first of each month, and how many days it has."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first, following = (part.astype("datetime64[D]").astype(np.int64) for part in (months, months + 1))
    return first, following - first


def joined(parts: Sequence[Array]) -> Array:
    """Columns of pieces as one."""
    return np.concatenate(parts) if parts else np.zeros(0)
