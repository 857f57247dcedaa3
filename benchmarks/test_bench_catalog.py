"""How long the catalog's accelerators and systems take to load."""

from __future__ import annotations

from typing import Any

import pytest

from costline.catalog import load

pytestmark = pytest.mark.bench
LOAD_S = 0.040


def test_chips_and_systems(benchmark: Any):
    def anew() -> None:
        load.chips.cache_clear()
        load.systems.cache_clear()
        load.chips()
        load.systems()

    benchmark.pedantic(anew, rounds=9, warmup_rounds=1)
    assert benchmark.stats.stats.min < LOAD_S
