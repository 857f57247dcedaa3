"""Workloads as arrays: what is asked for is what is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costline.errors import DomainError, InputError
from costline.serving.arrivals import staged_load
from costline.serving.fleet import Engine, replicas
from costline.serving.lengths import Pairing, fixed, lognormal, normal
from costline.serving.prefixes import block_prefixes, chosen_prefixes, prefix_reuse, repeated_prompts
from costline.serving.requests import Requests
from costline.serving.sessions import SessionShape, mean_turn, said_before, said_before_tokens, session_requests
from costline.serving.simulate import simulate
from costline.serving.step_table import affine_table
from costline.serving.traces import read_trace
from costline.serving.traces.trace import Trace
from costline.serving.workload import Arriving, Sharing, Tenant, lengths_of, requests_of, requests_of_trace, times_of


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def items(requests: Requests, place: int) -> list[tuple[int, int]]:
    assert requests.prefixes is not None
    start, item, tokens = (np.asarray(part) for part in (
        requests.prefixes.start, requests.prefixes.item, requests.prefixes.tokens))  # fmt: skip
    here = slice(start[place], start[place + 1])
    return list(zip(item[here].tolist(), tokens[here].tolist(), strict=True))


# Lengths and arrivals together


def test_a_rate_and_a_count():
    found = requests_of(8192, {"mean": 1000, "p95": 2500}, Arriving(request_rate=20, count=50_000), rng())
    assert len(found) == 50_000
    assert np.unique(found.input_tokens).tolist() == [8192]
    assert float(np.mean(found.output_tokens)) == pytest.approx(1000, rel=0.02)
    assert found.arrival_s[-1] == pytest.approx(2500, rel=0.03)
    assert (found.prefixes, found.tenant, found.stage) == (None, None, None)


def test_a_rate_and_a_duration():
    found = requests_of(10, 10, Arriving("constant", request_rate=4, duration_s=100), rng())
    assert (len(found), found.arrival_s[-1]) == (400, 100)
    both = requests_of(10, 10, Arriving("constant", request_rate=4, duration_s=100, count=1000), rng())
    assert len(both) == 400


def test_stages_are_labelled():
    found = requests_of(10, 10, Arriving("constant", stages=[(8, 60), (20, 60)]), rng())
    assert found.stage is not None
    assert np.bincount(found.stage).tolist() == [480, 1200]
    assert len(requests_of(10, 10, Arriving(stages=[(8, 60), (20, 60)], count=100), rng())) == 100


def test_a_closed_loop_waits_for_places():
    found = requests_of(10, 10, Arriving(concurrency=8, count=100), rng())
    assert np.all(np.isinf(found.arrival_s))
    assert requests_of(10, 10, Arriving("at_once", count=5), rng()).arrival_s.tolist() == [0] * 5


def test_the_same_seed_draws_the_same():
    one, other = (
        requests_of({"mean": 100, "p95": 200}, 10, Arriving("gamma", 2.0, request_rate=1, count=50), rng(7))
        for _ in range(2)
    )
    assert one.arrival_s.tolist() == other.arrival_s.tolist()
    assert np.asarray(one.input_tokens).tolist() == np.asarray(other.input_tokens).tolist()


def test_a_load_is_followed():
    load = staged_load([(2.0, 50.0), (10.0, 50.0)])
    found = requests_of(10, 10, Arriving("constant", load=load), rng())
    assert (len(found), found.stage) == (600, None)
    assert int(np.sum(found.arrival_s <= 50)) == 100
    assert len(requests_of(10, 10, Arriving(load=load, count=30), rng())) == 30


def test_lengths_in_pairs():
    inputs, outputs = np.array([10.0, 20, 30]), np.array([3.0, 2, 1])
    arriving, joint = Arriving(request_rate=1, count=500), Pairing(joint=True)
    found = requests_of(inputs, outputs, arriving, rng(), pairing=joint)
    assert np.all(np.asarray(found.input_tokens) == 40 - 10 * np.asarray(found.output_tokens))
    falling = requests_of(inputs, outputs, arriving, rng(), pairing=Pairing(correlation=-1.0))
    assert np.all(np.asarray(falling.input_tokens) == 40 - 10 * np.asarray(falling.output_tokens))
    with pytest.raises(DomainError, match="need as many measured prompts as answers"):
        requests_of(inputs, 5, arriving, rng(), pairing=joint)


def test_tenants_have_their_share_and_lengths():
    tenants = (Tenant(3.0, output_tokens=5), Tenant(1.0, input_tokens={"mean": 200, "sd": 0.0}))
    found = requests_of(10, 20, Arriving(request_rate=1, count=40_000), rng(), tenants=tenants)
    assert found.tenant is not None
    assert float(np.mean(np.asarray(found.tenant) == 0)) == pytest.approx(0.75, abs=0.01)
    first = np.asarray(found.tenant) == 0
    assert np.unique(found.input_tokens[first]).tolist() == [10]
    assert np.unique(found.input_tokens[~first]).tolist() == [200]
    assert (np.unique(found.output_tokens[first]).tolist(), np.unique(found.output_tokens[~first]).tolist()) == (
        [5],
        [20],
    )


# Prefixes


def test_a_common_start_is_one_item():
    found = requests_of(500, 10, Arriving(request_rate=1, count=3), rng(), sharing=Sharing(100, 40))
    assert [items(found, place) for place in range(3)] == [[(0, 96)]] * 3  # six blocks of 16 tokens
    longer = requests_of(50, 10, Arriving(request_rate=1, count=3), rng(), sharing=Sharing(cached_tokens=80))
    assert np.asarray(longer.input_tokens).tolist() == [81] * 3


def test_prompts_come_again_with_their_length():
    sharing = Sharing(shared_tokens=100, distinct_prompts=45)
    found = requests_of({"mean": 600, "p95": 900}, 10, Arriving(request_rate=1, count=5000), rng(), sharing=sharing)
    prompts = {items(found, place)[1][0]: int(found.input_tokens[place]) for place in range(5000)}
    assert len(prompts) == 45
    for place in range(200):
        (start, shared), (prompt, rest) = items(found, place)
        assert (start, shared, shared + rest) == (0, 96, prompts[prompt])
    assert found.prefixes is not None
    reuse = prefix_reuse(found.prefixes)
    cold = sum(prompts.values()) - 44 * 96
    assert float(np.sum(reuse.cached_tokens)) == np.sum(found.input_tokens) - cold
    assert (reuse.distinct_items, reuse.items) == (46, 10_000)


def test_tenants_repeat_prompts_of_their_own():
    tenants = (Tenant(1.0, input_tokens=300), Tenant(1.0, input_tokens=900))
    found = requests_of(10, 10, Arriving(request_rate=1, count=2000), rng(), tenants=tenants, sharing=Sharing(0, 0, 5))
    seen = {(int(found.input_tokens[place]), *items(found, place)) for place in range(2000)}
    assert sorted((tokens, item[1]) for tokens, item in seen) == [(300, 300)] * 5 + [(900, 900)] * 5
    assert len({item[0] for _, item in seen}) == 10


def test_reuse_stops_at_the_first_new_block():
    start, hashes = np.array([0, 3, 6, 9, 9]), np.array([1, 2, 3, 1, 9, 3, 1, 2, 4])
    prefixes = block_prefixes(start, hashes, np.array([1100.0, 1400.0, 1536.0, 5.0]), hash_tokens=512)
    assert np.asarray(prefixes.tokens).tolist() == [512, 512, 76, 512, 512, 376, 512, 512, 512]
    reuse = prefix_reuse(prefixes)
    assert reuse.cached_tokens.tolist() == [0, 512, 1024, 0]
    assert reuse.seen_tokens == 512 + 376 + 512 + 512
    assert reuse.seen_share == pytest.approx(reuse.seen_tokens / (1100 + 1400 + 1536))
    some = chosen_prefixes(prefixes, np.array([2, 0]))
    assert np.asarray(some.start).tolist() == [0, 3, 6]
    assert np.asarray(some.tokens).tolist() == [512, 512, 512, 512, 512, 76]


def test_a_simulated_cache_finds_what_a_cache_that_never_forgets_would():
    table = affine_table(step_s=0.005, token_s=1e-5, sequence_s=1e-5)
    sharing = Sharing(shared_tokens=100, distinct_prompts=5)
    found = requests_of({"mean": 600, "p95": 900}, 20, Arriving(request_rate=0.5, count=200), rng(), sharing=sharing)
    assert found.prefixes is not None
    reuse = prefix_reuse(found.prefixes)
    served = simulate(found, replicas(table, Engine(block_tokens=16)))
    # whole blocks only, and the last token is always computed
    assert np.all(served.cached_tokens <= reuse.cached_tokens)
    assert np.all(served.cached_tokens > reuse.cached_tokens - 2 * 16)


def test_prompts_shorter_than_their_start_are_refused():
    with pytest.raises(DomainError, match="shared_tokens=100 must be >= 0 and less than every prompt; lower it"):
        repeated_prompts(np.array([100.0, 200.0]), np.array([0, 1]), shared_tokens=100)


# Conversations

SHAPE = SessionShape(turns=fixed(3), new_tokens=fixed(50), output_tokens=fixed(20), think_s=4.0, system_tokens=100)


def test_a_turn_sends_what_was_said():
    found = session_requests(np.array([0.0, 7.0]), SHAPE, rng())
    assert np.asarray(found.input_tokens).tolist() == [150, 220, 290] * 2
    assert found.arrival_s.tolist() == [0, np.inf, np.inf, 7, np.inf, np.inf]
    assert np.asarray(found.after).tolist() == [-1, 0, 1, -1, 3, 4]
    assert found.prefixes is not None
    assert np.asarray(found.prefixes.kept_tokens).tolist() == [170, 240, 310] * 2
    assert found.think_s is not None
    assert found.think_s[0] == 0
    assert np.all(found.think_s[[1, 2, 4, 5]] > 0)


def test_the_start_of_all_sessions_is_one_item():
    found = session_requests(np.array([0.0, 7.0]), SHAPE, rng())
    start = (0, 100)
    assert [items(found, place) for place in (0, 2, 3)] == [[start, (1, 50)], [start, (1, 190)], [start, (2, 50)]]
    alone = session_requests(np.array([0.0, 7.0]), replace(SHAPE, system_tokens=0.0), rng())
    assert [items(alone, place) for place in (0, 2, 3)] == [[(0, 50)], [(0, 190)], [(1, 50)]]


def test_a_simulated_cache_finds_what_was_said_and_the_common_start():
    table = affine_table(step_s=0.005, token_s=1e-5, sequence_s=1e-5)
    found = session_requests(np.arange(20.0) * 10, replace(SHAPE, system_tokens=160.0), rng())
    served = simulate(found, replicas(table, Engine(block_tokens=16)))
    first = np.asarray(found.after) < 0
    assert served.cached_tokens[first].tolist() == [0] + [160] * 19
    before = np.roll(np.asarray(found.input_tokens) + np.asarray(found.output_tokens), 1)
    assert served.cached_tokens[~first].tolist() == (before[~first] // 16 * 16).tolist()


def test_what_a_prompt_repeats_on_average():
    grid = said_before_tokens(np.array([1.0, 4.0])[:, None], np.array([0.0, 0.5]), 70.0)
    assert grid.shape == (2, 2)
    assert grid[0, 0] == 0
    for row, turns in enumerate((1.0, 4.0)):
        for column, cv2 in enumerate((0.0, 0.5)):
            assert grid[row, column] == float(said_before_tokens(turns, cv2, 70.0))
    # three turns: none, one and two before
    assert float(said_before_tokens(3.0, 0.0, 70.0)) == pytest.approx((0 + 70 + 140) / 3)


@pytest.mark.parametrize("most_tokens", [np.inf, 300.0])
def test_the_mean_turn_is_that_of_drawn_sessions(most_tokens: float):
    shape = replace(SHAPE, turns=lognormal(4, cv=1.0), new_tokens=lognormal(50, cv=0.5))
    shape = replace(shape, most_context_tokens=most_tokens)
    found, drawn = mean_turn(shape), session_requests(np.zeros(50_000), shape, rng())
    assert found.turns == pytest.approx(len(drawn) / 50_000, rel=0.02)
    assert found.prompt_tokens == pytest.approx(float(np.mean(drawn.input_tokens)), rel=0.02)
    with pytest.raises(DomainError, match="most_context_tokens=9 leaves no room for one turn of 50 new tokens"):
        mean_turn(replace(SHAPE, most_context_tokens=9.0))


def test_sessions_end_at_the_context():
    found = session_requests(np.array([0.0]), replace(SHAPE, most_context_tokens=240), rng())
    assert np.asarray(found.input_tokens).tolist() == [150, 220]


def test_sessions_vary_and_think_as_long_as_asked():
    shape = replace(SHAPE, turns=normal(5, sd=1), new_tokens=lognormal(80, cv=1.0))
    found = session_requests(np.sort(rng().uniform(0, 1e4, 5000)), shape, rng())
    assert found.after is not None
    assert found.think_s is not None
    later = np.asarray(found.after) >= 0
    assert float(np.mean(found.think_s[later])) == pytest.approx(4, rel=0.05)
    assert np.all(np.diff(np.asarray(found.input_tokens))[later[1:]] > 0)
    first = found.arrival_s[~later]
    assert np.all(np.diff(first) >= 0)


def test_said_before_begins_anew():
    session = np.array([4, 4, 4, 9, 9])
    found = said_before(session, np.array([1.0, 2, 3, 4, 5]), np.array([10.0, 20, 30, 40, 50]))
    assert found.tolist() == [0, 11, 33, 0, 44]


def test_sessions_that_make_no_sense():
    with pytest.raises(DomainError, match="think_s=-1 and system_tokens=100 must be >= 0"):
        session_requests(np.array([0.0]), replace(SHAPE, think_s=-1.0), rng())


# Traces


def trace(count: int = 6, **more: Any) -> Trace:
    prefixes = block_prefixes(np.arange(count + 1), np.arange(count) % 2, np.full(count, 16.0), hash_tokens=16)
    tokens = np.arange(count, dtype=np.float64)
    return replace(Trace("t", "azure", 0.0, 2 * tokens, tokens, 100 + tokens, prefixes=prefixes), **more)


def test_a_trace_is_replayed():
    found = requests_of_trace(trace(), Arriving("trace"), rng())
    assert found.arrival_s.tolist() == [0, 2, 4, 6, 8, 10]
    assert np.asarray(found.input_tokens).tolist() == [1, 1, 2, 3, 4, 5]
    assert [items(found, place)[0][0] for place in range(6)] == [0, 1] * 3


def test_a_replay_is_stretched_and_cut():
    faster = requests_of_trace(trace(), Arriving("trace", request_rate=5.0), rng())
    assert faster.arrival_s.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert len(requests_of_trace(trace(), Arriving("trace", count=4), rng())) == 4
    assert len(requests_of_trace(trace(), Arriving("trace", duration_s=4.0), rng())) == 3


def test_a_trace_at_other_times():
    found = requests_of_trace(trace(), Arriving("constant", request_rate=1.0), rng())
    assert found.arrival_s.tolist() == [1, 2, 3, 4, 5, 6]
    assert np.asarray(found.output_tokens).tolist() == [100, 101, 102, 103, 104, 105]
    many = requests_of_trace(trace(), Arriving(request_rate=1.0, count=600), rng())
    pairs = set(zip(np.asarray(many.input_tokens).tolist(), np.asarray(many.output_tokens).tolist(), strict=True))
    assert pairs == {(max(k, 1), 100 + k) for k in range(6)}
    staged = requests_of_trace(trace(), Arriving("constant", stages=[(1, 2), (2, 2)]), rng())
    assert staged.stage is not None
    assert staged.stage.tolist() == [0, 0, 1, 1, 1, 1]


def test_conversations_of_a_file_wait_for_answers(tmp_path: Path):
    path = tmp_path / "chats.json"
    turns = '{"from": "human", "value": "abcdefgh"}, {"from": "gpt", "value": "abcd"}'
    path.write_text(f'[{{"conversations": [{turns}, {turns}]}}, {{"conversations": [{turns}]}}]', encoding="utf-8")
    found = requests_of_trace(read_trace(path), Arriving("constant", request_rate=0.5), rng())
    assert found.arrival_s.tolist() == [2, np.inf, 4]
    assert np.asarray(found.after).tolist() == [-1, 0, -1]
    assert np.asarray(found.input_tokens).tolist() == [2, 2 + 1 + 2, 2]
    short = requests_of_trace(read_trace(path), Arriving("constant", request_rate=0.5, count=2), rng())
    assert np.asarray(short.session).tolist() == [0, 0]


WRONG: tuple[tuple[Any, str], ...] = (
    (lambda: requests_of(1, 1, Arriving("trace"), rng()), "arrivals=trace needs a trace to replay"),
    (lambda: times_of(Arriving("trace"), rng()), "arrivals=trace needs a trace to replay"),
    (lambda: requests_of(1, 1, Arriving(), rng()), "workload has no load; give request_rate, stages, concurrency"),
    (lambda: requests_of(1, 1, Arriving(request_rate=1), rng()), "neither requests nor duration_s; give one"),
    (lambda: requests_of(1, 1, Arriving(concurrency=1), rng()), "concurrency has no end; give workload.requests"),
    (lambda: requests_of(1, 1, Arriving("at_once"), rng()), "arrivals=at_once has no end"),
    (lambda: lengths_of({"mean": 1, "p95": 2, "cv": 1}), "must be mean with one of p95, cv and sd"),
    (lambda: lengths_of({"p95": 2}), "must be mean with one of p95, cv and sd"),
    (lambda: lengths_of({"mean": 1, "p99": 2}), "must be mean with one of p95, cv and sd"),
    (lambda: requests_of_trace(trace(), Arriving("trace", count=7), rng()), "requests=7 is more than the 6 of trace t"),
    (lambda: requests_of_trace(trace(timed=False), Arriving("trace"), rng()), "says not when requests came"),
    (lambda: requests_of_trace(trace(), Arriving("trace", stages=[(1, 1)]), rng()), "has times of its own"),
    (lambda: requests_of_trace(trace(), Arriving("trace", concurrency=2), rng()), "has times of its own"),
    (lambda: requests_of_trace(trace(arrival_s=np.zeros(6)), Arriving("trace", request_rate=1), rng()),
     "nothing to stretch"),
    (lambda: requests_of_trace(trace(timed=False, session=np.arange(6)), Arriving(concurrency=2), rng()),
     "holds conversations; give a request_rate"),
)  # fmt: skip


@pytest.mark.parametrize(("make", "words"), WRONG, ids=[words for _, words in WRONG])
def test_workloads_that_make_no_sense(make: Any, words: str):
    with pytest.raises(InputError) as caught:
        make()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lengths_of_plain_values():
    assert (lengths_of({"mean": 9}).kind, lengths_of({"mean": 9, "p95": None}).kind) == ("fixed", "fixed")
    assert (lengths_of({"mean": 9, "cv": 1}).kind, lengths_of({"mean": 9, "sd": 1}).kind) == ("lognormal", "normal")
    known = lognormal(5, cv=1.0)
    assert lengths_of(known) is known
    assert lengths_of([1, 2, 6]).mean == 3
