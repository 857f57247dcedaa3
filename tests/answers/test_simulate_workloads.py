"""simulate with bursts, days, conversations and measured lengths: what is asked for is what comes, and what it does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costline.answers.answer import Answer
from costline.answers.read_scenario import validate
from costline.answers.simulate import simulate
from costline.answers.simulate.knee import Mix, load_curve
from costline.answers.simulate.load import Drawn, drawn_requests
from costline.errors import InputError
from costline.serving.step_table import affine_table
from costline.serving.trace_summary import rank_correlation

MODEL: dict[str, Any] = {"id": "llama-3.1-8b", "weights": "bf16"}
LENGTHS: dict[str, Any] = {"input_tokens": 500, "output_tokens": 50}
CHAT: dict[str, Any] = {"turns": 5, "new_tokens": 150, "think_s": 20}
TIGHT: dict[str, Any] = {"tp": 1, "engine": {"max_sequences": 8}}


def ask(work: dict[str, Any], deployment: dict[str, Any] | None = None, **blocks: Any) -> Answer:
    return simulate(
        model=MODEL,
        system={"accelerator": "h100-sxm"},
        workload=work,
        deployment={"tp": 1} | (deployment or {}),
        figures=False,
        **blocks,
    )


def drawn(**work: Any) -> Drawn:
    return drawn_requests(validate({"model": MODEL, "workload": work}).workload, 8, 16)


def test_weibull_gaps_come_and_wait_longer():
    bursts = LENGTHS | {"request_rate": 20, "requests": 3000}
    found = drawn(**bursts, arrivals="weibull(2)")
    gaps = np.diff(found.requests.arrival_s)
    assert float(np.std(gaps) / np.mean(gaps)) == pytest.approx(2, rel=0.15)
    calm, wild = (ask(bursts | {"arrivals": one}).data for one in ("poisson", {"weibull_cv": 2}))
    assert wild["latency_ms"]["e2e"]["p99"] > calm["latency_ms"]["e2e"]["p99"]


# Days


def test_a_day_comes_in_stretches_of_its_own():
    day = {"peak_over_mean": 3, "period_s": 2400, "peak_at_s": 1200}
    found = ask(LENGTHS | {"request_rate": 2, "diurnal": day})
    stages = found.data["stages"]
    assert len(stages) == 24
    assert [row["start_s"] for row in stages[:3]] == [0, 100, 200]
    assert sum(row["requests"] for row in stages) == found.data["requests"]["sent"]
    assert found.data["requests"]["sent"] == pytest.approx(4800, rel=0.06)
    rates = [row["rate"] for row in stages]
    assert rates == pytest.approx(rates[::-1])
    assert max(rates) == pytest.approx(6, rel=0.03)
    sent = np.array([row["requests"] for row in stages]) / 100
    assert float(np.max(np.abs(sent - rates))) < 4 * math.sqrt(6 / 100)
    assert found.data["queueing"] is None
    assert [column.heading for column in found.tables[1].columns][:2] == ["from", "requests/s"]
    assert found.data["knee"]["load"] == pytest.approx(6 / found.data["knee"]["requests_per_s"])


def test_a_day_ends_where_it_is_told():
    work = LENGTHS | {"request_rate": 2, "diurnal": {"load_by_hour": [1.0] * 24}}
    assert float(drawn(**work, duration_s=600).requests.arrival_s[-1]) <= 600
    few = drawn(**work, requests=300)
    assert len(few.requests) == 300
    assert few.stages[-1].start_s + few.stages[-1].duration_s == pytest.approx(150)


def test_a_trace_on_a_day_keeps_its_requests(tmp_path: Path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i / 4},{100 + i},{10 + i % 7}\n" for i in range(80))
    path.write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    day = {"trace": str(path), "request_rate": 1, "diurnal": {"peak_over_mean": 2, "period_s": 300}}
    found = ask(day | {"arrivals": "poisson"}).data
    assert found["requests"]["sent"] == pytest.approx(300, rel=0.2)
    with pytest.raises(InputError, match="has times of its own; give arrivals other than trace"):
        ask(day)


def test_a_day_of_too_many_periods():
    day = {"peak_over_mean": 2, "period_s": 60}
    with pytest.raises(InputError, match=r"workload.diurnal: duration_s=1e\+06 must be above 0 and at most 4,000"):
        drawn(**LENGTHS, request_rate=0.001, diurnal=day, duration_s=1_000_000)
    with pytest.raises(InputError, match="asks for about 864,000,000 requests"):
        drawn(**LENGTHS, request_rate=10_000, diurnal={"peak_over_mean": 2})


# Conversations


def test_conversations_stay_where_their_cache_is():
    work = {"output_tokens": 100, "request_rate": 10, "sessions": CHAT, "prefix": {"shared_tokens": 320}}
    sticky, spread = (
        ask(work, {"replicas": 4, "router": router}, slo={"ttft_p99_ms": 500}) for router in ("session", "round_robin")
    )
    mean = sticky.data["sessions"]
    assert (mean["turns"], mean["prompt_tokens"], mean["cached_tokens"]) == (5, 970, 820)
    # whole blocks only, and the first requests find nothing
    assert mean["cached_share"] - 0.03 < sticky.data["kv"]["prefix_hit_share"] < mean["cached_share"]
    assert spread.data["kv"]["prefix_hit_share"] < 0.75 * sticky.data["kv"]["prefix_hit_share"]
    assert sticky.data["latency_ms"]["ttft"]["mean"] < spread.data["latency_ms"]["ttft"]["mean"]
    assert "Conversations of 5 turns: a mean prompt of 970 tokens, 85 % of them sent before" in sticky.summary
    assert sticky.data["throughput"]["requests_per_s"] == pytest.approx(10, rel=0.05)


def test_without_a_cache_every_turn_is_read_anew():
    work = {"output_tokens": 100, "request_rate": 4, "sessions": CHAT, "requests": 500}
    cold = ask(work, {"engine": {"prefix_caching": False}}).data
    assert cold["kv"]["prefix_hit_share"] == 0
    assert ask(work).data["latency_ms"]["ttft"]["mean"] < cold["latency_ms"]["ttft"]["mean"]


def test_turns_come_at_the_rate_that_is_asked_for():
    found = drawn(output_tokens=100, request_rate=10, sessions=CHAT | {"turns": {"mean": 5, "cv": 1}})
    first = np.asarray(found.requests.after) < 0
    think = np.asarray(found.requests.think_s)[~first]
    assert float(np.mean(think)) == pytest.approx(20, rel=0.05)
    starts = found.requests.arrival_s[first]
    assert 5 * starts.size / float(starts[-1]) == pytest.approx(10, rel=0.1)
    assert 3000 < int(found.kept.sum()) < len(found.requests)
    assert len(drawn(output_tokens=100, request_rate=10, sessions=CHAT, requests=1000).requests) == 1000


def test_conversations_in_stages_and_days():
    staged = drawn(output_tokens=100, sessions=CHAT, stages=[[2, 500], [8, 500]])
    assert staged.requests.stage is not None
    counts = np.bincount(staged.requests.stage)
    assert counts[1] > 2.5 * counts[0]
    day = {"peak_over_mean": 2, "period_s": 3600}
    swinging = drawn(output_tokens=100, request_rate=2, sessions=CHAT, diurnal=day)
    assert len(swinging.requests) == pytest.approx(7200, rel=0.1)


def test_a_run_that_is_short_for_its_conversations_says_so():
    work = {"output_tokens": 100, "request_rate": 10, "sessions": CHAT, "duration_s": 60}
    assert any("rises to request_rate only slowly" in line for line in drawn(**work).notes)
    assert drawn(**work | {"duration_s": 20_000, "request_rate": 1}).notes == ()
    assert drawn(**{key: work[key] for key in work if key != "duration_s"}).notes == ()


@pytest.mark.parametrize("load", [{}, {"concurrency": 8}])
def test_conversations_need_a_rate(load: dict[str, Any]):
    with pytest.raises(InputError, match=r"sessions come at a rate; give workload.request_rate"):
        drawn(output_tokens=100, sessions=CHAT, **load)


# Lengths


def test_measured_lengths_are_drawn_apart_or_in_pairs():
    lists = {"input_tokens": [100, 2000, 300], "output_tokens": [50, 10, 400], "request_rate": 5, "requests": 3000}
    apart, joint = (drawn(**lists, joint_lengths=one).requests for one in (False, True))
    pairs = [set(zip(one.input_tokens.tolist(), one.output_tokens.tolist(), strict=True)) for one in (apart, joint)]
    assert len(pairs[0]) == 9
    assert pairs[1] == {(100, 50), (2000, 10), (300, 400)}
    assert float(np.mean(joint.input_tokens)) == pytest.approx(800, rel=0.05)


@pytest.mark.parametrize("correlation", [-0.8, 0.3])
def test_lengths_that_belong_together(correlation: float):
    lengths = {"input_tokens": {"mean": 500, "cv": 1}, "output_tokens": {"mean": 200, "sd": 40}}
    found = drawn(**lengths, length_correlation=correlation, request_rate=5, requests=20_000).requests
    ranks = rank_correlation(found.input_tokens.astype(float), found.output_tokens.astype(float))
    assert 2 * math.sin(math.pi * ranks / 6) == pytest.approx(correlation, abs=0.03)
    assert float(np.mean(found.input_tokens)) == pytest.approx(500, rel=0.03)
    assert float(np.std(found.output_tokens)) == pytest.approx(40, rel=0.03)


def test_tenants_correlate_each_for_itself():
    tenants = [{"name": "a"}, {"name": "b", "output_tokens": {"mean": 800, "cv": 0.5}}]
    lengths = {"input_tokens": {"mean": 500, "cv": 1}, "output_tokens": {"mean": 200, "cv": 0.5}}
    found = drawn(**lengths, length_correlation=0.9, request_rate=5, requests=8000, tenants=tenants).requests
    for group, mean in ((0, 200), (1, 800)):
        mine = np.asarray(found.tenant) == group
        assert float(np.mean(found.output_tokens[mine])) == pytest.approx(mean, rel=0.05)
        assert rank_correlation(found.input_tokens[mine].astype(float), found.output_tokens[mine].astype(float)) > 0.8


@pytest.mark.parametrize("work", [
    LENGTHS | {"request_rate": 5, "requests": 200, "arrivals": "weibull(3)"},
    LENGTHS | {"request_rate": 1, "diurnal": {"peak_over_mean": 4, "period_s": 200}},
    {"output_tokens": {"mean": 50, "cv": 1}, "request_rate": 5, "requests": 200, "sessions": CHAT},
    {"input_tokens": [9, 90], "output_tokens": [7, 70], "joint_lengths": True, "request_rate": 5, "requests": 200},
])  # fmt: skip
def test_equal_seeds_repeat(work: dict[str, Any]):
    one, other, third = (ask(work | {"seed": seed}).to_dict() for seed in (1, 1, 2))
    assert one == other
    assert one["latency_ms"] != third["latency_ms"]


# By formula


def test_one_place_waits_as_pollaczek_and_khinchine_say():
    work = {"input_tokens": 500, "output_tokens": {"mean": 100, "cv": 1}, "request_rate": 0.7, "requests": 40_000}
    found = ask(work, {"engine": {"max_sequences": 1}})
    waits = found.data["queueing"]["wait_ms"]
    assert waits["formula"] == pytest.approx(waits["simulated"], rel=0.07)
    assert waits["place"] < waits["at_most"]
    assert found.data["utilization"]["batch_peak"] == 1
    assert "for the only place" in found.summary
    assert "Kingman's bound" in found.summary


def test_the_formula_is_near_where_its_assumptions_hold():
    work = {"input_tokens": 500, "output_tokens": {"mean": 150, "cv": 1}, "request_rate": 5, "requests": 20_000}
    row = ask(work, TIGHT).data["queueing"]
    assert (row["queues"], row["places"]) == (1, 8)
    assert row["utilization"] == pytest.approx(row["places_wanted"] / 8)
    assert row["wait_ms"]["formula"] == pytest.approx(row["wait_ms"]["simulated"], rel=0.25)
    parts = sum(row["wait_ms"][part] for part in ("step", "prompts", "place"))
    assert row["wait_ms"]["formula"] == pytest.approx(parts)
    assert row["relative_error"] == pytest.approx(parts / row["wait_ms"]["simulated"] - 1)


def test_one_queue_waits_less_than_several():
    work = {"input_tokens": 500, "output_tokens": {"mean": 150, "cv": 1}, "request_rate": 22, "requests": 6000}
    found = ask(work, TIGHT | {"replicas": 4}, slo={"ttft_p99_ms": 500})
    apart, together = found.data["queueing"]["pooling"]
    assert (apart["queues"], apart["places"], together["queues"], together["places"]) == (4, 8, 1, 32)
    assert apart["utilization"] == pytest.approx(together["utilization"])
    for key in ("waiting_share", "beyond_target_share", "wait_ms", "p99_ms", "places_needed"):
        assert together[key] < apart[key]
    titles = [table.title for table in found.tables]
    assert "A queue for each replica, or one for all" in titles
    even = ask(work, TIGHT | {"replicas": 4, "router": "least_loaded"}).data["queueing"]
    assert (even["queues"], even["places"]) == (1, 32)
    assert ask(work | {"request_rate": 4}, TIGHT).data["queueing"]["pooling"] == []


def test_a_cap_on_answers_shortens_the_wait():
    work = {"input_tokens": 500, "output_tokens": {"mean": 150, "cv": 1.5}, "request_rate": 6, "requests": 8000}
    found = ask(work, TIGHT)
    caps = found.data["queueing"]["output_caps"]
    rows = caps["rows"]
    assert [row["cut_share"] for row in rows] == [0, 0.01, 0.02, 0.05, 0.1]
    assert rows[0]["cap_tokens"] == math.inf
    for key in ("cap_tokens", "wait_ms", "utilization"):
        values = [row[key] for row in rows]
        assert values == sorted(values, reverse=True)
    assert rows[0]["wait_ms"] == pytest.approx(found.data["queueing"]["wait_ms"]["place"], rel=0.05)
    assert caps["target_wait_ms"] == pytest.approx(rows[0]["wait_ms"] / 2)
    for row in rows:
        assert (caps["largest_cap_tokens"] < row["cap_tokens"]) == (row["wait_ms"] > caps["target_wait_ms"])
    assert f"Answers cut at {caps['largest_cap_tokens']:,.0f} tokens" in found.summary
    assert found.to_dict()["queueing"]["output_caps"]["rows"][0]["cap_tokens"] is None
    alike = ask(work | {"output_tokens": 150}, TIGHT).data["queueing"]
    assert alike["output_caps"] is None


def test_more_than_there_are_places_for_has_no_end():
    work = {"input_tokens": 500, "output_tokens": {"mean": 150, "cv": 1}, "request_rate": 30, "requests": 2000}
    found = ask(work, TIGHT)
    assert found.data["queueing"]["wait_ms"]["formula"] == math.inf
    assert "By formula the queue has no end" in found.summary
    assert found.to_dict()["queueing"]["wait_ms"]["formula"] is None


@pytest.mark.parametrize(("work", "deployment"), [
    ({"concurrency": 8, "requests": 400}, {}),
    ({"arrivals": "at_once", "requests": 200}, {}),
    ({"stages": [[2, 60], [4, 60]]}, {}),
    ({"request_rate": 5, "requests": 50}, {}),
    ({"request_rate": 5, "requests": 400}, {"replicas": 2, "failures": [{"replica": 0, "at_s": 10, "down_s": 5}]}),
    ({"request_rate": 5, "requests": 400}, {"autoscale": {"min": 1, "max": 2, "target": 4, "boot_s": 5}}),
])  # fmt: skip
def test_formulas_are_silent_where_they_do_not_hold(work: dict[str, Any], deployment: dict[str, Any]):
    found = ask(LENGTHS | work, deployment)
    assert found.data["queueing"] is None
    assert "By formula" not in found.summary


# One place


def test_a_replica_with_one_place_sustains_one_after_another():
    table = affine_table(step_s=0.01)
    curve = load_curve(table, Mix(100, 100, 50), most=1, chunk_tokens=1000, late_steps=1.5)
    assert curve.knee == curve.batch.size - 1
    assert float(curve.rate[-1]) == pytest.approx(1 / 0.5, rel=1e-6)
    assert float(curve.batch[-1]) == 1
    assert np.isinf(curve.wait_s[-1])
    assert float(curve.wait_s[0]) < 0.01


# Traces


def test_a_simulated_trace_says_what_it_holds(tmp_path: Path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i / 4},{100 + i},{10 + i % 7}\n" for i in range(80))
    path.write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    found = ask({"trace": str(path)})
    row = found.data["trace"]
    assert (row["requests"], row["arrivals"]["requests_per_s"], row["arrivals"]["gap_cv"]) == (80, 4.0, 0.0)
    assert row["input_tokens"]["quantiles"]["p50"] == 139.5
    assert any("80 requests" in table.title for table in found.tables)
    assert "trace" not in ask(LENGTHS | {"request_rate": 5, "requests": 200}).data
