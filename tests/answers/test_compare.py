"""API, rented and owned side by side: totals that add up, break-evens at which costs meet, and words that say so."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.answers.answer import Answer
from costline.answers.api_way import the_api
from costline.answers.assumption import corner_values, likely_values
from costline.answers.compare import break_even as turning
from costline.answers.compare import compare
from costline.answers.compare.assumptions import flips_at, lead_usd
from costline.answers.compare.costs import monthly_costs
from costline.answers.compare.question import Question, the_question
from costline.answers.compare.scenario import read_compare
from costline.answers.money_blocks import ApiBlock
from costline.answers.own_node import owned_node
from costline.answers.phase_split import by_phase
from costline.catalog import api_prices
from costline.errors import InfeasibleError, InputError, UnknownIdError
from costline.money.break_even import break_even_months, corner_interval
from costline.money.own import owned_usd_per_accelerator_hour

TODAY = datetime.date(2026, 11, 20)
HOURS, SECONDS = 730, 730 * 3600
BASE: dict[str, Any] = {
    "model": {"id": "llama-3.3-70b"},
    "system": {"accelerator": "h100-sxm", "max_accelerators": 8},
    "workload": {"input_tokens": 2048, "output_tokens": 512, "request_rate": 20},
    "slo": {"ttft_p99_ms": 2000, "tpot_p99_ms": 50},
    "compare": {"api": {"provider": "groq"}, "own": {"usd_per_accelerator": [22_000, 26_000, 33_600]}},
}


def document(**blocks: Any) -> dict[str, Any]:
    return {
        name: {**BASE.get(name, {}), **blocks.get(name, {})} for name in dict.fromkeys([*BASE, *blocks])
    }


@lru_cache(maxsize=1)
def answered() -> Answer:
    return compare(document(), today=TODAY)


@lru_cache(maxsize=1)
def asked() -> Question:
    return the_question(read_compare(document()), TODAY)


@lru_cache(maxsize=1)
def daily() -> Question:
    load = [1.0] * 8 + [4.0] * 10 + [2.0] * 6
    return the_question(read_compare(document(compare={**BASE["compare"], "load_by_hour": load})), TODAY)


def likely(question: Question) -> dict[str, float]:
    return likely_values(question.assumptions)


def option(answer: Answer, way: str) -> Mapping[str, Any]:
    return next(row for row in answer.data["options"] if row["way"] == way)


def usd(question: Question, way: str, requests: float | None = None, **values: float) -> float:
    return float(monthly_costs(question.setting, likely(question) | values, requests).usd[way])


# What a month costs


def test_an_api_is_billed_by_the_token():
    requests = 20 * SECONDS
    row = option(answered(), "api")
    rates = api_prices.card("llama-3.3-70b", "groq", as_of=TODAY.isoformat()).rates
    assert rates.input is not None
    assert rates.output is not None
    prompt, answer = float(rates.input.usd_per_mtok), float(rates.output.usd_per_mtok)
    assert row["phases_usd"]["input"] == pytest.approx(requests * 2048 * prompt * 1e-6)
    assert row["phases_usd"]["output"] == pytest.approx(requests * 512 * answer * 1e-6)
    assert (row["usd_per_mtok_input"], row["usd_per_mtok_output"]) == (pytest.approx(prompt), pytest.approx(answer))
    assert row["usd_per_request"] == pytest.approx((2048 * prompt + 512 * answer) * 1e-6)


def test_renting_is_hours_times_price():
    setting = asked().setting
    replicas = math.ceil(20 / setting.unit.sustained_requests_per_s)
    row = option(answered(), "rent")
    assert row["accelerators"] == replicas * setting.unit.accelerators
    price = asked().assumptions["rent_price"].likely
    assert row["usd_per_month"] == pytest.approx(row["accelerators"] * HOURS * price)


def test_owning_is_whole_nodes_at_the_price_of_an_owned_hour():
    row = option(answered(), "own")
    setting = asked().setting
    assert setting.owning is not None
    node = owned_node(setting.owning, likely(asked()))
    hourly = float(owned_usd_per_accelerator_hour(node, row["utilization"]))
    assert row["accelerators"] % 8 == 0
    assert row["usd_per_month"] == pytest.approx(hourly * row["accelerators"] * HOURS)
    assert row["utilization"] == pytest.approx(
        20 * setting.unit.accelerators / (row["accelerators"] * setting.unit.capacity_requests_per_s)
    )


def test_parts_add_up_exactly():
    for row in answered().data["options"]:
        total = Decimal(row["total_usd"])
        for split in ("parts_usd", "phases_usd"):
            assert sum(Decimal(repr(part)).quantize(Decimal("1e-6")) for part in row[split].values()) == total


@given(usd=st.decimals(0, 10**9, places=6), share=st.floats(0, 1))
def test_phases_add_up_exactly(usd: Decimal, share: float):
    split = by_phase(usd, share)
    assert split.total == usd
    assert all(part >= 0 for _, part in split.parts)


def test_prompts_and_answers_share_the_machines_time():
    assert 0 < asked().setting.unit.prefill_share < 1
    longer = document(workload={"input_tokens": 8192, "output_tokens": 512, "request_rate": 5})
    share = the_question(read_compare(longer), TODAY).setting.unit.prefill_share
    assert share > asked().setting.unit.prefill_share


def test_use_is_computed_from_the_shape_of_the_load():
    question = daily()
    costs = monthly_costs(question.setting, likely(question))
    mean = 20 * (8 * 1 + 10 * 4 + 6 * 2) / 24 / 4  # the busiest hour has the rate asked for
    assert question.setting.requests_per_month == pytest.approx(mean * SECONDS, rel=1e-6)
    assert float(costs.own_utilization) < float(costs.rent_utilization) <= 1
    assert float(costs.usd["rent"]) < usd(asked(), "rent")
    assert float(costs.nodes) == float(monthly_costs(asked().setting, likely(asked())).nodes)


def swinging_question(rate: float, **diurnal: Any) -> Question:
    return the_question(read_compare(document(workload={"request_rate": rate, "diurnal": diurnal})), TODAY)


@pytest.mark.parametrize("peak", [1.0, 1.6, 4.0])
def test_a_day_that_swings_is_billed_for_its_mean_and_sized_for_its_peak(peak: float):
    question = swinging_question(20 / peak, peak_over_mean=peak)
    costs = monthly_costs(question.setting, likely(question))
    flat = monthly_costs(asked().setting, likely(asked()))
    assert question.setting.shape.peak == pytest.approx(peak)
    assert question.setting.requests_per_month == pytest.approx(20 / peak * SECONDS, abs=1)
    assert float(costs.usd["api"]) == pytest.approx(float(flat.usd["api"]) / peak, rel=1e-6)
    assert float(costs.nodes) == float(flat.nodes)
    assert float(costs.rented_peak) == float(flat.rented_peak)
    if peak > 1:
        assert float(costs.usd["rent"]) < float(flat.usd["rent"])


def test_each_hour_is_ready_for_its_highest_rate():
    """1 + 0.6 cos, highest at 14:00: the hours around it hold the peak, those twelve hours off end at the trough."""
    shape = swinging_question(20, peak_over_mean=1.6).setting.shape
    assert shape.weights.size == 24
    assert float(shape.hours.sum()) == pytest.approx(HOURS)
    hours = np.arange(24)
    nearest = np.minimum(np.abs(hours - 14), np.abs(hours + 1 - 14))
    nearest = np.minimum(nearest, np.abs(hours + 24 - 14))
    assert shape.weights == pytest.approx(1 + 0.6 * np.cos(2 * np.pi * nearest / 24), abs=0.01)
    assert "swinging up to 1.6 times its mean over 24 hours" in shape.words


def test_a_day_by_the_hour_is_the_same_wherever_it_is_said():
    load = [1.0] * 8 + [4.0] * 10 + [2.0] * 6
    mean = 20 * sum(load) / 24 / 4
    question, same = swinging_question(mean, load_by_hour=load), daily()
    assert question.setting.requests_per_month == same.setting.requests_per_month
    assert question.setting.shape.weights == pytest.approx(same.setting.shape.weights)
    for way in ("api", "rent", "own"):
        assert usd(question, way) == pytest.approx(usd(same, way))


@pytest.mark.parametrize("period_s", [60.0, 5400.0, 30 * 24 * 3600.0])
def test_a_swing_of_any_period_keeps_mean_and_peak(period_s: float):
    shape = swinging_question(10, peak_over_mean=2, period_s=period_s).setting.shape
    assert shape.peak == pytest.approx(2)
    assert float(shape.hours.sum()) == pytest.approx(HOURS)
    assert 1 <= float(shape.weights @ shape.hours) / HOURS <= 2  # ready for between mean and peak
    assert shape.weights.size == {60.0: 1, 5400.0: 1}.get(period_s, 168)  # machines are rented by the hour


def test_a_replica_is_loaded_as_far_as_the_targets_allow():
    def sustained(tpot_ms: float) -> float:
        slo = {"ttft_p99_ms": 60_000, "tpot_p99_ms": tpot_ms}
        fixed = {"deployment": {"tp": 4, "batch": 128}, "workload": {**BASE["workload"], "request_rate": 1}}
        unit = the_question(read_compare(document(slo=slo, **fixed)), TODAY).setting.unit
        return unit.sustained_requests_per_s / unit.capacity_requests_per_s

    tight, wide, any_speed = (sustained(tpot_ms) for tpot_ms in (25, 40, 10_000))
    assert 0.05 < tight < wide < any_speed == pytest.approx(0.95)  # plans stay below 95 % of capacity


def test_the_life_of_accelerators_spreads_their_price():
    short, long = (usd(asked(), "own", years=years) for years in (3.0, 6.0))
    assert short > usd(asked(), "own") > long


def test_a_reservation_is_paid_in_hours_that_do_not_need_it():
    block = {"api": {"provider": "groq"}, "rent": {"usd_per_accelerator_hour": 2.0}}
    load = [1.0] * 12 + [4.0] * 12
    hourly, always = (
        the_question(read_compare(document(compare={**block, "load_by_hour": load, "rent": rent})), TODAY)
        for rent in ({"usd_per_accelerator_hour": 2.0}, {"usd_per_accelerator_hour": 2.0, "term": "reserved"})
    )
    assert usd(hourly, "rent") < usd(always, "rent")


MONOTONE = (
    ("api_price", "api"), ("rent_price", "rent"), ("usd_per_accelerator", "own"), ("other_usd_per_node", "own"),
    ("tariff", "own"), ("pue", "own"), ("interest_per_year", "own"), ("staff_usd_per_year", "own"),
    ("colocation_usd_per_kw_month", "own"), ("support_per_year", "own"),
)  # fmt: skip


@given(pair=st.sampled_from(MONOTONE), factor=st.floats(1, 10), requests=st.floats(1, 1e10))
def test_a_higher_price_never_lowers_a_bill(pair: tuple[str, str], factor: float, requests: float):
    name, way = pair
    before = usd(daily(), way, requests)
    after = usd(daily(), way, requests, **{name: likely(daily())[name] * factor})
    assert 0 <= before <= after * (1 + 1e-12)


@given(requests=st.floats(0, 1e10), more=st.floats(0, 1e10), way=st.sampled_from(["api", "rent", "own"]))
def test_more_requests_never_cost_less(requests: float, more: float, way: str):
    assert usd(daily(), way, requests) <= usd(daily(), way, requests + more) * (1 + 1e-12)


@given(share=st.floats(0, 1))
def test_a_discount_never_raises_a_bill(share: float):
    block = {"api": {"provider": "groq", "discount": share}}
    question = read_compare(document(compare={**BASE["compare"], **block}))
    assert question.compare.api is not None
    found = the_api(question.compare.api, asked().setting.unit.model, asked().usage, TODAY)
    assert found.price.likely == pytest.approx(asked().assumptions["api_price"].likely * (1 - share))


# Where it turns


def break_even(answer: Answer, way: str, against: str) -> Mapping[str, Any]:
    return next(row for row in answer.data["break_even"] if (row["way"], row["against"]) == (way, against))


@pytest.mark.parametrize(("way", "against"), turning.PAIRS)
@pytest.mark.parametrize("question", [asked, daily])
def test_costs_meet_at_the_break_even_volume(question: Any, way: str, against: str):
    found = question()
    first, for_good = turning.volume_break_even(found.setting, likely(found), (way, against))
    assert 0 < float(first) <= float(for_good)
    tokens = found.setting.tokens
    for factor, sign in ((0.9, 1), (1.001, -1)) if (way, against) == ("own", "api") else ((0.8, 1),):
        at = float(first) / tokens * factor
        assert np.sign(usd(found, way, at) - usd(found, against, at)) == sign
    step = 10 ** (2 * turning.DECADES / turning.STEPS)  # fleets jump somewhere between two volumes that are tried
    far = float(for_good) / tokens * np.geomspace(step, 50, 200)
    costs = monthly_costs(found.setting, likely(found), far).usd
    assert np.all(costs[way] <= costs[against] * (1 + 1e-9))


def test_owning_against_the_api_turns_where_the_closed_form_says():
    question = asked()
    exact = float(turning.own_block_tokens(question.setting, likely(question)))
    at = exact / question.setting.tokens
    assert usd(question, "own", at) == pytest.approx(usd(question, "api", at), rel=1e-9)


def test_costs_meet_at_the_break_even_utilisation():
    question = asked()
    setting, values = question.setting, likely(question)
    used = float(turning.utilization_break_even(setting, values, ("own", "api")))
    idle, slope, capacity = (float(value) for value in turning.own_block(setting, values))
    per_mtok = (idle + slope * used) / (capacity * used * setting.tokens) * 1e6
    assert per_mtok == pytest.approx(values["api_price"])
    used = float(turning.utilization_break_even(setting, values, ("rent", "api")))
    tokens_per_s = setting.unit.capacity_requests_per_s * used * setting.tokens
    assert setting.unit.accelerators * values["rent_price"] / 3600 / tokens_per_s * 1e6 == pytest.approx(
        values["api_price"]
    )
    used = float(turning.utilization_break_even(setting, values, ("own", "rent")))
    assert setting.owning is not None
    owned = float(owned_usd_per_accelerator_hour(owned_node(setting.owning, values), used)) / used
    assert owned == pytest.approx(values["rent_price"] / setting.sustained_share)


def test_a_way_that_never_pays_says_never():
    block = {**BASE["compare"], "api": {"input_usd_per_mtok": 0.001, "output_usd_per_mtok": 0.001}}
    answer = compare(document(compare=block), today=TODAY)
    row = break_even(answer, "own", "api")
    assert row["tokens_per_month"]["low"] == row["utilization"]["low"] == row["month"]["low"] == math.inf
    assert "owning against the API never pays" in answer.summary
    assert answer.data["decision"]["cheapest"] == "api"


@given(
    capital=st.floats(1, 1e6), saved=st.floats(1, 1e5), interest=st.floats(0, 0.5), months=st.integers(24, 600)
)
def test_payback_is_the_closed_form_where_prices_stay(capital: float, saved: float, interest: float, months: int):
    exact = float(break_even_months(capital, 0.0, saved, interest))
    flows = np.full(months, saved)
    found = float(turning.payback_months(np.asarray(capital), flows, np.asarray(interest)))
    if exact <= months:
        assert abs(found - exact) < 1  # the table knows whole months
        assert found == math.ceil(found) or abs(found - exact) < 0.05
    else:
        assert found == math.inf


def test_falling_prices_lengthen_the_payback():
    values = likely(asked())
    now = float(turning.month_break_even(asked().setting, values, "api"))
    later = float(turning.month_break_even(asked().setting, values | {"api_decline": 0.3}, "api"))
    sold = float(turning.month_break_even(asked().setting, values, "api", with_resale=True))
    assert sold < now < later


def test_crossings_of_curves_drawn_by_hand():
    volume = np.geomspace(1, 100, 201)
    fixed, linear = np.full(201, 10.0), volume
    first, last = turning.first_and_last_crossing(volume, fixed, linear)
    assert float(first) == float(last) == pytest.approx(10.0)
    steps = 10.0 * np.ceil(volume / 15)
    first, last = turning.first_and_last_crossing(volume, steps, linear)
    assert float(first) == pytest.approx(10.0, rel=1e-2)
    assert float(last) == pytest.approx(20.0, rel=1e-2)
    assert [float(x) for x in turning.first_and_last_crossing(volume, 0.5 * linear, linear)] == [0.0, 0.0]
    assert [float(x) for x in turning.first_and_last_crossing(volume, 2 * linear, linear)] == [math.inf, math.inf]


# What it hangs on


def test_intervals_are_those_of_all_corners():
    question = asked()
    names = ("speed", "usd_per_accelerator", "tariff")
    corners = corner_values(question.assumptions, names)
    at = turning.utilization_break_even(question.setting, corners, ("own", "api"))
    assert at.size == 2**3 + 1

    def one(**moved: float) -> Any:
        return turning.utilization_break_even(question.setting, likely(question) | moved, ("own", "api"))

    inputs = {name: question.assumptions[name].range for name in names}
    assert (float(at.min()), float(at[0]), float(at.max())) == pytest.approx(corner_interval(one, inputs))


def test_the_three_it_hangs_on_move_it_most():
    data = answered().data
    assert data["hangs_on"] == data["assumptions"][:3]
    swings = [row["swing_usd_per_month"] for row in data["assumptions"]]
    assert swings == sorted(swings, reverse=True)
    assert swings[0] > 0
    assert {row["kind"] for row in data["hangs_on"]} <= {"given", "assumed", "vendor", "published", "measured"}


def test_the_decision_turns_where_it_says():
    question, data = asked(), answered().data
    best = data["decision"]["cheapest"]
    turns = [row for row in data["assumptions"] if row["flips_at"] is not None]
    assert turns
    for row in turns:  # fleets grow in steps, so the saving may jump over 0
        around = row["flips_at"] * np.array([0.99, 1.01])
        columns = {name: np.full(2, value) for name, value in likely(question).items()} | {row["name"]: around}
        leads = lead_usd(question.setting, columns, best)
        assert leads[0] * leads[1] < 0, row


def test_what_never_turns_it_has_no_turning_point():
    question = asked()
    one = question.assumptions["api_price"]
    assert flips_at(one, likely(question), lambda columns: np.ones_like(columns["api_price"])) is None


def test_corners_are_counted():
    decision = answered().data["decision"]
    assert sum(decision["corners_cheapest"].values()) == decision["corners"] == 2 ** len(decision["uncertain"]) + 1
    low, high = decision["saving_range_usd_per_month"]
    assert low <= decision["saving_usd_per_month"] <= high


def test_each_price_has_a_day_and_an_old_one_is_flagged():
    rows = {row["name"]: row for row in answered().data["prices"]}
    assert rows["api_price"]["date"] == api_prices.snapshot().date
    assert not rows["api_price"]["stale"]
    assert rows["rent_price"]["stale"]
    assert rows["rent_price"]["age_days"] == 180  # the reference offer is of 2026-05-24
    assert all(row["date"] or row["kind"] == "given" for row in rows.values())
    assert "Older than 90 days" in answered().summary
    assert "OLDER THAN 90 DAYS" in str(answered())
    assert all("2026-05-24 (older than 90 days)" in chart.note for chart in answered().charts.values())
    later = compare(document(), today=TODAY + datetime.timedelta(days=100))
    assert {row["name"]: row["stale"] for row in later.data["prices"]}["api_price"]


def test_a_typed_utilisation_is_marked_wherever_it_is_shown():
    typed = compare(document(compare={**BASE["compare"], "utilization": 0.4}), today=TODAY)
    row = option(typed, "own")
    assert row["utilization_source"] == option(typed, "rent")["utilization_source"] == "assumed"
    assert option(answered(), "own")["utilization_source"] == "computed"
    assert row["utilization"] <= 0.4
    assert "(assumed)" in str(typed.tables[0])
    assert "40 % is assumed" in typed.summary
    assert "assumed" in typed.charts["utilization"].subtitle
    assert "assumed" not in str(answered().tables[0]).replace("at every hour, assumed", "")


def test_figures_mark_the_break_evens():
    chart = answered().charts["volume"]
    assert chart.x.log
    assert chart.y.log
    marked = {series.name for series in chart.series if series.emphasis}
    assert {name.partition(":")[0] for name in marked} >= {"now", "renting = the API", "owning = the API"}
    used = answered().charts["utilization"]
    for series in (one for one in used.series if one.emphasis):
        assert 1 < series.x[0] <= 100


def test_the_cash_flow_starts_with_the_purchase():
    flow = answered().data["cash_flow"]
    assert [row["month"] for row in flow] == list(range(37))
    count = option(answered(), "own")["accelerators"]
    values = likely(asked())
    bought = count * values["usd_per_accelerator"] + count / 8 * values["other_usd_per_node"]
    assert flow[0]["own_usd"] == pytest.approx(bought)
    assert flow[12]["api_usd"] == pytest.approx(12 * option(answered(), "api")["usd_per_month"])
    last = flow[-1]
    resale = count * values["usd_per_accelerator"] * values["salvage_share"] ** (36 / 12 / values["years"])
    assert last["own_usd"] - last["own_less_resale_usd"] == pytest.approx(resale)


def test_numbers_given_win_over_the_catalogue():
    own = {"years": 5, "pue": "google", "tariff": 0.1, "interest_per_year": 0.0, "as_of": "2026-10-01"}
    block = {**BASE["compare"], "own": {**BASE["compare"]["own"], **own}}
    found = the_question(read_compare(document(compare=block)), TODAY).assumptions
    assert (found["years"].range, found["years"].kind) == ((5, 5, 5), "given")
    assert (found["pue"].likely, found["pue"].certain) == (1.10, True)
    assert (found["tariff"].likely, found["tariff"].date) == (0.1, "2026-10-01")
    assert found["usd_per_accelerator"].range == (22_000, 26_000, 33_600)


def test_the_seller_in_the_middle_stands_for_those_who_are_not_named():
    usage, model = asked().usage, asked().setting.unit.model
    cards = [one for one in api_prices.sellers(model.id, as_of=TODAY.isoformat()) if not one.deprecated]
    blocks = [ApiBlock(provider=one.provider, model=one.model) for one in cards]
    each = sorted(the_api(block, model, usage, TODAY).price.likely for block in blocks)
    price = the_api(ApiBlock(), model, usage, TODAY).price
    assert price.range == (each[0], each[(len(each) - 1) // 2], each[-1])
    assert not price.certain


def test_a_way_without_facts_is_left_out_unless_it_is_asked_for():
    scenario = document(system={"accelerator": "b200-sxm"}, compare={"own": None})
    scenario["compare"] = {"api": {"provider": "groq"}}
    answer = compare(scenario, today=TODAY)
    assert [row["way"] for row in answer.data["options"]] == ["rent", "api"]
    assert "Own is left out: own.usd_per_accelerator is missing" in answer.summary
    with pytest.raises(InputError, match=r"own\.usd_per_accelerator is missing and no purchase price of b200-sxm"):
        compare({**scenario, "compare": {"own": {}}}, today=TODAY)


WRONG = (
    ({"compare": {"apii": {}}}, "unknown key 'compare.apii'; nearest: api"),
    ({"compare": {"own": {"yeers": 3}}}, "unknown key 'compare.own.yeers'; nearest: years"),
    ({"compare": {"own": {"years": [5, 4, 3]}}}, "must ascend: low, likely, high"),
    ({"compare": {"own": {"years": [3, 4]}}}, "must be a number or [low, likely, high]"),
    ({"compare": {"own": {"years": "4 y"}}}, "compare.own.years='4 y' must be a number"),
    ({"compare": {"own": {"pue": 0.9}}}, "compare.own.pue=0.9 must be at least 1"),
    ({"compare": {"own": {"as_of": "soon"}}}, "must be a day, month or year"),
    ({"compare": {"utilization": 1.2}}, "compare.utilization=1.2 must be at most 1"),
    ({"compare": {"load_by_hour": [1, 2]}}, "must have 24 or 168 numbers"),
    ({"compare": {"load_by_hour": [0] * 24}}, "must hold a number above 0"),
    ({"compare": {"api": None, "own": None}}, "leave at least two of api, rent and own"),
    ({"compare": {"rent": {"offer": "a", "provider": "b"}}}, "give only one of offer and provider"),
    ({"compare": {"rent": {"provider": "aws", "term": "spot"}}}, "no spot offer of h100-sxm by aws"),
    ({"compare": {"rent": {"offer": "lambda-h100-pcie-on-demand-2026-05-24"}}}, "is for h100-pcie, not h100-sxm"),
    ({"compare": {"api": {"input_usd_per_mtok": 1}}}, "give both of input_usd_per_mtok and output_usd_per_mtok"),
    ({"compare": {"api": {"provider": "groq", "service": "batchh"}}}, "service='batchh'"),
    ({"compare": {"months": 60}}, "compare.months=60 exceeds the 48 months"),
    ({"compare": 3}, "compare must be a block"),
    ({"workload": {"request_rate": None}}, "workload.request_rate is missing"),
    ({"workload": {"request_rate": -1}}, "workload.request_rate=-1 must be above 0"),
    (
        {"workload": {"diurnal": {"peak_over_mean": 2}}, "compare": {"load_by_hour": [1] * 24}},
        "give workload.diurnal or compare.load_by_hour, not both",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("blocks", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
def test_a_fault_is_one_line_that_says_what_to_do(blocks: dict[str, Any], words: str):
    changed = {name: {**BASE[name], **block} if isinstance(block, dict) else block for name, block in blocks.items()}
    scenario = {**BASE, **changed}
    with pytest.raises(InputError) as caught:
        compare(scenario, today=TODAY)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_nobody_sells_is_an_unknown_name():
    with pytest.raises(UnknownIdError, match="groqq"):
        compare(document(compare={"api": {"provider": "groqq"}}), today=TODAY)


def test_targets_that_nothing_meets_are_infeasible():
    with pytest.raises(InfeasibleError, match="TPOT"):
        compare(document(slo={"tpot_p99_ms": 1}), today=TODAY)


def test_sources_name_assumptions_and_equations():
    used = {one.what: one for one in answered().sources}
    assert used["price of one h100-sxm"].kind == "given"
    assert used["cost of capital"].kind == "assumed"
    assert "money.own.owned_usd_per_hour" in used
    assert any(one.source == "genai-prices" for one in used.values())
