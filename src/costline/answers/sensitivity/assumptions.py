"""What is assumed of users: lengths, rate, cache hits, bursts, and the targets; each halved and doubled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        lengths, factor = getattr(work, field), value / now
        p95 = lengths.p95 * factor if isinstance(lengths, Lengths) and lengths.p95 else None
        changed: dict[str, Any] = {field: value if p95 is None else {"mean": value, "p95": p95}}
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
    lengths, mean = work.output_tokens, work.output_mean
    now = lengths.p95 if isinstance(lengths, Lengths) and lengths.p95 else mean
    effect = Effect(
        name="output_p95_tokens", group="assumptions", label="p95 of the output length", unit="tokens", base=now,
        at=lambda value: _number(
            value, "tokens", lambda p95: {"workload": {"output_tokens": {"mean": mean, "p95": p95}}}
        ),
    )  # fmt: skip
    return ranged(effect, mean, max(LONG_TAIL * mean, now))


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
