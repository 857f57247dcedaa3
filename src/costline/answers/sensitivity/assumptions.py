"""What is assumed of users: lengths, rate, cache hits, bursts, and the targets; each halved and doubled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from costline.answers.lengths_block import Z95
from costline.answers.plan.what_helps import RELAX, target_words, targets_ms
from costline.answers.scenario import Lengths
from costline.answers.sensitivity.around import Around
from costline.answers.sensitivity.what_if import Effect, WhatIf, ranged
from costline.quantities import MILLI, significant

BURSTY_CV = 2.0
LONG_TAIL = 3.0
"""95th percentile of answers over their mean where they vary much."""


def assumptions(base: Around) -> list[Effect]:
    """Effects of the workload and the targets."""
    found = [_tokens(base, "input_tokens", "input length"), _tokens(base, "output_tokens", "output length")]
    found += [*_loads(base), _cached(base)]
    if base.scenario.workload.peak_request_rate is not None:
        found += [_bursts(base), _tail(base)]
    return found + _targets(base)


def _number(value: float, unit: str, blocks: Callable[[float], dict[str, Any]]) -> WhatIf:
    return WhatIf(value=value, words=f"{significant(value)} {unit}".strip(), blocks=blocks(value))


def _tokens(base: Around, field: str, label: str) -> Effect:
    work = base.scenario.workload
    now = work.input_mean if field == "input_tokens" else work.output_mean

    def blocks(value: float) -> dict[str, Any]:
        factor = value / now
        changed: dict[str, Any] = {field: _scaled(getattr(work, field), value)}
        if field == "input_tokens":
            prefix = work.prefix
            same_share = {name: getattr(prefix, name) * factor for name in ("cached_tokens", "shared_tokens")}
            changed["prefix"] = same_share
        return {"workload": changed}

    longest = base.model.max_context_tokens or float("inf")
    most = min(RELAX * now, longest - (work.input_mean + work.output_mean - now))
    effect = Effect(
        name=field, group="assumptions", label=label, unit="tokens", base=now,
        at=lambda value: _number(value, "tokens", blocks),
        note="cached tokens keep their share of the prompt" if field == "input_tokens" else "",
    )  # fmt: skip
    return ranged(effect, max(now / RELAX, 1.0), most)


def _scaled(lengths: float | Lengths, mean: float) -> Any:
    """Lengths of another mean and the same relative spread, as keys to change; `cv` stays as it is."""
    if not isinstance(lengths, Lengths):
        return mean
    factor = mean / lengths.mean
    if lengths.empirical is not None:
        return [max(tokens * factor, 1.0) for tokens in lengths.empirical]
    given = {name: getattr(lengths, name) for name in ("p95", "sd")}
    return {"mean": mean, **{name: tokens * factor for name, tokens in given.items() if tokens is not None}}


def _loads(base: Around) -> list[Effect]:
    work = base.scenario.workload
    if work.stages:
        peak = max(stage.rate for stage in work.stages)
        field, now, unit = "stages", peak, "requests/s"
    elif work.request_rate is not None:
        field, now, unit = "request_rate", work.request_rate, "requests/s"
    elif work.concurrency is not None:
        field, now, unit = "concurrency", work.concurrency, "in flight"
    else:
        return []

    def blocks(value: float) -> dict[str, Any]:
        if field != "stages":
            return {"workload": {field: value}}
        scaled = [
            {"rate": stage.rate * value / now, "duration_s": stage.duration_s} for stage in work.stages or ()
        ]
        return {"workload": {"stages": scaled}}

    label = {"stages": "highest rate", "request_rate": "request rate", "concurrency": "concurrency"}[field]
    name = "concurrency" if field == "concurrency" else "request_rate"
    effect = Effect(
        name=name, group="assumptions", label=label, unit=unit, base=now, at=lambda value: _number(value, unit, blocks)
    )
    return [ranged(effect, now / RELAX, RELAX * now)]


def _cached(base: Around) -> Effect:
    work = base.scenario.workload
    now = work.prefix.cached_tokens

    def blocks(value: float) -> dict[str, Any]:
        none = {"shared_tokens": 0, "distinct_prompts": None} if value == 0 else {}
        return {"workload": {"prefix": {"cached_tokens": value, **none}}}

    effect = Effect(
        name="cached_tokens", group="assumptions", label="prompt tokens from the prefix cache", unit="tokens",
        base=now, at=lambda value: _number(value, "tokens", blocks),
    )  # fmt: skip
    return ranged(effect, 0.0, (work.input_mean + now) / RELAX)


def _bursts(base: Around) -> Effect:
    effect = Effect(
        name="arrival_cv", group="assumptions", label="burstiness of arrivals", unit="cv",
        base=base.scenario.workload.arrival_cv2**0.5,
        at=lambda value: _number(value, "cv", lambda cv: {"workload": {"arrivals": {"cv": cv}}}),
        note="coefficient of variation of the gaps: 0 = constant, 1 = Poisson",
    )  # fmt: skip
    return ranged(effect, 0.0, max(BURSTY_CV, RELAX * float(effect.base)))


def _tail(base: Around) -> Effect:
    work = base.scenario.workload
    mean, now = work.output_mean, _p95(work.output_tokens)
    others = dict.fromkeys(("cv", "sd", "distribution", "empirical"))

    def blocks(p95: float) -> dict[str, Any]:
        lengths = {"mean": mean, "p95": p95, **others}
        return {"workload": {"output_tokens": lengths, "length_correlation": None, "joint_lengths": False}}

    effect = Effect(
        name="output_p95_tokens", group="assumptions", label="p95 of the output length", unit="tokens", base=now,
        at=lambda value: _number(value, "tokens", blocks),
    )  # fmt: skip
    return ranged(effect, mean, max(LONG_TAIL * mean, now))


def _p95(lengths: float | Lengths) -> float:
    """The 95th percentile, no less than the mean."""
    if not isinstance(lengths, Lengths):
        return lengths
    if lengths.p95 is not None:
        return lengths.p95
    if lengths.empirical is not None:
        return max(float(np.percentile(lengths.empirical, 95)), lengths.mean)
    if lengths.shape == "normal":
        return lengths.mean * (1 + Z95 * math.sqrt(lengths.cv2))
    spread = math.sqrt(math.log1p(lengths.cv2))
    return lengths.mean * math.exp(Z95 * spread - spread**2 / 2)


def _targets(base: Around) -> list[Effect]:
    """Every target halved and doubled; where none is given, what half the plan's time per token would cost."""
    given = targets_ms(base.scenario)
    found = [ranged(_target(name, target), target / RELAX, RELAX * target) for name, target in given.items()]
    if found:
        return found
    reached = float(base.group.columns["tpot_p99_s"][base.row]) / MILLI
    return [ranged(_target("tpot_p99_ms", None), reached / RELAX, None)] if reached > 0 else []


def _target(name: str, target: float | None) -> Effect:
    return Effect(
        name=name, group="assumptions", label=f"{target_words(name)}, p99", unit="ms",
        base="none" if target is None else target,
        at=lambda value: _number(value, "ms", lambda limit: {"slo": {name: limit}}),
        note="" if target is not None else "no target is set; half of what the plan reaches",
    )  # fmt: skip
