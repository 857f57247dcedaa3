"""Equations as data: reads the docstrings of public functions without importing them.

An equation is a public module-level function whose docstring has an `Equation` heading. Knows the form of
such a docstring; knows nothing of what an equation means.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "costline"
LAYERS = ("architecture", "forward", "deployment", "serving", "money", "lifecycle", "published")
HEADINGS = ("Equation", "Parameters", "Returns", "Holds when", "Source", "Raises")
REQUIRED = ("Equation", "Parameters", "Returns", "Holds when", "Source")
_HEADING = re.compile(rf"^({'|'.join(HEADINGS)})(?:\s*$|\s{{2,}}(.*)$)")
_BRACKET = re.compile(r"\[([^\[\]]+)\]")
_PARAMETER = re.compile(r"^(\w+(?:, \w+)*)(?:\s{2,}(.*))?$")


@dataclass(frozen=True)
class Parameter:
    """One line of a Parameters section; `unit` is empty for what is not a quantity."""

    name: str
    symbol: str
    unit: str
    form: str
    meaning: str


@dataclass(frozen=True)
class Equation:
    """A public function and the sections of its docstring; a section that is missing is empty."""

    module: str
    name: str
    line: int
    arguments: tuple[str, ...]
    summary: str
    sections: dict[str, str]
    parameters: tuple[Parameter, ...]
    has_doctest: bool

    @property
    def place(self) -> str:
        """Where it stands, as a person would look for it."""
        return f"{self.module}:{self.line} {self.name}"

    @property
    def return_units(self) -> tuple[str, ...]:
        """Units in the Returns section, in order; brackets after the form (`array, [batch]`) are shapes."""
        lines = self.sections.get("Returns", "").splitlines()
        return tuple(match[1] for line in lines if (match := _BRACKET.search(line.split(" array")[0])))

    @property
    def source_keys(self) -> tuple[str, ...]:
        """Keys of sources.yml that the Source section cites."""
        return tuple(_BRACKET.findall(self.sections.get("Source", "")))


def public_functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Module-level functions of a file whose name does not begin with an underscore."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def has_equation(node: ast.FunctionDef) -> bool:
    """Whether the docstring has an `Equation` heading."""
    return "Equation" in _sections(ast.get_docstring(node) or "")[1]


def read_equation(node: ast.FunctionDef, module: str) -> Equation:
    """The parts of one function's docstring."""
    docstring = ast.get_docstring(node) or ""
    summary, sections = _sections(docstring)
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return Equation(
        module=module,
        name=node.name,
        line=node.lineno,
        arguments=tuple(item.arg for item in arguments),
        summary=summary,
        sections=sections,
        parameters=tuple(_parameters(sections.get("Parameters", ""))),
        has_doctest=">>> " in docstring,
    )


def equations(package: Path = PACKAGE) -> list[Equation]:
    """Every equation of the package, by layer, then module, then place in the file."""
    return [
        read_equation(node, path.relative_to(package).as_posix())
        for layer in LAYERS
        for path in sorted((package / layer).glob("**/*.py"))
        for node in public_functions(path)
        if has_equation(node)
    ]


def _sections(docstring: str) -> tuple[str, dict[str, str]]:
    """The summary and the text of each headed section; a doctest or unindented prose ends a section."""
    summary: list[str] = []
    sections: dict[str, list[str]] = {}
    current: list[str] | None = summary
    for line in inspect.cleandoc(docstring).splitlines():
        match = _HEADING.match(line)
        if match:
            current = sections.setdefault(match[1], [match[2] or ""])
        elif line.startswith(">>>") or (line and current is not summary and not line.startswith(" ")):
            current = None
        elif current is not None:
            current.append(line)
    texts = {name: inspect.cleandoc("\n".join(lines)).strip("\n") for name, lines in sections.items()}
    return " ".join(" ".join(summary).split()), texts


def _parameters(section: str) -> Iterator[Parameter]:
    """Parameters of a section; a line without a name and two spaces at its start continues the one above."""
    found: list[list[str]] = []
    for line in section.splitlines():
        match = _PARAMETER.match(line)
        if match:
            found.append([match[1], match[2] or ""])
        elif found and line.strip():
            found[-1][1] += " " + line.strip()
    for names, rest in found:
        head, unit, tail = _split_at_unit(rest)
        columns = re.split(r"\s{2,}", tail.strip())
        for name in names.split(", "):
            yield Parameter(name, head, unit, columns[0], " ".join(columns[1:]))


def _split_at_unit(rest: str) -> tuple[str, str, str]:
    """Symbol, unit and what follows; without a unit the first column is the symbol."""
    match = re.match(r"^(?P<symbol>[^\[\]]*?)\s*\[(?P<unit>[^\[\]]+)\]\s*(?P<tail>.*)$", rest)
    columns = re.split(r"\s{2,}", rest, maxsplit=1)
    if match and len(re.split(r"\s{2,}", match["symbol"])) == 1:
        return match["symbol"], match["unit"], match["tail"]
    return columns[0], "", columns[1] if len(columns) > 1 else ""
