"""KV pools that engines logged, predicted from the model, the chip and the engine's record alone."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import numpy as np
import pytest

from costline.architecture.formats import format_name
from costline.architecture.sharding import layout
from costline.catalog.find import chip, engine
from costline.catalog.models import find_model
from costline.errors import UnknownIdError
from costline.forward.memory import kv_capacity_tokens, kv_share_of_pool, pool_bytes, weight_bytes_per_device

pytestmark = pytest.mark.measured
GIB = 2**30


@dataclass(frozen=True)
class Row:
    """One logged pool, and the same pool predicted."""

    model: str
    chip: str
    engine: str
    tp: int
    fraction: float
    longest: str
    logged_tokens: float
    logged_weights_gib: float | None
    logged_pool_gib: float | None
    tokens: float
    weights_gib: float
    pool_gib: float

    @property
    def configuration(self) -> tuple[object, ...]:
        """Rows of one configuration differ only by run."""
        return (self.model, self.chip, self.engine, self.tp, self.fraction, self.longest)

    @property
    def error(self) -> float:
        """Predicted over logged tokens, less one."""
        return self.tokens / self.logged_tokens - 1


def number(text: str) -> float | None:
    found = re.match(r"[\d.]+", text)
    return float(found[0]) if found else None


def read_row(given: dict[str, str]) -> Row | None:
    """The row predicted; None if it lacks the tokens or the fraction, or names no single model."""
    fraction = given["gpu_memory_utilization"]
    if not given["kv_cache_tokens"] or number(fraction) is None or "not stated" in fraction:
        return None
    try:
        model = find_model(given["model"])
    except UnknownIdError:
        return None
    one, how, tp = chip(given["gpu"].partition("(")[0]), engine(given["engine"]), int(given["tp"])
    kv = "bf16" if given["kv_dtype"].startswith("auto") else format_name(given["kv_dtype"])
    share, where = float(number(fraction) or 0), layout(tp=tp)
    weights = weight_bytes_per_device(model, model.checkpoint_formats, where)
    pool = pool_bytes(one, how, weights, where.tp, share) * kv_share_of_pool(model, how)
    return Row(
        model.id, one.id, how.id, tp, share, given["max_model_len"], float(given["kv_cache_tokens"]),
        number(given["model_mem_gib_per_gpu"]), number(given["kv_mem_gib"]),
        float(kv_capacity_tokens(model, pool, kv, where)), float(weights) / GIB, float(pool) / GIB,
    )  # fmt: skip


def read_rows(shared: Path) -> list[Row]:
    """Every row that states enough."""
    with (shared / "measured" / "kv_capacity.csv").open(encoding="utf-8") as lines:
        return [row for given in csv.DictReader(lines) if (row := read_row(given))]


def by_configuration(rows: list[Row]) -> dict[tuple[object, ...], float]:
    """Error of the mean of each configuration's runs."""
    found: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for row in rows:
        found[row.configuration].append(row.error)
    return {key: mean(errors) for key, errors in found.items()}


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[Row]:
    return read_rows(shared)


def test_rows_that_state_enough(rows: list[Row]):
    assert len(rows) == 50
    assert len(by_configuration(rows)) == 13


def test_median_error_of_configurations(rows: list[Row]):
    errors = [abs(error) for error in by_configuration(rows).values()]
    assert median(errors) <= 0.05
    assert np.quantile(errors, 0.75) <= 0.2


def test_pools_of_large_memories_are_close(rows: list[Row]):
    # Elsewhere a GiB of reserve is many tokens: a pool that is a small rest of the memory, a card of 24 GB or less.
    large = [row for row in rows if row.pool_gib > max(0.15 * row.weights_gib, 15)]
    assert len(by_configuration(large)) == 8
    assert max(abs(row.error) for row in large) <= 0.07


def test_weights_agree_to_the_third_digit(rows: list[Row]):
    gaps = [abs(row.weights_gib / row.logged_weights_gib - 1) for row in rows if row.logged_weights_gib]
    assert len(gaps) >= 35
    assert max(gaps) <= 0.004


def test_pools_agree_in_bytes(rows: list[Row]):
    gaps = [abs(row.pool_gib - row.logged_pool_gib) for row in rows if row.logged_pool_gib]
    assert len(gaps) >= 35
    assert max(gaps) <= 3.5
