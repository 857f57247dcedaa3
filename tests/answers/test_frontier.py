"""The frontier: what no deployment beats, of every model and accelerator asked for."""

from __future__ import annotations

from typing import Any

import pytest

import costline
from costline.errors import InfeasibleError, InputError

CHIPS = ("h100-sxm", "b200-sxm")


def front(models: Any = "llama-3.1-8b", chips: Any = CHIPS, **options: Any) -> list[dict[str, Any]]:
    return costline.frontier(models, chips, **options).data["frontier"]


def test_each_pair_has_its_own_front():
    points = front(["llama-3.1-8b", "mixtral-8x7b"])
    pairs = {(point["model"], point["accelerator"]) for point in points}
    assert pairs == {(model, chip) for model in ("llama-3.1-8b", "mixtral-8x7b") for chip in CHIPS}
    for model, chip in pairs:
        mine = [point for point in points if (point["model"], point["accelerator"]) == (model, chip)]
        assert [point["tpot_s"] for point in mine] == sorted(point["tpot_s"] for point in mine)
        costs = [point["usd_per_mtok"] for point in mine]
        assert costs == sorted(costs, reverse=True)


def test_no_point_beats_one_on_the_overall_front():
    points = front()
    marked = [point for point in points if point["on_overall_frontier"]]
    assert 0 < len(marked) < len(points)
    for one in marked:
        assert [
            other for other in points if other["tpot_s"] < one["tpot_s"] and other["usd_per_mtok"] < one["usd_per_mtok"]
        ] == []


def test_interactivity_is_the_rate_of_one_user():
    for point in front():
        assert point["interactivity_tokens_per_s"] == pytest.approx(1 / point["tpot_s"])


def test_one_name_needs_no_list_and_any_name_will_do():
    assert front("meta-llama/Llama-3.1-8B-Instruct", "NVIDIA H100") == front(["llama-3.1-8b"], ["h100-sxm"])


def test_a_price_moves_costs_in_proportion():
    one, two = (front(chips="h100-sxm", price=price) for price in (1.0, 2.0))
    assert [2 * point["usd_per_mtok"] for point in one] == pytest.approx([point["usd_per_mtok"] for point in two])


def test_fixed_degrees_and_targets_hold():
    points = front(deployment={"tp": 2, "pp": 1}, slo={"tpot_p99_ms": 8})
    assert {(point["tp"], point["pp"]) for point in points} == {(2, 1)}
    assert max(point["tpot_s"] for point in points) <= 0.008


def test_more_accelerators_never_push_the_front_back():
    def cheapest(limit_s: float, most: int) -> float:
        points = front(chips="h100-sxm", max_accelerators=most)
        return min((point["usd_per_mtok"] for point in points if point["tpot_s"] <= limit_s), default=float("inf"))

    for limit_s in (0.003, 0.005, 0.01, 0.1):
        assert cheapest(limit_s, 8) <= cheapest(limit_s, 2) * (1 + 1e-9)


def test_longer_prompts_cost_more():
    costs = [
        min(point["usd_per_mtok"] for point in front(chips="h100-sxm", input_tokens=n)) for n in (256, 2048, 16384)
    ]
    assert costs == sorted(costs)


def test_what_cannot_be_answered():
    with pytest.raises(InputError, match="at least one model and one accelerator"):
        front([])
    with pytest.raises(InputError, match="unknown model"):
        front(["llama-3.1-8b", "nope"])
    with pytest.raises(InputError, match=r"system.max_accelerators=0 must be at least 1"):
        front(max_accelerators=0)
    with pytest.raises(InfeasibleError, match="allow more"):
        front("llama-3.1-405b", "l40s", max_accelerators=1)
    with pytest.raises(InputError, match="no rental offer"):
        front(chips="gaudi3")
