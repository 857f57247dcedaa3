"""A month's bill under each way to pay, as exact ledgers: by component, and by phase.

Composes the fleet and `money`; every ledger's two views have one total. Knows no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from costline.answers.api_way import ApiWay
from costline.answers.assumption import likely_values
from costline.answers.bill.fleet import Fleet, mix_usd, month_of
from costline.answers.bill.trace import Trace
from costline.answers.compare.costs import own_parts_usd
from costline.answers.own_node import Owning, owned_node
from costline.answers.phase_split import INPUT, OUTPUT, by_phase
from costline.answers.rental import Rental
from costline.catalog.cost_records import Transfer
from costline.money.api_bill import Bill, Usage, workload_bill
from costline.money.egress import transfer_usd
from costline.money.fleet_mix import Supply
from costline.money.ledger import Ledger
from costline.money.price import fleet_usd_per_hour
from costline.money.rent import effective_usd_per_hour
from costline.quantities import HOURS_PER_MONTH, Array, as_array

EGRESS, SPARES = "egress", "redundancy"


@dataclass(frozen=True)
class Way:
    """A way to pay, its month's bill, and the machines behind it."""

    kind: str
    name: str
    parts: Ledger
    phases: Ledger
    """input, output, egress, redundancy."""
    accelerators: int | None = None
    """Of the busiest hour."""
    accelerator_hours: float | None = None
    """That are paid."""
    fleet: Mapping[str, Array] | None = None
    """By supply and hour, where there is a mix."""


def api_way(api: ApiWay, usages: list[tuple[Usage, int]], factor: Decimal) -> Way:
    """An API's bill of the requests, each priced by its own length, times `factor` for the month."""
    bill = workload_bill(api.rates, usages)
    parts, phases = _api_ledgers(bill)
    return Way("api", api.name, *_same_total(parts.times(factor), phases.times(factor)))


def _api_ledgers(bill: Bill) -> tuple[Ledger, Ledger]:
    parts = Ledger(())
    phases = Ledger(((INPUT, Decimal(0)), (OUTPUT, Decimal(0)), (EGRESS, Decimal(0)), (SPARES, Decimal(0))))
    for line in bill.lines:
        usd = Ledger.of({line.what.replace("_", " "): line.usd})
        parts += usd
        phases += Ledger(((OUTPUT if line.what in ("output", "reasoning") else INPUT, usd.total),))
    return parts, phases


def _same_total(parts: Ledger, phases: Ledger) -> tuple[Ledger, Ledger]:
    """Phases whose rounding follows that of the parts: a millionth may move into the output."""
    return parts, phases + Ledger(((OUTPUT, parts.total - phases.total),))


def usages_of(trace: Trace | None, usage: Usage) -> list[tuple[Usage, int]]:
    """The trace's requests by length, or one request like all others."""
    if trace is None:
        return [(usage, 1)]
    return [(Usage(prompt, answer), count) for (prompt, answer), count in sorted(trace.counts.items())]


def owned_way(owned: Owning, fleet: Fleet) -> Way:
    """Whole nodes for the busiest hour, paid in every hour."""
    nodes = [float(np.max(fleet.nodes(spared=spared))) for spared in (False, True)]
    bills = [_owned(owned, fleet, count) for count in nodes]
    per_node = owned.node.accelerators
    parts = bills[0] + Ledger(((SPARES, bills[1].total - bills[0].total),))
    hours = nodes[1] * per_node * HOURS_PER_MONTH
    return _way("own", "owned", parts, fleet, (int(nodes[1]) * per_node, hours, None))


def _owned(owned: Owning, fleet: Fleet, nodes: float) -> Ledger:
    used = fleet.utilization(nodes * owned.node.accelerators * HOURS_PER_MONTH)
    node = owned_node(owned, likely_values(owned.numbers))
    return Ledger.of(dict(own_parts_usd(node, as_array(nodes), as_array(used))))


def rented_way(rental: Rental, fleet: Fleet, egress_usd: float) -> Way:
    """Whole nodes (or lots), given back in hours that do not need them unless they are reserved."""
    lots = [_lots(rental, fleet.accelerators(spared=spared)) for spared in (False, True)]
    price = rental.price.likely
    usd = [float(fleet_usd_per_hour(month_of(count), price)) for count in lots]
    first = Ledger.of({"accelerator-hours": usd[0]})
    spare = Ledger.of({SPARES: usd[1]}).total - first.total
    parts = first + Ledger(((SPARES, spare),)) + Ledger.of({EGRESS: egress_usd})
    return _way("rent", rental.name, parts, fleet, (int(np.max(lots[1])), month_of(lots[1]), None))


def _lots(rental: Rental, accelerators: Array) -> Array:
    count = rental.lot * np.maximum(np.ceil(accelerators / rental.lot), 1.0)
    return count if rental.by_the_hour else np.full(count.shape, np.max(count))


def mixed_way(supplies: list[Supply], fleet: Fleet, egress_usd: float) -> Way:
    """The cheapest mix of reserved, on-demand and spot accelerators for the hourly demand."""
    base, _ = mix_usd(fleet.accelerators(spared=False), supplies)
    spared, by_hour = mix_usd(fleet.accelerators(spared=True), supplies)
    first = Ledger.of(dict(base))
    spare = Ledger.of(dict(spared)).total - first.total
    parts = first + Ledger(((SPARES, spare),)) + Ledger.of({EGRESS: egress_usd})
    held = as_array(sum(by_hour.values(), start=np.zeros(())))
    return _way("mix", "rented as a mix", parts, fleet, (int(np.max(held)), month_of(held), by_hour))


def supplies_of(demand: Rental, reserved: Rental | None, spot: tuple[Rental, float, float] | None) -> list[Supply]:
    """Ways to get accelerators, as the mix knows them; spot with its share of the load and the time it loses."""
    found = [Supply(name="on-demand", usd_per_hour=demand.price.likely, lot=demand.lot)]
    if reserved is not None:
        found.append(Supply(name="reserved", usd_per_hour=reserved.price.likely, reserved=True, lot=reserved.lot))
    if spot is not None:
        rental, share, loss = spot
        price = float(effective_usd_per_hour(rental.price.likely, loss))
        found.append(Supply(name="spot", usd_per_hour=price, lot=rental.lot, demand_share=share))
    return found


def egress_usd(transfer: Transfer, sent_bytes: float) -> float:
    """A month's bytes under a table of tiers."""
    return float(transfer_usd(sent_bytes, as_array(transfer.from_bytes), as_array(transfer.usd_per_gb)))


def _way(
    kind: str, name: str, parts: Ledger, fleet: Fleet, machines: tuple[int, float, Mapping[str, Array] | None]
) -> Way:
    """A way whose machines serve both phases: what is neither egress nor spares is split by their time."""
    apart = {known: usd for known, usd in parts.parts if known in (EGRESS, SPARES)}
    work = by_phase(parts.total - sum(apart.values(), start=Decimal(0)), fleet.unit.prefill_share)
    extra = tuple((known, apart.get(known, Decimal(0))) for known in (EGRESS, SPARES))
    return Way(kind, name, parts, Ledger((*work.parts, *extra)), *machines)
