"""costline prices: tables with days and rates, bills that add up, and old prices marked wherever they stand."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.answers.prices import freshness, prices_bill, prices_history, prices_list, rates_of
from costline.catalog import api_prices
from costline.errors import DomainError, InputError, UnknownIdError

TODAY, LATER = datetime.date(2026, 11, 20), datetime.date(2027, 2, 9)
MODELS = ("gpt-4o", "gpt-4.1", "claude-opus-4-6", "gemini-2.5-pro", "claude-sonnet-4-5")


def test_the_history_of_gpt_4o():
    answer = prices_history("gpt-4o", today=TODAY)
    first, second = answer.data["points"]
    assert (first["date"], first["until"], second["date"], second["until"]) == (
        "2024-05-13", "2024-08-06", "2024-08-06", None,
    )  # fmt: skip
    assert [(row["input_usd_per_mtok"], row["output_usd_per_mtok"]) for row in (first, second)] == [(5, 15), (2.5, 10)]
    assert (second["input_change"], second["output_change"]) == (-0.5, pytest.approx(-1 / 3))
    decline = answer.data["decline_per_year"]
    years = (datetime.date(2026, 11, 10) - datetime.date(2024, 5, 13)).days / 365
    assert decline["years"] == pytest.approx(years)
    assert decline["input"] == pytest.approx(1 - 0.5 ** (1 / years))
    assert decline["output"] == pytest.approx(1 - (10 / 15) ** (1 / years))
    text = str(answer)
    for words in ("2024-05-13", "2024-08-06", "-24 % a year", "-15 % a year", "as of 2026-11-10", "(10 days old)"):
        assert words in text
    assert "OLDER" not in text
    assert {used.source for used in answer.sources} >= {"genai-prices"}
    assert any("(p_1 / p_0)^(1 / t)" in used.value for used in answer.sources)


def test_the_history_of_a_level_of_capability():
    data = prices_history("gpt-3", today=TODAY).data
    assert data["decline_per_year"]["input"] is None
    (level,) = data["levels"]
    assert level["points"][0]["input_usd_per_mtok"] == 60
    assert level["points"][-1]["cheapest_input_usd_per_mtok"] == 0.1
    assert level["decline_per_year"] == pytest.approx(1 - (0.1 / 60) ** (1 / level["years"]))
    assert 0.5 < level["fitted_decline_per_year"] < 0.9
    assert "no longer sold" in prices_history("gpt-3", today=TODAY).summary


def test_a_price_without_a_first_day_has_no_rate():
    answer = prices_history("gpt-5.6-luna", today=TODAY)
    assert answer.data["decline_per_year"]["input"] is None
    assert "not known" in answer.summary
    assert "Last change on 2026-07-30: input -80 %, output -80 %." in answer.summary
    announced = prices_history("gemini-3.6-flash", today=TODAY)
    assert [row["announced"] for row in announced.data["points"]] == [False, True]
    assert "announced" in str(announced)
    assert "Last change" not in announced.summary


def test_the_figures_of_a_history(tmp_path: Path):
    answer = prices_history("gpt-4o", today=TODAY)
    chart = answer.charts["price_history"]
    assert [series.name for series in chart.series] == ["input", "output"]
    assert [series.y for series in chart.series] == [(5, 2.5, 2.5), (15, 10, 10)]
    assert chart.series[0].x[0] == 0
    assert chart.series[0].x[-1] == pytest.approx(answer.data["decline_per_year"]["years"])
    names = {path.name for path in answer.write(tmp_path)}
    assert names >= {"result.json", "table.csv", "price_history.svg", "price_history.html", "price_of_level.svg"}
    assert "-24 % a year" in (tmp_path / "price_history.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("answer", [
    lambda today: prices_history("gpt-4o", today=today),
    lambda today: prices_list("gpt-4o", today=today),
    lambda today: prices_list(today=today),
    lambda today: prices_bill(["gpt-4o"], input_tokens=1, output_tokens=1, today=today),
])  # fmt: skip
def test_prices_older_than_90_days_are_marked(answer: Callable[[datetime.date], Any]):
    for day, stale in ((TODAY, False), (LATER - datetime.timedelta(days=1), False), (LATER, True)):
        found = answer(day)
        assert found.data["data"]["stale"] is stale
        assert ("OLDER THAN 90 DAYS" in found.tables[0].note) is stale
        assert all("OLDER" in chart.subtitle for chart in found.charts.values()) is stale or not found.charts
    assert freshness(LATER)["age_days"] == 91


def test_each_row_of_a_list_is_marked():
    listed = prices_list("gpt-4o", today=LATER)
    assert all(row["stale"] for row in listed.data["prices"])
    assert all("older than 90 days" in row["remark"] for row in listed.table().rows)
    bill = prices_bill(["gpt-4o"], input_tokens=1, output_tokens=1, today=LATER)
    assert "older than 90 days" in bill.table().rows[0]["remark"]
    assert [row["remark"] for row in prices_history("gpt-4o", today=LATER).table().rows] == ["", "older than 90 days"]


def test_a_list_of_sellers_is_sorted_by_price():
    rows = prices_list("llama-3.1-70b", today=TODAY).data["prices"]
    assert len(rows) > 4
    assert [row["output_usd_per_mtok"] for row in rows] == sorted(row["output_usd_per_mtok"] for row in rows)
    assert {row["provider"] for row in rows} >= {"novita", "groq", "aws"}
    deprecated = [row for row in rows if row["deprecated"]]
    assert deprecated
    assert "deprecated" in str(prices_list("llama-3.1-70b", today=TODAY))


def test_lists_by_provider_text_and_day():
    assert len(prices_list(today=TODAY).data["providers"]) > 40
    mine = prices_list(provider="anthropic", today=TODAY).data["prices"]
    assert {row["provider"] for row in mine} == {"anthropic"}
    found = prices_list("opus", provider="anthropic", today=TODAY).data["prices"]
    assert 0 < len(found) < len(mine)
    assert all("opus" in row["model"] for row in found)
    tiers = {row["model"]: row for row in prices_list("gemini-2.5-pro", provider="google", today=TODAY).data["prices"]}
    pro = tiers["gemini-2.5-pro"]
    assert pro["steps_at_tokens"] == 200_000
    assert {"kind": "input", "above_input_tokens": 200_000, "usd_per_mtok": Decimal("2.5")} in pro["tiers"]
    assert (pro["batch_input_usd_per_mtok"], pro["batch_output_usd_per_mtok"]) == (Decimal("0.625"), 5)
    then, now = (
        prices_list("claude-opus-4-6", provider="anthropic", as_of=day).data["prices"][0]
        for day in ("2026-03-12", "2026-03-13")
    )
    assert (then["steps_at_tokens"], now["steps_at_tokens"]) == (200_000, None)
    assert then["valid_until"] == now["valid_from"] == "2026-03-13"


def test_bills_side_by_side():
    answer = prices_bill(
        ["gpt-4o", "gpt-4.1"], input_tokens=1000, output_tokens=500, requests=1000, cached_tokens=600, today=TODAY
    )
    first, second = answer.data["bills"]
    assert first["total_usd"] == Decimal("0.4") * Decimal("2.5") + Decimal("0.6") * Decimal("1.25") + 5
    assert second["total_usd"] == Decimal("0.4") * 2 + Decimal("0.6") * Decimal("0.5") + 4
    assert second["saved_usd"] == first["total_usd"] - second["total_usd"]
    assert first["usd_per_request"] * 1000 == first["total_usd"]
    assert "Cheapest: gpt-4.1 at openai" in answer.summary
    assert answer.to_dict()["bills"][0]["total_usd"] == 6.75


@settings(max_examples=30)
@given(
    st.sampled_from(MODELS), st.integers(0, 300_000), st.integers(0, 10_000), st.integers(0, 10**7),
    st.floats(0, 1), st.floats(0, 1), st.sampled_from(["0", "0.1", "0.333"]),
)  # fmt: skip
def test_components_of_a_bill_sum_to_its_total(
    model: str, isl: int, osl: int, requests: int, cached: float, written: float, discount: str
):
    read = int(isl * cached)
    usage = {"cached_tokens": read, "written_tokens": int((isl - read) * written)}
    answer = prices_bill(
        [model], input_tokens=isl, output_tokens=osl, requests=requests, discount=discount, **usage, today=TODAY
    )
    bill = answer.data["bills"][0]
    assert sum((part["usd"] for part in bill["components"]), Decimal(0)) == bill["total_usd"] >= 0
    assert sum(part["tokens"] for part in bill["components"]) == requests * (isl + osl)
    chart = answer.charts["bill"]
    assert sum(value for series in chart.series for value in series.x) == pytest.approx(float(bill["total_usd"]))


def test_bills_of_other_services_days_and_hours():
    def total(*models: str, **more: Any) -> Decimal:
        answer = prices_bill(models, input_tokens=1000, output_tokens=1000, today=TODAY, **more)
        return answer.data["bills"][0]["total_usd"]

    assert total("gpt-4o", service="batch") * 2 == total("gpt-4o")
    assert total("gpt-4o", as_of="2024-06-01") == Decimal("0.02")
    assert total("gpt-4o", discount=0.25) == total("gpt-4o") * Decimal("0.75")
    flash = "deepseek-v4-flash"
    assert total(flash) == total(flash, at="02:00") == total(flash, at="12:00") * 2
    marked = prices_bill(["deepseek-v4-flash"], input_tokens=1, output_tokens=1, today=TODAY)
    assert "dearest hours" in str(marked)
    long = prices_bill(["gpt-4"], input_tokens=8000, output_tokens=500, today=TODAY)
    assert long.data["bills"][0]["fits_context"] is False
    assert "longer than its context of 8,192 tokens" in str(long)


def test_questions_that_cannot_be_answered():
    ask = {"input_tokens": 1, "output_tokens": 1, "today": TODAY}
    with pytest.raises(InputError, match="service='flex': openai lists no such price for gpt-4; it has"):
        prices_bill(["gpt-4"], service="flex", **ask)
    with pytest.raises(InputError, match="names nothing to bill; give one"):
        prices_bill([], **ask)
    with pytest.raises(InputError, match="as_of='soon' is no day; write for example 2024-06-01"):
        prices_bill(["gpt-4"], as_of="soon", **ask)
    with pytest.raises(InputError, match="at='noon' is no time of day"):
        prices_bill(["gpt-4"], at="noon", **ask)
    with pytest.raises(DomainError, match="cached tokens 9 exceed input_tokens=1"):
        prices_bill(["gpt-4"], cached_tokens=9, **ask)
    with pytest.raises(UnknownIdError, match="unknown API model 'xyzzy'; nearest: "):
        prices_list("xyzzy", today=TODAY)
    with pytest.raises(UnknownIdError, match="unknown API model 'xyzzy'"):
        prices_history("xyzzy")
    assert rates_of(api_prices.card("gpt-4o"), "batch").input is not None


def test_the_command(run_cli: Callable[..., Any], tmp_path: Path):
    done = run_cli("prices", "history", "gpt-4o", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    for words in ("List price of gpt-4o at openai", "2024-05-13", "2024-08-06", "% a year"):
        assert words in done.stdout
    assert (tmp_path / "price_history.svg").stat().st_size > 1000
    bill = run_cli("prices", "bill", "gpt-4-32k", "gpt-4-turbo", "--isl", 30000, "--osl", 2000, "--json")
    assert [row["total_usd"] for row in json.loads(bill.stdout)["bills"]] == [2.04, 0.36]
    listed = run_cli("prices", "list", "gpt-4o", "--json")
    assert json.loads(listed.stdout)["prices"][0]["model"]
    wrong = run_cli("prices", "history", "gpt-4p")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("costline: unknown API model 'gpt-4p'; nearest: ")
    assert wrong.stderr.count("\n") == 1
