"""The question about a model's life, validated: how it is trained, how much it serves, for how long.

Reads a file, a mapping or keyword blocks. Answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import Field, ValidationError, model_validator

from costline.answers.faults import visible, written
from costline.answers.read_scenario import read_text
from costline.answers.scenario import Auto, Degree, ModelBlock, Number, Positive, PriceBlock, ScenarioBlock, Tokens
from costline.errors import InputError, nearest_names
from costline.lifecycle.facts import loss_law, training_state
from costline.lifecycle.training_memory import ZeroStage
from costline.lifecycle.training_work import Recompute

SMALLEST_RUN, LARGEST_RUN = 2**20, 2**60
"""Parameters or tokens that are taken for a model or a run rather than a slip of the unit."""

Large = Annotated[Number, Field(ge=SMALLEST_RUN, le=LARGEST_RUN)]
Rate = Annotated[Number, Field(gt=-1, le=100)]
Share = Annotated[Number, Field(gt=0, le=1)]


class TrainingBlock(ScenarioBlock):
    """How the model is trained."""

    tokens: Large = Field(description="training tokens")
    sequence_tokens: Tokens = Field(default=8192, description="length of a training sequence")
    batch_tokens: Annotated[Number, Field(ge=1, le=LARGEST_RUN)] = Field(
        default=2**24, description="tokens of one optimiser step, all replicas"
    )
    micro_batch: Degree = Field(default=1, description="sequences that a replica takes at once")
    accelerator: str = Field(default="h100-sxm", description="accelerator id or name")
    accelerators: Annotated[int, Field(ge=1, le=2**24)] = Field(default=2**10, description="accelerators of the run")
    tp: Degree = Field(default=8, description="tensor parallel degree")
    pp: Degree = Field(default=1, description="pipeline stages")
    interleave: Degree = Field(default=1, description="chunks of layers on each stage")
    zero: ZeroStage = Field(default=1, description="what is sharded over replicas: 1 optimiser, 2 gradients, 3 weights")
    optimizer: str = Field(default="adamw", description="id of a training state: adamw, adamw-8bit, momentum …")
    recompute: Recompute = Field(default="selective", description="activations recomputed: none, selective, full")
    mfu: Share | Auto = Field(default="auto", description="share of the peak; `auto` computes it from the layout")
    price: PriceBlock = Field(default_factory=PriceBlock, description="what an hour of training costs")
    research_multiplier: Annotated[Number, Field(ge=1, le=2**24)] = Field(
        default=1, description="all accelerator-hours over those of the final run"
    )

    @model_validator(mode="after")
    def _whole_replicas(self) -> TrainingBlock:
        training_state(self.optimizer)
        if self.accelerators % (self.tp * self.pp):
            raise ValueError(f"accelerators={self.accelerators} must be a multiple of tp*pp={self.tp * self.pp}")
        if self.micro_batches < 1:
            least = self.sequence_tokens * self.micro_batch * self.dp
            found = f"batch_tokens={self.batch_tokens:g}"
            raise ValueError(f"{found} must be at least {least:g}, one micro-batch for each replica")
        return self

    @property
    def dp(self) -> int:
        """Replicas that train on different data."""
        return self.accelerators // (self.tp * self.pp)

    @property
    def micro_batches(self) -> float:
        """Micro-batches of one replica in a step."""
        return self.batch_tokens / (self.sequence_tokens * self.micro_batch * self.dp)


class ServingBlock(ScenarioBlock):
    """How much the model serves, on what."""

    output_tokens_per_day: Annotated[Number, Field(ge=1, le=2**52)] = Field(
        description="answer tokens a day, in the first year"
    )
    input_tokens: Tokens = Field(default=2048, description="prompt length")
    output_tokens: Tokens = Field(default=512, description="answer length")
    years: int = Field(default=3, description="years of service", ge=1, le=50)
    growth_per_year: Rate = Field(default=0, description="growth of the volume; 0.5 = half more each year")
    decline_per_year: Annotated[Number, Field(ge=0, lt=1)] = Field(
        default=0, description="yearly fall of the cost of a token"
    )
    accelerator: list[str] = Field(default=["h100-sxm"], description="accelerators to choose from", min_length=1)
    max_accelerators: int = Field(default=16, description="most accelerators of one replica", ge=1, le=65_536)
    tpot_p99_ms: Positive | None = Field(default=None, description="target: time per output token, 99th percentile")
    price: PriceBlock = Field(default_factory=PriceBlock, description="what an hour of serving costs")
    usd_per_mtok: Annotated[Number, Field(gt=0, le=2**24)] | None = Field(
        default=None, description="cost of a million answer tokens; default = the cheapest plan"
    )


class LifecycleScenario(ScenarioBlock):
    """A question about a model's life."""

    model: ModelBlock = Field(description="what is trained and served")
    training: TrainingBlock = Field(description="how it is trained")
    serving: ServingBlock = Field(description="how much it serves")
    scaling_law: str = Field(default="besiroglu-2024", description="id of the loss law that compares sizes")
    sizes: list[Large] = Field(
        default=[], max_length=100, description="other sizes to compare at the same loss, in parameters"
    )
    discount_rate_per_year: Rate = Field(default=0.1, description="cost of capital")
    calibration: Literal["default", "none"] = Field(default="default", description="rates of serving, as in a scenario")

    @model_validator(mode="after")
    def _known_law(self) -> LifecycleScenario:
        loss_law(self.scaling_law)
        return self


def read_lifecycle(source: str | Path | Mapping[str, Any] | LifecycleScenario, **blocks: Any) -> LifecycleScenario:
    """The question in a YAML file or a mapping, keyword blocks winning over it, key by key.

    Raises InputError naming the field, the value, the rule and the remedy.
    """
    if isinstance(source, LifecycleScenario):
        given: dict[str, Any] = source.model_dump()
    else:
        given = dict(source) if isinstance(source, Mapping) else _load(Path(source))
    for key, value in blocks.items():
        mine = given.get(key)
        both = isinstance(mine, Mapping) and isinstance(value, Mapping)
        given[key] = {**cast(Mapping[str, Any], mine), **cast(Mapping[str, Any], value)} if both else value
    try:
        return LifecycleScenario.model_validate(given)
    except ValidationError as error:
        raise InputError(_one_line(error)) from None


def _load(path: Path) -> dict[str, Any]:
    text = read_text(path, "scenario")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in cast(Any, yaml.parse(text, Loader=yaml.SafeLoader))):
            raise InputError(f"scenario {path} uses an alias, which is not allowed; write the value out")
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"scenario {path}: {reason}; fix the YAML") from None
    if not isinstance(loaded, dict):
        raise InputError(f"scenario {path} must hold blocks such as model:, training: and serving:")
    return cast(dict[str, Any], loaded)


def _one_line(error: ValidationError) -> str:
    """The deepest fault, unknown keys first, in one line."""
    faults: list[Mapping[str, Any]] = cast(Any, error.errors(include_url=False))
    first = max(faults, key=lambda fault: (fault["type"] == "extra_forbidden", len(visible(fault["loc"]))))
    place = visible(first["loc"])
    field = written(place) or "scenario"
    if first["type"] == "extra_forbidden":
        return f"unknown key {field!r}; nearest: {', '.join(nearest_names(str(place[-1]), _keys(place[:-1])))}"
    if first["type"] == "missing":
        return f"{field} is missing; add it to the scenario"
    rule = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    value = first["input"]
    shown = "" if isinstance(value, Mapping | ScenarioBlock) else f"={value!r:.60}"
    return f"{field}{shown}: {rule}; correct it"


def _keys(place: tuple[str | int, ...]) -> list[str]:
    block: Any = LifecycleScenario
    for part in place:
        field = block.model_fields.get(part) if hasattr(block, "model_fields") else None
        block = field.annotation if field else None
    return list(getattr(block, "model_fields", LifecycleScenario.model_fields))
