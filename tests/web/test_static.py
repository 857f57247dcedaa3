"""What travels to the browser: our own files alone, scripts that compute nothing, markup without scripts of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the `web` extra")

import costline.web

WEB = Path(costline.web.__file__).parent
SCRIPTS = sorted((WEB / "static").glob("*.js"))
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))


def bare(script: str) -> str:
    """A script without comments and texts; what templates put into texts stays."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", re.sub(r'"[^"\n]*"', '""', script), flags=re.DOTALL)
    return re.sub(r"`[^`]*`", lambda found: "".join(re.findall(r"\$\{([^}]*)\}", found[0])), text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_compute_nothing(path: Path):
    text = bare(path.read_text(encoding="utf-8"))
    assert re.findall(r"[^\s(]\s*(?:\*|/|%)\s*[\w(]|Math\.(?!max|min)", text) == []
    assert "innerHTML" not in text
    assert "eval(" not in text


def test_arithmetic_in_a_script_is_found():
    assert re.findall(r"[^\s(]\s*(?:\*|/|%)\s*[\w(]", bare("const x = a * b; // a * b")) == ["a * b"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_script_and_take_nothing_as_safe(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)|\son\w+=|\|\s*safe|javascript:|\sstyle=", text) == []
    assert re.findall(r"https?://(?!\"|\))", text) == []


def test_no_file_but_those_of_the_package_is_opened():
    """Nothing in web/ opens a path, but for the folder that holds a pasted config.json for a moment."""
    opening = re.compile(r"(?<![.\w])(?:open|Path)\(|read_text|read_bytes|write_text|write_bytes")
    found = {
        f"{path.name}: {line.strip()}"
        for path in sorted(WEB.glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if opening.search(line)
    }
    found = {one for one in found if "Path(max_length" not in one}  # a part of an address
    assert {one.partition(":")[0] for one in found} == {"documents.py", "shown.py", "static_files.py"}
    assert sum(one.startswith("documents.py") for one in found) == 1  # the name in messages: "(pasted)"


def test_assets_may_be_kept_and_pages_may_not_run_scripts_of_others(ask: Any):
    page = ask("/catalog").body.decode()
    for address in re.findall(r'(?:src|href|data-plotly)="(/static/[^"]+)"', page):
        said = ask(address)
        assert said.status == 200
        assert "immutable" in said.headers["cache-control"]
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page.partition("<main")[0]) == []
