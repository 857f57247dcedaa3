"""Energy and carbon of a month's machines: kWh at the meter, joules of a token by phase, kg CO2e by location."""

from __future__ import annotations

from typing import Any

from costline.answers.assumption import likely_values
from costline.answers.bill.fleet import MONTH_S
from costline.answers.bill.question import Billed
from costline.answers.bill.ways import Way
from costline.money.carbon import embodied_kg_per_hour, emissions_kg
from costline.money.power import drawn_power_w, facility_power_w, joule_per_token
from costline.quantities import HOURS_PER_MONTH, KILO

UNKNOWN: dict[str, Any] = dict.fromkeys(
    ("kwh", "kg_co2e", "embodied_kg_co2e", "joule_per_input_token", "joule_per_output_token")
)
"""An API says nothing of its machines, and of some accelerators the power is not known."""


def energy_row(way: Way, found: Billed) -> dict[str, Any]:
    """Energy and carbon of a way with machines: those of the node, at the power of its mean use."""
    fleet, owned, hours = found.fleet, found.machines, way.accelerator_hours
    if hours is None or owned is None:
        return dict(UNKNOWN)
    values = likely_values(owned.numbers)
    nodes = hours / HOURS_PER_MONTH / owned.node.accelerators
    drawn = nodes * drawn_power_w(
        values["rated_w"],
        fleet.utilization(hours),
        busy_fraction=values["busy_fraction"],
        idle_fraction=values["idle_fraction"],
    )
    kwh = float(facility_power_w(drawn, values["pue"])) * HOURS_PER_MONTH / KILO
    share, (prompts, answers) = fleet.unit.prefill_share, found.tokens
    made = embodied_kg_per_hour(found.node.embodied_kg, found.node.embodied_life_years) * hours
    return {
        "kwh": kwh,
        "kg_co2e": float(emissions_kg(kwh, found.grid.g_co2e_per_kwh)),
        "embodied_kg_co2e": float(made),
        "joule_per_input_token": float(joule_per_token(drawn * share, prompts / MONTH_S, values["pue"])),
        "joule_per_output_token": float(joule_per_token(drawn * (1 - share), answers / MONTH_S, values["pue"])),
    }
