"""The reproduction of Erdil 2025 gives the numbers that the authors' code gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costline.errors import DomainError, InfeasibleError, InputError, UnknownIdError
from costline.published import erdil_2025
from costline.published.erdil_2025_data import find_model
from costline.published.erdil_2025_figures import infinite_bandwidth_frontier

TIGHT = 1e-9
PRINTED_DIGITS = 6e-8  # the frontier files hold eight digits

# Latencies [s] of the authors' code of 2025-05-27 (c2c4fa9), by model, GPU, GPUs, batch, context, new tokens.
POINTS = [
    ("Llama_3_70B", "H100", 16, 128, 0, 1, 0.011693990096542326),
    ("Llama_3_70B_8_bit", "H100", 9, 64, 0, 1, 0.008933358432023822),
    ("Llama_3_70B_4_bit", "H100", 16, 128, 0, 1, 0.006752530114159171),
    ("Llama_3_70B", "H100", 24.31, 5000, 0, 1, 0.04888766160275641),
    ("Llama_3_405B_8_bit", "H100", 32, 26, 5000, 5, 0.02499685627548429),
    ("Llama_3_70B_8_bit", "A100", 32, 16, 0, 1, 0.008103108348957822),
    ("Llama_3_70B_8_bit", "V100", 32, 16, 0, 1, 0.011101946551080204),
    ("Llama_3_70B_8_bit", "H200", 32, 16, 0, 1, 0.0061632020273150725),
    ("Llama_3_70B_8_bit", "H800", 32, 16, 0, 1, 0.007103593456426296),
    ("Llama_3_70B_MQA", "H100", 8, 40, 100_000, 1, 0.01981831385990955),
    ("Mistral_Large_2", "H100", 32, 32, 100_000, 1, 0.026250683113328736),
    ("Mixtral_8x22B", "H100", 16, 7.9, 0, 1, 0.010006969925318472),
    ("Mixtral_8x22B", "H100", 16, 8, 0, 1, 0.00981154573627324),
    ("Mixtral_8x7B", "H100", 16, 128, 0, 1, 0.004465116246556546),
    ("GPT_4", "H100", 460, 1, 0, 1, 0.016950689388991566),
    ("DeepSeek_V3", "H100", 256, 55, 0, 1, 0.005905484602181519),
    ("DeepSeek_V3", "H100", 256, 56, 0, 1, 0.005724455284775365),
]

# Fastest and preferred (alpha 3) points without speculation: tokens/s, USD/Mtok, GPUs, batch, as the code gives.
FRONTIERS = [
    ("GPT_4", "H100", 486, (63.73766301934868, 878.3289070173398, 119.45342924430088, 1.2446925894640233),
     (31.03930893469272, 5.415325912404395, 127.50143526772987, 442.48160936018184)),
    ("Llama_3_405B_8_bit", "H100", 460, (66.46863267139551, 839.596417253729, 101.84298708236233, 1.064536608664292),
     (39.77380954842234, 2.5677517413946336, 26.89439740004085, 153.61314810599714)),
    ("DeepSeek_V3", "H100", 815, (214.6687512476834, 36.54602802385067, 13.992634236278093, 1.0404165765929325),
     (105.16422956136789, 1.4209723835789243, 123.84256044477722, 483.4293729065655)),
    ("Llama_3_70B_8_bit", "V100", 297, (105.46160113975456, 105.95608436635275, 101.96099678366896, 1.064536608664292),
     (63.58671028816513, 0.5087640818574642, 15.660109056637122, 56.47532928006386)),
]  # fmt: skip


@pytest.fixture(scope="module")
def golden(shared: Path) -> Path:
    folder = shared / "published" / "erdil-2025"
    if not folder.is_dir():
        pytest.skip("needs the authors' results in shared/published/erdil-2025")
    return folder


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def four(point: erdil_2025.Point) -> tuple[float, float, float, float]:
    return point.tokens_per_s, point.usd_per_mtok, point.n_gpu, point.batch


@pytest.mark.parametrize(("model", "gpu", "n_gpu", "batch", "context", "tokens", "expected_s"), POINTS)
def test_a_latency_is_the_codes(
    model: str, gpu: str, n_gpu: float, batch: float, context: float, tokens: int, expected_s: float
):
    computed_s = erdil_2025.token_latency_s(model, gpu, n_gpu, batch, context, new_tokens=tokens)
    assert computed_s == pytest.approx(expected_s, rel=TIGHT)


def test_every_recorded_latency_is_met(golden: Path):
    switches = {
        "best": {},
        "new_no_pp": {"pipeline": False},
        "new_pp_no_scaledown": {"scale_down": False},
        "new_no_pp_no_scaledown": {"pipeline": False, "scale_down": False},
    }
    points = read(golden / "points.json")["points"]
    for point in points:
        where = (point["model"], point["gpu"], point["n_gpu"], point["batch"], point["context"])
        expected = {"best": point["best_latency_s"], **point["other_functions_latency_s"]}
        for name, options in switches.items():
            computed_s = erdil_2025.token_latency_s(*where, new_tokens=point["seq_len"], **options)
            expected_s = np.inf if expected[name] is None else expected[name]
            assert computed_s == pytest.approx(expected_s, rel=TIGHT), (where, name)
        if "section_2_2" in expected:
            toy_s = expected["section_2_2"]
            computed_s = erdil_2025.infinite_bandwidth_latency_s(*where[:4])
            assert computed_s == pytest.approx(np.inf if toy_s is None else toy_s, rel=TIGHT), where
    assert len(points) > 30


@pytest.mark.parametrize(("model", "gpu", "points", "fastest", "preferred"), FRONTIERS)
def test_a_frontier_is_the_codes(
    model: str, gpu: str, points: int, fastest: tuple[float, ...], preferred: tuple[float, ...]
):
    curve = erdil_2025.frontier(model, gpu)
    assert len(curve) == points
    assert four(curve.fastest) == pytest.approx(fastest, rel=TIGHT)
    assert four(curve.preferred()) == pytest.approx(preferred, rel=TIGHT)


@pytest.mark.parametrize("file", ["frontier_fig3.json", "frontier_fig6.json"])
def test_every_recorded_frontier_is_met(golden: Path, file: str):
    renamed = {"A100_70B8": ("Llama_3_70B_8_bit", "A100"), "V100_70B8": ("Llama_3_70B_8_bit", "V100")}
    curves = read(golden / file)["curves"]
    for name, expected in curves.items():
        curve = erdil_2025.frontier(*renamed.get(name, (name, "H100")))
        columns = np.stack([getattr(curve, column) for column in expected["columns"]], axis=1)
        np.testing.assert_allclose(columns, expected["points"], rtol=PRINTED_DIGITS, err_msg=name)
        named = [(curve.fastest, expected["max_speed"])]
        named += [(curve.preferred(float(key[6:])), point) for key, point in expected["preferred"].items()]
        for computed, point in named:
            for column, value in point.items():
                assert getattr(computed, column) == pytest.approx(value, rel=TIGHT), (name, column)
    assert len(curves) >= 3


def test_every_recorded_frontier_of_unlimited_bandwidth_is_met(golden: Path):
    curves = read(golden / "frontier_fig1.json")["curves"]
    for name, expected in curves.items():
        model = "Llama_3_70B" if "70B" in name else "Llama_3_8B"
        curve = infinite_bandwidth_frontier(model, "H100", expected["max_throughput"])
        for column in ("tokens_per_s", "usd_per_mtok", "n_gpu", "batch", "mfu"):
            values = [point[column] for point in expected["points"]]
            np.testing.assert_allclose(getattr(curve, column), values, rtol=TIGHT, err_msg=f"{name} {column}")
    assert len(curves) == 4


def test_parameter_counts_are_the_studys():
    # Counts [1e9] stated with the study's code: total, and active where experts are routed.
    totals = {"Llama_3_8B": 8.030, "Llama_3_70B": 70.552, "Llama_3_405B": 410.08, "GPT_4": 1796.85, "GPT_3": 175.2,
              "PaLM_540B": 545.1, "Mixtral_8x22B": 140.6, "Mistral_Large_2": 122.6, "DeepSeek_V3": 666.07}  # fmt: skip
    computed = {name: find_model(name).parameters / 1e9 for name in totals}
    assert computed == pytest.approx(totals, rel=4e-4)
    active = {"GPT_4": 274.8, "Mixtral_8x22B": 39.15, "DeepSeek_V3": 35.5}
    assert {name: find_model(name).active_parameters / 1e9 for name in active} == pytest.approx(active, rel=6e-4)
    assert find_model("DeepSeek_V3").sparsity == 28


def test_price_scales_the_frontier_and_leaves_its_speeds():
    base = erdil_2025.frontier("Llama_3_70B_8_bit", "H100")
    dear = erdil_2025.frontier("Llama_3_70B_8_bit", "H100", usd_per_hour=4.2)
    np.testing.assert_allclose(dear.usd_per_mtok, 2 * base.usd_per_mtok, rtol=1e-12)
    np.testing.assert_array_equal(dear.tokens_per_s, base.tokens_per_s)


def test_demand_bounds_what_an_instance_produces():
    # The cap chooses the cost; a cell of exactly that cost is then taken wherever it lies, so no cap on the cells.
    free = erdil_2025.frontier("Llama_3_70B_8_bit", "H100", grid_size=80)
    capped = erdil_2025.frontier("Llama_3_70B_8_bit", "H100", grid_size=80, demand_tokens_per_s=1000.0)
    assert (capped.batch * capped.tokens_per_s).max() <= 1000.0
    assert capped.usd_per_mtok.min() > free.usd_per_mtok.min()


def test_a_frontier_trades_speed_for_cost():
    curve = erdil_2025.frontier("Mixtral_8x22B", "H100", grid_size=80)
    assert (np.diff(curve.tokens_per_s) < 0).all()
    assert (np.diff(curve.usd_per_mtok) < 0).all()
    assert (curve.mfu < 0.7).all()
    speeds = [curve.preferred(alpha).tokens_per_s for alpha in (1.0, 2.0, 3.0, 4.0, 40.0)]
    assert speeds == sorted(speeds)
    assert erdil_2025.preference(2.0, 4.0, 3.0) == 2.0


def test_unknown_names_raise_and_name_the_nearest():
    with pytest.raises(UnknownIdError, match="Llama_3_70B"):
        erdil_2025.token_latency_s("llama_3_70b_", "H100", 8, 1)
    with pytest.raises(UnknownIdError, match="H100"):
        erdil_2025.frontier("Llama_3_70B", "H1000")
    with pytest.raises(UnknownIdError, match="Llama_3_8B"):
        erdil_2025.frontier("Llama_3_70B", "H100", "Llama_3_9B")
    with pytest.raises(UnknownIdError, match="2025-05-27"):
        erdil_2025.token_latency_s("Llama_3_70B", "H100", 8, 1, revision="2025-05-28")  # type: ignore[arg-type]


def test_what_cannot_be_answered_raises():
    with pytest.raises(InputError, match="4-bit weights have no FLOP rate on A100"):
        erdil_2025.token_latency_s("Llama_3_70B_4_bit", "A100", 8, 1)
    with pytest.raises(DomainError, match="acceptance=1"):
        erdil_2025.frontier("Llama_3_70B", "H100", "Llama_3_8B", 1.0, grid_size=10)
    with pytest.raises(InfeasibleError, match="context=1e\\+15"):
        erdil_2025.frontier("Llama_3_70B", "H100", context=1e15, grid_size=10)


def test_the_package_does_not_load_the_compiler():
    code = "import sys, costline, costline.published; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
