"""The TPU serving chapter: right values against numbers computed apart, and reasons that explain the wrong ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.forward.roofline import critical_batch
from costline.published import scaling_book_serving
from costline.published.cells import Cell
from costline.published.scaling_book_decode import largest_batch_cost, multi_head, training_usd
from costline.published.scaling_book_fleet import prefill_servers
from costline.published.scaling_book_inputs import FORMATS, SMALLEST, serving_slice
from costline.published.scaling_book_slice import ServingSlice

TABLES = {table.name: table for table in scaling_book_serving.tables()}
ALL_CELLS = [cell for table in TABLES.values() for cell in table.cells]


def cell(table: str, row: str, column: str) -> Cell:
    (found,) = (c for c in TABLES[f"scaling-book-serving-{table}"].cells if (c.row, c.column) == (row, column))
    return found


@pytest.mark.parametrize("name", TABLES)
def test_no_cell_surprises(name: str):
    assert TABLES[name].surprises == ()


def test_every_printed_number_is_there():
    assert len(TABLES) == 24
    assert len(ALL_CELLS) == 225
    assert sum(c.matches for c in ALL_CELLS) == 89
    assert all(c.note for c in ALL_CELLS if not c.expected_match)


# Right values by hand arithmetic from the chapter's inputs: (table, row, column, value, decimals).
RIGHT = [
    ("hardware", "v5e", "FLOP per USD", 5.91e17, -15),
    ("hardware", "v5p", "FLOP per USD", 3.93e17, -15),
    ("hardware", "H100", "FLOP per USD", 3.30e17, -15),
    ("kv-worked", "70B int8", "v5e chips at batch 240", 25, 0),
    ("kv-worked", "70B int8", "scores of one layer at batch 32", 275, 0),
    ("topology-8b", "bf16", "least chips", 2, 0),
    ("topology-8b", "bf16", "KV per token", 131.07, 2),
    ("max-batch", "bf16 on 4x4", "batch", 43, 0),
    ("max-batch", "int8 on 4x2", "batch", 43, 0),
    ("max-batch", "int4 on 2x2", "batch", 43, 0),
    ("max-batch", "int8 on 4x4", "batch", 138, 0),
    ("max-batch", "int8 on 4x2", "batch lost to the 80 % rule", 44.14, 2),
    ("worked-8b", "int8 on one chip", "batch", 14, 0),
    ("worked-8b", "int8 on 2x2", "batch", 104, 0),
    ("worked-405b", "price", "output", 4.152, 3),
    ("decode-latency", "4x2", "step", 17.22, 2),
    ("decode-latency", "one chip", "shortest step of an 8 GB model", 9.8, 1),
    ("decode-breakdown", "arithmetic", "time", 2.8, 1),
    ("decode-floor", "int8 on 4x2", "step", 10.7, 1),
    ("decode-floor", "int8 on 4x4", "step", 5.3, 1),
    ("cost", "bf16 on 4x4", "cost", 2.42, 2),
    ("cost", "int8 on 4x2", "cost", 1.21, 2),
    ("cost", "int4 on 2x2", "cost", 0.605, 3),
    ("cost", "int8 on 4x4", "cost", 0.7825, 4),
    ("cost", "bf16 on 4x8", "cost", 1.508, 3),
    ("cost", "bf16 over int4", "cost", 4, 2),
    ("pareto", "batch 1", "step", 5.44, 2),
    ("pareto", "batch 32", "step", 8.61, 2),
    ("pareto", "batch 120", "step", 17.61, 2),
    ("pareto", "batch 1", "cost", 29.0, 1),
    ("pareto", "batch 32", "cost", 1.43, 2),
    ("pareto", "batch 120", "cost", 0.783, 3),
    ("price", "training", "output tokens of equal cost", 51.9, 1),
    ("sensitivity", "2K to 32K context", "cost", 199.5, 1),
    ("sensitivity", "v5e to H100", "cost", 120.3, 1),
    ("fleet", "fleet", "replicas", 951, 0),
    ("fleet", "fleet", "chips", 15216, 0),
    ("fleet", "fleet", "prefill replicas", 9097, 0),
    ("fleet", "price", "an hour", 18259, 0),
    ("fleet", "price", "a query", 0.000507, 6),
    ("links", "bound by arithmetic", "chips", 26, 0),
    ("links", "bound by bandwidth, batch 64", "chips", 56, 0),
    ("links", "4x8, batch 64", "ICI time of one product", 11.65, 2),
    ("kv-heads", "TP 16", "KV heads on a chip", 0.5, 1),
    ("kv-heads", "TP 16", "all-gather of a step", 119.3, 1),
    ("disaggregation", "prefill", "a prompt", 0.91, 2),
    ("disaggregation", "servers", "prefill for each decode", 6.6, 1),
    ("disaggregation", "transfer", "cache of a prompt", 1.34, 2),
    ("disaggregation", "transfer", "at 50 GB/s", 26.8, 1),
    ("interference", "blocking", "tokens lost", 6776, 0),
    ("interference", "blocking", "prefill", 3.64, 2),
    ("interference", "chunked", "added to a step", 56.9, 1),
]


@pytest.mark.parametrize(("table", "row", "column", "value", "decimals"), RIGHT)
def test_right_values(table: str, row: str, column: str, value: float, decimals: int):
    assert round(cell(table, row, column).computed, decimals) == pytest.approx(value, rel=1e-12)


def test_the_reason_160_kb_for_160_kib_explains_the_printed_numbers(monkeypatch: pytest.MonkeyPatch):
    with_kb = property(lambda one: 160_000 * one.model.layers / 80 * one.kv_element_bytes)
    monkeypatch.setattr(ServingSlice, "kv_bytes_per_token", with_kb)
    reason = "used 160 kB for 160 KiB (163,840 B) of cache per token"
    blamed = [c for table in scaling_book_serving.tables() for c in table.cells if c.note == reason]
    assert len(blamed) > 25
    assert [(c.row, c.column, c.published, c.computed) for c in blamed if not c.matches] == []


def test_the_reason_mixed_formats_explains_the_printed_numbers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ServingSlice, "kv_bytes_per_token", property(lambda one: 160_000))
    reason = "bf16 and int4 weights counted with the int8 cache"
    blamed = [c for table in scaling_book_serving.tables() for c in table.cells if c.note.startswith(reason)]
    assert len(blamed) == 12
    assert [(c.row, c.column, c.published, c.computed) for c in blamed if not c.matches] == []


def test_sensitivities_that_the_notes_state():
    one, context = serving_slice(), 8192
    int4 = replace(one, weight_bytes=FORMATS["int4"])
    changes = [round(100 * (int4.cost_at(b, context) / one.cost_at(b, context) - 1)) for b in (1, 32, 120)]
    assert changes == [-49, -31, 0]
    assert round(100 * (largest_batch_cost(one, 32768) / largest_batch_cost(one, 2048) - 1)) == 709
    wide = multi_head(one)
    assert (one.max_batch(context), wide.max_batch(context)) == (138, 17)
    assert round(100 * (wide.cost_at(32, context) / one.cost_at(32, context) - 1)) == 266
    assert round(100 * (largest_batch_cost(wide, context) / largest_batch_cost(one, context) - 1)) == 672


def test_prefill_with_attention_and_at_the_largest_batch():
    one = serving_slice()
    assert round(one.prefill_s(8192, 0.4, with_attention=True), 2) == 0.98
    assert round(one.prefill_s(32768, 0.4, with_attention=True), 2) == 4.75
    assert round(one.step_s(138, 8192), 4) == 0.0202
    assert round(prefill_servers(138), 1) == 12.1


def test_smallest_slices_and_training():
    least = [serving_slice(number_format=name).min_chips for name in SMALLEST]
    assert least == [9, 5, 3]
    assert serving_slice("405B").min_chips == 26
    assert round(training_usd() / 1e6, 1) == 40.0


def test_critical_batch_by_arithmetic_format():
    # int8 arithmetic on v5e is twice the bf16 rate; H100 fp8 is 1979 TFLOP/s over 3.35 TB/s.
    assert [round(float(critical_batch(1, rate, w))) for rate, w in ((3.94e14, 8.2e11), (1.979e15, 3.35e12))] == [
        240,
        295,
    ]


@given(st.integers(1, 138), st.integers(1, 8192))
def test_a_step_is_never_shorter_than_its_weights_nor_longer_than_everything_in_turn(batch: int, context: int):
    one = serving_slice()
    step_s = one.step_s(batch, context)
    compute_s = 2 * one.model.parameters * batch / one.flop_per_s
    cache_s = batch * context * one.kv_bytes_per_token / one.hbm_bytes_per_s
    assert max(one.floor_step_s, compute_s, cache_s) <= step_s <= one.floor_step_s + compute_s + cache_s + 1e-15


@given(st.integers(1, 200_000))
def test_the_largest_batch_fits_and_one_more_does_not(context: int):
    one = serving_slice()
    batch, per_sequence = one.max_batch(context), context * one.kv_bytes_per_token
    assert batch * per_sequence <= one.free_bytes < (batch + 1) * per_sequence


def test_the_chart_holds_every_batch_and_the_printed_points():
    (figure,) = scaling_book_serving.figures()
    short, middle, long, points = figure.series
    assert [len(one.x) for one in (short, middle, long)] == [554, 138, 34]
    assert (round(middle.x[31], 2), round(middle.y[31], 2)) == (8.61, 1.43)
    assert points.y == (28.80, 4.07, 1.42, 0.97, 0.77)
    for curve in (short, middle, long):
        assert list(curve.x) == sorted(curve.x)
        assert all(after <= before * (1 + 1e-12) for before, after in pairwise(curve.y))
