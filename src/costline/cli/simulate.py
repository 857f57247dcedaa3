"""`costline simulate`: parse, call the answer, show it."""

from __future__ import annotations

from typing import Any

import click

from costline.cli.answering import answer_options, patience, show
from costline.cli.flags import scenario_blocks
from costline.cli.options import DEGREES, LENGTHS, TARGETS, flag, flags


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


@click.command()
@click.argument("scenario", required=False)
@flags("model", "accelerator", *LENGTHS, "request_rate", "concurrency", accelerator="Accelerator; repeat for more.")
@click.option("--trace", metavar="FILE", help="Requests to replay: .csv or .jsonl.")
@click.option("--arrivals", help="poisson, constant, at_once, trace, gamma(cv) or weibull(cv).")
@click.option("--requests", type=int, metavar="N", help="Requests to simulate.")
@click.option("--duration", "duration_s", type=float, metavar="S", help="Seconds in which requests come.")
@click.option("--seed", type=int, metavar="N", help="A run with the same seed repeats itself.")
@flags(*TARGETS, *DEGREES, "batch", "replicas", tp="Tensor parallel degree; without it, the best plan's cut.")
@click.option("--router", help="round_robin, random, least_loaded, power_of_two, prefix_aware or session.")
@flags("weights", "kv")
@flag("price", help="USD per accelerator-hour, not the reference offer's.")
@flag("engine", help="Engine: vllm, sglang, tensorrt-llm.")
@click.option("--max-batched-tokens", type=int, metavar="N", help="Tokens of one step at most.")
@click.option("--max-sequences", type=int, metavar="N", help="Sequences of a replica at most.")
@flag("memory_utilization", help="Device memory the engine may use.")
@flag("calibration")
@click.option("--steps", is_flag=True, help="With --out: also steps.json, a timeline for ui.perfetto.dev.")
@answer_options
def simulate(scenario: str | None, steps: bool, as_json: bool, folder: str | None, sources: bool, **given: Any) -> None:
    """Latency percentiles, throughput and cost of a deployment under arrivals or a trace, and where it tips over.

    SCENARIO is a file as for `plan`. A list where one value is meant (replicas: [2, 4, 6]) makes a table of runs.
    """
    from costline.answers.simulate import simulate as answer

    with patience("Simulating"):
        found = answer(scenario, steps=steps, figures=folder is not None, **simulation_blocks(given))
    show(found, as_json=as_json, folder=folder, sources=sources)
