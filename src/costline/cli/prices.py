"""`costline prices`: what APIs ask for a token, listed, over time and billed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from costline.cli.answering import answer_options, show


@click.group()
def prices() -> None:
    """What APIs ask for a token: list, history, bill."""


@prices.command("list")
@click.argument("model", required=False)
@click.option("--provider", help="Provider of the API.")
@click.option("--as-of", metavar="DAY", help="Prices of that day, such as 2024-06-01; default = today.")
@answer_options
def prices_list(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """List who sells MODEL and at what price, cheapest output first.

    Without MODEL: all models of a provider, or the providers.
    """
    from costline.answers.prices import prices_list as answer

    show(answer(**flags), as_json=as_json, folder=folder, sources=sources)


@prices.command("history")
@click.argument("model")
@click.option("--provider", help="Provider of the API; default = the maker.")
@answer_options
def prices_history(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """Show every known list price of MODEL with its days, and how fast prices of its capability fell."""
    from costline.answers.prices import prices_history as answer

    show(answer(**flags), as_json=as_json, folder=folder, sources=sources)


def _token_options(function: Callable[..., Any]) -> Callable[..., Any]:
    counts = {
        "isl": ("input_tokens", 2048, "Input tokens of a request."),
        "osl": ("output_tokens", 512, "Output tokens of a request."),
        "prefix": ("cached_tokens", 0, "Input tokens that are read from the prompt cache."),
        "cache-write": ("written_tokens", 0, "Input tokens that are written to the prompt cache."),
        "requests": ("requests", 1, "Requests to bill."),
    }
    for name, (to, default, what) in reversed(counts.items()):
        metavar = "N" if name == "requests" else "TOKENS"
        kind = click.IntRange(0)
        function = click.option(
            f"--{name}", to, type=kind, default=default, show_default=True, metavar=metavar, help=what
        )(function)
    return function


@prices.command("bill")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@_token_options
@click.option("--service", default="standard", show_default=True, help="standard, batch, flex, priority or fast.")
@click.option("--discount", default="0", show_default=True, metavar="SHARE", help="Share off the bill by contract.")
@click.option("--provider", help="Provider of the API; default = the maker. A MODEL may also be PROVIDER/MODEL.")
@click.option("--as-of", metavar="DAY", help="Prices of that day, such as 2024-06-01; default = today.")
@click.option("--at", metavar="HH:MM", help="Time of day, UTC, for models with peak hours; default = their dearest.")
@answer_options
def prices_bill(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """Bill equal requests at one MODEL or several side by side, component by component."""
    from costline.answers.prices import prices_bill as answer

    show(answer(**flags), as_json=as_json, folder=folder, sources=sources)
