"""Units: what is read comes back, binary and decimal never mix."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline import quantities
from costline.errors import InputError
from costline.quantities import (
    as_array,
    format_bytes,
    format_count,
    format_seconds,
    parse_bytes,
    significant,
)


@pytest.mark.parametrize(("text", "value"), [
    ("160 KiB", 163_840), ("163.84kB", 163_840), ("80GB", 80e9), ("80GiB", 80 * 2**30), ("80 gib", 80 * 2**30),
    ("1TB", 1e12), ("1TiB", 2**40), ("1MB", 1e6), ("1 MiB", 2**20), ("12", 12), ("12 B", 12), ("1e3", 1000),
    ("1_000", 1000), ("1,000.5 kB", 1_000_500), (" .5GB ", 5e8), ("-1kB", -1000), ("0B", 0),
])  # fmt: skip
def test_bytes_are_read(text: str, value: float):
    assert parse_bytes(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "eighty", "80 GB free", "GB", "8k8", "1..2", "--1", "80GB/s"])
def test_what_is_no_quantity_is_refused(text: str):
    with pytest.raises(
        InputError, match=r"memory=.* is not a number with an optional unit; write for example 80GiB or 8192"
    ):
        parse_bytes(text, "memory")


def test_unknown_units_name_the_known():
    with pytest.raises(
        InputError, match=r"memory='80GW' has unknown unit 'gw'; use B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"
    ):
        parse_bytes("80GW", "memory")


def test_constants_are_what_they_are_called():
    assert (quantities.KIB, quantities.MIB, quantities.GIB, quantities.TIB) == (2**10, 2**20, 2**30, 2**40)
    assert quantities.KILO**4 == quantities.TERA == quantities.PETA / 1000
    assert quantities.MILLI * quantities.GIGA == quantities.MEGA
    assert quantities.NANO * quantities.GIGA == quantities.MICRO * quantities.MEGA == 1
    assert quantities.HOUR_S == 60 * quantities.MINUTE_S == quantities.DAY_S / 24
    assert quantities.HOURS_PER_YEAR == 365 * 24 == 12 * quantities.HOURS_PER_MONTH
    assert quantities.JOULE_PER_KWH == 3.6e6


@pytest.mark.parametrize(("value", "text"), [
    (0.0173219, "0.0173"), (163_840, "163,840"), (2.0, "2"), (0.0, "0"), (-0.5, "-0.5"), (12.3456, "12.3"),
    (99.96, "100"), (1e-9, "0.000000001"), (math.inf, "∞"), (-math.inf, "-∞"), (math.nan, "–"), (100.0, "100"),
])  # fmt: skip
def test_numbers_are_written_plainly(value: float, text: str):
    assert significant(value) == text


@pytest.mark.parametrize(("write", "value", "text"), [
    (format_seconds, 0.0173, "17.3 ms"), (format_seconds, 4.2e-6, "4.2 µs"), (format_seconds, 2.5, "2.5 s"),
    (format_seconds, 0.0, "0 s"), (format_seconds, 3600.0, "3,600 s"), (format_seconds, math.inf, "∞ s"),
    (format_seconds, -0.002, "-2 ms"), (format_bytes, 70.56e9, "70.6 GB"), (format_bytes, 163_840, "164 kB"),
    (format_bytes, 0, "0 B"), (format_bytes, 1.5e12, "1.5 TB"), (format_bytes, 5e6, "5 MB"),
    (format_bytes, -2e9, "-2 GB"), (format_count, 70_553_706_496, "70.6 B"), (format_count, 8192, "8,192"),
    (format_count, 6.3e24, "6,300,000,000,000 T"),
    (format_count, 1.5e6, "1.5 M"), (format_count, 0, "0"),
])  # fmt: skip
def test_quantities_are_written_in_the_unit_that_reads_best(write, value: float, text: str):
    assert write(value) == text


@given(st.floats(1e-9, 1e15))
def test_three_digits_stay_within_half_a_percent(value: float):
    assert float(significant(value).replace(",", "")) == pytest.approx(value, rel=5.001e-3)


@given(st.floats(1, 1e15), st.sampled_from(["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]))
def test_a_written_size_is_read_back(value: float, unit: str):
    assert parse_bytes(f"{value!r} {unit}") == pytest.approx(value * parse_bytes(f"1{unit}"))
    assert parse_bytes(format_bytes(value)) == pytest.approx(value, rel=5.001e-3)


def test_scalars_become_arrays_of_no_axis():
    assert as_array(3).shape == ()
    assert as_array([1, 2]).dtype == float
