"""Counts add and scale; what does not belong together does not add."""

from __future__ import annotations

import numpy as np
import pytest

from costline.architecture.cost import Cost


def one(name: str = "mlp", math: str = "bf16", size: float = 1.0) -> Cost:
    flop, weights, cache, activations = (np.asarray(part * size) for part in (2.0, 3.0, 5.0, 7.0))
    return Cost(name, math, flop, weights, cache, activations)


def totals(cost: Cost) -> tuple[float, ...]:
    return tuple(
        cost.count * float(part) for part in (cost.flop, cost.weight_bytes, cost.kv_bytes, cost.activation_bytes)
    )


def test_traffic_is_all_three_streams():
    assert one().hbm_bytes == 15


def test_layers_scale_an_operation():
    assert (3 * one()).count == (one() * 3).count == 3
    assert totals(2 * (3 * one())) == totals(6 * one())
    assert totals(0 * one()) == (0, 0, 0, 0)


def test_operations_of_one_kind_add():
    both = 2 * one(size=10) + 3 * one()
    assert both.count == 1
    assert totals(both) == (2 * 23, 3 * 23, 5 * 23, 7 * 23)
    assert totals(one() + 4 * one()) == totals(5 * one())


@pytest.mark.parametrize("other", [one(name="head"), one(math="fp8")])
def test_others_do_not(other: Cost):
    with pytest.raises(ValueError, match=rf"cannot add {other.name} \({other.math}\) to mlp \(bf16\)"):
        one() + other
