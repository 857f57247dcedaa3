"""`costline audit`: parse, call the answer, show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from costline.cli.flags import scenario_blocks

_DEGREES = {
    "tp": "Tensor parallel degree.",
    "pp": "Pipeline stages.",
    "dp": "Attention data parallel groups inside a replica.",
    "ep": "Expert parallel degree: 1 or tp·dp.",
    "replicas": "Copies of the model.",
    "count": "Accelerators of the deployment, all replicas.",
}
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


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for flag, (_, metavar, what) in reversed(_SEEN.items()):
        name = f"--{flag.replace('_', '-')}"
        function = click.option(name, type=float, metavar=metavar, help=what)(function)
    for name, what in reversed(_DEGREES.items()):
        function = click.option(f"--{name}", type=int, metavar="N", help=what)(function)
    return function


def register(group: click.Group, shared: Callable[..., Any], show: Callable[..., Any], patience: Any) -> None:
    """Adds the command to `group`, with the options that all answers share."""

    @group.command()
    @click.argument("scenario", required=False)
    @click.option("--model", help="Model id, alias or Hugging Face id.")
    @click.option("--accelerator", multiple=True, help="Accelerator id or name.")
    @_options
    @click.option("--weights", help="Weight format; default = the checkpoint's.")
    @click.option("--kv", help="Cache format; default = bf16.")
    @click.option("--isl", type=float, metavar="TOKENS", help="Input tokens of a request.")
    @click.option("--osl", type=float, metavar="TOKENS", help="Output tokens of a request.")
    @click.option("--prefix", type=float, metavar="TOKENS", help="Input tokens that are already cached.")
    @click.option("--concurrency", type=float, metavar="N", help="Requests in flight.")
    @click.option("--request-rate", type=float, metavar="PER_S", help="Requests per second.")
    @click.option("--engine", help="Engine whose memory rules apply: vllm, sglang.")
    @click.option("--price", type=float, metavar="USD", help="USD per accelerator-hour.")
    @click.option("--calibration", help="default = sustained rates, none = the datasheet's.")
    @shared
    def audit(scenario: str | None, as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
        """Judge what was measured of a deployment: limit, expectation, where the rest goes, what would help most.

        SCENARIO is a file as for `plan`, with a block `measured`; options win over it, or are the whole question.
        """
        from costline.answers.audit import audit as answer

        with patience("Judging"):
            found = answer(scenario, **blocks_of(flags))
        show(found, as_json=as_json, folder=folder, sources=sources)
