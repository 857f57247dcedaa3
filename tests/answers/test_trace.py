"""trace: what a file of requests holds, and that a workload made from it is like it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costline.answers.read_scenario import read_scenario
from costline.answers.simulate.load import drawn_requests
from costline.answers.trace import trace
from costline.errors import InputError


@pytest.fixture
def even(tmp_path: Path) -> Path:
    path = tmp_path / "even.csv"
    rows = "".join(f"{i / 4},{100 + i},{10 + i % 7}\n" for i in range(81))
    path.write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    return path


def test_a_trace_in_numbers(even: Path):
    found = trace(even).to_dict()
    assert (found["question"], found["format"], found["requests"]) == ("trace", "costline", 81)
    assert found["path"] == str(even)
    come = found["arrivals"]
    assert (come["span_s"], come["requests_per_s"], come["gap_cv"]) == (20.0, 4.0, 0.0)
    assert found["input_tokens"]["mean"] == 140
    assert found["input_tokens"]["quantiles"]["p50"] == 140
    assert (found["input_tokens"]["least"], found["input_tokens"]["most"]) == (100, 180)
    assert (found["reuse"], found["little"], found["sessions"]) == (None, None, None)
    assert found["workload"]["request_rate"] == 4


def test_tables_and_words(even: Path):
    answer = trace(even)
    assert [table.title for table in answer.tables] == [
        f"{even} (costline): 81 requests", "When they come and what repeats",
    ]  # fmt: skip
    shown = {row["what"]: row["value"] for row in answer.table(1).rows}
    assert (shown["duration"], shown["rate"], shown["burstiness"]) == ("20 s", "4/s", "0")
    assert "does not say" in str(answer.table(1))
    assert "A workload like it: {input_tokens: {mean: 140, cv: 0.167}" in answer.summary
    assert set(answer.charts) == {"lengths", "rate"}


def test_blocks_that_repeat_are_told(tmp_path: Path):
    path = tmp_path / "m.jsonl.gz"
    rows = [
        {"timestamp": 1000 * i, "input_length": 1024, "output_length": 10, "hash_ids": [7, 100 + i]} for i in range(10)
    ]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    found = trace(path)
    assert found.data["reuse"]["best_hit_rate"] == pytest.approx(0.45)  # half of all but the first
    assert found.data["workload"]["prefix"] == {"cached_tokens": 460.0}
    assert found.data["workload"]["output_tokens"] == 10
    assert "45 % of prompt tokens" in str(found.table(1))


def test_a_run_that_does_not_add_up_is_told(tmp_path: Path):
    run = {
        "max_concurrency": 4, "input_lens": [100] * 400, "output_lens": [11] * 400,
        "start_times": [0.5 * k for k in range(400)], "ttfts": [0.5] * 400, "itls": [[0.25] * 10] * 400,
    }  # fmt: skip
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run), encoding="utf-8")
    found = trace(path)
    assert found.data["little"]["mean_e2e_s"] == pytest.approx(3.0)
    assert "does not fit" in str(found.table(1))
    assert "Little's law: 6 requests are in flight at once, more than the concurrency=4 stated." in found.summary


def test_conversations_without_times(tmp_path: Path):
    path = tmp_path / "chats.json"
    turns = '{"from": "human", "value": "abcdefgh"}, {"from": "gpt", "value": "abcd"}'
    path.write_text(f'[{{"conversations": [{turns}, {turns}]}}, {{"conversations": [{turns}]}}]', encoding="utf-8")
    found = trace(path)
    assert (found.data["arrivals"], found.data["sessions"], found.data["turns_per_session"]) == (None, 2, 1.5)
    assert "request_rate" not in found.data["workload"]
    assert "2, 1.5 turns each" in str(found.table(1))
    assert set(found.charts) == {"lengths"}


def test_one_request_is_a_trace_too(tmp_path: Path):
    path = tmp_path / "one.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,5,7\n", encoding="utf-8")
    found = trace(path).to_dict()
    assert (found["arrivals"]["requests_per_s"], found["rank_correlation"]) == (None, None)
    assert found["workload"] == {"input_tokens": 5, "output_tokens": 7}


def test_a_workload_like_a_trace_is_like_it(shared: Path):
    path = shared / "measured/traces/AzureLLMInferenceTrace_code_2023.csv"
    known = trace(path).data
    work: dict[str, Any] = known["workload"]
    asked = read_scenario(model={"id": "llama-3.1-8b"}, workload={**work, "requests": 40_000})
    found = drawn_requests(asked.workload, 8, 16).requests
    gaps = np.diff(found.arrival_s)
    assert 1 / float(np.mean(gaps)) == pytest.approx(known["arrivals"]["requests_per_s"], rel=0.15)
    assert float(np.std(gaps) / np.mean(gaps)) == pytest.approx(known["arrivals"]["gap_cv"], rel=0.2)
    for mine, name in ((found.input_tokens, "input_tokens"), (found.output_tokens, "output_tokens")):
        assert float(np.mean(mine)) == pytest.approx(known[name]["mean"], rel=0.05)


@pytest.mark.parametrize(("text", "words"), [
    (None, "does not exist; check the path"),
    ("", "must be the header"),
    ("a,b\n1,2\n", "t.csv"),
    ("arrival_s,input_tokens,output_tokens\n0,-5,7\n", "row 2"),
    ("arrival_s,input_tokens,output_tokens\n5,5,7\n1,5,7\n", "sort the rows by time"),
    ("{}", "t.csv"),
    ("[]", "has 0 requests"),
])  # fmt: skip
def test_files_that_are_no_trace(tmp_path: Path, text: str | None, words: str):
    path = tmp_path / "t.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        trace(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
