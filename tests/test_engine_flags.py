"""The tool that records flags of engines: on small sources, and on the packages where they may be fetched."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import engine_flags
from annotations import Sources, flag_names, spec_of_call, spec_of_hints

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "src/costline/catalog/data/engines/flags"
PACKAGES = ("vllm", "sglang", "vllm-router", "sglang-router", "ai-dynamo", "aiconfigurator")
WHEELS = os.environ.get("COSTLINE_WHEELS", "")
TEXT = """
Policy = Literal["fcfs", "priority"]
Roles = Literal["a", Policy]
CHOICES = ["x", "y"]
class Inner: pass
class Base:
    first: int = 1
class Config(Base):
    policy: Policy = "fcfs"
"""
SOURCES = Sources({"m.py": TEXT})


@pytest.mark.parametrize(
    ("annotation", "spec"),
    [
        ("int", {"type": "int"}),
        ("int | None", {"type": "int"}),
        ("Optional[float]", {"type": "float"}),
        ("bool | None", {"type": "flag", "negatable": True}),
        ("bool | str | None", {"type": "str"}),
        ("Policy", {"type": "str", "choices": ["fcfs", "priority"]}),
        ("Policy | str", {"type": "str", "known": ["fcfs", "priority"]}),
        ("Roles", {"type": "str", "choices": ["a", "fcfs", "priority"]}),
        ("'Policy | None'", {"type": "str", "choices": ["fcfs", "priority"]}),
        ("list[int] | None", {"type": "list", "of": "int"}),
        ("dict[str, Any] | None", {"type": "json"}),
        ("Inner | None", {"type": "json"}),
        ("Literal[1, 2]", {"type": "int", "choices": [1, 2]}),
        ("Annotated[int, 'about']", {"type": "int"}),
        ("type[object] | str", {"type": "str"}),
    ],
)
def test_annotations(annotation: str, spec: dict[str, object]):
    assert spec_of_hints(SOURCES.hints(ast.parse(annotation, mode="eval").body)) == spec


@pytest.mark.parametrize(
    ("call", "names", "spec"),
    [
        ("add('--a', '-b', type=int)", ["--a"], {"type": "int"}),
        ("add(f'--{prefix}a')", ["--a"], {"type": "str"}),
        ("add('--a', action='store_true')", ["--a"], {"type": "flag"}),
        ("add('--a', action=argparse.BooleanOptionalAction)", ["--a"], {"type": "flag", "negatable": True}),
        ("add('--a', choices=CHOICES)", ["--a"], {"type": "str", "choices": ["x", "y"]}),
        ("add('--a', nargs='+', type=float)", ["--a"], {"type": "list", "of": "float"}),
        ("add('--a', nargs='?')", ["--a"], {"type": "str"}),
        ("add('--a', action='append')", ["--a"], {"type": "str", "repeats": True}),
        ("add('place')", [], {"type": "str"}),
    ],
)
def test_calls(call: str, names: list[str], spec: dict[str, object]):
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    assert (flag_names(node), spec_of_call(node, SOURCES)) == (names, spec)


def test_fields_of_bases_come_first():
    assert list(SOURCES.fields("Config")) == ["first", "policy"]


def test_a_wheel_is_written_as_a_fact_file(tmp_path: Path):
    path = tmp_path / "vllm_router-1.0-py3-none-any.whl"
    text = "class RouterArgs:\n    def add_cli_args(parser):\n        parser.add_argument('--port', type=int)\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vllm_router/router_args.py", text)
    wheel = engine_flags.open_wheel(path)
    assert (wheel.package, wheel.version) == ("vllm-router", "1.0")
    (program,) = engine_flags.READERS[wheel.package](wheel)
    written = engine_flags.program_text(program, wheel, "2026-01-02")
    assert yaml.safe_load(written)["flags"]["vllm-router"]["flags"] == {"--port": {"type": "int"}}
    assert engine_flags.written(written) == engine_flags.written(written.replace("2026-01-02", "2027-01-02"))


def test_words_that_yaml_would_change_are_quoted():
    values = ["null", "true", "fp8", "1", "auto", "a: b"]
    flow = engine_flags._flow({"choices": list(values)})
    assert yaml.safe_load(flow) == {"choices": values}


@pytest.mark.parametrize("package", PACKAGES)
def test_recorded_flags_are_those_of_the_packages(package: str):
    if not WHEELS:
        pytest.skip("COSTLINE_WHEELS names no folder to keep the packages in; they take 450 MB")
    folder = Path(WHEELS)
    pinned = {item["package"]: item["version"] for item in recorded()}
    fetch = ["pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", f"{package}=={pinned[package]}"]
    found = [path for path in folder.glob("*.whl") if engine_flags.open_wheel(path).package == package]
    if not found:
        done = subprocess.run([sys.executable, "-m", *fetch, "-d", str(folder)], check=False, capture_output=True)
        if done.returncode:
            pytest.skip(f"{package} cannot be fetched from the package index")
        found = [path for path in folder.glob("*.whl") if engine_flags.open_wheel(path).package == package]
    wheel = engine_flags.open_wheel(found[0])
    for program in engine_flags.READERS[package](wheel):
        kept = (FOLDER / f"{program.name}.yml").read_text(encoding="utf-8")
        assert engine_flags.written(kept) == engine_flags.written(engine_flags.program_text(program, wheel, "")), (
            package
        )


def recorded() -> list[dict[str, str]]:
    """Package and version of each file."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8"))["flags"] for path in FOLDER.glob("*.yml")]
    return [program for flags in files for program in flags.values()]


def test_each_file_says_its_package():
    assert {item["package"] for item in recorded()} == {*PACKAGES, "tensorrt-llm"}
