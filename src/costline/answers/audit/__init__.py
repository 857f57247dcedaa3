"""audit: a deployment as measured, against the limit and the expectation; where the rest goes, and what would help.

Composes the search for one fixed deployment; every number comes from the layers below.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costline.answers.answer import Answer
from costline.answers.audit.checks import checks
from costline.answers.audit.gaps import gaps
from costline.answers.audit.helps import helps, now_outcome
from costline.answers.audit.limits import least_tpot_s, least_ttft_s, most_tokens_per_s, reached
from costline.answers.audit.scenario import AuditScenario, read_audit
from costline.answers.audit.situation import Situation, situation
from costline.answers.audit.verdict import impossible, verdict
from costline.answers.audit.view import charts, summary, tables
from costline.answers.price_words import price_words
from costline.answers.sources import plan_sources
from costline.catalog.residuals import Quantity, interval_of, model_class
from costline.errors import InputError
from costline.money.unit_cost import usd_per_mtok

_WORDS = {"tokens_per_s": "output", "tpot_s": "time per output token", "ttft_s": "time to first token"}
_QUANTITIES: Mapping[str, Quantity] = {"tokens_per_s": "throughput", "tpot_s": "tpot", "ttft_s": "ttft"}


def audit(
    scenario: AuditScenario | str | Path | Mapping[str, Any] | None = None,
    **blocks: Any,
) -> Answer:
    """What was measured of a deployment, judged: limit, expectation, gaps, consistency, and what would help most.

    `scenario` is a plan's document with a block `measured`; keyword blocks win over it. Raises InputError for a bad
    question and InfeasibleError if the deployment cannot hold one sequence.

    Keys of the data that stay:
        deployment    what runs: `accelerator, accelerators, replicas, tp, pp, ep, dp, batch, weights, kv_cache, layout`
        quantities[]  `name` (tokens_per_s, tpot_s, ttft_s), `measured, limit, expected, p10, p90,
                      measured_over_expected, share_of_limit, words`
        speed         `measured_over_expected` with what is usual, `p10, p90`
        used_share    output over what every place taken would make
        reached       `mfu, mbu` of all work, `decode_mfu, decode_mbu` of a decode step
        cost          `usd_per_hour, usd_per_mtok, usd_per_mtok_expected, usd_per_mtok_at_capacity`
        gaps[]        `name, share, seconds_per_request, usd_per_mtok`; shares add up to one
        checks[]      `name, holds, given, follows, words`
        verdict       `word` (good, fast, slow, underused, contradictory, impossible) and `words`
        helps[]       `change, usd_per_mtok, saving, usd_per_month, needs_load, detail`, the most helpful first
    """
    asked, assumed = read_audit(scenario, **blocks)
    now = situation(asked)
    rows = _quantities(now)
    data: dict[str, Any] = {
        "question": "audit",
        "model": now.base.model.id,
        "scenario": asked.model_dump(),
        "deployment": _deployment(now),
        "input_tokens": now.load.input_tokens,
        "output_tokens": now.load.output_tokens,
        "assumed": [*assumed, *_left_out(asked)],
        "tokens_per_s": now.tokens_per_s,
        "running_batch": now.running * now.plan.pp,
        "quantities": rows,
        "speed": _speed(now, rows),
        "used_share": now.tokens_per_s / now.capacity_tokens_per_s,
        "reached": reached(now),
        "cost": _cost(now),
        "checks": checks(now),
        "gaps": [],
        "helps": [],
    }
    if not impossible(data["checks"]):
        data["gaps"] = [gap | {"usd_per_mtok": gap["share"] * data["cost"]["usd_per_mtok"]} for gap in gaps(now)]
        data["helps"] = helps(now)
    data["verdict"] = verdict(data)
    price = now.base.group.price
    told = price_words(price.offer.id if price.offer else "given", price.usd_per_hour, now.plan.accelerator)
    sources = plan_sources([now.base.group], now.base.scenario, now.base.model)
    return Answer("audit", data, tables(data), charts(data), summary(data, told), sources)


def _deployment(now: Situation) -> dict[str, Any]:
    plan = now.plan
    names = ("accelerator", "system", "accelerators", "replicas", "tp", "pp", "ep", "dp", "batch", "weights")
    return {name: getattr(plan, name) for name in names} | {"kv_cache": plan.kv_cache, "layout": plan.label}


def _left_out(asked: AuditScenario) -> list[str]:
    """What the expectation leaves out of the deployment."""
    block = asked.deployment
    drafts = ["no drafted tokens"] if block.speculation is not None else []
    return drafts + (["prefill and decode together"] if block.disaggregated is True else [])


def _interval(now: Situation, name: str, expected: float, limit: float) -> dict[str, float | None]:
    """p10 and p90 around an expectation, as `plan` has them; None without calibration, or where the load says it."""
    if now.base.scenario.calibration == "none" or (name == "tokens_per_s" and not now.closed):
        return {"p10": None, "p90": None}
    bounds = {"tpot_s": {"low": now.column("decode_lower_bound_s")}, "ttft_s": {"low": limit}}
    bound = bounds.get(name, {"high": limit})
    return {**interval_of(expected, now.engine.site.chip, model_class(now.base.model), _QUANTITIES[name], **bound)}


def _quantities(now: Situation) -> list[dict[str, Any]]:
    """Each quantity: measured, limit, expected, interval, and their ratios."""
    seen, running = now.measured, now.running
    expected = {"tokens_per_s": now.column("output_tokens_per_s"), "tpot_s": now.expected_tpot_s}
    expected["ttft_s"] = now.column("ttft_s")
    measured = {"tokens_per_s": seen.output_tokens_per_s, "tpot_s": now.tpot_s, "ttft_s": now.ttft_s}
    limits = {
        "tokens_per_s": most_tokens_per_s(now, max(running, 1.0)),
        "tpot_s": least_tpot_s(now, max(running, 1.0)),
        "ttft_s": least_ttft_s(now),
    }
    return [_quantity(now, name, measured[name], expected[name], limits[name]) for name in _WORDS]


def _quantity(now: Situation, name: str, measured: float | None, expected: float, limit: float) -> dict[str, Any]:
    more_is_better = name == "tokens_per_s"
    row = {
        "name": name, "label": _WORDS[name], "unit": "tokens/s" if more_is_better else "s", "measured": measured,
        "limit": limit, "expected": expected, **_interval(now, name, expected, limit),
        "measured_over_expected": None if measured is None else measured / expected,
        "share_of_limit": None if measured is None else measured / limit if more_is_better else limit / measured,
    }  # fmt: skip
    return row | {"words": _judged(row, more_is_better=more_is_better, set_by_load=more_is_better and not now.closed)}


def _judged(row: Mapping[str, Any], *, more_is_better: bool, set_by_load: bool) -> str:
    measured = row["measured"]
    if measured is None:
        return "not measured"
    if set_by_load:
        return "what the load asks for"
    if row["p10"] is None:
        return "no interval is known"
    if row["p10"] <= measured <= row["p90"]:
        return "as expected"
    return "better than expected" if (measured > row["p90"]) == more_is_better else "worse than expected"


def _speed(now: Situation, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Speed over the expected one, with what is usual (None without calibration)."""
    found = {row["name"]: row for row in rows}
    times, output = found["tpot_s"], found["tokens_per_s"]
    if times["measured"] is not None:
        usual = [times["expected"] / times[end] if times[end] else None for end in ("p90", "p10")]
        return {"measured_over_expected": times["expected"] / times["measured"], "p10": usual[0], "p90": usual[1]}
    ratio = output["measured_over_expected"] if now.closed else None
    usual = [output[end] / output["expected"] if output[end] else None for end in ("p10", "p90")]
    return {"measured_over_expected": ratio, "p10": usual[0], "p90": usual[1]}


def _cost(now: Situation) -> dict[str, Any]:
    hour = now.base.group.price.usd_per_hour
    if hour <= 0:
        raise InputError("price.accelerator_usd_per_hour=0 makes every answer free; give a price above 0")
    hourly = hour * now.plan.accelerators
    expected = now_outcome(now)
    return {
        "usd_per_hour": hourly,
        "usd_per_mtok": float(usd_per_mtok(hourly, now.tokens_per_s)),
        "usd_per_mtok_expected": expected["usd_per_mtok"],
        "usd_per_mtok_at_capacity": float(usd_per_mtok(hourly, now.capacity_tokens_per_s)),
    }
