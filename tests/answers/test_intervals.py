"""One interval for one deployment, whichever question it is asked by: plan, audit, sensitivity, compare or estimate."""

from __future__ import annotations

from typing import Any

import pytest

from costline.answers.audit import audit
from costline.answers.estimate import estimate
from costline.answers.plan import plan
from costline.answers.read_scenario import read_scenario
from costline.answers.sensitivity import sensitivity
from costline.answers.serving_unit import serving_unit
from costline.catalog.find import chip
from costline.catalog.models import find_model
from costline.catalog.residuals import MEASURED_FAMILIES, all_residuals, basis, model_class, spread

KINDS = {"dense": ("llama-3.1-8b", "h100-sxm", 1), "experts": ("mixtral-8x7b", "h100-sxm", 2)}
KINDS |= {"latent": ("deepseek-v3", "h200-sxm", 8), "never measured": ("llama-3.1-8b", "mi300x", 1)}


def question(model: str, accelerator: str, tp: int, **blocks: Any) -> dict[str, Any]:
    return {
        "model": {"id": model, "weights": "checkpoint"},
        "system": {"accelerator": accelerator, "max_accelerators": tp},
        "workload": {"input_tokens": 1024, "output_tokens": 256, "concurrency": 16},
        "deployment": {"tp": tp, "pp": 1, "dp": 1, "ep": 1, "replicas": 1, "batch": 16, "disaggregated": False},
    } | blocks


@pytest.mark.parametrize("kind", KINDS)
def test_an_audit_expects_what_a_plan_promises(kind: str):
    asked = question(*KINDS[kind])
    planned = plan(asked).data["plans"][0]
    rows = {row["name"]: row for row in audit(asked | {"measured": {"tpot_ms": 20, "ttft_ms": 300}}).data["quantities"]}
    for name in ("tpot_s", "ttft_s"):
        assert rows[name]["expected"] == pytest.approx(planned[name])
        for end in ("p10", "p90"):
            assert rows[name][end] == pytest.approx(planned["interval"][name][end])


@pytest.mark.parametrize("kind", KINDS)
def test_sensitivity_moves_steps_over_the_plans_interval(kind: str):
    asked = question(*KINDS[kind])
    planned = plan(asked).data["plans"][0]
    row = next(one for one in sensitivity(asked, groups=["rates"]).data["effects"] if one["name"] == "step_time")
    ends = {"low": "p10", "high": "p90"}
    for end, quantile in ends.items():
        if row[end] is not None:
            assert row[end] == pytest.approx(planned["interval"]["tpot_s"][quantile] / planned["tpot_s"])
    assert row["note"] == basis(chip(KINDS[kind][1]), model_class(find_model(KINDS[kind][0])), "tpot")


@pytest.mark.parametrize("kind", KINDS)
def test_throughput_has_the_range_that_an_estimate_gives(kind: str):
    model, accelerator, tp = KINDS[kind]
    asked = {"isl": 1024, "osl": 256, "concurrency": 16}
    served = estimate(model, accelerator, tp=tp, **asked).data["serving"]
    span = {
        end: served["interval"]["output_tokens_per_s"][end] / served["output_tokens_per_s"] for end in ("p10", "p90")
    }
    rows = {
        row["name"]: row
        for row in audit(question(model, accelerator, tp) | {"measured": {"tpot_ms": 20}}).data["quantities"]
    }
    output = rows["tokens_per_s"]
    assert output["p10"] / output["expected"] == pytest.approx(span["p10"])
    assert output["p90"] / output["expected"] == pytest.approx(span["p90"])
    rated = question(model, accelerator, tp, price={"accelerator_usd_per_hour": 2.0})
    rated["workload"] = {"input_tokens": 1024, "output_tokens": 256, "request_rate": 0.5}
    assert serving_unit(read_scenario(rated)).speed_range == pytest.approx((span["p10"], span["p90"]))


def test_nothing_is_said_without_calibration():
    asked = question(*KINDS["dense"], calibration="none") | {"measured": {"tpot_ms": 20, "output_tokens_per_s": 500}}
    data = audit(asked).data
    assert {row["p10"] for row in data["quantities"]} == {row["p90"] for row in data["quantities"]} == {None}
    assert (data["speed"]["p10"], data["speed"]["p90"]) == (None, None)
    served = estimate("llama-3.1-8b", isl=1024, osl=256, concurrency=16, calibration="none").data
    assert all("interval" not in served[block] for block in ("decode", "prefill", "serving"))


def test_a_family_that_was_never_measured_is_less_sure():
    for kind, quantities in all_residuals().items():
        for quantity in quantities:
            (low, high), (lower, higher) = (spread(chip(name), kind, quantity) for name in ("h100-sxm", "mi300x"))
            assert lower <= low <= 1 <= high <= higher
    assert chip("mi300x").family not in MEASURED_FAMILIES
    assert "no system of cdna3" in basis(chip("mi300x"), "dense", "tpot")
    rows = all_residuals()["dense"]["tpot"].rows
    assert basis(chip("h100-sxm"), "dense", "tpot").endswith(f"{rows:,} runs of dense models")
