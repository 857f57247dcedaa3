"""Tables, charts and words of an estimate: layout only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costline.answers.price_words import price_words
from costline.architecture.weights import parameters
from costline.catalog.records import Model
from costline.figures_chart import Axis, Chart, Series
from costline.quantities import MILLI, PERCENT, format_bytes, format_count, format_seconds, significant
from costline.render import Column, Table


def tables(data: Mapping[str, Any]) -> tuple[Table, ...]:
    """Decode and prefill by term."""
    decode, prefill = data["decode"], data["prefill"]
    names = list(dict.fromkeys([*decode["terms_s"], *prefill["terms_s"]]))
    rows = [
        {
            "term": name.replace("_", " "),
            "decode": decode["terms_s"].get(name),
            "decode_share": decode["terms_s"].get(name, 0.0) / decode["step_time_s"],
            "prefill": prefill["terms_s"].get(name),
            "prefill_share": prefill["terms_s"].get(name, 0.0) / prefill["step_time_s"],
        }
        for name in names
    ]
    rows.append(_total("total", decode["step_time_s"], prefill["step_time_s"]))
    rows.append(_total("lower bound (datasheet, all overlapped)", decode["lower_bound_s"], prefill["lower_bound_s"]))
    serial = "serial bound (datasheet, none overlapped)"
    rows.append(_total(serial, decode["serial_bound_s"], prefill["serial_bound_s"]))
    columns = (
        Column("term", "term"),
        Column("decode", "decode step", "seconds"),
        Column("decode_share", "share", "percent"),
        Column("prefill", "prefill", "seconds"),
        Column("prefill_share", "share", "percent"),
    )
    title = (
        f"{data['model']} on {data['accelerators']} × {data['accelerator']} "
        f"(tp {data['tp']}, pp {data['pp']}, dp {data['dp']}, ep {data['ep']}), "
        f"batch {data['batch']:g}, context {data['context_tokens']:,.0f}"
    )
    return (Table(title, columns, tuple(rows)),)


def _total(term: str, decode: float, prefill: float) -> dict[str, Any]:
    return {"term": term, "decode": decode, "prefill": prefill}


def summary(data: Mapping[str, Any], model: Model) -> str:
    """The estimate in a few lines."""
    decode, prefill, memory, cost = data["decode"], data["prefill"], data["memory"], data["cost"]
    counts = parameters(model)
    lines = [
        f"Decode: {format_seconds(decode['step_time_s'])} a step, {significant(decode['tokens_per_s'])} tokens/s "
        f"({significant(decode['tokens_per_s_per_accelerator'])} per accelerator), bound by {decode['bound']}; "
        f"{decode['lower_bound_s'] / decode['step_time_s'] * PERCENT:.0f} % of the step is its lower bound.",
        f"Prefill of {data['context_tokens']:,.0f} tokens: {format_seconds(prefill['time_s'])}, "
        f"{significant(prefill['tokens_per_s'])} tokens/s, bound by {prefill['bound']}.",
        f"Memory: {format_bytes(memory['weights_bytes_per_accelerator'])} of weights and "
        f"{format_bytes(memory['kv_pool_bytes_per_accelerator'])} of cache on each of "
        f"{format_bytes(memory['accelerator_memory_bytes'])}; {_room(data)}.",
        f"Model: {format_count(counts.total)} parameters, {format_count(counts.active)} active, "
        f"{memory['kv_bytes_per_token']:,.0f} B of cache a token.",
    ]
    if cost["usd_per_hour"] is None:
        lines.append("Cost: no rental offer is catalogued for this accelerator; give --price.")
    else:
        lines.append(
            f"Cost: ${cost['usd_per_hour']:,.2f}/hour, "
            f"${significant(cost['usd_per_mtok_output'])} per million output tokens, "
            f"${significant(cost['usd_per_mtok_input'])} per million input tokens."
        )
        lines.append(price_words(cost["price_source"], cost["usd_per_accelerator_hour"], data["accelerator"]))
    return "\n".join(lines)


def _room(data: Mapping[str, Any]) -> str:
    memory = data["memory"]
    most = memory["max_batch"]
    if most is None:
        return "the cache does not grow"
    verdict = "fits" if memory["fits"] else "does NOT fit"
    return f"room for {most:,} sequences of this context: batch {data['batch']:g} {verdict}"


def charts(data: Mapping[str, Any]) -> dict[str, Chart]:
    """Where the time of a decode step and of a prefill goes."""
    return {f"{phase}_terms": _bars(phase, data[phase]) for phase in ("decode", "prefill")}


def _bars(phase: str, step: Mapping[str, Any]) -> Chart:
    terms = sorted(step["terms_s"].items(), key=lambda item: -item[1])
    bars = Series(
        name=phase,
        x=tuple(value / MILLI for _, value in terms),
        y=tuple(float(i) for i in range(len(terms))),
        mode="bar",
    )
    return Chart(
        title=f"Time of a {phase} step by operation",
        subtitle=f"{format_seconds(step['step_time_s'])} in all, bound by {step['bound']}",
        x=Axis("time (ms)"),
        y=Axis("operation", categories=tuple(name.replace("_", " ") for name, _ in terms)),
        series=(bars,),
    )
