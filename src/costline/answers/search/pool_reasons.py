"""What an answer says about one pair of pools: their shapes, which of them binds, why, and what would serve more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costline.answers.choices import Price
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, PrefillSide, load_of
from costline.answers.search.columns import Engine
from costline.answers.search.decode_pool import decode_state
from costline.answers.search.prefill_pool import prompt_step
from costline.architecture.sharding import Layout, layout
from costline.deployment.pools import Pool
from costline.forward.steps import RESOURCES, StepTime
from costline.quantities import PERCENT, Array, format_seconds

DEGREES = ("tp", "pp", "dp", "ep")


def side_of(group: Candidates) -> PrefillSide:
    """The prefill pools of a group that has them."""
    if group.prefill is None:
        raise ValueError("this group prefills and decodes together; it has no pools")
    return group.prefill


def pools(group: Candidates, row: int) -> tuple[Pool, Pool]:
    """The prefill pool and the decode pool of one row."""
    side = side_of(group)
    return _pool(side.site.chip.id, side.columns, row), _pool(group.site.chip.id, group.columns, row)


def _pool(accelerator: str, columns: Any, row: int) -> Pool:
    counts = {name: int(columns[name][row]) for name in (*DEGREES, "replicas", "batch")}
    return Pool(accelerator, **counts, cp=int(columns["cp"][row]) if "cp" in columns else 1)


def layout_label(group: Candidates, row: int) -> str:
    """How engineers write both pools."""
    prefill, decode = pools(group, row)
    return f"P {prefill.label} → D {decode.label}"


def pool_keys(group: Candidates, row: int) -> dict[str, Any]:
    """The pools of one row with their prices and loads, keys as published; empty for replicas that do both."""
    if group.prefill is None:
        return {"prefill_pool": None, "decode_pool": None}
    side, columns, served = group.prefill, group.columns, float(group.columns["total_requests_per_s"][row])
    prefill, decode = pools(group, row)
    before = float(side.columns["capacity_requests_per_s"][row]) * prefill.replicas
    after = float(columns["decode_capacity_requests_per_s"][row]) * decode.replicas
    service = float(side.columns["service_s"][row])
    return {
        "prefill_pool": {
            **prefill.as_row(), **_price(side.price), "utilization": served / before, "prefill_s": service,
        },
        "decode_pool": {**decode.as_row(), **_price(group.price), "utilization": served / after},
        "kv_transfer_s": float(columns["transfer_s"][row]),
        "prefill_per_decode": prefill.replicas / decode.replicas,
    }  # fmt: skip


def _price(price: Price) -> dict[str, Any]:
    source = price.offer.id if price.offer else "given"
    return {"price_usd_per_accelerator_hour": price.usd_per_hour, "price_source": source}


def _where(columns: Any, row: int) -> Layout:
    return layout(*(columns[name][row] for name in DEGREES))


def prefill_at(group: Candidates, row: int, scenario: Scenario, engine: Engine | None = None) -> StepTime:
    """A step of the row's prefill replicas."""
    side = side_of(group)
    where = _where(side.columns, row)
    at_once: Array = side.columns["batch"][row] / (where.pp * where.dp)
    return prompt_step(engine or side.engine, load_of(scenario), where, at_once, group.drafter)


def decode_at(
    group: Candidates, row: int, scenario: Scenario, engine: Engine | None = None, *, batch: float | None = None
) -> StepTime:
    """A step of the row's decode replicas at a batch, by default the one that runs."""
    columns = group.columns
    where = _where(columns, row)
    held = (columns["running_batch"][row] if batch is None else batch) / where.pp
    drafted = columns["draft_tokens"][row]
    return decode_state(
        engine or group.engine, group.drafter, load_of(scenario), where, lane_batch=held, draft_tokens=drafted
    )[0]


def binding(group: Candidates, row: int) -> tuple[str, float]:
    """The pool that takes most of the bill, and its share."""
    share = float(group.columns["prefill_share"][row])
    return ("prefill", share) if share >= 1 - share else ("decode", 1 - share)


def pool_reason(group: Candidates, row: int, scenario: Scenario, advice: dict[str, str]) -> dict[str, Any]:
    """The pool that binds, what it waits for, how busy both are, and where a token's time goes."""
    steps = {"prefill": prefill_at(group, row, scenario), "decode": decode_at(group, row, scenario)}
    name, share = binding(group, row)
    waits = {resource: float(value) for resource, value in steps[name].waits_s.items()}
    bound = max(waits, key=lambda resource: waits[resource])
    part = waits[bound] / sum(waits.values())
    keys = pool_keys(group, row)
    used = {each: keys[f"{each}_pool"]["utilization"] for each in steps}
    other = "decode" if name == "prefill" else "prefill"
    words = [
        f"the {name} pool binds with {share * PERCENT:.0f} % of the bill",
        f"{bound} takes {part * PERCENT:.0f} % of its steps",
        f"it is {used[name] * PERCENT:.0f} % used and the {other} pool {used[other] * PERCENT:.0f} %",
        f"a prompt's cache moves in {format_seconds(keys['kv_transfer_s'])}",
    ]
    step = steps["decode"]
    return {
        "bound": bound,
        "bound_share": part,
        "terms_s": {term: float(value) for term, value in step.terms_s.items() if float(value) > 0},
        "waits_s": {resource: float(step.waits_s[resource]) for resource in RESOURCES},
        "words": words,
        "advice": advice[bound],
    }


def pool_gains(
    group: Candidates, row: int, scenario: Scenario, faster: Mapping[str, Callable[[Engine], Engine]]
) -> list[tuple[str, float]]:
    """For each resource, what more of it on both sides would serve for the same money."""
    side = side_of(group)
    share = float(group.columns["prefill_share"][row])
    before = float(prefill_at(group, row, scenario).expected_s), float(decode_at(group, row, scenario).expected_s)
    found: list[tuple[str, float]] = []
    for words, change in faster.items():
        engines = [change(engine) for engine in (side.engine, group.engine)]
        after = (
            float(prefill_at(group, row, scenario, engines[0]).expected_s),
            float(decode_at(group, row, scenario, engines[1]).expected_s),
        )
        bill = share * after[0] / before[0] + (1 - share) * after[1] / before[1]
        found.append((words, 1.0 / bill - 1.0))
    return found
