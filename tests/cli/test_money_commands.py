"""`costline compare` and `costline bill` from the outside: output, files, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from costline.render import json_text

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "examples/api-vs-own.yml"
BILL = """
model: {id: llama-3.3-70b}
system: {accelerator: h100-sxm, max_accelerators: 8}
workload: {input_tokens: 1155, output_tokens: 211, request_rate: 6}
bill:
  api: [{provider: groq}, {provider: together}, {provider: novita}]
"""


def test_compare_prints_a_decision_that_can_be_defended(run_cli: Callable[..., Any]):
    done = run_cli("compare", EXAMPLE, "--sources")
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    for words in (
        "Break-even: owning beats the API from", "Break-even: owning beats renting from", "It hangs on: 1. ", "; 3. ",
        "corners of the assumptions", "Prices of: API price 20", "OLDER THAN 90 DAYS", "Owning asks for",
        "money.own.owned_usd_per_hour",
    ):  # fmt: skip
        assert words in text
    assert "None" not in text
    assert "nan" not in text.lower().split()


def test_compare_writes_what_it_says(run_cli: Callable[..., Any], tmp_path: Path):
    done = run_cli("compare", EXAMPLE, "--json", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert (tmp_path / "result.json").read_text(encoding="utf-8") == json_text(data)
    assert {"options", "decision", "break_even", "hangs_on", "cash_flow", "prices", "assumptions"} <= data.keys()
    assert len(data["hangs_on"]) == 3
    names = {path.name for path in tmp_path.iterdir()}
    assert {"table.csv", "cash_flow.csv", "volume.svg", "volume.html", "utilization.svg", "cash_flow.svg"} <= names
    flow = (tmp_path / "cash_flow.csv").read_text(encoding="utf-8").splitlines()
    assert len(flow) == 1 + 1 + data["scenario"]["compare"]["months"]


def test_bill_prints_ways_side_by_side(run_cli: Callable[..., Any], tmp_path: Path):
    path = tmp_path / "bill.yml"
    path.write_text(BILL, encoding="utf-8")
    done = run_cli("bill", path)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("API, groq", "API, together", "API, novita", "owned", "rented on-demand", "rented as a mix", "CO2e"):
        assert words in done.stdout
    data = json.loads(run_cli("bill", path, "--json", "--out", tmp_path / "out").stdout)
    assert [row["usd_per_month"] for row in data["bills"]] == sorted(row["usd_per_month"] for row in data["bills"])
    assert (tmp_path / "out" / "bill.svg").is_file()
    assert (tmp_path / "out" / "bills.csv").is_file()


def test_a_trace_lies_beside_its_scenario(run_cli: Callable[..., Any], tmp_path: Path):
    (tmp_path / "t.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n0,100,10\n1,200,20\n", encoding="utf-8")
    text = BILL.replace("workload: {input_tokens: 1155, output_tokens: 211, request_rate: 6}\n", "")
    (tmp_path / "bill.yml").write_text(text.rstrip() + "\n  trace: t.csv\n", encoding="utf-8")
    data = json.loads(run_cli("bill", tmp_path / "bill.yml", "--json").stdout)
    assert data["volume"]["trace"]["requests"] == 2


@pytest.mark.parametrize(("command", "text", "code", "words"), [
    ("compare", "compare: {own: {yeers: 3}}\n", 2, "unknown key 'compare.own.yeers'; nearest: years"),
    ("compare", "slo: {tpot_p99_ms: 0.5}\n", 3, "excludes every deployment"),
    ("bill", "bill: {trace: t.csv}\n", 2, "give workload or bill.trace='t.csv', not both"),
    ("bill", "bill: {usrs: 3}\n", 2, "unknown key 'bill.usrs'; nearest: users"),
    ("bill", "bill: {redundancy: {availability: 0.999999, common_share: 0.9}}\n", 3, "out of reach"),
    ("bill", "bill: *x\n", 2, "line 5"),
])  # fmt: skip
def test_a_bad_question_is_one_line_and_a_code(
    run_cli: Callable[..., Any], tmp_path: Path, command: str, text: str, code: int, words: str
):
    path = tmp_path / "x.yml"
    base = "\n".join(BILL.strip().splitlines()[:3]) + "\n"
    path.write_text("# a question\n" + base + text, encoding="utf-8")
    done = run_cli(command, path)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_missing_file_is_told(run_cli: Callable[..., Any]):
    for command in ("compare", "bill"):
        done = run_cli(command, "nope.yml")
        assert done.returncode == 2
        assert "nope.yml does not exist" in done.stderr
