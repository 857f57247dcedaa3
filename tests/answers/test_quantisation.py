"""Number formats of a plan apart: each effect moves only what it can move, and they multiply to the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import costline
from costline.answers.choices import the_model
from costline.answers.plan.prefix_reuse import prefix_reuse
from costline.answers.plan.quantisation import effects, quantisation
from costline.answers.read_scenario import read_scenario
from costline.answers.search import ranked, search_all
from costline.answers.search.columns import room
from costline.architecture.operations import Formats
from costline.architecture.sharding import layout

NARROW: dict[str, Any] = {
    "model": {"id": "llama-3.1-70b", "weights": "fp8", "kv_cache": "fp8"},
    "system": {"accelerator": ["h100-sxm"], "max_accelerators": 8},
    "workload": {"input_tokens": 4096, "output_tokens": 1024},
    "deployment": {"tp": 4, "disaggregated": False},
}


def chosen(**blocks: Any) -> tuple[Any, int, Any]:
    scenario = read_scenario(NARROW, **blocks)
    found = search_all(scenario, the_model(scenario.model))
    index, row = ranked(found)[0]
    return found[index], row, scenario


def table(**blocks: Any) -> dict[str, dict[str, Any]]:
    return {row["change"]: row for row in quantisation(*chosen(**blocks))}


def test_a_row_for_each_effect_of_each_part():
    rows = table()
    assert list(rows) == [
        "fp8 weights: room", "fp8 weights: traffic", "fp8 arithmetic: rate", "fp8 cache: room", "fp8 cache: traffic",
    ]  # fmt: skip
    assert all(row["chosen"] for row in rows.values())
    assert costline.plan(NARROW).data["quantisation"] == list(rows.values())


@pytest.mark.parametrize("apart", [False, True])
def test_room_changes_batches_and_traffic_does_not(apart: bool):
    rows = table(deployment={"tp": 4, "disaggregated": apart})
    for name, row in rows.items():
        if name.endswith("room"):
            assert row["capacity"] > 1
            assert row["decode_step"] > 1  # more sequences share a longer step
        else:
            assert row["capacity"] == 1.0
        assert row["usd_per_mtok"] < 1
    assert rows["fp8 cache: room"]["capacity"] == pytest.approx(2, rel=0.02)
    assert rows["fp8 weights: traffic"]["decode_step"] < 1
    assert rows["fp8 cache: traffic"]["decode_step"] < 1
    assert rows["fp8 arithmetic: rate"]["prefill"] < 0.9
    assert rows["fp8 weights: traffic"]["prefill"] == pytest.approx(1, abs=0.05)


def test_room_is_what_memory_says():
    group, row, _ = chosen()
    where = layout(*(group.columns[name][row] for name in ("tp", "pp", "dp", "ep")))
    formats = group.engine.formats
    wide = replace(group.engine, formats=replace(formats, weights={"": "bf16"}))
    fits = [float(room(engine, where, 5120.0)["max_batch"]) for engine in (group.engine, wide)]
    assert table()["fp8 weights: room"]["capacity"] == pytest.approx(fits[0] / fits[1])


def test_traffic_and_rate_together_are_all_of_a_format_but_its_room():
    """Effects are switched one after another, so at one batch they multiply to the change of all of them."""
    formats = chosen()[0].engine.formats
    pairs = [effect.runs for effect in effects(formats, "fp8", True) if effect.runs[0] != effect.runs[1]]
    traffic, rate, cache = pairs
    assert traffic[0] == rate[1]  # the one ends where the other begins
    assert rate[0] == cache[0] == formats
    assert traffic[1] == Formats({"": "bf16"}, "fp8", "bf16")


def test_what_is_still_wide_is_shown_narrow():
    rows = table(model={"weights": "bf16", "kv_cache": "bf16"}, deployment={"tp": 8})
    assert not any(row["chosen"] for row in rows.values())
    assert rows["fp8 cache: room"]["capacity"] == pytest.approx(2, rel=0.02)


def test_without_fp8_units_arithmetic_stays_wide():
    rows = table(system={"accelerator": ["a100-80gb-sxm"]}, model={"weights": "bf16"}, deployment={"tp": 8})
    assert "fp8 arithmetic: rate" not in rows


def test_what_does_not_fit_without_has_no_factor():
    row = table(model={"id": "deepseek-v3", "weights": "auto"}, system={"accelerator": ["h200-sxm"]},
                deployment={"tp": 8, "dp": 1, "pp": 1})["fp8_block mix weights: room"]  # fmt: skip
    assert [row[name] for name in ("capacity", "decode_step", "prefill", "usd_per_mtok")] == [None] * 4


# Prefixes


def test_a_prefix_in_host_memory_beats_computing_it_again():
    prefix = {"prefix": {"shared_tokens": 3000}}
    found = prefix_reuse(*chosen(workload=prefix))
    assert found
    assert found["reload_s"] == pytest.approx(found["kv_bytes_per_accelerator"] / found["host_bytes_per_s"])
    assert found["kv_bytes_per_accelerator"] == 3000 * 163_840 / 4
    assert found["reload_pays"]
    assert found["reload_s"] < found["recompute_s"]
    assert found["break_even_host_bytes_per_s"] < found["host_bytes_per_s"]
    assert "offload it" in costline.plan(NARROW, workload=prefix).summary


def test_a_slow_link_does_not_pay():
    slow = {"tp": 4, "disaggregated": False, "host_gb_per_s": 0.1}
    found = prefix_reuse(*chosen(workload={"prefix": {"shared_tokens": 3000}}, deployment=slow))
    assert found
    assert not found["reload_pays"]
    assert found["break_even_host_bytes_per_s"] > found["host_bytes_per_s"] == 1e8


def test_no_prefix_nothing_to_offload():
    assert prefix_reuse(*chosen()) is None
    assert costline.plan(NARROW).data["prefix_reuse"] is None
