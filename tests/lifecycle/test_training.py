"""Work, time and money of a training run: published runs, and what must hold for any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.weights import parameters
from costline.catalog.models import find_model
from costline.errors import DomainError
from costline.lifecycle.training import (
    research_multiplier,
    training_days,
    training_device_hours,
    training_flop,
    training_usd,
)
from costline.lifecycle.training_work import forward_flop_per_token, model_training_flop, recomputed_share

GPT3 = find_model("gpt-3-175b")
POSITIVE = st.floats(1e-3, 1e6)


def test_gpt_3_from_its_own_record():
    # Brown et al. 2020, appendix D: 174.6 B parameters, 300 B tokens, 3.14e23 FLOP
    flop = float(training_flop(parameters(GPT3).total, 300e9))
    assert flop == pytest.approx(3.14e23, rel=0.002)
    # 28 TFLOP/s a V100 at 1.50 USD: 355 years and 4.6 million USD (claim gpt3-cost, from lambda.ai)
    hours = training_device_hours(flop, 28e12, 1.0)
    assert float(hours) / 8760 == pytest.approx(355.6, abs=0.3)
    assert float(training_usd(hours, 1.5)) == pytest.approx(4.6726e6, rel=0.002)


def test_exact_work_is_six_n_d_plus_the_scores():
    counts = parameters(GPT3).by_component
    linear = counts["attention"] + counts["mlp"] + GPT3.vocab * GPT3.hidden
    # causal scores: 2 products of 2 d (S + 1) / 2 FLOP a layer and token
    scores = 96 * 2 * 2 * 12288 * (2048 + 1) / 2
    assert float(model_training_flop(GPT3, 1.0, 2048)) == pytest.approx(3 * (2 * linear + scores), rel=1e-12)


@pytest.mark.parametrize("name", ["llama-3-70b", "mixtral-8x7b", "deepseek-v3"])
def test_short_sequences_cost_two_flop_for_each_active_parameter(name: str):
    model = find_model(name)
    one = float(forward_flop_per_token(model, 1.0))
    embedding = 0 if model.tied_embeddings else model.vocab * model.hidden
    assert one == pytest.approx(2 * (parameters(model).active - embedding), rel=0.002)


def test_recomputation_lies_between_nothing_and_a_third():
    shares = [float(recomputed_share(GPT3, 2048, how)) for how in ("none", "selective", "full")]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[2] == pytest.approx(1 / 3)


@given(hours=POSITIVE, price=POSITIVE, times=st.floats(1, 1e4), devices=st.integers(1, 10**6))
def test_money_follows_hours_and_days_follow_devices(hours: float, price: float, times: float, devices: int):
    assert float(training_usd(hours, price, times)) == pytest.approx(hours * price * times)
    assert float(training_usd(hours, price, times)) >= float(training_usd(hours, price))
    assert float(training_days(hours, devices)) * devices * 24 == pytest.approx(hours)


def test_research_multiplier_of_one_run_is_one():
    assert float(research_multiplier(120.0, 120.0)) == 1.0


@pytest.mark.parametrize("mfu", [0.0, -0.1, 1.01])
def test_utilisation_outside_its_domain_is_refused(mfu: float):
    with pytest.raises(DomainError, match="mfu="):
        training_device_hours(1e24, 1e15, mfu)


def test_negative_prices_and_small_multipliers_are_refused():
    with pytest.raises(DomainError, match="usd_per_hour="):
        training_usd(1.0, -1.0)
    with pytest.raises(DomainError, match="research_multiplier="):
        training_usd(1.0, 1.0, 0.5)
    with pytest.raises(DomainError, match="peak_flop_per_s="):
        training_device_hours(1.0, 0.0, 0.5)
