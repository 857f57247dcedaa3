"""The habits that a machine can keep: sizes, names, units, sources, literals, the arrows between layers."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

import costline
import docstrings
from code_shape import (
    Source,
    base_names,
    code_lines,
    functions,
    numbers,
    positional_arguments,
    read,
    scalings,
)
from docstrings import PACKAGE, ROOT, Equation

DATA = PACKAGE / "catalog" / "data"
SOURCES = [read(path) for path in sorted(PACKAGE.rglob("*.py"))]
EQUATIONS = docstrings.equations()

EQUATION_MODULES = (
    "architecture/weights.py", "architecture/kv_cache.py", "forward/roofline.py", "forward/collectives.py",
    "forward/memory.py", "serving/queueing.py", "money/*.py",
)  # fmt: skip
NO_EQUATION: dict[str, str] = {
    "forward/memory.py:kv_share_of_pool": "a rule of an engine, not a formula",
    "money/price.py:price_age_days": "a difference of calendar days",
}
"""Public functions of equation modules that are no formula: `file:function` → reason."""
MAY_TAKE_SIX = {
    "published/erdil_2025_latency.py:token_latency_s": "the order of the study's own function, which people know",
}
MAY_INHERIT: dict[str, str] = {}
"""Classes that must inherit from a foreign class: `file:class` → reason."""

ONLY_IN_QUANTITIES = {1e3, 1e6, 1e9, 1e12, 1024.0, 3600.0, 86_400.0, 8_760.0}
NO_QUANTITY = ("record", "mapping", "table", "list", "text", "flag", "bool", "name", "choice", "mask", "function")
BASES = {"Exception", "ValueError", "TypedDict", "Protocol", "NamedTuple", "BaseModel"}
EMPTY_NAMES = {"utils", "util", "common", "base", "helpers", "misc"}
ELSEWHERE = (
    r"(?<![\w.:/-])/(?:work|root|opt|home|mnt|srv|Users)/",
    r"pypi\.org|files\.pythonhosted|registry\.npmjs|artifactory|proxy\.golang",
    r"(?:extra-)?index-url|find-links",
)


def where(source: Source, line: int = 0) -> str:
    return source.path.relative_to(PACKAGE).as_posix() + (f":{line}" if line else "")


def listed(problems: list[str]) -> str:
    return "\n" + "\n".join(problems)


def share_90(values: list[int]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[-1]


def load(name: str) -> Any:
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


# Equations


def faults(equation: Equation, units: set[str], keys: set[str]) -> list[str]:
    """What one equation's docstring lacks."""
    found = [f"section {name!r} is missing" for name in docstrings.REQUIRED if not equation.sections.get(name)]
    documented = [item.name for item in equation.parameters]
    if sorted(documented) != sorted(equation.arguments):
        found.append(f"Parameters lists {documented}, the function takes {list(equation.arguments)}")
    for item in equation.parameters:
        if item.unit and item.unit not in units:
            found.append(f"unit [{item.unit}] of {item.name} is not in terms.yml")
        if not item.unit and not item.form.startswith(NO_QUANTITY):
            found.append(f"{item.name} has no [unit]; say what it is, one of {', '.join(NO_QUANTITY)}")
    given = equation.return_units
    found += [f"unit [{unit}] of Returns is not in terms.yml" for unit in given if unit not in units]
    if not given and not any(word in equation.sections.get("Returns", "") for word in NO_QUANTITY):
        found.append("Returns has no [unit]")
    found += [f"[{key}] is not in sources.yml" for key in equation.source_keys if key not in keys]
    if not equation.source_keys:
        found.append("Source names no [key]")
    if not equation.has_doctest:
        found.append("there is no doctest")
    return [f"{equation.place}: {fault}" for fault in found]


def test_each_equation_is_complete():
    units = {item["unit"] for item in load("terms.yml")["units"]}
    keys = set(load("sources.yml"))
    problems = [fault for equation in EQUATIONS for fault in faults(equation, units, keys)]
    assert not problems, listed(problems)
    assert len(EQUATIONS) > 20


INCOMPLETE = '''
def f(x, y):
    """What.

    Equation
        z = x

    Parameters
        x  x  [parsec]  array

    Source  [nobody]
    """
'''


def test_an_incomplete_equation_is_found():
    node = next(ast.walk(ast.parse(INCOMPLETE).body[0]))
    assert isinstance(node, ast.FunctionDef)
    found = faults(docstrings.read_equation(node, "f.py"), {"s"}, {"somebody"})
    words = ("'Returns'", "'Holds when'", "['x', 'y']", "[parsec]", "no [unit]", "[nobody]", "no doctest")
    assert [word for word, fault in zip(words, found, strict=True) if word not in fault] == []


def test_equation_modules_hold_equations():
    paths = [path for pattern in EQUATION_MODULES for path in sorted(PACKAGE.glob(pattern))]
    missing = {
        f"{path.relative_to(PACKAGE).as_posix()}:{node.name}"
        for path in paths
        for node in docstrings.public_functions(path)
        if not docstrings.has_equation(node)
    }
    assert missing == set(NO_EQUATION)


def test_each_equation_is_tested():
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    words = set(re.findall(r"\w+", tests))
    problems = [equation.place for equation in EQUATIONS if equation.name not in words]
    assert not problems, "no file under tests/ names" + listed(problems)


# Literals and arithmetic


def forbidden_numbers(source: Source) -> list[int]:
    return [line for line, value in numbers(source) if value in ONLY_IN_QUANTITIES]


def test_powers_of_ten_and_hours_stand_in_quantities_only():
    problems = [
        where(source, line)
        for source in SOURCES
        if source.path.name != "quantities.py"
        for line in forbidden_numbers(source)
    ]
    assert not problems, listed(problems)


def test_what_faces_the_user_computes_nothing():
    faces = [source for source in SOURCES if where(source).startswith(("cli.py", "cli/", "web/"))]
    problems = [where(source, line) for source in faces for line in scalings(source)]
    assert not problems, listed(problems)
    assert faces


@pytest.mark.parametrize(("code", "breaches"), [
    ("x = 1_000", 1), ("x = f(1e9)", 1), ("x = -3600.0", 1), ('"""1e3"""', 0), ("x = 1e-3, 512, True", 0),
])  # fmt: skip
def test_a_forbidden_number_is_found(code: str, breaches: int):
    assert len(forbidden_numbers(Source(Path("x.py"), code, ast.parse(code)))) == breaches


@pytest.mark.parametrize(("code", "breaches"), [
    ("a * b", 1), ("a **= 2", 1), ("a // b + c / d", 2), ("out / 'result.json'", 0), ("a + b", 0),
])  # fmt: skip
def test_arithmetic_is_found(code: str, breaches: int):
    assert len(list(scalings(Source(Path("x.py"), code, ast.parse(code))))) == breaches


# Sizes and names


def test_files_can_be_read_in_one_go():
    lines = {where(source): len(code_lines(source)) for source in SOURCES}
    assert {name: count for name, count in lines.items() if count > 300} == {}
    assert share_90([count for name, count in lines.items() if not name.endswith("__init__.py")]) <= 150


def test_functions_are_short():
    lines = {where(source, node.lineno): count for source in SOURCES for node, count in functions(source)}
    assert {name: count for name, count in lines.items() if count > 60} == {}
    assert share_90(list(lines.values())) <= 30
    assert statistics.median(lines.values()) <= 10


def test_calls_read_without_counting_positions():
    problems = [
        f"{where(source, node.lineno)} {node.name} takes {positional_arguments(node)} by position"
        for source in SOURCES
        for node, _ in functions(source)
        if positional_arguments(node) > 5 and f"{where(source)}:{node.name}" not in MAY_TAKE_SIX
    ]
    assert not problems, listed(problems)


FOUR_LINES = '''"""Doc."""

# why
def f(a, *, b):
    """One.

    Two.
    """
    return (
        a
    )
'''


def test_code_lines_leave_out_what_is_not_code():
    source = Source(Path("x.py"), FOUR_LINES, ast.parse(FOUR_LINES))
    assert [count for _, count in functions(source)] == [len(code_lines(source))] == [4]
    assert [positional_arguments(node) for node, _ in functions(source)] == [1]


def inheriting(sources: list[Source]) -> set[str]:
    """Classes whose bases do not end in an exception, a shape of data, or one of our own that does."""
    classes = {
        node.name: (where(source), base_names(node))
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
    }

    def allowed(name: str) -> bool:
        bases = classes[name][1] if name in classes else []
        return name in BASES or (bool(bases) and all(map(allowed, bases)))

    return {f"{place}:{name}" for name, (place, bases) in classes.items() if not all(map(allowed, bases))}


def test_classes_do_not_inherit():
    assert inheriting(SOURCES) == set(MAY_INHERIT)


def test_inheritance_is_found():
    lines = ("A", "B(A)", "E(ValueError)", "F(E)", "P(pydantic.BaseModel)", "Q(P)")
    text = "".join(f"class {line}: ...\n" for line in lines)
    assert inheriting([Source(PACKAGE / "x.py", text, ast.parse(text))]) == {"x.py:B"}


def test_modules_are_named_for_what_they_hold():
    names = {part for source in SOURCES for part in Path(where(source)).with_suffix("").parts}
    assert not names & EMPTY_NAMES


def test_public_names_are_few_sorted_and_complete():
    source = next(source for source in SOURCES if where(source) == "__init__.py")
    defined = {node.name for node in source.tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imported = {
        alias.asname or alias.name
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    public = {name for name in defined | imported if not name.startswith("_")}
    assert costline.__all__ == sorted(costline.__all__)
    assert len(costline.__all__) <= 25
    assert public <= set(costline.__all__)
    assert [name for name in costline.__all__ if not hasattr(costline, name)] == []


def test_imports_follow_the_arrows():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# Data and tracked files


def repeated_keys(node: yaml.Node | None) -> list[str]:
    """`key (line)` of every key that a mapping states twice."""
    if isinstance(node, yaml.MappingNode):
        counts = Counter(key.value for key, _ in node.value)
        again = [f"{name} (line {node.start_mark.line + 1})" for name, count in counts.items() if count > 1]
        return again + [name for _, value in node.value for name in repeated_keys(value)]
    if isinstance(node, yaml.SequenceNode):
        return [name for value in node.value for name in repeated_keys(value)]
    return []


def test_each_fact_file_is_sound_yaml():
    files = sorted(DATA.rglob("*.yml"))
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    assert [path.name for path, text in texts.items() if not yaml.safe_load(text)] == []
    problems = {path.name: repeated_keys(yaml.compose(text, yaml.SafeLoader)) for path, text in texts.items()}
    assert {name: keys for name, keys in problems.items() if keys} == {}
    assert len(files) > 10


def test_a_repeated_key_is_found():
    node = yaml.compose("a: {b: 1, b: 2}\nc: [{d: 1}, {d: 2}]", yaml.SafeLoader)
    assert repeated_keys(node) == ["b (line 1)"]


def test_citations_have_a_title_and_a_day():
    fields = {"title", "locator", "url", "retrieved", "licence"}
    entries = load("sources.yml")
    assert [key for key, entry in entries.items() if not entry.keys() <= fields] == []
    assert [key for key, entry in entries.items() if not entry.get("title")] == []
    assert [key for key, entry in entries.items() if not isinstance(entry.get("retrieved"), date)] == []


def test_terms_are_sorted_out():
    terms = load("terms.yml")
    units = [item["unit"] for item in terms["units"]]
    names = [item["name"] for item in terms["terms"]]
    assert [name for name, count in Counter(units + names).items() if count > 1] == []
    assert [item["name"] for item in terms["terms"] if item["unit"] not in units] == []
    assert all(item.keys() == {"name", "symbol", "unit", "meaning"} for item in terms["terms"])


def elsewhere(text: str) -> list[str]:
    return [match[0] for pattern in ELSEWHERE for match in re.finditer(pattern, text)]


def test_tracked_files_name_no_machine():
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout, to know which files are tracked")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    texts = {
        path: path.read_bytes().decode("utf-8", "replace")
        for path in paths
        if path.is_file() and path != Path(__file__)
    }
    problems = [f"{path.name}: {found}" for path, text in texts.items() for found in elsewhere(text)]
    assert not problems, listed(problems)


def test_a_machine_is_found():
    assert len(elsewhere("see /home/me/x, pip --index-url https://pypi.org/simple")) == 3
    assert elsewhere("https://example.org/work/x and ../shared/opt/") == []
