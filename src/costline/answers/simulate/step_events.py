"""The steps of a run as events that Perfetto and Chrome's tracing page show: a row a replica, its batch and cache.

Knows the format; computes nothing but units.
"""

from __future__ import annotations

import json
from typing import Any

from costline.quantities import MICRO
from costline.serving.timestamps import StepTrace


def events_text(trace: StepTrace) -> str:
    """JSON of the trace-event format, times in microseconds."""
    rows: list[dict[str, Any]] = []
    for replica in sorted({int(one) for one in trace.replica}):
        rows.append({"ph": "M", "name": "process_name", "pid": replica, "args": {"name": f"replica {replica}"}})
    columns = (trace.start_s, trace.end_s, trace.replica, trace.steps, trace.sequences, trace.prompt_tokens)
    for start, end, replica, steps, sequences, prompt in zip(*(one.tolist() for one in columns), strict=True):
        rows.append(
            {
                "ph": "X",
                "name": "prompt and decode" if prompt and sequences else "prompt" if prompt else "decode",
                "pid": replica,
                "tid": 0,
                "ts": start / MICRO,
                "dur": (end - start) / MICRO,
                "args": {"steps": steps, "sequences": sequences, "prompt_tokens": prompt},
            }
        )
    for start, replica, sequences, tokens in zip(
        trace.start_s.tolist(), trace.replica.tolist(), trace.sequences.tolist(), trace.kv_tokens.tolist(), strict=True
    ):
        rows.append({"ph": "C", "name": "batch", "pid": replica, "ts": start / MICRO, "args": {"sequences": sequences}})
        rows.append({"ph": "C", "name": "cache", "pid": replica, "ts": start / MICRO, "args": {"tokens": tokens}})
    return json.dumps({"traceEvents": rows, "displayTimeUnit": "ms"}, separators=(",", ":"))
