"""The question of `compare`: the planner's own document with a block of what to weigh against one another.

Reads a file, a mapping or keyword blocks. Answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from costline.answers import block_faults
from costline.answers.money_blocks import ApiBlock, LoadByHour, OwnBlock, RentBlock
from costline.answers.read_document import read_document
from costline.answers.scenario import Number, Scenario, ScenarioBlock
from costline.errors import InputError

LONGEST_MONTHS = 600


class CompareBlock(ScenarioBlock):
    """What is weighed, and over how long. `api: null` and the like leave a way out."""

    api: ApiBlock | None = Field(default_factory=ApiBlock, description="an API; null = leave it out")
    rent: RentBlock | None = Field(default_factory=RentBlock, description="rented accelerators; null = leave them out")
    own: OwnBlock | None = Field(default_factory=OwnBlock, description="owned nodes; null = leave them out")
    load_by_hour: LoadByHour | None = Field(
        default=None, description="relative load of 24 or 168 hours; the busiest has workload.request_rate"
    )
    utilization: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        default=None, description="share of capacity used, typed instead of computed from the load; marked as assumed"
    )
    months: int | None = Field(
        default=None, description="months of the cash flow; default = 36, or the life of what is owned",
        ge=1, le=LONGEST_MONTHS,
    )  # fmt: skip

    @model_validator(mode="after")
    def _something_to_weigh(self) -> CompareBlock:
        if sum(way is not None for way in (self.api, self.rent, self.own)) < 2:
            raise ValueError("leave at least two of api, rent and own to compare")
        return self


class CompareScenario(Scenario):
    """A question to the planner, and ways to pay for the answer."""

    compare: CompareBlock = Field(default_factory=CompareBlock, description="what is weighed against one another")

    @model_validator(mode="after")
    def _a_volume(self) -> CompareScenario:
        work, block = self.workload, self.compare
        if work.peak_request_rate is None:
            raise ValueError("workload.request_rate is missing; a volume is needed: add it, or workload.stages")
        if work.stages is not None and block.load_by_hour is not None:
            raise ValueError("give workload.stages or compare.load_by_hour, not both: each says when requests come")
        if work.diurnal is not None and block.load_by_hour is not None:
            raise ValueError("give workload.diurnal or compare.load_by_hour, not both: each says when requests come")
        return self


def read_compare(source: CompareScenario | str | Path | Mapping[str, Any] | None, **blocks: Any) -> CompareScenario:
    """The question in a YAML file or a mapping, keyword blocks winning over it, key by key.

    Raises InputError naming the field, the value, the rule and the remedy.
    """
    if isinstance(source, CompareScenario) and not blocks:
        return source
    given = read_document(source.model_dump() if isinstance(source, CompareScenario) else source, blocks)
    try:
        return CompareScenario.model_validate(given)
    except ValidationError as error:
        raise InputError(block_faults.one_line(error, CompareScenario)) from None
