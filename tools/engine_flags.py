"""Record the flags of serving engines: `python tools/engine_flags.py WHEEL...` reads wheels, imports none of them.

Writes `src/costline/catalog/data/engines/flags/<program>.yml`: names, types and choices, as facts. A wheel comes from
the package index (`pip download --no-deps vllm`); `--check` compares instead of writing and exits 1 on a difference.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import json
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from annotations import Sources, Spec, calls, flag_names, keywords, spec_of_call, spec_of_hints

FOLDER = Path(__file__).parents[1] / "src/costline/catalog/data/engines/flags"
_HEAD = """# Flags of {program} {version}: written by tools/engine_flags.py, do not edit.
source: {package}-wheel
kind: published
retrieved: {day}

flags:
  {program}:
    package: {package}
    version: "{version}"
"""


@dataclass
class Program:
    """A command line and what it takes."""

    name: str
    flags: dict[str, Spec] = field(default_factory=dict[str, Spec])
    objects: dict[str, dict[str, Spec]] = field(default_factory=dict[str, dict[str, Spec]])
    """Keys of flags whose value is JSON or a YAML file, dotted where they nest."""


@dataclass(frozen=True)
class Wheel:
    """A wheel's name, version and Python files."""

    package: str
    version: str
    archive: zipfile.ZipFile

    def text(self, name: str) -> str:
        return self.archive.read(name).decode("utf-8")

    def sources(self, *patterns: str) -> Sources:
        """Sources of all files whose path matches one of the patterns."""
        names = [name for name in self.archive.namelist() if any(re.fullmatch(one, name) for one in patterns)]
        return Sources({name: self.text(name) for name in names})


def open_wheel(path: Path) -> Wheel:
    """A wheel by its path; name and version from the file name."""
    package, version = path.name.split("-")[:2]
    return Wheel(package.replace("_", "-"), version, zipfile.ZipFile(path))


def add_calls(program: Program, node: ast.AST, sources: Sources) -> None:
    """Flags whose `add_argument` states everything itself."""
    for call in calls(node, "add_argument"):
        names = flag_names(call)
        if names and not any(item.arg is None for item in call.keywords):
            spec = spec_of_call(call, sources)
            program.flags[names[0]] = {**spec, "aliases": names[1:]} if names[1:] else spec


def vllm(wheel: Wheel) -> list[Program]:
    """`vllm serve`: settings of its configuration classes, and what the server adds."""
    sources = wheel.sources(
        r"vllm/config/\w+\.py", r"vllm/engine/arg_utils\.py", r"vllm/entrypoints/common/cli_args\.py",
        r"vllm/model_executor/layers/quantization/__init__\.py", r"vllm/model_executor/model_loader/__init__\.py",
    )  # fmt: skip
    program = Program("vllm")
    for owner in ("EngineArgs", "AsyncEngineArgs"):
        body = sources.function("add_cli_args", owner)
        add_calls(program, body, sources)
        program.flags |= _from_config(body, sources)
    add_calls(program, sources.function("make_arg_parser"), sources)
    for name, item in sources.fields("FrontendArgs").items():
        program.flags[f"--{name.replace('_', '-')}"] = spec_of_hints(sources.hints(item.annotation))
    for flag, owner in (("--kv-transfer-config", "KVTransferConfig"), ("--speculative-config", "SpeculativeConfig")):
        keys = sources.fields(owner).items()
        program.objects[flag] = {name: spec_of_hints(sources.hints(item.annotation)) for name, item in keys}
    return [program]


def _from_config(body: ast.FunctionDef, sources: Sources) -> dict[str, Spec]:
    """Flags that unpack the settings of a configuration class: `add_argument("--x", **class_kwargs["x"])`."""
    owners: dict[str, str] = {}
    for item in ast.walk(body):
        if isinstance(item, ast.Assign) and isinstance(item.value, ast.Call) and isinstance(item.targets[0], ast.Name):
            inner = item.value.args[0] if item.value.args else None
            if isinstance(inner, ast.Name) and inner.id in sources.classes:
                owners[item.targets[0].id] = inner.id
    found: dict[str, Spec] = {}
    for call in calls(body, "add_argument"):
        names = flag_names(call)
        for part in ast.walk(call):
            if not (isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name) and part.value.id in owners):
                continue
            key = part.slice.value if isinstance(part.slice, ast.Constant) else ""
            item = sources.fields(owners[part.value.id]).get(str(key))
            spec = spec_of_hints(sources.hints(item.annotation)) if item else {"type": "json"}
            found[names[0]] = {**spec, "aliases": names[1:]} if names[1:] else spec
    return found


def sglang(wheel: Wheel) -> list[Program]:
    """`python3 -m sglang.launch_server`: annotated fields, and what the parser adds by hand."""
    sources = wheel.sources(
        r"sglang/srt/arg_groups/fields/\w+\.py", r"sglang/srt/arg_groups/choices\.py", r"sglang/srt/server_args\.py"
    )
    program = Program("sglang")
    for name, owner in sources.classes.items():
        if any(isinstance(base, ast.Attribute) and base.attr == "Struct" for base in owner.bases):
            for key, item in sources.fields(name).items():
                program.flags |= _annotated(key, item.annotation, sources)
    add_calls(program, sources.function("add_cli_args", "ServerArgs"), sources)
    return [program]


def _annotated(key: str, node: ast.expr, sources: Sources) -> dict[str, Spec]:
    """The flag of a field such as `A[int, Arg(help=…, choices=…)]`; none where it has no help or no flag."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple)):
        return {}
    kind, metas = node.slice.elts[0], node.slice.elts[1:]
    call = next((item for item in metas if isinstance(item, ast.Call)), None)
    given = keywords(call) if call else {}
    hidden = given.get("no_cli")
    if isinstance(hidden, ast.Constant) and hidden.value:
        return {}
    spec = spec_of_hints(sources.hints(kind))
    if spec["type"] == "flag":
        spec = {"type": "flag"}
    if call and "action" in given:
        spec = spec_of_call(call, sources)
    elif "type_parser" in given and spec["type"] == "list":
        spec = {"type": "str"}
    choices = sources.values(given.get("choices"))
    spec |= {"choices": choices} if choices else {}
    aliases = sources.values(given.get("aliases"))
    spec |= {"aliases": aliases} if aliases else {}
    name = given.get("cli_name")
    flag = str(name.value) if isinstance(name, ast.Constant) else f"--{key.replace('_', '-')}"
    return {flag: spec}


def router(wheel: Wheel) -> list[Program]:
    """A router in front of prefill and decode servers."""
    package = wheel.package.replace("-", "_")
    sources = wheel.sources(rf"{package}/router_args\.py")
    program = Program(wheel.package)
    add_calls(program, sources.function("add_cli_args", "RouterArgs"), sources)
    return [program]


def dynamo(wheel: Wheel) -> list[Program]:
    """TensorRT-LLM as Dynamo starts it: `python3 -m dynamo.trtllm`, and the frontend."""
    groups = r"dynamo/common/configuration/groups/runtime_args\.py"
    found: list[Program] = []
    for name, path in (("dynamo-trtllm", r"dynamo/trtllm/backend_args\.py"),
                       ("dynamo-frontend", r"dynamo/frontend/frontend_args\.py")):  # fmt: skip
        sources = wheel.sources(path, *([groups] if name == "dynamo-trtllm" else []))
        program = Program(name)
        for tree in sources.trees.values():
            for call in calls(tree, "add_argument", "add_negatable_bool_argument"):
                flag = keywords(call).get("flag_name")
                if not isinstance(flag, ast.Constant):
                    continue
                negatable = isinstance(call.func, ast.Name) and call.func.id == "add_negatable_bool_argument"
                spec = {"type": "flag", "negatable": True} if negatable else spec_of_call(call, sources)
                program.flags[str(flag.value)] = spec
        found.append(program)
    return found


def aiconfigurator(wheel: Wheel) -> list[Program]:
    """Keys of TensorRT-LLM's engine settings, as the newest template that writes them has them."""
    start = "aiconfigurator/generator/config/backend_templates/trtllm/extra_engine_args."
    names = [name for name in wheel.archive.namelist() if name.startswith(start + "1.")]
    newest = max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
    keys: dict[str, Spec] = {}
    stack: list[tuple[int, str]] = []
    for line in wheel.text(newest).splitlines():
        found = re.match(r"( *)([a-z_]+):(?: |$)", line)
        if not found:
            continue
        depth = len(found[1])
        stack = [item for item in stack if item[0] < depth]
        stack.append((depth, found[2]))
        keys[".".join(name for _, name in stack)] = {"type": "any"}
    return [Program("tensorrt-llm", {}, {"engine_args": keys})]


READERS: dict[str, Callable[[Wheel], list[Program]]] = {
    "vllm": vllm, "sglang": sglang, "vllm-router": router, "sglang-router": router, "ai-dynamo": dynamo,
    "aiconfigurator": aiconfigurator,
}  # fmt: skip


def program_text(program: Program, wheel: Wheel, day: str) -> str:
    """The fact file of a program."""
    lines = [_HEAD.format(program=program.name, package=wheel.package, version=wheel.version, day=day)]
    lines.append("    flags:\n" if program.flags else "    flags: {}\n")
    lines += [f"      {name}: {_flow(spec)}\n" for name, spec in sorted(program.flags.items())]
    if program.objects:
        lines.append("    objects:\n")
    for flag, keys in program.objects.items():
        lines.append(f"      {flag}:\n")
        lines += [f"        {name}: {_flow(spec)}\n" for name, spec in sorted(keys.items())]
    return "".join(lines)


def _flow(spec: Spec) -> str:
    def word(value: object) -> str:
        if isinstance(value, list):
            return "[" + ", ".join(word(item) for item in value) + "]"
        text = json.dumps(value, ensure_ascii=False)
        return text[1:-1] if isinstance(value, str) and re.fullmatch(r"[a-z][a-z_]*", value) and value not in (
            "null", "true", "false", "none", "yes", "no", "on", "off") else text  # fmt: skip

    return "{" + ", ".join(f"{key}: {word(value)}" for key, value in spec.items()) + "}"


def written(text: str) -> str:
    """A fact file without the day it was written on."""
    return re.sub(r"retrieved: .*\n", "", text)


def main() -> int:
    """Reads the wheels named; writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheels", nargs="+", type=Path, help="wheels as the package index has them")
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    given = parser.parse_args()
    stale: list[str] = []
    for path in given.wheels:
        wheel = open_wheel(path)
        for program in READERS[wheel.package](wheel):
            text = program_text(program, wheel, datetime.date.today().isoformat())
            place = FOLDER / f"{program.name}.yml"
            if given.check:
                same = place.exists() and written(place.read_text(encoding="utf-8")) == written(text)
                stale += [] if same else [place.name]
            else:
                place.write_text(text, encoding="utf-8")
    if stale:
        print(f"not what the wheels hold: {', '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
