"""The equations of the room as equations: complete docstrings, one code path for numbers and arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

import docstrings
from costline.catalog.load import sources
from costline.catalog.models import find_model
from costline.lifecycle import (
    activations,
    adapter_serving,
    compression,
    crossover,
    facts,
    fine_tuning,
    inference_aware,
    net_present_value,
    parallel_efficiency,
    rlhf,
    scaling_laws,
    training,
    training_memory,
    training_work,
)
from docstrings import PACKAGE

FILES = sorted((PACKAGE / "lifecycle").glob("*.py"))
NO_EQUATION = {"facts.py"}
"""Files that read facts."""

LLAMA, GPT3 = find_model("llama-3-70b"), find_model("gpt-3-175b")
EPOCH, KAPLAN_SIZE = facts.loss_law("besiroglu-2024"), facts.optimum_law("kaplan-2020")
ADAMW = facts.training_state("adamw")
N, D = [1e9, 7e10, 1e12], [1e10, 1.4e12]
SHARES, COUNTS, USD = [0.0, 0.3, 1.0], [1.0, 4.0, 64.0], [0.0, 0.5, 1e6]

GRIDS: list[tuple[Callable[..., Any], list[list[float]]]] = [
    (training.training_flop, [N, D]),
    (training.training_device_hours, [[0.0, 1e24], [1e14, 1e15], [0.1, 1.0]]),
    (training.training_days, [[0.0, 1e6], COUNTS]),
    (training.training_usd, [[0.0, 1e6], USD, [1.0, 2000.0]]),
    (training.research_multiplier, [[120.0, 239_942.0], [120.0, 1.0]]),
    (lambda s: training_work.forward_flop_per_token(LLAMA, s), [[1.0, 2048.0, 131_072.0]]),
    (lambda d, s: training_work.model_training_flop(LLAMA, d, s), [D, [1.0, 8192.0]]),
    (lambda s: training_work.recomputed_share(LLAMA, s, "selective"), [[1.0, 8192.0]]),
    (lambda n: training_memory.training_state_bytes(n, ADAMW), [N]),
    (lambda n, d, s: training_memory.zero_state_bytes(n, ADAMW, stage=2, dp=d, shards=s), [N, COUNTS, COUNTS]),
    (activations.gpt_layer_activation_bytes, [COUNTS, [2048.0], [512.0, 12288.0], COUNTS, COUNTS]),
    (lambda s, t: activations.layer_activation_bytes(LLAMA.layers[0], 8192, s, tp=t, flash=False), [[9.0], COUNTS]),
    (lambda a, p, m: activations.stage_activation_bytes(a, 80, pp=p, micro_batches=m), [[1e9], COUNTS, COUNTS]),
    (lambda a: activations.model_activation_bytes(LLAMA, {0: a}), [[0.0, 1e6]]),
    (parallel_efficiency.pipeline_bubble, [COUNTS, COUNTS, COUNTS]),
    (parallel_efficiency.idle_share, [SHARES]),
    (parallel_efficiency.tensor_parallel_bytes, [COUNTS, [8192.0], [80.0], COUNTS]),
    (parallel_efficiency.mixed_kernel_share, [[0.5, 1.0], [0.3, 1.0], SHARES]),
    (lambda k, b, e: parallel_efficiency.training_mfu(k, bubble=b, exposed=e), [[0.5, 1.0], SHARES, SHARES]),
    (parallel_efficiency.achieved_mfu, [[1e15, 5e17], COUNTS, [3.12e14]]),
    (parallel_efficiency.hardware_to_model_share, [SHARES, SHARES]),
    (lambda n, d: scaling_laws.parametric_loss(n, d, EPOCH), [N, D]),
    (lambda n, d: scaling_laws.kaplan_loss(n, d, facts.joint_loss()), [N, D]),
    (lambda c: scaling_laws.optimal_parameters(c, EPOCH), [[1e20, 1e26]]),
    (lambda c: scaling_laws.optimal_parameters(c, KAPLAN_SIZE), [[1e20, 1e26]]),
    (lambda c: scaling_laws.optimal_tokens(c, EPOCH), [[1e20, 1e26]]),
    (lambda n, loss: scaling_laws.tokens_for_loss(n, loss, EPOCH), [N, [1.8, 1.9, 2.5]]),
    (lambda loss: scaling_laws.smallest_parameters(loss, EPOCH), [[1.9, 2.5]]),
    (inference_aware.lifetime_flop, [N, D, D]),
    (lambda loss, d: inference_aware.inference_aware_parameters(loss, d, EPOCH), [[1.9, 2.5], [0.0, 1e12, 1e20]]),
    (lambda loss, d: inference_aware.inference_aware_tokens(loss, d, EPOCH), [[1.9, 2.5], [0.0, 1e12, 1e20]]),
    (crossover.crossover_tokens, [USD, USD]),
    (crossover.crossover_days, [[0.0, 1e12], [0.0, 1e9], [0.0, 0.01]]),
    (crossover.payback_tokens, [USD, USD, [-1.0, 0.0, 0.5]]),
    (lambda r: fine_tuning.lora_parameters(GPT3, r, ("q", "v")), [COUNTS]),
    (lambda p: fine_tuning.fine_tuning_bytes(LLAMA, "qlora", ADAMW, adapter_parameters=p), [[0.0, 1e8]]),
    (lambda n, d, p: fine_tuning.fine_tuning_flop(n, d, method="lora", adapter_parameters=p), [N, D, [0.0, 1e8]]),
    (adapter_serving.adapters_that_fit, [[0.0, 4e9], [4e7, 1e8]]),
    (adapter_serving.tenant_devices, [[0.0, 75.0], [1.0, 50.0], [1500.0], COUNTS]),
    (adapter_serving.usd_per_tenant, [USD, COUNTS]),
    (adapter_serving.shared_break_even_requests, [USD, [0.51, 0.01]]),
    (rlhf.annotation_usd, [[0.0, 5e4], USD]),
    (lambda n: rlhf.preference_state_bytes(n, "grpo", ADAMW), [N]),
    (lambda n, d, g: rlhf.preference_flop(n, "ppo", tokens=d, rollout_tokens=g), [N, D, D]),
    (rlhf.compute_share, [[0.0, 60.0], [3640.0]]),
    (compression.fallback_usd_per_mtok, [USD, USD, SHARES]),
    (compression.fallback_break_even, [USD, [0.5, 2.0]]),
    (compression.distillation_flop, [N, N, D]),
    (compression.pruned_parameters, [N, [0.0, 0.5]]),
    (lambda v, u, g: net_present_value.yearly_usd(v, u, 3, growth_per_year=g)[..., -1], [D, USD, SHARES]),
    (lambda v, g: net_present_value.tokens_over_life(v, 3, g), [D, SHARES]),
    (lambda c, i: net_present_value.net_present_value(np.stack([c, c], axis=-1), i), [USD, SHARES]),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(GRIDS)))
def test_an_array_gives_what_its_elements_give(case: int):
    function, axes = GRIDS[case]
    grid = function(*np.meshgrid(*map(np.asarray, axes), indexing="ij", sparse=True))
    alone = [float(function(*point)) for point in itertools.product(*axes)]
    assert np.broadcast_to(grid, [len(axis) for axis in axes]).ravel() == pytest.approx(alone, rel=1e-12, nan_ok=False)


def test_a_number_gives_an_array_without_axes():
    shapes = {np.shape(function(*(axis[0] for axis in axes))) for function, axes in GRIDS}
    assert shapes == {()}


def test_each_public_function_is_a_complete_equation():
    units = {item["unit"] for item in yaml.safe_load((PACKAGE / "catalog/data/terms.yml").read_text("utf-8"))["units"]}
    known = set(sources())
    problems: list[str] = []
    for path in FILES:
        for node in docstrings.public_functions(path) if path.name not in NO_EQUATION else ():
            found = docstrings.read_equation(node, path.name)
            lacks = [name for name in docstrings.REQUIRED if not found.sections.get(name)]
            given = [item.unit for item in found.parameters if item.unit] + list(found.return_units)
            faults = {
                "sections": lacks,
                "units": [unit for unit in given if unit not in units],
                "sources": [key for key in found.source_keys if key not in known] or (not found.source_keys),
                "parameters": sorted(item.name for item in found.parameters) != sorted(found.arguments),
                "doctest": not found.has_doctest,
            }
            problems += [f"{found.place}: {name} {what}" for name, what in faults.items() if what]
    assert problems == []
    assert len(FILES) > 10


def test_each_equation_is_on_a_grid():
    text = (docstrings.ROOT / "tests/lifecycle/test_equations.py").read_text("utf-8")
    names = [node.name for path in FILES if path.name not in NO_EQUATION for node in docstrings.public_functions(path)]
    assert [name for name in names if f".{name}" not in text] == []
