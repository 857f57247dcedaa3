"""Whatever the description of the API allows, and much that it does not, gets an answer and never a failure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = 5
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance")


@pytest.fixture(scope="module")
def impatient(serve: Callable[..., str]) -> str:
    """An application that gives up soon, so that long questions do not make the test long."""
    return serve("--time-limit", "2", "--no-ahead")


@pytest.mark.web
def test_no_question_makes_it_fail(impatient: str, tmp_path: Path):
    program = Path(sys.executable).with_name("schemathesis")
    if not program.is_file():
        pytest.skip("needs schemathesis: pip install -e '.[dev]'")
    command = [
        str(program), "run", f"{impatient}/openapi.json", "--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES),
        "--seed", "1", "--phases", "examples,fuzzing", "--workers", "2", "--request-timeout", "30", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
