"""What costline must be able to say of API prices, one test a row, with numbers recomputed from what the row states.

Rows 1.6, 1.7, 5.11 (the money of prefix caching), 6.5, 6.6 and section 9.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from costline.architecture.kv_cache import kv_bytes_per_token
from costline.architecture.weights import parameters
from costline.catalog import api_prices
from costline.catalog.api_history import history_of_level
from costline.catalog.api_records import Rates, decimal, flat_rates
from costline.catalog.find import chip
from costline.catalog.models import find_model
from costline.forward.roofline import roofline_time_s
from costline.money.api_bill import Usage, request_bill
from costline.money.api_price import scaled_rates
from costline.money.break_even import break_even_tokens
from costline.money.demand import passed_through_ratio, revenue_ratio, volume_ratio
from costline.money.discount import (
    cache_break_even_requests,
    cache_price_multiple,
    share_of_list,
    tokenizer_usd_per_mtok,
)
from costline.money.margin import gross_margin, provider_margin, two_part_tariff_usd
from costline.money.migration import indifferent_input_per_output, migration
from costline.money.price_history import cheapest_so_far, decline_per_year
from costline.money.quality import adjusted_delta, delta_is_actionable, failure_usd_break_even, usd_per_correct
from costline.money.routing import (
    cascade_mean,
    quality_at_share,
    routed_mean,
    routing_saving,
    share_for_quality,
    strong_share_for_saving,
)
from costline.money.unit_cost import usd_per_mtok
from costline.money.volume import cheapest_way, volume_usd

HOURS_OF_30_DAYS = 720
SONNET = flat_rates(3, 15, cache_read="0.3", cache_write="3.75")


def rates(model: str, as_of: str | None = None) -> Rates:
    return api_prices.card(model, as_of=as_of).rates


def test_cap_1_6_gpt_4o_by_day():
    launch, later = rates("gpt-4o", "2024-05-13"), rates("gpt-4o", "2024-08-06")
    # The document gives 2.50 and 10 at the launch, and in another place a fall from 5.00: the launch was 5 and 15.
    assert [launch.input.usd_per_mtok, launch.output.usd_per_mtok] == [5, 15]
    assert [later.input.usd_per_mtok, later.output.usd_per_mtok] == [Decimal("2.5"), 10]
    assert later.cache_read.usd_per_mtok == Decimal("1.25")
    assert api_prices.card("gpt-4o").variants["batch"].output.usd_per_mtok == 5


def test_cap_1_7_decline_by_year_and_by_capability():
    assert float(decline_per_year(60, 0.10, 5.6)) == pytest.approx(0.681, abs=5e-4)
    # Tenfold in two years is 68 % a year; the document says 30 to 50 % beside it, which is two- to fourfold.
    assert float(decline_per_year(10, 1, 2)) == pytest.approx(0.684, abs=5e-4)
    assert float(10 * (1 - decline_per_year(10, 1, 2)) ** 2) == pytest.approx(1)
    assert [float((1 - share) ** -2) for share in (0.3, 0.5)] == pytest.approx([2.04, 4.0], abs=5e-3)
    points = history_of_level("gpt-3")
    cheapest = cheapest_so_far(np.array([float(point.input_usd_per_mtok or 0) for point in points]))
    assert (cheapest[0], cheapest[-1]) == (60, 0.1)


def test_cap_5_11_what_a_cached_prefix_costs():
    # 70 % of the input is found: 30 % of the prefill is left, and of the bill what reads and writes cost beside it.
    prefill_flop = 2 * 70e9 * 1000
    assert (1 - 0.7) * prefill_flop == pytest.approx(2 * 70e9 * 300)
    free_writes, premium = (float(cache_price_multiple(0.7, 0.1, write)) for write in (1.0, 1.25))
    assert (free_writes, premium) == (pytest.approx(0.37), pytest.approx(0.445))
    found = request_bill(SONNET, Usage(1000, 0, cache_read_tokens=700))
    written = request_bill(SONNET, Usage(1000, 0, cache_read_tokens=700, cache_write_tokens=300))
    whole = request_bill(SONNET, Usage(1000, 0)).total_usd
    assert [found.total_usd / whole, written.total_usd / whole] == [Decimal("0.37"), Decimal("0.445")]


def test_cap_6_5_break_even_volume_of_a_rented_h100():
    month = HOURS_OF_30_DAYS * 2.00
    assert month == 1440
    # The documents say 10 to 100 million tokens a month: that needs an API at 15 USD/Mtok or more.
    volumes = break_even_tokens(month, np.array([0.40, 15.0]))
    assert volumes.tolist() == pytest.approx([3.6e9, 96e6])
    assert float(break_even_tokens(month, 0.40, 0.10)) == pytest.approx(4.8e9)
    # It also takes a GPU that serves 1,389 tokens/s all month, for no number of slower ones earns its rent.
    needed = float(volumes[0]) / (HOURS_OF_30_DAYS * 3600)
    assert needed == pytest.approx(1389, abs=0.5)
    slow, tokens = 1000 * HOURS_OF_30_DAYS * 3600.0, np.logspace(6, 13, 50)
    assert np.all(volume_usd(tokens, month, 0.0, slow) > volume_usd(tokens, 0.0, 0.40))


def test_cap_6_6_cheapest_way_by_volume():
    # API at 0.40 USD/Mtok; an H100 for 1,440 USD a month that serves 2,000 tokens/s; a smaller model distilled from
    # it, eight times as fast on the same GPU, after 100,000 USD of work written off over a year.
    seconds = HOURS_OF_30_DAYS * 3600.0
    volumes = np.array([1e6, 1e7, 1e9, 3.5e9, 3.7e9, 5e9, 1e11, 1e12])
    chosen = cheapest_way(
        volumes,
        fixed_usd=np.array([0.0, 1440.0, 1440.0]),
        usd_per_mtok=np.array([0.40, 0.0, 0.0]),
        capacity_tokens=np.array([np.inf, 2000 * seconds, 16_000 * seconds]),
        base_usd=np.array([0.0, 0.0, 100_000 / 12]),
    )
    assert chosen.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


def test_cap_9_1_bills_under_price_cards():
    job = Usage(30_000, 2_000)
    assert request_bill(rates("gpt-4-32k"), job).total_usd == Decimal("2.04")
    assert request_bill(rates("gpt-4-turbo"), job).total_usd == Decimal("0.36")
    # 10,000 tickets at 5 and 24 USD/Mtok cost 73 USD; the document's 16 is the output alone, at GPT-4.1's 8.
    tickets = Usage(500, 200)
    assert request_bill(flat_rates(5, 24), tickets, 10_000).total_usd == 73
    listed = request_bill(rates("gpt-4.1"), tickets, 10_000)
    assert (listed.usd_of("input"), listed.usd_of("output"), listed.total_usd) == (10, 16, 26)
    # 1,000 documents a day at GPT-4 Turbo's prices: 26.68 USD, not 2.60.
    assert request_bill(rates("gpt-4-turbo"), Usage(667, 667), 1000).total_usd == Decimal("26.68")


def test_cap_9_2_steps_by_context():
    pro = rates("gemini-2.5-pro")
    at, above = (request_bill(pro, Usage(tokens, 0)).total_usd for tokens in (200_000, 250_000))
    assert (at, above) == (Decimal("0.25"), Decimal("0.625"))
    # The step takes the output along.
    long, short = (request_bill(pro, Usage(tokens, 1000)).usd_of("output") for tokens in (200_001, 200_000))
    assert (long, short) == (Decimal("0.015"), Decimal("0.01"))


def test_cap_9_3_stacked_discounts_on_whole_workloads():
    cached, batch = flat_rates(3, 15, cache_read="0.3"), Decimal("0.5")

    def share(isl: int, osl: int, read: int, card: Rates = cached) -> Decimal:
        paid = request_bill(scaled_rates(card, batch), Usage(isl, osl, cache_read_tokens=read))
        return paid.total_usd / request_bill(card, Usage(isl, osl)).total_usd

    # 5 % of list holds for input that is all found in the cache, and for nothing else.
    assert share(1000, 200, 800) == Decimal("0.32")
    assert share(1000, 0, 1000) == Decimal("0.05")
    assert share(1000, 200, 0) == Decimal("0.5")
    stacked = share_of_list(1000, 200, 3, 15, input_multiple=0.8 * 0.1 + 0.2, bill_multiple=0.5)
    assert float(stacked) == pytest.approx(0.32)
    # With the other 200 tokens written to the cache for the next request.
    written = request_bill(scaled_rates(SONNET, batch), Usage(1000, 200, 800, 200)).total_usd
    assert written / request_bill(SONNET, Usage(1000, 200)).total_usd == Decimal("0.3325")
    # Listed batch prices are half the standard ones, cached or not.
    card = api_prices.card("claude-opus-4-8")
    usage = Usage(1000, 200, cache_read_tokens=800)
    assert request_bill(card.variants["batch"], usage).total_usd * 2 == request_bill(card.rates, usage).total_usd


def test_cap_9_4_requests_after_which_a_cache_write_pays():
    assert cache_break_even_requests(1.25, 0.1) == 2
    assert cache_break_even_requests(2.0, 0.1) == 3  # one hour
    bills = [
        request_bill(SONNET, Usage(1000, 0, cache_write_tokens=1000)).total_usd
        + request_bill(SONNET, Usage(1000, 0, cache_read_tokens=1000), requests - 1).total_usd
        for requests in (1, 2, 3)
    ]
    plain = [request_bill(SONNET, Usage(1000, 0), requests).total_usd for requests in (1, 2, 3)]
    assert [with_cache < without for with_cache, without in zip(bills, plain, strict=True)] == [False, True, True]


def test_cap_9_5_tokenizers():
    assert float(tokenizer_usd_per_mtok(5.00, 1.35)) == pytest.approx(6.75)
    usage, opus = Usage(1000, 100), rates("claude-opus-4-7")
    longer = migration([(usage, 1)], rates("claude-opus-4-6"), opus, decimal(1.35))
    assert longer.to_usd == longer.from_usd * Decimal("1.35")


def test_cap_9_6_routing():
    strong, weak = 24.7, 0.24
    mixed = routed_mean(np.array([0.26, 0.74]), np.array([strong, weak]))
    # The document's 85 % needs 14.2 % strong calls; at 26 % the saving is 73 %.
    assert float(routing_saving(mixed, strong)) == pytest.approx(0.733, abs=5e-4)
    assert float(strong_share_for_saving(0.85, strong, weak)) == pytest.approx(0.142, abs=5e-4)
    # The router's curve on MT Bench: 95 % of the strong model's quality at 26 %, where a random mix needs half.
    shares = np.array([0.0, 0.26, 0.5, 1.0])
    router, random = np.array([0.9, 0.95, 0.97, 1.0]), np.array([0.9, 0.926, 0.95, 1.0])
    assert float(quality_at_share(0.26, shares, router)) == 0.95
    wanted = [float(share_for_quality(0.95, shares, curve)) for curve in (router, random)]
    assert wanted == pytest.approx([0.26, 0.5])
    bills = [routed_mean(np.array([share, 1 - share]), np.array([strong, weak])) for share in wanted]
    assert float(routing_saving(bills[0], bills[1])) == pytest.approx(0.471, abs=5e-4)
    # Three tiers: 86 % against all premium, 28 % against all middle.
    tiers = routed_mean(np.array([0.7, 0.2, 0.1]), np.array([0.40, 15.0, 75.0]))
    assert [float(routing_saving(tiers, base)) for base in (75.0, 15.0)] == pytest.approx([0.856, 0.281], abs=5e-4)
    # As a cascade each request also pays the weak try.
    assert float(cascade_mean(np.array([0.74, 1.0]), np.array([weak, strong]))) == pytest.approx(weak + 0.26 * strong)


def test_cap_9_7_cost_of_a_correct_output():
    cheap, dear = usd_per_correct(np.array([0.28, 25.00]), np.array([0.79, 1.0]))
    assert (float(cheap), float(dear)) == (pytest.approx(0.354, abs=5e-4), 25.0)
    assert float(dear / cheap) == pytest.approx(70.5, abs=0.05)
    # Failures are not free: at 92.71 USD for a wrong million tokens both cost the same.
    loss = failure_usd_break_even(0.28, 0.79, 25.0, 1.0)
    assert float(loss) == pytest.approx(92.71, abs=0.05)
    assert float(usd_per_correct(0.28, 0.79, loss)) == pytest.approx(25.0)


def test_cap_9_8_elasticity():
    assert float(volume_ratio(0.9, 1.1)) - 1 == pytest.approx(0.123, abs=5e-4)
    assert float(revenue_ratio(0.9, 1.1)) - 1 == pytest.approx(0.0106, abs=5e-5)
    assert float(volume_ratio(0.9, 1.0)) - 1 == pytest.approx(0.111, abs=5e-4)


def test_cap_9_9_pass_through():
    assert 1 - float(passed_through_ratio(0.9, 0.432)) == pytest.approx(0.0445, abs=5e-5)
    assert float(passed_through_ratio(63, 0.432)) == pytest.approx(6.0, abs=0.02)


def test_cap_9_10_two_part_tariff():
    revenue = two_part_tariff_usd(50, 99.0)
    assert float(gross_margin(revenue, 50 * 0.40)) == pytest.approx(0.798, abs=5e-4)
    # The flat fee earns nothing beyond 247 contracts; a price of 0.50 for each above 50 keeps earning.
    assert float(gross_margin(two_part_tariff_usd(248, 99.0), 248 * 0.40)) < 0
    assert float(gross_margin(two_part_tariff_usd(248, 99.0, 0.50, 50), 248 * 0.40)) == pytest.approx(0.499, abs=5e-4)


def test_cap_9_11_margin_of_a_provider():
    # A 70B model in FP8 on 8 H100 at 2.99 USD/hour: batch 128, context 4,096, 75 % of bandwidth and 70 % of FLOP/s.
    h100, model, batch = chip("h100-sxm"), find_model("llama-3.1-70b"), 128
    counts = parameters(model)
    read = counts.total + batch * 4096 * kv_bytes_per_token(model, "fp8")
    peak, bandwidth = 8 * 0.70 * h100.dense_flop_per_s["fp8"], 8 * 0.75 * h100.hbm_bytes_per_s
    step = roofline_time_s(2 * counts.active * batch, read, peak, bandwidth)
    cost = usd_per_mtok(8 * 2.99, batch / step)
    assert float(cost) == pytest.approx(0.40, abs=0.01)
    assert float(provider_margin(0.90, cost)) == pytest.approx(0.55, abs=0.01)


def test_cap_9_12_moving_between_tiers():
    haiku, opus, gpt4 = (rates(name) for name in ("claude-3-haiku", "claude-3-opus", "gpt-4"))
    # Sixty times, input and output; the document says fifteen.
    assert opus.input.usd_per_mtok / haiku.input.usd_per_mtok == 60
    assert opus.output.usd_per_mtok / haiku.output.usd_per_mtok == 60
    assert float(indifferent_input_per_output(15, 75, 30, 60)) == 1
    workloads = {ratio: [(Usage(ratio * 100, 100), 1000)] for ratio in (0, 1, 2)}
    saved = {ratio: migration(load, gpt4, opus).saved_usd for ratio, load in workloads.items()}
    assert saved == {0: Decimal("-1.5"), 1: 0, 2: Decimal("1.5")}


def test_cap_9_13_scores_after_a_haircut():
    assert float(adjusted_delta(0.10)) == pytest.approx(0.085)
    assert not delta_is_actionable(0.88, 0.851)
    assert delta_is_actionable(0.88, 0.84)
    assert not delta_is_actionable(0.98, 0.951)
