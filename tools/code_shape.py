"""The shape of source code: lines of code, functions, arguments, bases, literals. Knows no threshold.

A code line is a line that holds more than a comment, a docstring or nothing.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCALING = (ast.Mult, ast.Div, ast.FloorDiv, ast.Pow)
_LAYOUT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One parsed file."""

    path: Path
    text: str
    tree: ast.Module


def read(path: Path) -> Source:
    """Parse a file."""
    text = path.read_text(encoding="utf-8")
    return Source(path, text, ast.parse(text, filename=str(path)))


def code_lines(source: Source) -> set[int]:
    """Line numbers that hold code."""
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    lines = {n for t in tokens if t.type not in _LAYOUT for n in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def functions(source: Source) -> Iterator[tuple[Function, int]]:
    """Every function and method with its number of code lines, signature included."""
    lines = code_lines(source)
    for node in ast.walk(source.tree):
        if isinstance(node, Function):
            yield node, sum(node.lineno <= n <= (node.end_lineno or node.lineno) for n in lines)


def positional_arguments(node: Function) -> int:
    """Arguments that can be given by position, the instance left out; Numba kernels know no other way."""
    if any("njit" in ast.unparse(item) or "compiled" in ast.unparse(item) for item in node.decorator_list):
        return 0
    names = [item.arg for item in [*node.args.posonlyargs, *node.args.args]]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def numbers(source: Source) -> Iterator[tuple[int, float]]:
    """Line and value of every numeric literal."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield node.lineno, float(node.value)


def scalings(source: Source) -> Iterator[int]:
    """Lines that multiply, divide or raise to a power; text is no value (`path / "name"`, `"-" * 8`)."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, _SCALING):
            if not (_is_text(node.left) or _is_text(node.right)):
                yield node.lineno
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, _SCALING) and not _is_text(node.value):
            yield node.lineno


def base_names(node: ast.ClassDef) -> list[str]:
    """Names of the bases, without module and type arguments."""
    plain = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    return [base.attr if isinstance(base, ast.Attribute) else ast.unparse(base) for base in plain]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
