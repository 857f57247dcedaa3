"""From a `config.json` to a model: real configurations, unknown ones, broken ones, number formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from costline.architecture.weights import parameters
from costline.catalog.hugging_face import model_from_config, model_from_file
from costline.catalog.models import find_model
from costline.errors import CostlineError, InputError

LLAMA_8B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    "max_position_embeddings": 131072, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip
DEEPSEEK_V3: dict[str, Any] = {
    "architectures": ["DeepseekV3ForCausalLM"], "hidden_size": 7168, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128,
    "n_shared_experts": 1, "n_routed_experts": 256, "num_experts_per_tok": 8, "first_k_dense_replace": 3,
    "moe_layer_freq": 1, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "vocab_size": 129280, "max_position_embeddings": 163840, "num_nextn_predict_layers": 1,
    "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]},
}  # fmt: skip
GPT_OSS_20B: dict[str, Any] = {
    "model_type": "gpt_oss", "hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 24,
    "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 201088, "sliding_window": 128,
    "num_local_experts": 32, "num_experts_per_tok": 4, "max_position_embeddings": 131072,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": [
        "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]},
}  # fmt: skip
SCOUT: dict[str, Any] = {
    "architectures": ["Llama4ForConditionalGeneration"], "model_type": "llama4", "text_config": {
        "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
        "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
        "vocab_size": 202048, "num_local_experts": 16, "num_experts_per_tok": 1, "interleave_moe_layer_step": 1,
        "attention_chunk_size": 8192, "max_position_embeddings": 10485760, "no_rope_layers": [1, 1, 1, 0] * 12},
}  # fmt: skip
QWEN35_397B: dict[str, Any] = {
    "architectures": ["Qwen3_5MoeForConditionalGeneration"], "text_config": {
        "model_type": "qwen3_5_moe_text", "hidden_size": 4096, "num_hidden_layers": 60, "num_attention_heads": 32,
        "num_key_value_heads": 2, "head_dim": 256, "vocab_size": 248320, "num_experts": 512, "num_experts_per_tok": 10,
        "moe_intermediate_size": 1024, "shared_expert_intermediate_size": 1024, "full_attention_interval": 4,
        "linear_num_key_heads": 16, "linear_num_value_heads": 64, "linear_key_head_dim": 128,
        "linear_value_head_dim": 128, "linear_conv_kernel_dim": 4, "max_position_embeddings": 262144},
}  # fmt: skip
NEMOTRON_NANO: dict[str, Any] = {
    "architectures": ["NemotronHForCausalLM"], "hidden_size": 2688, "intermediate_size": 1856,
    "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 131072,
    "hybrid_override_pattern": "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME", "num_hidden_layers": 52,
    "ssm_state_size": 128, "mamba_num_heads": 64, "mamba_head_dim": 64, "n_groups": 8, "n_routed_experts": 128,
    "num_experts_per_tok": 6, "moe_intermediate_size": 1856, "n_shared_experts": 1,
    "moe_shared_expert_intermediate_size": 3712, "max_position_embeddings": 262144,
}  # fmt: skip
GEMMA_3_4B: dict[str, Any] = {
    "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": {
        "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
        "sliding_window": 1024, "max_position_embeddings": 131072},
}  # fmt: skip


@pytest.mark.parametrize(("config", "id"), [
    (LLAMA_8B, "llama-3.1-8b"), (DEEPSEEK_V3, "deepseek-v3"), (GPT_OSS_20B, "gpt-oss-20b"),
    (SCOUT, "llama-4-scout-17b-16e"), (QWEN35_397B, "qwen3.5-397b-a17b"), (NEMOTRON_NANO, "nemotron-3-nano-30b-a3b"),
    (GEMMA_3_4B, "gemma-3-4b"),
])  # fmt: skip
def test_a_released_configuration_gives_the_model_of_the_catalog(config: dict[str, Any], id: str):
    known, read = find_model(id), model_from_config(config, id=id)
    assert (read.layers, read.hidden, read.vocab) == (known.layers, known.hidden, known.vocab)
    assert parameters(read) == parameters(known)
    assert (read.id, read.max_context_tokens, read.mtp_layers) == (id, known.max_context_tokens, known.mtp_layers)


# Counts that Hugging Face Transformers 5.23 gives for the same sizes (they are recalled, not read from a release).
FROM_MEMORY = {
    "glm-4.5": 352797814784, "deepseek-v2": 235741434880, "deepseek-v2-lite": 15706484224, "falcon-180b": 178557088768,
    "gemma-2-27b": 27227128320, "gemma-3-27b": 27009346304, "nemotron-4-340b": 341029195776, "phi-4": 14659507200,
    "glm-4.5-air": 106852245504, "qwen3-next-80b-a3b": 79674391296, "qwen2.5-72b": 72706203648,
    "qwen2.5-7b": 7615616512, "mistral-large-2": 122610069504, "llama-2-7b": 6738415616, "llama-2-70b": 68976648192,
}  # fmt: skip
MODEL_TYPES = {
    "deepseek-v2": "deepseek_v2", "deepseek-v2-lite": "deepseek_v2", "glm-4.5": "glm4_moe", "glm-4.5-air": "glm4_moe",
    "qwen3-30b-a3b": "qwen3_moe", "minimax-text-01": "minimax", "llama-2-7b": "llama", "llama-2-70b": "llama",
    "mistral-large-2407": "mistral", "falcon-180b": "falcon", "gemma-2-27b": "gemma2",
    "gemma-3-27b-text": "gemma3_text", "phi-4": "phi3", "qwen2.5-72b": "qwen2", "qwen2.5-7b": "qwen2",
    "nemotron-4-340b": "nemotron",
}  # fmt: skip


@pytest.mark.parametrize(("id", "total"), FROM_MEMORY.items())
def test_recalled_configurations_count_exactly(id: str, total: int):
    assert parameters(find_model(id)).total == total


def test_recalled_configurations_are_read_exactly(shared: Path):
    recalled = json.loads((shared / "catalog" / "param_counts_from_memory_configs.json").read_text(encoding="utf-8"))
    checked = 0
    for name, entry in recalled.items():
        if name in MODEL_TYPES:
            window = {"sliding_window": 1024} if name.startswith("gemma") else {}
            counted = parameters(model_from_config({**window, **entry["cfg"], "model_type": MODEL_TYPES[name]}))
            assert (name, counted.total) == (name, entry["total"])
            assert counted.by_component["experts"] == entry["routed_expert_params"]
            checked += 1
    assert checked == len(recalled) - 1 == 16


# Unknown architectures


def test_an_unknown_architecture_is_read_as_llama_like_and_says_so():
    model = model_from_config({**LLAMA_8B, "model_type": "novel", "architectures": ["NovelForCausalLM"]})
    assert parameters(model).total == 8030261248
    assert "unknown architecture 'novel', read as Llama-like" in model.notes


def test_an_unknown_architecture_with_experts_has_experts():
    sizes = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 1024, "n_shared_experts": 2}
    model = model_from_config({**LLAMA_8B, "model_type": "novel", "architectures": None, **sizes})
    moe = model.layers[0].moe
    assert moe is not None
    assert (moe.experts, moe.expert_width, moe.shared_width) == (8, 1024, 2048)
    assert "with experts" in model.notes


def test_an_unknown_architecture_with_latents_is_read_by_its_fields():
    model = model_from_config({**DEEPSEEK_V3, "architectures": ["NovelForCausalLM"]})
    assert parameters(model).total == 671026404352
    assert "by its field kv_lora_rank" in model.notes


def test_an_unknown_recurrent_architecture_is_refused():
    with pytest.raises(InputError, match="model_type='jamba'"):
        model_from_config({**LLAMA_8B, "model_type": "jamba", "architectures": [], "mamba_d_state": 16})


def test_sizes_left_to_the_family_are_named():
    assert model_from_config(GEMMA_3_4B).notes == (
        "left to the family's defaults: vocab_size, num_attention_heads, num_key_value_heads, head_dim"
    )


@pytest.mark.parametrize(("change", "windows"), [
    ({"sliding_window": 4096}, {4096}), ({"sliding_window": 131072}, {None}), ({"sliding_window": None}, {None}),
    ({"sliding_window": 4096, "model_type": "qwen2"}, {None}),
    ({"sliding_window": 4096, "model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 30},
     {None, 4096}),
])  # fmt: skip
def test_a_window_counts_where_it_is_in_use(change: dict[str, Any], windows: set[int | None]):
    model = model_from_config({**LLAMA_8B, **change})
    assert {group.attention.window_tokens for group in model.layers if group.attention} == windows


# Faults: field, value, rule, remedy


@pytest.mark.parametrize(("change", "message"), [
    ({"hidden_size": None}, "config lacks hidden_size (or n_embd, d_model)"),
    ({"vocab_size": "many"}, "config has vocab_size='many', which must be a whole number from 1"),
    ({"hidden_size": -4096}, "hidden_size=-4096, which must be a whole number from 1"),
    ({"hidden_size": 4096.5}, "hidden_size=4096.5"),
    ({"hidden_size": True}, "hidden_size=True"),
    ({"hidden_size": float("nan")}, "hidden_size=nan"),
    ({"hidden_size": 10**300}, "hidden_size=1000"),
    ({"num_hidden_layers": 0}, "num_hidden_layers=0"),
    ({"num_hidden_layers": 10**9}, "num_hidden_layers=1000000000, which must be a whole number from 1 to 10000"),
    ({"num_attention_heads": 33}, "33 heads do not divide hidden_size=4096"),
    ({"num_key_value_heads": 7}, "num_key_value_heads=7, which must be a divisor of the 32 attention heads"),
    ({"tie_word_embeddings": "no"}, "tie_word_embeddings='no', which must be true or false"),
    ({"layer_types": ["full_attention"]}, "a list with one entry for each of 32 layers"),
    ({"layer_types": ["round_attention"] * 32}, "layer_types='round_attention', which must be one of"),
    ({"layer_types": "full"}, "layer_types='full', which must be a list of text"),
    ({"layer_types": ["sliding_attention"] * 32}, "config lacks sliding_window"),
    ({"torch_dtype": "complex64"}, "torch_dtype='complex64', which must be one of float32"),
    ({"text_config": 3}, "text_config=3, which must be a table"),
    ({"quantization_config": "fp8"}, "quantization_config='fp8', which must be a table"),
    ({"quantization_config": {"quant_method": "aqlm"}}, "quantization_config.quant_method='aqlm'"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 3}}, "quantization_config.bits=3, which must be 4 or 8"),
])  # fmt: skip
def test_a_fault_names_field_value_rule_and_remedy(change: dict[str, Any], message: str):
    with pytest.raises(InputError) as caught:
        model_from_config({**LLAMA_8B, **change})
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert len(text) < 320


def test_more_experts_in_use_than_there_are_is_a_fault():
    with pytest.raises(InputError, match="num_experts_per_tok=512, which must be at most the number of experts, 256"):
        model_from_config({**DEEPSEEK_V3, "num_experts_per_tok": 512})


@pytest.mark.parametrize("pattern", ["", "MX", 7, "M" * 20_000])
def test_a_bad_pattern_is_a_fault(pattern: object):
    with pytest.raises(InputError, match="hybrid_override_pattern"):
        model_from_config({**NEMOTRON_NANO, "hybrid_override_pattern": pattern})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
NAMES = sorted({*LLAMA_8B, *DEEPSEEK_V3, *NEMOTRON_NANO, *SCOUT, *GPT_OSS_20B, *QWEN35_397B["text_config"]})
BASES = [LLAMA_8B, DEEPSEEK_V3, GPT_OSS_20B, SCOUT["text_config"], QWEN35_397B["text_config"], NEMOTRON_NANO]


@given(base=st.sampled_from(BASES), changes=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3))
@example(base=DEEPSEEK_V3, changes={"moe_layer_freq": []})
def test_whatever_a_configuration_holds_it_is_read_or_refused(base: dict[str, Any], changes: dict[str, Any]):
    try:
        counted = parameters(model_from_config({**base, **changes}))
    except CostlineError as error:
        message = str(error)
    else:
        message = "" if counted.total >= counted.active > 0 else "no parameters\n"
    assert "\n" not in message


# Files


def test_a_file_is_read(tmp_path: Path):
    path = tmp_path / "my-llama" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(LLAMA_8B), encoding="utf-8")
    assert model_from_file(path).id == "my-llama"
    assert model_from_file(str(path), id="mine").id == "mine"
    assert parameters(model_from_file(path)).total == 8030261248


@pytest.mark.parametrize(("content", "message"), [
    (b"not json", "is not valid JSON at line 1"),
    (json.dumps(LLAMA_8B).encode()[:-20], "is not valid JSON at line 1"),
    (b"[1, 2]", "holds no JSON object"),
    (b"", "is not valid JSON"),
    (b"\xff\xfe\x00", "cannot be read"),
    (b"[" * 100_000, "cannot be read"),
    (b'{"hidden_size": ' + b"9" * 5000 + b"}", "cannot be read"),
    (b" " * 1_000_001, "has 1000001 bytes, more than 1000000; give config.json, not weights"),
])  # fmt: skip
def test_a_file_that_is_no_configuration_is_refused_in_one_line(content: bytes, message: str, tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        model_from_file(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_or_nothing_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"is a directory; give the config\.json inside it"):
        model_from_file(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        model_from_file(tmp_path / "config.json")


# Number formats of checkpoints

WIDE = {"embedding": "bf16", "head": "bf16", "norms": "bf16", "router": "bf16"}
COMPRESSED = {"quant_method": "compressed-tensors", "ignore": ["lm_head"]}


def group(**weights: Any) -> dict[str, Any]:
    return {**COMPRESSED, "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}


@pytest.mark.parametrize(("quantization", "formats"), [
    (None, {"": "bf16"}),
    ({"quant_method": "fp8", "weight_block_size": [128, 128]}, {"": "fp8_block", **WIDE}),
    ({"quant_method": "fp8"}, {"": "fp8", **WIDE}),
    ({"quant_method": "gptq", "bits": 4, "group_size": 128}, {"": "int4", **WIDE}),
    ({"quant_method": "gptq", "bits": 8, "group_size": -1}, {"": "int8", **WIDE}),
    ({"quant_method": "awq", "bits": 4, "group_size": 64}, {"": "int4_g64", **WIDE}),
    (group(num_bits=8, type="float", strategy="channel"), {"": "fp8", **WIDE}),
    (group(num_bits=8, type="float", strategy="block"), {"": "fp8_block", **WIDE}),
    (group(num_bits=4, type="int", group_size=32), {"": "int4_g32", **WIDE}),
    (group(num_bits=4, type="float", group_size=16), {"": "nvfp4", **WIDE}),
    (group(num_bits=8, type="int"), {"": "int8", **WIDE}),
    ({"quant_method": "mxfp4"}, {"": "bf16", "experts": "mxfp4"}),
    ({"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head", "model.layers.*.self_attn*"]},
     {"": "nvfp4", **WIDE, "attention": "bf16"}),
    ({"quant_algo": "FP8", "exclude_modules": ["lm_head"]}, {"": "fp8", **WIDE}),
    ({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4", "group_size": 32}},
      "exclude": ["lm_head"]}, {"": "mxfp4", **WIDE}),
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, {"": "int4_g64", **WIDE}),
    ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": [f"model.layers.{i}.self_attn" for i in range(32)]},
     {"": "fp8", **WIDE, "attention": "bf16"}),
    ({"quant_method": "fp8", "ignored_layers": ["model.layers.0.mlp", "model.layers.31.mlp"]}, {"": "fp8", **WIDE}),
])  # fmt: skip
def test_formats_of_a_checkpoint_by_component(quantization: dict[str, Any] | None, formats: dict[str, str]):
    assert model_from_config({**LLAMA_8B, "quantization_config": quantization}).checkpoint_formats == formats


def test_a_format_of_their_own_for_experts():
    config = {**DEEPSEEK_V3, "expert_dtype": "fp4"}
    assert model_from_config(config).checkpoint_formats == {"": "fp8_block", **WIDE, "experts": "mxfp4"}


def test_the_type_without_quantisation_is_the_stated_one():
    assert model_from_config({**LLAMA_8B, "torch_dtype": "float16"}).checkpoint_formats == {"": "fp16"}
    assert model_from_config({**LLAMA_8B, "torch_dtype": None}).checkpoint_formats == {"": "bf16"}
