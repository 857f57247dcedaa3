"""`costline sensitivity`: parse, call the answer, show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from costline.cli.flags import scenario_blocks
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


def register(group: click.Group, shared: Callable[..., Any], show: Callable[..., Any], patience: Any) -> None:
    """Adds the command to `group`, with the options that all answers share."""

    @group.command()
    @click.argument("scenario", required=False)
    @click.option("--model", help="Model id, alias or Hugging Face id.")
    @click.option("--accelerator", "--accelerators", "accelerator", multiple=True, help="Accelerator; repeat for more.")
    @click.option("--isl", type=float, metavar="TOKENS", help="Input tokens of a request.")
    @click.option("--osl", type=float, metavar="TOKENS", help="Output tokens of a request.")
    @click.option("--request-rate", type=float, metavar="PER_S", help="Requests per second.")
    @click.option("--concurrency", type=float, metavar="N", help="Requests in flight.")
    @click.option("--group", "groups", multiple=True, type=click.Choice(GROUPS), help="Only this group; repeatable.")
    @click.option("--vary", multiple=True, metavar="NAME=LOW,HIGH", help="A range of your own: experts=64,256.")
    @click.option("--calibration", help="default = sustained rates, none = the datasheet's.")
    @click.option("--top", type=int, default=20, show_default=True, metavar="N", help="Effects to show.")
    @shared
    def sensitivity(scenario: str | None, as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
        """Rank what each assumption, price, rate, option and shape of the model is worth around the best plan.

        Each is moved alone, with the plan held fixed and chosen anew; the largest swing of the cost comes first.
        SCENARIO is a file as for `plan`.
        """
        from costline.answers.sensitivity import sensitivity as answer

        own = {"groups": flags["groups"], "vary": spans(flags["vary"]), "top": flags["top"]}
        with patience("Moving one thing at a time"):
            found = answer(scenario, **own, **scenario_blocks(flags))
        show(found, as_json=as_json, folder=folder, sources=sources)
