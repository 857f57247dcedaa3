"""KV pools that engines logged, beside what costline predicts: every row, and the median of the configurations."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from statistics import median
from typing import Any

import pytest

pytestmark = pytest.mark.bench
ROOT = Path(__file__).resolve().parents[1]
MEDIAN_ERROR = 0.05


def measured() -> Any:
    """The test that reads the rows, from its file."""
    path = ROOT / "tests" / "measured" / "test_kv_capacity.py"
    spec = importlib.util.spec_from_file_location("kv_capacity_rows", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_kv_capacity_of_engines(benchmark: Any, capsys: pytest.CaptureFixture[str]):
    shared = ROOT.parent / "shared"
    if not shared.is_dir():
        pytest.skip("needs the shared/ folder of measured data beside the repository")
    module = measured()
    rows = benchmark.pedantic(module.read_rows, args=(shared,), rounds=3, warmup_rounds=1)
    errors = module.by_configuration(rows)
    with capsys.disabled():
        print(f"\n{'model':26}{'chip':11}{'engine':8}{'tp':>3}{'logged':>11}{'predicted':>11}{'error':>8}")
        for row in sorted(rows, key=lambda row: tuple(map(str, row.configuration))):
            print(f"{row.model:26}{row.chip:11}{row.engine:8}{row.tp:3}", end="")
            print(f"{row.logged_tokens:11,.0f}{row.tokens:11,.0f}{row.error:+8.1%}")
        sizes = sorted(abs(error) for error in errors.values())
        print(f"{len(rows)} rows, {len(errors)} configurations: median error {median(sizes):.1%}, ", end="")
        print("errors " + " ".join(f"{size:.1%}" for size in sizes))
    benchmark.extra_info["median_error"] = median(sizes)
    assert median(sizes) <= MEDIAN_ERROR
