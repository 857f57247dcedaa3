"""Layouts: every legal one and none other; blocks give what the whole gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.catalog.find import chip, system
from costline.catalog.models import find_model, models
from costline.deployment.grid import Fixed, batch_sizes, check_fixed, in_blocks, layouts, tensor_degree_error
from costline.deployment.plan import head_counts
from costline.errors import InputError

MODELS = models()
LLAMA, DEEPSEEK, HYBRID = find_model("llama-3.1-70b"), find_model("deepseek-v3"), find_model("qwen3.5-397b-a17b")
HGX, POD = system("hgx-h100"), system(chip("tpu-v5e").system)


def rows(model, wired, limit: int, fixed: Fixed | None = None) -> list[tuple[int, ...]]:
    cut = layouts(model, wired, max_accelerators=limit, fixed=fixed)
    return [tuple(map(int, row)) for row in zip(cut.tp, cut.pp, cut.dp, cut.ep, strict=True)]


def test_every_power_of_two_of_a_dense_model():
    found = rows(LLAMA, HGX, 64)
    by_hand = {(tp, pp, 1, 1) for tp, pp in itertools.product([1, 2, 4, 8, 16, 32], [1, 2, 4, 8, 16]) if tp * pp <= 64}
    assert set(found) == by_hand
    assert len(found) == len(by_hand)


def test_experts_are_cut_like_matrices_or_whole():
    # Mixtral, 8 experts, on 4: over the tensor group as matrices or whole; beside attention groups only whole.
    lanes = [(1, 1, 1), (2, 1, 1), (2, 1, 2), (4, 1, 1), (4, 1, 4), (1, 2, 2), (1, 4, 4), (2, 2, 4)]
    by_hand = {(tp, pp, dp, ep) for tp, dp, ep in lanes for pp in (1, 2, 4) if tp * pp * dp <= 4}
    assert set(rows(find_model("mixtral-8x7b"), HGX, 4)) == by_hand


def test_one_is_never_refused():
    check_fixed(LLAMA, Fixed(tp=1, pp=1, dp=1, ep=1))
    assert rows(LLAMA, HGX, 1, Fixed(tp=1, pp=1, dp=1, ep=1)) == [(1, 1, 1, 1)]


@pytest.mark.parametrize("ep", [1, 8])
def test_both_ways_may_be_fixed(ep: int):
    check_fixed(DEEPSEEK, Fixed(tp=2, dp=4, ep=ep))
    assert rows(DEEPSEEK, HGX, 8, Fixed(tp=2, pp=1, dp=4, ep=ep)) == [(2, 1, 4, ep)]


@settings(max_examples=60)
@given(
    id=st.sampled_from(sorted(MODELS)),
    wired=st.sampled_from([HGX, POD, system("gb200-nvl72")]),
    limit=st.integers(1, 128),
    fixed=st.builds(Fixed, tp=st.sampled_from([None, 1, 2, 4]), pp=st.sampled_from([None, 1, 2]),
                    dp=st.sampled_from([None, 1, 4]), ep=st.sampled_from([None, 1, 2, 8])),
)  # fmt: skip
def test_every_layout_is_legal(id: str, wired, limit: int, fixed: Fixed):
    model = MODELS[id]
    try:
        found = rows(model, wired, limit, fixed)
    except InputError:
        return  # what is refused, and how, stands below
    experts = [group.moe.experts for group in model.layers if group.moe]
    layers = sum(group.count for group in model.layers)
    slices = {piece.accelerators for piece in wired.slices}
    assert len(set(found)) == len(found)
    for tp, pp, dp, ep in found:
        assert tp * pp * dp <= limit
        assert not slices or tp * pp * dp in slices
        assert pp <= layers
        assert all(heads % tp == 0 for heads in head_counts(model))
        assert ep in (1, tp * dp)
        assert all(count % ep == 0 for count in experts)
        assert experts or (dp, ep) == (1, 1)
        for name, degree in (("tp", tp), ("pp", pp), ("dp", dp), ("ep", ep)):
            assert getattr(fixed, name) in (None, degree)


def test_a_fixed_degree_narrows_the_search_only():
    everything = set(rows(DEEPSEEK, HGX, 64))
    assert set(rows(DEEPSEEK, HGX, 64, Fixed(ep=16))) == {row for row in everything if row[3] == 16}
    assert set(rows(DEEPSEEK, HGX, 64, Fixed(tp=4, pp=1))) == {row for row in everything if row[:2] == (4, 1)}
    assert rows(DEEPSEEK, HGX, 8, Fixed(tp=16)) == []


def test_slices_of_a_pod():
    # v5e: 1, 4 (2x2), 8 (2x4), 16 (4x4), 32, 64, 128, 256; two chips are no slice.
    assert {tp * pp for tp, pp, _, _ in rows(LLAMA, POD, 256)} == {1, 4, 8, 16, 32, 64, 128, 256}


def test_a_system_without_a_network_ends_at_its_domain():
    mac = next(s for s in map(system, ["mac-m4-max"]) if s.scale_out_bytes_per_s == 0)
    assert rows(find_model("llama-3.1-8b"), mac, 64) == [(1, 1, 1, 1)]


@pytest.mark.parametrize(("model", "fixed", "message"), [
    (LLAMA, Fixed(tp=3), r"tp=3 does not divide num_attention_heads=64 of llama-3.1-70b; try 1, 2, 4, 8, 16, 32, 64$"),
    (LLAMA, Fixed(tp=0), r"tp=0 must be at least 1; leave it out to search"),
    (LLAMA, Fixed(pp=81), r"pp=81 exceeds the 80 layers of llama-3.1-70b; use at most 80"),
    (LLAMA, Fixed(ep=2), r"ep=2 needs experts, but llama-3.1-70b is dense; use ep=1"),
    (LLAMA, Fixed(dp=2), r"dp=2 \(attention data parallel\) needs experts; llama-3.1-70b is dense: use replicas"),
    (DEEPSEEK, Fixed(ep=3), r"ep=3 does not divide the 256 experts of deepseek-v3; try 1, 2, 4"),
    (DEEPSEEK, Fixed(tp=2, dp=4, ep=4), r"ep=4 must be 1 or tp·dp=8"),
    (DEEPSEEK, Fixed(tp=2, dp=4, ep=2), r"ep=2 must be 1 or tp·dp=8"),
])  # fmt: skip
def test_what_can_never_work_is_refused_with_a_remedy(model, fixed: Fixed, message: str):
    with pytest.raises(InputError, match=message):
        check_fixed(model, fixed)


def test_states_are_heads_too():
    assert head_counts(HYBRID) == (32, 64)
    assert tensor_degree_error(HYBRID, 32) is None
    assert tensor_degree_error(HYBRID, 64) is not None


@given(st.integers(1, 100_000))
def test_batch_sizes_climb_in_small_steps(largest: int):
    sizes = batch_sizes(largest)
    assert sizes[0] == 1
    assert sizes[-1] <= largest < 1.25 * sizes[-1] + 1
    assert (np.diff(sizes) > 0).all()
    assert (sizes[1:] / sizes[:-1] <= 2).all()
    assert (sizes == np.round(sizes)).all()


def test_no_batch_where_nothing_fits():
    assert batch_sizes(0).size == 0
    assert batch_sizes(1).tolist() == [1]


@given(rows=st.integers(0, 50), block=st.integers(1, 60))
def test_blocks_give_what_the_whole_gives(rows: int, block: int):
    rng = np.random.default_rng(rows)
    left, right = rng.random(rows), rng.random(rows)

    def function(a, b):
        assert a.shape == b.shape
        assert a.size <= block
        return {"sum": a + b, "index": np.argsort(a) * 0 + 1, "constant": np.asarray(7.0)}

    found = in_blocks(function, left, right, block=block)
    np.testing.assert_array_equal(found["sum"], left + right)
    assert found["index"].dtype == int
    assert found["constant"].tolist() == [7.0] * rows


def test_blocks_take_axes_that_broadcast():
    found = in_blocks(lambda a, b: {"product": a * b}, np.arange(3.0)[:, None], np.arange(5.0), block=4)
    assert found["product"].tolist() == np.outer(np.arange(3.0), np.arange(5.0)).ravel().tolist()
