"""Plans: what they count and how they are written."""

from __future__ import annotations

import pytest

from costline.catalog.models import find_model
from costline.deployment.plan import Plan, head_counts


def plan(tp: int = 1, pp: int = 1, dp: int = 1, ep: int = 1, replicas: int = 1) -> Plan:
    return Plan("h100-sxm", "hgx-h100", tp, pp, dp, ep, 64, replicas, "fp8", "fp8", "fp8")


@pytest.mark.parametrize(("made", "each", "label"), [
    (plan(), 1, "TP1"), (plan(tp=8), 8, "TP8"), (plan(tp=4, pp=2, replicas=2), 8, "2× TP4 PP2"),
    (plan(tp=2, dp=16, ep=32), 32, "TP2 DP16 EP32"), (plan(tp=8, ep=8), 8, "TP8 EP8"),
])  # fmt: skip
def test_a_plan_counts_and_reads(made: Plan, each: int, label: str):
    assert made.accelerators_per_replica == each
    assert made.accelerators == each * made.replicas
    assert made.label == label


@pytest.mark.parametrize(("id", "heads"), [
    ("llama-3.1-70b", (64,)), ("deepseek-v3", (128,)), ("qwen3.5-397b-a17b", (32, 64)), ("gpt-oss-120b", (64,)),
])  # fmt: skip
def test_heads_that_tensor_parallelism_divides(id: str, heads: tuple[int, ...]):
    assert head_counts(find_model(id)) == heads
