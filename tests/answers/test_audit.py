"""Audits: bounds that hold, gaps that add up, numbers that contradict one another, and what is expected anyway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.answers.audit import audit
from costline.answers.audit.limits import least_tpot_s, most_tokens_per_s
from costline.answers.audit.scenario import read_audit
from costline.answers.audit.situation import situation
from costline.answers.estimate import estimate
from costline.catalog.find import chip
from costline.errors import InfeasibleError, InputError

ROOT = Path(__file__).resolve().parents[2]
QUESTION: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b"},
    "system": {"accelerator": "h100-sxm"},
    "workload": {"input_tokens": 1024, "output_tokens": 256},
    "deployment": {"tp": 1},
}


def ask(**blocks: Any) -> dict[str, Any]:
    return dict(audit(QUESTION, **blocks).data)


def expected(**workload: Any) -> dict[str, float]:
    """What the model itself says of a load, in the units of a measurement."""
    seen = {"output_tokens_per_s": 1.0} if "request_rate" in workload else {"tpot_ms": 1.0}
    now = situation(read_audit(QUESTION, workload=workload, measured=seen)[0])
    return {
        "output_tokens_per_s": now.column("output_tokens_per_s"),
        "tpot_ms": now.column("tpot_s") * 1e3,
        "ttft_ms": now.column("ttft_s") * 1e3,
    }


def check_of(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(check for check in data["checks"] if check["name"] == name)


# A deployment that does what is expected


@pytest.mark.parametrize("workload", [{"concurrency": 16}, {"concurrency": 64}, {"request_rate": 5}])
def test_what_is_expected_has_no_unexplained_gap(workload: dict[str, Any]):
    data = ask(workload=workload, measured=expected(**workload))
    shares = {gap["name"]: gap["share"] for gap in data["gaps"]}
    assert shares["unexplained"] == pytest.approx(0, abs=0.02)
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > -1e-9 for name, share in shares.items() if name != "unexplained")
    assert [check["name"] for check in data["checks"] if not check["holds"]] == []
    assert data["verdict"]["word"] in ("good", "underused")
    assert data["cost"]["usd_per_mtok"] == pytest.approx(data["cost"]["usd_per_mtok_expected"])


@given(st.floats(1, 2000), st.floats(1, 300), st.sampled_from(["concurrency", "request_rate"]))
@settings(max_examples=8)
def test_gaps_always_add_up_to_the_cost(tokens_per_s: float, tpot_ms: float, load: str):
    workload = {load: 8.0}
    data = ask(workload=workload, measured={"output_tokens_per_s": tokens_per_s, "tpot_ms": tpot_ms})
    if data["verdict"]["word"] == "impossible":
        assert data["gaps"] == data["helps"] == []
    else:
        assert sum(gap["share"] for gap in data["gaps"]) == pytest.approx(1)
        assert sum(gap["usd_per_mtok"] for gap in data["gaps"]) == pytest.approx(data["cost"]["usd_per_mtok"])
        savings = [row["saving"] for row in data["helps"]]
        assert savings == sorted(savings, reverse=True)


def test_a_slow_deployment_is_slow():
    fine = expected(concurrency=64)
    slow = {"output_tokens_per_s": fine["output_tokens_per_s"] / 3, "tpot_ms": 3 * fine["tpot_ms"]}
    data = ask(workload={"concurrency": 64}, measured=slow)
    assert data["verdict"]["word"] == "slow"
    assert data["speed"]["measured_over_expected"] == pytest.approx(1 / 3)
    assert data["helps"][0]["change"] == "finding what slows it"
    assert data["helps"][0]["saving"] == pytest.approx(2 / 3, rel=0.01)
    unexplained = next(gap for gap in data["gaps"] if gap["name"] == "unexplained")
    assert unexplained["share"] == pytest.approx(2 / 3, abs=0.05)


# Seventy tokens a second at 15 % utilisation


def test_little_output_at_low_utilisation_is_idle_time():
    data = dict(audit(ROOT / "examples" / "audit-70b.yml").data)
    shares = {gap["name"]: gap["share"] for gap in data["gaps"]}
    assert shares["idle"] == pytest.approx(0.85, abs=1e-3)
    assert shares["unexplained"] == pytest.approx(0, abs=1e-3)
    assert data["verdict"]["word"] == "underused"
    assert data["used_share"] < 0.1
    changes = [row["change"] for row in data["helps"]]
    assert "more requests on the same machines" in changes
    assert "as few accelerators as this volume needs" in changes
    monthly = next(row for row in data["helps"] if row["change"] == "as few accelerators as this volume needs")
    assert monthly["usd_per_month"] == pytest.approx(monthly["saving"] * data["cost"]["usd_per_hour"] * 730)


# Physics


def test_bounds_are_those_of_the_datasheet():
    """A decode step reads every weight but the embedding, and the cache of each sequence, at the peak bandwidth."""
    now = situation(read_audit(QUESTION, workload={"concurrency": 1}, measured={"tpot_ms": 10})[0])
    weights = (8_030_261_248 - 128_256 * 4096) * 2  # parameters of the checkpoint, less the embedding table, bf16
    cache = 131_072 * (1024 + 128)  # 32 layers x 2 x 8 heads x 128 numbers x 2 bytes, at the mean context
    assert least_tpot_s(now, 1) == pytest.approx((weights + cache) / chip("h100-sxm").hbm_bytes_per_s, rel=2e-3)


@given(st.floats(1, 500), st.floats(1.01, 4))
@settings(max_examples=20)
def test_larger_batches_take_longer_and_make_more(batch: float, factor: float):
    now = situation(read_audit(QUESTION, workload={"concurrency": 1}, measured={"tpot_ms": 10})[0])
    assert least_tpot_s(now, factor * batch) >= least_tpot_s(now, batch)
    assert most_tokens_per_s(now, factor * batch) >= most_tokens_per_s(now, batch) * (1 - 1e-12)


def test_the_expectation_never_beats_the_limit():
    for concurrency in (1, 16, 256):
        data = ask(workload={"concurrency": concurrency}, measured={"tpot_ms": 50})
        rows = {row["name"]: row for row in data["quantities"]}
        assert rows["ttft_s"]["expected"] > rows["ttft_s"]["limit"]
        assert rows["tpot_s"]["expected"] > rows["tpot_s"]["limit"]


def test_mfu_and_mbu_are_shares_of_the_peaks():
    """At batch 32 and 10 ms a step: bytes of weights and cache over time over bandwidth."""
    now = ask(workload={"concurrency": 32}, measured={"batch": 32, "tpot_ms": 10})
    step = estimate("llama-3.1-8b", "h100-sxm", batch=32, context=1024 + 128).data["decode"]["roofline_s"]
    assert now["reached"]["decode_mbu"] == pytest.approx(step["memory"] / 0.010, rel=1e-6)
    assert now["reached"]["decode_mfu"] == pytest.approx(step["compute"] / 0.010, rel=1e-6)


# Numbers that cannot be


def test_batch_over_tpot_catches_a_table_that_contradicts_itself():
    """A batch of 8 at 150 ms a token makes 53 tokens/s, not the 89 that a published table states."""
    data = ask(measured={"batch": 8, "tpot_ms": 150, "output_tokens_per_s": 89})
    check = check_of(data, "tokens/s = batch / TPOT")
    assert not check["holds"]
    assert round(check["follows"]) == 53
    assert data["verdict"]["word"] == "contradictory"
    assert "53.3" in data["verdict"]["words"]
    assert check_of(ask(measured={"batch": 8, "tpot_ms": 90, "output_tokens_per_s": 89}), check["name"])["holds"]


@pytest.mark.parametrize(("measured", "name"), [
    ({"tpot_ms": 1}, "TPOT ≥ bound"),
    ({"ttft_ms": 1}, "TTFT ≥ bound"),
    ({"output_tokens_per_s": 90_000}, "tokens/s ≤ bound"),
    ({"output_tokens_per_s": 4000, "utilization_percent": 1}, "reported utilisation ≥ bound of MFU and MBU"),
])  # fmt: skip
def test_what_is_faster_than_physics_is_flagged(measured: dict[str, Any], name: str):
    data = ask(workload={"concurrency": 64}, measured=measured)
    assert not check_of(data, name)["holds"]
    assert data["verdict"]["word"] == "impossible"
    assert data["gaps"] == data["helps"] == []


def test_littles_law_is_checked():
    """10 requests/s of 0.1 + 255 x 0.02 s keep 52 in flight."""
    measured = {"output_tokens_per_s": 2560, "ttft_ms": 100, "tpot_ms": 20}
    assert check_of(ask(workload={"concurrency": 52}, measured=measured), "concurrency = rate × latency")["holds"]
    data = ask(workload={"concurrency": 100}, measured=measured)
    check = check_of(data, "concurrency = rate × latency")
    assert not check["holds"]
    assert check["follows"] == pytest.approx(10 * (0.1 + 255 * 0.02))


def test_more_sequences_than_fit_are_flagged():
    data = ask(workload={"request_rate": 2}, measured={"batch": 5000, "tpot_ms": 400})
    assert not check_of(data, "batch fits")["holds"]


def test_keys_stay():
    data = ask(workload={"concurrency": 64}, measured={"output_tokens_per_s": 2000, "tpot_ms": 30})
    rows = {
        "quantities": {"name", "measured", "limit", "expected", "p10", "p90", "measured_over_expected", "words"},
        "gaps": {"name", "share", "seconds_per_request", "usd_per_mtok"},
        "checks": {"name", "holds", "given", "follows", "words"},
        "helps": {"change", "usd_per_mtok", "saving", "usd_per_month", "needs_load", "detail"},
    }
    for block, keys in rows.items():
        assert all(keys <= set(row) for row in data[block]), block
        assert data[block]
    assert set(data["verdict"]) == {"word", "words"}
    assert {"mfu", "mbu", "decode_mfu", "decode_mbu"} == set(data["reached"])


# The question


def test_lengths_that_are_missing_are_assumed_and_said():
    question = {name: block for name, block in QUESTION.items() if name != "workload"}
    answer = audit(question, measured={"batch": 4, "tpot_ms": 10})
    assert answer.data["assumed"] == ["input_tokens = 2,048", "output_tokens = 512"]
    assert "Assumed" in answer.summary
    assert ask(measured={"batch": 4, "tpot_ms": 10})["assumed"] == []


@pytest.mark.parametrize(("blocks", "match"), [
    ({"measured": {}}, "at least one"),
    ({"measured": {"tpot_ms": 10}}, "give a load"),
    ({"measured": {"tpot_ms": 10, "batch": 1}, "system": {"accelerator": ["h100", "h200"]}}, "one deployment"),
    ({"measured": {"tpot_ms": 10, "batch": 1, "accelerators": 3}, "deployment": {"tp": 2}}, "accelerators=3"),
    ({"measured": {"tpot_ms": 10, "batch": 1, "tokens": 3}}, "unknown key"),
])  # fmt: skip
def test_faults_are_told_in_one_line(blocks: dict[str, Any], match: str):
    with pytest.raises(InputError, match=match):
        ask(**blocks)


def test_what_does_not_fit_is_infeasible():
    with pytest.raises(InfeasibleError, match="does not fit"):
        ask(model={"id": "llama-3.1-70b"}, measured={"tpot_ms": 10, "batch": 1})


def test_the_number_of_accelerators_says_how_many_replicas():
    data = ask(measured={"tpot_ms": 10, "batch": 1, "accelerators": 4}, deployment={"tp": 2})
    assert (data["deployment"]["replicas"], data["deployment"]["tp"]) == (2, 2)
    wide = ask(measured={"tpot_ms": 10, "batch": 1, "accelerators": 4}, deployment={"tp": "auto"})
    assert (wide["deployment"]["replicas"], wide["deployment"]["tp"]) == (1, 4)


# The command


def test_the_command_judges_flags_alone(run_cli: Any, tmp_path: Path):
    done = run_cli(
        "audit", "--model", "llama-3.1-8b", "--accelerator", "h100", "--isl", "1024", "--osl", "256",
        "--concurrency", "64", "--measured-output-tokens-per-s", "2000", "--measured-tpot", "30", "--json",
        "--out", tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert {"quantities", "gaps", "checks", "helps", "verdict", "reached", "cost"} <= set(data)
    assert (tmp_path / "gaps.svg").is_file()


def test_a_question_without_a_measurement_is_a_fault(run_cli: Any):
    done = run_cli("audit", "--model", "llama-3.1-8b", "--accelerator", "h100", "--concurrency", "64")
    assert (done.returncode, done.stdout) == (2, "")
    assert "measured" in done.stderr
