"""One row of a plan's answer from the columns of the search, keys as published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates
from costline.answers.search.next_change import next_best
from costline.answers.search.pool_reasons import layout_label, pool_keys
from costline.answers.search.reasons import reason
from costline.answers.search.speculation_row import speculation
from costline.catalog.efficiency import efficiency
from costline.deployment.plan import Plan
from costline.deployment.search import pareto_mask
from costline.forward.steps import RESOURCES

_PLAIN = (
    "ttft_s", "ttft_p99_s", "tpot_s", "tpot_p99_s", "e2e_s", "e2e_p99_s", "tokens_per_s_per_accelerator",
    "output_tokens_per_s", "usd_per_hour", "usd_per_mtok", "running_batch", "prefill_share", "decode_step_s",
)  # fmt: skip

_FRONTIER_KEYS = (
    "accelerator", "accelerators", "replicas", "tp", "pp", "ep", "dp", "batch", "weights", "kv_cache", "tpot_s",
    "ttft_s", "interactivity_tokens_per_s", "tokens_per_s_per_accelerator", "usd_per_mtok", "layout", "disaggregated",
)  # fmt: skip


def plan_of(group: Candidates, row: int) -> Plan:
    """The deployment of one row."""
    columns = group.columns
    tp, pp, dp, ep, replicas = (int(columns[name][row]) for name in ("tp", "pp", "dp", "ep", "replicas"))
    formats = group.option.formats
    return Plan(
        accelerator=group.site.chip.id,
        system=group.site.system.id,
        tp=tp,
        pp=pp,
        dp=dp,
        ep=ep,
        replicas=replicas,
        batch=int(np.ceil(columns["batch"][row])),
        weights=group.option.label,
        kv_cache=formats.kv,
        activations=formats.activations,
        disaggregated=group.prefill is not None,
    )


def plain_row(group: Candidates, row: int) -> dict[str, Any]:
    """What the columns say about one deployment."""
    chosen, columns = plan_of(group, row), group.columns
    values = {name: float(columns[name][row]) for name in _PLAIN}
    capacity = float(columns["capacity_requests_per_s"][row]) * chosen.replicas
    values["utilization"] = float(columns["total_requests_per_s"][row]) / capacity
    return {
        "accelerator": group.accelerator,
        "system": chosen.system,
        "accelerators": int(columns["accelerators"][row]),
        "accelerators_per_replica": chosen.accelerators_per_replica,
        "replicas": chosen.replicas,
        "tp": chosen.tp,
        "pp": chosen.pp,
        "ep": chosen.ep,
        "dp": chosen.dp,
        "batch": chosen.batch,
        "layout": layout_label(group, row) if group.prefill else chosen.label,
        "weights": chosen.weights,
        "kv_cache": chosen.kv_cache,
        "activations": chosen.activations,
        "disaggregated": chosen.disaggregated,
        **values,
        "interactivity_tokens_per_s": 1.0 / values["tpot_s"] if values["tpot_s"] > 0 else None,
        "price_usd_per_accelerator_hour": _price(group, row),
        "price_source": group.price.offer.id if group.price.offer else "given",
        "feasible": bool(group.ok[row]),
        "bound": RESOURCES[int(columns["bound"][row])],
    }


def _price(group: Candidates, row: int) -> float:
    """Price of an accelerator-hour; of two kinds the mean over the deployment."""
    if group.prefill is None or group.prefill.site.chip.id == group.site.chip.id:
        return group.price.usd_per_hour
    return float(group.columns["usd_per_hour"][row] / group.columns["accelerators"][row])


def plan_row(group: Candidates, row: int, rank: int, scenario: Scenario) -> dict[str, Any]:
    """Everything that an answer says about one deployment."""
    return {
        "rank": rank,
        **plain_row(group, row),
        **pool_keys(group, row),
        "speculation": speculation(group, row, scenario),
        "interval": interval(group, row, scenario),
        **reason(group, row, scenario),
        "next_best": next_best(group, row, scenario),
    }


def interval(group: Candidates, row: int, scenario: Scenario) -> dict[str, Any]:
    """Lower bound and, where systems of the family were measured, the range they span around the prediction.

    Times to the first token have no range: measured ones come from load generators that start all clients at once.
    """
    columns = group.columns
    out: dict[str, Any] = {"tpot_s": {"lower_bound": float(columns["decode_lower_bound_s"][row])}}
    if scenario.calibration == "none":
        return out
    known = efficiency(group.site.chip).residuals.get("tpot")
    if known is not None:
        value, bound = float(columns["tpot_s"][row]), float(columns["decode_lower_bound_s"][row])
        out["tpot_s"] |= {"p10": max(known.p10 * value, bound), "p90": max(known.p90 * value, bound)}
    return out


def frontier_rows(found: Sequence[Candidates]) -> list[dict[str, Any]]:
    """Points that no other deployment beats in both time per output token and cost, over all groups."""
    tpot = np.concatenate([np.where(group.ok, group.columns["tpot_s"], np.nan) for group in found])
    cost = np.concatenate([group.columns["usd_per_mtok"] for group in found])
    owner = np.concatenate([np.full(group.rows, index) for index, group in enumerate(found)])
    local = np.concatenate([np.arange(group.rows) for group in found])
    kept = np.flatnonzero(pareto_mask([tpot, cost]))
    rows = [plain_row(found[int(owner[i])], int(local[i])) for i in kept[np.argsort(tpot[kept])]]
    return [{key: row[key] for key in _FRONTIER_KEYS} for row in rows]
