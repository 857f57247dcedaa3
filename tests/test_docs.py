"""What is documented is what there is: pages follow the code, and every command, option and field has its words."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch

import pytest

from docstrings import PACKAGE, ROOT
from generate_docs import DOCS, PAGES, cli, commands, root_context, scenario_fields, settings

TARGETS = ("setup", "plan", "test", "lint", "bench", "docs", "web", "calibrate", "help", "clean")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_generated_pages_are_fresh():
    # In a process of its own: click keeps what earlier help pages were asked for.
    command = [sys.executable, str(ROOT / "tools" / "generate_docs.py"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_command_is_documented():
    found = {path: command for path, command, _ in commands(cli, root_context())}
    page = text("docs/cli.md")
    assert [path for path in found if f"\n## {path}\n" not in page] == []
    assert [path for path, command in found.items() if not command.help] == []
    assert {"costline plan", "costline estimate", "costline compare", "costline reproduce"} <= found.keys()


def test_each_option_is_documented():
    page = text("docs/cli.md")
    assert [flags for flags, _, _, meaning in settings() if not meaning or f"| {flags} |" not in page] == []


def test_each_scenario_field_is_documented():
    page = text("docs/cli.md")
    fields = scenario_fields()
    assert [path for path, *_ in fields if f"\n| `{path}` |" not in page] == []
    assert [path for path, _, _, meaning in fields if not meaning] == []
    assert {"model", "workload", "slo"} <= {path for path, *_ in fields}


def test_pages_are_as_wide_on_every_machine(monkeypatch: pytest.MonkeyPatch):
    before = PAGES["docs/cli.md"]()
    monkeypatch.setenv("COLUMNS", "47")
    assert PAGES["docs/cli.md"]() == before


def test_structure_names_each_room_and_nothing_else():
    entries = re.findall(r"^    (\S+)", text("docs/structure.md"), flags=re.MULTILINE)
    patterns = [entry + "*" if entry.endswith("/") else entry for entry in entries]
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    rooms = {name for name in modules if not name.endswith("__init__.py")}
    assert sorted(name for name in rooms if not any(fnmatch(name, pattern) for pattern in patterns)) == []
    assert [entry for entry in entries if not list(PACKAGE.glob(entry))] == []


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
    links = {
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    }
    assert links == set()


def test_make_explains_each_target():
    lines = text("Makefile")
    helped = set(re.findall(r"^([a-z]+):.*## \S", lines, flags=re.MULTILINE))
    assert helped == set(TARGETS)
    assert set(re.findall(r"^\.PHONY: (.*)$", lines, flags=re.MULTILINE)[0].split()) == helped
