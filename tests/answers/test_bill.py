"""A month's bill: every token once, every component exact, machines and their energy as the formulas say."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.answers.answer import Answer
from costline.answers.api_way import the_api
from costline.answers.bill import bill, ways_of
from costline.answers.bill.hourly_load import hourly_load
from costline.answers.bill.question import Billed, billed
from costline.answers.bill.scenario import read_bill
from costline.answers.bill.trace import read_trace
from costline.answers.bill.ways import api_way, egress_usd
from costline.answers.money_blocks import ApiBlock
from costline.catalog import costs
from costline.errors import InfeasibleError, InputError, UnknownIdError
from costline.money.api_bill import Usage

TODAY = datetime.date(2026, 11, 20)
HOURS, SECONDS = 730, 730 * 3600
AZURE = "measured/traces/AzureLLMInferenceTrace_conv_2023.csv"
HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
DAY = [1.0] * 8 + [4.0] * 10 + [2.0] * 6
BASE: dict[str, Any] = {
    "model": {"id": "llama-3.3-70b"},
    "system": {"accelerator": "h100-sxm", "max_accelerators": 8},
    "workload": {"input_tokens": 1155, "output_tokens": 211, "request_rate": 20},
    "slo": {"ttft_p99_ms": 2000, "tpot_p99_ms": 50},
    "deployment": {"tp": 2},
    "bill": {"api": [{"provider": "groq"}, {"provider": "together"}], "load_by_hour": DAY},
}


def document(**block: Any) -> dict[str, Any]:
    return {**BASE, "bill": {**BASE["bill"], **block}}


def traced(path: Path, **block: Any) -> dict[str, Any]:
    rest = {name: value for name, value in BASE.items() if name != "workload"}
    return {**rest, "bill": {"trace": str(path), "api": [{"provider": "groq"}], **block}}


def written(folder: Path, rows: str, header: str = HEADER) -> Path:
    path = folder / "trace.csv"
    path.write_text(header + rows, encoding="utf-8")
    return path


@lru_cache(maxsize=1)
def answered() -> Answer:
    return bill(document(users=1000), today=TODAY)


@lru_cache(maxsize=1)
def found() -> Billed:
    return billed(read_bill(document()), TODAY)


def row_of(answer: Answer, way: str) -> Mapping[str, Any]:
    return next(row for row in answer.data["bills"] if row["way"] == way)


# Exactness


def test_components_add_up_exactly():
    for way in ways_of(found()):
        assert way.parts.total == way.phases.total == sum(usd for _, usd in way.parts.parts)
        assert all(usd >= 0 for _, usd in way.parts.parts)
        assert all(usd >= 0 for _, usd in way.phases.parts)
    for row in answered().data["bills"]:
        exact = {name: Decimal(text) for name, text in row["exact_usd"].items()}
        assert sum(usd for name, usd in exact.items() if name != "total") == exact["total"]
        columns = ("input_usd", "output_usd", "egress_usd", "redundancy_usd")
        assert sum(Decimal(repr(row[key])).quantize(Decimal("1e-6")) for key in columns) == exact["total"]


REQUESTS = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(1, 50)), min_size=1, max_size=20
)


@given(REQUESTS, st.integers(0, 100), st.integers(0, 100), st.integers(1, 1000))
def test_each_token_is_billed_once(requests: list[tuple[int, int, int]], prompt: int, answer: int, factor: int):
    api = the_api(
        ApiBlock(input_usd_per_mtok=prompt, output_usd_per_mtok=answer), found().fleet.unit.model, found().usage, TODAY
    )
    way = api_way(api, [(Usage(n_in, n_out), count) for n_in, n_out, count in requests], Decimal(factor))
    tokens_in, tokens_out = (sum(row[place] * row[2] for row in requests) for place in (0, 1))
    # integer prices per million tokens are whole millionths of a dollar: nothing is rounded
    assert way.phases["input"] * 10**6 == tokens_in * prompt * factor
    assert way.phases["output"] * 10**6 == tokens_out * answer * factor


@given(REQUESTS, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_discount_never_raises_a_bill(requests: list[tuple[int, int, int]], one: float, other: float):
    usages = [(Usage(n_in, n_out), count) for n_in, n_out, count in requests]
    totals: list[Decimal] = []
    for share in sorted((one, other)):
        block = ApiBlock(provider="groq", discount=share)
        api = the_api(block, found().fleet.unit.model, found().usage, TODAY)
        totals.append(api_way(api, usages, Decimal(1)).parts.total)
    assert 0 <= totals[1] <= totals[0]


@given(st.integers(0, 100), st.integers(0, 100), REQUESTS)
def test_a_higher_price_never_lowers_a_bill(price: int, more: int, requests: list[tuple[int, int, int]]):
    usages = [(Usage(n_in, n_out), count) for n_in, n_out, count in requests]
    model, usage = found().fleet.unit.model, found().usage
    totals = [
        api_way(
            the_api(ApiBlock(input_usd_per_mtok=usd, output_usd_per_mtok=2 * usd), model, usage, TODAY),
            usages,
            Decimal(1),
        ).parts.total
        for usd in (price, price + more)
    ]
    assert 0 <= totals[0] <= totals[1]


# Traces


def test_a_trace_is_billed_request_by_request(tmp_path: Path):
    rows = [(0.0, 1000, 100), (1.0, 1000, 100), (2.0, 30, 7), (10.0, 2000, 0)]
    path = written(tmp_path, "".join(f"{time},{prompt},{answer}\n" for time, prompt, answer in rows))
    api = [{"input_usd_per_mtok": 3, "output_usd_per_mtok": 15}]
    row = row_of(bill(traced(path, api=api), today=TODAY), "api")
    month = 4 / 10 * SECONDS  # four requests in ten seconds
    usd = (sum(one[1] for one in rows) * 3 + sum(one[2] for one in rows) * 15) / 1e6
    assert row["usd_per_month"] == pytest.approx(usd / 4 * month)
    assert row["usd_per_mtok_input"] == pytest.approx(3)
    assert row["usd_per_mtok_output"] == pytest.approx(15)
    assert row["usd_per_request"] == pytest.approx(usd / 4)


def test_long_requests_pay_the_step_of_their_own_length(tmp_path: Path):
    path = written(tmp_path, "0,1000,10\n1,250000,10\n")
    api = [{"model": "gemini-2.5-pro", "provider": "google"}]
    scenario = traced(path, api=api, rent=None, reserved=None, own=None)
    scenario |= {"model": {"id": "llama-3.1-8b"}, "deployment": {}, "slo": {}}
    way = next(way for way in ways_of(billed(read_bill(scenario), TODAY)) if way.kind == "api")
    # 1.25 USD per million input tokens up to 200,000 of them, 2.50 for all of a longer request's
    expected = (1000 * 1.25 + 250_000 * 2.50) / 1e6 / 2 * 2 * SECONDS
    assert float(way.phases["input"]) == pytest.approx(expected)


def test_a_trace_of_days_measures_its_hours(tmp_path: Path):
    lines = [f"{hour * 3600 + k * 3600 / (1 + hour % 24)},100,10\n" for hour in range(48) for k in range(1 + hour % 24)]
    trace = read_trace(written(tmp_path, "".join(lines)))
    load = hourly_load(None, trace)
    assert load.source == "measured"
    assert load.weights == pytest.approx((1 + np.arange(24)) / 12.5, rel=0.03)
    assert load.peak_over_trace == pytest.approx(24 / 12.5, rel=0.05)


def test_the_hours_of_a_short_trace_anchor_the_day_that_is_given(tmp_path: Path):
    trace = read_trace(written(tmp_path, "2023-11-16 09:00:00,1,1\n2023-11-16 09:30:00.5000000,1,1\n"))
    assert trace.span_s == 1800.5
    load = hourly_load(DAY, trace)
    assert load.trace_over_mean == pytest.approx(4 / np.mean(DAY))
    assert load.peak_over_trace == 1
    week = hourly_load([0.0] * 72 + [1.0] * 96, trace)  # Thursday is the fourth day
    assert week.trace_over_mean == pytest.approx(168 / 96)
    with pytest.raises(InputError, match="0 in the hours of the trace"):
        hourly_load([1.0] * 72 + [0.0] * 96, trace)
    flat = hourly_load(None, trace)
    assert (flat.source, flat.peak) == ("assumed", 1)
    assert "assumed: the trace covers 0.5 hours" in flat.words


WRONG_TRACES = (
    ("", "", "row 1='' must be the header TIMESTAMP,ContextTokens,GeneratedTokens"),
    ("a,b,c\n", "1,2,3\n", "row 1='a,b,c' must be the header"),
    (HEADER, "", "has 0 requests; at least 2"),
    (HEADER, "0,1,2\n", "has 1 requests; at least 2"),
    (HEADER, "0,1,2\n1,-1,2\n", "row 3: ContextTokens='-1' must be a whole number"),
    (HEADER, "0,1,2\n1,1,2.5\n", "row 3: GeneratedTokens='2.5' must be a whole number"),
    (HEADER, "0,1,2\n1,1,\n", "row 3: GeneratedTokens='' must be a whole number"),
    (HEADER, "0,99999999999,2\n1,1,1\n", "row 2: ContextTokens='99999999999' is more than a request can hold"),
    (HEADER, "5,1,2\n1,1,2\n", "row 3: its time is before that of row 2"),
    (HEADER, "5,1,2\n5,1,2\n", "all requests come at one time"),
    (HEADER, "0,1,2\n1,2\n", "row 3 has 2 fields"),
    (HEADER, "0,1,2\n2023-01-01,1,2\n", "row 3: TIMESTAMP='2023-01-01' must be seconds"),
    (HEADER, "2023-01-01 00:00:00,1,2\n5,1,2\n", "row 3: TIMESTAMP='5' is no date and time"),
    (HEADER, "yesterday,1,2\n5,1,2\n", "row 2: TIMESTAMP='yesterday' is no date and time"),
    (HEADER, "0,1,2\nnan,1,2\n", "row 3: TIMESTAMP='nan' must be seconds"),
    (HEADER, '"0,1,2\n1,2,3\n', "row 2: unexpected end of data"),
)


@pytest.mark.parametrize(("header", "rows", "words"), WRONG_TRACES, ids=[words[:40] for *_, words in WRONG_TRACES])
def test_a_fault_of_a_trace_names_its_row(tmp_path: Path, header: str, rows: str, words: str):
    with pytest.raises(InputError) as caught:
        read_trace(written(tmp_path, rows, header))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trace_that_is_no_file_says_so(tmp_path: Path):
    with pytest.raises(InputError, match="does not exist"):
        read_trace(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a directory"):
        read_trace(tmp_path)
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_trace(tmp_path / "x.csv")


# Machines


def test_rented_nodes_are_hours_times_price():
    answer = bill(document(egress=None, redundancy=None), today=TODAY)
    row, rental = row_of(answer, "rent"), found().rental
    assert rental is not None
    needed = found().fleet.accelerators(spared=False)
    nodes = np.maximum(np.ceil(needed / 8), 1) * 8
    assert row["accelerator_hours"] == pytest.approx(float(np.mean(nodes)) * HOURS)
    assert row["usd_per_month"] == pytest.approx(row["accelerator_hours"] * rental.price.likely, abs=1e-5)


def test_the_mix_is_the_cheapest_of_all_reservations():
    """Reserved accelerators by brute force over every level, the rest on demand."""
    answer = bill(document(egress=None), today=TODAY)
    row = row_of(answer, "mix")
    assert found().reserved is not None
    assert found().by_the_hour is not None
    reserved, hourly = found().reserved.price.likely, found().by_the_hour.price.likely
    needed = found().fleet.accelerators(spared=False)
    every = [
        HOURS * (level * reserved + float(np.mean(np.maximum(needed - level, 0))) * hourly)
        for level in range(0, int(needed.max()) + 1, 2)
    ]
    assert row["usd_per_month"] == pytest.approx(min(every), abs=1e-4)
    for hour in answer.data["mix"]:
        assert hour["reserved"] + hour["on-demand"] >= hour["needed"] - 1e-9


def test_owned_nodes_are_for_the_busiest_hour():
    row = row_of(answered(), "own")
    assert row["accelerators"] == 8 * math.ceil(float(found().fleet.replicas.max()) / 4)
    served = found().fleet.requests
    could = row["accelerators"] / 2 * found().fleet.unit.capacity_requests_per_s * SECONDS
    assert row["utilization"] == pytest.approx(served / could)
    assert row["utilization_source"] == "computed"
    assert row["usd_per_user"] == pytest.approx(row["usd_per_month"] / 1000)


def test_energy_is_power_at_the_mean_use_times_hours():
    row = row_of(answered(), "own")
    machines = found().machines
    assert machines is not None
    numbers = {name: one.likely for name, one in machines.numbers.items()}
    share = numbers["idle_fraction"] + (numbers["busy_fraction"] - numbers["idle_fraction"]) * row["utilization"]
    kwh = row["accelerators"] / 8 * numbers["rated_w"] * share * numbers["pue"] * HOURS / 1000
    assert row["kwh"] == pytest.approx(kwh)
    assert row["kg_co2e"] == pytest.approx(kwh * answered().data["volume"]["grid"]["g_co2e_per_kwh"] / 1000)
    volume = answered().data["volume"]
    joules = (
        row["joule_per_input_token"] * volume["input_tokens_per_month"]
        + row["joule_per_output_token"] * volume["output_tokens_per_month"]
    )
    assert joules == pytest.approx(kwh * 3.6e6)
    assert row_of(answered(), "api")["kwh"] is None


def test_egress_follows_the_tiers():
    aws = costs.transfers()["aws-internet"]
    # 100 GB free, then 0.09 USD per GB
    assert egress_usd(aws, 50e9) == 0
    assert egress_usd(aws, 300e9) == pytest.approx(18.0)
    row = row_of(answered(), "rent")
    sent = 300 * answered().data["volume"]["output_tokens_per_month"]
    assert row["egress_usd"] == pytest.approx(egress_usd(aws, sent), abs=1e-5)
    assert row_of(answered(), "api")["egress_usd"] == 0


def test_a_promise_adds_spares_and_keeps_the_rest():
    plain, promised = (
        {row["way"]: row for row in bill(document(redundancy=block), today=TODAY).data["bills"] if row["way"] != "api"}
        for block in (None, {"availability": 0.9999})
    )
    volume = bill(document(redundancy={"availability": 0.9999}), today=TODAY).data["volume"]
    assert volume["spare_replicas"] >= 1
    assert volume["availability"] >= 0.9999
    for way, row in promised.items():
        base = row["usd_per_month"] - row["redundancy_usd"]
        assert base == pytest.approx(plain[way]["usd_per_month"], rel=1e-6)
    assert promised["mix"]["redundancy_usd"] > 0
    with pytest.raises(InfeasibleError, match="out of reach"):
        bill(document(redundancy={"availability": 0.99999, "common_share": 0.5}), today=TODAY)


def test_spot_lowers_the_mix():
    plain = row_of(answered(), "mix")["usd_per_month"]
    cheap = {"usd_per_accelerator_hour": 0.5, "demand_share": 0.5, "loss": 0.1}
    assert row_of(bill(document(spot=cheap), today=TODAY), "mix")["usd_per_month"] < plain


def test_prices_have_days_and_old_ones_are_flagged():
    rows = answered().data["prices"]
    assert {row["label"] for row in rows} >= {"API, groq", "API, together", "rented on-demand", "egress", "electricity"}
    assert [row["label"] for row in rows if row["stale"]] == ["rented on-demand", "electricity"]
    assert "older than 90 days" in answered().summary
    assert "(older than 90 days)" in answered().charts["bill"].note


def test_three_sellers_stand_in_where_none_is_named():
    block = {name: value for name, value in BASE["bill"].items() if name != "api"}
    answer = bill({**BASE, "bill": block}, today=TODAY)
    prices = [row["usd_per_month"] for row in answer.data["bills"] if row["way"] == "api"]
    assert len(prices) == 3
    assert prices == sorted(prices)


def test_cached_prompts_are_billed_as_cached():
    work = {**BASE["workload"], "prefix": {"cached_tokens": 1000}}
    api = [{"model": "gpt-4o"}]
    cached, full = (
        row_of(bill({**document(api=api), "workload": one}, today=TODAY), "api") for one in (work, BASE["workload"])
    )
    assert cached["exact_usd"].keys() == {"input", "cache read", "output", "total"}
    assert cached["input_usd"] < full["input_usd"]
    assert cached["output_usd"] == full["output_usd"]


@lru_cache(maxsize=4)
def swinging_bill(rate: float, peak: float) -> Billed:
    work = {**BASE["workload"], "request_rate": rate, "diurnal": {"peak_over_mean": peak}}
    return billed(read_bill({**document(load_by_hour=None), "workload": work}), TODAY)


@pytest.mark.parametrize("peak", [1.0, 1.6, 4.0])
def test_a_day_that_swings_is_billed_for_its_mean_and_sized_for_its_peak(peak: float):
    fleet = swinging_bill(20 / peak, peak).fleet
    assert fleet.requests == pytest.approx(20 / peak * SECONDS, abs=1)
    assert float(fleet.replicas.max()) == math.ceil(20 / fleet.unit.sustained_requests_per_s)
    assert float(fleet.requests_per_s.mean()) == pytest.approx(20 / peak)
    assert float(fleet.requests_per_s.max()) <= 20 * (1 + 1e-9)  # the mean of the hour, not its highest rate
    served = fleet.replicas * fleet.unit.sustained_requests_per_s
    assert bool(np.all(fleet.requests_per_s <= served * (1 + 1e-9)))
    if peak > 1:
        assert int(np.argmax(fleet.requests_per_s)) in (13, 14)
        assert float(fleet.replicas.min()) < float(fleet.replicas.max())


def test_a_day_by_the_hour_is_the_same_wherever_it_is_said():
    mean = 20 / 4 * float(np.mean(DAY))
    work = {**BASE["workload"], "request_rate": mean, "diurnal": {"load_by_hour": DAY}}
    fleet = billed(read_bill({**document(load_by_hour=None), "workload": work}), TODAY).fleet
    assert fleet.requests == found().fleet.requests
    assert fleet.requests_per_s == pytest.approx(found().fleet.requests_per_s)
    assert fleet.replicas.tolist() == found().fleet.replicas.tolist()


def swung(**diurnal: Any) -> dict[str, Any]:
    return {"workload": {**BASE["workload"], "diurnal": {"peak_over_mean": 2, **diurnal}}}


WRONG = (
    (swung(), "give workload.diurnal or bill.load_by_hour, not both"),
    (
        {**swung(period_s=5400), "bill": {}},
        "workload.diurnal.period_s=5400 must be whole hours, at most 168: a bill goes by the hour; "
        "give a multiple of 3600 up to 604800",
    ),
    ({**swung(period_s=605_000), "bill": {}}, "workload.diurnal.period_s=605000 must be whole hours"),
    ({"bill": {"usrs": 1}}, "unknown key 'bill.usrs'; nearest: users"),
    ({"bill": {"api": [{"provdr": "groq"}]}}, "unknown key 'bill.api[0].provdr'; nearest: provider"),
    ({"bill": {"api": ["groq"]}}, "bill.api[0] must be a block; write {model: …}"),
    ({"bill": {"scale": 2}}, "bill.scale=2 is for a trace"),
    ({"bill": {"trace": "x.csv"}}, "give workload or bill.trace='x.csv', not both"),
    ({"bill": {"trace": 3}}, "bill.trace=3 must be text"),
    ({"bill": {"api": None, "own": None, "rent": None}}, "nothing is left to bill"),
    ({"bill": {"redundancy": {}}}, "bill.redundancy.availability is missing"),
    ({"workload": {"input_tokens": 10, "output_tokens": 10}}, "workload.request_rate is missing"),
)  # fmt: skip


@pytest.mark.parametrize(("blocks", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
def test_a_fault_is_one_line_that_says_what_to_do(blocks: dict[str, Any], words: str):
    with pytest.raises(InputError) as caught:
        bill({**BASE, **blocks}, today=TODAY)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


UNKNOWN = (({"grid": "finn"}, "fin"), ({"egress": {"transfer": "gcp"}}, "gcp-internet"))


@pytest.mark.parametrize(("block", "name"), UNKNOWN)
def test_unknown_names_are_told_the_nearest(block: dict[str, Any], name: str):
    with pytest.raises(UnknownIdError, match=name):
        bill(document(**block), today=TODAY)



# The Azure conversation trace


def test_the_load_of_the_month_is_the_mean_of_its_hours(tmp_path: Path):
    assert found().fleet.requests == pytest.approx(20 / 4 * float(np.mean(DAY)) * SECONDS, rel=1e-6)
    assert float(found().fleet.requests_per_s.max()) == pytest.approx(20)  # the busiest hour has the rate asked for
    path = written(tmp_path, "".join(f"2023-11-16 03:{k:02d}:00,100,10\n" for k in range(30)))
    volume = bill(traced(path, load_by_hour=DAY, scale=3), today=TODAY).data["volume"]
    rate = 3 * 30 / (29 * 60)  # measured in an hour of weight 1
    assert volume["peak_requests_per_s"] == pytest.approx(4 * rate)
    assert volume["mean_requests_per_s"] == pytest.approx(float(np.mean(DAY)) * rate)


def test_gaps_between_requests_are_as_bursty_as_measured(tmp_path: Path):
    trace = read_trace(written(tmp_path, "0,1,1\n1,1,1\n10,1,1\n"))
    assert trace.arrival_cv == pytest.approx(4 / 5)  # gaps of 1 and 9 seconds
    assert read_bill(traced(Path(trace.path))).asked.workload.arrival_cv2 == pytest.approx(0.64)


def test_lengths_are_those_of_the_trace(tmp_path: Path):
    rows = "".join(f"{k},{100 * (k + 1)},{10 if k < 19 else 10_000}\n" for k in range(20))
    trace = read_trace(written(tmp_path, rows))
    assert trace.lengths(trace.input_tokens) == {"mean": 1050, "p95": pytest.approx(1905)}
    assert trace.lengths(trace.output_tokens).keys() == {"mean", "p95"}
    assert trace.lengths(np.array([1.0] * 99 + [10_000.0])) == {"mean": pytest.approx(100.99)}


@pytest.mark.measured
def test_a_month_of_the_azure_trace_side_by_side(shared: Path):
    api = [{"provider": name} for name in ("novita", "groq", "together")]
    answer = bill(traced(shared / AZURE, api=api), today=TODAY)
    volume, rows = answer.data["volume"], answer.data["bills"]
    # the trace's README: 19,366 requests in about an hour; its catalog entry: 5.53/s, means 1154.7 and 211.1
    assert volume["trace"]["requests"] == 19_366
    assert volume["trace"]["requests_per_s"] == pytest.approx(5.53, abs=0.005)
    assert volume["requests_per_month"] == pytest.approx(5.5304 * SECONDS, rel=1e-4)
    assert volume["input_tokens_per_month"] / volume["requests_per_month"] == pytest.approx(1154.7, abs=0.05)
    assert volume["output_tokens_per_month"] / volume["requests_per_month"] == pytest.approx(211.1, abs=0.05)
    assert [row["way"] for row in rows].count("api") == 3
    assert {row["way"] for row in rows} == {"api", "own", "rent", "mix"}
    assert {row["accelerators"] for row in rows if row["way"] in ("own", "rent")} == {8}
    assert [row["usd_per_month"] for row in rows] == sorted(row["usd_per_month"] for row in rows)
    for row in rows:
        exact = {name: Decimal(text) for name, text in row["exact_usd"].items()}
        assert sum(usd for name, usd in exact.items() if name != "total") == exact["total"]
    assert "the trace covers 0.97 hours" in answer.summary


@pytest.mark.measured
def test_the_example_runs_on_the_shared_trace(shared: Path):
    root = Path(__file__).resolve().parents[2]
    if (root.parent / "shared").resolve() != shared.resolve():
        pytest.skip("the example's trace lies beside the repository")
    answer = bill(root / "examples" / "bill-azure.yml", today=TODAY)
    assert answer.data["volume"]["shape_source"] == "given"
    assert row_of(answer, "own")["usd_per_user"] == pytest.approx(row_of(answer, "own")["usd_per_month"] / 20_000)
