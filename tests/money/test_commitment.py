"""Promises to spend: what lapses, what is absorbed, and that a discount never raises a bill."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog.costs import discounts
from costline.errors import DomainError
from costline.money.commitment import (
    added_bill_usd,
    committed_bill_usd,
    ladder_discount,
    overhead_share,
    paid_over_list,
    shortfall_usd,
    support_usd,
)

usd = st.floats(0, 1e9)
share = st.floats(0, 1)


@given(usd, usd, share, share)
def test_a_discount_never_raises_a_bill(used: float, promised: float, some: float, more: float):
    low, high = sorted((some, more))
    bill = float(committed_bill_usd(used, promised, low))
    assert float(committed_bill_usd(used, promised, high)) <= bill
    assert bill >= promised
    assert bill >= float(committed_bill_usd(used, 0.0, low))


@given(usd, usd, share)
def test_usage_and_its_shortfall_make_the_bill(used: float, promised: float, discount: float):
    drawn = used * (1 - discount)
    bill = float(committed_bill_usd(used, promised, discount))
    assert bill == pytest.approx(drawn + float(shortfall_usd(promised, drawn)))


@given(usd, usd, usd)
def test_new_usage_costs_what_the_promise_does_not_absorb(added: float, promised: float, drawn: float):
    before, after = committed_bill_usd(np.array([drawn, drawn + added]), promised)
    assert float(added_bill_usd(added, promised, drawn)) == pytest.approx(after - before, abs=1e-3)


def test_price_over_list_falls_to_the_discount():
    paid = paid_over_list(np.array([0.0, 4e6, 8e6, 10e6, 20e6]), 8e6, 0.2)
    assert paid.tolist() == [np.inf, 2, 1, 0.8, 0.8]


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=5, unique=True), st.integers(0, 1200))
def test_a_ladder_gives_the_highest_step_reached(starts: list[int], amount: int):
    starts.sort()
    steps = [0.05 * (k + 1) for k in range(len(starts))]
    expected = next((step for start, step in reversed(list(zip(starts, steps, strict=True))) if start <= amount), 0.0)
    assert float(ladder_discount(amount, starts, steps)) == expected


def test_a_ladder_of_the_catalog():
    steps = [item for item in discounts().values() if item.id.startswith("azure-commitment")]
    starts, middles = [item.from_usd for item in steps], [(item.low + item.high) / 2 for item in steps]
    assert ladder_discount(np.array([1e6, 5e6, 9e6, 12e6]), starts, middles).tolist() == pytest.approx(
        [0, 0.16, 0.16, 0.2]
    )
    assert ladder_discount(np.array([[5e6], [1e7]]), starts, middles).shape == (2, 1)


def test_extras_over_list():
    assert support_usd(np.array([0.0, 1000.0]), 0.1, 29.0).tolist() == [29, 100]
    assert overhead_share(np.array([127.0, 5.0]), np.array([100.0, 0.0])).tolist() == pytest.approx([0.27, np.inf])


@pytest.mark.parametrize(("call", "words"), [
    (lambda: committed_bill_usd(-1, 0), "list_usd=-1"),
    (lambda: committed_bill_usd(1, 0, 1.1), "discount=1.1"),
    (lambda: ladder_discount(1, [5, 5], [0.1, 0.2]), "step_from"),
    (lambda: support_usd(1, -0.1), "share=-0.1"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
