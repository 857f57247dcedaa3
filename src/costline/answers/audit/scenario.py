"""The question of `audit`: a deployment as it runs, and what was measured of it.

Reads a file, a mapping or keyword blocks. Answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field, ValidationError, model_validator

from costline.answers import block_faults
from costline.answers.read_document import read_document
from costline.answers.scenario import Number, Positive, Scenario, ScenarioBlock, WorkloadBlock
from costline.errors import InputError

USUAL = {"input_tokens": 2048, "output_tokens": 512}
"""Lengths where none are given."""
MOST_PERCENT = 100
WORDS: Mapping[str, str] = WorkloadBlock.also_written
"""Other words for the keys of a workload."""


class MeasuredBlock(ScenarioBlock):
    """What was seen of the whole deployment; leave out what is not known."""

    output_tokens_per_s: Positive | None = Field(default=None, description="output tokens per second, all replicas")
    ttft_ms: Positive | None = Field(default=None, description="mean time to first token, milliseconds")
    tpot_ms: Positive | None = Field(default=None, description="mean time per output token, milliseconds")
    batch: Positive | None = Field(default=None, description="sequences that decode together on one replica")
    utilization_percent: Annotated[Number, Field(ge=0, le=MOST_PERCENT)] | None = Field(
        default=None, description="utilisation that the device reports: share of time with any kernel running"
    )
    accelerators: int | None = Field(default=None, description="accelerators of the deployment", ge=1, le=2**20)

    @model_validator(mode="after")
    def _something(self) -> MeasuredBlock:
        if self.output_tokens_per_s is None and self.tpot_ms is None and self.ttft_ms is None:
            raise ValueError("give at least one of output_tokens_per_s, tpot_ms and ttft_ms: there is nothing to judge")
        return self


class AuditScenario(Scenario):
    """A deployment as the planner knows it, and what was measured."""

    measured: MeasuredBlock = Field(description="what was measured of the deployment")

    @model_validator(mode="after")
    def _a_load(self) -> AuditScenario:
        work, seen = self.workload, self.measured
        loads = (work.request_rate, work.concurrency, seen.batch, seen.output_tokens_per_s)
        if work.stages is not None:
            raise ValueError("workload.stages has many rates; give the request_rate or concurrency that was measured")
        if all(load is None for load in loads):
            raise ValueError(
                "give a load: workload.request_rate or concurrency, measured.batch or measured.output_tokens_per_s"
            )
        if len(self.system.accelerator) != 1 or self.system.accelerator == ["all"]:
            raise ValueError("system.accelerator names several; an audit is of one deployment: name its accelerator")
        return self


def read_audit(
    source: AuditScenario | str | Path | Mapping[str, Any] | None, **blocks: Any
) -> tuple[AuditScenario, tuple[str, ...]]:
    """The question in a YAML file or a mapping, keyword blocks winning over it, key by key; and what it left out.

    Raises InputError naming the field, the value, the rule and the remedy.
    """
    if isinstance(source, AuditScenario) and not blocks:
        return source, ()
    given = read_document(source.model_dump() if isinstance(source, AuditScenario) else source, blocks)
    work = cast(object, given.get("workload", {}))
    usual: dict[str, Any] = {}
    if isinstance(work, Mapping):
        own = cast(Mapping[str, Any], work)
        written = {WORDS.get(name, name) for name in own}
        usual = {name: value for name, value in USUAL.items() if name not in written}
        given["workload"] = {**usual, **own}
    given.setdefault("measured", {})
    try:
        asked = AuditScenario.model_validate(given)
    except ValidationError as error:
        raise InputError(block_faults.one_line(error, AuditScenario)) from None
    return asked, tuple(f"{name} = {value:,}" for name, value in usual.items())
