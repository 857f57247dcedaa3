"""Speed of a grid of decode steps, as a ratio to plain NumPy over the same points in the same run, and its memory.

Plain NumPy is what one would write in a notebook: the matrices, the cache and an all-reduce over whole columns, without
blocks. costline adds every operation with its terms and reasons, other collectives, launches and stages.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costline.architecture.operations import Formats, decode_segment
from costline.architecture.sharding import Layout
from costline.catalog.efficiency import efficiency
from costline.catalog.find import chip, system
from costline.catalog.models import find_model
from costline.deployment.grid import in_blocks, layouts
from costline.forward.rates import Rates, expected_rates
from costline.forward.steps import step_time

pytestmark = pytest.mark.bench

MILLION = 1_000_000
CPU_S, LARGEST_RATIO, EXTRA_BYTES = 1.0, 12.0, 1e9
FORMATS = Formats({"": "fp8", "embedding": "bf16", "head": "bf16"}, "fp8", "fp8")
Columns = tuple[np.ndarray, ...]


def h100_rates() -> Rates:
    one = chip("h100-sxm")
    return expected_rates(one, system(one.system), efficiency(one))


def points(model: str, count: int) -> Columns:
    """Layout (4 columns), batch and context of `count` points, all layouts of up to 64 accelerators in turn."""
    cut = layouts(find_model(model), system(chip("h100-sxm").system), max_accelerators=64)
    rng, turn = np.random.default_rng(0), np.arange(count) % cut.tp.size
    batch, context = np.exp(rng.uniform(0, np.log(512), count)), np.exp(rng.uniform(5, 12, count))
    return (cut.tp[turn], cut.pp[turn], cut.dp[turn], cut.ep[turn], batch, context)


def evaluate(model: str) -> Callable[..., dict[str, Any]]:
    """Step time with all its terms, its bound and its reason, over columns."""
    shape, rates = find_model(model), h100_rates()

    def steps(*columns: Any) -> dict[str, Any]:
        *degrees, batch, context = columns
        step = step_time(shape, [decode_segment(batch, context)], Layout(*degrees), FORMATS, rates)
        return {"expected_s": step.expected_s, "lower_bound_s": step.lower_bound_s, "bound": step.bound}

    return steps


def plain(tp: Any, pp: Any, batch: Any, context: Any) -> Any:
    """Llama 70B as a notebook has it: five roofs, one after another, and a ring."""
    time_s = np.zeros_like(batch)
    for parameters in (80 * 150_994_944, 80 * 704_643_072, 1_050_673_152):
        compute, memory = 2 * parameters * batch / tp / 1.1e15, parameters / tp / 2.9e12
        time_s += np.cbrt(compute**3 + memory**3)
    pairs = batch * context
    compute, memory = 80 * 32_768 * pairs / tp / 6.4e14, 163_840 * pairs / np.minimum(tp, 8) / 3.0e12
    time_s += np.cbrt(compute**3 + memory**3)
    sent = 160 * (6e-6 + 2 * (tp - 1) / tp * batch * 16_384 / 2.7e11)
    hops = (pp - 1) * (6e-6 + batch * 16_384 / tp / 2.7e11)
    return time_s + np.where(tp > 1, sent, 0) + hops


def cpu_s(function: Callable[[], Any], rounds: int = 3) -> float:
    """Least CPU time of a few rounds."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.mark.parametrize("model", ["llama-3.1-70b", "deepseek-v3", "qwen3.5-397b-a17b"])
def test_a_million_points(benchmark: Any, capsys: pytest.CaptureFixture[str], model: str):
    columns, steps = points(model, MILLION), evaluate(model)
    reference = points("llama-3.1-70b", MILLION)
    plain_s = cpu_s(lambda: plain(reference[0], reference[1], reference[4], reference[5]))
    ours_s = cpu_s(lambda: in_blocks(steps, *columns))
    benchmark.pedantic(in_blocks, args=(steps, *columns), rounds=2)
    benchmark.extra_info.update(cpu_s=ours_s, ratio=ours_s / plain_s)
    with capsys.disabled():
        print(f"\n{model}: {MILLION:,} points in {ours_s:.2f} CPU s, {ours_s / plain_s:.1f} times plain NumPy")
    assert ours_s <= CPU_S
    assert ours_s / plain_s <= LARGEST_RATIO


def extra_bytes(count: int) -> tuple[float, float]:
    """Growth of this process's peak memory over its columns, and seconds, for a grid of `count` points."""
    steps, columns = evaluate("llama-3.1-70b"), points("llama-3.1-70b", count)
    in_blocks(steps, *(column[:1000] for column in columns))
    held = sum(column.nbytes for column in columns)
    spare = np.ones(max(peak_bytes() - resident_bytes(), 8) // 8)  # fills what making the columns freed again
    before, start = peak_bytes(), time.process_time()
    found = in_blocks(steps, *columns)
    assert len(found) == 3
    assert held > 0 < spare.size
    return float(peak_bytes() - before), time.process_time() - start


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_memory_of_ten_million_points(capsys: pytest.CaptureFixture[str]):
    done = subprocess.run(
        [sys.executable, __file__, str(10 * MILLION)], capture_output=True, encoding="utf-8", timeout=300, check=True
    )
    extra, seconds = map(float, done.stdout.split())
    with capsys.disabled():
        print(
            f"\n{10 * MILLION:,} points: {extra / 1e6:,.0f} MB beyond the columns, results of 240 MB among them, ",
            end="",
        )
        print(f"{seconds:.1f} CPU s")
    assert extra <= EXTRA_BYTES


if __name__ == "__main__":
    print(*extra_bytes(int(sys.argv[1])))
