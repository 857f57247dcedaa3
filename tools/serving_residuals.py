"""Predict measured serving systems with given efficiency records, and the errors by row and by group.

Stands beside `calibrate.py` because only `costline.answers` composes a prediction and `costline.measure` may not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from costline.answers.choices import activation_format
from costline.answers.search.columns import Engine, operate, room, steady_state
from costline.answers.search.load import Load
from costline.architecture.formats import FORMATS, format_name
from costline.architecture.operations import Formats
from costline.architecture.sharding import Layout, layout
from costline.catalog import find
from costline.catalog.models import find_model
from costline.catalog.records import Chip, Efficiency, Model
from costline.deployment.plan import Site
from costline.forward.rates import expected_rates
from costline.measure.fit import errors_of
from costline.measure.serving_runs import ServingRun, StagedRun
from costline.measure.votes import (
    group_medians,
    vote_weights,
    weighted_quantile,
)
from costline.quantities import Array, as_array

QUANTITIES = ("tpot", "ttft", "throughput")
PREFILL_CHUNK_TOKENS = 8192.0
OFFLINE_BATCH = 2048
"""Most sequences at once of the offline tables' engine, where memory allows more."""
KEPT = dict.fromkeys(("embedding", "head", "router", "norms"), "bf16")
"""Parts that narrow checkpoints leave as they were."""
NARROW = {"fp8": "fp8", "fp8_block": "fp8_block", "fp4": "nvfp4", "int8": "int8", "int4": "int4"}
ENGINE_RECORD = {"sglang": "sglang", "trtllm": "tensorrt-llm"}
"""Whose way with memory an engine has; vLLM's for those without a record."""
UNSTATED_KV = {("trtllm", "fp8"): "fp8", ("trtllm", "fp8_block"): "bf16", ("trtllm", "fp4"): "fp8"}
"""Format of the cache where a row does not state it, by engine and weights: as the same engine's tables that do; else
the planner's own default, bf16."""
FEWEST_OFFLINE = 8
"""Below so many sequences a lane, the engine's unstated reserve decides an offline row, not its speed."""

Rule = Callable[[Chip], Efficiency]


@dataclass(frozen=True)
class Predictions:
    """Predicted and measured quantities of runs, by name; NaN where a row does not state one."""

    runs: Sequence[ServingRun]
    predicted: Mapping[str, Array]
    measured: Mapping[str, Array]

    def groups(self, rows: Array) -> list[str]:
        """Group of each chosen row."""
        return [self.runs[i].group for i in np.flatnonzero(rows)]

    def known(self, quantity: str) -> Array:
        """Rows that both sides state."""
        return np.isfinite(self.measured[quantity]) & np.isfinite(self.predicted[quantity])

    def ratio(self, quantity: str, rows: Array) -> Array:
        """Measured over predicted of the chosen rows."""
        return self.measured[quantity][rows] / self.predicted[quantity][rows]


def formats_of(model: Model, number_format: str, chip: Chip, kv: str = "bf16") -> Formats:
    """Formats of a run from its label: the release where it is that narrow, else all but what checkpoints keep."""
    released = {"": "bf16", **model.checkpoint_formats}
    if number_format in ("bf16", "fp16"):
        weights = {"": "bf16"}
    elif any(FORMATS[name].bits == FORMATS[NARROW[number_format]].bits for name in released.values()):
        weights = released
    else:
        weights = {"": NARROW[number_format], **KEPT}
        if number_format == "fp4" and any(group.moe for group in model.layers):
            weights["attention"] = "bf16"
    return Formats(weights, format_name(kv), activation_format(chip, weights, "auto"))


def engine_of(run: ServingRun, rule: Rule) -> Engine:
    """The run's model, formats and rates."""
    chip = find.chip(run.chip)
    site = Site(chip, find.system(chip.system), find.engine(ENGINE_RECORD.get(run.engine, "vllm")))
    model = find_model(run.model)
    kv = run.kv_format or UNSTATED_KV.get((run.engine, run.number_format), "bf16")
    formats = formats_of(model, run.number_format, chip, kv)
    return Engine(model, formats, expected_rates(chip, site.system, rule(chip), run.engine), site)


def load_of(run: ServingRun | StagedRun, chunk_tokens: float, cached_tokens: float = 0.0) -> Load:
    """The run's lengths, fixed and without gaps between requests that would matter in a closed loop."""
    return Load(run.input_tokens, cached_tokens, run.output_tokens, 0.0, 0.0, chunk_tokens)


def predict(runs: Sequence[ServingRun], rule: Rule) -> Predictions:
    """Predictions at a full batch: the concurrency, or what memory holds where that is less or none is stated.

    Offline rows are left out (NaN) where that batch is tiny, or larger than an answer has tokens: the steady state
    takes one prompt into a step, but a lane with more sequences than decode steps needs several.
    """
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        lengths = (run.input_tokens, run.output_tokens)
        alike[run.chip, run.engine, run.model, run.number_format, run.kv_format, *lengths].append(number)
    predicted = {name: np.full(len(runs), np.nan) for name in QUANTITIES}
    for numbers in alike.values():
        found = _predict_alike([runs[i] for i in numbers], rule)
        for name, values in found.items():
            predicted[name][numbers] = values
    measured = {
        "tpot": as_array([run.tpot_s for run in runs]),
        "ttft": as_array([run.ttft_s for run in runs]),
        "throughput": as_array([run.output_tokens_per_s for run in runs]),
    }
    return Predictions(runs, predicted, measured)


def _predict_alike(runs: Sequence[ServingRun], rule: Rule) -> dict[str, Array]:
    engine = engine_of(runs[0], rule)
    load = load_of(runs[0], PREFILL_CHUNK_TOKENS)
    where = _layout(runs)
    most = room(engine, where, load.full_context_tokens)["max_batch"]
    wanted = as_array([run.concurrency or OFFLINE_BATCH * run.pp for run in runs])
    batch = np.maximum(np.minimum(wanted, most), 1.0)
    found = operate(engine, load, where, batch, rate_per_replica=None)
    lane = batch / (where.pp * where.dp)
    offline = np.array([run.concurrency is None for run in runs])
    hidden = offline & ((lane < FEWEST_OFFLINE) | (lane > load.output_tokens))
    return {
        "tpot": np.where(hidden, np.nan, found["tpot_s"]),
        "ttft": np.where(hidden, np.nan, found["ttft_s"]),
        "throughput": np.where(hidden, np.nan, found["requests_per_s"] * load.output_tokens),
    }


def _layout(runs: Sequence[ServingRun]) -> Layout:
    columns = as_array([(run.tp, run.pp, run.dp, run.tp * run.dp if run.dp > 1 else run.ep) for run in runs])
    return layout(*columns.T)


def predict_staged(runs: Sequence[StagedRun], chip: Chip, record: Efficiency) -> Array:
    """Time per output token of each stage at its measured batch."""
    system = find.system(chip.system)
    site = Site(chip, system, find.engine("vllm"))
    rates = expected_rates(chip, system, record)
    times: list[float] = []
    for run in runs:
        model = find_model(run.model)
        engine = Engine(model, formats_of(model, run.number_format, chip), rates, site)
        load = load_of(run, float(run.max_batched_tokens), run.cached_tokens)
        times.append(float(steady_state(engine, load, layout(run.tp), as_array(run.decode_batch)).tpot_s))
    return as_array(times)


def is_judged(run: ServingRun) -> bool:
    """Closed-loop rows that may judge: not medians of bimodal runs, not attention data parallelism (too few)."""
    return run.source != "tokpos" and not run.attention_data_parallel and run.concurrency is not None


def summary(found: Predictions, quantity: str, rows: Array) -> dict[str, float]:
    """Errors by group vote and by row."""
    rows = rows & found.known(quantity)
    size = np.abs(found.predicted[quantity][rows] / found.measured[quantity][rows] - 1)
    groups = found.groups(rows)
    weights = vote_weights(groups)
    by_row = errors_of(found.predicted[quantity][rows], found.measured[quantity][rows])
    return {
        "rows": by_row.rows,
        "groups": len(set(groups)),
        "row_median": by_row.median,
        "row_bias": by_row.bias,
        "row_p90": by_row.p90,
        "vote_median": weighted_quantile(size, weights, 0.5),
        "vote_p90": weighted_quantile(size, weights, 0.9),
        "mean_of_group_medians": float(np.mean(list(group_medians(size, groups).values()))),
    }
