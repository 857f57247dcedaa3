"""Speed of a reproduction, as ratios to the bare search that it cannot do without."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from costline.answers.reproduce import reproduce
from costline.published import erdil_2025_grid
from costline.published.erdil_2025_data import find_gpu, find_model
from costline.published.erdil_2025_latency import least_latency_s

pytestmark = pytest.mark.bench

MOST_OVERHEAD = 1.5
MOST_WITH_OWN = 2.0
MOST_SEARCHES = 200.0


def cpu_s(run: Callable[[], object], rounds: int = 2) -> float:
    """CPU seconds of all threads, with no grid kept from before: other work on the machine does not move a ratio."""
    times: list[float] = []
    for _ in range(rounds):
        erdil_2025_grid._grid_latency_s.cache_clear()
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def searches() -> None:
    """The three grids behind Table 6, and nothing else."""
    gpu = find_gpu("H100")
    for name in ("Llama_3_70B_4_bit", "Llama_3_70B_8_bit", "Llama_3_70B"):
        model = find_model(name)
        least_latency_s(model, gpu, (*erdil_2025_grid.grid(model, gpu), 0.0, 1.0))


def test_a_table_costs_little_more_than_its_search(benchmark: Any):
    reproduce("erdil-2025-table-6")  # compiles
    benchmark.pedantic(reproduce, ("erdil-2025-table-6",), rounds=2)
    ratio = cpu_s(lambda: reproduce("erdil-2025-table-6")) / cpu_s(searches)
    benchmark.extra_info["ratio_to_bare_search"] = ratio
    assert ratio < MOST_OVERHEAD


def test_a_publication_in_searches(benchmark: Any):
    """All of Erdil's tables, most of them under speculation, in units of the three grids of Table 6."""
    reproduce("erdil-2025-table-6")
    unit_s = cpu_s(searches) / 3
    whole_s = cpu_s(lambda: benchmark.pedantic(reproduce, ("erdil-2025",), rounds=1), rounds=1)
    benchmark.extra_info["cpu_s"] = whole_s
    benchmark.extra_info["in_grid_searches"] = whole_s / unit_s
    assert whole_s / unit_s < MOST_SEARCHES


def test_own_numbers_take_little(benchmark: Any):
    """Costline's own search tries whole deployments, not a grid of real numbers."""
    reproduce("erdil-2025-table-6", own=True)
    own_s = cpu_s(lambda: benchmark.pedantic(reproduce, ("erdil-2025-table-6",), {"own": True}, rounds=1), rounds=1)
    ratio = own_s / cpu_s(lambda: reproduce("erdil-2025-table-6"))
    benchmark.extra_info["ratio_with_own"] = ratio
    assert ratio < MOST_WITH_OWN
