"""Whole runs of vLLM beside what `simulate` says: every stage's error; and how long one run takes."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

from costline.measure.vllm_runs import read_vllm_runs

pytestmark = pytest.mark.bench
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
IN_PROCESS_S = 0.03


def runs() -> Any:
    """The runs with their scenarios, where the measured file is."""
    import whole_runs

    shared = ROOT.parent / "shared"
    if not shared.is_dir():
        pytest.skip("needs the shared/ folder of measured data beside the repository")
    return whole_runs, read_vllm_runs(shared / "measured" / whole_runs.FILE)


def test_whole_runs_of_vllm(benchmark: Any, capsys: pytest.CaptureFixture[str]):
    tool, found = runs()
    rows = benchmark.pedantic(lambda: tool.labelled(tool.cases(found)), rounds=2, warmup_rounds=1)
    with capsys.disabled():
        print("\n" + tool.table(rows))
    for metric, bar in (("e2e_mean", 0.025), ("itl_mean", 0.025), ("ttft_mean", 0.04), ("ttft_p90", 0.04)):
        mean = statistics.mean(abs(row[metric]) for _, row in rows)
        benchmark.extra_info[metric] = mean
        assert mean <= bar


def test_one_run_in_process(benchmark: Any):
    from costline.answers.simulate import simulate

    tool, found = runs()
    scenario = tool.scenario_of(next(run for run in found if "70b" in run.id))
    benchmark.pedantic(lambda: simulate(scenario, figures=False), rounds=9, warmup_rounds=2)
    assert benchmark.stats.stats.median < IN_PROCESS_S
