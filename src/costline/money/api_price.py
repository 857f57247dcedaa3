"""What a token costs under a list price: the step by context, and the price of each kind of token.

Exact, in Decimal. Knows price cards. Knows no workload (see `api_bill`) and no plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Literal

from costline.catalog.api_records import Rate, Rates
from costline.errors import DomainError

Leaf = Literal["input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"]
"""Kinds of token that share none: each token of a request is of exactly one kind."""
LEAVES: tuple[Leaf, ...] = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
_INSTEAD: Mapping[Leaf, tuple[Leaf, ...]] = {
    "input": ("input",),
    "cache_read": ("cache_read", "input"),
    "cache_write": ("cache_write", "input"),
    "cache_write_1h": ("cache_write_1h", "cache_write", "input"),
    "output": ("output",),
    "reasoning": ("reasoning", "output"),
}


def tier_usd_per_mtok(rate: Rate, input_tokens: Decimal | int) -> Decimal:
    """Price of a token in a request of so many input tokens: the whole request pays the price of its step.

    Equation
        p(S) = p_k with k = max {j : s_j < S}

    Parameters
        rate          p_k, s_k  record  prices and where their steps begin
        input_tokens  S         [token]  number  the request's whole input, cached or not

    Returns
        p  [USD/Mtok]  number

    Holds when  crossing a step reprices all tokens of the request, as providers do, not only those above it.
    Source      [genai-prices] TieredPrices
    Raises      nothing

    >>> pro = Rate(Decimal("1.25"), ((200_000, Decimal("2.50")),))
    >>> tier_usd_per_mtok(pro, 200_000), tier_usd_per_mtok(pro, 200_001)
    (Decimal('1.25'), Decimal('2.50'))
    """
    reached = [price for start, price in sorted(rate.tiers) if input_tokens > start]
    return reached[-1] if reached else rate.usd_per_mtok


def leaf_usd_per_mtok(rates: Rates, leaf: Leaf, input_tokens: Decimal | int) -> Decimal:
    """Price of one kind of token; a kind without a price of its own costs what the kind that holds it costs.

    Equation
        p_leaf = first listed of (p_leaf, p_whole)

    Parameters
        rates         p  record  prices by kind
        leaf          -  choice  kind of token
        input_tokens  S  [token]  number  the request's whole input

    Returns
        p_leaf  [USD/Mtok]  number

    Holds when  a provider that lists no cache price gives no discount and asks no premium.
    Source      [genai-prices] decompose
    Raises      DomainError if neither the kind nor its whole has a price

    >>> card = Rates(Rate(Decimal(3)), Rate(Decimal(15)), cache_read=Rate(Decimal("0.3")))
    >>> [str(leaf_usd_per_mtok(card, leaf, 1000)) for leaf in ("cache_read", "cache_write", "reasoning")]
    ['0.3', '3', '15']
    """
    for name in _INSTEAD[leaf]:
        rate: Rate | None = getattr(rates, name)
        if rate is not None:
            return tier_usd_per_mtok(rate, input_tokens)
    raise DomainError(f"rates list no price of {leaf} tokens; choose a card that prices {_INSTEAD[leaf][-1]}")


def scaled_rates(rates: Rates, factor: Decimal) -> Rates:
    """A card with all prices multiplied: a batch or contract discount, or a tokenizer that needs more tokens.

    Equation
        p' = f p

    Parameters
        rates   p  record  prices by kind
        factor  f  [1]  number  >= 0; 0.5 = half price, 1.35 = 35 % more tokens for the same text

    Returns
        p'  record, [USD/Mtok]

    Holds when  every price moves alike.
    Source      [definition]
    Raises      DomainError if the factor is negative

    >>> scaled_rates(Rates(Rate(Decimal("5.00")), None), Decimal("1.35")).input
    Rate(usd_per_mtok=Decimal('6.7500'), tiers=())
    """
    if factor < 0:
        raise DomainError(f"factor={factor} must not be negative; 0.5 halves every price")
    found: dict[str, Rate | None] = {}
    for field in fields(rates):
        rate: Rate | None = getattr(rates, field.name)
        tiers = tuple((start, price * factor) for start, price in rate.tiers) if rate else ()
        found[field.name] = Rate(rate.usd_per_mtok * factor, tiers) if rate else None
    return Rates(**found)
