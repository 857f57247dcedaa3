"""When one price card beats another: by the ratio of input to output, and by the bill of a workload.

Knows cards and usage. Knows no quality: a cheaper tier may answer worse (see `quality.usd_per_correct`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from costline.catalog.api_records import Rates
from costline.errors import DomainError
from costline.money.api_bill import Usage, workload_bill
from costline.money.api_price import scaled_rates
from costline.quantities import Array, Numeric, as_array


@dataclass(frozen=True)
class Move:
    """What going from one card to another does to a bill."""

    from_usd: Decimal
    to_usd: Decimal
    saved_usd: Decimal
    """Negative where the move costs more."""


def indifferent_input_per_output(
    input_usd_per_mtok: Numeric,
    output_usd_per_mtok: Numeric,
    other_input_usd_per_mtok: Numeric,
    other_output_usd_per_mtok: Numeric,
) -> Array:
    """Input tokens per output token at which two cards cost the same.

    Equation
        ρ = (p_o - p'_o) / (p'_i - p_i)

    Parameters
        input_usd_per_mtok         p_i   [USD/Mtok]  array  >= 0
        output_usd_per_mtok        p_o   [USD/Mtok]  array  >= 0
        other_input_usd_per_mtok   p'_i  [USD/Mtok]  array  >= 0
        other_output_usd_per_mtok  p'_o  [USD/Mtok]  array  >= 0

    Returns
        ρ  [1]  array, > 0; NaN where one card costs no more at any ratio

    Holds when  neither card has steps that the workload crosses; above ρ the card with the cheaper input wins.
    Source      [derived]
    Raises      DomainError if a price is negative

    >>> float(indifferent_input_per_output(15, 75, 30, 60)), float(indifferent_input_per_output(3, 15, 15, 75))
    (1.0, nan)
    """
    prices = [input_usd_per_mtok, output_usd_per_mtok, other_input_usd_per_mtok, other_output_usd_per_mtok]
    own_in, own_out, other_in, other_out = np.broadcast_arrays(*map(as_array, prices))
    if not all(np.all(price >= 0) for price in (own_in, own_out, other_in, other_out)):
        raise DomainError(f"prices={prices} must not be negative; give list prices")
    run = other_in - own_in
    ratio = (own_out - other_out) / np.where(run != 0, run, np.nan)
    return np.where(ratio > 0, ratio, np.nan)


def migration(
    workload: Sequence[tuple[Usage, int]], current: Rates, other: Rates, token_ratio: Decimal = Decimal(1)
) -> Move:
    """Bill of a workload before and after moving to another tier, successor or provider.

    Equation
        S = C(p) - C(f p')

    Parameters
        workload     n      list  usage of a request, and how many are like it
        current      p      record  prices now
        other        p'     record  prices there
        token_ratio  f      [1]  number  >= 0, tokens there over tokens here for the same text

    Returns
        record of both bills and the saving, [USD]

    Holds when  answers are as long and as good there; steps by context stay at this tokenizer's counts.
    Source      [definition]
    Raises      DomainError as workload_bill

    >>> from costline.catalog.api_records import flat_rates
    >>> migration([(Usage(1000, 100), 1000)], flat_rates(15, 75), flat_rates("0.25", "1.25")).saved_usd
    Decimal('22.125')
    """
    before = workload_bill(current, workload).total_usd
    after = workload_bill(scaled_rates(other, token_ratio), workload).total_usd
    return Move(before, after, before - after)
