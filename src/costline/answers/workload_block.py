"""The workload of a scenario: what users ask for, how much, when, and how much of it was asked before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator

from costline.answers.arrivals_block import Arrivals, ArrivalsOrWord, DiurnalBlock, StageBlock
from costline.answers.lengths_block import Lengths, TokenLengths, cv2_of, longest_of, mean_of
from costline.answers.scenario_values import MAX_TOKENS, Number, Positive, ScenarioBlock, SomeTokens
from costline.answers.sessions_block import SessionsBlock, longest_tokens, mean_request

__all__ = [
    "Arrivals", "DiurnalBlock", "Lengths", "PrefixBlock", "SessionsBlock", "StageBlock", "TenantBlock", "WorkloadBlock",
]  # fmt: skip
MOST_REQUESTS = 100_000_000


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


class TenantBlock(ScenarioBlock):
    """A group of users with a share of the requests."""

    name: str = Field(description="how it is called in the answer", min_length=1, max_length=100)
    share: Annotated[Number, Field(gt=0, le=MAX_TOKENS)] = Field(
        default=1.0, description="share of the requests, relative to the other tenants"
    )
    input_tokens: TokenLengths | None = Field(default=None, description="its prompt length; default = all users'")
    output_tokens: TokenLengths | None = Field(default=None, description="its answer length; default = all users'")


def _prompts_may_follow(schema: dict[str, Any]) -> None:
    """Sessions and traces say how long prompts are."""
    schema["required"] = [name for name in schema["required"] if name != "input_tokens"]


class WorkloadBlock(ScenarioBlock):
    """What users ask for."""

    model_config = ConfigDict(json_schema_extra=_prompts_may_follow)
    also_written: ClassVar = {
        "isl": "input_tokens", "osl": "output_tokens", "prompt_tokens": "input_tokens", "rate": "request_rate",
        "completion_tokens": "output_tokens", "input_length": "input_tokens", "output_length": "output_tokens",
        "qps": "request_rate", "rps": "request_rate", "requests_per_s": "request_rate", "duration": "duration_s",
        "num_requests": "requests", "arrival": "arrivals", "random_seed": "seed",
    }  # fmt: skip
    input_tokens: TokenLengths = Field(
        description="prompt length: a number, {mean, p95 or cv or sd}, or a list of measured lengths"
    )
    output_tokens: TokenLengths = Field(description="answer length, written as prompt lengths are")
    length_correlation: Annotated[Number, Field(ge=-1, le=1)] | None = Field(
        default=None, description="of prompt and answer lengths (of their normal scores); default = 0"
    )
    joint_lengths: bool = Field(
        default=False, description="measured prompts and answers are drawn as the pairs of the two lists"
    )
    prefix: PrefixBlock = Field(default_factory=PrefixBlock, description="cached or shared prompt tokens")
    request_rate: Positive | None = Field(default=None, description="requests per second of the whole deployment")
    concurrency: Positive | None = Field(default=None, description="requests in flight instead of a rate")
    stages: list[StageBlock] | None = Field(
        default=None, description="rates over time; a plan is sized for the highest", min_length=1, max_length=10_000
    )
    diurnal: DiurnalBlock | None = Field(
        default=None, description="a rate that swings over the day about request_rate; a plan is sized for the peak"
    )
    arrivals: ArrivalsOrWord = Field(
        default="poisson", description="how requests arrive: a word, gamma(cv) or weibull(cv)"
    )
    sessions: SessionsBlock | None = Field(
        default=None, description="conversations of many turns; input_tokens follows from them"
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
    def _prompts_of_sessions(cls, given: Any) -> Any:
        """Conversations say how long prompts are: a place for it, which `_follow_sessions` fills."""
        if not _has(given, "sessions") or given["sessions"] is None:
            return given
        if given.get("trace") is not None or given.get("tenants") is not None:
            raise ValueError("sessions make all requests; leave trace and tenants out")
        named = [key for key in given if cls.also_written.get(key, key) == "input_tokens" and given[key] is not None]
        if not named:
            return {**given, "input_tokens": 1}
        if not _has(given["sessions"], "prompt_tokens"):
            raise ValueError(
                f"{named[0]} follows from the sessions; leave it out, and write what a user adds in a turn as "
                "sessions.new_tokens"
            )
        return given

    @model_validator(mode="after")
    def _follow_sessions(self) -> WorkloadBlock:
        """Mean prompt and cached tokens of conversations, unless they were changed after they were found."""
        block, prefix = self.sessions, self.prefix
        if block is None:
            return self
        known = block.prompt_tokens is not None
        if known and (self.input_tokens, prefix.cached_tokens) not in (
            (1.0, 0.0), (block.prompt_tokens, block.cached_tokens),
        ):  # fmt: skip
            return self
        if prefix.distinct_prompts is not None or (prefix.cached_tokens and not known):
            raise ValueError("sessions say what is cached; give prefix.shared_tokens alone: the start of all of them")
        prompt, cached = mean_request(block, self.output_tokens, prefix.shared_tokens)
        found = {"prompt_tokens": prompt, "cached_tokens": cached}
        filled = {
            "input_tokens": prompt,
            "prefix": prefix.model_copy(update={"cached_tokens": cached}),
            "sessions": block.model_copy(update=found),
        }
        for name, value in filled.items():
            object.__setattr__(self, name, value)  # before anyone has seen the block, which is frozen from then on
            self.model_fields_set.add(name)
        return self

    @model_validator(mode="after")
    def _one_load(self) -> WorkloadBlock:
        if sum(load is not None for load in (self.request_rate, self.concurrency, self.stages)) > 1:
            raise ValueError("give only one of request_rate, concurrency and stages")
        if self.arrivals == "trace" and self.trace is None:
            raise ValueError("arrivals=trace needs a trace to replay; name the file in workload.trace")
        if self.diurnal is not None and (self.request_rate is None or self.arrivals in ("at_once", "trace")):
            raise ValueError("diurnal swings about a mean rate; give request_rate, and arrivals that have one")
        return self

    @model_validator(mode="after")
    def _prompts_hold_their_start(self) -> WorkloadBlock:
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

    @model_validator(mode="after")
    def _lengths_in_pairs(self) -> WorkloadBlock:
        if not (self.joint_lengths or self.length_correlation):
            return self
        name = "joint_lengths" if self.joint_lengths else "length_correlation"
        if self.joint_lengths and self.length_correlation:
            raise ValueError("give joint_lengths or length_correlation, not both: pairs have their own correlation")
        if self.trace is not None or self.sessions is not None or self.prefix.distinct_prompts is not None:
            raise ValueError(f"{name} is for lengths that are drawn; leave trace, sessions and distinct_prompts out")
        counts = {
            field: len(lengths.empirical) if isinstance(lengths, Lengths) and lengths.empirical else 0
            for field, lengths in (("input_tokens", self.input_tokens), ("output_tokens", self.output_tokens))
        }
        if self.joint_lengths and any(one.input_tokens or one.output_tokens for one in self.tenants or ()):
            raise ValueError("joint_lengths pairs the lengths of all users; leave those of tenants out")
        if self.joint_lengths and (0 in counts.values() or len({*counts.values()}) > 1):
            shown = " and ".join(f"{count:,} {field}" for field, count in counts.items())
            raise ValueError(f"joint_lengths needs two lists of one length, not {shown} that were measured")
        if not self.joint_lengths and 0.0 in (cv2_of(self.input_tokens), self.output_cv2) and not self.tenants:
            raise ValueError("length_correlation needs prompts and answers that both vary; give both a spread")
        return self

    @property
    def input_mean(self) -> float:
        """Mean prompt length in tokens."""
        return mean_of(self.input_tokens)

    @property
    def output_mean(self) -> float:
        """Mean answer length in tokens."""
        return mean_of(self.output_tokens)

    @property
    def longest_tokens(self) -> float:
        """Prompt and answer of a request that one in a thousand exceeds."""
        if self.sessions is not None:
            return longest_tokens(self.sessions, self.output_tokens, self.prefix.shared_tokens)
        return longest_of(self.input_tokens) + longest_of(self.output_tokens)

    @property
    def output_cv2(self) -> float:
        """Squared coefficient of variation of output lengths."""
        return cv2_of(self.output_tokens)

    @property
    def peak_request_rate(self) -> float | None:
        """Requests per second to be ready for: the rate, the peak of its day, or the highest stage."""
        if self.stages:
            return max(stage.rate for stage in self.stages)
        if self.request_rate is None or self.diurnal is None:
            return self.request_rate
        return self.request_rate * self.diurnal.peak

    @property
    def arrival_cv2(self) -> float:
        """Squared coefficient of variation of the gaps between arrivals."""
        if isinstance(self.arrivals, Arrivals):
            return self.arrivals.cv**2
        return 0.0 if self.arrivals == "constant" else 1.0


def _has(given: Any, key: str) -> bool:
    return isinstance(given, Mapping) and key in given
