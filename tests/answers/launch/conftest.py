"""Parsers made of the recorded flags: argparse itself judges what is exported."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import pytest

from costline.catalog.engine_records import Flag
from costline.catalog.engines import program

KINDS: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str, "json": json.loads}


class Refused(Exception):
    """What the parser says."""


def refuse(message: str) -> Any:
    raise Refused(message)


def arguments(one: Flag) -> dict[str, Any]:
    if one.type == "flag":
        return {"action": argparse.BooleanOptionalAction if one.negatable else "store_true"}
    many: dict[str, Any] = {"nargs": "+"} if one.type == "list" else {}
    if one.repeats:
        many["action"] = "append"
    allowed = one.choices or one.known
    kind = KINDS[one.of or "str"] if one.type == "list" else KINDS[one.type]
    return {**many, "type": kind, **({"choices": [kind(value) for value in allowed]} if allowed else {})}


@pytest.fixture(scope="session")
def parse() -> Callable[[str, list[str]], argparse.Namespace]:
    """`parse("vllm", [...])`: the flags as the program of that name would read them."""
    made: dict[str, argparse.ArgumentParser] = {}

    def run(name: str, flags: list[str]) -> argparse.Namespace:
        if name not in made:
            made[name] = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
            made[name].error = refuse  # instead of leaving
            for flag, one in program(name).flags.items():
                made[name].add_argument(flag, *one.aliases, **arguments(one))
        return made[name].parse_args(flags)

    return run
