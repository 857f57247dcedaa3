"""One configuration: terms that add up, bounds that hold, memory and cost in proportion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costline
from costline.errors import InputError


def ask(model: str = "llama-3.1-70b", accelerator: str = "h100-sxm", **options: Any) -> dict[str, Any]:
    return costline.estimate(model, accelerator, **{"tp": 8, **options}).to_dict()


# Numbers


def test_memory_of_a_known_model():
    """Llama 3.1 70B has 70,553,706,496 parameters, and 80 layers × 2 × 8 heads × 128 values of cache a token."""
    memory = ask()["memory"]
    assert memory["weights_bytes"] == 2 * 70_553_706_496
    assert memory["kv_bytes_per_token"] == 80 * 2 * 8 * 128 * 2
    assert memory["weights_bytes_per_accelerator"] == pytest.approx(memory["weights_bytes"] / 8, rel=0.01)
    assert memory["accelerator_memory_bytes"] < 86e9


def test_a_decode_step_reads_all_weights_at_least_once():
    """At batch 1 a step is bound by the weights: 141 GB over 8 × 3.35 TB/s."""
    data = ask(batch=1, context=1)
    floor_s = 2 * 70_553_706_496 / (8 * 3.35e12)
    assert data["decode"]["lower_bound_s"] == pytest.approx(floor_s, rel=0.03)
    assert data["decode"]["bound"] == "weight bandwidth"


def test_a_prefill_computes_two_flop_a_parameter_and_token():
    data = ask("llama-3.1-8b", tp=1, context=2048)
    floor_s = 2 * 6.98e9 * 2048 / 989e12  # all parameters but embedding and head
    assert floor_s < data["prefill"]["lower_bound_s"] < 1.3 * floor_s
    assert data["prefill"]["bound"] == "compute"


# What holds of every estimate

MODELS = ["llama-3.1-8b", "mixtral-8x7b", "deepseek-v2-lite", "gemma-2-9b", "qwen3-next-80b-a3b", "gpt-oss-20b"]


@settings(max_examples=40)
@given(
    model=st.sampled_from(MODELS),
    chip=st.sampled_from(["h100-sxm", "b200-sxm", "mi300x", "l40s", "tpu-v5e", "a100-80gb-sxm"]),
    tp=st.sampled_from([1, 2, 4, 8]),
    pp=st.sampled_from([1, 2, 3]),
    batch=st.integers(1, 512),
    context=st.integers(1, 8192),
)
def test_an_estimate_is_sound(model: str, chip: str, tp: int, pp: int, batch: int, context: int):
    data = costline.estimate(model, chip, tp=tp, pp=pp, batch=batch, context=context).to_dict()
    for phase in ("decode", "prefill"):
        step = data[phase]
        assert 0 < step["lower_bound_s"] <= step["step_time_s"]
        assert step["lower_bound_s"] <= step["serial_bound_s"] * (1 + 1e-9)
        assert sum(step["terms_s"].values()) == pytest.approx(step["step_time_s"])
        assert sum(step["waits_s"].values()) == pytest.approx(step["step_time_s"])
        assert step["tokens_per_s"] == pytest.approx(step["tokens_per_s_per_accelerator"] * data["accelerators"])
    assert data["accelerators"] == tp * pp
    assert data["decode"]["tokens_per_s"] == pytest.approx(batch / data["decode"]["tpot_s"])
    assert data["memory"]["fits"] == (batch <= data["memory"]["max_batch"])
    assert data["memory"]["weights_bytes_per_accelerator"] * tp * pp >= data["memory"]["weights_bytes"] * 0.999
    bill = data["cost"]
    assert bill["usd_per_hour"] == pytest.approx(tp * pp * bill["usd_per_accelerator_hour"])
    assert bill["usd_per_mtok_output"] == pytest.approx(
        bill["usd_per_hour"] / 3600 / data["decode"]["tokens_per_s"] * 1e6
    )


@pytest.mark.parametrize("option", ["batch", "context"])
def test_more_work_takes_longer(option: str):
    times = [ask(**{option: value})["decode"]["step_time_s"] for value in (1, 16, 256, 4096)]
    assert times == sorted(times)
    assert times[0] < times[-1]


@pytest.mark.parametrize("model", MODELS)
def test_narrow_formats_never_need_more_memory(model: str):
    def memory(**formats: str) -> dict[str, Any]:
        return costline.estimate(model, "b200-sxm", **formats).data["memory"]

    wide = memory(weights="bf16")
    for name in ("fp8", "int8", "mxfp4", "int4", "nvfp4"):
        narrow = memory(weights=name)
        assert narrow["weights_bytes"] < wide["weights_bytes"]
        assert narrow["kv_capacity_tokens"] >= wide["kv_capacity_tokens"]
        assert narrow["max_batch"] >= wide["max_batch"]
    cached = memory(weights="bf16", kv="fp8")
    assert cached["kv_bytes_per_token"] < wide["kv_bytes_per_token"]
    assert cached["max_batch"] >= wide["max_batch"]


def test_tensor_parallelism_shares_weights_and_time():
    rows = [ask(tp=tp) for tp in (2, 4, 8)]
    shares = [row["memory"]["weights_bytes_per_accelerator"] for row in rows]
    assert shares == sorted(shares, reverse=True)
    times = [row["decode"]["step_time_s"] for row in rows]
    assert times == sorted(times, reverse=True)


def test_the_datasheet_is_never_slower_than_kernels():
    for phase in ("decode", "prefill"):
        assert ask(calibration="none")[phase]["step_time_s"] <= ask()[phase]["step_time_s"]


def test_verification_of_several_tokens_is_one_step():
    one, five = ask(batch=8)["decode"], ask(batch=8, new_tokens=5)["decode"]
    assert one["step_time_s"] <= five["step_time_s"] < 2 * one["step_time_s"]
    assert five["tokens_per_s"] > 2 * one["tokens_per_s"]


def test_formats_by_component():
    mixed = ask(weights={"default": "fp8", "head": "bf16", "embedding": "bf16"})
    plain = ask(weights="fp8")
    assert mixed["memory"]["weights_bytes"] - plain["memory"]["weights_bytes"] == 2 * 128_256 * 8192
    assert "fp8" in mixed["formats"]["weights"]


def test_memory_utilization_makes_room():
    rooms = [ask(memory_utilization=share)["memory"]["kv_capacity_tokens"] for share in (0.3, 0.6, 0.9, 1.0)]
    assert rooms == sorted(rooms)
    assert ask(memory_utilization=0.01)["memory"]["fits"] is False


def test_a_given_price_is_proportional_and_free_is_free():
    assert ask(price=4)["cost"]["usd_per_mtok_output"] == pytest.approx(2 * ask(price=2)["cost"]["usd_per_mtok_output"])
    assert ask(price=0)["cost"]["usd_per_mtok_output"] == 0


def test_the_default_context_is_no_longer_than_the_model():
    assert ask()["context_tokens"] == 4096
    assert costline.estimate("gpt2").data["context_tokens"] == 1024
    with pytest.raises(InputError, match="max_context_tokens=1,024 of gpt2"):
        costline.estimate("gpt2", context=1025)


def test_a_config_without_a_longest_context_may_be_as_long_as_asked(tmp_path: Path):
    path = tmp_path / "config.json"
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 99}
    path.write_text(json.dumps({"model_type": "llama", "vocab_size": 10, **sizes}), encoding="utf-8")
    assert costline.estimate(config=path, context=1e6).data["context_tokens"] == 1e6


def test_devices_beyond_what_is_connected_are_refused():
    with pytest.raises(InputError, match=r"exceeds the \d+ accelerators that .* connects; use at most"):
        costline.estimate("llama-3.1-70b", "m4-max", tp=8)
