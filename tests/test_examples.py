"""Each example runs, answers sensibly, and says the same when asked from Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import costline
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.architecture.weights import parameters

ROOT = Path(__file__).resolve().parents[1]
PLANS = [
    path
    for path in sorted((ROOT / "examples").glob("*.yml"))
    if {"model", "workload"} <= set(yaml.safe_load(path.read_text("utf-8"))) <= set(Scenario.model_fields)
    and not path.stem.startswith("simulate-")
]
"""Scenarios of `plan`; other commands' examples have blocks of their own."""


def test_there_are_examples():
    assert len(PLANS) >= 4


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_for(path: Path):
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_an_example_runs(run_cli: Callable[..., Any], path: Path):
    done = run_cli("plan", path.relative_to(ROOT), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert data["plans"] == costline.plan(path).to_dict()["plans"]
    assert len(data["plans"]) >= 5
    assert len(data["frontier"]) >= 3
    assert [row["rank"] for row in data["plans"] if not row["feasible"]] == []


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_answer_of_an_example_is_one_that_a_practitioner_would_believe(path: Path):
    """Not golden numbers: bounds that physics and the market set, whatever is calibrated."""
    asked = read_scenario(path)
    model = costline.find_model(asked.model.id or "")
    active = parameters(model).active
    work = asked.workload
    for row in costline.plan(path).data["plans"]:
        kinds = [costline.chip(name) for name in row["accelerator"].split(" + ")]
        peak = max(rate for chip in kinds for rate in chip.dense_flop_per_s.values() if rate)
        flop = 2 * active * (1 + (work.input_mean - work.prefix.cached_tokens) / work.output_mean)
        assert row["tokens_per_s_per_accelerator"] * flop < peak, row
        assert row["decode_step_s"] > row["interval"]["tpot_s"]["lower_bound"] > 0
        assert 0.001 < row["tpot_s"] < 1
        assert 0.01 < row["usd_per_mtok"] < 100
        assert row["utilization"] > 0.3
        assert row["accelerators"] < 500
        assert row["batch"] >= row["running_batch"] > 0.5
