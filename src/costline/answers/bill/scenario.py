"""The question of `bill`: what is served, a trace or a workload of it, and the ways to pay.

Reads a file, a mapping or keyword blocks, and the trace that they name. Answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from costline.answers import block_faults
from costline.answers.bill.hourly_load import HourlyLoad, hourly_load, swinging_load
from costline.answers.bill.trace import Trace, read_trace
from costline.answers.money_blocks import ApiBlock, LoadByHour, OwnBlock, RentalTerm, RentBlock, Share
from costline.answers.read_document import read_document
from costline.answers.scenario import Number, Positive, Scenario, ScenarioBlock, Tokens
from costline.errors import InputError


class SpotBlock(RentBlock):
    """Spot accelerators beside reserved and on-demand ones."""

    term: RentalTerm = Field(default="spot", description="spot")
    demand_share: Share = Field(default=0.5, description="share of each hour's load that bears interruptions")
    loss: Annotated[Number, Field(ge=0, le=10)] = Field(default=0.05, description="time lost per useful time")


class EgressBlock(ScenarioBlock):
    """Answers on their way out of rented accelerators."""

    transfer: str = Field(default="aws-internet", description="id of a transfer price of the catalogue")
    bytes_per_output_token: Annotated[Number, Field(ge=0, le=2**20)] = Field(
        default=300, description="sent for each output token: about 5 as plain text, hundreds as an event of a stream"
    )


class RedundancyBlock(ScenarioBlock):
    """Spare replicas for a promise."""

    availability: Annotated[Number, Field(ge=0, lt=1)] = Field(description="promised share of time")
    replica_availability: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        default=None, description="share of time in which one replica works; default = from failures and repairs"
    )
    common_share: Share = Field(default=0, description="share of failures that strike all replicas at once")


class BillBlock(ScenarioBlock):
    """What is billed, and the ways to pay. `own: null` and the like leave a way out."""

    trace: str | None = Field(
        default=None, description="CSV of TIMESTAMP, ContextTokens, GeneratedTokens, beside the scenario's file"
    )
    scale: Positive = Field(default=1, description="times the rate of the trace or workload")
    load_by_hour: LoadByHour | None = Field(
        default=None, description="relative load of 24 or 168 hours; the trace's own hours anchor it"
    )
    api: list[ApiBlock] | None = Field(
        default=[], description="APIs; default = the cheapest, median and dearest seller", max_length=20
    )
    rent: RentBlock | None = Field(default_factory=RentBlock, description="whole nodes, on demand")
    reserved: RentBlock | None = Field(
        default_factory=lambda: RentBlock(term="reserved"), description="reserved accelerators of the mix"
    )
    spot: SpotBlock | None = Field(default=None, description="spot accelerators of the mix")
    own: OwnBlock | None = Field(default_factory=OwnBlock, description="owned nodes")
    egress: EgressBlock | None = Field(default_factory=EgressBlock, description="answers on their way out")
    redundancy: RedundancyBlock | None = Field(default=None, description="spare replicas for a promise")
    grid: str = Field(default="usa", description="id or place of the grid, for CO2e by location")
    users: Tokens | None = Field(default=None, description="users of the month, for a bill of each")


class BillScenario(Scenario):
    """What is served to whom, and the ways to pay for it."""

    bill: BillBlock = Field(default_factory=BillBlock, description="what is billed, and the ways to pay")

    @model_validator(mode="after")
    def _a_volume(self) -> BillScenario:
        if self.workload.request_rate is None:
            raise ValueError("workload.request_rate is missing; a volume is needed: add it, or bill.trace")
        if self.workload.diurnal is not None and self.bill.load_by_hour is not None:
            raise ValueError("give workload.diurnal or bill.load_by_hour, not both: each says when requests come")
        return self


@dataclass(frozen=True)
class BillQuestion:
    """The document with its workload filled in, and the trace that filled it."""

    asked: BillScenario
    trace: Trace | None
    load: HourlyLoad


def read_bill(source: str | Path | Mapping[str, Any] | None, **blocks: Any) -> BillQuestion:
    """The question in a YAML file or a mapping, keyword blocks winning; a trace becomes the workload.

    The trace's path is relative to the scenario's file. Raises InputError naming the field, value, rule and remedy.
    """
    given = read_document(source, blocks)
    block = _bill_block(given)
    trace: Trace | None = None
    if block.trace is not None:
        if "workload" in given:
            raise InputError(f"give workload or bill.trace={block.trace!r}, not both; the trace says what is asked for")
        folder = Path(source).parent if isinstance(source, str | Path) else Path()
        trace = read_trace(folder / block.trace)
    elif block.scale != 1:
        raise InputError(f"bill.scale={block.scale:g} is for a trace; change workload.request_rate instead")
    load = hourly_load(block.load_by_hour, trace)
    if trace is not None:
        given["workload"] = workload_of(trace, trace.requests_per_s * load.peak_over_trace * block.scale)
    asked = _validated(given)
    diurnal = asked.workload.diurnal
    return BillQuestion(asked, trace, load if diurnal is None else swinging_load(diurnal))


def _bill_block(given: Mapping[str, Any]) -> BillBlock:
    """The block by itself, to know the trace before the workload that it fills; its faults are told in full."""
    try:
        return BillBlock.model_validate(given.get("bill", {}))
    except ValidationError:
        stand_in = {"input_tokens": 1, "output_tokens": 1, "request_rate": 1}
        return _validated({"workload": stand_in} | dict(given)).bill


def _validated(given: Mapping[str, Any]) -> BillScenario:
    try:
        return BillScenario.model_validate(dict(given))
    except ValidationError as error:
        raise InputError(block_faults.one_line(error, BillScenario)) from None


def workload_of(trace: Trace, busiest_requests_per_s: float) -> dict[str, Any]:
    """The workload that a trace shows: lengths, burstiness, and the rate of the busiest hour."""
    return {
        "input_tokens": trace.lengths(trace.input_tokens),
        "output_tokens": trace.lengths(trace.output_tokens),
        "request_rate": busiest_requests_per_s,
        "arrivals": {"cv": trace.arrival_cv},
    }
