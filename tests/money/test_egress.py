"""Bytes that are billed: tiers against a loop over them, and what the catalog's tables give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.catalog.costs import links, transfers
from costline.errors import DomainError
from costline.money.egress import cross_zone_usd, link_usd_per_month, transfer_usd, transfer_usd_per_mtok

tables = st.lists(
    st.tuples(st.integers(1, 10**15), st.floats(0, 0.2)), min_size=0, max_size=5, unique_by=lambda t: t[0]
)


def by_hand(moved: float, starts: list[float], rates: list[float]) -> float:
    total, ends = 0.0, [*starts[1:], float("inf")]
    for start, end, rate in zip(starts, ends, rates, strict=True):
        if moved > start:
            total += (min(moved, end) - start) * rate
    return total / 1e9


@given(tables, st.floats(0, 0.2), st.floats(0, 2e15), st.floats(0, 2e15))
def test_each_byte_is_billed_once(table: list[tuple[int, float]], first: float, moved: float, more: float):
    starts = [0.0, *(float(start) for start, _ in sorted(table))]
    rates = [first, *(rate for _, rate in sorted(table))]
    bill, larger = transfer_usd(np.array([moved, moved + more]), starts, rates)
    assert bill == pytest.approx(by_hand(moved, starts, rates), rel=1e-9, abs=1e-9)
    assert bill <= larger
    assert 0 <= bill <= moved * max(rates) / 1e9 * (1 + 1e-9)


def test_tables_of_the_catalog():
    aws = transfers()["aws-internet"]
    # 10 TB counted as 10,240 GB and 100 GB free: 912.60 + 3,481.60 + 1,666.00
    assert float(transfer_usd(75e12, aws.from_bytes, aws.usd_per_gb)) == pytest.approx(6_060.2)
    assert float(transfer_usd(100e9, aws.from_bytes, aws.usd_per_gb)) == 0
    none = transfers()["hyperstack-internet"]
    assert float(transfer_usd(1e15, none.from_bytes, none.usd_per_gb)) == 0
    assert float(cross_zone_usd(1e12, transfers()["aws-cross-zone"].usd_per_gb[0])) == pytest.approx(20)
    link = links()["aws-interconnect-10g-tier-1"]
    assert float(link_usd_per_month(link.usd_per_hour)) == pytest.approx(9_000.90)
    assert link.bytes_per_s == 1.25e9


def test_tokens_weigh_little_until_they_come_as_events():
    # 5 bytes of text a token against a 300-byte event each: 0.09 % and 5.4 % of a price of 0.50 USD/Mtok
    added = transfer_usd_per_mtok(np.array([5.0, 300.0]), 0.09)
    assert added.tolist() == pytest.approx([0.00045, 0.027])
    assert (added / 0.50).tolist() == pytest.approx([0.0009, 0.054])


@pytest.mark.parametrize(("call", "words"), [
    (lambda: transfer_usd(1, [1, 2], [1, 1]), "ascend from 0"),
    (lambda: transfer_usd(1, [0, 2, 2], [1, 1, 1]), "ascend from 0"),
    (lambda: transfer_usd(-1, [0], [1]), "transferred_bytes=-1"),
    (lambda: transfer_usd(1, [0], [-1]), "tier_usd_per_gb"),
    (lambda: transfer_usd_per_mtok(-1, 1), "byte_per_token=-1"),
    (lambda: cross_zone_usd(1, -1), "usd_per_gb=-1"),
    (lambda: link_usd_per_month(-1), "usd_per_hour=-1"),
])  # fmt: skip
def test_values_out_of_range_are_named(call, words: str):
    with pytest.raises(DomainError, match=words):
        call()
