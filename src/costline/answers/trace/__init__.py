"""trace: what a file of requests holds — when they came, how long they are, what repeats, whether it adds up."""

from __future__ import annotations

from pathlib import Path

from costline.answers.answer import Answer
from costline.answers.trace.charts import charts
from costline.answers.trace.rows import trace_row, workload_of
from costline.answers.trace.view import summary, tables
from costline.errors import InputError
from costline.serving.trace_summary import summary_of
from costline.serving.traces import read_trace


def trace(path: str | Path) -> Answer:
    """What a file of requests is, in the formats that `simulate` replays, and a workload that is like it.

    Raises InputError where the file is none of the formats or a row is no request.
    """
    if not Path(path).exists():
        raise InputError(f"trace {path} does not exist; check the path")
    read = read_trace(path)
    found = summary_of(read)
    data = {"question": "trace", **trace_row(found), "workload": workload_of(found)}
    return Answer("trace", data, tables(data), charts(read), summary(data))
