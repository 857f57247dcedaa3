"""One row of a plan's answer from the columns of the search, keys as published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, load_of
from costline.answers.search.next_change import next_best
from costline.answers.search.pool_reasons import layout_label, pool_keys
from costline.answers.search.reasons import reason
from costline.answers.search.speculation_row import speculation
from costline.architecture.operations import prefill_segment
from costline.architecture.sharding import layout
from costline.catalog.residuals import interval_of, model_class
from costline.deployment.plan import Plan
from costline.deployment.search import Mask, pareto_mask
from costline.forward.rates import ideal_rates
from costline.forward.steps import RESOURCES, step_time
from costline.quantities import Array

_PLAIN = (
    "ttft_s", "ttft_p99_s", "tpot_s", "tpot_p99_s", "e2e_s", "e2e_p99_s", "tokens_per_s_per_accelerator",
    "output_tokens_per_s", "usd_per_hour", "usd_per_mtok", "running_batch", "prefill_share", "decode_step_s",
    "joule_per_token",
)  # fmt: skip

CLOSE = 1.2
"""Ratio within which two values of a trade-off are as good as equal."""
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
    """Lower bound of each time, and the range in which eight of ten measured systems lay around their predictions."""
    columns = group.columns
    bounds = {"tpot_s": float(columns["decode_lower_bound_s"][row]), "ttft_s": _least_prefill_s(group, row, scenario)}
    out: dict[str, Any] = {}
    for name, quantity in (("tpot_s", "tpot"), ("ttft_s", "ttft")):
        value, bound = float(columns[name][row]), min(bounds[name], float(columns[name][row]))
        out[name] = {"lower_bound": bound}
        if scenario.calibration != "none":
            kind = model_class(group.engine.model)
            out[name] |= interval_of(value, group.site.chip, kind, quantity, low=bound)
    return out


def _least_prefill_s(group: Candidates, row: int, scenario: Scenario) -> float:
    """Datasheet's least time of one prompt alone."""
    side = group.prefill or group
    engine, load = side.engine, load_of(scenario)
    tp, pp, dp, ep = (float(side.columns[name][row]) for name in ("tp", "pp", "dp", "ep"))
    prompt = prefill_segment(1, load.new_tokens, load.cached_tokens)
    limits = ideal_rates(engine.site.chip, engine.site.system)
    return float(step_time(engine.model, [prompt], layout(tp, pp, dp, ep), engine.formats, limits).lower_bound_s)


@dataclass(frozen=True)
class _All:
    """Some columns of all groups, one after another."""

    found: Sequence[Candidates]

    def column(self, name: str) -> Array:
        return np.concatenate([group.columns[name] for group in self.found])

    @property
    def ok(self) -> Mask:
        return np.concatenate([group.ok for group in self.found])

    def rows(self, at: NDArray[np.intp], keys: Sequence[str]) -> list[dict[str, Any]]:
        """Plain rows at places of the long columns."""
        starts = np.cumsum([0, *(group.rows for group in self.found)])
        owner = np.searchsorted(starts, at, side="right") - 1
        plain = [plain_row(self.found[int(group)], int(one - starts[group])) for group, one in np.stack([owner, at]).T]
        return [{key: row[key] for key in keys} for row in plain]


def frontier_rows(found: Sequence[Candidates], *, apart: float = 1.0) -> list[dict[str, Any]]:
    """Points that no other deployment beats in both time per output token and cost, over all groups.

    Of points whose times lie within the ratio `apart` only the fastest stays: a curve needs no more.
    """
    every = _All(found)
    tpot = np.where(every.ok, every.column("tpot_s"), np.nan)
    kept = np.flatnonzero(pareto_mask([tpot, every.column("usd_per_mtok")]))
    kept = kept[np.argsort(tpot[kept])]
    if apart > 1.0:
        steps = np.log(np.maximum(tpot[kept], np.finfo(float).tiny)) / np.log(apart)
        kept = kept[np.unique(np.floor(steps), return_index=True)[1]]
    return every.rows(kept, _FRONTIER_KEYS)


def trade_offs(found: Sequence[Candidates]) -> list[dict[str, Any]]:
    """Points that no other deployment beats in time to first token, time per token, cost and energy; cheapest first.

    Times, costs and energies within `CLOSE` of one another count as equal, so that a page can hold what is left.
    """
    every = _All(found)
    rows = np.flatnonzero(every.ok)
    measures = [every.column(name)[rows] for name in ("usd_per_mtok", "tpot_s", "ttft_s", "joule_per_token")]
    steps = [np.floor(np.log(np.where(one > 0, one, np.nan)) / np.log(CLOSE)) for one in measures]
    steps[3] = np.nan_to_num(steps[3])
    kept = rows[pareto_mask(steps)]
    cost = every.column("usd_per_mtok")[kept]
    return every.rows(kept[np.argsort(cost, kind="stable")], (*_FRONTIER_KEYS, "joule_per_token"))
