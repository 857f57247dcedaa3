"""costline export: writes the launch files of a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("plan")
@click.option("--engine", help="vllm, sglang or tensorrt-llm; default = the scenario's.")
@click.option("--target", default="shell", show_default=True, help="shell, docker-compose, kubernetes or llm-d.")
@click.option("--rank", default=1, show_default=True, metavar="N", help="Which plan of the list.")
@click.option("--out", "folder", metavar="DIR", help="Write the files into DIR instead of printing them.")
@click.option("--json", "as_json", is_flag=True, help="Print the files by name as JSON and nothing else.")
def export(plan: str, folder: str | None, *, as_json: bool, **chosen: Any) -> None:
    """Launch files for PLAN: a result.json of `costline plan`, or a scenario file, which is planned first."""
    from costline.answers.export import export as answer
    from costline.render import write_files

    texts = answer(plan, **chosen)
    written = write_files(Path(folder), texts) if folder is not None else []
    if as_json:
        click.echo(json.dumps({"files": texts}, ensure_ascii=False, indent=2))
    elif folder is not None:
        for path in written:
            click.echo(f"wrote {path}")
    else:
        click.echo(joined(texts), nl=False)


def joined(texts: dict[str, str]) -> str:
    """All files one after another; several with their names above."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"# ---- {name}\n{text}" for name, text in texts.items())
