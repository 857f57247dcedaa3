"""Plans: every catalogued accelerator at once, one accelerator, and what the tables of the search save.

Budgets on two cores: 3 s and 1.5 GB for all accelerators and 10 million deployments at least, 0.5 s warm for one.
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

import costline
from costline.answers.choices import the_model
from costline.answers.read_scenario import read_scenario
from costline.answers.search import kinds_of
from costline.answers.search.candidates import load_of
from costline.answers.search.columns import operate
from costline.architecture.sharding import Layout
from costline.catalog.load import chips

pytestmark = pytest.mark.bench

ALL_S, ALL_BYTES, LEAST_DEPLOYMENTS, LEAST_CHIPS, ONE_S = 3.0, 1.5e9, 10_000_000, 35, 0.5
MOST_SHARE_OF_EXACT = 0.2


def question(accelerators: list[str]) -> dict[str, Any]:
    return {
        "model": {"id": "llama-3.1-70b"},
        "system": {"accelerator": accelerators, "max_accelerators": 64},
        "workload": {"input_tokens": 8192, "output_tokens": 1024, "request_rate": 20},
        "slo": {"ttft_p99_ms": 2000, "tpot_p99_ms": 50},
        "price": {"accelerator_usd_per_hour": 2.0},
    }


def least_cpu_s(work: Callable[[], object], repetitions: int = 3) -> float:
    """Fastest of some runs in processor seconds, which other jobs on the machine disturb least."""
    spent: list[float] = []
    for _ in range(repetitions):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return min(spent)


def test_all_accelerators(benchmark: Any):
    every = [one.id for one in chips().values() if one.dense_flop_per_s]
    found = costline.plan(question(every)).data["searched"]
    spent_s = least_cpu_s(lambda: costline.plan(question(every)))
    benchmark.pedantic(lambda: costline.plan(question(every)), rounds=1)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    size = f"{len(every)} accelerators, {found['candidates']:.2g} deployments"
    print(f"\n{size}: {spent_s:.2f} CPU-s, {held / 1e9:.2f} GB")
    assert len(every) >= LEAST_CHIPS
    assert found["candidates"] >= LEAST_DEPLOYMENTS
    assert spent_s < ALL_S
    assert held < ALL_BYTES


def test_the_whole_command(benchmark: Any):
    program = str(Path(sys.executable).with_name("costline"))
    command = [program, "plan", "--model", "llama-3.1-70b", "--accelerator", "all"]
    command += ["--isl", "8192", "--osl", "1024", "--request-rate", "20", "--price", "2", "--json"]
    started = time.perf_counter()
    benchmark.pedantic(lambda: subprocess.run(command, capture_output=True, check=True), rounds=1)
    print(f"\nthe command with its start: {time.perf_counter() - started:.2f} s")


def test_one_accelerator(benchmark: Any):
    costline.plan(question(["h100-sxm"]))
    spent_s = least_cpu_s(lambda: costline.plan(question(["h100-sxm"])), repetitions=5)
    benchmark.pedantic(lambda: costline.plan(question(["h100-sxm"])), rounds=3)
    print(f"\none accelerator, warm: {spent_s:.2f} CPU-s")
    assert spent_s < ONE_S


def test_tables_against_exact_steps(benchmark: Any):
    asked = read_scenario(question(["h100-sxm"]))
    (kind, *_), load = kinds_of(asked, the_model(asked.model)), load_of(asked)
    rows = {name: np.tile(column, 20) for name, column in kind.ready.grid.rows().items()}
    where = Layout(rows["tp"], rows["pp"], rows["dp"], rows["ep"])
    exact_s = least_cpu_s(lambda: operate(kind.engine, load, where, rows["batch"], rate_per_replica=None), 1)
    table_s = least_cpu_s(lambda: kind.ready.replicas.operate(rows, None))
    benchmark.pedantic(lambda: kind.ready.replicas.operate(rows, None), rounds=3)
    print(f"\n{rows['batch'].size} replicas: {exact_s:.2f} CPU-s exact, {table_s:.3f} from tables")
    assert table_s < MOST_SHARE_OF_EXACT * exact_s
