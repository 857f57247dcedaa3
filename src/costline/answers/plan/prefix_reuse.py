"""Where prompts share a prefix: what its cache weighs, and whether host memory is a place to keep it.

The cache of a prefix that device memory has no room for is either computed again or brought back from the host.
"""

from __future__ import annotations

from typing import Any

from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, load_of
from costline.architecture.kv_cache import kv_bytes_per_sequence
from costline.architecture.operations import prefill_segment
from costline.architecture.sharding import layout, stage_share
from costline.forward.steps import step_time
from costline.quantities import GIGA, format_bytes, format_seconds
from costline.serving.offload import break_even_host_bytes_per_s, pcie_bytes_per_s, reload_time_s

GENERATION = 5
"""Of the PCIe link between an accelerator and its host where the scenario gives no rate."""


def prefix_reuse(group: Candidates, row: int, scenario: Scenario) -> dict[str, Any] | None:
    """Reloading a cached prefix against computing it again, on one replica of the plan; None without a prefix."""
    load, model = load_of(scenario), group.engine.model
    cached = load.cached_tokens
    if cached <= 0:
        return None
    side = group.prefill or group
    engine, columns = side.engine, side.columns
    where = layout(*(columns[name][row] for name in ("tp", "pp", "dp", "ep")))
    size = kv_bytes_per_sequence(model, cached, engine.formats.kv, tp=where.tp) * stage_share(model, where.pp)
    given = scenario.deployment.host_gb_per_s
    link = float(pcie_bytes_per_s(GENERATION)) if given is None else given * GIGA

    def prompt_s(new: float, context: float) -> float:
        part = prefill_segment(1.0, new, context)
        return float(step_time(model, [part], where, engine.formats, engine.rates).expected_s)

    reload_s = float(reload_time_s(size, link))
    recompute_s = max(prompt_s(load.input_tokens, 0.0) - prompt_s(load.new_tokens, cached), 0.0)
    least = float(break_even_host_bytes_per_s(size / cached, cached / recompute_s)) if recompute_s > 0 else None
    pays = reload_s < recompute_s
    return {
        "cached_tokens": cached,
        "kv_bytes_per_accelerator": float(size),
        "host_bytes_per_s": link,
        "host_link": "given" if given is not None else f"PCIe {GENERATION} x16, assumed",
        "reload_s": reload_s,
        "recompute_s": recompute_s,
        "break_even_host_bytes_per_s": least,
        "reload_pays": pays,
        "words": f"the cache of the {cached:,.0f} shared tokens takes {format_bytes(float(size))} an accelerator; "
        f"bringing it back from host memory takes {format_seconds(reload_s)}, computing it again "
        f"{format_seconds(recompute_s)}: {'offload it' if pays else 'do not offload it'}",
    }
