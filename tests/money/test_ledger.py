"""Bills add up: to the last digit, after every operation, and in whole cents too."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import DomainError, UnknownIdError
from costline.money.ledger import CENT_USD, QUANTUM_USD, Ledger

sums = st.floats(-1e12, 1e12) | st.decimals(-(10**12), 10**12, places=6)
names = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=4)
bills = st.dictionaries(names, sums, max_size=8)
owed = st.dictionaries(names, st.floats(0, 1e9), max_size=8)


def in_quanta(bill: Ledger) -> int:
    """The parts in millionths, added as whole numbers."""
    return sum(int(usd / QUANTUM_USD) for _, usd in bill.parts)


@given(bills)
def test_parts_add_up_to_the_total(parts: dict[str, float | Decimal]):
    bill = Ledger.of(parts)
    assert bill.total == in_quanta(bill) * QUANTUM_USD
    assert all(abs(Decimal(repr(usd) if isinstance(usd, float) else usd) - bill[name]) <= QUANTUM_USD / 2
               for name, usd in parts.items())  # fmt: skip


@given(bills)
def test_whole_cents_still_add_up(parts: dict[str, float | Decimal]):
    bill = Ledger.of(parts)
    cents = bill.rounded()
    assert all(usd == usd.quantize(CENT_USD) for _, usd in cents.parts)
    assert cents.total == in_quanta(cents) * QUANTUM_USD
    assert abs(cents.total - bill.total) <= CENT_USD / 2
    assert all(abs(usd - bill[name]) < CENT_USD for name, usd in cents.parts)
    assert cents.rounded() == cents


@given(bills, bills)
def test_two_bills_add_up(one: dict[str, float | Decimal], other: dict[str, float | Decimal]):
    left, right = Ledger.of(one), Ledger.of(other)
    assert (left + right).total == left.total + right.total
    assert dict((left + right).parts) == dict((right + left).parts)
    assert left + Ledger() == left


@given(owed, st.floats(0, 1), st.floats(0, 1))
def test_a_discount_never_raises_a_bill(parts: dict[str, float], some: float, more: float):
    bill = Ledger.of(parts)
    low, high = sorted((some, more))
    assert 0 <= bill.discounted("discount", high).total <= bill.discounted("discount", low).total <= bill.total


@given(owed, st.integers(0, 1000))
def test_so_many_months_cost_so_many_times(parts: dict[str, float], months: int):
    bill = Ledger.of(parts)
    assert bill.times(months).total == bill.total * months
    assert bill.times(months).total == in_quanta(bill.times(months)) * QUANTUM_USD


def test_floats_come_in_as_they_are_written():
    bill = Ledger.of({"a": 0.1, "b": 0.2, "c": np.float64(2.5e-7), "d": np.asarray(1.5), "e": 3})
    assert [str(usd) for _, usd in bill.parts] == ["0.100000", "0.200000", "0.000000", "1.500000", "3.000000"]
    assert bill["a"] + bill["b"] == Decimal("0.3")
    assert str(bill.total) == "4.800000"


def test_cents_go_to_the_largest_remainders():
    thirds = Ledger.of({"a": 10 / 3, "b": 10 / 3, "c": 10 / 3})
    assert [str(usd) for _, usd in thirds.rounded().parts] == ["3.34", "3.33", "3.33"]
    assert str(thirds.rounded(Decimal(1)).total) == "10"


def test_share_of_a_part():
    bill = Ledger.of({"accelerators": 90, "egress": 10})
    assert bill.share("egress") == 0.1
    assert np.isnan(Ledger.of({"a": 1, "b": -1}).share("a"))
    with pytest.raises(UnknownIdError, match="egress"):
        bill["egres"]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: Ledger.of({"a": float("inf")}), "a=inf must be finite"),
    (lambda: Ledger.of({"a": float("nan")}), "a=nan must be finite"),
    (lambda: Ledger.of({"a": 1e18}), "below 1e18"),
    (lambda: Ledger((("a", Decimal("0.0000001")),)), "Ledger.of"),
    (lambda: Ledger((("a", Decimal(1)), ("a", Decimal(2)))), "twice"),
    (lambda: Ledger.of({"a": 1}).discounted("d", 1.1), "share=1.1"),
    (lambda: Ledger.of({"a": 1}).times(float("inf")), "factor=inf"),
])  # fmt: skip
def test_what_is_no_bill_is_refused(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
