"""A comparison as it was asked: the deployment, the load's shape, the ways, and every number that they rest on."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from costline.answers.api_way import ApiWay, the_api
from costline.answers.assumption import Assumption
from costline.answers.compare import assumptions as assume
from costline.answers.compare.costs import MONTH_S, WAYS, Setting
from costline.answers.compare.scenario import CompareBlock, CompareScenario
from costline.answers.load_shape import LoadShape, by_hour, flat, in_stages, swinging
from costline.answers.own_node import Owning, owning
from costline.answers.rental import Rental, the_rental
from costline.answers.scenario import ScenarioBlock
from costline.answers.search.candidates import load_of
from costline.answers.serving_unit import ServingUnit, serving_unit
from costline.errors import InputError
from costline.money.api_bill import Usage

MONTHS, MONTHS_PER_YEAR = 36, 12
T = TypeVar("T")


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
    left_out: tuple[str, ...]
    """Ways that were not asked for and lack a fact, and why."""


def the_question(asked: CompareScenario, today: datetime.date) -> Question:
    """What the scenario means: the deployment, the load's shape, the ways and every number behind them."""
    block, work, unit = asked.compare, asked.workload, serving_unit(asked)
    means = (work.input_mean, work.output_mean, load_of(asked).cached_tokens)
    usage = Usage(*(Decimal(str(tokens)) for tokens in means))
    left_out: list[str] = []

    def found(way: str, of: Callable[[Any], T]) -> T | None:
        return unless_missing(block, way, of, left_out)

    api = found("api", lambda wanted: the_api(wanted, unit.model, usage, today))
    rental = found("rent", lambda wanted: the_rental(wanted, unit.chip, unit.accelerators, today, asked.price))
    owned = found("own", lambda wanted: owning(wanted, unit.chip))
    ways = tuple(way for way, one in zip(WAYS, (api, rental, owned), strict=True) if one is not None)
    if len(ways) < 2:
        raise InputError(f"only {' and '.join(ways) or 'nothing'} is left to compare: {'; '.join(left_out)}")
    shape = load_shape(asked)
    setting = Setting(
        unit=unit,
        shape=shape,
        ways=ways,
        input_tokens=work.input_mean,
        output_tokens=work.output_mean,
        requests_per_month=_requests(asked, shape),
        by_the_hour=rental.by_the_hour if rental else True,
        lot=rental.lot if rental else unit.accelerators,
        typed_utilization=block.utilization,
        owning=owned,
    )
    numbers = _numbers(block, unit, (api, rental, owned))
    return Question(asked, setting, usage, api, rental, {one.name: one for one in numbers}, tuple(left_out))


def unless_missing(block: ScenarioBlock, way: str, of: Callable[[Any], T], left_out: list[str]) -> T | None:
    """A way that the block wants; one that it does not mention is left out, and why is noted, if facts are missing."""
    wanted = getattr(block, way)
    if wanted is None:
        return None
    try:
        return of(wanted)
    except InputError as missing:
        if way in block.model_fields_set:
            raise
        left_out.append(f"{way} is left out: {missing}")
        return None


def _numbers(
    block: CompareBlock, unit: ServingUnit, ways: tuple[ApiWay | None, Rental | None, Owning | None]
) -> list[Assumption]:
    """Every number that the ways rest on."""
    api, rental, owned = ways
    found = [assume.speed(unit)]
    if api and block.api:
        found += [api.price, assume.decline("api", block.api)]
    if rental and block.rent:
        found += [rental.price, assume.decline("rent", block.rent, fixed=not rental.by_the_hour)]
    return [*found, *(owned.numbers.values() if owned else ())]


def load_shape(asked: CompareScenario) -> LoadShape:
    """How the load is spread over the month."""
    if asked.workload.stages is not None:
        return in_stages(asked.workload.stages)
    if asked.workload.diurnal is not None:
        return swinging(asked.workload.diurnal)
    load = asked.compare.load_by_hour
    return flat() if load is None else by_hour(load)


def _requests(asked: CompareScenario, shape: LoadShape) -> float:
    """Requests of a month whose busiest hour must be ready for the question's highest rate."""
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
