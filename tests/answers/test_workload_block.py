"""Workloads as scenarios write them: lengths, arrivals, days and conversations; what a plan makes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.answers.lengths_block import Lengths, distribution_of, longest_of
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import load_of
from costline.answers.workload_block import WorkloadBlock
from costline.errors import InputError
from costline.serving.sessions import session_requests

MODEL: dict[str, Any] = {"id": "llama-3.1-8b"}
LOAD: dict[str, Any] = {"input_tokens": 500, "output_tokens": 100, "request_rate": 4}
CHAT: dict[str, Any] = {"turns": 5, "new_tokens": 100, "think_s": 20}
SESSIONS: dict[str, Any] = {"output_tokens": 200, "request_rate": 4, "sessions": CHAT}


def scenario(**work: Any) -> Scenario:
    return read_scenario(model=MODEL, workload=work)


def workload(**work: Any) -> WorkloadBlock:
    return scenario(**{**LOAD, **work}).workload


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


# Lengths


@pytest.mark.parametrize(("given", "shape", "mean", "cv2"), [
    ({"mean": 300}, "fixed", 300, 0.0),
    ({"mean": 300, "cv": 1.5}, "lognormal", 300, 2.25),
    ({"mean": 300, "sd": 60}, "normal", 300, 0.04),
    ({"mean": 300, "stdev": 60}, "normal", 300, 0.04),
    ({"mean": 300, "sd": 600, "distribution": "lognormal"}, "lognormal", 300, 4.0),
    ({"mean": 300, "cv": 0.2, "distribution": "normal"}, "normal", 300, 0.04),
    # 300 + 1.645 sd = 398.69: sd 60
    ({"mean": 300, "p95": 398.69121581, "distribution": "normal"}, "normal", 300, 0.04),
    ([100, 200, 600], "empirical", 300, 14 / 27),
    ({"empirical": [100, 200, 600]}, "empirical", 300, 14 / 27),
    ({"samples": (100, 200, 600)}, "empirical", 300, 14 / 27),
])  # fmt: skip
def test_ways_to_say_how_long(given: Any, shape: str, mean: float, cv2: float):
    asked = workload(input_tokens=given, output_tokens=given)
    lengths = asked.output_tokens
    assert isinstance(lengths, Lengths)
    assert (lengths.shape, asked.input_mean, asked.output_mean) == (shape, mean, mean)
    assert asked.output_cv2 == pytest.approx(cv2, rel=1e-6)
    drawn = distribution_of(lengths).draw(200_000, rng())
    assert float(np.mean(drawn)) == pytest.approx(mean, rel=0.02)
    assert float(np.var(drawn)) / mean**2 == pytest.approx(cv2, rel=0.1)


def test_a_p95_is_the_log_normal_that_it_was():
    lengths = workload(input_tokens={"mean": 1000, "p95": 2500}).input_tokens
    assert isinstance(lengths, Lengths)
    drawn = distribution_of(lengths).draw(100_000, rng())
    assert float(np.quantile(drawn, 0.95)) == pytest.approx(2500, rel=0.02)
    assert lengths.cv2 == lengths.lognormal_cv2


@given(st.floats(1, 1e4), st.floats(0, 3))
def test_lengths_survive_their_dump(mean: float, cv: float):
    asked = scenario(**LOAD | {"input_tokens": {"mean": mean, "cv": cv}, "output_tokens": [mean, 2 * mean]})
    assert read_scenario(asked.model_dump()) == asked
    assert Scenario.model_validate_json(asked.model_dump_json()) == asked


def test_the_longest_are_exceeded_by_one_in_a_thousand():
    for block in ({"mean": 300, "cv": 1}, {"mean": 300, "sd": 60}, {"mean": 300, "p95": 700}):
        lengths = workload(input_tokens=block).input_tokens
        drawn = distribution_of(lengths).draw(400_000, rng())
        assert float(np.mean(drawn > longest_of(lengths))) == pytest.approx(1e-3, rel=0.15)
    assert workload(input_tokens=[5, 900, 7]).longest_tokens == 1000


# Arrivals


@pytest.mark.parametrize("given", [
    "weibull(2)", "Weibull( cv=2 )", {"weibull_cv": 2}, {"weibull": 2}, {"weibull": {"cv": 2}},
    {"cv": 2, "gaps": "weibull"},
])  # fmt: skip
def test_weibull_gaps(given: Any):
    asked = scenario(**LOAD, arrivals=given)
    assert asked.workload.arrivals.model_dump() == {"cv": 2.0, "gaps": "weibull"}  # type: ignore[union-attr]
    assert load_of(asked).arrival_cv2 == 4.0


@pytest.mark.parametrize("given", ["gamma(2)", {"gamma_cv": 2}, {"gamma": 2}, {"gamma": {"cv": 2}}, {"cv": 2}])
def test_gamma_gaps_as_before(given: Any):
    assert workload(arrivals=given).arrivals.model_dump() == {"cv": 2.0, "gaps": "gamma"}  # type: ignore[union-attr]


# Days


def test_a_plan_is_sized_for_the_peak_of_the_day():
    assert workload(diurnal={"peak_over_mean": 2.5}).peak_request_rate == 10.0
    assert workload(diurnal={"peak_to_mean": 2.5}).peak_request_rate == 10.0
    hours = [1.0] * 23 + [25.0]  # mean 2
    assert workload(diurnal={"load_by_hour": hours}).peak_request_rate == 50.0
    assert workload().peak_request_rate == 4.0


@pytest.mark.parametrize("block", [
    {"peak_over_mean": 1.7}, {"peak_over_mean": 6, "period_s": 3600, "peak_at_s": 900},
    {"load_by_hour": [*range(24)]}, {"load_by_hour": [*range(168)]},
])  # fmt: skip
def test_a_period_has_its_mean(block: dict[str, Any]):
    day = workload(diurnal=block).diurnal
    assert day is not None
    load = day.load(3.0, day.length_s)
    assert load.requests == pytest.approx(3.0 * day.length_s, rel=1e-6)
    rates = load.mean_rates(load.times_s)
    assert float(np.max(rates)) == pytest.approx(3.0 * day.peak, rel=0.01)


def test_a_day_begins_where_it_is_told():
    hours = [float(hour) for hour in range(24)]
    day = workload(diurnal={"load_by_hour": hours, "start_s": 5 * 3600}).diurnal
    assert day is not None
    assert day.load(1.0, 3600.0).requests == pytest.approx(3600 * 5 / 11.5)
    swing = workload(diurnal={"peak_over_mean": 2, "peak_at_s": 100, "period_s": 200, "start_s": 100}).diurnal
    assert swing is not None
    assert swing.load(1.0, 1.0).requests == pytest.approx(2.0, rel=1e-3)


# Conversations


def test_prompts_follow_from_conversations():
    # five turns of 100 in and 200 out: 0, 300, 600, 900, 1200 tokens before; after a start of 50
    asked = scenario(**SESSIONS, prefix={"shared_tokens": 50})
    work, load = asked.workload, load_of(asked)
    assert (work.input_mean, work.prefix.cached_tokens) == (750.0, 650.0)
    assert (load.input_tokens, load.cached_tokens, load.new_tokens) == (750.0, 650.0, 100.0)
    assert work.longest_tokens == 50 + 4 * 300 + 300


@pytest.mark.parametrize("more", [
    {}, {"turns": {"mean": 4, "cv": 1}}, {"turns": [1, 2, 9]}, {"new_tokens": {"mean": 80, "p95": 200}},
    {"turns": {"mean": 6, "cv": 0.8}, "max_context_tokens": 900},
])  # fmt: skip
def test_the_mean_turn_is_that_of_drawn_conversations(more: dict[str, Any]):
    from costline.answers.sessions_block import shape_of

    work = scenario(output_tokens={"mean": 200, "cv": 0.5}, request_rate=4, sessions=CHAT | more).workload
    assert work.sessions is not None
    found = session_requests(np.zeros(20_000), shape_of(work.sessions, work.output_tokens, 0.0), rng())
    prompts = np.asarray(found.input_tokens)
    known = np.where(np.asarray(found.after) >= 0, np.roll(prompts + np.asarray(found.output_tokens), 1), 0)
    assert work.input_mean == pytest.approx(float(np.mean(prompts)), rel=0.03)
    assert work.prefix.cached_tokens == pytest.approx(float(np.mean(known)), rel=0.04)


def test_conversations_survive_their_dump_and_follow_what_changes():
    asked = scenario(**SESSIONS)
    assert read_scenario(asked.model_dump()) == asked
    assert read_scenario(asked.model_dump(exclude_unset=True)) == asked
    assert Scenario.model_validate_json(asked.model_dump_json()) == asked
    longer = read_scenario(asked.model_dump(), workload={"output_tokens": 400})
    assert (longer.workload.input_mean, longer.workload.prefix.cached_tokens) == (1100.0, 1000.0)


def test_a_question_about_other_prompts_is_answered_with_them():
    asked = scenario(**SESSIONS)
    changed = {"input_tokens": 300.0, "prefix": {"cached_tokens": 150.0}}
    other = read_scenario(asked.model_dump(), workload=changed)
    assert (other.workload.input_mean, other.workload.prefix.cached_tokens) == (300.0, 150.0)


# What makes no sense

NAN = math.nan
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"input_tokens": []}, "workload.input_tokens.empirical=[] must have at least 1 entry"),
    ({"input_tokens": [3, -1]}, "workload.input_tokens.empirical[1]=-1 must be at least 1"),
    ({"input_tokens": [3, NAN]}, "workload.input_tokens.empirical[1]=nan must be a finite number"),
    ({"input_tokens": ["a"]}, "workload.input_tokens.empirical[0]='a' must be a number"),
    ({"input_tokens": [True]}, "must be a number, not yes or no"),
    ({"input_tokens": [1] * 100_001}, "must have at most 100,000 entries"),
    ({"input_tokens": {"empirical": [5], "mean": 3}}, "measured lengths have their own mean and spread"),
    ({"input_tokens": {"empirical": [5], "cv": 1}}, "measured lengths have their own mean and spread"),
    ({"input_tokens": {"cv": 1}}, "workload.input_tokens.mean is missing"),
    ({"input_tokens": {"mean": 9, "cv": -1}}, "workload.input_tokens.cv=-1 must be at least 0"),
    ({"input_tokens": {"mean": 9, "cv": 1, "p95": 30}}, "p95 and cv each give the spread; keep one"),
    ({"input_tokens": {"mean": 9, "sd": 5}}, "sd=5 is too wide for a normal of mean=9"),
    ({"input_tokens": {"mean": 1, "sd": 1000, "distribution": "lognormal"}}, "sd=1000 is more than 100 times mean=1"),
    ({"input_tokens": {"mean": 9, "distribution": "normal"}}, "distribution=normal has no spread; add p95, cv or sd"),
    ({"input_tokens": {"mean": 9, "distribution": "uniform", "cv": 1}}, "must be lognormal or normal"),
    ({"length_correlation": 1.5}, "workload.length_correlation=1.5 must be at most 1"),
    ({"length_correlation": 0.5}, "length_correlation needs prompts and answers that both vary"),
    ({"joint_lengths": True}, "joint_lengths needs two lists of one length, not 0 input_tokens and 0 output_tokens"),
    ({"joint_lengths": True, "input_tokens": [1, 2], "output_tokens": [3]}, "not 2 input_tokens and 1 output_tokens"),
    ({"joint_lengths": True, "length_correlation": 0.1}, "give joint_lengths or length_correlation, not both"),
    ({"joint_lengths": True, "input_tokens": [1], "output_tokens": [3], "prefix": {"distinct_prompts": 2}},
     "leave trace, sessions and distinct_prompts out"),
    ({"joint_lengths": True, "input_tokens": [1], "output_tokens": [3], "tenants": [{"name": "a", "input_tokens": 2}]},
     "leave those of tenants out"),
    ({"arrivals": "weibull(-1)"}, "workload.arrivals.cv='-1' must be at least 0"),
    ({"arrivals": "weibull(x)"}, "workload.arrivals.cv='x' must be a number"),
    ({"arrivals": {"weibull_cv": NAN}}, "workload.arrivals.cv=nan must be a finite number"),
    ({"arrivals": "weibul(2)"}, "must be poisson, constant, at_once, trace or a block with cv, gaps"),
    ({"diurnal": {}}, "give one of peak_over_mean and load_by_hour"),
    ({"diurnal": {"peak_over_mean": 0.9}}, "workload.diurnal.peak_over_mean=0.9 must be at least 1"),
    ({"diurnal": {"peak_over_mean": 25}}, "workload.diurnal.peak_over_mean=25 must be at most 24"),
    ({"diurnal": {"peak_over_mean": 2, "peak_at_s": 86_400}}, "peak_at_s=86400 must be below the period of 86400 s"),
    ({"diurnal": {"peak_over_mean": 2, "period_s": 1}}, "workload.diurnal.period_s=1 must be at least 60"),
    ({"diurnal": {"load_by_hour": [1] * 30}}, "load_by_hour has 30 numbers; give 24 (a day) or 168 (a week)"),
    ({"diurnal": {"load_by_hour": [0] * 24}}, "load_by_hour is 0 at every hour"),
    ({"diurnal": {"load_by_hour": [1] * 24, "period_s": 99}}, "leave period_s and peak_at_s out"),
    ({"diurnal": {"peak_over_mean": 2}, "request_rate": None}, "give request_rate, and arrivals that have one"),
    ({"diurnal": {"peak_over_mean": 2}, "arrivals": "at_once"}, "give request_rate, and arrivals that have one"),
    ({"sessions": CHAT}, "input_tokens follows from the sessions; leave it out"),
)  # fmt: skip
WRONG_SESSIONS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"sessions": {"turns": 5}}, "is missing; add it to the scenario"),
    ({"sessions": CHAT | {"turns": 0}}, "workload.sessions.turns=0 must be at least 1"),
    ({"sessions": CHAT | {"turns": 2.5}}, "turns=2.5 must be a whole number; write {mean: 2.5, cv: 0.5}"),
    ({"sessions": CHAT | {"turns": 1001}}, "turns=1001 must be at most 1,000"),
    ({"sessions": CHAT | {"think_s": -1}}, "workload.sessions.think_s=-1 must be at least 0"),
    ({"sessions": CHAT | {"think_s": NAN}}, "workload.sessions.think_s=nan must be a finite number"),
    ({"sessions": CHAT | {"max_context_tokens": 50}}, "sessions.max_context_tokens=50 leaves no room for one turn"),
    ({"sessions": CHAT | {"turns": 1000, "new_tokens": 1_000_000}}, "sessions grow to a mean prompt of 5"),
    ({"sessions": CHAT | {"turn": 3}}, "unknown key 'workload.sessions.turn'; nearest: turns"),
    ({"prefix": {"cached_tokens": 10}}, "give prefix.shared_tokens alone"),
    ({"prefix": {"distinct_prompts": 10}}, "give prefix.shared_tokens alone"),
    ({"tenants": [{"name": "a"}]}, "sessions make all requests; leave trace and tenants out"),
    ({"trace": "t.csv"}, "sessions make all requests; leave trace and tenants out"),
    ({"isl": 300}, "isl follows from the sessions; leave it out"),
    ({"length_correlation": 0.5}, "leave trace, sessions and distinct_prompts out"),
)


@pytest.mark.parametrize(("work", "words"), WRONG, ids=[words for _, words in WRONG])
def test_workloads_that_make_no_sense(work: dict[str, Any], words: str):
    refused(LOAD | work, words)


@pytest.mark.parametrize(("work", "words"), WRONG_SESSIONS, ids=[words for _, words in WRONG_SESSIONS])
def test_conversations_that_make_no_sense(work: dict[str, Any], words: str):
    refused(SESSIONS | work, words)


def refused(work: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario(**work)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_schema_takes_what_the_scenario_does():
    schema = Scenario.model_json_schema()["$defs"]
    assert schema["WorkloadBlock"]["required"] == ["output_tokens"]
    kinds = [one.get("type") for one in schema["WorkloadBlock"]["properties"]["input_tokens"]["anyOf"]]
    assert {"number", "array"} <= set(kinds)
    words = [one.get("pattern") for one in schema["WorkloadBlock"]["properties"]["arrivals"]["anyOf"]]
    assert any(words)
    assert "mean" not in schema["Lengths"].get("required", [])
