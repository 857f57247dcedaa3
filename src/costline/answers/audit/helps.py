"""What would help: more load, fewer accelerators, other formats, the unexplained time; each with what it is worth.

Predictions are slowed by as much as the deployment is slower than expected now. Composes what `sensitivity` moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costline.answers.audit.situation import Situation
from costline.answers.plan.what_helps import DEGREES, changed
from costline.answers.sensitivity.around import Around, anew, held, outcome
from costline.answers.sensitivity.options import options
from costline.answers.sensitivity.what_if import Effect, WhatIf
from costline.money.unit_cost import usd_per_mtok
from costline.quantities import HOURS_PER_MONTH

WORTH_SAYING = 0.01
RIGHT_SIZE = "as few accelerators as this volume needs"
FREE = {**dict.fromkeys(DEGREES, "auto"), "replicas": "auto"}
"""Degrees, batch and replicas chosen anew."""


def slowness(now: Situation) -> float:
    """Measured time over what is expected; 1 where the load, not speed, sets the output, or nothing was timed."""
    if now.tpot_s is not None:
        return now.tpot_s / now.expected_tpot_s
    if now.closed and now.measured.output_tokens_per_s is not None:
        return now.column("output_tokens_per_s") / now.tokens_per_s
    return 1.0


def helps(now: Situation) -> list[dict[str, Any]]:
    """Changes that make a million tokens cheaper, the most helpful first; at the present volume unless it says more."""
    paid = now.base.group.price.usd_per_hour
    hourly = paid * now.plan.accelerators
    cost = float(usd_per_mtok(hourly, now.tokens_per_s))
    slower = slowness(now)
    fleet = _fleet(now, slower)
    rows = [*_more_load(now, slower), *_cause(now, cost, slower), *fleet]
    rows += [row for row in _formats(now, slower) if not _no_better(row, fleet)]
    found: list[dict[str, Any]] = []
    for row in rows:
        saving = 1.0 - row["usd_per_mtok"] / cost
        if saving > WORTH_SAYING:
            monthly = None if row["needs_load"] else saving * hourly * HOURS_PER_MONTH
            found.append(row | {"saving": saving, "usd_per_month": monthly})
    return sorted(found, key=lambda row: -row["saving"])


def _no_better(row: Mapping[str, Any], fleet: list[dict[str, Any]]) -> bool:
    """A change that saves no more than the same accelerators in the right number do alone."""
    same = [one["usd_per_mtok"] for one in fleet[:1] if one["change"] == RIGHT_SIZE]
    return bool(same) and row["usd_per_mtok"] > same[0] * (1 - WORTH_SAYING)


def _row(change: str, cost: float, *, needs_load: bool = False, detail: str = "") -> dict[str, Any]:
    return {"change": change, "usd_per_mtok": cost, "needs_load": needs_load, "detail": detail}


def _more_load(now: Situation, slower: float) -> list[dict[str, Any]]:
    """Every place taken: the same machines, more requests."""
    most = now.capacity_tokens_per_s / slower
    hourly = now.base.group.price.usd_per_hour * now.plan.accelerators
    times = most / now.tokens_per_s
    detail = f"up to {most:,.0f} tokens/s with {now.places:,} sequences a replica, {times:,.1f} times as many"
    cost = float(usd_per_mtok(hourly, most))
    return [_row("more requests on the same machines", cost, needs_load=True, detail=detail)]


def _cause(now: Situation, cost: float, slower: float) -> list[dict[str, Any]]:
    if slower <= 1.0:
        return []
    detail = "it runs slower than such a deployment is expected to: versions, flags, clocks, links, noisy neighbours"
    return [_row("finding what slows it", cost / slower, needs_load=not now.closed, detail=detail)]


def _at_volume(now: Situation) -> Around:
    """The present volume as a rate, which fewer machines may serve."""
    rate = now.tokens_per_s / now.load.output_tokens
    asked = changed(now.base.scenario, {"workload": {"request_rate": rate, "concurrency": None}})
    return Around(asked, now.base.model, now.base.found, now.base.group, now.base.row)


def _fleet(now: Situation, slower: float) -> list[dict[str, Any]]:
    """As few machines as the volume needs: of the same kind, or of another."""
    base = _at_volume(now)
    wide = {"system": {"max_accelerators": max(now.plan.accelerators, now.base.group.site.system.fabric.domain_size)}}
    again = anew(base, WhatIf(value="", words="", blocks={"deployment": FREE, **wide}, slower=slower))
    rows = _priced(RIGHT_SIZE, again)
    others: list[dict[str, Any]] = []
    for effect in options(now.base):
        if effect.name.startswith("accelerator_") and effect.high is not None:
            found = anew(base, _freed(effect, {"deployment": FREE}, slower))
            others += _priced(f"{effect.high.words} instead", found)
    rows += sorted(others, key=lambda row: row["usd_per_mtok"])[:1]
    return rows


def _formats(now: Situation, slower: float) -> list[dict[str, Any]]:
    """Narrower weights and caches: on the same machines where they are busy, on fewer where they are not."""
    rows: list[dict[str, Any]] = []
    for effect in options(now.base):
        if not effect.name.startswith(("weights_", "kv_", "chunk")) or effect.high is None:
            continue
        words = f"{effect.high.words} {effect.label}" + (f" ({effect.note})" if effect.note else "")
        if now.closed:
            one = held(now.base, _freed(effect, {}, slower))
            rows += _priced(words, one)
        else:
            one = anew(_at_volume(now), _freed(effect, {"deployment": FREE}, slower))
            rows += _priced(f"{words}, and as few accelerators as that needs", one)
    return rows


def _freed(effect: Effect, blocks: Mapping[str, Any], slower: float) -> WhatIf:
    assert effect.high is not None
    own = effect.high.blocks
    merged = {name: {**own.get(name, {}), **blocks.get(name, {})} for name in {*own, *blocks}}
    return WhatIf(value=effect.high.value, words=effect.high.words, blocks=merged, slower=slower)


def _priced(change: str, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    cost = found["usd_per_mtok"]
    if cost is None or found["missed"] is not None:
        return []
    where = f"{found['accelerators']} × {found['accelerator']} as {found['layout']}, {found['weights']}"
    return [_row(change, cost, detail=where)]


def now_outcome(now: Situation) -> dict[str, Any]:
    """What is expected of the deployment as it is."""
    return outcome(now.base.group, now.base.row)
