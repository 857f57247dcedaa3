"""A scenario that names a trace says nothing of lengths: they are the trace's means.

Knows where a trace may be named; reads it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from costline.serving.traces import read_trace
from costline.serving.traces.trace import Trace

LENGTHS = ("input_tokens", "output_tokens")


@lru_cache(maxsize=4)
def _read(path: str, changed_ns: int) -> Trace:
    return read_trace(Path(path))


def trace_of(path: str) -> Trace:
    """The trace in a file, read again only when the file has changed."""
    file = Path(path)
    return _read(path, file.stat().st_mtime_ns if file.is_file() else 0)


def with_trace_lengths(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the lengths of the trace that its workload names, where it gives none of its own.

    `input_tokens: {trace: FILE}` is `trace: FILE`.
    """
    given = document.get("workload")
    if not isinstance(given, Mapping):
        return dict(document)
    work = dict(cast(Mapping[str, Any], given))
    for name in LENGTHS:
        inner = work.get(name)
        if isinstance(inner, Mapping) and set(cast(Mapping[str, Any], inner)) == {"trace"}:
            work.setdefault("trace", cast(Mapping[str, Any], work.pop(name))["trace"])
    path = work.get("trace")
    if isinstance(path, str) and not work.get("sessions") and not all(name in work for name in LENGTHS):
        trace = trace_of(path)
        means = (trace.input_tokens.mean(), trace.output_tokens.mean())
        for name, mean in zip(LENGTHS, means, strict=True):
            work.setdefault(name, max(float(mean), 1.0))
    return {**document, "workload": work}
