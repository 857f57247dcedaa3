"""Readers of traces: six kinds of files, gzipped or not, and what each says of a file that is wrong."""

from __future__ import annotations

import csv
import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.errors import InputError
from costline.serving.traces import csv_bytes, files, json_lines, read_trace, trace
from costline.serving.traces.clock import moment_of
from costline.serving.traces.trace import Trace

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
MOONCAKE = '{"timestamp": %s, "input_length": %s, "output_length": %s, "hash_ids": %s}\n'
ROW = MOONCAKE % (0, 600, 5, "[1, 2]")
TRACES = "measured/traces"


def read(folder: Path, text: str | bytes, name: str = "trace", **options: Any) -> Trace:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_trace(path, **options)


def table(found: Trace) -> list[tuple[float, float, float]]:
    columns = (found.start_s + found.arrival_s, found.input_tokens, found.output_tokens)
    return list(zip(*(column.tolist() for column in columns), strict=True))


# What a file says


def test_azure_counts_from_monday(tmp_path: Path):
    # 2023-11-16 was a Thursday
    found = read(tmp_path, AZURE + "2023-11-16 18:15:46.6805900,374,44\n2023-11-16T18:15:50,396,0\n")
    assert (found.format, found.requests) == ("azure", 2)
    assert found.start_s == pytest.approx(3 * 86_400 + 18 * 3600 + 15 * 60 + 46.68059, abs=1e-9)
    assert found.arrival_s.tolist() == [0.0, pytest.approx(3.31941, abs=1e-9)]
    assert (found.input_tokens.tolist(), found.output_tokens.tolist()) == ([374, 396], [44, 0])


@pytest.mark.parametrize("times", [
    ("2024-05-10 00:00:00.009930+00:00", "2024-05-10 00:00:01.009930+00:00"),
    ("2024-05-10T00:00:00.5Z", "2024-05-10T00:00:01.5Z"),
    ("2024-05-10 02:00:00+02:00", "2024-05-10 02:00:01+02:00"),
    ("2023-12-31 23:59:59", "2024-01-01 00:00:00"),
    ("2024-02-29 23:59:59.25", "2024-03-01 00:00:00.25"),
    ("0.5", "1.5"), ("7", "8.000"), ("1e3", "1001"), (" 5", "6 "), ("000000000000000000007", "8"),
])  # fmt: skip
def test_a_second_is_a_second_however_it_is_written(tmp_path: Path, times: tuple[str, str]):
    found = read(tmp_path, AZURE + "".join(f"{one},10,1\n" for one in times))
    assert found.arrival_s.tolist() == [0.0, pytest.approx(1.0, abs=1e-6)]


def test_burstgpt_leaves_out_what_failed(tmp_path: Path):
    rows = "5,ChatGPT,472,18,490,Conversation log\n45.5,GPT-4,30,0,30,API log\n118,ChatGPT,1087,230,1317,API log\n"
    found = read(tmp_path, BURST + rows)
    assert (found.format, found.notes) == ("burstgpt", ("1 requests without an answer are left out",))
    assert table(found) == [(5, 472, 18), (118, 1087, 230)]


def test_columns_are_found_by_name(tmp_path: Path):
    text = '﻿Output_Tokens,who,arrival_s,INPUT_TOKENS\r\n4,"a, b",0,10\r\n6,c,2.5,20'
    assert table(read(tmp_path, text)) == [(0, 10, 4), (2.5, 20, 6)]


def test_mooncake_has_milliseconds_and_blocks_of_512(tmp_path: Path):
    text = ROW + MOONCAKE % (27_482, 6955, 52, [1, *range(10, 23)])
    found = read(tmp_path, text)
    assert (found.format, found.arrival_s.tolist()) == ("mooncake", [0.0, 27.482])
    assert found.prefixes is not None
    assert np.asarray(found.prefixes.start).tolist() == [0, 2, 16]
    assert found.prefixes.item[0] == found.prefixes.item[2]
    assert np.asarray(found.prefixes.tokens)[:3].tolist() == [512, 88, 512]
    assert np.asarray(found.prefixes.tokens)[2:].sum() == 6955


def test_bailian_follows_chats_by_their_parent(tmp_path: Path):
    rows = [(1, -1, 0.5, 40), (2, -1, 1.0, 16), (3, 1, 2.0, 60), (4, 3, 2.5, 64)]
    text = "".join(
        json.dumps({
            "chat_id": chat, "parent_chat_id": parent, "timestamp": when, "input_length": tokens, "output_length": 9,
            "hash_ids": list(range(100 * chat, 100 * chat + -(-tokens // 16))),
        }) + "\n"
        for chat, parent, when, tokens in rows
    )  # fmt: skip
    found = read(tmp_path, text)
    assert found.format == "bailian"
    assert found.session is not None
    assert found.session.tolist() == [0, 1, 0, 0]
    assert found.arrival_s.tolist() == [0, 0.5, 1.5, 2.0]


def test_our_own_lines_name_sessions(tmp_path: Path):
    rows = [
        {"arrival_s": k, "input_tokens": 10, "output_tokens": 2, "session_id": name} for k, name in enumerate("abca")
    ]
    del rows[1]["session_id"]
    found = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert (found.format, found.prefixes) == ("costline", None)
    assert found.session is not None
    assert found.session.tolist() == [0, 1, 2, 0]


CHATS = [
    {"id": "a", "conversations": [
        {"from": "system", "value": "x" * 40},
        {"from": "human", "value": "x" * 400}, {"from": "gpt", "value": "x" * 80},
        {"from": "human", "value": "x" * 4}, {"from": "gpt", "value": "x" * 8},
    ]},
    {"messages": [{"role": "user", "content": "x" * 9}, {"role": "assistant", "content": ""}]},
]  # fmt: skip


def test_sharegpt_sends_all_that_was_said(tmp_path: Path):
    found = read(tmp_path, json.dumps(CHATS, indent=1))
    assert (found.format, found.timed) == ("sharegpt", False)
    assert found.input_tokens.tolist() == [110, 110 + 20 + 1, 3]
    assert found.output_tokens.tolist() == [20, 2, 1]
    assert found.session is not None
    assert found.session.tolist() == [0, 0, 1]
    assert found.notes == ("tokens are counted as 4 characters each, assumed",)


def test_sharegpt_with_a_tokenizer(tmp_path: Path):
    found = read(tmp_path, json.dumps(CHATS), count_tokens=lambda text: float(len(text)))
    assert (found.input_tokens.tolist(), found.notes) == ([440, 524, 9], ())


def run(starts: list[float] | None, **more: Any) -> dict[str, Any]:
    found = {
        "request_throughput": 1.0, "total_input_tokens": 60, "max_concurrency": 2,
        "input_lens": [10, 20, 30], "output_lens": [3, 0, 1], "ttfts": [0.5, 0.0, 0.25],
        "itls": [[0.1, 0.2], [], []], "errors": ["", "timeout", ""],
    } | more  # fmt: skip
    return found if starts is None else {**found, "start_times": starts}


def test_vllm_bench_says_how_requests_fared(tmp_path: Path):
    found = read(tmp_path, json.dumps(run([1007.0, 1005.0, 1006.0])))
    assert (found.format, found.concurrency) == ("vllm-bench", 2)
    assert found.notes == ("1 failed requests are left out",)
    assert table(found) == [(0, 30, 1), (1, 10, 3)]
    assert found.measured is not None
    assert found.measured.ttft_s.tolist() == [0.25, 0.5]
    assert found.measured.e2e_s.tolist() == [0.25, pytest.approx(0.8)]


def test_vllm_bench_runs_follow_each_other(tmp_path: Path):
    lines = [json.dumps(run([0.0, 1.0, 4.0])), json.dumps(run([9.0, 9.0, 9.0], max_concurrency=4))]
    found = read(tmp_path, "\n".join(lines))
    assert found.stage is not None
    assert (found.stage.tolist(), found.concurrency) == ([0, 0, 1, 1], None)
    assert found.arrival_s.tolist() == [0, 4, 4.25, 4.25]


def test_vllm_bench_without_times_knows_lengths(tmp_path: Path):
    found = read(tmp_path, json.dumps(run(None)))
    assert (found.timed, found.input_tokens.tolist()) == (False, [10, 30])
    assert "the file has no start_times, so only its lengths are known" in found.notes


def perf(start: float, end: float, *, error: Any = None, first: float | None = None) -> dict[str, Any]:
    info = {"input_tokens": 12, "output_tokens": 3, "output_token_times": [] if first is None else [first, end]}
    return {"start_time": start, "end_time": end, "info": info, "error": error}


def test_inference_perf_requests(tmp_path: Path):
    rows = [perf(103.0, 105.0, first=103.5), perf(101.0, 102.0), perf(102.0, 102.1, error={"error_type": "x"})]
    found = read(tmp_path, json.dumps(rows))
    assert (found.format, found.start_s, found.requests) == ("inference-perf", 101.0, 2)
    assert found.notes == ("1 failed requests are left out",)
    assert found.measured is not None
    assert found.measured.e2e_s.tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(found.measured.ttft_s, [np.nan, 0.5])


@pytest.mark.parametrize("text", [
    AZURE + "0,1,2\n1,3,4\n", ROW * 2, json.dumps(CHATS), json.dumps(run([0.0, 1.0, 2.0])),
])  # fmt: skip
def test_gzip_changes_nothing(tmp_path: Path, text: str):
    plain, zipped = read(tmp_path, text), read(tmp_path, gzip.compress(text.encode()), "zipped")
    assert table(plain) == table(zipped)


def test_pieces_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [(k / 4, 100 + k, k % 7) for k in range(500)]
    lines = AZURE + "".join(f"{when},{prompt},{answer}\n" for when, prompt, answer in rows)
    objects = "".join(MOONCAKE % (when * 1000, prompt, answer, [prompt]) for when, prompt, answer in rows)
    monkeypatch.setattr(files, "PIECE_BYTES", 113)
    assert table(read(tmp_path, lines)) == rows
    assert table(read(tmp_path, objects, "other")) == rows
    assert table(read(tmp_path, lines.replace("\n", "\r\n"))) == rows
    assert table(read(tmp_path, gzip.compress(lines.encode()))) == rows


# Plain lines by column are what rows are


def by_rows(folder: Path, rows: list[list[str]]) -> list[tuple[float, float, float]] | str:
    """Read with a quote in each row, so that the reader of rows has it."""
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(AZURE.strip() + ",more\n")
        csv.writer(file, lineterminator="\n").writerows([*row, '"'] for row in rows)
    return outcome(path)


def outcome(path: Path) -> list[tuple[float, float, float]] | str:
    try:
        return table(read_trace(path))
    except InputError as error:
        return str(error).partition(": ")[2]


CELL = st.one_of(
    st.integers(0, 10**10).map(str),
    st.floats(0, 1e6, allow_nan=False).map(repr),
    st.text("0123456789.-+eE: TZ", min_size=0, max_size=6),
    st.datetimes().map(str),
)


@settings(max_examples=300)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL).map(list), min_size=1, max_size=3))
def test_columns_and_rows_read_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]):
    folder = tmp_path_factory.mktemp("same")
    path = folder / "columns.csv"
    path.write_text(AZURE + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    plain, careful = outcome(path), by_rows(folder, rows)
    if isinstance(plain, str) or isinstance(careful, str):
        assert plain == careful
    else:
        np.testing.assert_allclose(plain, careful, rtol=1e-12, atol=2e-6)


@given(st.lists(st.datetimes(), min_size=1, max_size=4))
def test_dates_are_the_calendars(moments: list[Any]):
    lines = "".join(f"{moment:%m-%d %H:%M:%S}.{moment.microsecond:06d},1\n" for moment in moments)
    lines = "".join(f"{moment.year:04d}-{line}\n" for moment, line in zip(moments, lines.splitlines(), strict=True))
    plain = csv_bytes.table(lines.encode(), 2)
    assert plain is not None
    found = plain.dates(0)
    assert found is not None
    for moment, day, second in zip(moments, *found, strict=True):
        assert day == moment.toordinal() - 719_163  # days from 0001-01-01 to 1970-01-01
        assert second == pytest.approx(
            (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
        )


# Files that are wrong

WRONG_CSV = [
    ("", "row 1='' must be the header TIMESTAMP,ContextTokens,GeneratedTokens"),
    ("\n\n", "row 1='' must be the header"),
    ("a,b,c\n1,2,3\n", "row 1='a,b,c' must be the header"),
    ("TIMESTAMP,ContextTokens\n1,2\n", "must be the header"),
    ("TIMESTAMP,ContextTokens,ContextTokens,GeneratedTokens\n1,2,3,4\n", "must be the header"),
    ('TIMESTAMP,"Context\n', "row 1: unexpected end of data; correct its quotes"),
    (AZURE, "has 0 requests; at least 1 are needed"),
    (AZURE + "0,1,2\n1,-1,2\n", "row 3: ContextTokens='-1' must be a whole number of tokens; correct it"),
    (AZURE + "0,1,2\n1,1,2.5\n", "row 3: GeneratedTokens='2.5' must be a whole number"),
    (AZURE + "0,1,2\n1,1,2.0\n", "row 3: GeneratedTokens='2.0' must be a whole number"),
    (AZURE + "0,nan,2\n", "row 2: ContextTokens='nan' must be a whole number"),
    (AZURE + "0,1,\n", "row 2: GeneratedTokens='' must be a whole number"),
    (AZURE + "0,1000000000,2\n", "row 2: ContextTokens='1000000000' is more than a request can hold (100,000,000"),
    (AZURE + f"0,{'9' * 500},2\n", "is more than a request can hold"),
    (AZURE + "0,1,2\n5,1,2\n4,1,2\n", "row 4: its time is before that of row 3; sort the rows by time"),
    (AZURE + "2023-01-02 00:00:00,1,2\n2023-01-01 00:00:00,1,2\n", "row 3: its time is before that of row 2"),
    (AZURE + "0,1,2\n1,2\n", "row 3 has 2 fields; it must have 3"),
    (AZURE + "0,1,2\n\n1,2,3\n", "row 3 has 0 fields"),
    (AZURE + "0,1,2,3\n", "row 2 has 4 fields"),
    (AZURE + "0,1,2\n-1,1,2\n", "row 3: TIMESTAMP='-1' must be seconds >= 0"),
    (AZURE + "0,1,2\nnan,1,2\n", "row 3: TIMESTAMP='nan' must be seconds >= 0"),
    (AZURE + "0,1,2\ninf,1,2\n", "row 3: TIMESTAMP='inf' must be seconds >= 0"),
    (AZURE + "0,1,2\n99999999999999,1,2\n", "row 3: TIMESTAMP='99999999999999' must be seconds"),
    (AZURE + "0,1,2\n2023-01-01,1,2\n", "row 3: TIMESTAMP='2023-01-01' must be seconds >= 0, as in the first row"),
    (AZURE + "2023-01-01 00:00:00,1,2\n5,1,2\n", "row 3: TIMESTAMP='5' is no date and time; write for example"),
    (AZURE + "2023-02-30 00:00:00,1,2\n", "row 2: TIMESTAMP='2023-02-30 00:00:00' is no date and time"),
    (AZURE + "2023-01-01 24:00:00,1,2\n", "is no date and time"),
    (AZURE + "yesterday,1,2\n", "row 2: TIMESTAMP='yesterday' is no date and time"),
    (AZURE + '"0,1,2\n', "row 2: unexpected end of data; correct its quotes"),
    (AZURE + f'0,"{"1" * 200_000}",2\n', "row 2: field larger than field limit"),
    (BURST + "0,GPT-4,1,0,1,API log\n", "has 0 requests; at least 1 are needed"),
    (BURST + "0,GPT-4,x,0,1,API log\n", "row 2: Request tokens='x' must be a whole number"),
    (b"\xff\xfe\x00", "is not UTF-8 text; save it as UTF-8"),
    (AZURE.encode() + b"0,\xe91,2\n", "is not UTF-8 text"),
]
WRONG_JSON = [
    (ROW + "{\n", "row 2: '{' is no JSON"),
    (ROW + "\n" + ROW, "row 2: '' is no JSON"),
    (ROW + "[1]\n", "row 2: '[1]' must be an object; write one object a line"),
    (ROW + "{}, {}\n", "row 2: '{}, {}' is no JSON (Extra data)"),
    (ROW + '{"timestamp": 1}\n', "row 2: input_length is missing; give a number"),
    (ROW + MOONCAKE % ('"1"', 1, 1, []), "row 2: timestamp='1' must be a number; correct it"),
    (ROW + MOONCAKE % ("true", 1, 1, []), "row 2: timestamp=True must be a number"),
    (ROW + MOONCAKE % ("NaN", 1, 1, []), "row 2: timestamp='nan' must be a time >= 0"),
    (ROW + MOONCAKE % (-5, 1, 1, []), "row 2: timestamp='-5' must be a time >= 0"),
    (ROW + MOONCAKE % ("1e400", 1, 1, []), "row 2: timestamp='inf' must be a time"),
    (ROW + MOONCAKE % ("1" + "0" * 400, 1, 1, []), "row 2: timestamp=1000"),
    (ROW + MOONCAKE % ("1" * 5000, 1, 1, []), "is no JSON (a number too long)"),
    (ROW + MOONCAKE % (1, -3, 1, []), "row 2: input_length='-3' must be a whole number of tokens >= 0"),
    (ROW + MOONCAKE % (1, 1.5, 1, []), "row 2: input_length='1.5' must be a whole number"),
    (ROW + MOONCAKE % (1, 10**9, 1, []), "row 2: input_length='1000000000' is more than a request can hold"),
    (ROW + MOONCAKE % (1, 1, "null", []), "row 2: output_length is missing"),
    (ROW + MOONCAKE % (1, 1, 1, 7), "row 2: hash_ids=7 must be a list of whole numbers"),
    (ROW + MOONCAKE % (1, 1, 1, '["a"]'), "row 2: hash_ids holds 'a'; it must hold whole numbers"),
    (ROW + MOONCAKE % (1, 1, 1, [2**70]), "row 2: hash_ids holds 1180591620717411303424"),
    (ROW + MOONCAKE % (1, 512, 1, [1, 2]), "row 2: hash_ids has 2 blocks of 512 tokens for input_length=512, too many"),
    (MOONCAKE % (5, 1, 1, []) + MOONCAKE % (4, 1, 1, []), "row 2: its time is before that of row 1"),
    ("[" * 100_000, "is nested too deeply"),
    ('{"a": 1', "row 1: no JSON"),
    ("[]", "has 0 requests"),
    ("[1, 2]", "it must be Mooncake's"),
    ('[{"x": 1}]', "has objects of x; it must be Mooncake's"),
    ('{"load_summary": {}, "successes": {}}', "is a summary of inference-perf without requests"),
    ('[{"conversations": []}]', "has no answers in its 1 conversations"),
    ('[{"conversations": [{"from": "elf", "value": "x"}]}]', "row 1: from='elf' must be one of human, gpt and system"),
    ('[{"conversations": [{"from": "gpt"}]}]', "row 1: {'from': 'gpt'} must be a turn with from and value"),
    ('[{"conversations": []}, 5]', "row 2: 5 must be an object with conversations"),
    ('{"request_throughput": 1, "total_input_tokens": 2}', "save the run again with --save-detailed"),
    (json.dumps(run([0.0])), "row 1: start_times has 1 elements, input_lens 3; give one a request"),
    (json.dumps(run([0.0, 1.0, 2.0], itls=[[]])), "row 1: itls has 1 elements, ttfts 3"),
    (json.dumps(run([0.0, 1.0, 2.0], input_lens=[1, 2, "x"])), "input_lens='x' must be a number"),
    (json.dumps([run([0.0, 1.0, 2.0]), 3]), "row 2: 3 must be a result of vllm bench"),
    (json.dumps([perf(5, 4)]), "row 1: end_time=4 must not be before start_time=5"),
    (json.dumps([perf(5, 6), {"start_time": 7, "end_time": 8}]), "row 2: input_tokens is missing"),
    (json.dumps([perf(5, 6, error="x")]), "has 1 requests and all failed"),
    (b'{"timestamp": 0, "\xff": 1}\n', "is not UTF-8"),
]


@pytest.mark.parametrize(
    ("text", "words"), WRONG_CSV + WRONG_JSON, ids=[words[:50] for _, words in WRONG_CSV + WRONG_JSON]
)
def test_a_fault_is_one_line_with_file_and_row(tmp_path: Path, text: str | bytes, words: str):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert words in message
    assert str(tmp_path / "trace") in message
    assert "\n" not in message
    assert len(message) < 500 + len(str(tmp_path))


def test_faults_of_files(tmp_path: Path):
    zipped = gzip.compress((AZURE + "0,1,2\n" * 1000).encode())
    wrong = [
        (zipped[:-20], "is cut off: its gzip data have no end; copy the file again"),
        (zipped[:40] + b"\x00" * 20 + zipped[60:], "is no sound gzip file"),
        (b"\x1f\x8b\x07" + zipped[3:], "is no sound gzip file"),
    ]
    for data, words in wrong:
        with pytest.raises(InputError, match=words):
            read(tmp_path, data)
    with pytest.raises(InputError, match="does not exist; check the path"):
        read_trace(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a directory; give a file"):
        read_trace(tmp_path)
    with pytest.raises(InputError, match="is not a regular file"):
        read_trace(os.devnull)
    with pytest.raises(InputError, match="has 1 requests; at least 2 are needed to see a rate"):
        read(tmp_path, AZURE + "0,1,2\n", least_requests=2)


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trace, "MOST_ROWS", 3)
    for text in (AZURE + "0,1,2\n" * 4, ROW * 4):
        with pytest.raises(InputError, match="has more than 3 rows; cut it"):
            read(tmp_path, text)
    monkeypatch.setattr(files, "PIECE_BYTES", 64)
    monkeypatch.setattr(files, "LONGEST_LINE_BYTES", 256)
    with pytest.raises(InputError, match="has a line of more than 256 bytes; give one line a request"):
        read(tmp_path, AZURE + "0" * 1000)
    monkeypatch.setattr(files, "MOST_DOCUMENT_BYTES", 10)
    with pytest.raises(InputError, match="is one document of more than 10 bytes; split it"):
        read(tmp_path, json.dumps(CHATS))


def test_a_moment_beyond_the_calendar_is_none():
    assert moment_of("9999-12-31 23:59:59-10:00") is None
    assert moment_of("2024-01-01 00:00:00+01:00").isoformat() == "2023-12-31T23:00:00"  # type: ignore[union-attr]


def test_a_row_keeps_its_number_over_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "PIECE_BYTES", 40)
    with pytest.raises(InputError, match="row 52: ContextTokens='x'"):
        read(tmp_path, AZURE + "0,1,2\n" * 50 + "0,x,2\n")
    with pytest.raises(InputError, match="row 51: input_length is missing"):
        read(tmp_path, ROW * 50 + '{"timestamp": 1}\n')
    assert json_lines.rows_of(b"", "x", 1) == []


# Measured traces


@pytest.mark.measured
@pytest.mark.parametrize(("name", "rows", "format_", "mean"), [
    # rows of the folder's README; mean prompts of the catalogue's workloads
    ("AzureLLMInferenceTrace_code_2023.csv", 8_819, "azure", 2047.8),
    ("AzureLLMInferenceTrace_conv_2023.csv", 19_366, "azure", 1154.7),
    ("mooncake_fast25_conversation_trace.jsonl.gz", 12_031, "mooncake", 12035.1),
    ("mooncake_fast25_synthetic_trace.jsonl.gz", 3_993, "mooncake", 15325.5),
])  # fmt: skip
def test_measured_traces_are_read_whole_and_fast(shared: Path, name: str, rows: int, format_: str, mean: float):
    path = shared / TRACES / name
    begun = time.perf_counter()
    found = read_trace(path)
    spent = time.perf_counter() - begun
    assert (found.requests, found.format) == (rows, format_)
    assert float(np.mean(found.input_tokens)) == pytest.approx(mean, abs=0.05)
    assert spent < 2.0


@pytest.mark.measured
def test_an_azure_trace_is_what_a_csv_reader_sees(shared: Path):
    path = shared / TRACES / "AzureLLMInferenceTrace_conv_2023.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = read_trace(path)
    assert found.input_tokens.tolist() == [float(row["ContextTokens"]) for row in rows]
    assert found.output_tokens.tolist() == [float(row["GeneratedTokens"]) for row in rows]
    first, last = (moment_of(rows[place]["TIMESTAMP"]) for place in (0, -1))
    assert first is not None
    assert last is not None
    assert found.arrival_s[-1] == pytest.approx((last - first).total_seconds(), abs=2e-6)
