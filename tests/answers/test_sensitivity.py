"""What each thing is worth: moved alone, plan held fixed and chosen anew, consistent with the search itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import pytest

from costline.answers.answer import Answer
from costline.answers.choices import the_model
from costline.answers.plan import plan
from costline.answers.plan.what_helps import changed
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Lengths, Scenario
from costline.answers.search import ranked, search
from costline.answers.search.candidates import Candidates
from costline.answers.sensitivity import sensitivity
from costline.answers.sensitivity.architecture import architecture
from costline.answers.sensitivity.around import Around, around
from costline.answers.sensitivity.assumptions import assumptions
from costline.answers.sensitivity.what_if import GROUPS, Effect, WhatIf
from costline.architecture.kv_cache import kv_bytes_per_token
from costline.architecture.weights import parameters
from costline.cli.sensitivity import GROUPS as CLI_GROUPS
from costline.errors import InfeasibleError, InputError, UnknownIdError

QUESTION: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b"},
    "system": {"accelerator": ["h100-sxm"], "max_accelerators": 4},
    "workload": {"input_tokens": 1024, "output_tokens": 128, "request_rate": 60},
    "slo": {"ttft_p99_ms": 500, "tpot_p99_ms": 30},
}
OFFLINE: dict[str, Any] = {**QUESTION, "workload": {"input_tokens": 1024, "output_tokens": 128}, "slo": {}}
EXPERTS: dict[str, Any] = {**OFFLINE, "model": {"id": "mixtral-8x7b"}}


@lru_cache(maxsize=4)
def answered(which: str = "rate") -> Answer:
    return sensitivity({"rate": QUESTION, "offline": OFFLINE, "experts": EXPERTS}[which])


def effects(which: str = "rate") -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in answered(which).data["effects"]}


def least_cost(**blocks: Any) -> float:
    asked = read_scenario(QUESTION, **blocks)
    found = search(asked, the_model(asked.model))
    group, row = ranked(found)[0]
    return float(found[group].columns["usd_per_mtok"][row])


# Every effect


def test_every_group_is_there_and_names_are_unique():
    rows = answered("experts").data["effects"]
    assert {row["group"] for row in rows} == set(GROUPS) == set(CLI_GROUPS)
    assert len({row["name"] for row in rows}) == len(rows) > 25


@pytest.mark.parametrize("which", ["rate", "offline", "experts"])
def test_rows_are_ranked_by_swing_and_say_why(which: str):
    rows = answered(which).data["effects"]
    swings = [row["swing"] or 0.0 for row in rows]
    assert swings == sorted(swings, reverse=True)
    assert all(row["words"] for row in rows)


def test_keys_stay():
    ends = {f"{name}_{end}" for name in ("usd_per_mtok", "usd_per_mtok_change", "tpot_s", "ttft_s", "batch", "plan")
            for end in ("low", "high")}  # fmt: skip
    own = {"name", "group", "label", "unit", "base", "low", "high", "fixed", "replanned", "swing", "knee", "words"}
    for row in answered("offline").data["effects"]:
        assert own <= set(row)
        assert ends <= set(row["fixed"])
        assert ends <= set(row["replanned"])


@pytest.mark.parametrize("which", ["rate", "offline", "experts"])
def test_changes_follow_from_values(which: str):
    base = answered(which).data["base"]
    for row in answered(which).data["effects"]:
        known = [base["usd_per_mtok"]]
        for end in ("low", "high"):
            for block in ("fixed", "replanned"):
                for measure in ("usd_per_mtok", "usd_per_mtok_at_capacity", "tpot_s", "ttft_s"):
                    value = row[block][f"{measure}_{end}"]
                    change = row[block][f"{measure}_change_{end}"]
                    assert (value is None) == (change is None), row["name"]
                    if value is not None:
                        assert change == pytest.approx(value / base[measure] - 1), row["name"]
            known += [value for value in [row["replanned"][f"usd_per_mtok_{end}"]] if value is not None]
        assert (row["swing"] or 0.0) == pytest.approx((max(known) - min(known)) / known[0]), row["name"]


@pytest.mark.parametrize("which", ["rate", "offline"])
def test_a_plan_chosen_anew_is_never_dearer_than_one_held_fixed(which: str):
    """Both meet the targets; the search may choose the same plan, as it does not change what it looks at."""
    for row in answered(which).data["effects"]:
        for end in ("low", "high"):
            fixed, again = (row[block][f"usd_per_mtok_{end}"] for block in ("fixed", "replanned"))
            if fixed is not None and row["fixed"][f"missed_{end}"] is None and row["name"] not in ("tp", "batch"):
                assert again is not None
                assert again <= fixed * (1 + 1e-6), (row["name"], end)


def test_the_base_is_the_plan_of_replicas_that_do_everything():
    best = plan(QUESTION, deployment={"disaggregated": False}).data["plans"][0]
    base = answered().data["base"]
    for name in best:
        assert base[name] == best[name], name


# Single effects against the search


def test_pools_and_drafts_are_options_of_the_question():
    draft = {"draft": "eagle", "acceptance": 0.8}
    asked: dict[str, Any] = {**OFFLINE, "deployment": {"speculation": draft}}
    rows = {row["name"]: row for row in sensitivity(asked, groups=["options"]).data["effects"]}
    assert (rows["draft"]["low"], rows["draft"]["high"]) == (pytest.approx(0.7), pytest.approx(0.9))
    costs = [rows["draft"]["replanned"][f"usd_per_mtok_{end}"] for end in ("low", "high")]
    assert costs[0] >= costs[1] > 0
    assert rows["disaggregated"]["replanned"]["usd_per_mtok_high"] > 0
    alone = {**OFFLINE, "deployment": {"disaggregated": False}}
    assert "disaggregated" not in {row["name"] for row in sensitivity(alone, groups=["options"]).data["effects"]}


@pytest.mark.parametrize(("name", "end", "blocks"), [
    ("output_tokens", "high", {"workload": {"output_tokens": 256}}),
    ("request_rate", "low", {"workload": {"request_rate": 30}}),
    ("tpot_p99_ms", "low", {"slo": {"tpot_p99_ms": 15}}),
    ("ttft_p99_ms", "high", {"slo": {"ttft_p99_ms": 1000}}),
    ("arrival_cv", "low", {"workload": {"arrivals": "constant"}}),
    ("kv_fp8", "high", {"model": {"kv_cache": "fp8"}}),
    ("weights_int4", "high", {"model": {"weights": "int4"}}),
])  # fmt: skip
def test_a_plan_chosen_anew_is_that_of_the_changed_question(name: str, end: str, blocks: dict[str, Any]):
    assert effects()[name]["replanned"][f"usd_per_mtok_{end}"] == pytest.approx(least_cost(**blocks), rel=1e-9)


def test_a_price_moves_cost_in_proportion_and_nothing_else():
    row = effects()["accelerator_hour"]
    assert row["replanned"]["usd_per_mtok_change_low"] == pytest.approx(-0.2)
    assert row["fixed"]["usd_per_mtok_change_high"] == pytest.approx(0.2)
    assert row["fixed"]["tpot_s_change_high"] == 0


def test_slower_steps_cost_what_they_take_where_every_place_is_taken():
    """At full load time is all that money buys: the calibrated interval is that of the cost."""
    row = effects("offline")["step_time"]
    for end in ("low", "high"):
        assert row["fixed"][f"usd_per_mtok_change_{end}"] == pytest.approx(row[end] - 1)
        assert row["fixed"][f"tpot_s_change_{end}"] == pytest.approx(row[end] - 1)
        assert row["replanned"][f"usd_per_mtok_change_{end}"] == pytest.approx(row[end] - 1)


def test_slower_steps_are_a_denser_load_under_targets():
    row = effects()["step_time"]
    slower = {
        "workload": {"request_rate": 60 * row["high"]},
        "slo": {"ttft_p99_ms": 500 / row["high"], "tpot_p99_ms": 30 / row["high"]},
    }
    assert row["replanned"]["usd_per_mtok_high"] == pytest.approx(least_cost(**slower) * row["high"], rel=1e-9)


@pytest.mark.parametrize("name", ["memory_bandwidth", "peak_flop"])
def test_more_of_a_rate_never_costs_more(name: str):
    row = effects("offline")[name]
    assert row["fixed"]["usd_per_mtok_change_low"] > 0 > row["fixed"]["usd_per_mtok_change_high"]
    assert row["replanned"]["usd_per_mtok_change_low"] >= 0 >= row["replanned"]["usd_per_mtok_change_high"]


def test_rates_together_are_worth_at_most_what_they_are_raised_by():
    """A fifth more of one resource saves less than a sixth of the cost; of all of them together no more than that."""
    rows = effects("offline")
    saved = [-rows[name]["fixed"]["usd_per_mtok_change_high"] for name in ("memory_bandwidth", "peak_flop")]
    assert all(0 < share < 1 / 6 for share in saved)


def test_a_knee_is_where_another_limit_binds():
    knees = {name: row["knee"] for name, row in effects("offline").items() if row["knee"]}
    assert {"memory_bandwidth", "peak_flop"} <= set(knees)
    assert sum(knee["share"] for knee in knees.values()) <= 1 + 1e-9
    assert any(knee["factor"] and knee["factor"] > 1 for knee in knees.values())


# The model's shape


def test_fewer_kv_heads_and_latent_attention_shrink_the_cache():
    base = around(read_scenario(OFFLINE))
    rows = effects("offline")
    assert (rows["kv_heads"]["low"], rows["kv_heads"]["high"]) == (1, 32)
    now = kv_bytes_per_token(base.model, "bf16")
    found = {effect.name: effect for effect in architecture(base)}

    def cache(what: WhatIf | None) -> float:
        assert what is not None
        assert what.model is not None
        return float(kv_bytes_per_token(what.model(base.model), "bf16"))

    assert cache(found["kv_heads"].low) == now / 8
    assert cache(found["kv_heads"].high) == now * 4
    assert cache(found["attention_mla"].high) == 32 * (512 + 64) * 2
    assert cache(found["layers"].high) == now * 40 / 32
    fixed = rows["kv_heads"]["fixed"]
    assert fixed["usd_per_mtok_change_high"] > 0 > fixed["usd_per_mtok_change_low"]


def test_experts_are_moved_only_where_there_are_some():
    assert not {"experts", "top_k"} & set(effects())
    rows = effects("experts")
    assert (rows["experts"]["low"], rows["experts"]["high"], rows["top_k"]["high"]) == (4, 16, 4)
    again = rows["top_k"]["replanned"]
    assert again["usd_per_mtok_change_high"] > 0 > again["usd_per_mtok_change_low"]


def test_a_range_of_ones_own():
    """64 → 256 experts, each as wide: the weights grow, the work of a token does not."""
    data = sensitivity(EXPERTS, groups=["architecture"], vary={"experts": (4, 32)}).data
    row = next(row for row in data["effects"] if row["name"] == "experts")
    assert (row["low"], row["high"]) == (4, 32)
    assert row["replanned"]["usd_per_mtok_change_high"] > 0
    assert {one["group"] for one in data["effects"]} == {"architecture"}


# Context length: +199 % from 2K to 32K at batch 32 in the serving guide's setting, +709 % at the largest batch
# (tests/published/test_scaling_book_serving.py holds both); here the same law on one device, from its own bytes.


def test_a_longer_context_costs_the_bytes_that_it_adds():
    asked: dict[str, Any] = {
        "model": {"id": "llama-3.1-8b", "weights": "fp8", "kv_cache": "fp8"},
        "system": {"accelerator": ["h200-sxm"], "max_accelerators": 1},
        "workload": {"input_tokens": 2048, "output_tokens": 512, "prefix": {"distinct_prompts": 1}},
        "deployment": {"batch": 32},
        "calibration": "none",
    }
    data = sensitivity(asked, groups=["assumptions"], vary={"input_tokens": (1024, 32_768)}).data
    row = next(row for row in data["effects"] if row["name"] == "input_tokens")
    model = the_model(read_scenario(asked).model)
    counts = parameters(model)
    weights = counts.total - counts.by_component["embedding"]  # one row of it is read for a token
    cache = float(kv_bytes_per_token(model, "fp8"))
    bytes_read = [weights + 32 * cache * (tokens + 256) for tokens in (2048, 32_768)]
    assert row["fixed"]["tpot_s_change_high"] == pytest.approx(bytes_read[1] / bytes_read[0] - 1, rel=0.03)
    assert row["fixed"]["usd_per_mtok_change_high"] == pytest.approx(bytes_read[1] / bytes_read[0] - 1, rel=0.05)


# Questions that cannot be


def test_faults_are_told_in_one_line():
    with pytest.raises(UnknownIdError, match="name to vary 'expert'"):
        sensitivity(QUESTION, vary={"expert": (1, 2)}, groups=["prices"])
    with pytest.raises(InputError, match="no range"):
        sensitivity(QUESTION, vary={"offers": (1, 2)}, groups=["prices"])
    with pytest.raises(InputError, match="swap"):
        sensitivity(QUESTION, vary={"accelerator_hour": (2, 1)}, groups=["prices"])
    with pytest.raises(UnknownIdError, match="group"):
        sensitivity(QUESTION, groups=["price"])
    with pytest.raises(InputError, match="top"):
        sensitivity(QUESTION, top=0)
    with pytest.raises(InputError, match="free"):
        sensitivity(QUESTION, price={"accelerator_usd_per_hour": 0})
    with pytest.raises(InfeasibleError):
        sensitivity(QUESTION, slo={"ttft_p99_ms": 0.01})


def test_an_end_without_a_plan_says_what_excludes_it():
    data = sensitivity(QUESTION, groups=["assumptions"], vary={"ttft_p99_ms": (1, 1000)}).data
    row = next(row for row in data["effects"] if row["name"] == "ttft_p99_ms")
    assert row["no_plan"] == ["low"]
    assert row["replanned"]["usd_per_mtok_low"] is None
    assert "TTFT" in row["words"]


def test_a_change_merges_into_blocks():
    asked = read_scenario(QUESTION)
    other = changed(asked, {"deployment": {"engine": {"max_batched_tokens": 512}}, "workload": {"output_tokens": 7}})
    assert (other.deployment.engine.max_batched_tokens, other.workload.output_tokens) == (512, 7)
    assert other.workload.request_rate == 60


SPREAD: dict[str, Any] = {
    "cv": {"mean": 128, "cv": 0.8},
    "sd": {"mean": 128, "sd": 40},
    "distribution": {"distribution": "lognormal", "mean": 128, "sd": 200},
    "p95": {"mean": 128, "p95": 300},
    "normal p95": {"distribution": "normal", "mean": 128, "p95": 200},
    "measured": [16, 64, 100, 332],
}
P95 = {
    "cv": 317.8514,  # log-normal, σ = √ln 1.64: 128 exp(1.645 σ - σ²/2)
    "sd": 128 + 1.6448536 * 40,
    "p95": 300,
    "normal p95": 200,
}  # fmt: skip


def length_effects(asked: Scenario) -> dict[str, Effect]:
    """Effects of lengths; those of a question with targets need no plan."""
    base = Around(asked, the_model(asked.model), [], cast(Candidates, None), 0)
    wanted = ("input_tokens", "output_tokens", "output_p95_tokens")
    return {effect.name: effect for effect in assumptions(base) if effect.name in wanted}


@pytest.mark.parametrize("kind", SPREAD)
def test_lengths_of_every_kind_can_be_moved(kind: str):
    lengths = SPREAD[kind]
    work = {**QUESTION["workload"], "input_tokens": lengths, "output_tokens": lengths}
    asked = read_scenario(QUESTION, workload=work)
    found = length_effects(asked)
    tail = found.pop("output_p95_tokens")
    for effect in found.values():
        assert effect.at is not None
        other = changed(asked, effect.at(300).blocks).workload
        now, then = (getattr(one, effect.name) for one in (asked.workload, other))
        assert then.mean == pytest.approx(300)
        assert then.shape == now.shape
        assert then.cv2 == pytest.approx(now.cv2)
    assert tail.at is not None
    other = changed(asked, tail.at(350).blocks).workload.output_tokens
    assert isinstance(other, Lengths)
    assert (other.mean, other.p95, other.shape) == (128, 350, "lognormal")
    if kind in P95:
        assert tail.base == pytest.approx(P95[kind], rel=1e-4)
    if kind == "cv":  # moved to where it is, nothing moves
        same = changed(asked, tail.at(float(tail.base)).blocks).workload
        assert same.output_cv2 == pytest.approx(asked.workload.output_cv2)


def test_pairs_of_measured_lengths_can_be_moved():
    work = {"input_tokens": [500, 1500], "output_tokens": [100, 156], "request_rate": 60, "joint_lengths": True}
    asked = read_scenario(QUESTION, workload=work)
    for effect in length_effects(asked).values():
        assert effect.at is not None
        assert changed(asked, effect.at(300).blocks) != asked


# The command


def test_the_command_writes_a_tornado(run_cli: Any, tmp_path: Any):
    done = run_cli(
        "sensitivity", "--model", "llama-3.1-8b", "--accelerator", "h100", "--isl", "1024", "--osl", "128",
        "--group", "prices", "--group", "rates", "--out", tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert {"result.json", "table.csv", "effects.csv", "tornado.svg", "tornado.html"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert "memory bandwidth" in (tmp_path / "tornado.svg").read_text(encoding="utf-8")


def test_a_range_that_is_none_is_a_fault(run_cli: Any):
    done = run_cli("sensitivity", "--model", "llama-3.1-8b", "--isl", "64", "--osl", "8", "--vary", "experts=many")
    assert (done.returncode, done.stdout) == (2, "")
    assert "NAME=LOW,HIGH" in done.stderr
