"""What benchmark clients saved: `vllm bench serve --save-result --save-detailed`, and requests of inference-perf.

Both say how requests fared, too. Failed requests are left out and counted.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, cast

import numpy as np

from costline.errors import InputError
from costline.quantities import Array, as_array
from costline.serving.traces.json_lines import Row, numbers
from costline.serving.traces.trace import Measured, Trace, check_counts, check_times, fault

_UNKNOWN = float("nan")


def is_vllm_bench(row: Row) -> bool:
    """Whether an object is the result of one run."""
    return "input_lens" in row or {"request_throughput", "total_input_tokens"} <= row.keys()


def read_vllm_bench(runs: list[Row], path: str) -> Trace:
    """The requests of the runs in one file, each run a stage of its own that begins where the one before ended."""
    parts = [_run(run, path, number) for number, run in enumerate(runs, start=1)]
    timed = all(part.timed for part in parts)
    starts = np.concatenate([[0.0], np.cumsum([_end(part) for part in parts])])
    failed = sum(len(run["input_lens"]) for run in runs) - sum(part.requests for part in parts)
    limits = {run.get("max_concurrency") for run in runs}
    limit = limits.pop() if len(limits) == 1 else None
    notes = (f"{failed:,} failed requests are left out",) if failed else ()
    if not timed:
        notes += ("the file has no start_times, so only its lengths are known",)
    measured = [part.measured for part in parts if part.measured is not None]
    return Trace(
        path, "vllm-bench", 0.0,
        np.concatenate([part.arrival_s + start for part, start in zip(parts, starts[:-1], strict=True)]),
        np.concatenate([part.input_tokens for part in parts]),
        np.concatenate([part.output_tokens for part in parts]),
        timed=timed,
        stage=np.repeat(np.arange(len(parts)), [part.requests for part in parts]),
        measured=Measured(
            np.concatenate([one.ttft_s for one in measured]), np.concatenate([one.e2e_s for one in measured])
        ) if len(measured) == len(parts) else None,
        concurrency=float(limit) if isinstance(limit, int | float) and limit > 0 else None,
        notes=notes,
    )  # fmt: skip


def _run(run: Row, path: str, number: int) -> Trace:
    inputs, outputs = (_column(run, name, path, number) for name in ("input_lens", "output_lens"))
    if inputs is None or outputs is None:
        raise fault(path, number, "has no input_lens and output_lens; save the run again with --save-detailed")
    rows = np.full(inputs.size, number)
    starts, ttfts = _column(run, "start_times", path, number), _column(run, "ttfts", path, number)
    for name, values in (("output_lens", outputs), ("start_times", starts), ("ttfts", ttfts)):
        if values is not None and values.size != inputs.size:
            raise fault(
                path, number, f"{name} has {values.size} elements, input_lens {inputs.size}; give one a request"
            )
    check_counts(path, "input_lens", inputs, rows)
    check_counts(path, "output_lens", outputs, rows)
    errors = run.get("errors") or [""] * inputs.size
    kept = (outputs > 0) & np.array([not error for error in errors], bool)
    times = np.zeros(inputs.size) if starts is None else starts - np.min(starts[kept], initial=np.inf)
    times[~kept] = 0.0
    check_times(path, "start_times", times, rows)
    order = np.flatnonzero(kept)[np.argsort(times[kept], kind="stable")]
    measured = _measured(run, ttfts, path, number)
    return Trace(
        path, "vllm-bench", 0.0, times[order], inputs[order], outputs[order], timed=starts is not None,
        measured=None if measured is None else Measured(measured.ttft_s[order], measured.e2e_s[order]),
    )  # fmt: skip


def _column(run: Row, name: str, path: str, number: int) -> Array | None:
    values = run.get(name)
    if values is None:
        return None
    if not isinstance(values, list):
        raise fault(path, number, f"{name}={values!r:.40} must be a list; correct it")
    return numbers(path, name, cast(list[Any], values), number)


def _measured(run: Row, ttfts: Array | None, path: str, number: int) -> Measured | None:
    gaps = run.get("itls")
    if ttfts is None or not isinstance(gaps, list):
        return None
    lists = [cast(list[Any], one) if isinstance(one, list) else [] for one in cast(list[Any], gaps)]
    if len(lists) != ttfts.size:
        raise fault(path, number, f"itls has {len(lists)} elements, ttfts {ttfts.size}; give one list a request")
    flat = numbers(path, "itls", list(chain.from_iterable(lists)), number)
    sums = np.concatenate([[0.0], np.cumsum(flat)])
    counts = np.array([len(one) for one in lists], np.int64)
    ends = np.cumsum(counts)
    return Measured(ttfts, ttfts + sums[ends] - sums[ends - counts])


def _end(part: Trace) -> float:
    """When the last request of a run was answered, as far as is known."""
    if not part.requests:
        return 0.0
    service = 0.0 if part.measured is None else part.measured.e2e_s
    return float(np.max(part.arrival_s + service))


def read_inference_perf(document: list[Any], path: str) -> Trace:
    """The requests of a per-request report of inference-perf."""
    kept: list[tuple[float, float, float, float, float]] = []
    for row, entry in enumerate(document, start=1):
        found = cast(Row, entry) if isinstance(entry, dict) else {}
        if not _failed(entry):
            kept.append(_request(found, path, row))
    if not kept:
        raise InputError(f"trace {path} has {len(document):,} requests and all failed; give a run that succeeded")
    table = as_array(kept)
    times, ends, firsts, inputs, outputs = (table[:, place] for place in range(5))
    rows = np.flatnonzero([not _failed(entry) for entry in document]) + 1
    start = float(np.min(times))
    check_times(path, "start_time", times - start, rows)
    check_counts(path, "input_tokens", inputs, rows)
    check_counts(path, "output_tokens", outputs, rows)
    order = np.argsort(times, kind="stable")
    failed = len(document) - len(kept)
    return Trace(
        path, "inference-perf", start, (times - start)[order], inputs[order], outputs[order],
        measured=Measured((firsts - times)[order], (ends - times)[order]),
        notes=(f"{failed:,} failed requests are left out",) if failed else (),
    )  # fmt: skip


def _failed(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(cast(Row, entry).get("error"))


def _request(found: Row, path: str, row: int) -> tuple[float, float, float, float, float]:
    info = found.get("info")
    about = cast(Row, info) if isinstance(info, dict) else {}
    stamps = about.get("output_token_times")
    firsts: list[Any] = cast(list[Any], stamps)[:1] if isinstance(stamps, list) else []
    named = {
        "start_time": found.get("start_time"), "end_time": found.get("end_time"),
        "output_token_times": firsts[0] if firsts else _UNKNOWN,
        "input_tokens": about.get("input_tokens"), "output_tokens": about.get("output_tokens"),
    }  # fmt: skip
    start, end, first, inputs, outputs = (float(numbers(path, name, [one], row)[0]) for name, one in named.items())
    if not np.isfinite(start) or not end >= start:
        raise fault(path, row, f"end_time={end:g} must not be before start_time={start:g}; correct them")
    return start, end, first, inputs, outputs
