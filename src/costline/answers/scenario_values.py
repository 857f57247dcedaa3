"""What a block of a question is, and the numbers it may hold. Knows no field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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
SomeTokens = Annotated[Number, Field(ge=0, le=MAX_TOKENS)]
UsdPerHour = Annotated[Number, Field(ge=0, le=MOST_USD_PER_HOUR)]
Degree = Annotated[int, BeforeValidator(_reject_bool), Field(ge=1, le=65_536)]
Auto = Literal["auto"]


class ScenarioBlock(BaseModel):
    """A block of the scenario: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=False)
    also_written: ClassVar[Mapping[str, str]] = {}
    """How engines and benchmarks call a key, and the key."""

    @model_validator(mode="before")
    @classmethod
    def _in_our_words(cls, given: Any) -> Any:
        if not (cls.also_written and isinstance(given, Mapping)):
            return given
        written: dict[Any, Any] = dict(cast(Mapping[Any, Any], given))
        for theirs in [name for name in written if name in cls.also_written]:
            ours = cls.also_written[theirs]
            if ours in written:
                raise ValueError(f"{theirs} and {ours} are the same setting; keep one")
            written[ours] = written.pop(theirs)
        return written
