"""`costline compare`, `bill` and `lifecycle`, each asked by a file: parse, call the answer, show it."""

from __future__ import annotations

import click

from costline.cli.answering import answer_options, patience, show


@click.command()
@click.argument("scenario")
@answer_options
def compare(scenario: str, as_json: bool, folder: str | None, sources: bool) -> None:
    """API, rented or owned: cost, break-even and what it hangs on; SCENARIO is a YAML file such as api-vs-own.yml."""
    from costline.answers.compare import compare as answer

    with patience("Comparing"):
        found = answer(scenario)
    show(found, as_json=as_json, folder=folder, sources=sources)


@click.command()
@click.argument("scenario")
@answer_options
def bill(scenario: str, as_json: bool, folder: str | None, sources: bool) -> None:
    """A month's bill of a trace or workload, at APIs, owned and rented; SCENARIO is a file such as bill-azure.yml."""
    from costline.answers.bill import bill as answer

    with patience("Adding up"):
        found = answer(scenario)
    show(found, as_json=as_json, folder=folder, sources=sources)


@click.command()
@click.argument("scenario")
@answer_options
def lifecycle(scenario: str, as_json: bool, folder: str | None, sources: bool) -> None:
    """Cost of training and serving a model over its life; SCENARIO is a YAML file such as lifecycle-70b.yml.

    Says when serving has cost as much as training, and what another size at the same loss would cost.
    """
    from costline.answers.lifecycle import lifecycle as answer

    show(answer(scenario), as_json=as_json, folder=folder, sources=sources)
