"""What the quick commands leave unloaded: the reason why they are quick, and no clock that a busy machine upsets."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "scipy", "numba", "pydantic", "yaml", "rich", "plotly", "costline.catalog", "costline.answers")
REPORT = """
import sys
from costline.cli import main
code, sys.argv = 0, ["costline", *{args!r}]
try:
    main()
except SystemExit as stop:
    code = stop.code
print("LOADED", code, *sorted(sys.modules), file=sys.stderr)
"""


def loaded(*args: str) -> set[str]:
    """Modules that a run of the command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(args=args)], capture_output=True, encoding="utf-8", check=True
    )
    _, code, *names = done.stderr[done.stderr.index("LOADED") :].split()
    assert code == "0", done.stderr
    return set(names)


@pytest.mark.parametrize("args", [("--help",), ("plan", "--help"), ("catalog", "--help"), ("--version",)], ids=" ".join)
def test_help_loads_nothing_heavy(args: tuple[str, ...]):
    assert loaded(*args) & set(HEAVY) == set()


def test_importing_costline_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", "import costline, sys; print(*sys.modules)"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert set(done.stdout.split()) & set(HEAVY) == set()


def test_estimate_draws_and_compiles_nothing():
    names = loaded("estimate", "--model", "llama-3.1-8b", "--json")
    assert "numpy" in names
    assert names & {"plotly", "numba", "scipy", "pandas"} == set()
