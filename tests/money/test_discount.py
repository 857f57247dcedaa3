"""Stacked discounts, prompt caches, tokenizers, and the cheapest way by volume."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog.api_records import flat_rates
from costline.errors import DomainError
from costline.money.api_bill import Usage, request_bill
from costline.money.api_price import scaled_rates
from costline.money.discount import (
    cache_break_even_hit_share,
    cache_break_even_requests,
    cache_hit_share,
    cache_price_multiple,
    share_of_list,
    tokenizer_usd_per_mtok,
    usd_per_text_byte,
)
from costline.money.volume import cheapest_way, volume_usd

SHARE, MULTIPLE = st.floats(0, 1), st.floats(0, 3)


@given(st.integers(0, 1000), st.integers(1, 5000), st.integers(0, 5000), st.sampled_from(["1", "0.5"]))
def test_the_share_of_list_is_that_of_the_exact_bills(hits: int, input_tokens: int, output_tokens: int, batch: str):
    cached = input_tokens * hits // 1000
    card = flat_rates(3, 15, cache_read="0.3")
    full = request_bill(flat_rates(3, 15), Usage(input_tokens, output_tokens)).total_usd
    usage = Usage(input_tokens, output_tokens, cache_read_tokens=cached)
    paid = request_bill(scaled_rates(card, Decimal(batch)), usage).total_usd
    multiple = 1 - 0.9 * cached / input_tokens
    share = share_of_list(input_tokens, output_tokens, 3, 15, input_multiple=multiple, bill_multiple=float(batch))
    assert float(share) == pytest.approx(float(paid / full))


def test_shares_of_list_at_the_limits():
    assert share_of_list(100, 10, 3, 15) == 1
    assert share_of_list(0, 10, 3, 15, input_multiple=0.1) == 1  # no cache helps output
    assert np.isnan(share_of_list(0, 0, 3, 15))


@given(MULTIPLE, st.floats(0, 0.99))
def test_the_cache_pays_from_its_break_even_on(write: float, read: float):
    count = float(cache_break_even_requests(write, read))
    assert count >= 1
    assert write + read * (count - 1) < count + 1e-9
    if count > 1:
        assert write + read * (count - 2) >= count - 1 - 1e-9
    share = float(cache_break_even_hit_share(write, read))
    if share > 0:
        assert float(cache_price_multiple(share, read, write)) == pytest.approx(1)
    assert cache_price_multiple(1.0, read, write) == read
    assert cache_price_multiple(0.0, read, write) == write


def test_a_cache_that_saves_nothing_never_pays():
    assert cache_break_even_requests(1.25, 1.0) == np.inf
    assert cache_break_even_hit_share(1.25, 1.0) == np.inf
    assert cache_break_even_hit_share(1.0, 0.1) == 0


@given(st.floats(0, 10), st.floats(0, 1e5), st.floats(1, 10))
def test_hits_rise_with_rate_and_life(rate: float, life: float, factor: float):
    share = float(cache_hit_share(rate, life))
    assert 0 <= share <= 1
    assert float(cache_hit_share(rate * factor, life)) >= share
    assert float(cache_hit_share(rate, life * factor)) >= share


def test_hits_match_a_simulation():
    rng = np.random.default_rng(1)
    gaps = rng.exponential(1 / 0.004, 200_000)
    assert float(cache_hit_share(0.004, 300)) == pytest.approx(np.mean(gaps < 300), abs=0.005)


def test_tokenizers():
    # Half the bytes in a token, twice the price of a byte.
    assert usd_per_text_byte(5, 2.0) == 2 * usd_per_text_byte(5, 4.0) == pytest.approx(2.5e-6)
    assert tokenizer_usd_per_mtok(5, 1.0) == 5
    assert float(usd_per_text_byte(5, 4 / 1.35)) == pytest.approx(float(tokenizer_usd_per_mtok(5, 1.35)) / 4 / 1e6)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: cache_price_multiple(1.1), r"hit_share=1.1 must lie in \[0, 1\]"),
    (lambda: cache_price_multiple(0.1, -1.0), "read_multiple=-1.0 must not be negative"),
    (lambda: cache_hit_share(-1.0, 1.0), "requests_per_s=-1.0 must not be negative"),
    (lambda: cache_break_even_requests(-1.0, 0.1), "write_multiple=-1.0 must not be negative"),
    (lambda: cache_break_even_hit_share(1.0, -0.1), "read_multiple=-0.1 must not be negative"),
    (lambda: share_of_list(1, 1, 1, -1), "output=-1.0 must not be negative"),
    (lambda: usd_per_text_byte(1, 0.0), "text_bytes_per_token=0.0 must be positive"),
    (lambda: tokenizer_usd_per_mtok(1, 0.0), "token_ratio=0.0 must be positive"),
    (lambda: volume_usd(-1.0, 1.0), "tokens=-1.0 must not be negative"),
    (lambda: volume_usd(1.0, 1.0, 0.0, 0.0), "capacity_tokens=0.0 must be positive"),
])  # fmt: skip
def test_what_cannot_be_is_refused(call, message: str):
    with pytest.raises(DomainError, match=message):
        call()


def test_units_are_bought_whole():
    assert volume_usd(np.array([0.0, 1.0, 1e9, 1e9 + 1]), 100.0, 0.0, 1e9).tolist() == [100, 100, 100, 200]
    assert volume_usd(2e6, 0.0, 0.40) == pytest.approx(0.80)


@given(st.floats(0, 1e12), st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 100)), min_size=1, max_size=4))
def test_the_cheapest_way_is_cheapest(tokens: float, ways: list[tuple[float, float]]):
    fixed, price = np.array(ways).T
    chosen = int(cheapest_way(tokens, fixed, price))
    bills = [float(volume_usd(tokens, *way)) for way in ways]
    assert bills[chosen] == min(bills)
