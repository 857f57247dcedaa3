"""Tables and words of a simulation: layout only, every number is in the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costline.answers.simulate.view_queueing import queueing_tables, queueing_words, session_words
from costline.answers.trace.view import tables as trace_tables
from costline.quantities import MILLI, PERCENT, format_seconds, significant
from costline.render import Column, Table

Row = Mapping[str, Any]
_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "queue": "queue"}
_LATENCY_COLUMNS = (
    Column("name", "latency"),
    Column("mean", "mean", "seconds"),
    Column("p50", "p50", "seconds"),
    Column("p90", "p90", "seconds"),
    Column("p95", "p95", "seconds", minor=2),
    Column("p99", "p99", "seconds"),
    Column("low", "p99 from", "seconds", minor=1),
    Column("high", "to", "seconds", minor=1),
    Column("target", "target p99", "seconds", minor=3),
)
_STAGE_COLUMNS = (
    Column("rate", "requests/s", "rate"),
    Column("requests", "requests", "count", minor=2),
    Column("ttft", "TTFT", "seconds"),
    Column("ttft_p99", "p99", "seconds"),
    Column("tpot", "TPOT", "seconds"),
    Column("e2e", "E2E", "seconds"),
    Column("e2e_p99", "p99", "seconds"),
    Column("tokens", "tok/s", "rate"),
    Column("batch", "batch", "rate", minor=1),
    Column("cost", "$/Mtok out", "usd"),
)
_POOL_COLUMNS = (
    Column("pool", "pool"),
    Column("accelerator", "accelerator"),
    Column("layout", "layout"),
    Column("replicas", "replicas", "rate"),
    Column("busy", "busy", "percent"),
    Column("load", "of capacity", "percent"),
    Column("batch", "batch", "rate"),
    Column("cache", "cache full", "percent"),
    Column("hourly", "$/hour", "usd"),
)
_RUN_COLUMNS = (
    Column("settings", "settings"),
    *_STAGE_COLUMNS[2:],
    Column("load", "load/knee", "percent"),
    Column("met", "targets met", "flag"),
)


def tables(data: Row) -> tuple[Table, ...]:
    """Latencies of the whole run, then its stages or tenants."""
    bounds: Row = data["interval"].get("latency_ms", {})
    targets: Row = data["slo"]["targets_ms"] if data["slo"] else {}
    rows = [_latency(name, data["latency_ms"][name], bounds, targets) for name in _NAMES]
    note = "The range is that of p99 with steps at p10 and p90 of their measured error, through the queue."
    found = [Table(title(data), _LATENCY_COLUMNS, tuple(rows), note if bounds else "")]
    if len(data["stages"]) > 1:
        columns = (Column("start", "from", "seconds", minor=2), *_STAGE_COLUMNS)
        found.append(Table("By stage", columns, tuple(stage_row(row) for row in data["stages"])))
    if len(data["pools"]) > 1:
        found.append(Table("By pool", _POOL_COLUMNS, tuple(_pool(row) for row in data["pools"])))
    if data.get("tenants"):
        names = (Column("name", "tenant"), *_STAGE_COLUMNS[1:7])
        found.append(Table("By tenant", names, tuple(_group(row) for row in data["tenants"])))
    return (*found, *queueing_tables(data), *(trace_tables(data["trace"]) if "trace" in data else ()))


def run_table(rows: Sequence[Row], varied: Sequence[Row]) -> Table:
    """One line a run."""
    flat = [
        {"settings": settings_words(settings), **stage_row(row), "load": row["knee"].get("load"), "met": _met(row)}
        for settings, row in zip(varied, rows, strict=True)
    ]
    return Table(f"{title(rows[0])}: {len(rows)} runs", _RUN_COLUMNS, tuple(flat))


def settings_words(settings: Row) -> str:
    """What varies in a run.

    >>> settings_words({"deployment.replicas": 4, "workload.request_rate": 8})
    'replicas 4, request_rate 8'
    """
    return ", ".join(f"{path.rsplit('.', 1)[-1]} {value}" for path, value in settings.items())


def title(data: Row) -> str:
    """What was simulated."""
    where = data["deployment"]
    if where["disaggregated"]:
        both = [f"{name} {_placed(where[f'{name}_pool'])}" for name in ("prefill", "decode")]
        return f"{data['model']} ({where['weights']}), {', '.join(both)}"
    return f"{data['model']} ({where['weights']}) on {_placed(where)}"


def _placed(where: Row) -> str:
    copies = f"{where['replicas']} × " if where["replicas"] > 1 else ""
    return f"{copies}{where['accelerator']} {_layout(where)}"


def _layout(where: Row) -> str:
    return " ".join(f"{name} {where[name]}" for name in ("tp", "pp", "dp", "ep") if where[name] > 1 or name == "tp")


def _pool(row: Row) -> dict[str, Any]:
    use = row["utilization"]
    return {
        "pool": row["role"],
        "accelerator": row["accelerator"],
        "layout": _layout(row),
        "replicas": row["replicas_mean"],
        "busy": use["busy"],
        "load": row["load"],
        "batch": use["batch_mean"],
        "cache": row["kv"]["mean_use"],
        "hourly": row["usd_per_hour"],
    }


def stage_row(row: Row) -> dict[str, Any]:
    """A run or a stage in one line [s]."""
    found = _group(row)
    use = row["utilization"]
    return found | {
        "rate": row.get("rate", row["throughput"]["requests_per_s"]),
        "start": row.get("start_s"),
        "tokens": row["throughput"]["output_tokens_per_s"],
        "batch": use["batch_mean"],
        "cost": row["cost"]["usd_per_mtok"],
    }


def _group(row: Row) -> dict[str, Any]:
    seen, requests = row["latency_ms"], row["requests"]
    values = {name: seconds(seen[name]["mean"]) for name in ("ttft", "tpot", "e2e")}
    values |= {f"{name}_p99": seconds(seen[name]["p99"]) for name in ("ttft", "tpot", "e2e")}
    counted = requests if isinstance(requests, int) else requests["counted"]
    return {"name": row.get("name"), "requests": counted, **values}


def _latency(name: str, found: Row, bounds: Row, targets: Row) -> dict[str, Any]:
    between = bounds.get(name, {}).get("p99", {})
    values = {key: seconds(found[key]) for key in ("mean", "p50", "p90", "p95", "p99")}
    ends = {"low": seconds(between.get("p10")), "high": seconds(between.get("p90"))}
    return {"name": _NAMES[name], **values, **ends, "target": seconds(targets.get(name))}


def seconds(value_ms: float | None) -> float | None:
    """Milliseconds of the data as seconds, for the tables."""
    return None if value_ms is None else value_ms * MILLI


def _met(row: Row) -> bool | None:
    return None if row["slo"] is None else row["slo"]["met"]


def summary(data: Row) -> str:
    """What the run says, in a few lines."""
    made, use, knee = data["throughput"], data["utilization"], data["knee"]
    counts, cache = data["requests"], data["kv"]
    lines = [
        f"Served {counts['served']:,} of {counts['sent']:,} requests: {significant(made['requests_per_s'])}/s, "
        f"{significant(made['output_tokens_per_s'])} tokens/s, batch {significant(use['batch_mean'])} on average and "
        f"{use['batch_peak']} at most; the cache is {_share(cache['mean_use'])} full, "
        f"{_share(cache['prefix_hit_share'])} of prompt tokens were found in it; {data['preemptions']:,} preemptions.",
        _pool_words(data),
        _scaling_words(data["pools"]),
        f"{data['retries']:,} requests were lost with a replica and sent again." if data["retries"] else "",
        session_words(data),
        queueing_words(data["queueing"]),
        _knee_words(knee),
        _cost_words(data["cost"]),
    ]
    lines += [_fleet_words(data)] if data.get("fleet") else []
    return "\n".join(line for line in [*lines, *data["notes"]] if line)


def _pool_words(data: Row) -> str:
    moved = data["deployment"]["kv_transfer"]
    if moved is None:
        return ""
    whole, seen = format_seconds(moved["mean_s"]), format_seconds(moved["seen_s"])
    return f"A mean prompt's cache moves between the pools in {whole}, of which {seen} come before its second token."


def _scaling_words(pools: Sequence[Row]) -> str:
    """Replicas that came and went."""
    found: list[str] = []
    for row in pools:
        if row["boots"] or row["replicas_mean"] != row["replicas"]:
            name = "" if row["role"] == "both" else f"{row['role']} "
            mean = significant(row["replicas_mean"])
            found.append(f"{mean} of at most {row['replicas']} {name}replicas on average, boots: {row['boots']}")
    return f"Autoscaling: {'; '.join(found)}." if found else ""


def _knee_words(knee: Row) -> str:
    tips = (
        f"It tips over near {significant(knee['requests_per_s'])} requests/s "
        f"({knee['limit'].replace('_', ' ')}, batch {knee['batch']:.0f})"
    )
    if "load" not in knee:
        return f"{tips}."
    grown = knee["amplification"]
    at = f"{tips}; this load is {_share(knee['load'])} of that"
    if knee["beyond"]:
        return f"{at}: the queue grows as long as the load lasts, so latencies depend on how long it does."
    if not knee["near"]:
        return f"{at}."
    size = "greatly" if grown is None else f"{significant(grown, 2)} times"
    return f"{at}: near saturation, where an error of a step shows {size} in E2E; trust the range, not a percentile."


def _cost_words(cost: Row) -> str:
    if cost["usd_per_hour"] is None:
        return "Cost: no rental offer is catalogued for this accelerator; give a price."
    if cost["usd_per_mtok"] is None:
        return f"Cost: ${cost['usd_per_hour']:,.2f}/hour."
    hourly, each = f"${cost['usd_per_hour']:,.2f}/hour", f"${significant(cost['usd_per_mtok'])}"
    return f"Cost at this load: {hourly}, {each} per million output tokens."


def _some(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _fleet_words(data: Row) -> str:
    fleet = data["fleet"]
    if fleet["replicas"] is None:
        return "No number of replicas meets the targets: a request alone is too slow."
    size = f"{_some(fleet['replicas'], 'replica')}, {_some(fleet['accelerators'], 'accelerator')}"
    if "binds" not in fleet:
        return f"Smallest fleet that meets the targets at p99: {size}."
    size = (
        f"{fleet['prefill_replicas']} prefill and {_some(fleet['decode_replicas'], 'decode replica')}, "
        f"{_some(fleet['accelerators'], 'accelerator')}"
    )
    bound = " and ".join(fleet["binds"])
    why = f" ({bound} bind{'' if len(fleet['binds']) > 1 else 's'})" if bound else ""
    return f"Smallest pools that meet the targets at p99, each sized by itself: {size}{why}."


def chosen_words(rows: Sequence[Row], varied: Sequence[Row]) -> str:
    """The cheapest run that meets the targets, and where runs tip over."""
    fitting = [
        (row["cost"]["usd_per_hour"] or row["deployment"]["accelerators"], index)
        for index, row in enumerate(rows)
        if row["slo"] is not None and row["slo"]["met"]
    ]
    if fitting:
        best = min(fitting)[1]
        p99 = format_seconds(seconds(rows[best]["latency_ms"]["ttft"]["p99"]) or 0.0)
        return f"Smallest that meets the targets at p99: {settings_words(varied[best])} (TTFT p99 {p99})."
    if any(row["slo"] is not None for row in rows):
        return "None of these runs meets the targets at p99."
    tipped = [settings_words(settings) for settings, row in zip(varied, rows, strict=True) if row["knee"].get("beyond")]
    return f"Beyond the knee: {'; '.join(tipped)}." if tipped else "No run is beyond its knee."


def _share(value: float | None) -> str:
    return "–" if value is None else f"{significant(value * PERCENT, 2)} %"
