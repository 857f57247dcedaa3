"""How long a person waits for the command: medians of whole processes, from the first import to the last line."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.bench

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 9
BUDGETS_S = {
    "--help": 0.4,
    "estimate --model llama-3.1-70b --accelerator h100-sxm --tp 8 --batch 32": 1.0,
    "catalog list models --json": 1.5,
    "frontier --model llama-3.1-70b --accelerator h100-sxm --json": 1.5,
    "plan examples/chat-70b.yml --json": 4.0,
}


def wait_s(command: str) -> float:
    """Seconds of one whole run."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "from costline.cli import main; main()", *command.split()],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


@pytest.mark.parametrize("command", BUDGETS_S)
def test_a_person_waits_no_longer_than(benchmark: Any, command: str):
    waits_s: list[float] = []
    benchmark.pedantic(lambda: waits_s.append(wait_s(command)), rounds=ROUNDS, warmup_rounds=1)
    median_s = statistics.median(waits_s[-ROUNDS:])
    benchmark.extra_info["median_wait_s"] = median_s
    assert median_s < BUDGETS_S[command]
