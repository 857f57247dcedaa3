"""Whole runs of a serving engine as their publisher measured them: the load, and latencies by stage.

Reads `vllm_experiments_*.json`. Knows no prediction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costline.errors import CatalogError
from costline.quantities import MILLI

PROMPT_GROWTH = 1.05
"""Prompts as the server counts them over the nominal lengths of the load, as the file's note says."""
METRICS = ("e2e_mean", "itl_mean", "ttft_mean", "ttft_p90", "ttft_p99", "e2e_p90", "e2e_p99")
"""What stages are compared by; `itl_mean` is (e2e - ttft) / (nominal output tokens - 1)."""


@dataclass(frozen=True)
class VllmStage:
    """A rate, how long it held, and what was measured [s]."""

    rate: float
    duration_s: float
    measured_s: Mapping[str, float]


@dataclass(frozen=True)
class VllmRun:
    """One run: what was served on what, and its stages."""

    id: str
    model: str
    accelerator: str
    tp: int
    weights: str
    max_batched_tokens: int
    memory_utilization: float
    workload: str
    input_tokens: float
    output_tokens: int
    shared_tokens: int
    distinct_prompts: int
    stages: tuple[VllmStage, ...]

    @property
    def max_sequences(self) -> int:
        """As the file says of every run."""
        return 128


def read_vllm_runs(path: Path) -> tuple[VllmRun, ...]:
    """All runs of a file; raises CatalogError if it is not such a file."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["experiments"]
        return tuple(_run(one) for one in listed)
    except (KeyError, TypeError, ValueError) as error:
        text = f"{path.name} is no file of serving runs ({error!r}); give vllm_experiments_*.json"
        raise CatalogError(text) from None


def _run(one: Mapping[str, Any]) -> VllmRun:
    load = one["load"]
    nominal = load["system_prompt_tokens"] + load["question_tokens"]
    output = int(load["output_tokens"])
    stages = [
        VllmStage(float(rate), float(duration_s), _measured(one["measured_ms"][f"stage{index}"], output))
        for index, (rate, duration_s) in enumerate(load["stages"])
    ]
    return VllmRun(
        id=one["id"],
        model=one["model"],
        accelerator=one["hardware"],
        tp=int(one["tp"]),
        weights=one["weights"],
        max_batched_tokens=int(one["max_batched_tokens"]),
        memory_utilization=float(one["memory_utilization"]),
        workload=one["workload"],
        input_tokens=round(PROMPT_GROWTH * nominal),
        output_tokens=output,
        shared_tokens=int(load["system_prompt_tokens"]),
        distinct_prompts=int(load["distinct_system_prompts"] * load["users_per_system_prompt"]),
        stages=tuple(stages),
    )


def _measured(values_ms: Mapping[str, float], output_tokens: int) -> dict[str, float]:
    """In seconds; the mean gap between tokens from nominal lengths, for clients count tokens anew from text."""
    found = {name: float(value) * MILLI for name, value in values_ms.items()}
    found["itl_mean"] = (found["e2e_mean"] - found["ttft_mean"]) / (output_tokens - 1)
    return found
