"""A trace of requests from a CSV file: when each came, how long its prompt and its answer were.

Strict: one header, three columns, whole tokens, times in order. Knows no model and no price.
"""

from __future__ import annotations

import csv
import datetime
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from costline.errors import InputError
from costline.quantities import HOUR_S, Array, as_array

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
MOST_ROWS = 20_000_000
_LATEST_S = 2.0**40
Clock = Callable[[str, str], float]


@dataclass(frozen=True)
class Trace:
    """Requests in the order in which they came."""

    path: str
    arrival_s: Array
    """Seconds from Monday, 0:00, of the first request's week, or as the file counts them."""
    input_tokens: Array
    output_tokens: Array

    @property
    def requests(self) -> int:
        """Rows of the file."""
        return int(self.arrival_s.size)

    @property
    def span_s(self) -> float:
        """From the first request to the last."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    @property
    def requests_per_s(self) -> float:
        """Mean rate."""
        return self.requests / self.span_s

    @property
    def arrival_cv(self) -> float:
        """Coefficient of variation of the gaps between requests: 1 = Poisson, more = bursts."""
        gaps = np.diff(self.arrival_s)
        return float(np.std(gaps) / np.mean(gaps))

    @property
    def counts(self) -> Counter[tuple[int, int]]:
        """Requests by tokens in and out."""
        pairs = (tokens.astype(int).tolist() for tokens in (self.input_tokens, self.output_tokens))
        return Counter(zip(*pairs, strict=True))

    def lengths(self, tokens: Array) -> dict[str, float]:
        """Mean and 95th percentile; the mean alone where a few very long ones lift it above that."""
        mean, p95 = max(float(np.mean(tokens)), 1.0), float(np.percentile(tokens, 95))
        return {"mean": mean, "p95": p95} if p95 >= mean else {"mean": mean}

    def by_hour(self, period: int) -> tuple[Array, Array]:
        """Requests in each hour of a day (24) or week (168), and the seconds in which the trace covers it."""
        requests = np.bincount((self.arrival_s // HOUR_S % period).astype(int), minlength=period)
        start, end = float(self.arrival_s[0]), float(self.arrival_s[-1])
        covered = np.zeros(period)
        for hour in range(int(start // HOUR_S), int(end // HOUR_S) + 1):
            covered[hour % period] += max(min(end, (hour + 1) * HOUR_S) - max(start, hour * HOUR_S), 0.0)
        return as_array(requests), covered


def read_trace(path: Path) -> Trace:
    """The trace in a CSV file with the columns of the Azure traces; raises InputError naming file and row."""
    rows = list(_rows(path))
    if len(rows) < 2:
        raise InputError(f"trace {path} has {len(rows)} requests; at least 2 are needed to see a rate")
    table = as_array(rows)
    late = np.flatnonzero(np.diff(table[:, 0]) < 0)
    if late.size:
        row = int(late[0]) + 3
        raise InputError(f"trace {path} row {row}: its time is before that of row {row - 1}; sort the rows by time")
    if not table[-1, 0] > table[0, 0]:
        raise InputError(f"trace {path}: all requests come at one time, so it shows no rate; give a longer trace")
    return Trace(str(path), *(table[:, place] for place in range(3)))


def _rows(path: Path) -> Iterator[tuple[float, float, float]]:
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            _check_header(next(lines, [""]), path)
            clock: Clock | None = None
            number = 1
            for number, line in enumerate(lines, start=2):
                place = f"trace {path} row {number}"
                if len(line) != len(COLUMNS):
                    raise InputError(f"{place} has {len(line)} fields; it must have {', '.join(COLUMNS)}")
                if number > MOST_ROWS:
                    raise InputError(f"trace {path} has more than {MOST_ROWS:,} rows; cut it")
                clock = clock or _clock(line[0])
                yield clock(line[0], place), _tokens(line[1], COLUMNS[1], place), _tokens(line[2], COLUMNS[2], place)
    except csv.Error as error:
        raise InputError(f"trace {path} row {number + 1}: {error}; correct its quotes") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"trace {path} does not exist; check the path, which starts at the scenario's folder")
    if isinstance(error, IsADirectoryError):
        return InputError(f"trace {path} is a directory; give a file")
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"trace {path} is not UTF-8 text; save it as UTF-8")
    reason = getattr(error, "strerror", None) or error
    return InputError(f"trace {path} cannot be read ({reason}); check the path and the file")


def _check_header(found: list[str], path: Path) -> None:
    if [name.strip().lower() for name in found] != [name.lower() for name in COLUMNS]:
        raise InputError(
            f"trace {path} row 1={','.join(found)!r:.80} must be the header {','.join(COLUMNS)}; put it there"
        )


def _clock(first: str) -> Clock:
    """What turns a time into seconds: plain numbers as they are, dates from Monday, 0:00, of the first one's week."""
    try:
        float(first)
    except ValueError:
        return partial(_since, week=_week_of(first))
    return _seconds


def _seconds(text: str, place: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LATEST_S:
        raise InputError(f"{place}: TIMESTAMP={text!r:.40} must be seconds >= 0, as in the first row; correct it")
    return seconds


def _since(text: str, place: str, *, week: datetime.datetime | None) -> float:
    moment = _moment(text)
    if moment is None or week is None:
        raise InputError(
            f"{place}: TIMESTAMP={text!r:.40} is no date and time; write for example 2023-11-16 18:15:46.68, or "
            "seconds in every row"
        )
    return (moment - week).total_seconds()


def _week_of(text: str) -> datetime.datetime | None:
    moment = _moment(text)
    if moment is None:
        return None
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(days=moment.weekday())


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _tokens(text: str, column: str, place: str) -> int:
    if not text.strip().isascii() or not text.strip().isdigit():
        raise InputError(f"{place}: {column}={text!r:.40} must be a whole number of tokens; correct it")
    count = int(text) if len(text) < 20 else 2**62
    if count > 2**31:
        raise InputError(f"{place}: {column}={text!r:.40} is more than a request can hold; correct it")
    return count
