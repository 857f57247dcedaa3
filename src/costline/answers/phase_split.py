"""A bill in two parts, for prompts and for answers, by the time that each takes of the machines. Exact, in Decimal."""

from __future__ import annotations

from decimal import Decimal

from costline.errors import DomainError
from costline.money.ledger import Ledger

INPUT, OUTPUT = "input", "output"


def by_phase(total_usd: Decimal, prefill_share: float) -> Ledger:
    """A total whose machines work for prompts for this share of their busy time; the parts add up to it.

    >>> by_phase(Decimal("10.000001"), 0.3).parts
    (('input', Decimal('3.000000')), ('output', Decimal('7.000001')))
    """
    if not 0 <= prefill_share <= 1:
        raise DomainError(f"prefill_share={prefill_share} must lie in [0, 1]; give a share of the time")
    part = Ledger.of({INPUT: total_usd * Decimal(repr(prefill_share))})[INPUT]
    return Ledger(((INPUT, part), (OUTPUT, total_usd - part)))
