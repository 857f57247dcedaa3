"""What every test may ask for: the shared data folder, the command line, and settings that repeat."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("costline", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "costline"))


class CliResult(NamedTuple):
    """What one run of the command left behind."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of measured and published data that lies beside the repository, where there is one."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the shared/ folder of measured data beside the repository")
    return folder


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., CliResult]:
    """`run_cli("plan", "examples/x.yml")` runs the command in its own process, from the repository's root."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1"}

    def run(*args: object, cwd: Path = ROOT, timeout_s: float = 120) -> CliResult:
        done = subprocess.run(
            [sys.executable, "-c", "from costline.cli import main; main()", *map(str, args)],
            cwd=cwd,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )
        return CliResult(done.returncode, done.stdout, done.stderr)

    return run
