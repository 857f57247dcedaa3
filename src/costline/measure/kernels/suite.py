"""All kernels together: read, fit on some rows of a family, predict others.

Some kernels lean on others: an engine's all-reduce hands large messages to the library, exchanges between nodes use
the network. Those numbers come from the same rows' fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np

from costline.catalog.kernel_records import LowLatencyExchange
from costline.measure.fit import Mask
from costline.measure.kernels.attention import (
    DECODE_ATTENTION,
    PREFILL_ATTENTION,
    read_decode_attention,
    read_prefill_attention,
)
from costline.measure.kernels.collectives import (
    ENGINE_ALL_REDUCE,
    LIBRARY_COLLECTIVE,
    read_engine_all_reduces,
    read_library_collectives,
)
from costline.measure.kernels.expert_exchange import (
    LOW_LATENCY_EXCHANGE,
    SCALE_OUT,
    THROUGHPUT_EXCHANGE,
    read_exchanges_between_domains,
    read_low_latency_exchanges,
    read_throughput_exchanges,
)
from costline.measure.kernels.experts import EXPERTS, read_experts
from costline.measure.kernels.fitting import FOLDS, KernelFit, Values, fit, fold, predict, record_of
from costline.measure.kernels.gemm import GEMM, read_gemms
from costline.measure.kernels.mla import MLA_DECODE, MLA_PREFILL, read_mla_decode, read_mla_prefill
from costline.measure.kernels.timings import Timings
from costline.quantities import MICRO, Array

Tables = Mapping[str, Timings]
"""Rows by kernel."""
Fitted = Mapping[str, Values]
"""Numbers by kernel."""

FAMILIES = ("ampere", "hopper", "blackwell", "blackwell-ultra", "ada", "rtx-blackwell")
"""Families whose kernels were timed."""
FITS: tuple[KernelFit, ...] = (
    GEMM, DECODE_ATTENTION, PREFILL_ATTENTION, MLA_DECODE, MLA_PREFILL, EXPERTS, LIBRARY_COLLECTIVE,
    ENGINE_ALL_REDUCE, LOW_LATENCY_EXCHANGE, SCALE_OUT, THROUGHPUT_EXCHANGE,
)  # fmt: skip
"""In an order in which each leans only on those before it."""
READERS: Mapping[str, Callable[[Path], Timings]] = {
    GEMM.kernel: read_gemms,
    DECODE_ATTENTION.kernel: read_decode_attention,
    PREFILL_ATTENTION.kernel: read_prefill_attention,
    MLA_DECODE.kernel: read_mla_decode,
    MLA_PREFILL.kernel: read_mla_prefill,
    EXPERTS.kernel: read_experts,
    LIBRARY_COLLECTIVE.kernel: read_library_collectives,
    ENGINE_ALL_REDUCE.kernel: read_engine_all_reduces,
    LOW_LATENCY_EXCHANGE.kernel: read_low_latency_exchanges,
    SCALE_OUT.kernel: read_exchanges_between_domains,
    THROUGHPUT_EXCHANGE.kernel: read_throughput_exchanges,
}


def read_tables(folder: Path) -> Tables:
    """Every kernel's rows, traps included."""
    return {kernel: read(folder) for kernel, read in READERS.items()}


def cross_predicted(tables: Tables) -> Mapping[str, Array]:
    """Time of every row, predicted with numbers that one fit for each family found on the other folds' good rows."""
    found = {kernel: np.full(rows.time_s.shape, np.nan) for kernel, rows in tables.items()}
    for family in FAMILIES:
        for number in range(FOLDS):
            others = chosen(tables, partial(_others, family=family, number=number))
            predicted = predict_all(chosen(tables, partial(_mine, family=family, number=number)), fit_all(others))
            for kernel, time_s in predicted.items():
                found[kernel][_mine(tables[kernel], family, number)] = time_s
    return found


def _mine(rows: Timings, family: str, number: int) -> Mask:
    return (rows.family == family) & (fold(rows) == number)


def _others(rows: Timings, family: str, number: int) -> Mask:
    return (rows.family == family) & (fold(rows) != number) & rows.good


def chosen(tables: Tables, keep: Callable[[Timings], Mask]) -> Tables:
    """The rows of each kernel where `keep` holds."""
    return {kernel: rows.take(keep(rows)) for kernel, rows in tables.items()}


def fit_all(tables: Tables) -> Fitted:
    """Numbers of every kernel that has rows; all rows are fitted, whatever their family."""
    found: dict[str, Values] = {}
    for one in FITS:
        if one.kernel not in tables or not tables[one.kernel].time_s.size:
            continue
        rows = _fitted_rows(one, linked(one, tables[one.kernel], found))
        if one is LIBRARY_COLLECTIVE:
            reduces = rows.counts["reduces"] > 0
            found[one.kernel] = fit(one, rows.take(reduces))
        found[one.kernel] = fit(one, rows, found.get(one.kernel))
    return found


def predict_all(tables: Tables, fitted: Fitted) -> Mapping[str, Array]:
    """Time of every row of every kernel that was fitted; NaN where a label was not."""
    return {
        one.kernel: predict(one, linked(one, tables[one.kernel], fitted), fitted[one.kernel])
        for one in FITS
        if one.kernel in fitted
    }


def linked(one: KernelFit, rows: Timings, fitted: Fitted) -> Timings:
    """`rows` with what their kernel takes from kernels fitted before it."""
    if one is ENGINE_ALL_REDUCE and LIBRARY_COLLECTIVE.kernel in fitted:
        return rows.with_counts(library_s=predict(LIBRARY_COLLECTIVE, rows, fitted[LIBRARY_COLLECTIVE.kernel]))
    if one is SCALE_OUT:
        record = record_of(LOW_LATENCY_EXCHANGE, rows, fitted.get(LOW_LATENCY_EXCHANGE.kernel, {}))
        return rows.with_counts(**{field.name: getattr(record, field.name) for field in fields(LowLatencyExchange)})
    if one in (LOW_LATENCY_EXCHANGE, THROUGHPUT_EXCHANGE) and SCALE_OUT.kernel in fitted:
        network = fitted[SCALE_OUT.kernel]
        return rows.with_counts(
            network_fraction=np.full(rows.time_s.shape, network["network_fraction"]["all"]),
            doubling_s=np.full(rows.time_s.shape, network["doubling_us"]["all"] * MICRO),
        )
    return rows


def _fitted_rows(one: KernelFit, rows: Timings) -> Timings:
    """Rows that a fit uses: the engine's own kernels; exchanges inside one domain, but for the network itself."""
    if one is ENGINE_ALL_REDUCE:
        return rows.take(rows.counts["own"] > 0)
    if one is LOW_LATENCY_EXCHANGE:
        return rows.take(rows.counts["domains"] == 1)
    return rows
