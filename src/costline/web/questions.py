"""What may be asked over the network: the scenario's own models, and those of questions that take no scenario.

Checks a question before a worker sees it. Answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from costline.answers import block_faults
from costline.answers.compare.scenario import CompareScenario
from costline.answers.scenario import (
    MAX_TOKENS,
    Degree,
    DeploymentBlock,
    Scenario,
    ScenarioBlock,
    SloBlock,
    Tokens,
    UsdPerHour,
)
from costline.errors import InputError

Names = Annotated[list[Annotated[str, Field(max_length=300)]], Field(min_length=1, max_length=16)]
Text = Annotated[str, Field(max_length=300)]
MOST_PLANS = 50
FIRST_PUBLICATION = "scaling-book-serving"


class EstimateQuestion(ScenarioBlock):
    """One configuration, flags as of `costline estimate`."""

    model: Text | None = Field(default=None, description="model id, alias or Hugging Face id")
    config: dict[str, Any] | None = Field(default=None, description="a config.json itself instead of an id")
    accelerator: Text = Field(default="h100-sxm", description="accelerator id or name")
    tp: Degree = Field(default=1, description="tensor parallel degree")
    pp: Degree = Field(default=1, description="pipeline stages")
    dp: Degree = Field(default=1, description="attention data parallel groups")
    ep: Degree | None = Field(default=None, description="expert parallel degree: 1 or tp·dp")
    batch: float = Field(default=1, description="sequences that decode together", gt=0)
    context: float | None = Field(default=None, description="cached tokens of each", gt=0)
    new_tokens: int = Field(default=1, description="new tokens of each a step", ge=1, le=MAX_TOKENS)
    weights: Text = Field(default="checkpoint", description="weight format")
    kv: Text = Field(default="bf16", description="cache format")
    activations: Text = Field(default="auto", description="input format of the linear layers")
    price: UsdPerHour | None = Field(default=None, description="USD per accelerator-hour")
    engine: Text = Field(default="vllm", description="engine whose memory rules apply")
    memory_utilization: float | None = Field(default=None, description="share of device memory", gt=0, le=1)
    calibration: Literal["default", "none"] = Field(default="default", description="default, or the datasheet's rates")


class FrontierQuestion(ScenarioBlock):
    """Models on accelerators, flags as of `costline frontier`."""

    models: Names = Field(description="model ids")
    accelerators: Names = Field(description="accelerator ids")
    input_tokens: Tokens = Field(default=2048, description="input tokens of a request")
    output_tokens: Tokens = Field(default=512, description="output tokens of a request")
    max_accelerators: int = Field(default=16, description="most accelerators of one replica", ge=1, le=65_536)
    weights: Text = Field(default="auto", description="weight format")
    kv: Text = Field(default="auto", description="cache format")
    price: UsdPerHour | None = Field(default=None, description="USD per accelerator-hour")
    slo: SloBlock = Field(default_factory=SloBlock, description="service targets")
    deployment: DeploymentBlock = Field(default_factory=DeploymentBlock, description="what is fixed")
    calibration: Literal["default", "none"] = Field(default="default", description="default, or the datasheet's rates")


class ReproduceQuestion(ScenarioBlock):
    """A publication, or one of its tables or figures."""

    name: Text = Field(default=FIRST_PUBLICATION, description="publication, table or figure")
    own: bool = Field(default=False, description="the same cells by costline's own physics too")


class PlanQuestion(Scenario):
    """A scenario, and how many plans to show."""

    top: int = Field(default=8, description="plans to show", ge=1, le=MOST_PLANS)


@dataclass(frozen=True)
class Question:
    """A question: the shape of its document, and whether it may take long."""

    name: str
    shape: type[ScenarioBlock]
    summary: str
    long: bool
    example: Mapping[str, Any]
    in_scenario: bool = True
    """Whether the document is a scenario; else its keys are the arguments."""
    beside: tuple[str, ...] = field(default=())
    """Keys that stand beside the scenario."""
    lists: tuple[str, ...] = field(default=())
    """Keys that hold a list, even of one."""


_MODEL, _LENGTHS = {"id": "llama-3.1-70b"}, {"input_tokens": 2048, "output_tokens": 512}
QUESTIONS: Mapping[str, Question] = {one.name: one for one in (
    Question("plan", PlanQuestion, "The best deployments for a scenario, ranked, with the reasons", True, {
        "model": _MODEL, "system": {"accelerator": ["h100-sxm", "b200-sxm"], "max_accelerators": 16},
        "workload": {**_LENGTHS, "request_rate": 10}, "slo": {"ttft_p99_ms": 2000, "tpot_p99_ms": 50},
    }, beside=("top",)),
    Question("estimate", EstimateQuestion, "One configuration: time by term, memory, cost", False, {
        "model": "llama-3.1-70b", "accelerator": "h100-sxm", "tp": 4, "batch": 32, "context": 4096, "weights": "fp8",
    }, in_scenario=False),
    Question("frontier", FrontierQuestion, "Speed against cost of models on accelerators", True, {
        "models": ["llama-3.1-70b"], "accelerators": ["h100-sxm", "b200-sxm"],
    }, in_scenario=False, lists=("models", "accelerators")),
    Question("compare", CompareScenario, "API, rented or owned: cost, break-even, what it hangs on", True, {
        "model": {"id": "llama-3.3-70b"}, "system": {"accelerator": ["h100-sxm"], "max_accelerators": 8},
        "workload": {**_LENGTHS, "request_rate": 20}, "slo": {"ttft_p99_ms": 2000, "tpot_p99_ms": 50},
    }),
    Question("simulate", Scenario, "Latency percentiles and throughput under arrivals", True, {
        "model": {"id": "llama-3.1-8b"}, "system": {"accelerator": ["h100-sxm"]},
        "workload": {**_LENGTHS, "request_rate": 10, "requests": 500}, "deployment": {"tp": 1, "replicas": 2},
        "slo": {"ttft_p99_ms": 2000, "tpot_p99_ms": 50},
    }),
    Question("sensitivity", PlanQuestion, "What each assumption is worth around the best plan", True, {
        "model": {"id": "llama-3.1-8b"}, "system": {"accelerator": ["h100-sxm"], "max_accelerators": 8},
        "workload": {**_LENGTHS, "request_rate": 10},
    }, beside=("top",)),
    Question("reproduce", ReproduceQuestion, "A published table, cell by cell", True,
             {"name": FIRST_PUBLICATION}, in_scenario=False),
)}  # fmt: skip


def arguments_of(question: Question, document: Mapping[str, Any]) -> dict[str, Any]:
    """What a worker is asked. Raises InputError naming the first fault of the document."""
    given = {key: [value] if key in question.lists and isinstance(value, str) else value
             for key, value in document.items()}  # fmt: skip
    try:
        checked = question.shape.model_validate(_without_config(given) if question.in_scenario else given)
    except ValidationError as error:
        raise InputError(block_faults.one_line(error, question.shape)) from None
    except RecursionError:
        raise InputError("the document nests too deep; flatten it") from None
    if not question.in_scenario:
        return checked.model_dump(mode="json", exclude_unset=True)
    beside = {key: getattr(checked, key) for key in question.beside if key in given}
    return {"scenario": {key: value for key, value in given.items() if key not in question.beside}, **beside}


def _without_config(given: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a pasted config.json as the name of a file, as scenarios have it."""
    model: Any = given.get("model")
    if isinstance(model, dict) and isinstance(model.get("config"), dict):  # pyright: ignore[reportUnknownMemberType]
        return {**given, "model": {**model, "config": "config.json"}}
    return dict(given)
