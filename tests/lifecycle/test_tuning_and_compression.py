"""Fine-tuning, adapters, preferences, compression: counts from real records, properties, limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.weights import parameters
from costline.catalog.models import find_model
from costline.errors import DomainError, UnknownIdError
from costline.lifecycle.adapter_serving import (
    adapters_that_fit,
    shared_break_even_requests,
    tenant_devices,
    usd_per_tenant,
)
from costline.lifecycle.compression import (
    distillation_flop,
    fallback_break_even,
    fallback_usd_per_mtok,
    pruned_parameters,
)
from costline.lifecycle.facts import training_state
from costline.lifecycle.fine_tuning import TARGETS, fine_tuning_bytes, fine_tuning_flop, lora_parameters
from costline.lifecycle.rlhf import annotation_usd, compute_share, preference_flop, preference_state_bytes
from costline.lifecycle.training import training_flop

ADAMW = training_state("adamw")
USD = st.floats(0.01, 100.0)


def test_lora_on_every_matrix_of_llama_2_7b():
    # 32 layers: q, k, v, o 4096 x 4096; gate, up, down 4096 x 11008; rank 16
    by_hand = 32 * 16 * (4 * 2 * 4096 + 3 * (4096 + 11008))
    llama = find_model("llama-2-7b")
    assert float(lora_parameters(llama, 16, TARGETS)) == by_hand == 39_976_960
    assert float(lora_parameters(llama, 16, ("gate",))) == 32 * 16 * (4096 + 11008)


def test_lora_follows_grouped_heads_and_experts():
    llama, mixtral = find_model("llama-3-70b"), find_model("mixtral-8x7b")
    assert float(lora_parameters(llama, 1, ("k",))) == 80 * (8192 + 1024)
    assert float(lora_parameters(mixtral, 1, ("up",))) == 32 * 8 * (4096 + 14336)
    gpt3 = find_model("gpt-3-175b")  # a plain MLP has no gate
    assert float(lora_parameters(gpt3, 1, ("gate",))) == 0.0


def test_what_has_no_such_matrix_is_refused():
    with pytest.raises(DomainError, match="latent attention"):
        lora_parameters(find_model("deepseek-v3"), 8, ("q",))
    with pytest.raises(UnknownIdError, match="LoRA target"):
        lora_parameters(find_model("llama-2-7b"), 8, ("query",))
    assert float(lora_parameters(find_model("deepseek-v3"), 8, ("o", "down"))) > 0


@pytest.mark.parametrize("name", ["llama-2-7b", "llama-3-70b", "mixtral-8x7b"])
def test_each_method_needs_less_than_the_one_before(name: str):
    model = find_model(name)
    adapter = lora_parameters(model, 16, ("q", "v"))
    needed = [
        float(fine_tuning_bytes(model, method, ADAMW, adapter_parameters=adapter))
        for method in ("full", "lora", "qlora")
    ]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] == 16 * parameters(model).total
    assert needed[1] == 2 * parameters(model).total + 16 * float(adapter)
    assert needed[2] > 0.5 * parameters(model).total


def test_frozen_weights_save_a_third_of_the_work():
    assert float(fine_tuning_flop(7e9, 1e9, method="lora")) == pytest.approx(float(training_flop(7e9, 1e9)) * 2 / 3)


@given(tenants=st.integers(1, 10_000), each=st.floats(0.1, 100), rate=st.floats(100, 10_000), fit=st.integers(1, 500))
def test_devices_carry_both_load_and_adapters(tenants: int, each: float, rate: float, fit: int):
    devices = float(tenant_devices(tenants, each, rate, fit))
    assert devices * rate >= tenants * each * (1 - 1e-9)
    assert devices * fit >= tenants
    assert (devices - 1) * rate < tenants * each or (devices - 1) * fit < tenants


def test_adapters_fill_what_is_left():
    assert float(adapters_that_fit(4e9, 40e6)) == 100.0
    assert float(adapters_that_fit(39e6, 40e6)) == 0.0
    with pytest.raises(DomainError, match="tenants=0"):
        usd_per_tenant(500.0, 0)


@given(month=st.integers(1, 10**6), each=st.integers(1, 1000))
def test_the_break_even_is_the_first_request_that_pays(month: int, each: int):
    requests = int(shared_break_even_requests(float(month), float(each)))
    assert requests * each >= month > (requests - 1) * each


def test_rewards_by_rule_need_the_fewest_copies():
    held = {name: float(preference_state_bytes(1.0, name, ADAMW)) for name in ("ppo", "grpo", "rlvr", "dpo")}
    assert held == {"ppo": 36.0, "grpo": 20.0, "rlvr": 18.0, "dpo": 18.0}


def test_preference_work_by_parts():
    # policy writes 2, reference and reward score 4, critic 2, policy and critic learn 12 over one pass
    assert float(preference_flop(1.0, "ppo", tokens=1.0, rollout_tokens=1.0)) == 2 + 4 + 2 + 12
    assert float(preference_flop(1.0, "rlvr", tokens=1.0, rollout_tokens=1.0, epochs=2)) == 2 + 2 + 12
    assert float(preference_flop(1.0, "dpo", tokens=1.0)) == 2 + 6
    assert float(compute_share(preference_flop(1.0, "dpo", tokens=1.0), 800.0)) == 0.01
    assert float(annotation_usd(0, 100.0)) == 0.0


@given(small=USD, large=USD)
def test_at_the_break_even_share_compression_saves_nothing(small: float, large: float):
    share = float(fallback_break_even(small, large))
    assert 0 <= share < 1
    if share > 0:
        assert float(fallback_usd_per_mtok(small, large, share)) == pytest.approx(large)
    assert float(fallback_usd_per_mtok(small, large, 0.0)) == small


def test_distilling_adds_the_teachers_forward_pass():
    assert float(distillation_flop(8e9, 70e9, 1e12) - training_flop(8e9, 1e12)) == pytest.approx(2 * 70e9 * 1e12)
    assert np.isclose(float(pruned_parameters(1e9, 0.25)), 0.75e9)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_outside_0_to_1_are_refused(share: float):
    with pytest.raises(DomainError, match="fallback_share="):
        fallback_usd_per_mtok(0.2, 1.0, share)
    with pytest.raises(DomainError, match="pruned_share="):
        pruned_parameters(1e9, share)
