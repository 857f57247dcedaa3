"""`costline trace`: parse, call the answer, show it."""

from __future__ import annotations

import click

from costline.cli.answering import answer_options, show


@click.command()
@click.argument("file")
@answer_options
def trace(file: str, as_json: bool, folder: str | None, sources: bool) -> None:
    """Say what FILE, a trace of requests, holds: rate, bursts, lengths, what repeats, and whether it adds up.

    FILE is any that `simulate --trace` replays: CSV, JSON lines, a benchmark's result, conversations; .gz or not.
    """
    from costline.answers.trace import trace as answer

    show(answer(file), as_json=as_json, folder=folder, sources=sources)
