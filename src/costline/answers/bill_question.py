"""A bill as it was asked, with all that it rests on: who sells tokens, what machines cost, how many are needed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal

from costline.answers.api_way import ApiWay, median_first, sellers, the_api
from costline.answers.bill_fleet import Fleet, the_fleet
from costline.answers.bill_scenario import BillQuestion
from costline.answers.candidates import load_of
from costline.answers.money_blocks import ApiBlock, OwnBlock, RentBlock
from costline.answers.own_node import Owning, owning
from costline.answers.rental import Rental, the_rental
from costline.answers.serving_unit import ServingUnit, serving_unit
from costline.catalog import costs, find
from costline.catalog.cost_records import NodeCost, Transfer
from costline.catalog.records import Grid
from costline.errors import UnknownIdError
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
    machines: Owning
    """The node whose power stands for every machine, bought or rented."""
    rental: Rental | None
    by_the_hour: Rental | None
    """The same offer in lots of a replica, as the mix rents it."""
    reserved: Rental | None
    spot: tuple[Rental, float, float] | None
    """With the share of the load that it may serve, and the time that interruptions lose."""
    transfer: Transfer | None
    sent_bytes: float
    grid: Grid

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
    owned = owning(block.own, unit.chip) if block.own else None
    machines = owned or owning(OwnBlock(usd_per_accelerator=0), unit.chip)
    fleet = the_fleet(question, unit, machines.node.accelerators, machines)

    def rent(wanted: RentBlock | None, lot: int) -> Rental | None:
        return the_rental(wanted, unit.chip, lot, today, asked.price) if wanted else None

    whole, hourly = (rent(block.rent, lot) for lot in (machines.node.accelerators, unit.accelerators))
    spot = rent(block.spot, unit.accelerators)
    sent = block.egress.bytes_per_output_token if block.egress else 0.0
    return Billed(
        question=question,
        usage=usage,
        fleet=fleet,
        node=costs.node_for(unit.chip.id),
        apis=tuple(the_api(one, unit.model, usage, today) for one in _api_blocks(question, unit, usage, today)),
        owned=owned,
        machines=machines,
        transfer=_transfer(block.egress.transfer) if block.egress else None,
        sent_bytes=sent * asked.workload.output_mean * fleet.requests,
        grid=find.grid(block.grid),
        rental=whole,
        by_the_hour=hourly if hourly is not None and hourly.by_the_hour else None,
        reserved=rent(block.reserved, unit.accelerators),
        spot=(spot, block.spot.demand_share, block.spot.loss) if spot and block.spot else None,
    )


def _api_blocks(
    question: BillQuestion, unit: ServingUnit, usage: Usage, today: datetime.date
) -> list[ApiBlock]:
    """The APIs that were asked for, else the cheapest, the median and the dearest seller of the model."""
    if question.asked.bill.api is not None:
        return question.asked.bill.api
    block = ApiBlock()
    middle, *others = median_first(sellers(unit.model, today), block, usage)
    chosen = [*others[:1], middle, *others[1:][-1:]]
    return [ApiBlock(provider=card.provider, model=card.model) for card in chosen]


def _transfer(name: str) -> Transfer:
    known = costs.transfers()
    if name not in known:
        raise UnknownIdError("transfer price of bill.egress.transfer", name, known)
    return known[name]
