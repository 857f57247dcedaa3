"""Owned nodes in an answer: the numbers that the scenario leaves out, each with its source, and the node they make.

Composes catalog facts and `money.own`. Knows no load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from costline.answers.assumption import Assumption, Given, settled
from costline.answers.money_blocks import OwnBlock
from costline.catalog import costs, find
from costline.catalog.cost_records import NodeCost, SiteCost
from costline.catalog.load import pues, tariffs
from costline.catalog.records import Chip, Provenance
from costline.errors import InputError, UnknownIdError
from costline.money.failures import failures_per_year
from costline.money.own import OwnedNode
from costline.quantities import DAY_S, HOUR_S, HOURS_PER_YEAR

FAILURE_RUN, WORLD_PUE = "llama-3-405b-gpu", "world-2024"
_DAYS_PER_YEAR = HOURS_PER_YEAR * HOUR_S / DAY_S
_SPREAD: Mapping[str, tuple[float, float]] = {
    "usd_per_accelerator": (0.8, 1.35), "other_usd_per_node": (0.75, 1.5), "years": (0.75, 1.5),
    "salvage_share": (0.0, 1.15), "interest_per_year": (0.6, 1.5), "busy_fraction": (0.8, 1.3),
    "colocation_usd_per_kw_month": (0.65, 1.65), "staff_usd_per_year": (0.5, 5.0), "support_per_year": (0.0, 2.0),
}  # fmt: skip
"""Ends of ranges over the catalogue's value: assumed, wide where contracts differ most."""


@dataclass(frozen=True)
class Owning:
    """Nodes to buy: the record with every number at its likely value, and the numbers with their ranges."""

    node: OwnedNode
    numbers: Mapping[str, Assumption]

    @property
    def rest_usd(self) -> float:
        """Likely price of what is bought beside the accelerators of a node."""
        return sum(float(np.asarray(part.usd)) for part in self.node.parts if part.name != "accelerators")


def owning(block: OwnBlock, chip: Chip) -> Owning:
    """Nodes of this accelerator, as given, else as the catalogue has them, else assumed and marked so."""
    record = costs.node_for(chip.id)
    site = _site(block.site)
    found = {one.name: one for one in _numbers(block, chip, record, site)}
    base = OwnedNode.from_catalog(
        record,
        site,
        pue=found["pue"].likely,
        tariff_usd_per_kwh=found["tariff"].likely,
        failures_per_year=found["failures_per_year"].likely,
        accelerator_usd=found["usd_per_accelerator"].likely,
        tdp_w=chip.tdp_w or found["rated_w"].likely / record.accelerators,
    )
    given = block.other_usd_per_node
    parts = tuple(
        replace(part, life_years=block.other_years or part.life_years)
        for part in base.parts
        if part.name != "accelerators" and not isinstance(given, dict)
    )
    chips = next(part for part in base.parts if part.name == "accelerators")
    if isinstance(given, dict):
        like = next(part for part in base.parts if part.name != "accelerators")
        life = block.other_years or like.life_years
        parts = tuple(replace(like, name=name, usd=usd, life_years=life) for name, usd in given.items())
    return Owning(replace(base, parts=(chips, *parts)), found)


def owned_node(owned: Owning, values: Mapping[str, Any]) -> OwnedNode:
    """The node at these numbers; each may be an array."""
    base, rest = owned.node, owned.rest_usd
    scale = np.asarray(values["other_usd_per_node"]) / rest if rest else 1.0
    chips, *others = base.parts
    bought = replace(
        chips,
        usd=np.asarray(values["usd_per_accelerator"]) * base.accelerators,
        life_years=values["years"],
        salvage_share=values["salvage_share"],
    )
    same = (
        "rated_w", "pue", "interest_per_year", "colocation_usd_per_kw_month", "staff_usd_per_year", "support_per_year",
        "failures_per_year", "idle_fraction",
    )  # fmt: skip
    return replace(
        base,
        parts=(bought, *(replace(part, usd=part.usd * scale) for part in others)),
        busy_fraction=np.maximum(values["busy_fraction"], values["idle_fraction"]),
        tariff_usd_per_kwh=values["tariff"],
        replacement_usd=values["replacement_usd"],
        repair_years=np.asarray(values["repair_days"]) / _DAYS_PER_YEAR,
        **{name: values[name] for name in same},
    )


def _site(name: str) -> SiteCost:
    known = costs.sites()
    if name not in known:
        raise UnknownIdError("site of own.site", name, known)
    return known[name]


def _numbers(block: OwnBlock, chip: Chip, node: NodeCost, site: SiteCost) -> list[Assumption]:
    count, chips = node.accelerators, node.parts["accelerators"]
    of_node, of_site = node.provenance, site.provenance
    run = costs.failure_runs()[FAILURE_RUN]
    failing = float(failures_per_year(run.failures, run.accelerators, run.days * DAY_S))
    accelerator = _accelerator(block, chip, node)
    whole = site.staff_usd_per_accelerator_year * count
    lost = site.replacement_share * accelerator.likely
    space = site.colocation_usd_per_kw_month
    facts = (
        ("years", "life of the accelerators", "years", chips.life_years, of_node[""]),
        ("salvage_share", "resale after that", "of the price", chips.salvage_share, of_node[""]),
        ("interest_per_year", "cost of capital", "a year", site.interest_per_year, of_site[""]),
        ("busy_fraction", "power at full load", "of nameplate", node.busy_fraction, _of(of_node, "busy_fraction")),
        ("idle_fraction", "power while idle", "of nameplate", node.idle_fraction, _of(of_node, "idle_fraction")),
        ("colocation_usd_per_kw_month", "colocation", "USD per kW-month", space, of_site[""]),
        ("staff_usd_per_year", "staff of a node", "USD a year", whole, of_site[""]),
        ("support_per_year", "support", "of the price a year", site.support_per_year, of_site[""]),
        ("failures_per_year", "failures of an accelerator", "a year", failing, run.provenance[""]),
        ("replacement_usd", "paid for a failure", "USD", lost, of_site[""]),
        ("repair_days", "until it serves again", "days", site.repair_days, of_site[""]),
    )  # fmt: skip
    return [
        accelerator,
        _rest_of_node(block, node),
        _rated(block, chip, node),
        _pue(block.pue),
        _tariff(block.tariff, block.as_of),
        *(
            settled(_number(name, label, unit, likely, where), getattr(block, name), block.as_of)
            for name, label, unit, likely, where in facts
        ),
    ]


def _of(provenance: Mapping[str, Provenance], field: str) -> Provenance:
    return provenance.get(field, provenance[""])


def _number(name: str, label: str, unit: str, likely: float, where: Provenance, *, note: str = "") -> Assumption:
    """A number of the catalogue with its range; what is money has a date."""
    low, high = _SPREAD.get(name, (1.0, 1.0))
    most = 1.0 if name.endswith(("_share", "_fraction")) else np.inf
    ends = "ends of the range assumed" if (low, high) != (1.0, 1.0) and where.kind != "assumed" else ""
    return Assumption(
        name=name, label=label, unit=unit, low=low * likely, likely=likely, high=min(high * likely, most),
        kind=where.kind, source=where.source, date=where.retrieved if unit.startswith("USD") else "",
        note="; ".join(text for text in (note or where.note, ends) if text),
    )  # fmt: skip


def _accelerator(block: OwnBlock, chip: Chip, node: NodeCost) -> Assumption:
    """The node's price of one accelerator, else that at the chip's release."""
    label, listed = f"price of one {chip.id}", node.parts["accelerators"].usd
    given: Given = block.usd_per_accelerator
    if listed is None and chip.release_price_usd is None and given is None:
        raise InputError(
            f"own.usd_per_accelerator is missing and no purchase price of {chip.id} is catalogued; give it, or write "
            "own: null"
        )
    if listed is not None:
        default = _number("usd_per_accelerator", label, "USD", listed, node.provenance[""])
    else:
        where = _of(chip.provenance, "release_price_usd")
        price = chip.release_price_usd or 0.0
        default = _number("usd_per_accelerator", label, "USD", price, where, note="at its release")
        default = replace(default, date=chip.launch)
    return settled(default, given, block.as_of)


def _rest_of_node(block: OwnBlock, node: NodeCost) -> Assumption:
    listed = sum((part.usd or 0.0) * node.accelerators for name, part in node.parts.items() if name != "accelerators")
    default = _number("other_usd_per_node", "rest of a node", "USD", listed, node.provenance[""])
    given = block.other_usd_per_node
    return settled(default, sum(given.values()) if isinstance(given, dict) else given, block.as_of)


def _rated(block: OwnBlock, chip: Chip, node: NodeCost) -> Assumption:
    if block.rated_w is None and node.rated_w is None and chip.tdp_w is None:
        raise InputError(f"own.rated_w is missing and no power of {chip.id} is catalogued; give a node's watts")
    watts = node.rated_w or node.accelerators * ((chip.tdp_w or 0.0) + node.host_w)
    default = _number("rated_w", "nameplate power of a node", "W", watts, _of(node.provenance, "rated_w"))
    return settled(default, block.rated_w)


def _pue(given: Given | str) -> Assumption:
    named = find.pue(given if isinstance(given, str) else WORLD_PUE)
    every = [one.pue for one in pues().values()]
    low, high = (named.pue, named.pue) if isinstance(given, str) else (min(every), max(every))
    default = _number("pue", "PUE", "", named.pue, named.provenance[""], note=f"{named.operator} {named.year}")
    return settled(replace(default, low=low, high=high), None if isinstance(given, str) else given)


def _tariff(given: Given | str, as_of: str | None) -> Assumption:
    """A named tariff, or the lower median and range of the industrial ones that have a source."""
    listed = [one for one in tariffs().values() if one.sector == "industrial" and one.provenance[""].kind != "assumed"]
    listed.sort(key=lambda one: (one.usd_per_kwh, one.id))
    named = find.tariff(given) if isinstance(given, str) else listed[(len(listed) - 1) // 2]
    ends = (named, named) if isinstance(given, str) else (listed[0], listed[-1])
    note = f"{named.region}, {named.sector}"
    default = _number("tariff", "electricity", "USD per kWh", named.usd_per_kwh, named.provenance[""], note=note)
    low, high = (one.usd_per_kwh for one in ends)
    dated = replace(default, low=low, high=high, date=named.period)
    return settled(dated, None if isinstance(given, str) else given, as_of)
