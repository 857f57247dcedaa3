"""The workload of a scenario: what users ask for, how much, when, and how much of it was asked before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field, model_validator

from costline.answers.scenario_values import MAX_TOKENS, Number, Positive, ScenarioBlock, SomeTokens, Tokens

Z95 = 1.6448536269514722
"""95th percentile of the standard normal."""
MOST_REQUESTS = 100_000_000


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

    also_written: ClassVar = {
        "prefix_tokens": "shared_tokens", "common_tokens": "shared_tokens", "system_prompt_tokens": "shared_tokens",
        "shared_prefix_tokens": "shared_tokens", "prompts": "distinct_prompts", "num_prompts": "distinct_prompts",
    }  # fmt: skip
    cached_tokens: SomeTokens = Field(default=0, description="cached tokens per request")
    shared_tokens: SomeTokens = Field(default=0, description="common start of prompts")
    distinct_prompts: int | None = Field(
        default=None, description="prompts repeat: one of so many, cached once it was asked", ge=1, le=MOST_REQUESTS
    )
    order: Literal["in_turn", "random"] = Field(
        default="in_turn", description="how distinct prompts repeat: one after another, as load generators do, or drawn"
    )


class Arrivals(ScenarioBlock):
    """Gaps between requests, gamma distributed."""

    cv: Annotated[Number, Field(ge=0, le=100)] = Field(description="coefficient of variation; Poisson has 1")


class StageBlock(ScenarioBlock):
    """A stretch of time with one rate."""

    also_written: ClassVar = {
        "request_rate": "rate", "requests_per_s": "rate", "rate_per_s": "rate", "qps": "rate", "rps": "rate",
        "duration": "duration_s", "seconds": "duration_s", "duration_seconds": "duration_s",
    }  # fmt: skip
    rate: Positive = Field(description="requests per second")
    duration_s: Positive = Field(description="seconds that the rate holds")

    @model_validator(mode="before")
    @classmethod
    def _pair(cls, given: Any) -> Any:
        return dict(zip(("rate", "duration_s"), given, strict=True)) if _is_pair(given) else given


class TenantBlock(ScenarioBlock):
    """A group of users with a share of the requests."""

    name: str = Field(description="how it is called in the answer", min_length=1, max_length=100)
    share: Annotated[Number, Field(gt=0, le=MAX_TOKENS)] = Field(
        default=1.0, description="share of the requests, relative to the other tenants"
    )
    input_tokens: Tokens | Lengths | None = Field(default=None, description="its prompt length; default = all users'")
    output_tokens: Tokens | Lengths | None = Field(default=None, description="its answer length; default = all users'")


class WorkloadBlock(ScenarioBlock):
    """What users ask for."""

    also_written: ClassVar = {
        "isl": "input_tokens", "osl": "output_tokens", "prompt_tokens": "input_tokens", "rate": "request_rate",
        "completion_tokens": "output_tokens", "input_length": "input_tokens", "output_length": "output_tokens",
        "qps": "request_rate", "rps": "request_rate", "requests_per_s": "request_rate", "duration": "duration_s",
        "num_requests": "requests", "arrival": "arrivals", "random_seed": "seed",
    }  # fmt: skip
    input_tokens: Tokens | Lengths = Field(description="prompt length: a number or {mean, p95}")
    output_tokens: Tokens | Lengths = Field(description="answer length: a number or {mean, p95}")
    prefix: PrefixBlock = Field(default_factory=PrefixBlock, description="cached or shared prompt tokens")
    request_rate: Positive | None = Field(default=None, description="requests per second of the whole deployment")
    concurrency: Positive | None = Field(default=None, description="requests in flight instead of a rate")
    stages: list[StageBlock] | None = Field(
        default=None, description="rates over time; a plan is sized for the highest", min_length=1, max_length=10_000
    )
    arrivals: Literal["poisson", "constant", "at_once", "trace"] | Arrivals = Field(
        default="poisson", description="how requests arrive"
    )
    requests: int | None = Field(
        default=None, description="length of a simulation; a plan ignores it", ge=1, le=MOST_REQUESTS
    )
    duration_s: Positive | None = Field(default=None, description="length of a simulation; a plan ignores it")
    trace: str | None = Field(
        default=None, description="file of requests to replay, .jsonl or .csv; lengths and rate follow", max_length=4096
    )
    tenants: list[TenantBlock] | None = Field(
        default=None, description="groups of users that a simulation tells apart", min_length=1, max_length=100
    )
    seed: int = Field(default=0, description="a simulation with the same seed repeats itself", ge=0, le=2**63 - 1)

    @model_validator(mode="before")
    @classmethod
    def _arrivals_in_our_words(cls, given: Any) -> Any:
        return {**given, "arrivals": _arrivals(given["arrivals"])} if _has(given, "arrivals") else given

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
        if self.arrivals == "trace" and self.trace is None:
            raise ValueError("arrivals=trace needs a trace to replay; name the file in workload.trace")
        return self

    @property
    def input_mean(self) -> float:
        """Mean prompt length in tokens."""
        return _mean(self.input_tokens)

    @property
    def output_mean(self) -> float:
        """Mean answer length in tokens."""
        return _mean(self.output_tokens)

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


def _mean(lengths: float | Lengths) -> float:
    return lengths.mean if isinstance(lengths, Lengths) else lengths


def _has(given: Any, key: str) -> bool:
    return isinstance(given, dict) and key in given


def _is_pair(given: Any) -> bool:
    return isinstance(given, list | tuple) and len(given) == 2  # pyright: ignore[reportUnknownArgumentType]


def _arrivals(given: Any) -> Any:
    """Arrivals in our words: `gamma(2)`, `{gamma: {cv: 2}}`, `uniform`, `burst` as benchmarks write them."""
    if isinstance(given, str):
        name = given.strip().lower()
        if name.startswith("gamma(") and name.endswith(")"):
            return {"cv": name[len("gamma(") : -1].removeprefix("cv=").strip()}
        return {"uniform": "constant", "deterministic": "constant", "burst": "at_once"}.get(name, name)
    if isinstance(given, dict):
        inner = cast(Mapping[str, Any], given).get("gamma", cast(Any, given))
        return {"cv": inner} if isinstance(inner, int | float) and not isinstance(inner, bool) else inner
    return given
