"""A model from a Hugging Face `config.json`: the only place that knows which family reads which fields.

Knows the table of families; each family stands in one of the `hugging_face_*` files. Reads no weights, asks no server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from costline.catalog import hugging_face_classic as classic
from costline.catalog import hugging_face_dense as dense
from costline.catalog import hugging_face_experts as experts
from costline.catalog import hugging_face_hybrid as hybrid
from costline.catalog import hugging_face_special as special
from costline.catalog.hugging_face_fields import Fields, fields_of, read_config, wrong
from costline.catalog.hugging_face_formats import checkpoint_formats
from costline.catalog.hugging_face_parts import EXPERTS, hidden_of
from costline.catalog.hugging_face_stack import Stack
from costline.catalog.records import LayerGroup, Model, Provenance

Builder = Callable[[Fields], Stack]

BUILDERS: dict[str, Builder] = {
    "llama": dense.llama, "mistral": dense.llama, "ministral3": dense.llama, "smollm3": dense.llama,
    "granite": dense.llama, "yi": dense.llama, "phi3": dense.phi3, "qwen2": dense.qwen2, "mimo": dense.qwen2,
    "qwen2vl": dense.qwen2, "qwen25vl": dense.qwen2,
    "qwen3": experts.qwen3, "qwen3vl": experts.qwen3, "olmo2": dense.olmo2,
    "gemma": dense.gemma, "gemma2": dense.gemma2, "gemma3": dense.gemma3, "gemma4": special.gemma4,
    "mixtral": experts.mixtral, "qwen2moe": experts.qwen2_moe, "qwen3moe": experts.qwen3, "qwen3vlmoe": experts.qwen3,
    "minimaxm2": experts.minimax_m2, "minimaxm3": experts.minimax_m3, "minimaxm3vl": experts.minimax_m3,
    "minimaxm3sparse": experts.minimax_m3, "gptoss": experts.gpt_oss, "llama4": experts.llama4,
    "deepseekv2": experts.deepseek, "deepseekv3": experts.deepseek, "deepseekv32": experts.deepseek,
    "kimik2": experts.deepseek, "kimik25": experts.deepseek, "glmmoedsa": experts.deepseek,
    "glm4moelite": experts.deepseek, "glm4moe": experts.glm4_moe, "mimov2flash": experts.mimo_v2,
    "deepseekv4": special.deepseek_v4,
    "qwen3next": hybrid.qwen3_next, "qwen35": hybrid.qwen3_next, "qwen35moe": hybrid.qwen3_next,
    "minimax": hybrid.minimax, "minimaxtext01": hybrid.minimax, "kimilinear": hybrid.kimi_linear,
    "nemotronh": hybrid.nemotron_h, "nemotron": classic.nemotron,
    "gpt2": classic.gpt2, "gptj": classic.gptj, "gptneox": classic.gpt_neox, "phi": classic.phi,
    "bloom": classic.bloom, "falcon": classic.falcon, "refinedweb": classic.falcon,
}  # fmt: skip
"""By `model_type` or the class in `architectures`, without punctuation, ``ForCausalLM`` and the like."""

DEFAULTS: dict[str, dict[str, int]] = {
    "gemma3": {"vocab_size": 262_208, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256},
}
"""Sizes that released configurations of a family leave to the family's defaults."""

_SUFFIXES = re.compile(r"(forcausallm|forconditionalgeneration|lmheadmodel|text)$")


def model_from_config(config: Mapping[str, Any], *, id: str | None = None) -> Model:
    """The architecture that a `config.json` describes; raises InputError naming the field that cannot be used."""
    f = fields_of(config)
    kind, builder = _family(f, config)
    f, notes = _completed(f, kind)
    if builder is None:
        builder, note = _by_fields(f, kind)
        notes.append(note)
    stack = builder(f)
    notes += stack.notes
    hidden = hidden_of(f)
    name = id or str(config.get("_name_or_path") or kind)
    return Model(
        id=name,
        name=name,
        aliases=(),
        hf_id=str(config.get("_name_or_path") or ""),
        family=kind,
        hidden=hidden,
        vocab=f.count("vocab_size"),
        tied_embeddings=f.flag("tie_word_embeddings", default=stack.tied),
        position_embeddings=stack.position_embeddings,
        max_context_tokens=_longest(f),
        layers=_grouped(stack.layers),
        final_norm_parameters=hidden if stack.final_norm is None else stack.final_norm,
        extra_parameters=stack.extra_parameters,
        checkpoint_formats=checkpoint_formats(f, len(stack.layers)),
        mtp_layers=f.count("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules", default=0, least=0),
        published={},
        notes="; ".join(notes),
        provenance={"": Provenance(source="config-json", kind="published", retrieved="")},
    )


def model_from_file(path: str | Path, *, id: str | None = None) -> Model:
    """The architecture of a `config.json` on disk; raises InputError if the file cannot be read as one."""
    place = Path(path)
    return model_from_config(read_config(place), id=id or place.resolve().parent.name or None)


def _family(f: Fields, config: Mapping[str, Any]) -> tuple[str, Builder | None]:
    """The family's name and builder; the nested configuration's own type is asked first."""
    stated: list[str] = []
    for values in (f.values, config):
        architectures: Any = values.get("architectures")
        named = [values.get("model_type"), *(cast(list[Any], architectures) if isinstance(architectures, list) else [])]
        stated += [name for name in named if isinstance(name, str) and name]
    for name in stated:
        if _plain(name) in BUILDERS:
            return name, BUILDERS[_plain(name)]
    return (stated[0] if stated else "unknown"), None


def _plain(name: str) -> str:
    """A family's name as in `BUILDERS`, if it is there."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    while plain not in BUILDERS and _SUFFIXES.search(plain):
        plain = _SUFFIXES.sub("", plain)
    return plain


def _completed(f: Fields, kind: str) -> tuple[Fields, list[str]]:
    """The fields with the family's defaults for those left out, and a note that says which."""
    absent = {name: value for name, value in DEFAULTS.get(_plain(kind), {}).items() if not f.has(name)}
    if not absent:
        return f, []
    return replace(f, values={**f.values, **absent}), [f"left to the family's defaults: {', '.join(absent)}"]


def _by_fields(f: Fields, kind: str) -> tuple[Builder, str]:
    """The family whose fields an unknown architecture uses, and a note that says so."""
    for name, builder in (
        ("linear_attn_config", hybrid.kimi_linear),
        ("kv_lora_rank", experts.deepseek),
        ("hybrid_override_pattern", hybrid.nemotron_h),
    ):
        if f.has(name):
            return builder, f"unknown architecture {kind!r}, read by its field {name} like {builder.__name__}"
    if f.has("ssm_state_size", "state_size", "mamba_d_state", "rwkv"):
        raise wrong("model_type", kind, f"known for models with recurrent layers ({', '.join(sorted(BUILDERS))})")
    if f.has(*EXPERTS):
        return experts.mixtral_like, f"unknown architecture {kind!r}, read as Llama-like with experts"
    return dense.llama, f"unknown architecture {kind!r}, read as Llama-like"


def _grouped(layers: list[LayerGroup]) -> tuple[LayerGroup, ...]:
    """Layers of the same shape together, in the order in which shapes first appear."""
    counts: dict[LayerGroup, int] = {}
    for layer in layers:
        counts[layer] = counts.get(layer, 0) + layer.count
    return tuple(replace(layer, count=count) for layer, count in counts.items())


def _longest(f: Fields) -> int:
    names = ("max_position_embeddings", "model_max_length", "n_positions", "n_ctx", "max_sequence_length", "seq_length")
    return f.count(*names, default=0, least=0)
