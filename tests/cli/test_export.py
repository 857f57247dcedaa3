"""costline export: prints or writes launch files; faults are one line and exit code 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TEXT = """
model: {id: llama-3.1-8b}
system: {accelerator: [h100-sxm], max_accelerators: 1}
workload: {input_tokens: 1024, output_tokens: 128, request_rate: 5}
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "scenario.yml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_prints_the_script(run_cli: Callable[..., Any], scenario: Path):
    done = run_cli("export", scenario)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("#!/usr/bin/env bash\n# llama-3.1-8b under vllm")


def test_takes_what_plan_prints(run_cli: Callable[..., Any], scenario: Path, tmp_path: Path):
    (tmp_path / "plan.json").write_text(run_cli("plan", scenario, "--json").stdout, encoding="utf-8")
    done = run_cli("export", tmp_path / "plan.json", "--engine", "tensorrt-llm", "--target", "kubernetes", "--json")
    files = json.loads(done.stdout)["files"]
    kinds = [one["kind"] for one in yaml.safe_load_all(files["kubernetes.yaml"])]
    assert kinds == ["ConfigMap", "Deployment", "Service"]


def test_writes_files(run_cli: Callable[..., Any], scenario: Path, tmp_path: Path):
    done = run_cli("export", scenario, "--target", "docker-compose", "--out", tmp_path / "launch")
    assert done.stdout == f"wrote {tmp_path / 'launch' / 'docker-compose.yml'}\n"
    assert [path.name for path in (tmp_path / "launch").iterdir()] == ["docker-compose.yml"]


def test_several_files_are_printed_with_their_names(run_cli: Callable[..., Any], scenario: Path):
    done = run_cli("export", scenario, "--engine", "tensorrt-llm")
    assert [line for line in done.stdout.splitlines() if line.startswith("# ----")] == [
        "# ---- launch.sh", "# ---- engine.yml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--engine", "vlm"], "unknown engine 'vlm'; nearest: vllm"),
        (["--target", "helm"], "unknown target 'helm'; nearest: shell"),
        (["--rank", "0"], "rank=0 must be at least 1"),
        (["--rank", "x"], "--rank='x' must be a whole number"),
        (["--out", "/dev/null/launch"], "--out /dev/null/launch cannot be written"),
    ],
)
def test_faults_are_one_line(run_cli: Callable[..., Any], scenario: Path, given: list[str], says: str):
    done = run_cli("export", scenario, *given)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_plan_that_is_not_there(run_cli: Callable[..., Any]):
    done = run_cli("export", "nowhere.json")
    assert done.returncode == 2
    assert "nowhere.json does not exist" in done.stderr
