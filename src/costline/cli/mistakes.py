"""Turns what is wrong with a command line into one line that names the nearest right one. Knows click's errors."""

from __future__ import annotations

import re

import click

from costline.errors import nearest_names

LONGEST = 600
_KEPT = 280


def one_line(error: click.ClickException) -> str:
    """The mistake, what would be right, and where to look."""
    context = getattr(error, "ctx", None)
    where = f"see {context.command_path if context is not None else 'costline'} --help"
    if context is not None and isinstance(error, click.NoSuchOption):
        options = [name for one in context.command.get_params(context) for name in one.opts if name.startswith("--")]
        return f"unknown option {error.option_name!r}; nearest: {_near(error.option_name, options)}; {where}"
    if context is not None and isinstance(context.command, click.Group):
        commands = context.command.list_commands(context)
        wrong = re.match(r"No such command (.+)\.", error.message, re.DOTALL)
        if wrong:
            return f"unknown command {wrong[1]}; nearest: {_near(wrong[1], commands)}; {where}"
        if not context.args:
            return f"a command is missing; give one of {', '.join(commands)}; {where}"
    wrong = re.match(r"('.*') is not a valid (integer|float)", error.message, re.DOTALL)
    if wrong and isinstance(error, click.BadParameter) and error.param is not None:
        kind = "a whole number" if wrong[2] == "integer" else "a number"
        return f"{error.param.opts[0]}={wrong[1]} must be {kind}; write it without a unit; {where}"
    return f"{error.format_message().strip().rstrip('.')}; {where}"


def plain_line(text: str) -> str:
    """Text as one line that a terminal shows as it is: nothing unprintable, and no longer than a reader bears."""
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
    return shown if len(shown) <= LONGEST else f"{shown[:_KEPT]} … {shown[-_KEPT:]}"


def _near(name: str, known: list[str]) -> str:
    return ", ".join(nearest_names(name, known))
