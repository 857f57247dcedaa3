"""Command-line flags to the arguments of answers: names only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_PLACES = {
    "model": ("model", "id"),
    "weights": ("model", "weights"),
    "kv": ("model", "kv_cache"),
    "accelerator": ("system", "accelerator"),
    "max_accelerators": ("system", "max_accelerators"),
    "isl": ("workload", "input_tokens"),
    "osl": ("workload", "output_tokens"),
    "concurrency": ("workload", "concurrency"),
    "request_rate": ("workload", "request_rate"),
    "ttft": ("slo", "ttft_p99_ms"),
    "tpot": ("slo", "tpot_p99_ms"),
    "e2e": ("slo", "e2e_p99_ms"),
    "tp": ("deployment", "tp"),
    "pp": ("deployment", "pp"),
    "dp": ("deployment", "dp"),
    "ep": ("deployment", "ep"),
    "batch": ("deployment", "batch"),
    "price": ("price", "accelerator_usd_per_hour"),
    "prefer_speed": ("preference", "speed_exponent"),
}
"""Where a flag stands in the scenario."""


_RIVALS = (
    ("model", ("id", "config")),
    ("workload", ("request_rate", "concurrency", "stages")),
    ("price", ("accelerator_usd_per_hour", "offer")),
)
"""Keys that exclude each other: a flag for one takes the others of the file out."""


def _given(value: Any) -> bool:
    return value is not None and value != ()


def names_of(values: tuple[str, ...]) -> list[str]:
    """Names from repeated options, each of which may also hold several with commas between."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def scenario_blocks(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Blocks of a scenario from the flags that were given."""
    blocks: dict[str, Any] = {}
    for flag, (block, key) in _PLACES.items():
        if _given(flags.get(flag)):
            value = flags[flag]
            names = names_of(cast(tuple[str, ...], value)) if isinstance(value, tuple) else value
            blocks.setdefault(block, {})[key] = names
    for block, rivals in _RIVALS:
        given = [key for key in rivals if key in blocks.get(block, {})]
        if len(given) == 1:
            blocks[block] |= {key: None for key in rivals if key != given[0]}
    if _given(flags.get("prefix")):
        blocks.setdefault("workload", {})["prefix"] = {"cached_tokens": flags["prefix"]}
    if _given(flags.get("engine")):
        blocks.setdefault("deployment", {})["engine"] = {"name": flags["engine"]}
    if _given(flags.get("calibration")):
        blocks["calibration"] = flags["calibration"]
    return blocks


def frontier_arguments(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `frontier` from its flags."""
    blocks = scenario_blocks({name: flags.get(name) for name in ("ttft", "tpot", "e2e", "tp", "pp", "dp", "ep")})
    return {
        "models": names_of(flags["models"]),
        "accelerators": names_of(flags["accelerators"]),
        "input_tokens": flags["isl"],
        "output_tokens": flags["osl"],
        "slo": blocks.get("slo"),
        "deployment": blocks.get("deployment"),
        **{name: flags[name] for name in ("max_accelerators", "weights", "kv", "price", "calibration")},
    }
