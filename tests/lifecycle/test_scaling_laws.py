"""Scaling laws: closed forms against brute force, publications against one another, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from costline.errors import DomainError, UnknownIdError
from costline.lifecycle.facts import joint_loss, loss_law, loss_laws, optimum_law, optimum_laws
from costline.lifecycle.inference_aware import inference_aware_parameters, inference_aware_tokens, lifetime_flop
from costline.lifecycle.scaling_laws import (
    kaplan_loss,
    optimal_parameters,
    optimal_tokens,
    parametric_loss,
    smallest_parameters,
    tokens_for_loss,
)

EPOCH = loss_law("besiroglu-2024")
GOPHER_FLOP = 5.76e23
LAWS = st.sampled_from(sorted(loss_laws()))
LOG_FLOP = st.floats(18.0, 27.0)


@given(name=LAWS, log_flop=LOG_FLOP)
def test_no_other_size_of_the_same_budget_reaches_a_lower_loss(name: str, log_flop: float):
    law, flop = loss_law(name), 10**log_flop
    best = float(optimal_parameters(flop, law))
    lowest = float(parametric_loss(best, optimal_tokens(flop, law), law))
    sizes = best * np.geomspace(0.1, 10, 41)
    assert np.all(parametric_loss(sizes, flop / (6 * sizes), law) >= lowest - 1e-12)
    assert 6 * best * float(optimal_tokens(flop, law)) == pytest.approx(flop)


def test_the_unrounded_parametric_loss_meets_the_power_law_of_its_paper():
    # Hoffmann et al. 2022: approach 3 has 40 B at Gopher's budget and an exponent of 0.46
    unrounded, power = loss_law("hoffmann-2022-approach-3-unrounded"), optimum_law("hoffmann-2022-approach-3-power")
    found = [float(optimal_parameters(GOPHER_FLOP, law)) / 1e9 for law in (unrounded, power)]
    assert found == pytest.approx([40, 40], rel=0.02)
    slope = unrounded.token_exponent / (unrounded.parameter_exponent + unrounded.token_exponent)
    assert slope == pytest.approx(power.exponent, abs=0.005)


def test_rounding_the_exponents_alone_moves_the_optimum():
    names = ("hoffmann-2022-approach-3", "hoffmann-2022-approach-3-unrounded")
    ratios = [
        float(optimal_tokens(GOPHER_FLOP, loss_law(n)) / optimal_parameters(GOPHER_FLOP, loss_law(n))) for n in names
    ]
    assert ratios == pytest.approx([92.65, 58.93], abs=0.01)


def test_publications_disagree_as_they_do_in_print():
    sizes = {name: float(optimal_parameters(GOPHER_FLOP, law)) / 1e9 for name, law in optimum_laws().items()}
    assert sizes["hoffmann-2022-approach-1"] == 67
    assert sizes["kaplan-2020"] > 10 * sizes["hoffmann-2022-approach-1"]
    refit = float(optimal_parameters(GOPHER_FLOP, EPOCH)) / 1e9
    assert abs(refit - sizes["hoffmann-2022-approach-1"]) < 6


def test_losses_fall_to_their_limits():
    assert float(parametric_loss(1e300, 1e300, EPOCH)) == pytest.approx(EPOCH.irreducible)
    assert float(kaplan_loss(1e300, 1e300, joint_loss())) == pytest.approx(0.0, abs=1e-9)
    # one term alone: L(N) = (N_c / N)^0.076
    assert float(kaplan_loss(1e9, 1e300, joint_loss())) == pytest.approx((6.4e13 / 1e9) ** 0.076)


@given(size=st.floats(1e8, 1e13), tokens=st.floats(1e9, 1e15))
def test_tokens_for_a_loss_invert_the_loss(size: float, tokens: float):
    loss = parametric_loss(size, tokens, EPOCH)
    assert float(tokens_for_loss(size, loss, EPOCH)) == pytest.approx(tokens, rel=1e-6)
    assert float(smallest_parameters(loss, EPOCH)) < size


@pytest.mark.parametrize("served", [0.0, 1e11, 1e13, 1e15])
def test_inference_aware_size_is_where_the_work_is_least(served: float):
    loss = float(parametric_loss(70e9, 1.4e12, EPOCH))

    def work(log_size: float) -> float:
        size = np.exp(log_size)
        return float(lifetime_flop(size, tokens_for_loss(size, loss, EPOCH), served))

    low = np.log(float(smallest_parameters(loss, EPOCH)) * 1.001)
    found = minimize_scalar(work, bounds=(low, np.log(1e12)), method="bounded", options={"xatol": 1e-10})
    mine = float(inference_aware_parameters(loss, served, EPOCH))
    assert mine == pytest.approx(float(np.exp(found.x)), rel=1e-4)


@given(loss=st.floats(1.85, 3.0), log_served=st.floats(6.0, 18.0), ratio=st.floats(0.1, 10.0))
def test_more_serving_means_a_smaller_model_trained_longer(loss: float, log_served: float, ratio: float):
    served = 10**log_served
    sizes = [float(inference_aware_parameters(loss, d, EPOCH, cost_ratio=ratio)) for d in (0.0, served, 10 * served)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] >= float(smallest_parameters(loss, EPOCH))
    dearer = float(inference_aware_parameters(loss, served, EPOCH, cost_ratio=2 * ratio))
    assert dearer == pytest.approx(float(inference_aware_parameters(loss, 2 * served, EPOCH, cost_ratio=ratio)))
    tokens = float(inference_aware_tokens(loss, served, EPOCH, cost_ratio=ratio))
    assert float(parametric_loss(sizes[1], tokens, EPOCH)) == pytest.approx(loss, rel=1e-6)


def test_without_serving_it_is_the_cheapest_to_train():
    flop = 1e24
    best = optimal_parameters(flop, EPOCH)
    loss = parametric_loss(best, optimal_tokens(flop, EPOCH), EPOCH)
    assert float(inference_aware_parameters(loss, 0.0, EPOCH)) == pytest.approx(float(best))


def test_losses_below_the_floor_are_refused():
    with pytest.raises(DomainError, match=r"irreducible 1\.8172"):
        inference_aware_parameters(1.8, 0.0, EPOCH)
    with pytest.raises(DomainError, match="must not be negative"):
        inference_aware_parameters(2.0, -1.0, EPOCH)
    assert float(tokens_for_loss(1e6, 1.9, EPOCH)) == np.inf


def test_an_unknown_law_names_the_nearest():
    with pytest.raises(UnknownIdError, match="besiroglu-2024"):
        loss_law("besiroglu")
    with pytest.raises(UnknownIdError, match="kaplan-2020"):
        optimum_law("kaplan")
