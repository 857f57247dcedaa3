"""Write the pages that follow from the code: docs/equations.md, docs/terms.md, docs/cli.md, the README's example.

python tools/generate_docs.py            write them
python tools/generate_docs.py --check    exit 1 and name the pages that are stale
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import click
import yaml

from costline.answers.plan import plan
from costline.answers.scenario import Scenario
from costline.cli import cli
from costline.render import plain_text
from docstrings import PACKAGE, ROOT, Equation, equations

DOCS = ROOT / "docs"
DATA = PACKAGE / "catalog" / "data"
WIDTH = 100
NOTE = "<!-- Written by `make docs`; change {origin} instead. -->"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    cells = [list(header), *([str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def page(title: str, origin: str, *blocks: str) -> str:
    """A page from its blocks, one blank line between them."""
    return "\n\n".join([f"# {title}", NOTE.format(origin=origin), *blocks]) + "\n"


# Equations


def equations_page() -> str:
    """Every equation by layer and module, then the works they cite."""
    sources: dict[str, dict[str, Any]] = yaml.safe_load((DATA / "sources.yml").read_text(encoding="utf-8"))
    found = equations()
    cited = {key for equation in found for key in equation.source_keys}
    blocks = [f"{len(found)} equations. Units are those of [terms.md](terms.md)."]
    for layer, in_layer in groupby(found, key=lambda item: item.module.split("/")[0]):
        blocks.append(f"## {layer}")
        for module, in_module in groupby(in_layer, key=lambda item: item.module):
            blocks += [f"### {module}", *map(equation_block, in_module)]
    works = [(f"[{key}]", _work(sources[key])) for key in sources if key in cited]
    return page("Equations", "the docstrings", *blocks, "## Sources", table(("key", "work"), works))


def equation_block(equation: Equation) -> str:
    """One equation: its formula, what goes in, what comes out, when it holds, where it is from."""
    rows = [
        (f"`{item.name}`", _symbol(item.symbol), item.unit and f"[{item.unit}]", item.form, item.meaning)
        for item in equation.parameters
    ]
    text = {name: " ".join(body.split()) for name, body in equation.sections.items()}
    return "\n\n".join([
        f"#### `{equation.name}`",
        equation.summary,
        f"```text\n{equation.sections['Equation']}\n```",
        table(("parameter", "symbol", "unit", "form", "meaning"), rows),
        f"Returns {text['Returns']}",
        f"Holds when {text['Holds when']}",
        f"Source: {text['Source']}",
    ])  # fmt: skip


def _symbol(symbol: str) -> str:
    return "" if symbol in ("", "-") else f"`{symbol}`"


def _work(entry: dict[str, Any]) -> str:
    title = f"[{entry['title']}]({entry['url']})" if "url" in entry else entry["title"]
    return title + (f"; {entry['locator']}" if "locator" in entry else "")


# Terms


def terms_page() -> str:
    """The nomenclature: terms, then units."""
    terms = yaml.safe_load((DATA / "terms.yml").read_text(encoding="utf-8"))
    rows = [
        (f"`{item['name']}`", _symbol(item["symbol"]), f"[{item['unit']}]", item["meaning"]) for item in terms["terms"]
    ]
    units = [(f"[{item['unit']}]", item["meaning"]) for item in terms["units"]]
    return page(
        "Terms and units",
        "src/costline/catalog/data/terms.yml",
        "Inside, everything is SI and counts; every dimensional name ends in its unit.",
        table(("name", "symbol", "unit", "meaning"), rows),
        "## Units",
        table(("unit", "meaning"), units),
    )


# The command line and the scenario


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every command below a group: its whole name, itself, its context."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context, terminal_width=WIDTH)
        yield inner.command_path, command, inner
        if isinstance(command, click.Group):
            yield from commands(command, inner)


def root_context() -> click.Context:
    """The context of `costline` itself, as wide as every page."""
    names = cli.context_settings["help_option_names"]
    return click.Context(
        cli, info_name="costline", terminal_width=WIDTH, max_content_width=WIDTH, help_option_names=names
    )


def settings() -> list[tuple[str, str, str, str]]:
    """Each option once: flags, default, the commands that take it, meaning."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for path, command, _ in commands(cli, root_context()):
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
                key = (flags, _default(option), option.help or "")
                found.setdefault(key, []).append(path.removeprefix("costline "))
    return [(flags, default, ", ".join(where), text) for (flags, default, text), where in sorted(found.items())]


def _default(option: click.Option) -> str:
    value = option.to_info_dict()["default"]
    return "" if value is None or value is False or value == () or callable(value) else str(value)


def scenario_fields() -> list[tuple[str, str, str, str]]:
    """Each field of a scenario file: path, type, default, meaning."""
    schema = Scenario.model_json_schema()
    return list(_fields(schema, schema.get("$defs", {}), ""))


def _fields(schema: dict[str, Any], definitions: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in schema.get("properties", {}).items():
        default = field.get("default", "")
        shown = "" if default is None or isinstance(default, dict) else str(default)
        yield f"{prefix}{name}", _type(field), shown, field.get("description", "")
        for inner, is_list in _blocks(field, definitions):
            yield from _fields(inner, definitions, f"{prefix}{name}{'[]' if is_list else ''}.")


def _blocks(field: dict[str, Any], definitions: dict[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Blocks that a field may hold, and whether it holds a list of them."""
    for choice in [field, *field.get("anyOf", []), *field.get("oneOf", []), *field.get("allOf", [])]:
        if "$ref" in choice:
            yield definitions[choice["$ref"].rsplit("/", 1)[1]], False
        for inner, _ in _blocks(choice["items"], definitions) if "items" in choice else ():
            yield inner, True


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "block"
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "items" in field:
        return f"list of {_type(field['items'])}"
    choices = [*field.get("anyOf", []), *field.get("oneOf", []), *field.get("allOf", [])]
    return " or ".join(dict.fromkeys(map(_type, choices))) or str(field.get("type", "any"))


def cli_page() -> str:
    """What each command prints for --help, then every option and every scenario field."""
    context = root_context()
    pages = [("costline", cli, context), *commands(cli, context)]
    helps = [f"## {path}\n\n```text\n{command.get_help(inner)}\n```" for path, command, inner in pages]
    return page(
        "The command line",
        "the commands in src/costline/cli and the scenario in src/costline/answers/scenario.py",
        *helps,
        "## Options",
        table(("option", "default", "commands", "meaning"), settings()),
        "## The scenario file",
        table(("field", "type", "default", "meaning"), ((f"`{f[0]}`", *f[1:]) for f in scenario_fields())),
    )


# The README's example

EXAMPLE = ROOT / "examples" / "chat-70b.yml"
OPENS, CLOSES = "<!-- output: costline plan examples/chat-70b.yml -->\n", "<!-- end -->"


def readme() -> str:
    """The README with what its example prints today, all but the age of the price."""
    answer = plan(EXAMPLE, top=5)
    shown = [*plain_text(answer.table(), width=WIDTH_SHOWN).splitlines(), *answer.summary.splitlines()]
    lines = [line.rstrip() for line in shown if line.strip() and not line.startswith("Price:")]
    before, _, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition(OPENS)
    block = "\n".join(["```text", *lines, "```"])
    return f"{before}{OPENS}{block}\n{CLOSES}{rest.partition(CLOSES)[2]}"


WIDTH_SHOWN = 158
PAGES: dict[str, Callable[[], str]] = {
    "docs/equations.md": equations_page,
    "docs/terms.md": terms_page,
    "docs/cli.md": cli_page,
    "README.md": readme,
}


def stale() -> list[str]:
    """Pages whose file differs from what the code says."""
    return [name for name, render in PAGES.items() if _text(name) != render()]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).is_file() else ""


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say which are stale."""
    if arguments == ["--check"]:
        names = stale()
        for name in names:
            print(f"{name} is stale; run make docs", file=sys.stderr)
        return 1 if names else 0
    for name, render in PAGES.items():
        (ROOT / name).write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
