"""`costline estimate`: parse, call the answer, show it."""

from __future__ import annotations

from typing import Any

import click

from costline.cli.answering import answer_options, show
from costline.cli.options import DEGREES, flag, flags


@click.command()
@flag("model")
@click.option("--config", metavar="FILE", help="A Hugging Face config.json instead of --model.")
@flag("accelerator", also=(), multiple=False, default="h100-sxm", help="Accelerator id or name.")
@flags(*DEGREES)
@flag("batch", type=float, default=1, help="Sequences that decode together.")
@click.option("--context", type=float, metavar="TOKENS", help="Cached tokens of each; default = 4096.")
@click.option("--new-tokens", type=int, default=1, show_default=True, metavar="N", help="New tokens of each a step.")
@flag("weights", default="checkpoint", help="Weight format, or the released checkpoint's.")
@flag("kv", default="bf16", help="Cache format.")
@click.option("--activations", default="auto", show_default=True, help="Input format of the linear layers.")
@flag("price")
@flag("engine", default="vllm", help="Engine whose memory rules apply.")
@flag("memory_utilization")
@flag("calibration", default="default", help="default, or none for the datasheet's rates.")
@flag("isl", help="Input tokens of a request; asks for `serving`.")
@flag("osl", help="Output tokens of each.")
@flag("concurrency", help="Clients that each keep one request in flight.")
@flag("prefix", help="Tokens of each prompt that are cached already.")
@click.option("--length-spread", type=float, metavar="SHARE", help="Lengths lie within this share of their mean.")
@click.option("--max-batched-tokens", type=float, metavar="TOKENS", help="Most tokens of a step.")
@click.option("--stream-interval", type=float, metavar="TOKENS", help="Tokens that the engine sends at once.")
@answer_options
def estimate(as_json: bool, folder: str | None, sources: bool, **given: Any) -> None:
    """Time, memory and cost of one configuration, term by term."""
    from costline.answers.estimate import estimate as answer

    found = answer(**{name: value for name, value in given.items() if value is not None})
    show(found, as_json=as_json, folder=folder, sources=sources)
