"""`costline reproduce`: parse, call the answer, show it."""

from __future__ import annotations

import sys

import click

from costline.cli.answering import answer_options, patience, show


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--own", is_flag=True, help="Add the same cells by costline's own physics, and why they differ.")
@answer_options
def reproduce(names: tuple[str, ...], own: bool, as_json: bool, folder: str | None, sources: bool) -> None:
    """Published tables cell by cell, printed beside computed; exit 1 if a cell is not as expected.

    NAME is a publication (erdil-2025, scaling-book-serving, steinhardt-2022, pope-2022, optimization-guide, claims), or
    one of its tables or figures; default: all. Figures are drawn with --out.
    """
    from costline.answers.reproduce import reproduce as answer
    from costline.answers.reproduce import write

    with patience("reproducing"):
        shown = answer(names, figures=folder is not None, own=own)
        written = write(shown, folder) if folder is not None else []
    show(shown, as_json=as_json, sources=sources)
    for path in written if not as_json else ():
        click.echo(f"wrote {path}")
    if shown.data["unexpected"]:
        sys.exit(1)
