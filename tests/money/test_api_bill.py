"""Bills under list prices: each token once, components that add up, and what no discount may do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog.api_records import Rate, Rates, decimal, flat_rates
from costline.errors import DomainError, InputError
from costline.money.api_bill import Usage, leaf_tokens, request_bill, workload_bill
from costline.money.api_price import LEAVES, leaf_usd_per_mtok, scaled_rates, tier_usd_per_mtok
from costline.money.migration import indifferent_input_per_output, migration

PRICE = st.decimals(0, 1000, places=6)
SHARE = st.decimals(0, 1, places=4)


@st.composite
def rates(draw: st.DrawFn) -> Rates:
    """Cards with and without cache prices, and with steps by context."""
    starts = sorted(draw(st.sets(st.integers(0, 300_000), max_size=3)))

    def rate() -> Rate:
        return Rate(draw(PRICE), tuple((start, draw(PRICE)) for start in starts))

    optional = [rate() if draw(st.booleans()) else None for _ in range(4)]
    return Rates(rate(), rate(), *optional)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Requests whose parts fit into their wholes."""
    parts = [draw(st.integers(0, 10**6)) for _ in range(6)]
    uncached, read, write, write_1h, output, reasoning = parts
    return Usage(uncached + read + write + write_1h, output + reasoning, read, write, write_1h, reasoning)


WORKLOAD = st.lists(st.tuples(usages(), st.integers(0, 10**9)), max_size=6)


def exact(bill_lines: list[Decimal]) -> Fraction:
    """A sum that nothing rounds."""
    return sum((Fraction(usd) for usd in bill_lines), Fraction(0))


@given(usages())
def test_no_token_is_counted_twice_and_none_is_lost(usage: Usage):
    leaves = leaf_tokens(usage)
    assert tuple(leaves) == LEAVES
    assert all(tokens >= 0 for tokens in leaves.values())
    assert sum(leaves.values()) == usage.input_tokens + usage.output_tokens


@given(rates(), WORKLOAD, SHARE)
def test_components_sum_to_the_total_exactly(card: Rates, workload: list[tuple[Usage, int]], discount: Decimal):
    bill = workload_bill(card, workload, discount)
    assert exact([line.usd for line in bill.lines]) == Fraction(bill.total_usd)
    tokens = sum(requests * (usage.input_tokens + usage.output_tokens) for usage, requests in workload)
    assert sum(line.tokens for line in bill.lines) == tokens
    assert all(
        Fraction(line.usd) == Fraction(line.tokens) * Fraction(line.usd_per_mtok) / 10**6
        for line in bill.lines
        if line.what != "discount"
    )


@given(rates(), WORKLOAD)
def test_a_workload_costs_what_its_requests_cost_one_by_one(card: Rates, workload: list[tuple[Usage, int]]):
    whole = workload_bill(card, workload)
    assert Fraction(whole.total_usd) == exact([request_bill(card, *each).total_usd for each in workload])
    summed = workload_bill(card, [])
    for each in workload:
        summed += workload_bill(card, [each])
    assert summed.total_usd == whole.total_usd
    assert {(line.what, line.usd_per_mtok): line.usd for line in summed.lines} == {
        (line.what, line.usd_per_mtok): line.usd for line in whole.lines
    }


@given(rates(), WORKLOAD, SHARE, SHARE)
def test_a_discount_never_raises_a_bill(
    card: Rates, workload: list[tuple[Usage, int]], discount: Decimal, more: Decimal
):
    small, large = sorted((discount, more))
    full, cut, deep = (workload_bill(card, workload, share).total_usd for share in (Decimal(0), small, large))
    assert full >= cut >= deep >= 0
    assert workload_bill(scaled_rates(card, small), workload).total_usd <= full


@given(rates(), usages(), st.decimals(1, 100, places=4))
def test_a_bill_rises_with_every_price(card: Rates, usage: Usage, factor: Decimal):
    base = request_bill(card, usage).total_usd
    assert base >= 0
    for kind in ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"):
        rate = getattr(card, kind)
        if rate:
            dearer = Rate(rate.usd_per_mtok * factor, tuple((start, price * factor) for start, price in rate.tiers))
            assert request_bill(replace(card, **{kind: dearer}), usage).total_usd >= base


@given(PRICE, PRICE, PRICE, usages(), st.integers(0, 10**6))
def test_a_bill_rises_with_the_tokens(first: Decimal, second: Decimal, third: Decimal, usage: Usage, more: int):
    flat = flat_rates(first, second)
    base = request_bill(flat, usage).total_usd
    assert request_bill(flat, replace(usage, input_tokens=usage.input_tokens + more)).total_usd >= base
    assert request_bill(flat, replace(usage, output_tokens=usage.output_tokens + more)).total_usd >= base
    # Reading a token from the cache at no more than its price never costs more than sending it anew.
    cached = flat_rates(first, second, cache_read=min(first, third))
    assert request_bill(cached, usage).total_usd <= base


@pytest.mark.parametrize(("tokens", "price"), [(0, "1"), (10, "1"), (11, "2"), (20, "2"), (21, "3"), (10**9, "3")])
def test_the_whole_request_pays_its_step(tokens: int, price: str):
    rate = Rate(Decimal(1), ((20, Decimal(3)), (10, Decimal(2))))  # in whatever order they stand
    assert tier_usd_per_mtok(rate, tokens) == Decimal(price)


def test_a_step_counts_cached_input_too():
    card = flat_rates(1, 10)
    card = replace(card, input=Rate(Decimal(1), ((100, Decimal(2)),)), cache_read=Rate(Decimal("0.1")))
    bill = request_bill(card, Usage(101, 0, cache_read_tokens=100))
    assert bill.usd_of("input") == Decimal("0.000002")
    assert bill.usd_of("cache_read") == Decimal("0.00001")


def test_a_kind_without_a_price_costs_what_holds_it():
    card = flat_rates(3, 15)
    assert {leaf: leaf_usd_per_mtok(card, leaf, 1) for leaf in LEAVES} == {
        "input": 3, "cache_read": 3, "cache_write": 3, "cache_write_1h": 3, "output": 15, "reasoning": 15,
    }  # fmt: skip
    written = flat_rates(3, 15, cache_write="3.75")
    assert leaf_usd_per_mtok(written, "cache_write_1h", 1) == Decimal("3.75")
    with pytest.raises(DomainError, match="rates list no price of reasoning tokens; choose a card that prices output"):
        leaf_usd_per_mtok(Rates(Rate(Decimal(1)), None), "reasoning", 1)
    # What is not used needs no price.
    assert request_bill(Rates(Rate(Decimal(1)), None), Usage(10**6, 0)).total_usd == 1


def test_a_batch_halves_every_component():
    usage = Usage(1000, 200, cache_read_tokens=800)
    full = request_bill(flat_rates(3, 15, cache_read="0.3"), usage)
    half = request_bill(scaled_rates(flat_rates(3, 15, cache_read="0.3"), Decimal("0.5")), usage)
    assert half.total_usd * 2 == full.total_usd == Decimal("0.00384")
    assert full.usd_per_mtok == pytest.approx(0.00384 / 1200 * 1e6)
    assert workload_bill(flat_rates(3, 15), []).usd_per_mtok is None


@pytest.mark.parametrize(("fields", "message"), [
    ({"input_tokens": -1, "output_tokens": 0}, "input_tokens=-1 must not be negative"),
    ({"input_tokens": 9, "output_tokens": 0, "cache_read_tokens": 5, "cache_write_tokens": 5},
     "cached tokens 10 exceed input_tokens=9; they are part of them"),
    ({"input_tokens": 0, "output_tokens": 3, "reasoning_tokens": 4}, "reasoning_tokens=4 exceed output_tokens=3"),
])  # fmt: skip
def test_usage_that_cannot_be_is_refused(fields: dict[str, int], message: str):
    with pytest.raises(DomainError, match=message):
        Usage(**fields)


def test_what_cannot_be_billed_is_refused():
    card = flat_rates(1, 1)
    with pytest.raises(DomainError, match=r"discount=1\.5 must lie in \[0, 1\]"):
        workload_bill(card, [], Decimal("1.5"))
    with pytest.raises(DomainError, match="requests=-1 must not be negative"):
        request_bill(card, Usage(1, 1), -1)
    with pytest.raises(DomainError, match="factor=-1 must not be negative"):
        scaled_rates(card, Decimal(-1))
    with pytest.raises(InputError, match="amount='x' is not a decimal number"):
        decimal("x")
    with pytest.raises(InputError, match="must be finite"):
        decimal(float("inf"))


def test_moving_to_another_card():
    workload = [(Usage(1000, 100), 1000), (Usage(10, 1000), 5)]
    move = migration(workload, flat_rates(15, 75), flat_rates(5, 25))
    assert move.saved_usd == move.from_usd - move.to_usd == move.from_usd * 2 / 3
    # A tokenizer that needs 35 % more tokens costs 35 % more there.
    longer = migration(workload, flat_rates(15, 75), flat_rates(5, 25), Decimal("1.35"))
    assert longer.to_usd == move.to_usd * Decimal("1.35")
    assert migration(workload, flat_rates(1, 1), flat_rates(1, 1)).saved_usd == 0


@given(*[st.floats(0.01, 100)] * 4)
def test_both_cards_cost_the_same_where_they_are_indifferent(a: float, b: float, c: float, d: float):
    ratio = float(indifferent_input_per_output(a, b, c, d))
    cheaper_input, cheaper_output = c - a, d - b
    if cheaper_input * cheaper_output < 0:
        assert ratio * a + b == pytest.approx(ratio * c + d)
    else:
        assert np.isnan(ratio)
    with pytest.raises(DomainError, match="must not be negative; give list prices"):
        indifferent_input_per_output(-1.0, b, c, d)
