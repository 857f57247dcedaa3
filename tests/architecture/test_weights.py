"""Parameters to the last one, and the bytes they take."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.architecture.mixers import attention_parameters, state_parameters
from costline.architecture.weights import (
    COMPONENTS,
    group_parameters,
    parameters,
    weight_bytes,
    weight_bytes_by_component,
)
from costline.catalog.models import find_model, models
from costline.catalog.records import Attention, Compressor, Indexer, Latent, LayerGroup, Mlp, Moe, State
from costline.errors import UnknownIdError
from costline.quantities import GIB, GIGA

# Total, active and routed parameters from instantiating the released configurations with Hugging Face Transformers
# 5.23 on the meta device, November 2026; active = total - routed (1 - k / E). Gemma 4's count of experts in use is
# not in that list: its active count is derived from the 8 of 128 that its name implies.
EXACT = {
    "minimax-m2.5": (228689748992, 11030537216, 224680476672),
    "minimax-m2.7": (228689748992, 11030537216, 224680476672),
    "qwen3-0.6b": (596049920, 596049920, 0),
    "qwen3-1.7b": (1720574976, 1720574976, 0),
    "qwen3-235b-a22b": (235093634560, 22190763520, 227096395776),
    "qwen3-30b-a3b": (30532122624, 3353032704, 28991029248),
    "qwen3-32b": (32762123264, 32762123264, 0),
    "qwen3-8b": (8190735360, 8190735360, 0),
    "qwen3-coder-480b-a35b": (480154875392, 35474765312, 468084326400),
    "qwen3.5-122b-a10b": (122111526912, 9771288576, 115964116992),
    "qwen3.5-27b": (26895998464, 26895998464, 0),
    "qwen3.5-35b-a3b": (34660610688, 3454988928, 32212254720),
    "qwen3.5-397b-a17b": (396346350336, 17349040896, 386547056640),
    "mimo-v2-flash": (308778768832, 15445924288, 302795194368),
    "deepseek-r1": (671026404352, 37552282624, 653908770816),
    "deepseek-v3.2": (671877929216, 38403807488, 653908770816),
    "deepseek-v3": (671026404352, 37552282624, 653908770816),
    "deepseek-v4-flash": (284332230231, 13799622231, 277025390592),
    "deepseek-v4-pro": (1572997179491, 49779058787, 1547396186112),
    "gemma-4-26b-a4b": (25233141760, 3822530560, 22837985280),
    "llama-4-maverick-17b-128e": (400711848960, 17184691200, 386547056640),
    "llama-4-scout-17b-16e": (107769861120, 17172894720, 96636764160),
    "llama-3.1-405b": (405853388800, 405853388800, 0),
    "llama-3.1-70b": (70553706496, 70553706496, 0),
    "llama-3.1-8b": (8030261248, 8030261248, 0),
    "mixtral-8x22b": (140620634112, 39152031744, 135291469824),
    "mixtral-8x7b": (46702792704, 12879925248, 45097156608),
    "kimi-k2": (1026408209408, 32861477888, 1014686023680),
    "kimi-k2.5": (1026408209408, 32861477888, 1014686023680),
    "nemotron-3-nano-30b-a3b": (31577937344, 3580073408, 29374808064),
    "nemotron-3-ultra-550b-a55b": (549308968960, 56058818560, 515396075520),
    "nemotron-h-56b": (56324350464, 56324350464, 0),
    "gpt-oss-120b": (116829156672, 5711982912, 114701598720),
    "gpt-oss-20b": (20914757184, 4187440704, 19116933120),
    "glm-5.1": (743911199232, 41784709632, 724775731200),
    "glm-5.2": (743377000704, 41250511104, 724775731200),
    "glm-5": (743911199232, 41784709632, 724775731200),
}


@pytest.mark.parametrize(("id", "counts"), EXACT.items())
def test_each_known_count_is_met_exactly(id: str, counts: tuple[int, int, int]):
    counted = parameters(find_model(id))
    assert (counted.total, counted.active, counted.by_component["experts"]) == counts


def test_cap_2_1_parameters_from_a_configuration():
    llama = parameters(find_model("llama-3-70b"))
    assert llama.total == llama.active == 70_553_706_496
    assert llama.by_component["embedding"] == llama.by_component["head"] == 128_256 * 8192
    assert llama.by_component["mlp"] == 80 * 3 * 8192 * 28_672
    gpt3 = parameters(find_model("gpt-3-175b")).by_component
    assert gpt3["attention"] + gpt3["mlp"] == 12 * 96 * 12_288**2 == 173_946_175_488


def test_cap_2_4_active_parameters_of_a_mixture_of_experts():
    mixtral = parameters(find_model("mixtral-8x7b"))
    assert round(mixtral.active / GIGA, 1) == 12.9
    assert round(mixtral.total / GIGA, 1) == 46.7
    assert round(100 * mixtral.active / mixtral.total, 1) == 27.6


def test_cap_2_6_weight_footprint_by_format():
    llama = find_model("llama-3-70b")
    sizes = {name: weight_bytes(llama, name) / GIGA for name in ("bf16", "int8", "fp4", "int4")}
    assert {name: round(size) for name, size in sizes.items()} == {"bf16": 141, "int8": 71, "fp4": 35, "int4": 36}
    assert sizes["int4"] == pytest.approx(sizes["bf16"] * (4 + 16 / 128) / 16)
    around_37 = weight_bytes(llama, {"": "int4", "embedding": "int8", "head": "int8"}) / GIGA
    assert around_37 == pytest.approx(37.4, abs=0.1)


def test_deepseek_v3_as_its_report_counts_it():
    counted = parameters(find_model("deepseek-v3"))
    assert (counted.total, counted.active) == (671_026_404_352, 37_552_282_624)


# Weights per device that servers logged (InferenceMAX agentic runs of June 2026 and vLLM issues 10517, 21348, 22331,
# 6746), in GiB, and the devices that share them. Routing terms, duplicated small matrices and, for Qwen3-VL, the vision
# tower are not counted; Meta's 405B keeps its first and last layer in bf16.
LOGGED_GIB = {
    "kimi-k2.5-mxfp4": (4, 132.45, 0.02), "kimi-k2.5-nvfp4": (4, 139.53, 0.02), "glm-5.1-mxfp4": (2, 199.52, 0.015),
    "minimax-m2.5-mxfp4": (1, 118.75, 0.002), "minimax-m2.5": (1, 214.51, 0.002),
    "qwen3.5-397b-a17b-fp8": (4, 93.35, 0.01), "llama-3.1-8b": (1, 14.9888, 0.003), "gpt-oss-20b": (1, 12.8848, 0.007),
    "llama-3.1-405b-fp8": (8, 57.752, 0.03), "qwen3-vl-235b-a22b-fp8": (4, 56.04, 0.02),
}  # fmt: skip


@pytest.mark.parametrize(("id", "logged"), LOGGED_GIB.items())
def test_weights_per_device_agree_with_logs(id: str, logged: tuple[int, float, float]):
    model = find_model(id)
    devices, gib, tolerance = logged
    predicted = weight_bytes(model, model.checkpoint_formats) / devices / GIB
    assert 1 - tolerance < predicted / gib < 1.002


# Shapes


def test_one_layer_by_component():
    group = LayerGroup(
        count=3,
        attention=Attention(heads=8, kv_heads=2, head_dim=16, value_dim=16, qkv_bias=True, qk_norm="head"),
        mlp=Mlp(width=256, matrices=2, bias=True),
        moe=Moe(experts=4, top_k=2, expert_width=32, shared_width=64, router_bias=True, shared_gate=True),
        norm_parameters=200,
        extra_parameters=7,
    )
    one = group_parameters(group, hidden=100)
    assert one.attention == 100 * (128 + 32 + 32) + 192 + 128 * 100 + 32
    assert one.mlp == 2 * 100 * 256 + 256 + 100
    assert (one.expert, one.experts, one.router) == (3 * 100 * 32, 4 * 3 * 100 * 32, 100 * 4 + 4)
    assert one.shared_experts == 3 * 100 * 64 + 100
    assert (one.state, one.norms, one.other) == (0, 200, 7)
    named = [getattr(one, name) for name in COMPONENTS if name not in ("embedding", "head")]
    assert one.total == sum(named)


def test_experts_in_a_narrower_space():
    one = group_parameters(LayerGroup(1, moe=Moe(8, 2, expert_width=32, matrices=2, latent_dim=16)), hidden=100)
    assert one.expert == 2 * 16 * 32
    assert one.shared_experts == 2 * 100 * 16
    assert one.router == 100 * 8


PLAIN = Attention(heads=8, kv_heads=2, head_dim=16, value_dim=16)
LATENT = Latent(q_rank=None, kv_rank=24, nope_dim=12, rope_dim=4)


@pytest.mark.parametrize(("attention", "count"), [
    (PLAIN, 100 * 128 + 2 * 100 * 32 + 128 * 100),
    (dataclasses.replace(PLAIN, value_dim=8), 100 * 128 + 100 * 32 + 100 * 16 + 64 * 100),
    (dataclasses.replace(PLAIN, output_bias=True, sinks=True), 38_400 - 6_400 + 108),
    (dataclasses.replace(PLAIN, output_gate=True), 32_000 + 12_800),
    (dataclasses.replace(PLAIN, qk_norm="full"), 32_000 + 128 + 32),
    (dataclasses.replace(PLAIN, values_are_keys=True), 32_000 - 3_200),
    (dataclasses.replace(PLAIN, cached_once=True), 32_000 - 3_200 + 16),
    (dataclasses.replace(PLAIN, reuses_cache=True, qk_norm="head"), 32_000 - 6_400 + 16),
    (dataclasses.replace(PLAIN, query_rank=10), 32_000 - 12_800 + 100 * 10 + 10 + 10 * 128),
    (dataclasses.replace(PLAIN, output_rank=5, output_groups=2), 32_000 - 12_800 + 128 * 5 + 2 * 5 * 100),
    (dataclasses.replace(PLAIN, compressor=Compressor(4, overlap=True)), 32_000 + 2 * 100 * 32 + 4 * 32 + 16),
    (dataclasses.replace(PLAIN, indexer=Indexer(4, 6, 64)), 32_000 + 100 * 4 * 6 + 100 * 6 + 12 + 100 * 4),
    (dataclasses.replace(PLAIN, indexer=Indexer(4, 6, 64, shared=True)), 32_000),
    (Attention(8, 8, 16, 16, latent=LATENT), 100 * 128 + 100 * 28 + 24 + 24 * 8 * 28 + 128 * 100),
    (Attention(8, 8, 16, 16, latent=dataclasses.replace(LATENT, q_rank=10)),
     100 * 10 + 10 + 10 * 128 + 100 * 28 + 24 + 24 * 8 * 28 + 128 * 100),
])  # fmt: skip
def test_attention_parameters_by_hand(attention: Attention, count: int):
    assert attention_parameters(attention, hidden=100) == count


@pytest.mark.parametrize(("state", "count"), [
    (State("gated_delta", 2, 4, 8, 16, conv_width=4), 100 * 96 + 100 * 64 + 2 * 400 + 96 * 4 + 8 + 16 + 6_400),
    (State("kda", 4, 4, 16, 16, conv_width=4),
     100 * 192 + 192 * 4 + 64 + 4 + 2 * (100 * 16 + 16 * 64) + 400 + 16 + 6_400),
    (State("mamba2", 2, 4, 8, 16, conv_width=4, conv_bias=True),
     100 * (64 + 96 + 4) + 96 * 5 + 3 * 4 + 64 + 6_400),
    (State("lightning", 4, 4, 16, 16), 100 * 192 + 6_400 + 64 + 6_400),
])  # fmt: skip
def test_state_parameters_by_hand(state: State, count: int):
    assert state_parameters(state, hidden=100) == count


# Bytes


def test_formats_by_component():
    llama = find_model("llama-3-70b")
    by_component = weight_bytes_by_component(llama, {"": "fp8", "head": "bf16"})
    assert by_component["head"] == 2 * 128_256 * 8192
    assert by_component["mlp"] == 80 * 3 * 8192 * 28_672
    assert sum(by_component.values()) == weight_bytes(llama, {"": "fp8", "head": "bf16"})
    assert weight_bytes(llama, {}) == weight_bytes(llama, "bf16") == weight_bytes(llama, {"": "bf16"})
    assert weight_bytes(llama, "bf16") == 2 * parameters(llama).total


@pytest.mark.parametrize(("formats", "message"), [
    ({"": "bf16", "atention": "fp8"}, "unknown component of weights 'atention'; nearest: attention"),
    ("fp7", "unknown number format 'fp7'; nearest: fp"),
])  # fmt: skip
def test_unknown_components_and_formats_name_the_nearest(formats: dict[str, str] | str, message: str):
    with pytest.raises(UnknownIdError, match=message):
        weight_bytes(find_model("llama-3-8b"), formats)


@pytest.mark.parametrize("model", models().values(), ids=lambda model: model.id)
def test_counts_hang_together(model):
    counted = parameters(model)
    assert set(counted.by_component) == set(COMPONENTS)
    assert counted.total == sum(counted.by_component.values())
    assert 0 < counted.active <= counted.total
    assert (counted.active == counted.total) == (counted.by_component["experts"] == 0)
    assert weight_bytes(model, "fp4") < weight_bytes(model, model.checkpoint_formats) <= weight_bytes(model, "fp32")


sizes = st.integers(1, 64)


@given(experts=st.integers(1, 64), width=sizes, hidden=sizes, data=st.data())
def test_all_experts_in_use_means_all_parameters_active(experts: int, width: int, hidden: int, data: st.DataObject):
    top_k = data.draw(st.integers(1, experts))
    base = find_model("mixtral-8x7b")
    group = LayerGroup(2, moe=Moe(experts, top_k, width))
    counted = parameters(dataclasses.replace(base, hidden=hidden, layers=(group,)))
    assert counted.total - counted.active == 2 * 3 * hidden * width * (experts - top_k)
