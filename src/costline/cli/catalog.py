"""`costline catalog`: facts, listed, shown, checked and added."""

from __future__ import annotations

import sys

import click

from costline.cli.answering import json_option, show


@click.group()
def catalog() -> None:
    """Facts with their sources: list, show, check, schema, add."""


@catalog.command("list")
@click.argument("kind")
@json_option
def catalog_list(kind: str, as_json: bool) -> None:
    """List KIND: models, accelerators, systems, offers, grids, pues, tariffs, engines, workloads or sources."""
    from costline.answers.catalog_view import listing

    show(listing(kind), as_json=as_json)


@catalog.command("show")
@click.argument("name")
@json_option
def catalog_show(name: str, as_json: bool) -> None:
    """Show everything known of NAME (a model, accelerator, system, offer …), each value with its source."""
    from costline.answers.catalog_view import one

    show(one(name), as_json=as_json)


@catalog.command("check")
@json_option
def catalog_check(as_json: bool) -> None:
    """Check every fact file: sources, names, plausibility, stale prices. Exit 1 if anything is wrong."""
    from costline.answers.catalog_view import checked

    answer = checked()
    show(answer, as_json=as_json)
    if answer.data["errors"]:
        sys.exit(1)


@catalog.command("schema")
@click.argument("kind")
def catalog_schema(kind: str) -> None:
    """Print the JSON Schema of a KIND of fact file, or of `scenario`, for an editor."""
    from costline.answers.catalog_view import schema
    from costline.cli import terminal

    terminal.print_json(schema(kind))


@catalog.group("add")
def catalog_add() -> None:
    """Add facts of your own."""


@catalog_add.command("model")
@click.argument("config")
@click.option("--id", "identity", help="Id of the new model; default = from the file.")
@click.option("--to", "folder", metavar="DIR", help="Catalog folder; default = the first of COSTLINE_CATALOG.")
@json_option
def catalog_add_model(config: str, identity: str | None, folder: str | None, as_json: bool) -> None:
    """Add a model from CONFIG, a Hugging Face config.json."""
    from costline.answers.catalog_view import add_model

    show(add_model(config, identity, folder), as_json=as_json)
