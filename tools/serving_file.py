"""The text of catalog/data/calibration/serving.yml: fitted numbers, facts of engines, and how far runs are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costline.catalog.records import Residuals
from costline.measure.vllm_runs import VllmRun
from costline.quantities import MICRO, MILLI, NANO, PERCENT, Array, as_array
from whole_runs import Case, Numbers, Row, predicted

KEYS = {
    "pointwise_floor_s": ("pointwise_floor_us", MICRO),
    "moe_layer_s": ("moe_layer_us", MICRO),
    "host_step_s": ("host_step_ms", MILLI),
    "host_sequence_s": ("host_sequence_us", MICRO),
    "request_s": ("request_ms", MILLI),
    "decode_attention_share": ("decode_attention_share", 1.0),
    "attention_item_share": ("attention_item_share", 1.0),
    "sampler_s": ("sampler_ps", MILLI * NANO),
    "launch_layer_s": ("launch_layer_us", MICRO),
    "launch_moe_layer_s": ("launch_moe_layer_us", MICRO),
}
"""Key and unit in the file of each number."""
STATED = ("e2e_mean", "itl_mean", "ttft_mean", "ttft_p90", "e2e_p99")
"""Metrics whose errors the file states."""
LONGER = 1.03
"""Steps so many times as long tell how a run amplifies them."""
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}

HEADER = """\
# What serving adds to the steps of `steps.yml`: numbers fitted on whole runs, and rules of engines' code.
# Written by `make calibrate`: edit the rules in tools/calibrate_serving.py and tools/serving_file.py, not this file.
# Times of a step come from the kernel models; what stands here is shared by all models and chips. A number that is not
# stated is that of `steps.yml`. `residuals` are of the runs themselves, `left_out` of each model by a fit to the
# others: mean size of the error, and quantiles of measured over predicted, by metric over all stages. `step_range` is
# measured over predicted time of a step, of models left out; what queues make of it is taken off.
source: serving-runs
kind: measured
retrieved: 2026-11-20

serving:
  default:
    decode_attention_share: 1
    attention_item_share: {item:g}
    sampler_ps: 0
    padded_to: 1
    padded_up_to: 0
    step_range: {p10: 0.9, p50: 1, p90: 1.1, rows: 0}
    notes: >-
      No whole run of such an engine was compared: its steps are those of steps.yml, the range is assumed.
    sources:
      step_range: {kind: assumed, note: no whole run of such an engine was compared}
      attention_item_share: {kind: inferred, note: as whole runs of vLLM show}
      sampler_ps: {kind: assumed, note: engines that sample without sorting the vocabulary}

  vllm:
"""
RULES = """\
    top_p_families: [llama-2-, llama-3, llama-4, qwen, qwq, deepseek, gemma-3, kimi, glm, minimax]
    padded_to: 8
    padded_up_to: 512
"""
NOTES = """\
    sources:
      top_p_families: {kind: assumed, note: released generation settings ask for sampling by top-p}
      padded_to: {kind: assumed, note: sizes of captured graphs that the engine chooses where nothing is set}
      padded_up_to: {kind: assumed, note: the same}
    notes: >-
      The host's time of a step and of a sequence are set to nothing, where fits take them: the engine of these runs
      schedules beside the step before, that of the sweeps behind steps.yml did not yet. Kernels, their floors and
      collectives are those of steps.yml; a kernel that only passes over activations is shorter here, where none has to
      quantise. Times of launches rest on few stages: cold prompts of first stages, and one run of experts in fp8.
"""


@dataclass(frozen=True)
class Seen:
    """Errors of runs and of models left out, by metric over all stages; and the range of steps."""

    residuals: Mapping[str, Row]
    left_out: Mapping[str, Row]
    steps: Residuals


def as_written(numbers: Numbers, digits: int = 3) -> dict[str, float]:
    """Numbers in the file's units, without those of `steps.yml`."""
    found = {key: (numbers.get(name), unit) for name, (key, unit) in KEYS.items()}
    return {key: float(f"{value / unit:.{digits}g}") for key, (value, unit) in found.items() if value is not None}


def step_ratios(case: Case, numbers: Numbers) -> list[float]:
    """By how much steps must be longer for each stage's gap between tokens to come out as measured."""
    found: list[float] = []
    pairs = zip(predicted(case, numbers), predicted(case, numbers, factor=LONGER), case.run.stages, strict=True)
    for plain, longer, stage in pairs:
        gain = np.log(longer["itl_mean"] / plain["itl_mean"]) / np.log(LONGER)
        found.append(float((stage.measured_s["itl_mean"] / plain["itl_mean"]) ** (1 / max(gain, 1.0))))
    return found


def quantiles(ratios: Array) -> Row:
    """Of measured over predicted."""
    return {name: round(float(np.quantile(ratios, share)), 3) for name, share in QUANTILES.items()}


def summary(rows: Sequence[Row]) -> dict[str, Row]:
    """Of errors by stage: mean size and quantiles of measured over predicted, by metric."""
    found: dict[str, Row] = {}
    for name in STATED:
        sizes = as_array([row[name] for row in rows])
        found[name] = {"mean": round(float(np.mean(np.abs(sizes))), 4), **quantiles(1 / (1 + sizes)), "rows": len(rows)}
    return found


def range_of(ratios: Sequence[float]) -> Residuals:
    """Of measured over predicted times of steps."""
    found = quantiles(as_array(ratios))
    return Residuals(found["p10"], found["p50"], found["p90"], len(ratios))


def serving_text(numbers: Numbers, runs: Sequence[VllmRun], seen: Seen) -> str:
    """The whole file."""
    lines = [f"    {key}: {value:g}\n" for key, value in as_written(numbers).items()]
    stages = sum(len(run.stages) for run in runs)
    models, cuts = len({run.model for run in runs}), sorted({run.tp for run in runs})
    steps = seen.steps
    lines += [
        RULES,
        "    step_range: " + _table({"p10": steps.p10, "p50": steps.p50, "p90": steps.p90, "rows": steps.rows}),
        "    fitted_on: >-\n",
        f"      {len(runs)} runs of vLLM 0.15.1 on H100: {stages} stages, {models} models, tp "
        f"{', '.join(map(str, cuts))}; means over four draws of arrivals, errors of means over six others\n",
    ]
    for name, part in (("residuals", seen.residuals), ("left_out", seen.left_out)):
        lines.append(f"    {name}:\n")
        lines += [f"      {metric}: {_table(row)}" for metric, row in part.items()]
    return HEADER.replace("{item:g}", f"{as_written(numbers)['attention_item_share']:g}") + "".join(lines) + NOTES


def _table(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value:g}" for name, value in values.items()) + "}\n"


def words(name: str, part: Mapping[str, Row]) -> str:
    """Mean sizes as people read them."""
    return f"{name}: " + ", ".join(f"{metric} {PERCENT * row['mean']:.2f} %" for metric, row in part.items())
