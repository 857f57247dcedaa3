"""What `import costline` offers: few names, each of which is there, says what it is and answers."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import costline
from costline.errors import CostlineError, InfeasibleError, InputError

ROOT = Path(__file__).resolve().parents[1]


def test_each_name_is_there_and_sorted():
    assert costline.__all__ == sorted(set(costline.__all__))
    assert set(costline.__all__) <= set(dir(costline))
    assert all(getattr(costline, name) is not None for name in costline.__all__)


@pytest.mark.parametrize("name", [name for name in costline.__all__ if not name.startswith("_")])
def test_each_name_explains_itself(name: str):
    thing = getattr(costline, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        hints = inspect.get_annotations(thing)
        assert set(hints) == {*inspect.signature(thing).parameters, "return"}


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'plann'"):
        costline.plann  # noqa: B018


def test_each_name_can_be_imported_alone():
    names = ", ".join(costline.__all__)
    done = subprocess.run([sys.executable, "-c", f"from costline import {names}; from costline import *"], check=False)
    assert done.returncode == 0


def test_exceptions_are_one_family():
    assert issubclass(InputError, CostlineError)
    assert issubclass(InfeasibleError, CostlineError)
    assert (InputError("x").exit_code, InfeasibleError("x").exit_code) == (2, 3)


@pytest.mark.parametrize(
    ("ask", "wrong"),
    [
        (lambda: costline.estimate("nope"), InputError),
        (costline.estimate, InputError),
        (lambda: costline.estimate("llama-3.1-8b", price=float("nan")), InputError),
        (costline.plan, InputError),
        (lambda: costline.plan({"modle": 1}), InputError),
        (lambda: costline.plan("nowhere.yml"), InputError),
        (lambda: costline.plan(ROOT / "examples" / "code-8b.yml", top=0), InputError),
        (lambda: costline.plan(ROOT / "examples" / "code-8b.yml", slo={"tpot_p99_ms": 0.001}), InfeasibleError),
        (lambda: costline.frontier([], "h100"), InputError),
        (lambda: costline.frontier("llama-3.1-8b", "nope"), InputError),
        (lambda: costline.chip("nope"), InputError),
        (lambda: costline.system("nope"), InputError),
        (lambda: costline.find_model("nope"), InputError),
        (lambda: costline.model_from_config({}), InputError),
    ],
)
def test_what_cannot_be_answered_raises_an_error_of_ours(ask: Any, wrong: type[Exception]):
    with pytest.raises(wrong) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_the_version_is_that_of_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in settings["project"]["dynamic"]
    stated = (ROOT / settings["tool"]["hatch"]["version"]["path"]).read_text(encoding="utf-8")
    assert re.findall(r'^__version__ = "(\d+\.\d+\.\d+)"$', stated, re.MULTILINE) == [costline.__version__]
    assert metadata.version("costline") == costline.__version__


def test_no_layer_reaches_up_for_the_version():
    """Only those who import the package ask it for its names."""
    sources = (ROOT / "src" / "costline").rglob("*.py")
    reaching = [path.name for path in sources if "from costline import __version__" in path.read_text(encoding="utf-8")]
    assert reaching == []
