"""Rows of plans and scenarios to launch."""

from __future__ import annotations

from typing import Any

from costline.answers.scenario import Scenario

ENGINES = ("vllm", "sglang", "tensorrt-llm")
TARGETS = ("shell", "docker-compose", "kubernetes", "llm-d")


def scenario(model: str = "llama-3.1-70b", engine: dict[str, Any] | None = None, **workload: Any) -> Scenario:
    """A scenario with a model, a workload and an engine's settings."""
    given = {"input_tokens": 8192, "output_tokens": 1024, **workload}
    return Scenario.model_validate({
        "model": {"id": model}, "workload": given, "deployment": {"engine": engine or {}},
    })  # fmt: skip


def row(**given: Any) -> dict[str, Any]:
    """A plan's row, one replica of TP 4 on H100 unless said otherwise."""
    fields: dict[str, Any] = {
        "rank": 1, "accelerator": "h100-sxm", "replicas": 1, "tp": 4, "pp": 1, "dp": 1, "ep": 1, "batch": 64,
        "weights": "bf16", "kv_cache": "bf16", "activations": "bf16", "layout": "TP4", "disaggregated": False,
    }  # fmt: skip
    made = fields | given
    return made


def pools(prefill: dict[str, Any] | None = None, decode: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """A row with two pools."""
    one = {"accelerator": "h100-sxm", "replicas": 1, "tp": 4, "pp": 1, "dp": 1, "ep": 1, "batch": 64}
    return row(disaggregated=True, prefill_pool=one | (prefill or {}), decode_pool=one | (decode or {}), **given)
