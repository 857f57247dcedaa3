"""CAPABILITIES section 8, training and lifecycle: each row's example with the number that first principles give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from costline.architecture.formats import bytes_per_weight
from costline.architecture.weights import parameters
from costline.catalog.models import find_model
from costline.lifecycle.adapter_serving import shared_break_even_requests, usd_per_tenant
from costline.lifecycle.compression import fallback_break_even, fallback_usd_per_mtok
from costline.lifecycle.crossover import crossover_tokens
from costline.lifecycle.facts import compression_evidence, loss_law, optimum_law, training_state
from costline.lifecycle.fine_tuning import fine_tuning_bytes, lora_parameters
from costline.lifecycle.inference_aware import inference_aware_parameters, inference_aware_tokens
from costline.lifecycle.net_present_value import net_present_value, yearly_usd
from costline.lifecycle.parallel_efficiency import achieved_mfu, idle_share, pipeline_bubble
from costline.lifecycle.rlhf import annotation_usd, compute_share, preference_state_bytes
from costline.lifecycle.scaling_laws import optimal_parameters, optimal_tokens, parametric_loss
from costline.lifecycle.training import research_multiplier, training_device_hours, training_flop, training_usd
from costline.lifecycle.training_memory import training_state_bytes

ADAMW = training_state("adamw")
EPOCH = loss_law("besiroglu-2024")
GPT3 = find_model("gpt-3-175b")
BUDGET = 5.76e23


def test_cap_8_1_training_flop_hours_and_cost():
    flop = training_flop(70e9, 15e12)
    assert float(flop) == 6.3e24
    # TPU v5p: 459 TFLOP/s bf16 at 40 %, 4.20 USD an hour
    assert float(training_usd(training_device_hours(flop, 459e12, 0.4), 4.20)) / 1e6 == pytest.approx(40.03, abs=0.01)
    assert float(training_flop(175e9, 300e9)) == 3.15e23
    # 355 years and 4.67 M USD belong to GPT-3's own count of 174.6 B, not to 175 B (356.7 years, 4.69 M)
    hours = training_device_hours(training_flop(parameters(GPT3).total, 300e9), 28e12, 1.0)
    assert float(hours) / 8760 == pytest.approx(355.7, abs=0.2)
    assert float(training_usd(hours, 1.5)) / 1e6 == pytest.approx(4.67, abs=0.01)
    assert float(research_multiplier(239_942, 120)) == pytest.approx(2000, abs=1)


def test_cap_8_2_training_memory():
    assert float(training_state_bytes(65e9, ADAMW)) / 1e12 == pytest.approx(1.04)
    assert float(training_state_bytes(parameters(GPT3).total, ADAMW)) / 1e12 == pytest.approx(2.79, abs=0.01)


def test_cap_8_3_utilisation_and_bubble():
    assert float(achieved_mfu(502e15, 3072, 1e12)) == pytest.approx(163.4, abs=0.1)  # TFLOP/s of each
    assert float(achieved_mfu(502e15, 3072, 312e12)) == pytest.approx(0.524, abs=5e-4)
    assert float(pipeline_bubble(8, 32)) == 7 / 32
    assert float(idle_share(pipeline_bubble(8, 32))) == pytest.approx(0.179, abs=5e-4)


@pytest.mark.parametrize(("law", "size", "ratio"), [
    (loss_law("besiroglu-2024"), 72.2, 18.4),
    (loss_law("hoffmann-2022-approach-3"), 32.2, 92.6),
    (loss_law("hoffmann-2022-approach-3-unrounded"), 40.4, 58.9),
    (optimum_law("hoffmann-2022-approach-1"), 67.0, 21.4),
    (optimum_law("hoffmann-2022-approach-2"), 63.0, 24.2),
    (optimum_law("hoffmann-2022-approach-3-power"), 40.0, 60.0),
    (optimum_law("kaplan-2020"), 804.3, 0.15),
], ids=lambda value: getattr(value, "id", None))  # fmt: skip
def test_cap_8_4_compute_optimal_sizes_by_publication(law: Any, size: float, ratio: float):
    found = float(optimal_parameters(BUDGET, law))
    assert found / 1e9 == pytest.approx(size, abs=0.06)
    assert float(optimal_tokens(BUDGET, law)) / found == pytest.approx(ratio, abs=0.06)


def test_cap_8_5_inference_aware_optimum():
    loss = parametric_loss(70e9, 1.4e12, EPOCH)
    sizes = [float(inference_aware_parameters(loss, served, EPOCH)) / 1e9 for served in (0.0, 1e13)]
    tokens = [float(inference_aware_tokens(loss, served, EPOCH)) / 1e12 for served in (0.0, 1e13)]
    assert sizes == pytest.approx([73.0, 34.5], abs=0.05)
    assert tokens == pytest.approx([1.342, 3.747], abs=0.002)
    ratios = [1e3 * trained / size for size, trained in zip(sizes, tokens, strict=True)]
    assert ratios == pytest.approx([18.4, 108.6], abs=0.1)


def test_cap_8_6_crossover():
    assert float(crossover_tokens(40e6, 0.77)) / 1e12 == pytest.approx(51.9, abs=0.05)
    assert float(crossover_tokens(40e6, 0.77)) / 1e11 == pytest.approx(519.5, abs=0.1)  # days at 100 G tokens a day


def test_cap_8_7_alternatives_over_their_life():
    ratio = 280e9 * bytes_per_weight("fp16") / (70e9 * bytes_per_weight("int8"))
    assert ratio == 8.0
    # Gopher's 280 B on 300 B tokens and Chinchilla's 70 B on 1.4 T: 5.04e23 and 5.88e23 FLOP at 1 USD per 1e18;
    # serving 1e13 tokens a year for three years at 4 and 1 USD a million.
    start = training_flop(np.array([280e9, 70e9]), np.array([300e9, 1.4e12])) / 1e18
    large, small = net_present_value(yearly_usd(1e13, np.array([4.0, 1.0]), 3, upfront_usd=start), 0.1)
    assert start[1] / start[0] == pytest.approx(1.1667, abs=1e-4)
    assert large == pytest.approx(504e3 + 40e6 * (1 / 1.1 + 1 / 1.21 + 1 / 1.331))
    assert small == pytest.approx(588e3 + 10e6 * (1 / 1.1 + 1 / 1.21 + 1 / 1.331))


def test_cap_8_8_fine_tuning():
    assert float(lora_parameters(GPT3, 4, ("q", "v"))) == 18_874_368
    assert float(training_state_bytes(7e9, ADAMW)) / 1e9 == 112
    llama = find_model("llama-2-7b")  # 6.74 B
    assert float(fine_tuning_bytes(llama, "full", ADAMW)) / 1e9 == pytest.approx(107.8, abs=0.05)


def test_cap_8_9_adapters_by_tenant():
    assert float(usd_per_tenant(500, 75)) == pytest.approx(6.67, abs=0.004)
    # 500 / 0.51 = 980.4: 980 rewrites still cost 20 cents less than the GPU
    assert float(shared_break_even_requests(500, 0.51)) == 981


def test_cap_8_10_rlhf_budget():
    assert float(annotation_usd(50_000, 100)) == 5e6
    assert float(compute_share(60, 3640)) == pytest.approx(0.0165, abs=2e-5)
    assert float(preference_state_bytes(70e9, "ppo", ADAMW)) / 1e9 == 2520


def test_cap_8_11_compression_with_evidence_and_fallback():
    evidence = compression_evidence()
    assert (evidence["int8-weights"].lost_low, evidence["int8-weights"].lost_high) == (0.01, 0.02)
    assert all(one.lost_low <= one.lost_high for one in evidence.values())
    assert {one.provenance[""].kind for one in evidence.values()} == {"assumed"}
    assert float(fallback_usd_per_mtok(0.5, 1.0, evidence["int8-weights"].lost_high)) == pytest.approx(0.52)
    assert float(fallback_break_even(0.5, 1.0)) == 0.5


COMPUTED: dict[str, Callable[[], float]] = {
    "training-cost-70b": lambda: float(training_usd(training_device_hours(6.3e24, 459e12, 0.4), 4.20)),
    "training-inference-crossover": lambda: float(crossover_tokens(40e6, 0.77)),
    "adamw-16-bytes": lambda: ADAMW.total,
    "gpt3-flops": lambda: float(training_flop(175e9, 300e9)),
    "gpt3-cost": lambda: float(training_usd(training_device_hours(3.14e23, 28e12, 1.0), 1.5)),
    "megatron-1t-utilisation": lambda: 100 * float(achieved_mfu(502e15, 3072, 312e12)),
    "strubell-rnd-multiplier": lambda: float(research_multiplier(239_942, 120)),
    "chinchilla-flops": lambda: float(training_flop(70e9, 1.4e12) / training_flop(280e9, 300e9)),
    "chinchilla-20-to-1": lambda: float(optimal_tokens(BUDGET, EPOCH) / optimal_parameters(BUDGET, EPOCH)),
    "rlhf-compute-share": lambda: 100 * float(compute_share(60, 3640)),
    "rlhf-annotation-cost": lambda: float(annotation_usd(50_000, 100)),
    "rlhf-four-copies": lambda: float(preference_state_bytes(70e9, "ppo", ADAMW)) / 1e9,
    "lora-gpt3-params": lambda: float(lora_parameters(GPT3, 4, ("q", "v"))),
}
"""Claims that this room computes, by id."""


@pytest.mark.parametrize("claim", COMPUTED)
def test_a_claim_comes_out_as_it_was_checked(claim: str, shared: Path):
    text = (shared / "claims.yml").read_text("utf-8")
    checked = {one["id"]: one["check"] for one in yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))}
    assert COMPUTED[claim]() == pytest.approx(checked[claim], rel=5e-4)
