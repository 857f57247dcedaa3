"""Published cells by costline's own physics: integers, limits, the same numbers as `estimate`, reasons that add up."""

from __future__ import annotations

import re
from typing import Any

import pytest

import costline
from costline.answers.reproduce import PUBLICATIONS, own_in_units, reproduce, tables_of
from costline.answers.reproduce.case import CALIBRATED, DATASHEET, the_case
from costline.answers.reproduce.own import own_cells, own_sources, without
from costline.answers.reproduce.own_search import Question, search
from costline.published.erdil_2025_data import printed_rows
from generate_reproductions import as_printed

ERDIL = [f"erdil-2025-table-{number}" for number in range(2, 7)]


def own(name: str) -> Any:
    publication = next(key for key in PUBLICATIONS if name.startswith(key))
    return own_in_units(as_printed(name) if name in ERDIL else tables_of(publication)[name]())


@pytest.mark.parametrize("name", [name for key in PUBLICATIONS for name in tables_of(key)])
def test_each_table_has_own_numbers_or_words(name: str):
    has_own = name in ERDIL or name in {
        "scaling-book-serving-topology", "scaling-book-serving-max-batch", "scaling-book-serving-decode-latency",
        "scaling-book-serving-cost", "scaling-book-serving-pareto", "optimization-guide-memory", "pope-2022-latency",
    }  # fmt: skip
    assert (without(name) == "") is has_own


@pytest.mark.parametrize("name", ERDIL)
def test_every_cell_of_erdil_has_its_own(name: str):
    table = as_printed(name)
    cells = own_cells(table)
    assert set(cells) == {(cell.row, cell.column) for cell in table.cells}
    for (_, column), one in cells.items():
        assert one.why
        assert one.datasheet is not None
        assert one.calibrated is not None
        if column in ("GPUs", "batch"):
            assert one.calibrated == int(one.calibrated) >= 1
        if column == "GPUs":
            assert int(one.calibrated).bit_count() == 1
    speeds = [one for (_, column), one in cells.items() if column == "tokens per second"]
    assert all(one.datasheet > one.calibrated for one in speeds)


@pytest.mark.parametrize("name", ERDIL)
def test_size_and_physics_make_the_whole_change_of_speed(name: str):
    table = as_printed(name)
    cells = own_cells(table)
    printed = {(cell.row, cell.column): cell.published for cell in table.cells}
    for place, one in cells.items():
        if place[1] == "tokens per second":
            by_size, by_physics = map(float, re.findall(r"×([\d.]+) by", one.why))
            assert by_size * by_physics == pytest.approx(one.calibrated / printed[place], rel=0.1)  # two digits each
        if place[1] == "cost per million tokens":
            gpus, time, batch = map(float, re.findall(r"×([\d.]+)", one.why.partition(" with ")[2]))
            assert gpus * time / batch == pytest.approx(one.calibrated / printed[place], rel=0.15)


def test_the_fastest_deployment_takes_the_time_that_estimate_says():
    asked = Question(the_case("llama-3-70b", "h100-sxm", "fp8"), None, 2.1)
    for calibration in (DATASHEET, CALIBRATED):
        found = search(asked, calibration).best(is_preferred=False)
        assert found is not None
        degrees = {"tp": int(found.where.tp), "pp": int(found.where.pp)}
        same = costline.estimate(
            "llama-3-70b", "h100-sxm", **degrees, batch=found.batch, context=1, weights="fp8", kv="bf16", price=2.1,
            calibration=calibration,
        ).data  # fmt: skip
        assert same["memory"]["fits"]
        assert same["decode"]["tpot_s"] == pytest.approx(found.token_s, rel=1e-3)
        assert same["cost"]["usd_per_mtok_output"] == pytest.approx(found.usd_per_mtok, rel=1e-3)


def test_nothing_tried_is_faster_than_the_fastest_or_worth_more_than_the_preferred():
    tried = search(Question(the_case("llama-3-70b", "h100-sxm", "bf16"), None, 2.1), CALIBRATED)
    fastest, preferred = (tried.best(is_preferred=flag) for flag in (False, True))
    assert fastest is not None
    assert preferred is not None
    assert fastest.token_s == tried.token_s.min()
    worth = tried.token_s**-3 / tried.usd_per_mtok
    assert preferred.token_s**-3 / preferred.usd_per_mtok == pytest.approx(worth.max())
    assert tried.best(is_preferred=False, fewer_than=1) is None
    wider = tried.best(is_preferred=False, wider_than=float(fastest.where.tp))
    assert wider is None or wider.token_s >= fastest.token_s


def test_a_draft_never_slows_and_a_sure_one_helps_most():
    case, draft = the_case("llama-3.1-405b", "h100-sxm", "fp8"), the_case("llama-3-8b", "h100-sxm", "bf16")
    times = [
        search(Question(case, draft, 2.1, acceptance=acceptance), CALIBRATED).token_s.min()
        for acceptance in (0.0, 0.5, 0.8, 0.95)
    ]
    alone = search(Question(case, None, 2.1), CALIBRATED).token_s.min()
    assert times[0] == pytest.approx(alone)
    assert times == sorted(times, reverse=True)
    assert times[-1] < times[0]


def test_heads_lie_on_several_chips_of_a_wide_slice():
    cells = own("scaling-book-serving-pareto")
    # 8,192 tokens of 163,840 bytes, twice: 8 KV heads on 16 chips
    assert cells["batch 1", "cache"].datasheet == pytest.approx(2 * 8192 * 163840 / 1e9)
    assert "each KV head lies on 2 chips" in cells["batch 1", "cache"].why
    assert cells["batch 120", "step"].datasheet is None
    assert "KV head lies" not in own("scaling-book-serving-decode-latency")["4x2", "step"].why


def test_slices_hold_what_the_memory_leaves():
    cells = own("scaling-book-serving-topology")
    # 8 chips of 16 GiB less 70,553,706,496 parameters of one byte
    assert cells["int8", "memory left"].datasheet == pytest.approx((8 * 16 * 2**30 - 70_553_706_496) / 1e9, rel=1e-3)
    assert [cells[name, "slice"].datasheet for name in ("bf16", "int8", "int4")] == [16, 8, 4]
    assert all(one.calibrated <= one.datasheet or column == "slice" for (_, column), one in cells.items())
    batches = own("scaling-book-serving-max-batch")
    assert batches["int8 on 4x2", "batch"].datasheet == 49  # 66.8 GB / 1.342 GB
    assert all(0 < one.calibrated < one.datasheet for one in batches.values())


def test_costs_follow_from_steps_and_the_chapters_price():
    cells = own("scaling-book-serving-pareto")
    for batch in (1, 8, 32):
        row = f"batch {batch}"
        step, cost = cells[row, "step"], cells[row, "cost"]
        for calibration in ("datasheet", "calibrated"):
            seconds = getattr(step, calibration) / 1e3
            assert getattr(cost, calibration) == pytest.approx(16 * 1.20 / 3600 * seconds / batch * 1e6)


def test_the_guides_cache_has_eight_heads():
    cells = own("optimization-guide-memory")
    assert cells["printed call", "cache"].datasheet == pytest.approx(2 * 80 * 8 * 128 * 2 * 4096 / 1e9)
    assert cells["printed call", "activations"].datasheet is None
    assert cells["A100 80GB", "GPUs"].calibrated == 2


def test_palm_takes_no_less_than_reading_its_weights():
    cells = own("pope-2022-latency")
    times = [cells[row, "latency"] for row in ("PaLM 8B", "PaLM 62B", "PaLM 540B")]
    assert [one.datasheet for one in times] == sorted(one.datasheet for one in times)
    assert times[2].datasheet > 540e9 / 16 / 1228e9 * 1e3  # TP 16 divides its 48 heads; int8; 1,228 GB/s a chip
    assert all("two dimensions" in one.why for one in times)


def test_sources_name_the_model_and_the_accelerator():
    used = {fact.what for fact in own_sources(as_printed("erdil-2025-table-4"))}
    assert {"model llama-3-70b", "price of h100-sxm", "price of a100-80gb-sxm", "price of v100-16gb-sxm"} <= used
    answer = reproduce("erdil-2025-table-1", own=True)
    assert [fact.what for fact in answer.sources] == ["erdil-2025-table-1"]


def test_own_numbers_stand_in_the_answer():
    answer = reproduce(["optimization-guide-memory", "optimization-guide-summary"], own=True)
    first, second = answer.data["tables"]
    assert first["cells"][0]["own"].keys() == {"datasheet", "calibrated", "why"}
    assert first["own_note"] == ""
    assert {cell["own"] for cell in second["cells"]} == {None}
    assert second["own_note"] == without("optimization-guide-summary")
    assert [table.title.partition(":")[0] for table in answer.tables] == [
        "optimization-guide-memory", "optimization-guide-memory", "optimization-guide-summary",
    ]  # fmt: skip


def test_as_printed_holds_what_the_study_prints():
    table = as_printed("erdil-2025-table-3")
    label, _, speed, cost, gpus, batch = printed_rows("table_3")[0]
    assert [(c.row, c.published) for c in table.cells[:4]] == [(label, v) for v in (speed, cost, gpus, batch)]
