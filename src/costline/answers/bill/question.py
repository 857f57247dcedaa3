"""A bill as it was asked, with all that it rests on: who sells tokens, what machines cost, how many are needed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal

from costline.answers.api_way import ApiWay, median_first, sellers, the_api
from costline.answers.bill.fleet import Fleet, the_fleet
from costline.answers.bill.scenario import BillQuestion
from costline.answers.compare.question import unless_missing
from costline.answers.money_blocks import ApiBlock, OwnBlock
from costline.answers.own_node import Owning, owning
from costline.answers.rental import Rental, the_rental
from costline.answers.search.candidates import load_of
from costline.answers.serving_unit import ServingUnit, serving_unit
from costline.catalog import costs, find
from costline.catalog.cost_records import NodeCost, Transfer
from costline.catalog.records import Grid
from costline.errors import InputError, UnknownIdError
from costline.money.api_bill import Usage


@dataclass(frozen=True, kw_only=True)
class Billed:
    """What a bill is made from; a way that was left out is None."""

    question: BillQuestion
    usage: Usage
    """Mean tokens of a request."""
    fleet: Fleet
    node: NodeCost
    apis: tuple[ApiWay, ...]
    owned: Owning | None
    machines: Owning | None
    """The node whose power stands for every machine, bought or rented; None where its power is not known."""
    rental: Rental | None
    by_the_hour: Rental | None
    """The same offer in lots of a replica, as the mix rents it."""
    reserved: Rental | None
    spot: tuple[Rental, float, float] | None
    """With the share of the load that it may serve, and the time that interruptions lose."""
    transfer: Transfer | None
    sent_bytes: float
    grid: Grid
    left_out: tuple[str, ...]
    """Ways that were not asked for and lack a fact, and why."""

    @property
    def tokens(self) -> tuple[float, float]:
        """Input and output tokens of the month."""
        work, requests = self.question.asked.workload, self.fleet.requests
        return work.input_mean * requests, work.output_mean * requests


def billed(question: BillQuestion, today: datetime.date) -> Billed:
    """Everything behind the bill; raises InputError for what cannot be found."""
    asked, block = question.asked, question.asked.bill
    unit = serving_unit(asked)
    means = (asked.workload.input_mean, asked.workload.output_mean, load_of(asked).cached_tokens)
    usage = Usage(*(Decimal(str(tokens)) for tokens in means))
    left_out: list[str] = []
    owned = unless_missing(block, "own", lambda wanted: owning(wanted, unit.chip), left_out)
    machines = owned or _unpriced(unit)
    node = machines.node.accelerators if machines else unit.system.accelerators_per_node
    fleet = the_fleet(question, unit, node, machines)

    def rent(way: str, lot: int) -> Rental | None:
        return unless_missing(block, way, lambda one: the_rental(one, unit.chip, lot, today, asked.price), left_out)

    def apis(wanted: list[ApiBlock]) -> tuple[ApiWay, ...]:
        blocks = wanted if "api" in block.model_fields_set else _three_sellers(unit, usage, today)
        return tuple(the_api(one, unit.model, usage, today) for one in blocks)

    hourly, spot = rent("rent", unit.accelerators), rent("spot", unit.accelerators)
    sent = block.egress.bytes_per_output_token if block.egress else 0.0
    return Billed(
        question=question,
        usage=usage,
        fleet=fleet,
        node=costs.node_for(unit.chip.id),
        apis=unless_missing(block, "api", apis, left_out) or (),
        owned=owned,
        machines=machines,
        rental=rent("rent", node),
        by_the_hour=hourly if hourly is not None and hourly.by_the_hour else None,
        reserved=rent("reserved", unit.accelerators),
        spot=(spot, block.spot.demand_share, block.spot.loss) if spot and block.spot else None,
        transfer=_transfer(block.egress.transfer) if block.egress else None,
        sent_bytes=sent * asked.workload.output_mean * fleet.requests,
        grid=find.grid(block.grid),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def _unpriced(unit: ServingUnit) -> Owning | None:
    """The node without its price, for power and failures; None where not even its power is known."""
    try:
        return owning(OwnBlock(usd_per_accelerator=0), unit.chip)
    except InputError:
        return None


def _three_sellers(unit: ServingUnit, usage: Usage, today: datetime.date) -> list[ApiBlock]:
    """The cheapest, the median and the dearest seller of the model."""
    middle, *others = median_first(sellers(unit.model, today), ApiBlock(), usage)
    chosen = [*others[:1], middle, *others[1:][-1:]]
    return [ApiBlock(provider=card.provider, model=card.model) for card in chosen]


def _transfer(name: str) -> Transfer:
    known = costs.transfers()
    if name not in known:
        raise UnknownIdError("transfer price of bill.egress.transfer", name, known)
    return known[name]
