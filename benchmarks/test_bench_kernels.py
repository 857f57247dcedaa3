"""The kernel models on held-out timings: kernel x family, and one chip's numbers on another (`pytest -s` prints them).

The fits of all kernels and families have a budget of five minutes on two cores.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from costline.catalog.find import chip
from costline.catalog.kernels import gemm_kernel
from costline.forward.kernels.gemm import gemm_time_s
from costline.forward.kernels.records import device_of

ROOT = Path(__file__).resolve().parents[1]
CALIBRATE = ROOT / "tools" / "calibrate_kernels.py"
FIT_BUDGET_S = 300
SHAPES, SHAPE_BUDGET_S = 1_000_000, 1.0

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def shared() -> Path:
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the shared/ folder of measured data beside the repository")
    return folder


def test_all_fits_end_within_five_minutes(shared: Path, tmp_path: Path):
    started = time.perf_counter()
    command = [sys.executable, str(CALIBRATE), str(shared), "--errors", str(tmp_path / "errors.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    spent_s = time.perf_counter() - started
    print("\n" + done.stdout)
    print(f"all fits, three folds and seven transfers: {spent_s:.0f} s")
    assert spent_s < FIT_BUDGET_S


def test_a_million_shapes_in_a_second():
    h100 = chip("h100-sxm")
    m = np.random.default_rng(1).integers(1, 16_384, SHAPES).astype(np.float64)
    kernel, device = gemm_kernel("hopper", "fp8", "vllm")[0], device_of(h100, "fp8")
    started = time.perf_counter()
    gemm_time_s(m, 8192, 8192, bytes_per_weight=1, bytes_per_activation=1, device=device, kernel=kernel)
    spent_s = time.perf_counter() - started
    print(f"\n{SHAPES / spent_s / 1e6:.1f} million matrix products a second")
    assert spent_s < SHAPE_BUDGET_S
