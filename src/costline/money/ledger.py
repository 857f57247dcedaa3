"""Bills that add up: named sums in exact decimals, before tax. Knows no formula and no layout on a screen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation

from costline.errors import DomainError, UnknownIdError
from costline.quantities import Array

Usd = Decimal | float | Array
"""A sum: exact, a number, or the 0-d array that an equation returns."""

QUANTUM_USD = Decimal("0.000001")
"""What a sum is counted in: a millionth of a dollar; floats are rounded to it once, on entry."""
CENT_USD = Decimal("0.01")
_LARGEST_USD = Decimal("1e18")
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
"""Adds without rounding, or stops."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What makes up a bill: sums in USD by name, in the order given. Negative sums are discounts and credits.

    The total is the exact sum of the parts, at every step: parts are whole numbers of `QUANTUM_USD`.

    >>> month = Ledger.of({"accelerators": 2 * 730, "egress": 6.75, "discount": -0.1 * 1460})
    >>> month.total, month["egress"], round(month.share("egress"), 4)
    (Decimal('1320.750000'), Decimal('6.750000'), 0.0051)
    """

    parts: tuple[tuple[str, Decimal], ...] = ()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.parts]
        if len(set(names)) != len(names):
            raise DomainError(f"parts={names} name a sum twice; add the two before")
        for name, usd in self.parts:
            if not usd.is_finite() or abs(usd) >= _LARGEST_USD or usd != _ROUNDING.quantize(usd, QUANTUM_USD):
                raise DomainError(f"{name}={usd} must be whole millionths of a dollar below 1e18; use Ledger.of")

    @classmethod
    def of(cls, parts: Mapping[str, Usd]) -> Ledger:
        """A ledger of numbers, each rounded to a millionth of a dollar (half to even)."""
        return cls(tuple((name, _quantized(name, usd)) for name, usd in parts.items()))

    @property
    def total(self) -> Decimal:
        """Exact sum of the parts."""
        return _sum(usd for _, usd in self.parts)

    def __getitem__(self, name: str) -> Decimal:
        for known, usd in self.parts:
            if known == name:
                return usd
        raise UnknownIdError("part of the bill", name, [known for known, _ in self.parts])

    def __add__(self, other: Ledger) -> Ledger:
        """Both bills together; sums of the same name are added."""
        sums = dict(self.parts)
        for name, usd in other.parts:
            sums[name] = _EXACT.add(sums.get(name, Decimal(0)), usd)
        return Ledger(tuple(sums.items()))

    def times(self, factor: Usd) -> Ledger:
        """The bill of so many months, nodes or hours: each part times `factor`, rounded to the quantum."""
        times = _decimal("factor", factor)
        return Ledger.of({name: _ROUNDING.multiply(usd, times) for name, usd in self.parts})

    def discounted(self, name: str, share: Usd) -> Ledger:
        """The bill with one more part, which takes `share` of the total off."""
        taken = _decimal("share", share)
        if not 0 <= taken <= 1:
            raise DomainError(f"share={share} must lie in [0, 1]; give the share taken off")
        return self + Ledger.of({name: _ROUNDING.multiply(self.total, taken).copy_negate()})

    def share(self, name: str) -> float:
        """Part of the total that one sum makes up; NaN where the total is 0."""
        total = self.total
        return float(self[name] / total) if total else math.nan

    def rounded(self, unit_usd: Decimal = CENT_USD) -> Ledger:
        """The bill in whole cents (or another power of ten), its parts still adding up to the rounded total.

        Each part is rounded down; the units that are missing go to the parts with the largest remainders.
        """
        exact = [_EXACT.divide(usd, unit_usd) for _, usd in self.parts]
        units = [value.to_integral_value(ROUND_FLOOR, _EXACT) for value in exact]
        whole = _EXACT.divide(self.total, unit_usd).to_integral_value(ROUND_HALF_EVEN, _ROUNDING)
        missing = int(_EXACT.subtract(whole, _sum(units)))
        by_remainder = sorted(range(len(units)), key=lambda k: (_EXACT.subtract(units[k], exact[k]), k))
        for k in by_remainder[:missing]:
            units[k] += 1
        named = zip((name for name, _ in self.parts), units, strict=True)
        return Ledger(tuple((name, _EXACT.multiply(count, unit_usd)) for name, count in named))


def _decimal(name: str, value: Usd) -> Decimal:
    number = value if isinstance(value, Decimal) else Decimal(value) if isinstance(value, int) else _of_float(value)
    if not number.is_finite():
        raise DomainError(f"{name}={value} must be finite; a bill has no infinite part")
    return number


def _of_float(value: float | Array) -> Decimal:
    return Decimal(repr(float(value)))  # the shortest decimal that is this float: 0.1 is a tenth


def _quantized(name: str, usd: Usd) -> Decimal:
    number = _decimal(name, usd)
    if abs(number) >= _LARGEST_USD:
        raise DomainError(f"{name}={usd} must be below 1e18 USD; check its unit")
    return _ROUNDING.quantize(number, QUANTUM_USD)


def _sum(values: Iterator[Decimal] | list[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, value)
    return total
