"""Reads results of whole serving systems: sweeps over concurrency, offline tables, and one engine's staged loads.

Knows the files, which rows state enough, and how their labels read. Knows no prediction.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from costline.quantities import MILLI

NAN = float("nan")
CHIPS = {
    "a100-80-sxm": "a100-80gb-sxm", "gh200-96": "gh200-96gb", "gb200-nvl72": "gb200",
    "rtx-pro-6000-bw": "rtx-pro-6000",
}  # fmt: skip
"""Names of the index that are not the catalogue's."""
INFERRED_CHUNK_TOKENS = {("gap", "vllm", "h100-sxm"): 2048.0, ("gap", "vllm", "h200-sxm"): 2048.0,
                         ("gap", "trtllm", "h100-sxm"): 2048.0}  # fmt: skip
"""Prompt tokens of a step that the times to the first token of these sweeps fit best; nowhere stated."""
NOMINAL_SPREAD = 1 / 9
"""Lengths drawn between 0.8 and 1.0 of the nominal, as a share of their mean."""
TTFT_FLAGS = ("saturated", "warm-up", "stream interval", "bimodal")
"""Remarks of the index after which a time to first token measures queueing or the harness."""
REPEATED_PROMPT_TOKENS = 16
"""Tokens that a prompt whose prefix is cached still computes: the last block of the cache."""
BLOCK_SCALED = "gemm_quant=fp8_block"
"""What notes say of products whose fp8 has a scale for each block, where the index says fp8."""
TOKENIZER_FACTOR = 1.05
"""Prompts of the staged loads measured so much longer than the load's label."""


@dataclass(frozen=True)
class ServingRun:
    """One row: a system at one load, and what it measured (NaN = not stated or not to be compared)."""

    source: str
    engine: str
    chip: str
    model: str
    number_format: str
    kv_format: str
    """Empty where it was not stated."""
    accelerators: int
    tp: int
    pp: int
    dp: int
    ep: int
    attention_data_parallel: bool
    input_tokens: float
    output_tokens: float
    concurrency: float | None
    """Requests in flight; None where the engine chose the batch."""
    tpot_s: float
    ttft_s: float
    output_tokens_per_s: float
    """Measured, or for closed loops implied: concurrency over the time of one request."""
    length_spread: float = 0.0
    """Lengths lie within this share of their mean; 0 = all alike."""
    chunk_tokens: float | None = None
    """Most tokens of a step, where inferred; None = the engine's default."""

    @property
    def vote(self) -> str:
        """One vote of the study: source, accelerator, model."""
        return f"{self.source} {self.chip} {self.model}"

    @property
    def group(self) -> str:
        """One vote: source, engine, accelerator, model."""
        return f"{self.source} {self.engine} {self.chip} {self.model}"


@dataclass(frozen=True)
class StagedRun:
    """A stage of constant request rate on one engine, with the batch that its latencies imply."""

    name: str
    model: str
    number_format: str
    tp: int
    max_batched_tokens: int
    input_tokens: float
    cached_tokens: float
    output_tokens: float
    decode_batch: float
    """Sequences that decode at once: rate times time between first and last token (Little)."""
    tpot_s: float
    ttft_s: float


def read_serving_runs(folder: Path, file: str, *, levels: str = "A") -> list[ServingRun]:
    """Rows of a serving file that the index beside it (`usable.csv`) puts on one of `levels`."""
    with (folder / file).open(encoding="utf-8", newline="") as lines:
        measured = list(csv.DictReader(lines))
    with (folder / "usable.csv").open(encoding="utf-8", newline="") as lines:
        index = [row for row in csv.DictReader(lines) if row["file"] == file and row["level"]]
    return [_run(row, measured[int(row["row"]) - 2]) for row in index if row["level"] in levels]


def read_staged_runs(path: Path) -> list[StagedRun]:
    """Stages of the vLLM experiments; their prompts repeat, so that all but the last block is cached."""
    experiments: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["experiments"]
    return [
        _stage(one, rate, one["measured_ms"][f"stage{number}"])
        for one in experiments
        for number, (rate, _) in enumerate(one["load"]["stages"])
        if f"stage{number}" in one["measured_ms"]
    ]


def _number(text: str) -> float:
    return float(text) if text.strip() else NAN


def _count(text: str) -> int:
    return int(float(text)) if text.strip() else 1


def _run(index: dict[str, str], row: dict[str, str]) -> ServingRun:
    scale, compared, flags = float(index["len_scale"]), index["compare"], index["flags"]
    output_tokens = float(index["osl"]) * scale
    concurrency = float(index["conc"]) if index["conc"] else None
    tpot_s, ttft_s = _number(row["tpot_ms"]) * MILLI, _number(row["ttft_ms"]) * MILLI
    per_s = _number(row["total_output_tok_s"]) if "throughput" in compared else NAN
    if "throughput" not in compared and "ttft" in compared and concurrency is not None:
        per_s = concurrency * output_tokens / (ttft_s + tpot_s * (output_tokens - 1))
    gpus, tp, pp = (_count(index[name]) for name in ("gpus", "tp", "pp"))
    apart = index["attn_dp"] == "y"
    tp = 1 if apart else tp
    return ServingRun(
        source=index["src"],
        engine=index["engine"],
        chip=CHIPS.get(index["chip"], index["chip"]),
        model=index["model"].rpartition(":")[2],
        number_format="fp8_block" if BLOCK_SCALED in row.get("notes", "") else index["dtype"],
        kv_format=row["kv_dtype"].strip().lower(),
        accelerators=gpus,
        tp=tp,
        pp=pp,
        dp=max(gpus // (tp * pp), 1),
        ep=_count(index["ep"]),
        attention_data_parallel=apart,
        input_tokens=float(index["isl"]) * scale,
        output_tokens=output_tokens,
        concurrency=concurrency,
        tpot_s=tpot_s if "tpot" in compared else NAN,
        ttft_s=ttft_s if "ttft" in compared and not any(flag in flags for flag in TTFT_FLAGS) else NAN,
        output_tokens_per_s=per_s,
        length_spread=NOMINAL_SPREAD if scale < 1 else 0.0,
        chunk_tokens=INFERRED_CHUNK_TOKENS.get((index["src"], index["engine"], index["chip"])),
    )


def _stage(experiment: dict[str, Any], rate: float, measured: dict[str, float]) -> StagedRun:
    load = experiment["load"]
    prompt = TOKENIZER_FACTOR * (load["system_prompt_tokens"] + load["question_tokens"])
    decoding_s = (measured["e2e_mean"] - measured["ttft_mean"]) * MILLI
    return StagedRun(
        name=experiment["id"],
        model=experiment["model"].removesuffix("-FP8-dynamic"),
        number_format=experiment["weights"],
        tp=experiment["tp"],
        max_batched_tokens=experiment["max_batched_tokens"],
        input_tokens=prompt,
        cached_tokens=prompt - REPEATED_PROMPT_TOKENS,
        output_tokens=load["output_tokens"],
        decode_batch=rate * decoding_s,
        tpot_s=decoding_s / (load["output_tokens"] - 1),
        ttft_s=measured["ttft_mean"] * MILLI,
    )
