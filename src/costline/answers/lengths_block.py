"""How long prompts and answers are, as a scenario says it: a number, a distribution, or lengths that were measured.

Knows means and spreads. Draws nothing.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import BeforeValidator, Field, model_validator

from costline.answers.scenario_values import Number, ScenarioBlock, SomeTokens, Tokens

if TYPE_CHECKING:
    from costline.serving.lengths import LengthDistribution

Z95 = 1.6448536269514722
"""95th percentile of the standard normal."""
MOST_CV = 100
MOST_NORMAL_CV = 0.5
"""Widest normal lengths: of wider ones too many would be cut at one token, which would lift the mean."""
MOST_MEASURED = 100_000
Measured = Annotated[list[Tokens], Field(min_length=1, max_length=MOST_MEASURED)]


class Lengths(ScenarioBlock):
    """Lengths in tokens by their mean and spread, or as they were measured."""

    also_written: ClassVar = {
        "stdev": "sd", "std": "sd", "stddev": "sd", "standard_deviation": "sd", "coefficient_of_variation": "cv",
        "samples": "empirical", "measured": "empirical", "values": "empirical",
    }  # fmt: skip
    mean: Tokens | None = Field(default=None, description="mean in tokens")
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

    @model_validator(mode="after")
    def _one_spread(self) -> Lengths:
        spreads = [name for name in ("p95", "cv", "sd") if getattr(self, name) is not None]
        if self.empirical is not None:
            if spreads or self.mean is not None or self.distribution is not None:
                raise ValueError("measured lengths have their own mean and spread; give empirical alone")
            return self
        if self.mean is None:
            raise ValueError("has no mean; give mean with p95, cv or sd, or a list of measured lengths")
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
    def mean_tokens(self) -> float:
        """The mean, given or of what was measured."""
        if self.empirical is not None:
            return math.fsum(self.empirical) / len(self.empirical)
        return self.mean or 0.0

    @cached_property
    def cv2(self) -> float:
        """Squared coefficient of variation."""
        if self.empirical is not None:
            mean = self.mean_tokens
            return math.fsum((tokens - mean) ** 2 for tokens in self.empirical) / len(self.empirical) / mean**2
        if self.p95 is not None and self.shape == "lognormal":
            return self._lognormal_cv2
        return self._cv**2

    @property
    def _cv(self) -> float:
        mean = self.mean_tokens
        if self.p95 is not None:
            return (self.p95 - mean) / Z95 / mean if self.shape == "normal" else math.sqrt(self._lognormal_cv2)
        return self.sd / mean if self.sd is not None else self.cv or 0.0

    @property
    def _lognormal_cv2(self) -> float:
        """Squared coefficient of variation of the log-normal with this mean and 95th percentile.

        ln(p95 / mean) = 1.645 s - s² / 2, solved for the smaller s; exp(s²) - 1. Beyond s = 1.645 the ratio p95 / mean
        falls again, so that is the widest a log-normal can be.
        """
        ratio = math.log((self.p95 or self.mean_tokens) / self.mean_tokens)
        spread = Z95 - math.sqrt(max(Z95**2 - 2 * ratio, 0.0))
        return math.exp(spread**2) - 1.0


def _in_a_block(given: Any) -> Any:
    return {"empirical": list(cast(list[Any], given))} if isinstance(given, list | tuple) else given


TokenLengths = Annotated[
    Tokens | Lengths, BeforeValidator(_in_a_block, json_schema_input_type=Tokens | Measured | Lengths)
]
"""A length as a scenario gives it."""


def mean_of(lengths: float | Lengths) -> float:
    """Mean in tokens."""
    return lengths.mean_tokens if isinstance(lengths, Lengths) else lengths


def cv2_of(lengths: float | Lengths) -> float:
    """Squared coefficient of variation."""
    return lengths.cv2 if isinstance(lengths, Lengths) else 0.0


def distribution_of(lengths: float | Lengths) -> LengthDistribution:
    """What is drawn from."""
    from costline.serving import lengths as drawn

    if not isinstance(lengths, Lengths):
        return drawn.fixed(lengths)
    shape, mean = lengths.shape, lengths.mean_tokens
    if lengths.empirical is not None:
        return drawn.empirical(drawn.as_array(lengths.empirical))
    if shape == "normal":
        return drawn.normal(mean, sd=math.sqrt(lengths.cv2) * mean)
    if shape == "fixed":
        return drawn.fixed(mean)
    if lengths.p95 is not None:
        return drawn.lognormal(mean, p95=lengths.p95)
    return drawn.lognormal(mean, cv=math.sqrt(lengths.cv2))
