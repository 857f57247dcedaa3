"""The chosen plan from close by: its configuration estimated at the load that it carries, and how to start it.

Composes `plan` and `estimate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costline.answers.answer import Answer
from costline.answers.choices import the_model, weight_table
from costline.answers.estimate import estimate
from costline.answers.launch import launch_command
from costline.answers.report.configuration import memory_chart, memory_parts, roofline_chart, waits_chart
from costline.answers.scenario import Scenario
from costline.catalog.records import Model
from costline.errors import CostlineError
from costline.figures_chart import Chart

_ENGINES = {"vllm": "vLLM", "sglang": "SGLang", "tensorrt-llm": "TensorRT-LLM"}


Row = Mapping[str, Any]


@dataclass(frozen=True)
class Chosen:
    """The first plan of an answer, close by."""

    row: Row
    pool: Row
    """The row of what decodes: the plan itself, or its decode pool."""
    scenario: Scenario
    model: Model
    estimate: Answer
    """One replica in steady state: the sequences that run, at their mean context."""
    charts: Mapping[str, Chart]
    memory: list[dict[str, Any]]
    launch: list[dict[str, str]]


def chosen(plan: Answer) -> Chosen:
    """The first plan of an answer to `plan`, estimated at the load that it carries."""
    row, scenario = plan.data["plans"][0], Scenario.model_validate(plan.data["scenario"])
    model = the_model(scenario.model)
    at_load = _estimate(decoding(row), scenario, model)
    return Chosen(
        row=row,
        pool=decoding(row),
        scenario=scenario,
        model=model,
        estimate=at_load,
        charts={
            "roofline": roofline_chart(at_load.data),
            "waits": waits_chart(at_load.data),
            "memory": memory_chart(at_load.data),
        },
        memory=memory_parts(at_load.data),
        launch=_launch(row, scenario),
    )


def decoding(row: Row) -> Row:
    """A row of plans as its decode pool, where prefill and decode stand apart."""
    return {**row, **(row.get("decode_pool") or {})}


def _estimate(row: Row, scenario: Scenario, model: Model) -> Answer:
    work, block = scenario.workload, scenario.model
    return estimate(
        model.id if block.id is not None else None,
        config=block.config,
        accelerator=row["accelerator"],
        tp=row["tp"],
        pp=row["pp"],
        dp=row["dp"],
        ep=row["ep"],
        batch=max(row["running_batch"], 1.0),
        context=work.input_mean + work.output_mean / 2,
        weights=_weights(row, scenario, model),
        kv=row["kv_cache"],
        activations=row["activations"],
        price=row["price_usd_per_accelerator_hour"],
        engine=scenario.deployment.engine.name,
        memory_utilization=scenario.deployment.engine.memory_utilization,
        calibration=scenario.calibration,
    )


def _launch(row: Row, scenario: Scenario) -> list[dict[str, str]]:
    """What starts a replica of each pool, for each engine that can."""
    found: list[dict[str, str]] = []
    for engine, name in _ENGINES.items():
        try:
            found.append({"engine": name, "command": launch_command(row, scenario, engine)})
        except CostlineError:
            continue
    return found


def _weights(row: Row, scenario: Scenario, model: Model) -> str | Mapping[str, str]:
    """The weight formats behind the label of a row, in the words of a scenario."""
    wanted = scenario.model.weights
    if wanted != "auto":
        return wanted
    return "checkpoint" if weight_table(model, "checkpoint")[0] == row["weights"] else row["weights"]
