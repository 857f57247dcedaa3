"""`costline audit`: parse, call the answer, show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from costline.cli.answering import answer_options, patience, show
from costline.cli.flags import scenario_blocks
from costline.cli.options import DEGREES, LENGTHS, flag, flags

_SEEN = {
    "measured_output_tokens_per_s": ("output_tokens_per_s", "TOKENS_PER_S", "Output tokens per second, all replicas."),
    "measured_ttft": ("ttft_ms", "MS", "Mean time to first token, milliseconds."),
    "measured_tpot": ("tpot_ms", "MS", "Mean time per output token, milliseconds."),
    "measured_utilization": ("utilization_percent", "PERCENT", "Utilisation that the device reports."),
    "batch": ("batch", "N", "Sequences that decode together on one replica."),
}
"""Flag to its key in the block `measured`, with what it takes and says."""


def blocks_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Blocks of the question from the flags that were given."""
    blocks = scenario_blocks({name: value for name, value in flags.items() if name != "batch"})
    seen = {key: flags[flag] for flag, (key, _, _) in _SEEN.items() if flags[flag] is not None}
    if flags["count"] is not None:
        seen["accelerators"] = flags["count"]
    if flags["replicas"] is not None:
        blocks["deployment"] = {**blocks.get("deployment", {}), "replicas": flags["replicas"]}
    return {**blocks, "measured": seen} if seen else blocks


def _measured(function: Callable[..., Any]) -> Callable[..., Any]:
    for key, (_, metavar, what) in reversed(_SEEN.items()):
        name = f"--{key.replace('_', '-')}"
        function = click.option(name, type=float, metavar=metavar, help=what)(function)
    return function


@click.command()
@click.argument("scenario", required=False)
@flag("model")
@flag("accelerator", also=(), help="Accelerator id or name.")
@flags(*DEGREES, "replicas")
@click.option("--count", type=int, metavar="N", help="Accelerators of the deployment, all replicas.")
@_measured
@flag("weights", help="Weight format; default = the checkpoint's.")
@flag("kv", help="Cache format; default = bf16.")
@flags(*LENGTHS, "concurrency", "request_rate")
@flag("engine", help="Engine whose memory rules apply: vllm, sglang.")
@flag("price", help="USD per accelerator-hour.")
@flag("calibration")
@answer_options
def audit(scenario: str | None, as_json: bool, folder: str | None, sources: bool, **given: Any) -> None:
    """Judge what was measured of a deployment: limit, expectation, where the rest goes, what would help most.

    SCENARIO is a file as for `plan`, with a block `measured`; options win over it, or are the whole question.
    """
    from costline.answers.audit import audit as answer

    with patience("Judging"):
        found = answer(scenario, **blocks_of(given))
    show(found, as_json=as_json, folder=folder, sources=sources)
