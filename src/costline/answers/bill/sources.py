"""What a bill used: facts with source and date, every assumption, and the equations on its path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from costline.answers.answer import Used
from costline.answers.bill.question import Billed
from costline.answers.citing import equations_used, fact_used
from costline.money import api_bill, availability, carbon, egress, fleet_mix, own, power, price

_EQUATIONS: tuple[Callable[..., Any], ...] = (
    api_bill.workload_bill, own.owned_usd_per_hour, own.owned_usd_per_accelerator_hour, availability.serviceable_share,
    price.fleet_usd_per_hour, fleet_mix.cheapest_mix, availability.copies_for_availability, egress.transfer_usd,
    power.drawn_power_w, power.facility_power_w, power.joule_per_token, carbon.emissions_kg,
    carbon.embodied_kg_per_hour,
)  # fmt: skip


def bill_sources(found: Billed) -> tuple[Used, ...]:
    """Facts, assumptions and equations behind the bill; those of the deployment last."""
    rentals = [one for one in (found.rental, found.by_the_hour, found.reserved) if one]
    facts = [fact for one in (*found.apis, *rentals) for fact in one.facts]
    grid = found.grid.provenance[""]
    value = f"{found.grid.g_co2e_per_kwh:g} g CO2e per kWh, {found.grid.year}"
    facts.append(fact_used(f"grid {found.grid.id}", value, grid))
    numbers = [one.used() for one in (found.machines.numbers.values() if found.machines else ())]
    trace = found.question.trace
    if trace is not None:
        facts.append(Used("trace", f"{trace.requests:,} requests in {trace.span_s:,.0f} s", "given", trace.path, ""))
    return tuple(dict.fromkeys((*facts, *numbers, *equations_used(*_EQUATIONS), *found.fleet.unit.sources)))
