"""A comparison as it was asked: the deployment, the load's shape, the ways, and every number that they rest on."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from costline.answers import compare_assumptions as assume
from costline.answers.api_way import ApiWay, the_api
from costline.answers.assumption import Assumption
from costline.answers.candidates import load_of
from costline.answers.compare_costs import MONTH_S, WAYS, Setting
from costline.answers.compare_scenario import CompareScenario
from costline.answers.load_shape import LoadShape, by_hour, flat, in_stages
from costline.answers.own_node import owning
from costline.answers.rental import Rental, the_rental
from costline.answers.serving_unit import serving_unit
from costline.errors import InputError
from costline.money.api_bill import Usage

MONTHS, MONTHS_PER_YEAR = 36, 12


@dataclass(frozen=True)
class Question:
    """A comparison as it was asked, and all that it rests on."""

    asked: CompareScenario
    setting: Setting
    usage: Usage
    """Tokens of a request, as an API counts them."""
    api: ApiWay | None
    rental: Rental | None
    assumptions: Mapping[str, Assumption]


def the_question(asked: CompareScenario, today: datetime.date) -> Question:
    """What the scenario means: the deployment, the load's shape, the ways and every number behind them."""
    block, work, unit = asked.compare, asked.workload, serving_unit(asked)
    cached = load_of(asked).cached_tokens
    usage = Usage(Decimal(str(work.input_mean)), Decimal(str(work.output_mean)), Decimal(str(cached)))
    api = the_api(block.api, unit.model, usage, today) if block.api else None
    rental = the_rental(block.rent, unit.chip, unit.accelerators, today, asked.price) if block.rent else None
    shape = load_shape(asked)
    assumptions = [assume.speed(unit)]
    if block.api and api:
        assumptions += [api.price, assume.decline("api", block.api)]
    if block.rent and rental:
        assumptions += [rental.price, assume.decline("rent", block.rent, fixed=not rental.by_the_hour)]
    owned = owning(block.own, unit.chip) if block.own else None
    assumptions += owned.numbers.values() if owned else ()
    setting = Setting(
        unit=unit,
        shape=shape,
        ways=tuple(way for way in WAYS if getattr(block, way) is not None),
        input_tokens=work.input_mean,
        output_tokens=work.output_mean,
        requests_per_month=_requests(asked, shape),
        by_the_hour=rental.by_the_hour if rental else True,
        lot=rental.lot if rental else unit.accelerators,
        typed_utilization=block.utilization,
        owning=owned,
    )
    return Question(asked, setting, usage, api, rental, {one.name: one for one in assumptions})


def load_shape(asked: CompareScenario) -> LoadShape:
    """How the load is spread over the month."""
    if asked.workload.stages is not None:
        return in_stages(asked.workload.stages)
    load = asked.compare.load_by_hour
    return flat() if load is None else by_hour(load)


def _requests(asked: CompareScenario, shape: LoadShape) -> float:
    """Requests of a month whose busiest hour has the rate of the question."""
    return float(round((asked.workload.peak_request_rate or 0.0) / shape.peak * MONTH_S))


def months_of(question: Question) -> int:
    """Months of the cash flow: as asked, else three years or the life of what is owned, whichever is shorter."""
    asked, years = question.asked.compare.months, question.assumptions.get("years")
    life = int(years.likely * MONTHS_PER_YEAR) if years else None
    if asked is None:
        return MONTHS if life is None else max(min(MONTHS, life), 1)
    if life is not None and asked > life:
        raise InputError(
            f"compare.months={asked} exceeds the {life} months that owned accelerators earn; shorten it or raise "
            "own.years"
        )
    return asked
