"""Traces of requests from the files that people have; the format is told from the file itself.

    CSV         Azure's, BurstGPT's, or arrival_s,input_tokens,output_tokens
    JSON lines  Mooncake's, Bailian's, or arrival_s, input_tokens, output_tokens; results of vLLM's benchmark
    JSON        ShareGPT's conversations, requests of inference-perf, a result of vLLM's benchmark

Gzipped or not. A fault is one line that names the file, the row, the value, the rule and the remedy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO, cast

from costline.errors import InputError
from costline.serving.traces.benchmarks import is_vllm_bench, read_inference_perf, read_vllm_bench
from costline.serving.traces.csv_file import read_csv
from costline.serving.traces.files import beginning, readable, whole
from costline.serving.traces.json_lines import Row, keys_of, read_json_lines, rows_of
from costline.serving.traces.sharegpt import TokenCount, read_sharegpt
from costline.serving.traces.trace import Trace


def read_trace(path: str | Path, *, least_requests: int = 1, count_tokens: TokenCount | None = None) -> Trace:
    """The trace in a file; `count_tokens` counts the tokens of a text, for files that hold texts.

    Raises InputError where the file is none of the formats or a row is no request.
    """
    path = Path(path)
    with readable(path) as file:
        trace = _read(file, path, count_tokens)
    if trace.requests < least_requests:
        why = "to see a rate" if least_requests > 1 else "for anything"
        raise InputError(f"trace {path} has {trace.requests} requests; at least {least_requests} are needed {why}")
    return trace


def _read(file: BinaryIO, path: Path, count_tokens: TokenCount | None) -> Trace:
    start = beginning(file).lstrip()
    if start[:1] not in (b"{", b"["):
        return read_csv(file, path)
    if start[:1] == b"{":
        first = _object(start.partition(b"\n")[0])
        keys = keys_of(first) if first else None
        if keys is not None:
            return read_json_lines(file, path, keys)
    return _document(whole(file, path), path, count_tokens)


def _object(line: bytes) -> Row | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast(Row, found) if isinstance(found, dict) else None


def _document(text: bytes, path: Path, count_tokens: TokenCount | None) -> Trace:
    """A file that is one list or object, or the results of several runs, one a line."""
    try:
        found: Any = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise
    except RecursionError:
        raise InputError(f"trace {path} is nested too deeply; give a list of requests") from None
    except ValueError as error:
        lines = text.strip()
        if b"\n" in lines and _object(lines.partition(b"\n")[0]):
            found = rows_of(lines, str(path), 1)
        else:
            said = getattr(error, "msg", "a number too long")
            row = getattr(error, "lineno", 1)
            raise InputError(f"trace {path} row {row}: no JSON ({said}); write it as JSON") from None
    rows: list[Any] = cast(list[Any], found) if isinstance(found, list) else [found]
    first: Row = cast(Row, rows[0]) if rows and isinstance(rows[0], dict) else {}
    if {"conversations", "conversation", "messages"} & first.keys():
        return read_sharegpt(rows, str(path), count_tokens)
    if is_vllm_bench(first):
        return read_vllm_bench(_objects(rows, path), str(path))
    if "start_time" in first:
        return read_inference_perf(rows, str(path))
    raise _unknown(path, first, rows)


def _objects(rows: list[Any], path: Path) -> list[Row]:
    for row, value in enumerate(rows, start=1):
        if not isinstance(value, dict) or not is_vllm_bench(cast(Row, value)):
            raise InputError(f"trace {path} row {row}: {value!r:.40} must be a result of vllm bench; remove it")
    return cast(list[Row], rows)


def _unknown(path: Path, first: Row, rows: list[Any]) -> InputError:
    if not rows:
        return InputError(f"trace {path} has 0 requests; at least 1 is needed for anything")
    if "load_summary" in first:
        said = "is a summary of inference-perf without requests; give its per-request report"
        return InputError(f"trace {path} {said}")
    keys = ", ".join(list(first)[:6]) or f"{rows[0]!r:.40}"
    said = "it must be Mooncake's (timestamp, input_length, output_length), conversations, or a result of a benchmark"
    return InputError(f"trace {path} has objects of {keys}; {said}")
