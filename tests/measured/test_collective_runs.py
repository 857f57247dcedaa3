"""What the timings of engines' all-reduce say of the boxes they were taken on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from costline.measure.fit import errors_of
from costline.measure.kernels.collectives import (
    ENGINE_ALL_REDUCE,
    LIBRARY_COLLECTIVE,
    read_engine_all_reduces,
    read_library_collectives,
)
from costline.measure.kernels.fitting import predict
from costline.measure.kernels.suite import Tables, chosen, fit_all, linked
from costline.measure.kernels.timings import Timings
from costline.measure.kernels.transfer import transferred
from costline.quantities import MIB, MICRO, Array

pytestmark = pytest.mark.measured
Rows = dict[tuple[float, float], float]


@pytest.fixture(scope="module")
def tables(shared: Path) -> Tables:
    folder = shared / "measured"
    return {
        LIBRARY_COLLECTIVE.kernel: read_library_collectives(folder),
        ENGINE_ALL_REDUCE.kernel: read_engine_all_reduces(folder),
    }


def times(rows: Timings, chip: str, engine: str) -> Rows:
    """All-reduces of one engine on one chip by devices and bytes."""
    wanted = (rows.chip == chip) & (rows.labels["engine"] == engine) & (rows.labels["operation"] == "all_reduce")
    mine = rows.take(wanted)
    return dict(zip(zip(mine.counts["devices"], mine.counts["size_bytes"], strict=True), mine.time_s, strict=True))


def differences(first: Rows, second: Rows) -> Array:
    """Relative differences of the shapes that both have."""
    return np.array([abs(first[shape] / second[shape] - 1) for shape in first if shape in second])


@pytest.mark.parametrize("engine", ["sglang", "trtllm"])
@pytest.mark.parametrize("other", ["b200-sxm", "b300-sxm", "gb300"])
def test_on_gb200_other_engines_run_as_on_its_siblings(tables: Tables, engine: str, other: str):
    rows = tables[ENGINE_ALL_REDUCE.kernel]
    assert np.median(differences(times(rows, "gb200", engine), times(rows, other, engine))) < 0.05


def test_vllm_agrees_on_three_siblings_and_not_on_gb200(tables: Tables):
    rows = tables[ENGINE_ALL_REDUCE.kernel]
    ours, *others = (times(rows, name, "vllm") for name in ("gb200", "b200-sxm", "b300-sxm", "gb300"))
    for one in others:
        assert np.median(differences(ours, one)) > 0.2
        assert all(np.median(differences(one, another)) < 0.05 for another in others)


def test_vllms_gb200_had_a_third_of_the_links_between_two_devices_and_all_among_four(tables: Tables):
    ours = times(tables[ENGINE_ALL_REDUCE.kernel], "gb200", "vllm")
    library = times(tables[LIBRARY_COLLECTIVE.kernel], "gb200", "nccl")
    large = 512 * MIB
    assert ours[2, large] / library[2, large] == pytest.approx(2.7, rel=0.05)
    assert ours[4, large] / library[4, large] == pytest.approx(1.1, rel=0.05)


def test_numbers_from_behind_a_switch_hold_direct_links_but_for_the_floor(tables: Tables):
    fitted = fit_all(chosen(tables, partial(_good, name="b200-sxm")))
    rows = tables[ENGINE_ALL_REDUCE.kernel]
    rows = linked(ENGINE_ALL_REDUCE, rows.take(rows.counts["direct"] > 0), fitted)
    values = fitted[ENGINE_ALL_REDUCE.kernel]
    behind = values["floor_us"]["vllm"]
    floors = {**values["floor_us"], "vllm direct": float(rows.time_s.min()) / MICRO}
    predicted = predict(ENGINE_ALL_REDUCE, rows, {**values, "floor_us": floors})
    found = errors_of(predicted, rows.time_s)
    assert found.rows == 46
    assert found.median < 0.05
    assert found.p90 < 0.20
    assert behind - floors["vllm direct"] == pytest.approx(1.9, abs=0.3)


@pytest.mark.parametrize(
    ("source", "target", "library", "engine"), [("b200-sxm", "gb200", 42, 60), ("gb200", "b300-sxm", 63, 83)]
)
def test_transfers_leave_out_only_the_floor_behind_other_links(
    tables: Tables, source: str, target: str, library: int, engine: int
):
    rows, predicted = transferred(tables, source, target)
    known = {kernel: np.isfinite(time_s) for kernel, time_s in predicted.items()}
    reduces = rows[LIBRARY_COLLECTIVE.kernel].counts["reduces"] > 0
    assert np.count_nonzero(known[LIBRARY_COLLECTIVE.kernel] & reduces) == np.count_nonzero(reduces) == library
    ours = rows[ENGINE_ALL_REDUCE.kernel]
    missing = ~known[ENGINE_ALL_REDUCE.kernel]
    assert np.count_nonzero(~missing) == engine
    assert set(ours.labels["engine"][missing]) == {"vllm"}
    assert np.all(ours.counts["own"][missing] > 0)


def _good(rows: Timings, name: str) -> Array:
    return (rows.chip == name) & rows.good
