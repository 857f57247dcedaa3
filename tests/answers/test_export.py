"""export: from a plan's result or a scenario to launch files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costline.answers.export import command, export, planned
from costline.answers.launch import launch_command
from costline.answers.plan import plan
from costline.answers.read_scenario import read_scenario
from costline.errors import InputError

SCENARIO: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b"},
    "system": {"accelerator": ["h100-sxm"], "max_accelerators": 2},
    "workload": {"input_tokens": 1024, "output_tokens": 128, "request_rate": 5},
}


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return plan(SCENARIO).to_dict()


@pytest.fixture
def file(result: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result), encoding="utf-8")
    return path


def test_a_result_and_its_scenario_start_the_same(result: dict[str, Any], file: Path):
    assert export(file) == export(result) == export(SCENARIO)


def test_the_rank_chooses_the_plan(result: dict[str, Any]):
    scenario = read_scenario(SCENARIO)
    for row in result["plans"]:
        assert planned(result, row["rank"])[0] == row
        assert command(result, rank=row["rank"]) == launch_command(row, scenario)


def test_a_scenario_file_is_planned_first(tmp_path: Path):
    path = tmp_path / "scenario.yml"
    path.write_text(json.dumps(SCENARIO), encoding="utf-8")  # JSON is YAML
    assert export(path, engine="sglang", target="kubernetes").keys() == {"kubernetes.yaml"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds a list"),
        ('{"question": "estimate", "decode": {}}', "answers 'estimate' and holds no plans"),
        ('{"plans": 3, "scenario": {}}', "plans must be a list of rows"),
        ('{"plans": [3], "scenario": {}}', "plans must be a list of rows"),
        ('{"plans": [{"rank": 2}], "scenario": {}}', "rank=1 is not among the 1 plans"),
        ('{"plans": [{"rank": 1}]}', "holds no scenario"),
        ('{"plans": [{"rank": 1}], "scenario": {"modle": 1}}', "modle"),
        ('{"plans": [{"rank": 1}], "scenario": SCENARIO}', "plan row: accelerator"),
    ],
)
def test_a_file_that_is_no_plan_is_one_line(tmp_path: Path, text: str, says: str):
    path = tmp_path / "result.json"
    path.write_text(text.replace("SCENARIO", json.dumps(SCENARIO)), encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        export(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rank", [0, -1, 99])
def test_a_rank_that_is_not_there(result: dict[str, Any], rank: int):
    with pytest.raises(InputError, match=f"rank={rank}"):
        export(result, rank=rank)
