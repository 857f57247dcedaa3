"""`costline simulate`: parse, call the answer, show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from costline.cli.flags import scenario_blocks


def simulation_blocks(flags: dict[str, Any]) -> dict[str, Any]:
    """Blocks of the scenario from the flags; those that only a simulation has beside those of every scenario."""
    blocks = scenario_blocks(flags)
    load = ("requests", "duration_s", "arrivals", "trace", "seed")
    work = {key: flags[key] for key in load if flags[key] is not None}
    if work:
        blocks.setdefault("workload", {}).update(work)
    for key in ("replicas", "router"):
        if flags[key] is not None:
            blocks.setdefault("deployment", {})[key] = flags[key]
    engine = ("max_batched_tokens", "max_sequences", "memory_utilization")
    limits = {key: flags[key] for key in engine if flags[key] is not None}
    if limits:
        blocks.setdefault("deployment", {}).setdefault("engine", {}).update(limits)
    return blocks


def register(group: click.Group, shared: Callable[..., Any], show: Callable[..., Any], patience: Any) -> None:
    """Adds the command to `group`, with the options that all answers share."""

    @group.command()
    @click.argument("scenario", required=False)
    @click.option("--model", help="Model id, alias or Hugging Face id.")
    @click.option("--accelerator", "--accelerators", "accelerator", multiple=True, help="Accelerator; repeat for more.")
    @click.option("--isl", type=float, metavar="TOKENS", help="Input tokens of a request.")
    @click.option("--osl", type=float, metavar="TOKENS", help="Output tokens of a request.")
    @click.option("--prefix", type=float, metavar="TOKENS", help="Input tokens that are already cached.")
    @click.option("--request-rate", type=float, metavar="PER_S", help="Requests per second.")
    @click.option("--concurrency", type=float, metavar="N", help="Requests in flight.")
    @click.option("--trace", metavar="FILE", help="Requests to replay: .csv or .jsonl.")
    @click.option("--arrivals", help="poisson, constant, at_once or trace.")
    @click.option("--requests", type=int, metavar="N", help="Requests to simulate.")
    @click.option("--duration", "duration_s", type=float, metavar="S", help="Seconds in which requests come.")
    @click.option("--seed", type=int, metavar="N", help="A run with the same seed repeats itself.")
    @click.option("--ttft", type=float, metavar="MS", help="Target: time to first token p99, milliseconds.")
    @click.option("--tpot", type=float, metavar="MS", help="Target: time per output token p99, milliseconds.")
    @click.option("--e2e", type=float, metavar="MS", help="Target: whole request p99, milliseconds.")
    @click.option("--tp", type=int, metavar="N", help="Tensor parallel degree; without it, the best plan's cut.")
    @click.option("--pp", type=int, metavar="N", help="Pipeline stages.")
    @click.option("--dp", type=int, metavar="N", help="Attention data parallel groups inside a replica.")
    @click.option("--ep", type=int, metavar="N", help="Expert parallel degree: 1 or tp·dp.")
    @click.option("--batch", type=int, metavar="N", help="Most sequences of a replica.")
    @click.option("--replicas", type=int, metavar="N", help="Copies of the model.")
    @click.option("--router", help="round_robin, random, least_loaded, power_of_two, prefix_aware or session.")
    @click.option("--weights", help="Weight format: bf16, fp8, int8, int4, nvfp4, mxfp4, checkpoint or auto.")
    @click.option("--kv", help="Cache format: bf16, fp8, int8 or auto.")
    @click.option("--price", type=float, metavar="USD", help="USD per accelerator-hour, not the reference offer's.")
    @click.option("--engine", help="Engine: vllm, sglang, tensorrt-llm.")
    @click.option("--max-batched-tokens", type=int, metavar="N", help="Tokens of one step at most.")
    @click.option("--max-sequences", type=int, metavar="N", help="Sequences of a replica at most.")
    @click.option("--memory-utilization", type=float, metavar="SHARE", help="Device memory the engine may use.")
    @click.option("--calibration", help="default = sustained rates, none = the datasheet's.")
    @click.option("--steps", is_flag=True, help="With --out: also steps.json, a timeline for ui.perfetto.dev.")
    @shared
    def simulate(
        scenario: str | None, steps: bool, as_json: bool, folder: str | None, sources: bool, **flags: Any
    ) -> None:
        """Latency percentiles, throughput and cost of a deployment under arrivals or a trace, and where it tips over.

        SCENARIO is a file as for `plan`. A list where one value is meant (replicas: [2, 4, 6]) makes a table of runs.
        """
        from costline.answers.simulate import simulate as answer

        with patience("Simulating"):
            found = answer(scenario, steps=steps, figures=folder is not None, **simulation_blocks(flags))
        show(found, as_json=as_json, folder=folder, sources=sources)
