"""`costline sensitivity`: parse, call the answer, show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from costline.cli.answering import answer_options, patience, show
from costline.cli.flags import scenario_blocks
from costline.cli.options import flag, flags
from costline.errors import InputError

GROUPS = ("assumptions", "prices", "rates", "options", "architecture")


def spans(texts: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Ranges from NAME=LOW,HIGH."""
    found: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, _, ends = text.partition("=")
        try:
            low, high = (float(end) for end in ends.split(","))
        except ValueError:
            raise InputError(f"--vary {text!r} must be NAME=LOW,HIGH, such as experts=64,256") from None
        found[name.strip()] = (low, high)
    return found


@click.command()
@click.argument("scenario", required=False)
@flags("model", "accelerator", accelerator="Accelerator; repeat for more.")
@flags("isl", "osl", "request_rate", "concurrency")
@click.option("--group", "groups", multiple=True, type=click.Choice(GROUPS), help="Only this group; repeatable.")
@click.option("--vary", multiple=True, metavar="NAME=LOW,HIGH", help="A range of your own: experts=64,256.")
@flag("calibration")
@flag("top", default=20, help="Effects to show.")
@answer_options
def sensitivity(scenario: str | None, as_json: bool, folder: str | None, sources: bool, **given: Any) -> None:
    """Rank what each assumption, price, rate, option and shape of the model is worth around the best plan.

    Each is moved alone, with the plan held fixed and chosen anew; the largest swing of the cost comes first.
    SCENARIO is a file as for `plan`.
    """
    from costline.answers.sensitivity import sensitivity as answer

    own = {"groups": given["groups"], "vary": spans(given["vary"]), "top": given["top"]}
    with patience("Moving one thing at a time"):
        found = answer(scenario, **own, **scenario_blocks(given))
    show(found, as_json=as_json, folder=folder, sources=sources)
