"""simulate: what every scenario may say, what the answer holds, and that it behaves as queues do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costline.answers.scenario import Scenario
from costline.answers.simulate import simulate
from costline.answers.simulate.capacity import least_true
from costline.answers.simulate.knee import Mix, load_curve
from costline.answers.simulate.step_table import Reach, padded_tokens, slower, step_table
from costline.answers.simulate.sweep import combinations
from costline.errors import InfeasibleError, InputError
from costline.serving.step_table import affine_table

SMALL: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b", "weights": "bf16"},
    "system": {"accelerator": "h100-sxm"},
    "workload": {"input_tokens": 500, "output_tokens": 50, "request_rate": 5, "requests": 300},
    "deployment": {"tp": 1, "engine": {"max_batched_tokens": 2048, "max_sequences": 64}},
}

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def asked(**blocks: Any) -> dict[str, Any]:
    """The small scenario with some keys changed."""
    return {name: {**SMALL.get(name, {}), **blocks.get(name, {})} for name in {*SMALL, *blocks}}


def run(**blocks: Any) -> dict[str, Any]:
    return simulate(asked(**blocks), figures=False).to_dict()


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    return run()


def test_the_answer_has_the_keys_that_stay(small: dict[str, Any]):
    for latency in ("ttft", "tpot", "itl", "e2e"):
        row = small["latency_ms"][latency]
        assert 0 < row["p50"] <= row["p90"] <= row["p95"] <= row["p99"]
        assert row["mean"] > 0
    assert {"requests_per_s", "output_tokens_per_s"} <= set(small["throughput"])
    assert {"interval", "knee", "utilization", "kv", "preemptions", "stages", "cost"} <= set(small)
    assert small["cost"]["usd_per_mtok"] > 0


def test_a_request_is_its_first_token_and_the_gaps_after_it(small: dict[str, Any]):
    seen = small["latency_ms"]
    assert seen["e2e"]["mean"] == pytest.approx(seen["ttft"]["mean"] + 49 * seen["itl"]["mean"], rel=1e-9)
    assert seen["itl"] == seen["tpot"]


def test_the_batch_is_what_littles_law_says():
    found = run(workload={"requests": 3000})
    held = found["throughput"]["requests_per_s"] * found["latency_ms"]["e2e"]["mean"] / 1e3
    assert found["utilization"]["in_flight_mean"] == pytest.approx(held, rel=0.02)


def test_equal_seeds_repeat_and_others_do_not(small: dict[str, Any]):
    assert run() == small
    assert run(workload={"seed": 5})["latency_ms"] != small["latency_ms"]


def test_tokens_cost_less_where_more_are_served(small: dict[str, Any]):
    busy = run(workload={"request_rate": 20})
    assert busy["cost"]["usd_per_hour"] == small["cost"]["usd_per_hour"]
    assert busy["cost"]["usd_per_mtok"] < small["cost"]["usd_per_mtok"] / 2


def test_stages_stand_one_by_one():
    stages = [{"rate": 2, "duration_s": 60}, {"rate": 12, "duration_s": 60}]
    found = run(workload={"request_rate": None, "requests": None, "stages": stages})
    slow, fast = found["stages"]
    assert (slow["rate"], fast["rate"]) == (2, 12)
    assert slow["requests"] + fast["requests"] == found["requests"]["sent"]
    assert fast["requests"] == pytest.approx(720, rel=0.15)
    assert fast["latency_ms"]["e2e"]["mean"] > slow["latency_ms"]["e2e"]["mean"]
    assert set(fast["latency_ms"]) >= {"ttft", "tpot", "itl", "e2e"}


THEIR_WORDS = {
    "deployment": {
        "tp": 1, "engine": {"max_num_batched_tokens": 2048, "max_num_seqs": 64, "enable_prefix_caching": True},
    },
    "workload": {"isl": 500, "osl": 50, "stages": [{"request_rate": 5, "duration": 30}]},
}  # fmt: skip


def test_engines_and_benchmarks_own_words_are_taken():
    theirs = simulate({**SMALL, **THEIR_WORDS}, figures=False).to_dict()
    stages = {"stages": [{"rate": 5, "duration_s": 30}], "request_rate": None, "requests": None}
    assert theirs["latency_ms"] == run(workload=stages)["latency_ms"]


def test_stages_may_be_pairs_and_arrivals_calls():
    one = {"request_rate": None, "requests": None, "stages": [[5, 30]], "arrivals": "gamma(0.5)"}
    other = one | {"stages": [{"rate": 5, "duration_s": 30}], "arrivals": {"cv": 0.5}}
    assert run(workload=one)["latency_ms"] == run(workload=other)["latency_ms"]


def test_the_same_setting_twice_is_an_error():
    with pytest.raises(InputError, match="max_num_seqs and max_sequences are the same setting; keep one"):
        run(deployment={"tp": 1, "engine": {"max_num_seqs": 1, "max_sequences": 2}})


def test_prompts_that_repeat_are_found_in_the_cache():
    prefix = {"shared_tokens": 100, "distinct_prompts": 5}
    warm = run(workload={"prefix": prefix})
    cold = run(workload={"prefix": prefix}, deployment={"tp": 1, "engine": {"prefix_caching": False}})
    assert warm["kv"]["prefix_hit_share"] > 0.9
    assert cold["kv"]["prefix_hit_share"] == 0
    assert warm["latency_ms"]["ttft"]["mean"] < cold["latency_ms"]["ttft"]["mean"]


def test_constant_arrivals_wait_less_than_bursts():
    calm = run(workload={"arrivals": "constant", "request_rate": 20})
    wild = run(workload={"arrivals": {"cv": 4}, "request_rate": 20})
    assert calm["latency_ms"]["e2e"]["p99"] < wild["latency_ms"]["e2e"]["p99"]


def test_a_closed_loop_keeps_its_clients_busy():
    found = run(workload={"request_rate": None, "concurrency": 8, "requests": 800})
    assert found["utilization"]["in_flight_mean"] == pytest.approx(8, rel=0.03)
    assert "load" not in found["knee"]


def test_all_at_once_fills_the_batch():
    found = run(workload={"request_rate": None, "arrivals": "at_once", "requests": 200})
    assert found["utilization"]["batch_peak"] == 64
    assert found["utilization"]["waiting_peak"] > 0


def test_tenants_stand_apart():
    tenants = [{"name": "short", "share": 3}, {"name": "long", "share": 1, "output_tokens": 400}]
    short, long = run(workload={"tenants": tenants})["tenants"]
    assert short["requests"] > long["requests"]
    assert long["latency_ms"]["e2e"]["mean"] > 4 * short["latency_ms"]["e2e"]["mean"]


def test_a_trace_is_replayed(tmp_path: Path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{i / 4},{100 + i},{10 + i % 7}\n" for i in range(80))
    path.write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    found = run(workload={"request_rate": None, "requests": None, "trace": str(path)})
    assert found["requests"]["served"] == 80
    assert found["throughput"]["requests_per_s"] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("named", [{"trace": "t.csv"}, {"input_tokens": {"trace": "t.csv"}}])
def test_a_trace_says_how_long_requests_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, Any]):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i / 4},{100 + i},{10 + i % 7}\n" for i in range(80))
    (tmp_path / "t.csv").write_text("arrival_s,input_tokens,output_tokens\n" + rows, encoding="utf-8")
    found = simulate({**SMALL, "workload": named}, figures=False).to_dict()
    assert found["scenario"]["workload"]["input_tokens"] == pytest.approx(139.5)
    assert found["requests"]["served"] == 80


def test_a_list_makes_a_table_of_runs_and_the_smallest_that_fits_is_named():
    load = {"request_rate": 120, "requests": 2000}
    answer = simulate(asked(deployment={"tp": 1, "replicas": [1, 2, 4]}, workload=load, slo={"ttft_p99_ms": 200}))
    runs = answer.to_dict()["runs"]
    assert [row["settings"] for row in runs] == [{"deployment.replicas": count} for count in (1, 2, 4)]
    p99 = [row["latency_ms"]["ttft"]["p99"] for row in runs]
    assert p99 == sorted(p99, reverse=True)
    least = next(row["settings"]["deployment.replicas"] for row in runs if row["slo"]["met"])
    assert f"replicas {least}" in answer.summary
    assert "runs" in answer.charts


def test_settings_multiply():
    found = combinations({"workload": {"request_rate": [1, 2]}, "deployment": {"engine": {"max_sequences": [8, 16]}}})
    assert len(found) == 4
    assert found[3][1] == {"workload": {"request_rate": 2}, "deployment": {"engine": {"max_sequences": 16}}}
    with pytest.raises(InputError, match=r"request_rate=\[\] lists nothing"):
        combinations({"workload": {"request_rate": []}})
    with pytest.raises(InputError, match="make 501 runs"):
        combinations({"workload": {"seed": list(range(501))}})


def test_the_smallest_fleet_meets_the_targets_and_one_less_does_not():
    found = run(workload={"request_rate": 150, "requests": 2500}, slo={"ttft_p99_ms": 150})
    fleet = found["fleet"]
    tried = {row["replicas"]: row["meets"] for row in fleet["tried"]}
    assert tried[fleet["replicas"]]
    assert fleet["replicas"] == 1 or not tried[fleet["replicas"] - 1]


@pytest.mark.parametrize("least", [1, 2, 13, 64])
@pytest.mark.parametrize("start", [1, 5, 64])
def test_the_search_finds_the_least(least: int, start: int):
    assert least_true(lambda count: count >= least, start, 64) == least


def test_near_saturation_the_answer_says_so_and_widens():
    calm, near = run(workload={"requests": 1500}), run(workload={"request_rate": 48, "requests": 6000})
    assert not calm["knee"]["near"]
    assert near["knee"]["near"]
    assert near["knee"]["load"] > 0.8
    assert near["knee"]["amplification"] > 1.5 * calm["knee"]["amplification"]
    assert width(near) > 1.5 * width(calm)
    said = simulate(asked(workload={"request_rate": 48, "requests": 6000}), figures=False).summary
    assert "near saturation" in said or "the queue grows" in said


def width(found: dict[str, Any]) -> float:
    """Relative width of the range of the mean E2E."""
    ends = found["interval"]["latency_ms"]["e2e"]["mean"]
    return ends["p90"] / ends["p10"] - 1


def test_the_range_holds_the_prediction(small: dict[str, Any]):
    for name, row in small["interval"]["latency_ms"].items():
        for key, ends in row.items():
            assert ends["p10"] <= small["latency_ms"][name][key] * (1 + 1e-9)
            assert ends["p90"] >= small["latency_ms"][name][key] * (1 - 1e-9)


def test_the_datasheet_has_no_range():
    assert simulate({**SMALL, "calibration": "none"}, figures=False).data["interval"] == {}


def test_what_does_not_fit_says_why():
    with pytest.raises(InfeasibleError, match=r"leaves no room for one request on 1 × h100-sxm: weights take 141 GB"):
        run(model={"id": "llama-3.1-70b", "weights": "bf16"})


def test_drafts_that_are_kept_make_answers_faster_and_lost_ones_slower():
    plain = run()
    tpot: dict[float, float] = {}
    for acceptance in (0.0, 0.9):
        draft = {"draft": "llama-3.2-1b", "acceptance": acceptance, "acceptance_decay": 1, "max_draft_tokens": 3}
        found = run(deployment={**SMALL["deployment"], "speculation": draft})
        tpot[acceptance] = found["latency_ms"]["tpot"]["mean"]
        assert found["kv"]["capacity_tokens"] < plain["kv"]["capacity_tokens"]
        assert found["deployment"]["speculation"] == "llama-3.2-1b"
    assert tpot[0.9] < plain["latency_ms"]["tpot"]["mean"] < tpot[0.0]


def test_targets_come_with_the_share_of_requests_that_meet_them():
    found = run(slo={"ttft_p99_ms": 1000, "tpot_p99_ms": 0.5})
    assert found["slo"]["attainment"] == {"ttft": 1.0, "tpot": 0.0, "all": 0.0}
    assert found["throughput"]["goodput_requests_per_s"] == 0
    assert not found["slo"]["met"]


def test_a_cut_left_open_is_the_plans_best():
    found = run(deployment={"tp": "auto"}, workload={"request_rate": 5})
    assert found["deployment"]["chosen_by"] == "plan"
    assert run()["deployment"]["chosen_by"] == "scenario"


def test_a_scenario_object_asks_the_same(small: dict[str, Any]):
    assert simulate(Scenario.model_validate(SMALL), figures=False).to_dict()["latency_ms"] == small["latency_ms"]


def test_files_of_an_answer(tmp_path: Path):
    answer = simulate(SMALL, steps=True)
    names = {path.name for path in answer.write(tmp_path)}
    assert {"result.json", "table.csv", "steps.json", "latency_cdf.svg", "load_latency.html", "timeline.svg"} <= names
    events = json.loads((tmp_path / "steps.json").read_text(encoding="utf-8"))["traceEvents"]
    steps = [one for one in events if one["ph"] == "X"]
    assert steps
    assert all(one["dur"] > 0 for one in steps)
    assert [one["ts"] for one in steps] == sorted(one["ts"] for one in steps)


@pytest.mark.parametrize("name", ["simulate-70b", "simulate-fleet", "simulate-pools", "simulate-sessions"])
def test_examples_are_answered(name: str):
    path = EXAMPLES / f"{name}.yml"
    assert path.read_text(encoding="utf-8").startswith("# ")
    answer = simulate(path)
    assert answer.tables
    assert answer.summary
    assert answer.charts


def test_the_command_says_the_same(run_cli: Callable[..., Any], tmp_path: Path):
    done = run_cli("simulate", "examples/simulate-70b.yml", "--json", "--out", tmp_path, "--steps")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["latency_ms"] == simulate(EXAMPLES / "simulate-70b.yml").to_dict()["latency_ms"]
    assert (tmp_path / "steps.json").is_file()


def test_flags_alone_are_a_scenario(run_cli: Callable[..., Any]):
    words = "--model llama-3.1-8b --isl 500 --osl 50 --request-rate 5 --requests 300 --tp 1 --weights bf16"
    limits = "--max-batched-tokens 2048 --max-sequences 64"
    done = run_cli("simulate", *words.split(), *limits.split(), "--json")
    assert json.loads(done.stdout)["latency_ms"] == run()["latency_ms"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--model llama-3.1-70b --isl 500 --osl 50 --tp 1 --weights bf16", "leaves no room for one request"),
        ("--model llama-3.1-8b --isl 500 --osl 50 --tp 1 --trace nowhere.csv", "nowhere.csv"),
        ("--model llama-3.1-8b --isl 500 --osl 50 --tp 1 --arrivals trace", "arrivals=trace needs a trace to replay"),
        ("--model llama-3.1-8b --isl 500 --osl 50 --tp 1 --router nearest", "deployment.router='nearest' must be"),
        ("--model llama-3.1-8b --isl 500 --osl 50 --tp 3", "tp=3"),
    ],
)
def test_faults_are_one_line(run_cli: Callable[..., Any], words: str, said: str):
    done = run_cli("simulate", *words.split(), "--json")
    assert done.returncode in (2, 3)
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_captured_graphs_are_filled_up():
    sizes = padded_tokens(np.array([1.0, 2.0, 3.0, 5.0, 8.0, 9.0, 512.0, 513.0]), 8, 512)
    assert sizes.tolist() == [1, 2, 4, 8, 8, 16, 512, 513]


def test_tables_rise_and_slower_ones_are_slower():
    from costline.answers.read_scenario import read_scenario
    from costline.answers.simulate.replica import the_replica
    from costline.catalog.models import find_model

    replica = the_replica(read_scenario(SMALL), find_model("llama-3.1-8b"))
    table = step_table(replica.engine, replica.where, Reach(2048, 64, 1000))
    assert np.all(np.diff(table.tokens_s[1:]) >= -1e-12)
    assert np.all(np.diff(table.decode_attention_s[1:], axis=1) >= -1e-12)
    assert np.array_equal(slower(table, 2.0).tokens_s, 2 * table.tokens_s)
    assert slower(table, 2.0).request_s == table.request_s


def test_the_load_curve_of_a_plain_table_is_its_formula():
    """Steps of a + b N: rate N / (n (a + b N)), gain b N / (a + b N)."""
    attention_s = 0.0005 * np.arange(65.0)[:, np.newaxis] * np.ones(2)
    table = replace(affine_table(step_s=0.01), decode_attention_s=attention_s)
    curve = load_curve(table, Mix(100, 1, 200), most=64, chunk_tokens=512, late_steps=0.0)
    step = 0.01 + 0.0005 * curve.batch
    assert np.allclose(curve.rate, curve.batch / (200 * step), rtol=1e-3)
    inside = (curve.batch > 3) & (curve.batch < 45)
    assert np.allclose(curve.gain[inside], (0.0005 * curve.batch / step)[inside], atol=0.02)
    assert np.all(np.diff(curve.wait_s) >= 0)


def test_a_replica_with_little_to_do_is_empty_most_of_the_time():
    """Little's law over the requests that a replica works on, where idle times are long."""
    found = simulate(
        model={"id": "llama-3.1-8b"},
        system={"accelerator": "h100-sxm"},
        workload={"input_tokens": 500, "output_tokens": 100, "request_rate": 0.2, "requests": 200},
        deployment={"tp": 1, "replicas": 1},
    ).data
    inside_s = (found["latency_ms"]["e2e"]["mean"] - found["latency_ms"]["queue"]["mean"]) * 1e-3
    expected = found["throughput"]["requests_per_s"] * inside_s
    assert found["utilization"]["batch_mean"] == pytest.approx(expected, rel=0.02)
    assert expected < 0.5
    assert found["kv"]["mean_tokens"] < expected * 700
