"""What a comparison used: facts with source and date, every assumption, and the equations on its path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from costline.answers.answer import Used
from costline.answers.citing import equations_used
from costline.answers.compare.question import Question
from costline.money import api_bill, availability, break_even, depreciation, own, power, price, volume

_EQUATIONS: tuple[Callable[..., Any], ...] = (
    api_bill.workload_bill, volume.volume_usd, price.fleet_usd_per_hour, own.owned_usd_per_hour,
    own.owned_usd_per_accelerator_hour, power.drawn_power_w, power.energy_usd_per_hour, availability.serviceable_share,
    break_even.break_even_tokens, break_even.break_even_load, break_even.break_even_utilization,
    break_even.break_even_months, break_even.swings, break_even.cumulative_usd, depreciation.resale_usd,
)  # fmt: skip


def compare_sources(question: Question) -> tuple[Used, ...]:
    """Facts, assumptions and equations behind the answer; those of the deployment last."""
    facts = [*(question.api.facts if question.api else ()), *(question.rental.facts if question.rental else ())]
    numbers = [one.used() for one in question.assumptions.values()]
    return tuple(dict.fromkeys((*facts, *numbers, *equations_used(*_EQUATIONS), *question.setting.unit.sources)))
