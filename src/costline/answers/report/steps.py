"""The decision in six steps: hardware, number formats, topology, network, disaggregation, replicas.

Reads the rows of a plan and the estimate of its choice; every number is there already or is a ratio of two of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from costline.answers.report.chosen import Chosen
from costline.answers.report.configuration import memory_table, rates_per_dollar
from costline.catalog import find
from costline.quantities import DAY_S, HOUR_S, HOURS_PER_MONTH, PERCENT, format_bytes, format_count, format_seconds
from costline.quantities import significant as shown
from costline.render import Column, Table

Row = Mapping[str, Any]
LONG_PREFILL_S = 0.2
"""Prefill longer than this is felt by those who are being answered, unless it is chunked or kept apart."""
FULL_NETWORK_SHARE = 0.3
"""Share of a decode step from which the network, not the memory, sets the pace of a wider layout."""


@dataclass(frozen=True)
class Step:
    """One step: the question, what was decided, why, and the numbers behind it."""

    title: str
    decision: str
    because: tuple[str, ...]
    table: Table | None = None


def six_steps(plans: Sequence[Row], close: Chosen) -> list[Step]:
    """The checklist of a serving decision, in its order."""
    return [
        _hardware(plans, close), _formats(plans, close), _topology(close),
        _network(close), _disaggregation(close), _replicas(close),
    ]  # fmt: skip


def _cheapest_by(plans: Sequence[Row], key: str) -> list[Row]:
    found: dict[str, Row] = {}
    for row in plans:
        found.setdefault(row[key], row)
    return list(found.values())


def _hardware(plans: Sequence[Row], close: Chosen) -> Step:
    best = [row for row in _cheapest_by(plans, "accelerator") if not row["disaggregated"]]
    chips = [find.chip(row["accelerator"]) for row in best]
    buys = rates_per_dollar(chips, {row["accelerator"]: row["price_usd_per_accelerator_hour"] for row in best})
    rows = tuple({**bought, **{key: row[key] for key in ("accelerators", "layout", "usd_per_mtok")}}
                 for bought, row in zip(buys, best, strict=True))  # fmt: skip
    columns = (
        Column("accelerator", "accelerator"), Column("usd_per_accelerator_hour", "$/hour", "usd"),
        Column("tflop_per_s_per_usd_hour", "bf16 TFLOP/s per $/h", "number"),
        Column("gb_per_s_per_usd_hour", "GB/s per $/h", "number"), Column("memory_bytes", "memory", "bytes"),
        Column("accelerators", "chips", "count"), Column("layout", "best layout"),
        Column("usd_per_mtok", "$/Mtok out", "usd"),
    )  # fmt: skip
    row = close.row
    because = [f"it serves a million output tokens for ${shown(row['usd_per_mtok'])}, prompts paid for"]
    others = [one for one in _cheapest_by(plans, "accelerator") if one["accelerator"] != row["accelerator"]]
    if others:
        because.append(f"the next kind, {others[0]['accelerator']}, asks ${shown(others[0]['usd_per_mtok'])}")
    else:
        because.append("no other kind among the plans shown; name more accelerators to compare")
    table = Table("What a dollar an hour buys, and the cheapest plan of each kind", columns, rows)
    decision = f"{row['accelerators']} × {row['accelerator']}"
    return Step("Choose hardware", decision, tuple(because), table if rows else None)


def _formats(plans: Sequence[Row], close: Chosen) -> Step:
    row, memory = close.row, close.estimate.data["memory"]
    weights = memory["weights_bytes"]
    rows = tuple(_cheapest_by(plans, "weights"))
    columns = (
        Column("weights", "weights"), Column("kv_cache", "cache"), Column("accelerator", "accelerator"),
        Column("layout", "layout"), Column("usd_per_mtok", "$/Mtok out", "usd"), Column("tpot_s", "TPOT", "seconds"),
    )  # fmt: skip
    because = (
        f"weights take {format_bytes(weights)}, the cache {memory['kv_bytes_per_token']:,.0f} B a token",
        "formats that a user would have to check for quality first are searched only when asked for",
    )
    decision = f"{row['weights']} weights, {row['kv_cache']} cache, {row['activations']} arithmetic"
    return Step("Choose number formats", decision, because, Table("Cheapest plan by weights", columns, rows))


def _topology(close: Chosen) -> Step:
    row, pool, memory = close.row, close.pool, close.estimate.data["memory"]
    chip = find.chip(pool["accelerator"])
    fewest = memory["weights_bytes"] / chip.visible_memory_bytes
    most = memory["max_batch"]
    because = [
        f"weights alone fill {shown(fewest)} chips; {row['accelerators_per_replica']} a replica leave "
        f"{format_bytes(memory['kv_pool_bytes_per_accelerator'])} of cache on each",
        f"room for {f'{most:,}' if most else 'any number of'} sequences at the mean context; "
        f"{shown(row['running_batch'])} run on average, at most {row['batch']:,}",
        f"a decode step takes as long to compute as to read its weights from a batch of {_even_batch(close)}",
    ]
    decision = f"{row['layout']}, up to {row['batch']:,} sequences a replica"
    return Step("Size the topology", decision, tuple(because), memory_table(close.estimate.data))


def _even_batch(close: Chosen) -> str:
    data = close.estimate.data
    chip, compute_s = find.chip(data["accelerator"]), data["decode"]["roofline_s"]["compute"]
    read_s = data["memory"]["weights_bytes_per_accelerator"] / chip.hbm_bytes_per_s
    return shown(data["batch"] * read_s / compute_s, 2) if compute_s > 0 else "–"


def _network(close: Chosen) -> Step:
    row, decode = close.pool, close.estimate.data["decode"]
    domain = find.system(row["system"]).fabric.domain_size
    waits = decode["waits_s"]
    spent = waits.get("scale-up network", 0.0) + waits.get("scale-out network", 0.0)
    share = spent / decode["step_time_s"]
    width = row["accelerators_per_replica"]
    if width == 1:
        what = "a decode replica" if close.row["disaggregated"] else "a replica"
        return Step("Check the network", "nothing to send", (f"{what} is one chip",))
    inside = f"the {width} chips of a replica lie within the {domain} that {row['system']} connects"
    outside = f"a replica of {width} spans more than the {domain} chips that {row['system']} connects"
    verdict = "within its limits" if share < FULL_NETWORK_SHARE else "near its limit: a wider layout gains little"
    because = (
        inside if width <= domain else outside,
        f"collectives take {format_seconds(spent)} of a decode step of {format_seconds(decode['step_time_s'])}, "
        f"{share * PERCENT:.0f} %",
    )
    return Step("Check the network", verdict, because)


def _disaggregation(close: Chosen) -> Step:
    row, prefill = close.row, close.estimate.data["prefill"]
    if row["disaggregated"]:
        return _apart(row)
    long = prefill["time_s"] > LONG_PREFILL_S
    because = (
        f"a prompt of the mean length takes {format_seconds(prefill['time_s'])} to read, "
        f"{'more' if long else 'less'} than the {format_seconds(LONG_PREFILL_S)} from which answers in flight stall",
        f"steps with prompts take {row['prefill_share'] * PERCENT:.0f} % of a replica's time; TPOT is "
        f"{format_seconds(row['tpot_s'])} with them, {format_seconds(row['decode_step_s'])} without",
    )
    return Step("Decide on disaggregation", "prefill and decode together, in chunks", because)


def _apart(row: Row) -> Step:
    prefill, decode = row["prefill_pool"], row["decode_pool"]
    because = (
        f"prompts are read on {prefill['accelerators']} × {prefill['accelerator']} in "
        f"{format_seconds(prefill['prefill_s'])}, "
        f"answers written on {decode['accelerators']} × {decode['accelerator']}",
        f"{shown(row['prefill_per_decode'])} prefill to 1 decode replica; a prompt's cache moves in "
        f"{format_seconds(row['kv_transfer_s'])}",
        f"no step carries a prompt, so TPOT stays at {format_seconds(row['tpot_s'])}",
    )
    return Step("Decide on disaggregation", "prefill and decode on separate pools", because)


def _replicas(close: Chosen) -> Step:
    row, work = close.row, close.scenario.workload
    rate = row["output_tokens_per_s"] / work.output_mean
    each = row["usd_per_hour"] / HOUR_S / rate
    because = (
        f"{row['utilization'] * PERCENT:.0f} % of capacity is used at {shown(rate)} requests/s; p99 TTFT "
        f"{format_seconds(row['ttft_p99_s'])}, p99 TPOT {format_seconds(row['tpot_p99_s'])}",
        f"a request costs ${shown(each)}; a day serves {format_count(rate * DAY_S)} requests",
        f"${row['usd_per_hour']:,.2f} an hour, ${row['usd_per_hour'] * HOURS_PER_MONTH:,.0f} a month",
    )
    count = row["replicas"]
    what = "decode replica" if row["disaggregated"] else "replica"
    return Step("Scale with replicas", f"{count} {what}{'' if count == 1 else 's'} behind a load balancer", because)
