"""When requests come, as a scenario says it: random or bursty gaps, stages of a rate, a day that swings.

Knows rates and spreads. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import BeforeValidator, Field, model_validator

from costline.answers.scenario_values import MAX_TOKENS, Number, Positive, ScenarioBlock
from costline.quantities import DAY_S, HOUR_S, MINUTE_S

if TYPE_CHECKING:
    from costline.serving.arrivals import Load

MOST_PEAK_OVER_MEAN = 24
USUAL_PEAK = 14 / 24
"""Of the period: two in the afternoon."""
HOURS = (24, 168)
"""Of a day and of a week."""
FAMILIES = ("gamma", "weibull")
Cv = Annotated[Number, Field(ge=0, le=100)]


class Arrivals(ScenarioBlock):
    """Gaps between requests, gamma or Weibull distributed."""

    cv: Cv = Field(description="coefficient of variation; Poisson has 1")
    gaps: Literal["gamma", "weibull"] = Field(
        default="gamma", description="distribution of the gaps; Weibull's have the longer tail where cv is above 1"
    )


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


class DiurnalBlock(ScenarioBlock):
    """A rate that swings about request_rate, its mean."""

    also_written: ClassVar = {
        "peak_to_mean": "peak_over_mean", "peak_to_average": "peak_over_mean", "peak_factor": "peak_over_mean",
        "period": "period_s", "peak_at": "peak_at_s", "hourly": "load_by_hour", "start_at_s": "start_s",
    }  # fmt: skip
    peak_over_mean: Annotated[Number, Field(ge=1, le=MOST_PEAK_OVER_MEAN)] | None = Field(
        default=None, description="busiest rate over the mean; up to 2 a sine, beyond it a narrower peak"
    )
    load_by_hour: list[Annotated[Number, Field(ge=0, le=MAX_TOKENS)]] | None = Field(
        default=None, description="instead: relative load of the 24 hours of a day or the 168 of a week"
    )
    period_s: Annotated[Number, Field(ge=MINUTE_S, le=MAX_TOKENS)] | None = Field(
        default=None, description="seconds from peak to peak; default = a day"
    )
    peak_at_s: Annotated[Number, Field(ge=0, le=MAX_TOKENS)] | None = Field(
        default=None, description="seconds from the start of the period to the peak; default = 14/24 of it"
    )
    start_s: Annotated[Number, Field(ge=0, le=MAX_TOKENS)] = Field(
        default=0.0, description="seconds into the period at which a simulation begins"
    )

    @model_validator(mode="after")
    def _one_shape(self) -> DiurnalBlock:
        if (self.peak_over_mean is None) == (self.load_by_hour is None):
            raise ValueError("give one of peak_over_mean and load_by_hour: how the rate swings")
        if self.load_by_hour is not None:
            self._check_hours(self.load_by_hour)
        if self.peak_at_s is not None and self.peak_at_s >= self.length_s:
            raise ValueError(f"peak_at_s={self.peak_at_s:g} must be below the period of {self.length_s:g} s; lower it")
        return self

    def _check_hours(self, load: list[float]) -> None:
        if len(load) not in HOURS:
            raise ValueError(f"load_by_hour has {len(load)} numbers; give 24 (a day) or 168 (a week)")
        if not any(load):
            raise ValueError("load_by_hour is 0 at every hour; give one above 0")
        if self.period_s is not None or self.peak_at_s is not None:
            raise ValueError("load_by_hour says when the peak is; leave period_s and peak_at_s out")

    @property
    def length_s(self) -> float:
        """The period."""
        if self.load_by_hour is not None:
            return float(len(self.load_by_hour) * HOUR_S)
        return self.period_s or float(DAY_S)

    @property
    def peak(self) -> float:
        """Busiest rate over the mean."""
        load = self.load_by_hour
        return max(load) * len(load) / sum(load) if load else self.peak_over_mean or 1.0

    def load(self, request_rate: float, duration_s: float) -> Load:
        """The load of a mean rate over so many seconds."""
        from costline.serving.arrivals import diurnal_load, hourly_load

        if self.load_by_hour is not None:
            return hourly_load(request_rate, self.load_by_hour, duration_s, start_s=self.start_s)
        peak_s = USUAL_PEAK * self.length_s if self.peak_at_s is None else self.peak_at_s
        return diurnal_load(
            request_rate, self.peak, duration_s, peak_s=peak_s, start_s=self.start_s, period_s=self.length_s
        )


def _is_pair(given: Any) -> bool:
    return isinstance(given, list | tuple) and len(given) == 2  # pyright: ignore[reportUnknownArgumentType]


def _in_our_words(given: Any) -> Any:
    """Arrivals in our words: `gamma(2)`, `{weibull: {cv: 2}}`, `uniform`, `burst` as benchmarks write them."""
    if isinstance(given, str):
        name = given.strip().lower()
        for family in FAMILIES:
            if name.startswith(f"{family}(") and name.endswith(")"):
                return _gaps(family, name[len(family) + 1 : -1].strip().removeprefix("cv=").strip())
        return {"uniform": "constant", "deterministic": "constant", "burst": "at_once"}.get(name, name)
    if isinstance(given, Mapping):
        block = cast(Mapping[str, Any], given)
        for family in FAMILIES:
            for key in (family, f"{family}_cv"):
                if len(block) == 1 and key in block:
                    return _gaps(family, block[key])
    return cast(Any, given)


def _gaps(family: str, inner: Any) -> Any:
    """A family of gaps and its spread; gamma, the usual one, goes without saying."""
    said = dict(cast(Mapping[str, Any], inner)) if isinstance(inner, Mapping) else {"cv": inner}
    return said if family == "gamma" else {**said, "gaps": family}


ArrivalsOrWord = Annotated[
    Literal["poisson", "constant", "at_once", "trace"] | Arrivals,
    BeforeValidator(
        _in_our_words,
        json_schema_input_type=Literal["poisson", "constant", "at_once", "trace"]
        | Annotated[str, Field(pattern=r"^(gamma|weibull)\(.+\)$")]
        | Arrivals,
    ),
]
"""Arrivals as a scenario gives them."""
