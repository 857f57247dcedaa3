"""How long prompts and answers are, as a scenario says it: a number, a distribution, or lengths that were measured.

Knows means and spreads. Draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from costline.answers.scenario_values import MAX_TOKENS, Number, ScenarioBlock, SomeTokens, Tokens

if TYPE_CHECKING:
    from costline.serving.lengths import LengthDistribution

Z95 = 1.6448536269514722
Z999 = 3.090232306167813
"""95th percentile and 99.9th of the standard normal."""
MOST_CV = 100
MOST_NORMAL_CV = 0.5
"""Widest normal lengths: of wider ones too many would be cut at one token, which would lift the mean."""
MOST_MEASURED = 100_000
SLIGHTLY = 1e-9
Measured = Annotated[list[Tokens], Field(min_length=1, max_length=MOST_MEASURED)]


def _no_mean_needed(schema: dict[str, Any]) -> None:
    """Measured lengths need no mean."""
    schema.pop("required", None)


class Lengths(ScenarioBlock):
    """Lengths in tokens by their mean and spread, or as they were measured."""

    model_config = ConfigDict(json_schema_extra=_no_mean_needed)
    also_written: ClassVar = {
        "stdev": "sd", "std": "sd", "stddev": "sd", "standard_deviation": "sd", "coefficient_of_variation": "cv",
        "samples": "empirical", "measured": "empirical", "values": "empirical",
    }  # fmt: skip
    mean: Tokens = Field(description="mean in tokens; follows from lengths that were measured")
    p95: Tokens | None = Field(default=None, description="95th percentile in tokens")
    cv: Annotated[Number, Field(ge=0, le=MOST_CV)] | None = Field(
        default=None, description="standard deviation over mean, instead of p95"
    )
    sd: SomeTokens | None = Field(default=None, description="standard deviation in tokens, instead of p95")
    distribution: Literal["lognormal", "normal"] | None = Field(
        default=None, description="shape of the spread; default = normal for sd, else lognormal"
    )
    empirical: Measured | None = Field(
        default=None, description="measured lengths, drawn with replacement; a plain list says the same"
    )

    @model_validator(mode="before")
    @classmethod
    def _mean_of_measured(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        block = cast(Mapping[str, Any], given)
        measured = [key for key in block if cls.also_written.get(key, key) == "empirical" and block[key] is not None]
        return {"mean": _mean(block[measured[0]]), **block} if measured else block

    @model_validator(mode="after")
    def _one_spread(self) -> Lengths:
        spreads = [name for name in ("p95", "cv", "sd") if getattr(self, name) is not None]
        if self.empirical is not None:
            alike = math.isclose(self.mean, _mean(self.empirical), rel_tol=SLIGHTLY)
            if spreads or not alike or self.distribution is not None:
                raise ValueError("measured lengths have their own mean and spread; give empirical alone")
            return self
        if len(spreads) > 1:
            raise ValueError(f"{' and '.join(spreads)} each give the spread; keep one")
        if self.distribution is not None and not spreads:
            raise ValueError(f"distribution={self.distribution} has no spread; add p95, cv or sd")
        if self.p95 is not None and self.p95 < self.mean:
            raise ValueError(f"p95={self.p95:g} is below mean={self.mean:g}; swap them")
        self._check_width(spreads)
        return self

    def _check_width(self, spreads: list[str]) -> None:
        if not spreads:
            return
        given = f"{spreads[0]}={getattr(self, spreads[0]):g}"
        if self.shape == "normal" and self._cv > MOST_NORMAL_CV:
            raise ValueError(
                f"{given} is too wide for a normal of mean={self.mean:g}, which would fall below one token; lower it "
                f"to {MOST_NORMAL_CV:g} of the mean, or add distribution: lognormal"
            )
        if self._cv > MOST_CV:
            raise ValueError(f"{given} is more than {MOST_CV} times mean={self.mean:g}; lower it")

    @property
    def shape(self) -> str:
        """fixed, lognormal, normal or empirical."""
        if self.empirical is not None:
            return "empirical"
        if self.p95 is None and self.cv is None and self.sd is None:
            return "fixed"
        return self.distribution or ("normal" if self.sd is not None else "lognormal")

    @cached_property
    def cv2(self) -> float:
        """Squared coefficient of variation."""
        if self.empirical is not None:
            return math.fsum((tokens / self.mean - 1) ** 2 for tokens in self.empirical) / len(self.empirical)
        if self.p95 is not None and self.shape == "lognormal":
            return self.lognormal_cv2
        return self._cv**2

    @property
    def _cv(self) -> float:
        if self.p95 is not None:
            over = self.p95 / self.mean - 1
            return over / Z95 if self.shape == "normal" else math.sqrt(self.lognormal_cv2)
        return self.sd / self.mean if self.sd is not None else self.cv or 0.0

    @property
    def lognormal_cv2(self) -> float:
        """Squared coefficient of variation of the log-normal with this mean and 95th percentile.

        ln(p95 / mean) = 1.645 s - s² / 2, solved for the smaller s; exp(s²) - 1. Beyond s = 1.645 the ratio p95 / mean
        falls again, so that is the widest a log-normal can be.
        """
        ratio = math.log((self.p95 or self.mean) / self.mean)
        spread = Z95 - math.sqrt(max(Z95**2 - 2 * ratio, 0.0))
        return math.exp(spread**2) - 1.0


def _mean(measured: Any) -> Any:
    """The mean of a list of numbers; of anything else 1, for the list's own check to tell what is wrong."""
    numbers = cast(list[Any], measured) if isinstance(measured, list | tuple) else []
    if not numbers or not all(isinstance(one, int | float) for one in numbers):
        return 1.0
    mean = math.fsum(numbers) / len(numbers)
    return mean if 1 <= mean <= MAX_TOKENS else 1.0


def _in_a_block(given: Any) -> Any:
    return {"empirical": list(cast(list[Any], given))} if isinstance(given, list | tuple) else given


TokenLengths = Annotated[
    Tokens | Lengths, BeforeValidator(_in_a_block, json_schema_input_type=Tokens | Measured | Lengths)
]
"""A length as a scenario gives it."""


def mean_of(lengths: float | Lengths) -> float:
    """Mean in tokens."""
    return lengths.mean if isinstance(lengths, Lengths) else lengths


def cv2_of(lengths: float | Lengths) -> float:
    """Squared coefficient of variation."""
    return lengths.cv2 if isinstance(lengths, Lengths) else 0.0


def longest_of(lengths: float | Lengths) -> float:
    """A length that one in a thousand exceeds; of those that were measured the longest."""
    if not isinstance(lengths, Lengths):
        return lengths
    if lengths.empirical is not None:
        return max(lengths.empirical)
    if lengths.shape == "normal":
        return lengths.mean * (1 + Z999 * math.sqrt(lengths.cv2))
    spread = math.sqrt(math.log1p(lengths.cv2))
    return lengths.mean * math.exp(Z999 * spread - spread**2 / 2)


def distribution_of(lengths: float | Lengths) -> LengthDistribution:
    """What is drawn from."""
    from costline.serving import lengths as drawn

    if not isinstance(lengths, Lengths):
        return drawn.fixed(lengths)
    shape, mean = lengths.shape, lengths.mean
    if lengths.empirical is not None:
        return drawn.empirical(drawn.as_array(lengths.empirical))
    if shape == "normal":
        return drawn.normal(mean, sd=math.sqrt(lengths.cv2) * mean)
    if shape == "fixed":
        return drawn.fixed(mean)
    if lengths.p95 is not None:
        return drawn.lognormal(mean, p95=lengths.p95)
    return drawn.lognormal(mean, cv=math.sqrt(lengths.cv2))
