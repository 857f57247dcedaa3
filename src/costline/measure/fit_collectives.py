"""Fits the floor and the link fraction with which `collective_time_s` matches all-reduces that engines run.

At decode sizes that is the engines' own kernel, at prefill sizes the library's; both bands have the same weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from costline.catalog.find import chip, system
from costline.catalog.records import System
from costline.forward.collectives import collective_time_s, ring_all_reduce_s
from costline.measure.fit import Errors, Mask, band, by_label, errors_of, held_out, robust_fit
from costline.measure.kernel_files import CUSTOM_LIMIT_BYTES, AllReduces, families_of
from costline.quantities import KIB, MIB, MICRO, Array, as_array

FLOOR_US = (0.3, 30.0)
FRACTION = (0.1, 1.2)
SIZE_EDGES = (64, 512, 8192)
LARGE_BYTES = max(CUSTOM_LIMIT_BYTES.values())


@dataclass(frozen=True)
class LinkFit:
    """Floor and link fraction of one family, and how well held-out sizes are predicted."""

    floor_s: float
    link_fraction: float
    rows: int
    held_out: Errors
    by_implementation: Mapping[str, Errors]
    by_devices: Mapping[str, Errors]
    by_size: Mapping[str, Errors]


def fit_all_reduce(rows: AllReduces, family: str) -> LinkFit:
    """Floor and link fraction of the chips of one family, each in the system that it usually comes in."""
    mine = families_of(rows.chip) == family
    systems = {str(name): system(chip(str(name)).system) for name in np.unique(rows.chip[mine])}
    out = held_out(rows.shape) & mine
    fitted = mine & ~out
    weight = _balanced(rows.size_bytes > LARGE_BYTES, fitted)

    def predict(p: Array) -> Array:
        return _all_reduce_s(rows, systems, floor_s=float(p[0]) * MICRO, link_fraction=float(p[1]))

    def log_errors(p: Array) -> Array:
        return (weight * np.log(predict(p) / rows.time_s))[fitted]

    low, high = zip(FLOOR_US, FRACTION, strict=True)
    best = robust_fit(log_errors, [4.0, 0.5], low, high)
    guess, truth = predict(best)[out], rows.time_s[out]
    return LinkFit(
        floor_s=float(best[0]) * MICRO,
        link_fraction=float(best[1]),
        rows=int(mine.sum()),
        held_out=errors_of(guess, truth),
        by_implementation=by_label(rows.implementation[out], guess, truth),
        by_devices=by_label([f"{n:.0f} devices" for n in rows.devices[out]], guess, truth),
        by_size=by_label(band(rows.size_bytes[out] / KIB, SIZE_EDGES, " KiB"), guess, truth),
    )


def fit_scale_out_fraction(rows: AllReduces) -> tuple[float, Errors]:
    """Share of the network between nodes that large all-reduces forced onto it reach, and the errors of the fit."""
    rate = as_array([system(chip(str(name)).system).scale_out_bytes_per_s for name in rows.chip])
    latency = as_array([system(chip(str(name)).system).scale_out_latency_s for name in rows.chip])
    large = rows.size_bytes >= MIB

    def predict(p: Array) -> Array:
        return ring_all_reduce_s(rows.size_bytes, rows.devices, rate * p[0], latency)

    def log_errors(p: Array) -> Array:
        return np.log(predict(p) / rows.time_s)[large]

    best = robust_fit(log_errors, [0.8], [FRACTION[0]], [FRACTION[1]])
    return float(best[0]), errors_of(predict(best)[large], rows.time_s[large])


def _balanced(large: Mask, fitted: Mask) -> Array:
    """Weights that make both size bands count the same."""
    counts = np.where(large, np.sum(large & fitted), np.sum(~large & fitted))
    return np.sqrt(np.sum(fitted) / 2 / np.maximum(counts, 1))


def _all_reduce_s(
    rows: AllReduces, systems: Mapping[str, System], *, floor_s: float, link_fraction: float
) -> Array:
    time = np.full(rows.time_s.shape, np.nan)
    for name, one in systems.items():
        fabric = replace(
            one.fabric,
            bytes_per_s=one.fabric.bytes_per_s * link_fraction,
            pair_bytes_per_s=one.fabric.pair_bytes_per_s * link_fraction,
            latency_s=floor_s,
        )
        mine = rows.chip == name
        time[mine] = collective_time_s(
            "all_reduce", rows.size_bytes[mine], rows.devices[mine], replace(one, fabric=fabric)
        )
    return time
