"""Blocks of a question about money: an API, rented and owned accelerators; each field validated.

A number may be given as [low, likely, high] where it is not known for sure. Knows shapes; answers nothing.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from costline.answers.scenario import MAX_TOKENS, Number, Positive, ScenarioBlock, UsdPerHour
from costline.catalog.fields import DATE

T = TypeVar("T")
RentalTerm = Literal["on-demand", "reserved", "spot", "community"]
MOST_USD = 2**30
"""Dearest purchase, salary or token price that is taken for one."""
LONGEST_YEARS = 50
HOURS_OF_DAY = 24
HOURS_OF_WEEK = 168


def _ascending(value: tuple[float, float, float]) -> tuple[float, float, float]:
    if not value[0] <= value[1] <= value[2]:
        raise ValueError("must ascend: low, likely, high; sort it")
    return value


def _day_as_text(value: Any) -> Any:
    """YAML reads a day as a date and a year as a number."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _real_day(value: str) -> str:
    try:
        datetime.date.fromisoformat(value + "-01-01"[len(value) - 4 :] if re.fullmatch(DATE, value) else "")
    except ValueError:
        raise ValueError("must be a day, month or year such as 2026-11-01; correct it") from None
    return value


def _some_load(value: list[float]) -> list[float]:
    if len(value) not in (HOURS_OF_DAY, HOURS_OF_WEEK):
        raise ValueError(f"must have {HOURS_OF_DAY} or {HOURS_OF_WEEK} numbers, an hour each; it has {len(value)}")
    if not max(value) > 0:
        raise ValueError("must hold a number above 0; give the load of each hour")
    return value


Day = Annotated[str, BeforeValidator(_day_as_text), AfterValidator(_real_day)]
"""Day, month or year at which a price of one's own was true."""
Usd = Annotated[Number, Field(ge=0, le=MOST_USD)]
Share = Annotated[Number, Field(ge=0, le=1)]
SomeShare = Annotated[Number, Field(gt=0, le=1)]
Years = Annotated[Number, Field(ge=0.1, le=LONGEST_YEARS)]
Pue = Annotated[Number, Field(ge=1, le=10)]
LoadByHour = Annotated[list[Annotated[Number, Field(ge=0, le=MAX_TOKENS)]], AfterValidator(_some_load)]
Ranged = T | Annotated[tuple[T, T, T], AfterValidator(_ascending)]
"""A number that is certain, or [low, likely, high]."""


class ApiBlock(ScenarioBlock):
    """A model at an API: a listed price, or one's own contract."""

    model: str | None = Field(default=None, description="the API's model; default = the model of the scenario")
    provider: str | None = Field(default=None, description="who sells it; default = the median of all who do")
    service: str = Field(default="standard", description="standard, batch, flex, priority, fast")
    input_usd_per_mtok: Usd | None = Field(default=None, description="a contract's price instead of a listed one")
    output_usd_per_mtok: Usd | None = Field(default=None, description="the same for output")
    as_of: Day | None = Field(default=None, description="day of the contract's price")
    discount: Share = Field(default=0, description="share off the list price")
    decline_per_year: Ranged[Share] | None = Field(
        default=None, description="yearly fall of the price; default = 0, perhaps as much as 0.3"
    )

    @model_validator(mode="after")
    def _both_prices(self) -> ApiBlock:
        if (self.input_usd_per_mtok is None) != (self.output_usd_per_mtok is None):
            raise ValueError("give both of input_usd_per_mtok and output_usd_per_mtok, or neither")
        if self.input_usd_per_mtok is not None and self.provider is not None:
            raise ValueError("give a provider or a price of your own, not both")
        return self


class RentBlock(ScenarioBlock):
    """Rented accelerators: an offer of the catalogue, or one's own contract."""

    offer: str | None = Field(default=None, description="id of a rental offer")
    provider: str | None = Field(default=None, description="whose newest offer; default = the reference offer")
    term: RentalTerm = Field(default="on-demand", description="on-demand is paid by the hour used, reserved always")
    usd_per_accelerator_hour: Ranged[UsdPerHour] | None = Field(default=None, description="a price of your own")
    as_of: Day | None = Field(default=None, description="day of that price")
    lot: int | None = Field(
        default=None, description="accelerators that come together; default = those of one replica", ge=1, le=65_536
    )
    decline_per_year: Ranged[Share] | None = Field(
        default=None, description="yearly fall of the price; default = 0, perhaps as much as 0.3"
    )

    @model_validator(mode="after")
    def _one_price(self) -> RentBlock:
        given = [name for name in ("offer", "provider", "usd_per_accelerator_hour") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give only one of {' and '.join(given)}")
        return self


class OwnBlock(ScenarioBlock):
    """Owned nodes: what they cost, how long they earn, and what running them takes. Defaults are the catalogue's."""

    usd_per_accelerator: Ranged[Usd] | None = Field(default=None, description="purchase price of one accelerator")
    other_usd_per_node: Ranged[Usd] | dict[str, Usd] | None = Field(
        default=None, description="server, network, storage, spares of a node: a sum, or a table of parts"
    )
    site: str = Field(default="colocation", description="id of a site of the catalogue: colocation, own-building")
    as_of: Day | None = Field(default=None, description="day of the prices that this block gives")
    years: Ranged[Years] | None = Field(default=None, description="years the accelerators earn")
    other_years: Years | None = Field(default=None, description="years the rest of the node earns")
    salvage_share: Ranged[Share] | None = Field(default=None, description="share of the price a buyer pays after that")
    interest_per_year: Ranged[Share] | None = Field(default=None, description="cost of capital")
    rated_w: Positive | None = Field(default=None, description="nameplate power of a node, in watts")
    busy_fraction: Ranged[SomeShare] | None = Field(default=None, description="share of it drawn at full load")
    idle_fraction: Share | None = Field(default=None, description="share of it drawn while idle")
    pue: Ranged[Pue] | str | None = Field(default=None, description="number, or id of a PUE of the catalogue")
    tariff: Ranged[Annotated[Number, Field(ge=0, le=10)]] | str | None = Field(
        default=None, description="USD per kWh, or id of a tariff of the catalogue"
    )
    colocation_usd_per_kw_month: Ranged[Usd] | None = Field(default=None, description="space, by rated kilowatts")
    staff_usd_per_year: Ranged[Usd] | None = Field(default=None, description="people, for each node")
    support_per_year: Ranged[Share] | None = Field(default=None, description="support, as a share of the price")
    failures_per_year: Annotated[Number, Field(ge=0, le=100)] | None = Field(
        default=None, description="failures of one accelerator"
    )
    replacement_usd: Usd | None = Field(default=None, description="paid for each failure")
    repair_days: Annotated[Number, Field(ge=0, le=365)] | None = Field(
        default=None, description="days until a failed accelerator serves again"
    )
