"""Writes efficiency records as the catalogue's `calibration/efficiency.yml`, the same text for the same numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import replace

from costline.catalog.records import Efficiency
from costline.quantities import MICRO, MILLI

WIDTH = 116
DIGITS = 3
FRACTIONS = ("attention_flop_fraction", "hbm_fraction", "kv_fraction", "link_fraction", "scale_out_fraction")
TIMES = {
    "kernel_floor_s": ("kernel_floor_us", MICRO),
    "collective_floor_s": ("collective_floor_us", MICRO),
    "host_step_s": ("host_step_ms", MILLI),
}
"""Key and unit in the file of the record's times, written with two decimals."""
HEADER = """\
# What kernels sustain on a family of chips, as fractions of the datasheet.
# Written by `make calibrate`: edit the rules in src/costline/measure, not this file.
# The kernel floor is that of matrix products in the timings, all formats together, times one multiplier that staged
# runs of one engine on Hopper gave. The operations count about eight kernels to a dense layer, so it also stands for
# what they leave out: rotations, cache writes, quantisation, sampling, ranks that wait for one another.
source: kernel-study
kind: measured
retrieved: 2026-11-20
sources:
  host_step_ms: {kind: inferred, note: what asynchronous scheduling leaves; the runs cannot tell it from the floor}
  scale_out_fraction: {kind: inferred, note: timed on one network between Hopper nodes and taken over}

efficiencies:
"""


def efficiency_text(records: Iterable[Efficiency]) -> str:
    """The file's text: header, then one entry a record in the order given."""
    return HEADER + "\n".join(_entry(record) for record in records)


def as_written(record: Efficiency) -> Efficiency:
    """The record with its numbers rounded as the file states them, so that both predict the same."""
    return replace(
        record,
        flop_fraction={name: round(value, DIGITS) for name, value in record.flop_fraction.items()},
        **{name: round(getattr(record, name), DIGITS) for name in FRACTIONS},
        **{name: round(getattr(record, name) / unit, 2) * unit for name, (_, unit) in TIMES.items()},
    )


def _table(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value:g}" for name, value in values.items()) + "}"


def _entry(record: Efficiency) -> str:
    fractions = {name: round(value, DIGITS) for name, value in record.flop_fraction.items()}
    lines = [f"  {record.id}:", f"    flop_fraction: {_table(fractions)}"]
    lines += [f"    {name}: {round(getattr(record, name), DIGITS):g}" for name in FRACTIONS]
    lines += [f"    {key}: {round(getattr(record, name) / unit, 2):g}" for name, (key, unit) in TIMES.items()]
    if not record.measured:
        lines += ["    measured: false", "    kind: inferred"]
    indent = " " * 6
    notes = textwrap.wrap(record.notes, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join([*lines, "    notes: >-", *notes]) + "\n"
