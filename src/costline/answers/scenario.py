"""The scenario: the one document that the command line, Python and the web share, validated.

Reads a dict, a YAML file or keyword arguments. Knows what may be asked; answers nothing.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

Z95 = 1.6448536269514722
"""95th percentile of the standard normal."""
MAX_TOKENS = 100_000_000
"""Largest length, rate or time that is taken for one rather than a slip of the unit."""
SMALLEST = 1e-9
"""Smallest rate or time that is taken for one."""
MOST_USD_PER_HOUR = 100_000
"""Dearest hour of one accelerator that is taken for one."""


def _reject_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not yes or no; write a number")
    return value


def _reject_tiny(value: float) -> float:
    if value < SMALLEST:
        raise ValueError(f"must be at least {SMALLEST:g}; give a larger number")
    return value


Number = Annotated[float, BeforeValidator(_reject_bool)]
Positive = Annotated[Number, Field(gt=0, le=MAX_TOKENS), AfterValidator(_reject_tiny)]
Tokens = Annotated[Number, Field(ge=1, le=MAX_TOKENS)]
UsdPerHour = Annotated[Number, Field(ge=0, le=MOST_USD_PER_HOUR)]
Degree = Annotated[int, BeforeValidator(_reject_bool), Field(ge=1, le=65_536)]
Auto = Literal["auto"]


class ScenarioBlock(BaseModel):
    """A block of the scenario: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=False)


class ModelBlock(ScenarioBlock):
    """What is served: a catalogued model or a config.json, and its number formats."""

    id: str | None = Field(default=None, description="model id, alias or Hugging Face id", max_length=300)
    config: str | None = Field(
        default=None, description="path of a Hugging Face config.json instead of an id", max_length=4096
    )
    weights: str | dict[str, str] = Field(
        default="auto", description="weight format, a list of them by component, `checkpoint`, or `auto` to search"
    )
    kv_cache: str = Field(default="auto", description="cache format: bf16, fp8, int8 …; `auto` = bf16")
    activations: str = Field(
        default="auto", description="input format of the linear layers; `auto` follows the weights"
    )

    @model_validator(mode="after")
    def _one_of(self) -> ModelBlock:
        if (self.id is None) == (self.config is None):
            raise ValueError("give exactly one of id and config: a catalogued model or a config.json")
        return self


class SystemBlock(ScenarioBlock):
    """Where it may run."""

    accelerator: list[str] = Field(
        default=["h100-sxm"], description="ids or names; `all` = every one that ships", min_length=1, max_length=100
    )
    max_accelerators: int = Field(default=64, description="most accelerators of one replica", ge=1, le=65_536)

    @field_validator("accelerator", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Lengths(ScenarioBlock):
    """A length distribution by its mean and 95th percentile."""

    mean: Tokens = Field(description="mean in tokens")
    p95: Tokens | None = Field(default=None, description="95th percentile in tokens")

    @model_validator(mode="after")
    def _ordered(self) -> Lengths:
        if self.p95 is not None and self.p95 < self.mean:
            raise ValueError(f"p95={self.p95:g} is below mean={self.mean:g}; swap them")
        return self


    @property
    def lognormal_cv2(self) -> float:
        """Squared coefficient of variation of the log-normal with this mean and 95th percentile.

        ln(p95 / mean) = 1.645 s - s² / 2, solved for the smaller s; exp(s²) - 1. Beyond s = 1.645 the ratio p95 / mean
        falls again, so that is the widest a log-normal can be.
        """
        ratio = math.log((self.p95 or self.mean) / self.mean)
        spread = Z95 - math.sqrt(max(Z95**2 - 2 * ratio, 0.0))
        return math.exp(spread**2) - 1.0


class PrefixBlock(ScenarioBlock):
    """Prompt tokens whose cache is already there."""

    cached_tokens: Annotated[Number, Field(ge=0, le=MAX_TOKENS)] = Field(
        default=0, description="cached tokens per request"
    )
    shared_tokens: Annotated[Number, Field(ge=0, le=MAX_TOKENS)] = Field(
        default=0, description="common start of prompts"
    )
    distinct_prompts: int | None = Field(default=None, description="prompts repeat: one of so many, all cached", ge=1)


class Arrivals(ScenarioBlock):
    """Gaps between requests, gamma distributed."""

    cv: Annotated[Number, Field(ge=0, le=100)] = Field(description="coefficient of variation; Poisson has 1")


class StageBlock(ScenarioBlock):
    """A stretch of time with one rate."""

    rate: Positive = Field(description="requests per second")
    duration_s: Positive = Field(description="seconds that the rate holds")


class WorkloadBlock(ScenarioBlock):
    """What users ask for."""

    input_tokens: Tokens | Lengths = Field(description="prompt length: a number or {mean, p95}")
    output_tokens: Tokens | Lengths = Field(description="answer length: a number or {mean, p95}")
    prefix: PrefixBlock = Field(default_factory=PrefixBlock, description="cached or shared prompt tokens")
    request_rate: Positive | None = Field(default=None, description="requests per second of the whole deployment")
    concurrency: Positive | None = Field(default=None, description="requests in flight instead of a rate")
    stages: list[StageBlock] | None = Field(
        default=None, description="rates over time; a plan is sized for the highest", min_length=1, max_length=10_000
    )
    arrivals: Literal["poisson", "constant", "at_once"] | Arrivals = Field(
        default="poisson", description="how requests arrive"
    )
    requests: int | None = Field(
        default=None, description="length of a simulation; a plan ignores it", ge=1, le=100_000_000
    )
    duration_s: Positive | None = Field(default=None, description="length of a simulation; a plan ignores it")

    @model_validator(mode="after")
    def _one_load(self) -> WorkloadBlock:
        if sum(load is not None for load in (self.request_rate, self.concurrency, self.stages)) > 1:
            raise ValueError("give only one of request_rate, concurrency and stages")
        if self.prefix.shared_tokens > self.input_mean:
            raise ValueError(
                f"prefix.shared_tokens={self.prefix.shared_tokens:g} must not exceed input_tokens={self.input_mean:g}; "
                "it is the common start of the prompts: lower it"
            )
        if self.prefix.cached_tokens >= self.input_mean:
            raise ValueError(
                f"prefix.cached_tokens={self.prefix.cached_tokens:g} must stay below input_tokens={self.input_mean:g}; "
                "the last token is always computed: lower it"
            )
        return self

    @property
    def input_mean(self) -> float:
        """Mean prompt length in tokens."""
        return self.input_tokens.mean if isinstance(self.input_tokens, Lengths) else self.input_tokens

    @property
    def output_mean(self) -> float:
        """Mean answer length in tokens."""
        return self.output_tokens.mean if isinstance(self.output_tokens, Lengths) else self.output_tokens

    @property
    def output_cv2(self) -> float:
        """Squared coefficient of variation of output lengths: of the log-normal that has the mean and p95 given."""
        lengths = self.output_tokens
        if not isinstance(lengths, Lengths) or lengths.p95 is None:
            return 0.0
        return lengths.lognormal_cv2

    @property
    def peak_request_rate(self) -> float | None:
        """Requests per second to be ready for: the rate, or the highest stage."""
        return max(stage.rate for stage in self.stages) if self.stages else self.request_rate

    @property
    def arrival_cv2(self) -> float:
        """Squared coefficient of variation of the gaps between arrivals."""
        if isinstance(self.arrivals, Arrivals):
            return self.arrivals.cv**2
        return 0.0 if self.arrivals == "constant" else 1.0


class SloBlock(ScenarioBlock):
    """Service targets in milliseconds; none = any."""

    ttft_p99_ms: Positive | None = Field(default=None, description="time to first token, 99th percentile")
    tpot_p99_ms: Positive | None = Field(default=None, description="time per output token, 99th percentile")
    e2e_p99_ms: Positive | None = Field(default=None, description="whole request, 99th percentile")

    @model_validator(mode="after")
    def _consistent(self) -> SloBlock:
        if self.e2e_p99_ms is not None and self.ttft_p99_ms is not None and self.e2e_p99_ms < self.ttft_p99_ms:
            raise ValueError(
                f"e2e_p99_ms={self.e2e_p99_ms:g} is below ttft_p99_ms={self.ttft_p99_ms:g}; raise it or drop one"
            )
        return self


class EngineBlock(ScenarioBlock):
    """The serving engine's limits."""

    name: str = Field(default="vllm", description="engine record: how memory is divided")
    max_batched_tokens: int = Field(default=8192, description="tokens of one step (prefill chunk)", ge=1, le=MAX_TOKENS)
    max_sequences: int = Field(default=2**10, description="sequences of one replica at most", ge=1, le=2**20)
    memory_utilization: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        default=None, description="share of device memory; default = the engine's"
    )


class DeploymentBlock(ScenarioBlock):
    """What is fixed here is not searched."""

    tp: Degree | Auto = Field(default="auto", description="tensor parallel degree")
    pp: Degree | Auto = Field(default="auto", description="pipeline stages")
    ep: Degree | Auto = Field(default="auto", description="expert parallel degree: 1 or tp·dp")
    dp: Degree | Auto = Field(
        default="auto", description="attention data parallel groups inside a replica (needs experts)"
    )
    batch: Degree | Auto = Field(default="auto", description="most sequences of a replica")
    replicas: Degree | Auto = Field(default="auto", description="copies of the model")
    disaggregated: Literal["auto", False] = Field(
        default="auto", description="prefill and decode on separate pools; not searched yet, so `auto` means together"
    )
    engine: EngineBlock = Field(default_factory=EngineBlock, description="engine limits")

    @model_validator(mode="after")
    def _batch_within_sequences(self) -> DeploymentBlock:
        most = self.engine.max_sequences
        if self.batch != "auto" and self.batch > most:
            raise ValueError(f"batch={self.batch} exceeds engine.max_sequences={most}; lower it or raise max_sequences")
        return self


class PriceBlock(ScenarioBlock):
    """What an accelerator costs; default = the catalogue's reference offer."""

    accelerator_usd_per_hour: UsdPerHour | dict[str, UsdPerHour] | None = Field(
        default=None, description="USD per accelerator-hour, one number or one per accelerator"
    )
    offer: str | None = Field(default=None, description="id of a rental offer")

    @model_validator(mode="after")
    def _one_price(self) -> PriceBlock:
        if self.accelerator_usd_per_hour is not None and self.offer is not None:
            raise ValueError("give accelerator_usd_per_hour or offer, not both")
        return self


class Scenario(ScenarioBlock):
    """A question to the planner: a model and a workload at least."""

    model: ModelBlock = Field(description="what is served")
    system: SystemBlock = Field(default_factory=SystemBlock, description="where it may run")
    workload: WorkloadBlock = Field(description="what users ask for")
    slo: SloBlock = Field(default_factory=SloBlock, description="service targets")
    deployment: DeploymentBlock = Field(default_factory=DeploymentBlock, description="what is fixed")
    price: PriceBlock = Field(default_factory=PriceBlock, description="what an hour costs")
    calibration: Literal["default", "none"] = Field(
        default="default", description="`default` = rates that kernels sustain, `none` = the datasheet's"
    )
