"""Number formats of a checkpoint by component, from the `quantization_config` of its `config.json`.

Knows the tools that write checkpoints (fp8, GPTQ, AWQ, compressed-tensors, MXFP4, ModelOpt, Quark, FBGEMM,
bitsandbytes) and how they name modules that they left alone. Knows no bits (see `architecture.formats`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from costline.catalog.hugging_face_fields import Fields, missing, wrong

_UNQUANTISED = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_ALWAYS_WIDE = ("embedding", "head", "norms", "router")
"""Components that tools leave alone unless a configuration says otherwise."""
_ATTENTION, _EXPERT = ("self_attn", "attention", "attn"), ("experts",)
_NAMED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("head", ("lm_head", "output_layer")),
    ("embedding", ("embed_tokens", "embeddings", "wte", "word_embeddings")),
    ("state", ("linear_attn", "mamba", "mixer", "ssm")),
    ("shared_experts", ("shared_expert", "shared_experts")),
    ("router", ("gate", "router")),
    ("experts", _EXPERT),
    ("attention", (*_ATTENTION, "q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj", "q_a_proj", "kv_b_proj")),
    ("mlp", ("mlp", "feed_forward", "ffn")),
)
"""Component by words of a module's name, the most specific first."""
_LAYER = re.compile(r"(?:layers|h|blocks)\.(\d+)(?:\.|$)")
_HALF = 0.5


def checkpoint_formats(f: Fields, layers: int) -> dict[str, str]:
    """Number format of each component as released; key ``""`` is the default."""
    stated = f.values.get("quantization_config") or f.outer.get("quantization_config")
    wide = _wide_format(f)
    if stated is None:
        return {"": wide}
    if not isinstance(stated, dict):
        raise wrong("quantization_config", stated, "a table (a JSON object)")
    quantization = Fields(cast(Mapping[str, Any], stated), {})
    method = quantization.values.get("quant_method", "modelopt" if quantization.has("quant_algo") else "")
    if method not in _METHODS:
        raise wrong("quantization_config.quant_method", method, f"one of {', '.join(_METHODS)}, or the table left out")
    narrow = _METHODS[method](quantization)
    left = _left_alone(quantization, layers)
    if method == "mxfp4":
        return {"": wide, "experts": narrow}
    formats = {"": narrow} | dict.fromkeys((*_ALWAYS_WIDE, *sorted(left)), wide)
    expert = quantization.values.get("expert_dtype", f.values.get("expert_dtype"))
    return formats | ({"experts": "mxfp4"} if expert == "fp4" else {})


def _wide_format(f: Fields) -> str:
    for values in (f.values, f.outer):
        for name in ("dtype", "torch_dtype"):
            value = values.get(name)
            if value is not None:
                plain = str(value).removeprefix("torch.")
                if plain not in _UNQUANTISED:
                    raise wrong(name, value, f"one of {', '.join(_UNQUANTISED)}")
                return _UNQUANTISED[plain]
    return "bf16"


def _fp8(q: Fields) -> str:
    return "fp8_block" if q.has("weight_block_size") else "fp8"


def _int4(q: Fields) -> str:
    bits = q.count("bits", "w_bit", default=4)
    if bits == 8:
        return "int8"
    if bits != 4:
        raise wrong("quantization_config.bits", bits, "4 or 8")
    return _by_group(q.count("group_size", default=128, least=-1))


def _by_group(group: int) -> str:
    return "int4_g32" if group == 32 else "int4_g64" if group == 64 else "int4"


def _compressed(q: Fields) -> str:
    groups = q.inner("config_groups").values
    if not groups:
        raise missing("quantization_config.config_groups")
    first = Fields(cast(Mapping[str, Any], next(iter(groups.values()))), {}).inner("weights")
    bits, kind = first.count("num_bits"), first.values.get("type", "int")
    group = first.count("group_size", default=-1, least=-1)
    if kind == "float" and bits == 8:
        return "fp8_block" if first.values.get("strategy") == "block" else "mxfp8" if group == 32 else "fp8"
    if kind == "float" and bits == 4:
        return "mxfp4" if group == 32 else "nvfp4"
    if kind == "int" and bits in (4, 8):
        return "int8" if bits == 8 else _by_group(group)
    raise wrong("quantization_config.config_groups", f"{kind} of {bits} bits", "int or float of 4 or 8 bits")


def _modelopt(q: Fields) -> str:
    algorithm = str(q.values.get("quant_algo") or q.inner("quantization").values.get("quant_algo") or "").upper()
    for word, name in (("NVFP4", "nvfp4"), ("MXFP8", "mxfp8"), ("MXFP4", "mxfp4"), ("W4A16_AWQ", "int4"),
                       ("FP8_PB", "fp8_block"), ("FP8", "fp8"), ("INT8", "int8")):  # fmt: skip
        if word in algorithm:
            return name
    raise wrong("quantization_config.quant_algo", algorithm, "one with NVFP4, MXFP4, MXFP8, FP8, INT8 or W4A16_AWQ")


def _quark(q: Fields) -> str:
    weight = q.inner("global_quant_config").inner("weight")
    kind = str(weight.values.get("dtype", ""))
    names = {"fp4": "mxfp4", "fp8_e4m3": "fp8", "int8": "int8", "int4": "int4", "uint4": "int4"}
    if kind not in names:
        raise wrong("quantization_config.global_quant_config.weight.dtype", kind, f"one of {', '.join(names)}")
    return names[kind]


def _bitsandbytes(q: Fields) -> str:
    return "int4_g64" if q.flag("load_in_4bit", "_load_in_4bit", default=False) else "int8"


def _mxfp4(_: Fields) -> str:
    return "mxfp4"


_METHODS: dict[str, Callable[[Fields], str]] = {
    "fp8": _fp8, "fbgemm_fp8": _fp8, "gptq": _int4, "awq": _int4, "auto-round": _int4,
    "compressed-tensors": _compressed, "mxfp4": _mxfp4, "modelopt": _modelopt, "modelopt_fp4": _modelopt,
    "modelopt_mixed": _modelopt, "quark": _quark, "bitsandbytes": _bitsandbytes,
}  # fmt: skip


def _left_alone(q: Fields, layers: int) -> set[str]:
    """Components that the configuration lists as not converted, in at least half of the layers."""
    seen: dict[str, set[int]] = {}
    for key in ("modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules", "exclude"):
        for name in q.items(key, str) or []:
            component = _component(name)
            if component is not None:
                layer = _LAYER.search(name)
                seen.setdefault(component, set()).update([int(layer[1])] if layer else range(layers))
    return {component for component, where in seen.items() if len(where) >= _HALF * layers}


def _component(module: str) -> str | None:
    """The component that a module's name (or pattern of names) means; None for what is no part of the layers."""
    words = set(re.findall(r"[a-z_][a-z_0-9]*", module.lower()))
    for component, names in _NAMED:
        if words & set(names):
            return component
    return None
