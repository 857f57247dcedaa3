"""The terms of a latency: those that the authors' code recorded, and their sum against the compiled search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costline.published import erdil_2025

TIGHT = 1e-9
FIELDS = {
    "two_d": "two_d",
    "N_PP": "stages",
    "N_TP_total": "gpus_per_stage",
    "N_EP": "expert_groups",
    "N_TP_ff": "feedforward_group",
    "attn_scaledown": "scale_down",
    "N_TP_attn": "attention_group",
    "micro_batch": "micro_batch",
    "kernel_s": "kernel_s",
    "net_latency_s": "network_latency_s",
    "net_bandwidth_s": "network_bandwidth_s",
    "net_total_s": "network_s",
    "memory_s": "memory_s",
    "arithmetic_s": "arithmetic_s",
    "latency_s": "latency_s",
    "ff_rw_bytes_per_layer_per_microbatch": "feedforward_bytes",
    "attn_rw_bytes_per_layer_per_microbatch": "attention_bytes",
    "kv_bytes_per_microbatch": "kv_bytes",
}


@pytest.fixture(scope="module")
def points(shared: Path) -> list[dict[str, Any]]:
    path = shared / "published" / "erdil-2025" / "points.json"
    if not path.is_file():
        pytest.skip("needs the authors' results in shared/published/erdil-2025")
    return json.loads(path.read_text(encoding="utf-8"))["points"]


def assert_same(recorded: dict[str, Any], terms: erdil_2025.LatencyTerms, where: object) -> None:
    for key, field in FIELDS.items():
        assert getattr(terms, field) == pytest.approx(recorded[key], rel=TIGHT, abs=1e-300), (where, key)


def test_every_recorded_term_of_the_fastest_candidate_is_met(points: list[dict[str, Any]]):
    for point in points:
        where = (point["model"], point["gpu"], point["n_gpu"], point["batch"], point["context"])
        terms = erdil_2025.latency_terms(*where, new_tokens=point["seq_len"])
        if point["best"] is None:
            assert terms is None
        else:
            assert terms is not None
            assert_same(point["best"], terms, where)
    assert sum(point["best"] is not None for point in points) > 30


def test_every_recorded_term_of_pinned_candidates_is_met(points: list[dict[str, Any]]):
    met = 0
    for point in points:
        shaped = (point["n_gpu"], point["batch"], point["context"], point["seq_len"])
        for forced in point["forced"]:
            terms = erdil_2025.pinned_terms(
                point["model"],
                point["gpu"],
                shaped,
                two_d=forced["two_d"],
                stages=forced["N_PP"],
                scale_down=forced["attn_scaledown"],
            )
            if forced.get("latency_s") is None:
                assert terms is None, (point["model"], shaped, forced)
            else:
                assert terms is not None
                assert_same(forced, terms, (point["model"], shaped, forced["N_PP"]))
                met += 1
    assert met > 100


@pytest.mark.parametrize("revision", ["2025-05-27", "2025-05-22"])
def test_the_terms_add_up_to_what_the_search_finds(revision: Any):
    for model in ("Llama_3_8B", "DeepSeek_V3", "GPT_4"):
        for gpu in ("H100", "TPU_v4"):
            for n_gpu, batch, context in ((40.0, 12.0, 0.0), (300.0, 700.0, 5000.0)):
                terms = erdil_2025.latency_terms(model, gpu, n_gpu, batch, context, revision=revision)
                least = erdil_2025.token_latency_s(model, gpu, n_gpu, batch, context, revision=revision)
                assert terms is not None or least == float("inf")
                assert terms is None or terms.latency_s == pytest.approx(float(least), rel=1e-12)


def test_what_does_not_fit_has_no_terms():
    assert erdil_2025.latency_terms("GPT_4", "H100", 2, 1) is None
