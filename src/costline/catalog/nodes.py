"""YAML text to nodes with line numbers, and single values out of nodes, strictly.

Knows YAML's core schema only: dates stay text, ``NO`` is a country, tags and merge keys are errors, a key
stands once, a number is finite. Knows nothing of entries and their provenance (see `read`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import yaml

from costline.catalog.shapes import Number, Text
from costline.errors import CatalogError, nearest_names
from costline.quantities import MIB

MAX_BYTES = 8 * MIB
MAX_VALUES = 500_000
"""Values one file may expand to: aliases of aliases multiply."""
MAX_NESTING = 500

Pairs = dict[str, tuple[yaml.Node, yaml.Node]]
"""Key node and value node by key."""

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9][0-9_]*")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS = {"true": "bool", "false": "bool", "null": "null", "~": "null", "": "null"}
_NUMBER_START = frozenset("+-.0123456789")


@dataclass
class File:
    """A file under reading: its name for errors, and how many values it has given."""

    name: str
    values: int = 0

    def fail(self, node: yaml.Node, message: str) -> NoReturn:
        """Raise CatalogError at the node's line."""
        raise CatalogError(f"{self.name}:{line_of(node)}: {message}")

    def fail_key(self, node: yaml.Node, path: str, known: Iterable[str]) -> NoReturn:
        """Raise CatalogError for an unknown key, naming the nearest known one."""
        near = nearest_names(path.rpartition(".")[2], known, 1)
        remedy = f"nearest: {near[0]}" if near else "no key is allowed here"
        self.fail(node, f"unknown key {path!r}; {remedy}")

    def count(self, node: yaml.Node) -> None:
        """Note one more value; too many is an error."""
        self.values += 1
        if self.values > MAX_VALUES:
            self.fail(node, f"expands to more than {MAX_VALUES} values; write them out or split the file")


def parse(file: File, path: Path) -> yaml.Node:
    """The root node of a file."""
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if size <= MAX_BYTES else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{file.name}:1: cannot be read as UTF-8 text ({error}); check it") from error
    if size > MAX_BYTES:
        raise CatalogError(f"{file.name}:1: {size} bytes exceed the limit of {MAX_BYTES}; split the file")
    try:
        _check_nesting(file, text)
        node = _compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line + 1, len(text.splitlines())) if mark else 1
        raise CatalogError(f"{file.name}:{line}: not valid YAML: {error.problem}; check quotes, indents") from None
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise CatalogError(f"{file.name}:1: not valid YAML: {reason}; check the file") from None
    if node is None:
        raise CatalogError(f"{file.name}:1: the file is empty; it must hold a mapping")
    return node


def line_of(node: yaml.Node) -> int:
    """Line of a node, from 1."""
    return int(node.start_mark.line) + 1


def has_tag(node: yaml.Node, *names: str) -> bool:
    """True if the node has one of YAML's own tags ``null bool int float str map seq``."""
    return node.tag.startswith(_TAG) and node.tag[len(_TAG) :] in names


def pairs_of(file: File, node: yaml.Node, path: str) -> Pairs:
    """A mapping's nodes by key; a key that stands twice or is no text is an error."""
    if not isinstance(node, yaml.MappingNode) or not has_tag(node, "map"):
        file.fail(node, f"{path or 'the file'} must be a mapping, not {_shown(node)}")
    pairs: Pairs = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode) or not has_tag(key_node, "str", "int", "float", "bool"):
            file.fail(key_node, f"{path or 'the file'} has a key that is not text; write a plain name")
        if key_node.value in pairs:
            file.fail(key_node, f"key {key_node.value!r} stands twice in {path or 'the file'}; keep one")
        pairs[key_node.value] = (key_node, value_node)
    return pairs


def items_of(file: File, node: yaml.Node, path: str) -> list[yaml.Node]:
    """A list's nodes."""
    if not isinstance(node, yaml.SequenceNode) or not has_tag(node, "seq"):
        file.fail(node, f"{path} must be a list, not {_shown(node)}")
    return node.value


def number_of(file: File, node: yaml.Node, shape: Number, path: str) -> float | int:
    """A number in SI."""
    if not isinstance(node, yaml.ScalarNode) or not has_tag(node, "int", "float"):
        file.fail(node, f"{path} must be a number, not {_shown(node)}")
    number = _parsed(file, node, path)
    fault = (
        "finite; leave it out if it is unknown" if not math.isfinite(number)
        else "a whole number" if shape.whole and not isinstance(number, int)
        else f"at least {shape.minimum:g}" if shape.minimum is not None and number < shape.minimum
        else "above 0" if shape.positive and number <= 0
        else f"at most {shape.maximum:g}" if shape.maximum is not None and number > shape.maximum
        else ""
    )  # fmt: skip
    if fault:
        file.fail(node, f"{path}={node.value} must be {fault}")
    if shape.factor == 1:
        return number
    # dividing by a million is exact where multiplying by a millionth is not: 5 us is 5e-06
    return number * shape.factor if shape.factor > 1 else number / round(1 / shape.factor)


def text_of(file: File, node: yaml.Node, shape: Text, path: str) -> str:
    """Text as it stands in the file; numbers keep their spelling."""
    if not isinstance(node, yaml.ScalarNode) or not has_tag(node, "str", "int", "float"):
        file.fail(node, f"{path} must be text, not {_shown(node)}; quote it if it is a word of YAML")
    text: str = node.value
    if shape.choices and text not in shape.choices:
        near = nearest_names(text, shape.choices, 1)[0]
        file.fail(node, f"{path}={text!r} is none of {', '.join(shape.choices)}; nearest: {near}")
    if shape.pattern and not re.fullmatch(shape.pattern, text):
        file.fail(node, f"{path}={text!r} does not match {shape.pattern}")
    return text


def flag_of(file: File, node: yaml.Node, path: str) -> bool:
    """true or false."""
    if not isinstance(node, yaml.ScalarNode) or not has_tag(node, "bool"):
        file.fail(node, f"{path} must be true or false, not {_shown(node)}")
    return node.value == "true"


def _compose(text: str) -> yaml.Node | None:
    loader: Any = cast(Any, getattr(yaml, "CSafeLoader", yaml.SafeLoader))(text)
    loader.resolve = _resolve
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _check_nesting(file: File, text: str) -> None:
    """Deep nesting would overflow the composer's stack: bound brackets, indicators and indents."""
    brackets = 0
    for number, line in enumerate(text.splitlines(), start=1):
        opened = line.count("[") + line.count("{")
        nested = line.count("- ") + line.count("? ") + len(line) - len(line.lstrip())
        if brackets + opened > MAX_NESTING or nested > MAX_NESTING:
            raise CatalogError(f"{file.name}:{number}: nested deeper than {MAX_NESTING} levels; flatten it")
        brackets = max(0, brackets + opened - line.count("]") - line.count("}"))


def _resolve(kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
    """Tag of an untagged node by YAML's core schema."""
    if kind is not yaml.ScalarNode:
        return _TAG + ("map" if kind is yaml.MappingNode else "seq")
    text = value or ""
    if not implicit[0]:
        return _TAG + "str"
    if text[:1] not in _NUMBER_START:
        return _TAG + _WORDS.get(text, "str")
    if _INT.fullmatch(text):
        return _TAG + "int"
    return _TAG + ("float" if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text) else "str")


def _parsed(file: File, node: yaml.ScalarNode, path: str) -> float | int:
    text = node.value.replace("_", "")
    try:
        return int(text) if has_tag(node, "int") else float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        file.fail(node, f"{path}={node.value!r} is not a number; write it plainly")


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value[:60])
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
