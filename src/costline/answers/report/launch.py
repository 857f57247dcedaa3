"""Commands that start one replica of a plan in vLLM or SGLang: a shell line each, to copy.

Knows how plans map to flags; knows no physics. Flags that a plan leaves to the engine are left out.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any, cast

Row = Mapping[str, Any]

_KV = {
    "vllm": {"fp8": "fp8", "int8": "int8"},
    "sglang": {"fp8": "fp8_e4m3"},
}
_NIXL = """--kv-transfer-config '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}'"""
_QUANTIZED = {"fp8": "fp8"}
"""Weight formats that an engine makes from a 16-bit checkpoint as it loads."""


def launch_commands(row: Row, *, hf_id: str, scenario: Row, released_bf16: bool) -> list[dict[str, str]]:
    """One command an engine and pool; each starts one replica, `replicas` of them stand behind a load balancer."""
    name = hf_id or "MODEL"
    found: list[dict[str, str]] = []
    for role in ("prefill", "decode") if row["disaggregated"] else ("",):
        pool = {**row, **row[f"{role}_pool"]} if role else row
        for engine, parts in (
            ("vLLM", [*_vllm(pool, name, scenario, released_bf16), *([_NIXL] if role else [])]),
            ("SGLang", [
                *_sglang(pool, name, scenario, released_bf16), *([f"--disaggregation-mode {role}"] if role else []),
            ]),
        ):  # fmt: skip
            label = f"{engine}, {role} on {pool['accelerator']}" if role else engine
            found.append({"engine": label, "command": " \\\n  ".join(parts)})
    return found


def _longest(scenario: Row) -> int:
    """Tokens of the longest request that the plan was made for, with room for its 95th percentile."""
    work: Row = scenario["workload"]
    return math.ceil(sum(_most(work[name]) for name in ("input_tokens", "output_tokens")))


def _most(length: Any) -> float:
    if isinstance(length, Mapping):
        given = cast(Row, length)
        return float(given["p95"] or given["mean"])
    return float(length)


def _vllm(row: Row, name: str, scenario: Row, released_bf16: bool) -> list[str]:
    engine = scenario["deployment"]["engine"]
    parts = [f"vllm serve {shlex.quote(name)}", f"--tensor-parallel-size {row['tp']}"]
    parts += [f"--pipeline-parallel-size {row['pp']}"] if row["pp"] > 1 else []
    parts += [f"--data-parallel-size {row['dp']}"] if row["dp"] > 1 else []
    parts += ["--enable-expert-parallel"] if row["ep"] > 1 else []
    parts += [f"--max-num-seqs {row['batch']}", f"--max-model-len {_longest(scenario)}"]
    parts += [f"--max-num-batched-tokens {engine['max_batched_tokens']}"]
    if engine["memory_utilization"] is not None:
        parts.append(f"--gpu-memory-utilization {engine['memory_utilization']:g}")
    parts += _formats("vllm", row, released_bf16, "--kv-cache-dtype", "--quantization")
    return parts


def _sglang(row: Row, name: str, scenario: Row, released_bf16: bool) -> list[str]:
    engine = scenario["deployment"]["engine"]
    parts = [f"python -m sglang.launch_server --model-path {shlex.quote(name)}"]
    parts += [f"--tp-size {row['tp'] * row['dp']}"]
    parts += [f"--pp-size {row['pp']}"] if row["pp"] > 1 else []
    parts += [f"--dp-size {row['dp']} --enable-dp-attention"] if row["dp"] > 1 else []
    parts += [f"--ep-size {row['ep']}"] if row["ep"] > 1 else []
    parts += [f"--max-running-requests {row['batch']}", f"--context-length {_longest(scenario)}"]
    parts += [f"--chunked-prefill-size {engine['max_batched_tokens']}"]
    parts += _formats("sglang", row, released_bf16, "--kv-cache-dtype", "--quantization")
    return parts


def _formats(engine: str, row: Row, released_bf16: bool, kv_flag: str, weights_flag: str) -> list[str]:
    kv = _KV[engine].get(row["kv_cache"])
    made = _QUANTIZED.get(row["weights"]) if released_bf16 else None
    return [*([f"{kv_flag} {kv}"] if kv else []), *([f"{weights_flag} {made}"] if made else [])]
