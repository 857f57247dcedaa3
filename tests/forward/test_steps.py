"""Step times: a grid is its scalars, parts make the whole, faster is never slower, known steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.architecture.operations import Formats, Segment, decode_segment, prefill_segment
from costline.architecture.sharding import Layout, layout
from costline.catalog.efficiency import efficiency
from costline.catalog.find import chip, system
from costline.catalog.models import find_model, models
from costline.catalog.records import Model
from costline.forward.rates import Rates, expected_rates, ideal_rates
from costline.forward.steps import RESOURCES, StepTime, step_time

MODELS = models()
VARIED = ["llama-3.1-70b", "falcon-180b", "mixtral-8x7b", "deepseek-v3", "deepseek-v3.2", "deepseek-v4-flash",
          "gpt-oss-120b", "gemma-3-27b", "qwen3.5-397b-a17b", "llama-4-scout-17b-16e", "nemotron-h-56b"]  # fmt: skip
H100, V5E = chip("h100-sxm"), chip("tpu-v5e")
FORMATS = Formats({"": "fp8", "embedding": "bf16", "head": "bf16"}, "fp8", "fp8")
INT8 = Formats({"": "int8"}, "int8", "bf16")


def rates_of(one=H100) -> dict[str, Rates]:
    wired = system(one.system)
    return {"ideal": ideal_rates(one, wired), "expected": expected_rates(one, wired, efficiency(one))}


RATES = rates_of()


def split(model: Model) -> bool:
    """Models with experts can be cut by attention data parallelism."""
    return any(group.moe for group in model.layers)


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("id", VARIED)
def test_a_grid_equals_its_scalars(id: str, kind: str):
    model, rates = MODELS[id], RATES[kind]
    # Axes: layout (within and across nodes, with stages), batch, context; and steps of decode, verify and prefill.
    tp, pp = np.array([1.0, 8.0, 16.0, 4.0])[:, None, None], np.array([1.0, 1.0, 2.0, 8.0])[:, None, None]
    dp = np.array([1.0, 1.0, 1.0, 4.0 if split(model) else 1.0])[:, None, None]
    where = Layout(tp, pp, dp, tp * dp)
    batch, context = np.array([1.0, 200.0])[:, None], np.array([0.0, 130.0, 9000.0, 120_000.0])
    for new in (1.0, 5.0, 2048.0):
        grid = step_time(model, [Segment(batch, np.asarray(new), context, np.asarray(1.0))], where, FORMATS, rates)
        shape = (4, 2, 4)
        whole = {name: np.broadcast_to(part, shape) for name, part in views(grid).items()}
        for i, j, k in np.ndindex(shape):
            one = layout(tp[i, 0, 0], pp[i, 0, 0], dp[i, 0, 0], (tp * dp)[i, 0, 0])
            segment = Segment(*map(np.asarray, (batch[j, 0], new, context[k], 1.0)))
            alone = views(step_time(model, [segment], one, FORMATS, rates))
            for name, part in whole.items():
                np.testing.assert_allclose(part[i, j, k], alone.get(name, 0.0), rtol=1e-12, err_msg=name)


def views(step: StepTime) -> dict[str, np.ndarray]:
    """Everything that a step says, as arrays by name."""
    named = {"expected": step.expected_s, "least": step.lower_bound_s, "serial": step.serial_s, "bound": step.bound}
    return named | {f"term {name}": part for name, part in step.terms_s.items()} | step.waits_s


STEP = {
    "id": st.sampled_from(sorted(MODELS)),
    "ways": st.sampled_from([(1, 1, 1), (4, 1, 1), (8, 1, 1), (8, 4, 1), (16, 1, 1), (2, 1, 8), (4, 2, 4)]),
    "batch": st.integers(1, 2048),
    "context": st.integers(0, 150_000),
    "new": st.sampled_from([1, 4, 512, 8192]),
    "kind": st.sampled_from(sorted(RATES)),
}


def step(id: str, ways: tuple[int, int, int], batch, context, new: int, rates: Rates) -> StepTime:
    tp, pp, dp = ways
    if not split(MODELS[id]):
        tp, dp = tp * dp, 1
    return step_time(MODELS[id], [decode_segment(batch, context, new)], layout(tp, pp, dp, tp * dp), FORMATS, rates)


@settings(max_examples=100)
@given(**STEP)
def test_parts_make_the_whole(id: str, ways: tuple[int, int, int], batch: int, context: int, new: int, kind: str):
    time = step(id, ways, batch, context, new, RATES[kind])
    expected = float(time.expected_s)
    assert sum(float(part) for part in time.terms_s.values()) == pytest.approx(expected)
    assert sum(float(part) for part in time.waits_s.values()) == pytest.approx(expected)
    assert set(time.waits_s) == set(RESOURCES)
    assert all(float(part) >= 0 for part in (*time.terms_s.values(), *time.waits_s.values()))
    assert float(time.waits_s[RESOURCES[int(time.bound)]]) == max(float(part) for part in time.waits_s.values())
    assert float(time.lower_bound_s) <= float(time.serial_s) * (1 + 1e-12)
    assert float(time.lower_bound_s) <= expected * (1 + 1e-12)
    if kind == "ideal":
        assert expected <= float(time.serial_s) * (1 + 1e-12)
        assert float(time.waits_s["launch and host"]) == 0


@settings(max_examples=60)
@given(**STEP, factor=st.floats(1, 20))
def test_a_faster_device_is_never_slower(
    id: str, ways: tuple[int, int, int], batch: int, context: int, new: int, kind: str, factor: float
):
    base = RATES[kind]
    fabric = replace(base.system.fabric, bytes_per_s=base.system.fabric.bytes_per_s * factor,
                     pair_bytes_per_s=base.system.fabric.pair_bytes_per_s * factor)  # fmt: skip
    slow = step(id, ways, batch, context, new, base)
    for better in (
        replace(base, flop_per_s={name: rate * factor for name, rate in base.flop_per_s.items()}),
        replace(base, attention_flop_per_s=base.attention_flop_per_s * factor),
        replace(base, hbm_bytes_per_s=base.hbm_bytes_per_s * factor),
        replace(base, kv_bytes_per_s=base.kv_bytes_per_s * factor),
        replace(base, kernel_floor_s=base.kernel_floor_s / factor, host_step_s=base.host_step_s / factor),
        replace(base, system=replace(base.system, fabric=fabric)),
    ):
        fast = step(id, ways, batch, context, new, better)
        for quick, lame in zip((fast.expected_s, fast.lower_bound_s, fast.serial_s),
                               (slow.expected_s, slow.lower_bound_s, slow.serial_s), strict=True):  # fmt: skip
            assert float(quick) <= float(lame) * (1 + 1e-12)


@settings(max_examples=80)
@given(**STEP, more=st.integers(0, 2048), longer=st.integers(0, 150_000))
def test_more_sequences_and_longer_ones_never_take_less(
    id: str, ways: tuple[int, int, int], batch: int, context: int, new: int, kind: str, more: int, longer: int
):
    if any(group.attention and group.attention.chunk_tokens for group in MODELS[id].layers):
        longer = 0  # at the start of a chunk a token sees less than before
    sizes, lengths = np.array([[batch], [batch + more]]), np.array([context, context + longer])
    time = step(id, ways, sizes, lengths, new, RATES[kind])
    for part in (time.expected_s, time.lower_bound_s, time.serial_s):
        grid = np.broadcast_to(part, (2, 2))
        assert (grid[1] >= grid[0] * (1 - 1e-12)).all()
        assert (grid[:, 1] >= grid[:, 0] * (1 - 1e-12)).all()


def test_eight_v5e_at_batch_32():
    # 70.55 GB of int8 weights (the embedding of 1.05 GB is a look-up) and 42.95 GB of cache over 8 x 820 GB/s: 17.3 ms.
    rates = ideal_rates(V5E, system(V5E.system))
    time = step_time(find_model("llama-3-70b"), [decode_segment(32, 8192)], layout(tp=8), INT8, rates)
    all_bytes = 70.553706496e9 + 32 * 8192 * 163_840
    assert all_bytes / (8 * 8.2e11) == pytest.approx(17.3e-3, abs=0.05e-3)
    exact = all_bytes - 128256 * 8192 + 32 * 8 * 8192 * (1 + 2) + 32 * 163_840
    assert float(time.lower_bound_s) == pytest.approx(exact / (8 * V5E.hbm_bytes_per_s), rel=1e-4)
    # Arithmetic hides behind it: 2 x 69.5e9 x 32 and the scores, 2.8 ms and more.
    assert float(time.compute_s) == pytest.approx(2.8e-3 + 80 * 4 * 8192 * 8193 * 32 / (8 * 1.97e14), rel=0.01)
    assert RESOURCES[int(time.bound)] == "weight bandwidth"


def test_a_decode_step_of_one_device_is_its_bytes():
    # Llama 8B in bf16 on one H100 at batch 1: 15 GB of matrices over 3.35 TB/s, 4.5 ms.
    time = step_time(
        find_model("llama-3.1-8b"), [decode_segment(1, 0)], layout(), Formats({"": "bf16"}), RATES["ideal"]
    )
    assert float(time.lower_bound_s) == pytest.approx(2 * (8_030_261_248 - 128_256 * 4096) / 3.35e12, rel=1e-3)
    assert float(time.expected_s) == pytest.approx(float(time.lower_bound_s), rel=0.01)
    assert float(time.network_s) == 0
    assert not any(name in time.terms_s for name in ("tensor_all_reduce", "pipeline", "logits"))


def test_a_long_prompt_is_bound_by_arithmetic():
    # 32 K tokens through Llama 70B on 8 H100 in bf16: matrices 68.45e9 x 2 FLOP a token, attention 31 % on top.
    model, formats = find_model("llama-3.1-70b"), Formats({"": "bf16"})
    time = step_time(model, [prefill_segment(1, 32768)], layout(tp=8), formats, RATES["ideal"])
    flop = 2 * 68_452_089_856 * 32768 + 80 * 4 * 8192 * 32768 * 32769 / 2
    assert float(time.compute_s) == pytest.approx(flop / (8 * 989e12), rel=1e-3)
    assert RESOURCES[int(time.bound)] == "compute"


def test_nothing_to_do_leaves_launches():
    rates, model = RATES["expected"], find_model("llama-3.1-8b")
    assert rates.machine is not None
    tiny = step_time(model, [decode_segment(1e-9, 1e-9)], layout(), FORMATS, rates)
    launches = float(tiny.waits_s["launch and host"])
    assert launches > 32 * 6 * rates.machine.overheads.floor_share * 2e-6
    assert float(tiny.expected_s) == pytest.approx(launches + float(tiny.essential_s), rel=0.5)

def test_a_batch_of_nothing_still_reads_the_weights():
    time = step_time(find_model("llama-3.1-8b"), [decode_segment(0, 4096)], layout(), FORMATS, RATES["ideal"])
    assert float(time.compute_s) == 0
    assert float(time.terms_s["mlp"]) > 0


def test_messages_between_nodes_wait_for_the_scale_out_network():
    model, segment = find_model("llama-3.1-70b"), [decode_segment(256, 100)]
    inside, across = (step_time(model, segment, layout(tp=tp), FORMATS, RATES["ideal"]).waits_s for tp in (8, 16))
    assert float(inside["scale-out network"]) == 0 < float(inside["scale-up network"])
    assert float(across["scale-up network"]) == 0 < float(across["scale-out network"])


def test_two_devices_send_too():
    time = step_time(find_model("llama-3.1-8b"), [decode_segment(1, 100)], layout(tp=2), FORMATS, RATES["ideal"])
    each = 2 * RATES["ideal"].system.fabric.latency_s
    assert 64 * each / 2 <= float(time.terms_s["tensor_all_reduce"]) <= 64 * 2 * each


def test_stages_pass_a_token_on():
    model, segment, rates = find_model("llama-3.1-70b"), [decode_segment(64, 100)], RATES["ideal"]
    one, four = (step_time(model, segment, layout(tp=2, pp=pp), FORMATS, rates) for pp in (1, 4))
    hop = rates.system.fabric.latency_s + 64 * 8192 * 2 / 2 / rates.system.fabric.pair_bytes_per_s
    assert float(four.expected_s) == pytest.approx(float(one.expected_s) + 3 * hop)


def test_mixed_steps_cost_less_than_their_parts():
    model, rates = find_model("llama-3.1-70b"), RATES["expected"]
    decode, prompt = decode_segment(64, 4096), prefill_segment(1, 2048)
    mixed, first, second = (
        float(step_time(model, segments, layout(tp=4), FORMATS, rates).expected_s)
        for segments in ([decode, prompt], [decode], [prompt])
    )
    assert max(first, second) < mixed < first + second
