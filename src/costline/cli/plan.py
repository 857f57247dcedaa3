"""`costline plan` and `costline frontier`: parse, call the answer, show it."""

from __future__ import annotations

from typing import Any

import click

from costline.cli.answering import answer_options, patience, show
from costline.cli.flags import frontier_arguments, scenario_blocks
from costline.cli.options import DEGREES, LENGTHS, TARGETS, flag, flags


@click.command()
@click.argument("scenario", required=False)
@flags("model", "accelerator", *LENGTHS, "concurrency", "request_rate", *TARGETS, *DEGREES)
@flags("batch", "max_accelerators", "weights", "kv", "price")
@click.option("--prefer-speed", type=float, metavar="A", help="Rank by speed^A per USD instead of by cost.")
@flags("engine", "calibration")
@flag("top", default=8)
@answer_options
def plan(scenario: str | None, top: int, as_json: bool, folder: str | None, sources: bool, **given: Any) -> None:
    """Find the cheapest deployments of SCENARIO (a YAML file), with the reasons.

    Options win over the file; without a file they are the whole scenario.
    """
    from costline.answers.plan import plan as answer

    with patience("Searching deployments"):
        found = answer(scenario, top=top, **scenario_blocks(given))
    show(found, as_json=as_json, folder=folder, sources=sources)
    if folder is not None:
        from costline.answers.report import write

        written = write(found, folder)
        for path in () if as_json else written:
            click.echo(f"wrote {path}")


@click.command()
@click.option("--model", "--models", "models", multiple=True, required=True, help="Model; repeat for several.")
@click.option("--accelerator", "--accelerators", "accelerators", multiple=True, required=True, help="Accelerators.")
@flag("isl", default=2048)
@flag("osl", default=512, help="Output tokens of each.")
@flag("max_accelerators", default=16, help="Most of a replica.")
@flags(*TARGETS, *DEGREES)
@flag("weights", default="auto", help="Weight format.")
@flag("kv", default="auto", help="Cache format.")
@flag("price", help="USD per accelerator-hour, instead of the reference offers.")
@flag("calibration", default="default", help="default, or none: datasheet rates.")
@answer_options
def frontier(as_json: bool, folder: str | None, sources: bool, **given: Any) -> None:
    """Speed against cost of models on accelerators, at full load."""
    from costline.answers.frontier import frontier as answer

    with patience("Searching deployments"):
        found = answer(**frontier_arguments(given))
    show(found, as_json=as_json, folder=folder, sources=sources)
