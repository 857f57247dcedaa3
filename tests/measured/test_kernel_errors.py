"""Errors of the kernel models on timings of real kernels that the fit never saw, and one chip's numbers on another.

The targets are those set for this model: median and p90 of the relative error, one set of numbers an architecture
family, each third of the shapes held out in turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.measured

TARGETS = {
    "gemm": (0.06, 0.18),
    "decode_attention": (0.045, 0.18),
    "prefill_attention": (0.05, 0.16),
    "mla_decode": (0.08, 0.21),
    "mla_prefill": (0.05, 0.13),
    "library all-reduce, NVLink": (0.055, 0.14),
    "engine_all_reduce": (0.055, 0.29),
    "experts": (0.10, 0.35),
    "low_latency_exchange": (0.08, 0.30),
    "throughput_exchange": (0.08, 0.30),
}
"""Median and p90 at most, over all families."""
INSIDE = (
    "h100-sxm -> h200-sxm", "b200-sxm -> gb200", "gb200 -> b300-sxm", "b200-sxm -> b300-sxm", "b300-sxm -> gb300",
)  # fmt: skip
ALLOWANCE = 1.5
"""Inside a family one chip's numbers may be so much worse on another."""
BEYOND: dict[tuple[str, str], tuple[float, float]] = {}
"""What is reached where that is not. Nothing is said of vLLM's own all-reduce from behind a switch to links without
one, nor back: its floor differs by 2 us, which no number of the other side knows."""


@pytest.fixture(scope="module")
def errors(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The tables of `tools/calibrate_kernels.py`, in a process of its own with one thread."""
    out = tmp_path_factory.mktemp("kernels") / "errors.json"
    command = [sys.executable, str(ROOT / "tools" / "calibrate_kernels.py"), str(shared), "--errors", str(out)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=300)
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kernel", TARGETS)
def test_held_out_errors_are_within_the_targets(errors: dict[str, Any], kernel: str):
    found = errors["held_out"][kernel]["all"]
    median, p90 = TARGETS[kernel]
    assert found["median"] <= median
    assert found["p90"] <= p90
    assert abs(found["bias"]) < 0.02
    assert found["rows"] > 300


@pytest.mark.parametrize("pair", INSIDE)
def test_one_chips_numbers_hold_another_of_its_family(errors: dict[str, Any], pair: str):
    found = errors["transfer"][pair]
    for kernel, (median, p90) in TARGETS.items():
        name = kernel.removesuffix(", NVLink")
        if name in found:
            most = BEYOND.get((pair, name), (ALLOWANCE * median, ALLOWANCE * p90))
            assert found[name]["median"] <= most[0], name
            assert found[name]["p90"] <= most[1], name


def test_from_one_generation_to_the_next_errors_are_several_times_as_large(errors: dict[str, Any]):
    inside, across = (errors["transfer"][pair]["gemm"]["median"] for pair in (INSIDE[0], "a100-80gb-sxm -> h100-sxm"))
    assert across > 2 * inside


def test_whatever_beats_the_lower_bound_has_a_reason(errors: dict[str, Any]):
    reasons = {one["reason"] for one in errors["breaches"]}
    assert reasons == {
        "data stay in the last-level cache between repetitions",
        "shared pages: the engine's benchmark gives several sequences one cache",
        "the switch adds up: each device sends its data once",
    }
    assert sum(one["rows"] for one in errors["breaches"]) < 400


def test_what_is_left_out_is_named_and_little(errors: dict[str, Any]):
    left_out = errors["left_out"]
    assert left_out["prefill_attention"] == {}
    assert sum(left_out["experts"].values()) < 0.15 * 11_371
    assert sum(left_out["decode_attention"].values()) < 0.085 * 3_549


def test_the_files_are_those_that_the_timings_give(shared: Path):
    command = [sys.executable, str(ROOT / "tools" / "calibrate_kernels.py"), str(shared), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-400:]
