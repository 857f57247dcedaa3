"""Price cards against the package they come from: the right card on the right day, and the same bills."""

from __future__ import annotations

import datetime
import importlib.metadata
import random
import socket
from decimal import Decimal

import pytest
from genai_prices.data import providers
from genai_prices.types import Usage as PackageUsage

from costline.catalog import api_cards, api_history, api_prices, load
from costline.catalog.api_records import Rate
from costline.errors import InputError, UnknownIdError
from costline.money.api_bill import Usage, request_bill

MODELS = [(provider, model) for provider in providers for model in provider.models]
OTHER_UNITS = {"requests_kcount"}
"""Priced by the package for each request, whatever its tokens."""


@pytest.mark.parametrize("service", ["standard", "batch"])
def test_bills_are_those_of_the_package(service: str):
    rng, compared = random.Random(3), 0
    for provider, model in MODELS:
        for card in api_prices.cards(model.id, provider.id):
            rates = card.rates if service == "standard" else card.variants.get(service)
            if rates is None or not (rates.input and rates.output) or OTHER_UNITS & {*card.also_billed}:
                continue
            if card.peak or card.model != model.id:
                continue
            parts = [rng.choice([0, rng.randrange(400_000)]) for _ in range(5)]
            fresh, read, write, output, reasoning = parts
            usage = Usage(fresh + read + write, output + reasoning, read, write, reasoning_tokens=reasoning)
            there = PackageUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=read,
                cache_write_tokens=write,
                output_reasoning_tokens=reasoning,
            )
            if card.valid_until and service != "standard":
                continue  # the package knows other services from the day it first checked them
            day = (card.valid_from or "2020-01-01") if card.valid_until else max(card.valid_from, "2026-11-20")
            moment = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC)
            context = None if service == "standard" else {"processing": service}
            price = model.calc_price(there, provider, genai_request_timestamp=moment, price_context=context)
            assert request_bill(rates, usage).total_usd == price.total_price, (provider.id, model.id, day)
            compared += 1
    assert compared > (2000 if service == "standard" else 50)


def test_every_model_is_found_by_its_own_id():
    for provider, model in MODELS:
        assert api_prices.find(model.id, provider.id) == (provider, model)


def test_no_network_is_asked(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a price was asked of the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert api_prices.card("gpt-4o").rates.input == Rate(Decimal("2.5"))


def test_the_data_say_how_old_they_are(monkeypatch: pytest.MonkeyPatch):
    known = api_prices.snapshot()
    named = load.sources()["genai-prices"].locator
    assert named == f"version {known.version} of {known.date}"
    assert known.version == importlib.metadata.version("genai-prices")
    assert (known.providers, known.models) == (len(providers), len(MODELS))
    # Another version: the newest check that the data mention, which is older than the release.
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "9.9.9")
    other = api_cards.snapshot.__wrapped__()
    assert other.date_is == "the newest check that the data mention"
    assert "2026-10-01" < other.date < known.date


@pytest.mark.parametrize(("day", "input_price", "output_price"), [
    ("2024-05-13", "5", "15"), ("2024-08-05", "5", "15"), ("2024-08-06", "2.5", "10"), (None, "2.5", "10"),
])  # fmt: skip
def test_gpt_4o_by_day(day: str | None, input_price: str, output_price: str):
    rates = api_prices.card("gpt-4o", as_of=day).rates
    assert (rates.input, rates.output) == (Rate(Decimal(input_price)), Rate(Decimal(output_price)))


def test_before_a_model_there_is_no_price():
    with pytest.raises(InputError, match="as_of=2024-05-12: openai did not sell gpt-4o-2024-05-13 yet; its"):
        api_prices.card("gpt-4o", as_of="2024-05-12")


def test_announced_prices_wait_for_their_day():
    now, then = (api_prices.card("gemini-3.6-flash", as_of=day) for day in ("2026-11-20", "2027-01-01"))
    assert (now.rates.input, then.rates.input) == (Rate(Decimal("0.75")), Rate(Decimal("1.5")))
    assert now.valid_until == then.valid_from == "2027-01-01"
    batch = [one.variants["batch"].input for one in (now, then)]
    assert batch == [Rate(Decimal("0.375")), Rate(Decimal("0.75"))]


def test_peak_hours_win_unless_a_time_is_given():
    name = "deepseek-v4-flash"
    assert api_prices.card(name).rates.output == Rate(Decimal("1.2"))
    prices = {
        hour: api_prices.card(name, at=datetime.time(hour)).rates.output for hour in (0, 1, 3, 4, 5, 6, 9, 10, 23)
    }
    peak, rest = Rate(Decimal("1.2")), Rate(Decimal("0.6"))
    assert prices == {0: rest, 1: peak, 3: peak, 4: rest, 5: rest, 6: peak, 9: peak, 10: rest, 23: rest}


@pytest.mark.parametrize(("name", "provider", "found"), [
    ("gpt-4o", None, ("openai", "gpt-4o")),
    ("gpt-4o-2024-08-06", None, ("openai", "gpt-4o")),
    ("openai/gpt-4o", None, ("openai", "gpt-4o")),
    ("claude-opus-4.6", None, ("anthropic", "claude-opus-4-6")),
    ("groq/llama-3.3-70b", None, ("groq", "llama-3.3-70b-versatile")),
    ("llama-3.3-70b", "Together", ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo")),
])  # fmt: skip
def test_names(name: str, provider: str | None, found: tuple[str, str]):
    seller, model = api_prices.find(name, provider)
    assert (seller.id, model.id) == found


def test_names_that_mean_nothing_or_too_much():
    with pytest.raises(InputError, match=r"'llama-3.3-70b' is sold by avian, aws, .*; name one with provider"):
        api_prices.find("llama-3.3-70b")
    with pytest.raises(UnknownIdError, match="unknown API model 'gpt-9o'; nearest: "):
        api_prices.find("gpt-9o")
    with pytest.raises(UnknownIdError, match="unknown API provider 'opnai'; nearest: openai"):
        api_prices.find("gpt-4o", "opnai")
    with pytest.raises(UnknownIdError, match="unknown model of anthropic 'gpt-4o'"):
        api_prices.find("gpt-4o", "anthropic")


@pytest.mark.parametrize(("one", "other", "same"), [
    ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b", True),
    ("meta.llama3-3-70b-instruct-v1:0", "llama-3.3-70b", True),
    ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "llama-3.3-70b", True),
    ("databricks-meta-llama-3-3-70b-instruct", "llama-3.3-70b", True),
    ("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", "llama-3.1-70b", True),
    ("gpt-4-turbo", "gpt-4", False),
    ("llama-3.3-70b-instruct:free", "llama-3.3-70b", False),
    ("~anthropic/claude-opus-latest", "claude-opus", False),
    ("nvidia/llama-3.1-nemotron-70b-instruct", "llama-3.1-70b", False),
])  # fmt: skip
def test_which_names_are_one_model(one: str, other: str, same: bool):
    assert (api_prices.normal(one) == api_prices.normal(other)) is same


def test_sellers_of_an_open_model():
    found = api_prices.sellers("llama-3.1-70b")
    assert {one.provider for one in found} >= {"aws", "groq", "novita", "openrouter", "together"}
    assert all(one.rates.input and one.rates.output for one in found)


def test_histories():
    assert [(one.date, str(one.input_usd_per_mtok)) for one in api_history.history("gpt-4o")] == [
        ("2024-05-13", "5"), ("2024-08-06", "2.5"),
    ]  # fmt: skip
    assert [one.provenance.kind for one in api_history.history("o3")] == ["inferred", "vendor"]
    assert api_history.history("gpt-5.6-luna")[0].date == ""
    # Withdrawn: its launch is all that is known.
    assert [one.date for one in api_history.history("gpt-3")] == ["2020-06"]
    assert api_history.withdrawn("gpt-3")
    assert not api_history.withdrawn("gpt-4o")
    with pytest.raises(UnknownIdError, match="unknown API model 'gpt-9'"):
        api_history.history("gpt-9")


def test_launches_are_sold_at_or_below_their_launch_price_and_cite_a_source():
    for point in api_history.launches():
        assert point.provenance.source in load.sources()
        if not api_history.withdrawn(point.model, point.provider):
            now = api_prices.card(point.model, point.provider).rates.input
            assert now is not None
            assert now.usd_per_mtok <= (point.input_usd_per_mtok or 0)


def test_levels_of_capability():
    assert api_history.levels() == ("gpt-3", "gpt-4")
    for level in api_history.levels():
        days = [point.date for point in api_history.history_of_level(level)]
        assert days == sorted(days)
        assert all(level in point.reaches for point in api_history.history_of_level(level))
    with pytest.raises(UnknownIdError, match="unknown level of capability 'gpt-5'"):
        api_history.history_of_level("gpt-5")
