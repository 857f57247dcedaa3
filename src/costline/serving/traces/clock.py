"""Times as a trace writes them: plain seconds, or dates, which count from Monday, 0:00, of the first one's week."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

from costline.quantities import DAY_S, Array, as_array
from costline.serving.traces.csv_bytes import Table
from costline.serving.traces.trace import LATEST_S, fault

_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_WEEKDAY = 3


@dataclass(frozen=True)
class Clock:
    """Reads the times of one file; `monday` is days since 1970 where they are dates, None where they are seconds."""

    path: str
    column: str
    monday: int | None

    def column_s(self, table: Table, column: int) -> Array | None:
        """A column of plain lines in seconds, None where a time is written in another way."""
        if self.monday is None:
            return table.numbers(column)
        found = table.dates(column)
        return None if found is None else as_array((found[0] - self.monday) * DAY_S + found[1])

    def seconds(self, text: str, row: int) -> float:
        """One time in seconds; raises InputError naming the row."""
        if self.monday is None:
            return self._number(text, row)
        moment = moment_of(text)
        if moment is None:
            said = "is no date and time; write for example 2023-11-16 18:15:46.68, or seconds in every row"
            raise fault(self.path, row, f"{self.column}={text!r:.40} {said}")
        days, within = divmod(moment - _EPOCH, datetime.timedelta(days=1))
        return (days - self.monday) * DAY_S + within.total_seconds()

    def _number(self, text: str, row: int) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds <= LATEST_S:
            said = "must be seconds >= 0, as in the first row; correct it"
            raise fault(self.path, row, f"{self.column}={text!r:.40} {said}")
        return seconds


def clock_of(path: str, column: str, first: str) -> Clock:
    """The clock that the first time of a file shows."""
    try:
        float(first)
    except ValueError:
        moment = moment_of(first)
        if moment is None:
            return Clock(path, column, 0)
        days = (moment - _EPOCH).days
        return Clock(path, column, days - (days + _EPOCH_WEEKDAY) % 7)
    return Clock(path, column, None)


def moment_of(text: str) -> datetime.datetime | None:
    """A date and time, taken to UTC where it names a zone."""
    try:
        moment = datetime.datetime.fromisoformat(text.strip())
        return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
