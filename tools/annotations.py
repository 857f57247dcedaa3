"""What an argument parser makes of an annotated field, read from source text: nothing of the package is imported.

Knows Python's annotations and `add_argument`. Knows no engine (see `engine_flags`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

Spec = dict[str, Any]
"""Type of a flag, its choices (`known` where others may be added), a `--no-` form, repetition, other names."""

_SIMPLE = {"int": "int", "float": "float", "str": "str"}
_LISTS = ("list", "List", "set", "Set", "tuple", "Tuple", "Sequence")
_UNIONS = ("Union", "Optional", "Annotated", "A")


class Sources:
    """Classes, named annotations and constant lists of some modules, by name."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.classes: dict[str, ast.ClassDef] = {}
        self.named: dict[str, ast.expr] = {}
        self.trees = {path: ast.parse(text) for path, text in texts.items()}
        for tree in self.trees.values():
            for node in tree.body:
                if isinstance(node, ast.ClassDef):
                    self.classes[node.name] = node
                elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    self.named[node.targets[0].id] = node.value
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                    self.named[node.target.id] = node.value

    def fields(self, name: str) -> dict[str, ast.AnnAssign]:
        """Annotated fields of a class, those of its bases first."""
        node = self.classes[name]
        found: dict[str, ast.AnnAssign] = {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.classes:
                found |= self.fields(base.id)
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                found[item.target.id] = item
        return found

    def function(self, name: str, owner: str = "") -> ast.FunctionDef:
        """A function of a class or of a module."""
        bodies = [self.classes[owner].body] if owner else [tree.body for tree in self.trees.values()]
        return next(item for body in bodies for item in body if isinstance(item, ast.FunctionDef) and item.name == name)

    def values(self, node: ast.expr | None) -> list[Any] | None:
        """A list of constants, written out or by name; None if it is neither."""
        if isinstance(node, ast.Name):
            return self.values(self.named.get(node.id))
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            items = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            return items if len(items) == len(node.elts) else None
        return None

    def hints(self, node: ast.expr | None) -> dict[str, Any]:
        """Kinds that an annotation allows: `int`, `str`, `none`, `literal` with its values, `list` with its items …"""
        match node:
            case ast.Constant(value=None):
                return {"none": True}
            case ast.Constant(value=str() as text):
                return self.hints(ast.parse(text, mode="eval").body)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return _merged(self.hints(left), self.hints(right))
            case ast.Subscript(value=value, slice=inner):
                return self._subscript(_name(value), inner)
            case ast.Name() | ast.Attribute():
                return self._plain(_name(node))
            case _:
                return {"other": "?"}

    def _plain(self, name: str) -> dict[str, Any]:
        if name in ("int", "float", "str", "bool", "dict"):
            return {name: True}
        if name in _LISTS:
            return {"list": {"str": True}}
        if name in self.named and name not in self.classes:
            return self.hints(self.named[name])
        return {"class": name} if name in self.classes else {"other": name}

    def _subscript(self, name: str, inner: ast.expr) -> dict[str, Any]:
        items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            return {"literal": list(dict.fromkeys(value for item in items for value in self._literal(item)))}
        if name in ("Annotated", "A"):
            return self.hints(items[0])
        if name in _UNIONS:
            found: dict[str, Any] = {"none": True} if name == "Optional" else {}
            for item in items:
                found = _merged(found, self.hints(item))
            return found
        if name in _LISTS:
            return {"list": self.hints(items[0])}
        return {"dict": True} if name in ("dict", "Dict", "Mapping") else {"other": name}

    def _literal(self, node: ast.expr) -> list[Any]:
        if isinstance(node, ast.Constant):
            return [node.value]
        return list(self.hints(node).get("literal", []))


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {**one, **other}
    if "literal" in one and "literal" in other:
        both["literal"] = list(dict.fromkeys([*one["literal"], *other["literal"]]))
    return both


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else "?"


def spec_of_hints(hints: Mapping[str, Any]) -> Spec:
    """The flag that an annotation becomes, in the order in which engines decide it."""
    if "class" in hints:
        return {"type": "json"}
    if "bool" in hints and "str" not in hints:
        return {"type": "flag", "negatable": True}
    if "literal" in hints:
        values = hints["literal"]
        kind = "int" if all(isinstance(value, int) for value in values) else "str"
        return {"type": kind, "known" if "str" in hints else "choices": values}
    if "list" in hints:
        inner = spec_of_hints(hints["list"])
        return {**inner, "type": "list", "of": inner["type"]}
    for kind in ("int", "float", "dict"):
        if kind in hints:
            return {"type": {"dict": "json"}.get(kind, kind)}
    return {"type": "str"}


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """Keyword arguments of a call."""
    return {item.arg: item.value for item in call.keywords if item.arg}


def flag_names(call: ast.Call) -> list[str]:
    """Long names that a call of `add_argument` gives, an empty prefix of theirs left out."""
    found: list[str] = []
    for item in call.args:
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            found.append(item.value)
        elif isinstance(item, ast.JoinedStr):
            found.append("".join(str(part.value) for part in item.values if isinstance(part, ast.Constant)))
    return [name for name in found if name.startswith("--")]


def spec_of_call(call: ast.Call, sources: Sources) -> Spec:
    """The flag that the keywords of `add_argument` describe."""
    given = keywords(call)
    action = given.get("action")
    word = action.value if isinstance(action, ast.Constant) else _name(action) if action else ""
    if word in ("store_true", "store_false") or "StoreTrue" in str(word):
        return {"type": "flag"}
    if word == "BooleanOptionalAction":
        return {"type": "flag", "negatable": True}
    kind = given.get("type", given.get("arg_type"))
    spec: Spec = {"type": _SIMPLE.get(_name(kind), "str") if kind else "str"}
    if word == "append":
        spec["repeats"] = True
    nargs = given.get("nargs")
    if isinstance(nargs, ast.Constant) and nargs.value not in ("?", 1):
        spec = {**spec, "type": "list", "of": spec["type"]}
    choices = sources.values(given.get("choices"))
    return {**spec, "choices": choices} if choices else spec


def calls(node: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Calls of a function or method of one of those names, in order."""
    for item in ast.walk(node):
        if isinstance(item, ast.Call) and _name(item.func) in names:
            yield item
