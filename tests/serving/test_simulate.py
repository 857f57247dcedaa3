"""The simulator: against formulas of queues, against itself step by step, and what must always hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.errors import InputError
from costline.serving.fleet import Autoscaler, Engine, Failure, Fleet, Pool, Speculation, replicas
from costline.serving.queueing import allen_cunneen_wait_s, erlang_c
from costline.serving.requests import Prefixes, Requests, grouped_prefixes, hashed_prefixes
from costline.serving.simulate import simulate
from costline.serving.step_table import StepTable, affine_table
from costline.serving.timestamps import FAILED, REJECTED, SERVED, TOO_LONG, UNSENT, Timestamps

TABLE = affine_table(step_s=8e-3, token_s=2e-5, context_token_s=5e-8, request_s=5e-3)
TICK_S = 1e-3
TICKS = affine_table(step_s=TICK_S)
"""Every step takes as long, whatever is in it: a request of n output tokens takes n ticks."""


def load(count: int, rate: float, *, seed: int = 0, longest: int = 400) -> Requests:
    rng = np.random.default_rng(seed)
    arrival_s = np.cumsum(rng.exponential(1 / rate, count))
    return Requests(arrival_s, rng.integers(1, longest, count), rng.integers(1, longest, count))


def equal(one: Timestamps, other: Timestamps) -> bool:
    names = ("admitted_s", "first_token_s", "finished_s", "replica", "preemptions", "cached_tokens", "state")
    return all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in names)


def bent_table() -> StepTable:
    """Attention that is not affine in the context, a work of tokens that is not affine in the tokens."""
    contexts = np.array([0.0, 100.0, 300.0, 700.0, 2000.0])
    sequences = np.arange(65.0)[:, np.newaxis]
    return StepTable(
        tokens_s=5e-3 * np.sqrt(1 + np.arange(600) / 40),
        outputs_s=1e-5 * np.arange(65),
        decode_context_tokens=contexts,
        decode_attention_s=1e-4 * sequences**0.8 * np.sqrt(1 + contexts / 200) * (sequences > 0),
        prefill_new_tokens=np.array([0.0, 64.0, 512.0]),
        prefill_context_tokens=np.array([0.0, 512.0, 4096.0]),
        prefill_attention_s=1e-3 * np.array([[0.0, 0.0, 0.0], [0.1, 0.2, 0.8], [1.0, 1.5, 5.0]]),
        step_s=2e-3,
        mixed_s=1e-3,
    )


# Formulas


def exponential_ticks(count: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    return np.maximum(1, np.rint(rng.exponential(mean, count))).astype(np.int64)


@pytest.mark.parametrize(("servers", "load_each", "is_constant"), [
    (1, 0.5, False), (1, 0.7, True), (4, 0.7, False),
])  # fmt: skip
def test_waits_as_the_formulas_say(servers: int, load_each: float, is_constant: bool):
    # M/M/1, M/D/1, M/M/4: one replica with a place a server and steps that last the same.
    rng, count, mean = np.random.default_rng(7), 2_000_000, 1_000
    outputs = np.full(count, mean) if is_constant else exponential_ticks(count, mean, rng)
    service_s = outputs.mean() * TICK_S
    rate = servers * load_each / service_s
    requests = Requests(np.cumsum(rng.exponential(1 / rate, count)), np.ones(count, dtype=np.int64), outputs)
    engine = Engine(max_sequences=servers, async_scheduling=False)
    found = simulate(requests, replicas(TICKS, engine))
    mean_wait_s = np.mean(found.admitted_s - found.arrival_s)
    if servers == 1:
        expected_s = float(allen_cunneen_wait_s(load_each, service_s, service_cv2=0.0 if is_constant else 1.0))
    else:
        expected_s = float(erlang_c(servers, servers * load_each)) * service_s / (servers * (1 - load_each))
    assert mean_wait_s == pytest.approx(expected_s, rel=0.01)
    assert found.replicas.busy_s[0] / found.end_s <= 1


def test_one_request_alone_takes_its_steps():
    requests = Requests(np.array([1.0]), np.array([1000]), np.array([50]))
    table = affine_table(step_s=0.01, token_s=1e-5, context_token_s=1e-6, mixed_s=0.002, request_s=0.003)
    found = simulate(requests, replicas(table, Engine(max_batched_tokens=400, max_sequences=8)))
    prompt_s = 3 * (0.01 + 0.002) + 1000e-5
    # Decode steps read 1000, 1001, … 1048 tokens of cache.
    decode_s = 49 * (0.01 + 1e-5) + 1e-6 * sum(range(1000, 1049))
    assert found.admitted_s[0] == 1.0
    assert found.first_token_s[0] == pytest.approx(1 + prompt_s + 0.003, abs=1e-12)
    assert found.finished_s[0] == pytest.approx(1 + prompt_s + decode_s + 0.003, abs=1e-12)
    assert found.replicas.steps[0] == 52
    assert found.itl_tokens.sum() == 49


@pytest.mark.parametrize(("is_async", "first_s"), [(False, 0.030), (True, 0.040)])
def test_an_asynchronous_scheduler_admits_a_step_later(is_async: bool, first_s: float):
    # A step every 10 ms; the second request comes at 15 ms, while the second step runs.
    requests = Requests(np.array([0.0, 0.015]), np.array([10, 10]), np.array([20, 5]))
    engine = Engine(async_scheduling=is_async)
    found = simulate(requests, replicas(affine_table(step_s=0.01), engine))
    assert found.first_token_s[1] == pytest.approx(first_s)


@pytest.mark.parametrize(("is_async", "steps"), [(True, 2.5), (False, 1.5)])
def test_a_cached_prompt_waits_for_steps(is_async: bool, steps: float):
    # Half a step that runs, one that is scheduled already, one of its own: measured first tokens of cached prompts.
    rng = np.random.default_rng(9)
    requests = Requests(
        np.cumsum(rng.exponential(0.25, 4000)), np.full(4000, 640), np.full(4000, 250),
        grouped_prefixes(rng.integers(0, 40, 4000), np.full(4000, 640)),
    )  # fmt: skip
    table = affine_table(step_s=0.02, request_s=0.006)
    found = simulate(requests, replicas(table, Engine(kv_capacity_tokens=1e5, async_scheduling=is_async)))
    ttft_s = (found.first_token_s - found.arrival_s)[100:]
    assert np.mean(ttft_s) == pytest.approx(steps * 0.02 + 0.006, rel=0.02)
    assert np.percentile(ttft_s, 90) - np.mean(ttft_s) == pytest.approx(0.4 * 0.02, rel=0.1)


# Against itself


@pytest.mark.parametrize("changes", [
    {}, {"kv_capacity_tokens": 4000}, {"async_scheduling": False}, {"batching": "dynamic"}, {"policy": "prefill_first"},
    {"speculation": Speculation((0.8, 0.6))}, {"order": "sjf"}, {"kv_capacity_tokens": 4000, "watermark": 0.05},
    {"speculation": Speculation((0.8, 0.6)), "kv_capacity_tokens": 4000},
])  # fmt: skip
def test_closed_form_runs_equal_single_steps(changes: dict[str, object]):
    table = replace(bent_table(), decode_tokens=3 if "speculation" in changes else 1)
    fleet = replicas(table, Engine(**{"max_sequences": 64, **changes}), 2, "least_loaded")
    requests = load(1000, 12.0)
    fast, single = simulate(requests, fleet), simulate(requests, fleet, fast_forward=False)
    for name in ("admitted_s", "first_token_s", "finished_s"):
        np.testing.assert_allclose(getattr(fast, name), getattr(single, name), atol=1e-6, rtol=0)
    assert np.array_equal(fast.replicas.steps, single.replicas.steps)
    assert fast.preemptions.sum() == single.preemptions.sum()
    assert fast.itl_tokens.sum() == pytest.approx(single.itl_tokens.sum())


def test_replays_by_seed():
    requests = load(2000, 20.0)
    table = replace(TABLE, decode_tokens=3)
    fleet = replicas(table, Engine(speculation=Speculation((0.7, 0.7)), kv_capacity_tokens=20_000), 3, "power_of_two")
    one = simulate(requests, fleet, seed=5)
    assert equal(one, simulate(requests, fleet, seed=5))
    assert not equal(one, simulate(requests, fleet, seed=6))
    # The draws are our own, so they are the same anywhere.
    assert one.replica[:12].tolist() == simulate(requests, fleet, seed=5, fast_forward=False).replica[:12].tolist()


# What always holds

ENGINES = st.builds(
    Engine,
    kv_capacity_tokens=st.sampled_from([1000, 3000, 1e9]),
    max_batched_tokens=st.sampled_from([64, 512, 8192]),
    max_sequences=st.sampled_from([1, 7, 64]),
    chunked_prefill=st.booleans(),
    policy=st.sampled_from(["decode_first", "prefill_first"]),
    batching=st.sampled_from(["continuous", "elastic", "dynamic", "fixed"]),
    async_scheduling=st.booleans(),
    block_tokens=st.sampled_from([1, 16]),
    order=st.sampled_from(["fcfs", "sjf"]),
    speculation=st.sampled_from([None, Speculation((0.9, 0.5)), Speculation((0.9, 0.5), random=False)]),
)
ROUTERS = st.sampled_from(["round_robin", "random", "least_loaded", "power_of_two", "prefix_aware", "session"])


@settings(max_examples=150)
@given(ENGINES, ROUTERS, st.integers(1, 3), st.integers(0, 2**32), st.sampled_from([1.0, 30.0, 1e6]))
def test_nothing_is_lost(engine: Engine, router: str, count: int, seed: int, rate: float):
    rng = np.random.default_rng(seed)
    requests = load(150, rate, seed=seed)
    requests = replace(
        requests,
        prefixes=grouped_prefixes(rng.integers(-1, 9, 150), rng.integers(0, 300, 150)),
        session=rng.integers(0, 20, 150),
        tier=rng.integers(0, 3, 150),
    )
    table = replace(TABLE, decode_tokens=1 if engine.speculation is None else 3)
    found = simulate(requests, replicas(table, engine, count, router), seed=seed, sample_s=0.0)
    assert found.served.all()
    assert found.replicas.output_tokens.sum() == requests.output_tokens.sum()
    assert found.replicas.prompt_tokens.sum() >= (requests.input_tokens - found.cached_tokens).sum()
    assert np.all(found.admitted_s >= requests.arrival_s)
    assert np.all(found.first_token_s > found.admitted_s)
    assert np.all(found.finished_s >= found.first_token_s)
    assert np.all(found.cached_tokens < requests.input_tokens)
    assert np.all(found.replicas.busy_s <= found.end_s * (1 + 1e-9))
    timeline = found.timeline
    assert timeline.kv_blocks.max() * engine.block_tokens <= engine.kv_capacity_tokens
    assert timeline.kv_blocks.min() >= 0
    assert timeline.running.max() <= engine.max_sequences
    if not found.preemptions.any():
        unread = requests.input_tokens - found.cached_tokens
        assert found.replicas.prompt_tokens.sum() == unread.sum()


OUTAGES = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 30), st.floats(0.1, 10)), max_size=6)
SCALERS = st.sampled_from([None, Autoscaler("waiting", 3.0, 1, 2.0, 3.0, 4.0), Autoscaler("in_flight", 5.0, 2, 1.0)])


@settings(max_examples=150)
@given(OUTAGES, st.booleans(), SCALERS, ROUTERS, st.integers(0, 2), st.integers(0, 2**32), st.booleans())
def test_every_request_has_an_end(
    outages: list[tuple[int, float, float]], is_split: bool, scaler: Autoscaler | None, router: str,
    max_retries: int, seed: int, is_closed: bool,
):  # fmt: skip
    engine = Engine(kv_capacity_tokens=3000, max_sequences=8)
    pools = (Pool(TABLE, engine, 5, "both", scaler),)
    if is_split:
        pools = (Pool(TABLE, engine, 2, "prefill"), Pool(TABLE, engine, 3, "decode", scaler))
    ends: dict[int, float] = {}
    failures: list[Failure] = []
    for replica, fail_s, lasts_s in sorted(outages, key=lambda item: item[1]):
        if fail_s > ends.get(replica, -1.0):
            failures.append(Failure(replica, fail_s, fail_s + lasts_s))
            ends[replica] = fail_s + lasts_s
    fleet = Fleet(
        pools, router, transfer_s=0.01, failures=tuple(failures), max_retries=max_retries, retry_s=0.2  # type: ignore[arg-type]
    )  # fmt: skip
    requests = load(200, 10.0, seed=seed)
    found = simulate(requests, fleet, seed=seed, concurrency=20 if is_closed else None, sample_s=0.0)
    assert set(np.unique(found.state).tolist()) <= {SERVED, FAILED}
    assert np.array_equal(np.isfinite(found.finished_s), found.served)
    assert np.all(found.retries[found.state == FAILED] == max_retries + 1)
    assert found.replicas.output_tokens.sum() == requests.output_tokens[found.served].sum()
    assert np.all(found.finished_s[found.served] >= found.first_token_s[found.served])
    assert np.all(found.replicas.on_s <= found.end_s + 1e-9)
    assert found.timeline.kv_blocks.max() * 16 <= 3000
    for failure in failures:
        down = (found.replica == failure.replica) & (found.finished_s > failure.fail_s + TABLE.request_s)
        assert not np.any(down & (found.finished_s < failure.recover_s))


@given(st.integers(0, 2**32), st.booleans())
def test_first_come_is_first_served(seed: int, is_chunked: bool):
    engine = Engine(max_sequences=4, chunked_prefill=is_chunked)
    found = simulate(load(200, 8.0, seed=seed), replicas(TABLE, engine))
    assert np.all(np.diff(found.admitted_s) >= 0)
    assert np.all(np.diff(found.first_token_s) >= 0) or is_chunked


@given(st.integers(0, 2**32), st.floats(1.0, 3.0))
def test_slower_with_more_requests_a_second(seed: int, faster: float):
    requests = load(300, 6.0, seed=seed)
    engine = Engine(max_sequences=8, async_scheduling=False)
    calm = simulate(requests, replicas(TABLE, engine))
    busy = simulate(replace(requests, arrival_s=requests.arrival_s / faster), replicas(TABLE, engine))
    waits_s = [np.mean(found.finished_s - found.arrival_s) for found in (calm, busy)]
    assert waits_s[1] >= waits_s[0] * (1 - 0.01)


@pytest.mark.parametrize("capacity", [2_000, 10_000, 50_000])
def test_cache_is_never_beyond_its_capacity(capacity: int):
    engine = Engine(kv_capacity_tokens=capacity, max_sequences=64)
    rng = np.random.default_rng(1)
    requests = replace(load(600, 30.0), prefixes=grouped_prefixes(rng.integers(0, 40, 600), np.full(600, 120)))
    found = simulate(requests, replicas(TABLE, engine), sample_s=0.0)
    assert found.timeline.kv_blocks.max() <= capacity // 16
    assert found.timeline.kv_blocks.max() > 0.9 * (capacity // 16) or capacity == 50_000
    assert bool(found.preemptions.any()) == (capacity < 50_000)


# Speculation, prefixes, tiers


@pytest.mark.parametrize("is_random", [False, True])
def test_speculation_takes_fewer_steps(is_random: bool):
    requests = Requests(np.zeros(400), np.full(400, 10), np.full(400, 1001))
    engine = Engine(max_sequences=400, speculation=Speculation((0.8, 0.8, 0.8), random=is_random))
    found = simulate(requests, replicas(affine_table(step_s=0.01, decode_tokens=4), engine))
    steps = np.rint((found.finished_s - found.first_token_s) / 0.01)
    expected = 1000 / (1 + 0.8 + 0.64 + 0.512)
    assert steps.mean() == pytest.approx(expected, rel=0.005)
    assert (len(np.unique(steps)) > 1) == is_random


def test_a_shared_start_is_read_once():
    prefixes = grouped_prefixes(np.zeros(20, dtype=int), np.full(20, 992))
    requests = Requests(np.arange(20.0), np.full(20, 1000), np.full(20, 5), prefixes)
    found = simulate(requests, replicas(TABLE, Engine(kv_capacity_tokens=4000)))
    assert found.cached_tokens.tolist() == [0] + 19 * [992]
    cold_s = (found.first_token_s - found.arrival_s)[0]
    assert np.all((found.first_token_s - found.arrival_s)[1:] < 0.5 * cold_s)
    without = simulate(requests, replicas(TABLE, Engine(kv_capacity_tokens=4000, prefix_caching=False)))
    assert without.cached_tokens.sum() == 0


def test_the_longest_unused_prefix_goes_first():
    # Room for three groups of 1,008 tokens: 0, 1, 2, 0 again, 3 drops 1; then 0 hits, 1 does not.
    groups = np.array([0, 1, 2, 0, 3, 0, 1])
    requests = Requests(
        np.arange(7) * 10.0, np.full(7, 1010), np.full(7, 5), grouped_prefixes(groups, np.full(7, 1008))
    )
    found = simulate(requests, replicas(TABLE, Engine(kv_capacity_tokens=3 * 1008 + 32)))
    assert (found.cached_tokens > 0).tolist() == [False, False, False, True, False, True, False]


def test_hashed_blocks_hit_as_far_as_they_are_alike():
    hashes = np.array([1, 2, 3, 1, 2, 9, 1, 2, 3])
    requests = Requests(
        np.arange(3) * 10.0, np.full(3, 1536), np.full(3, 5),
        hashed_prefixes(np.array([0, 3, 6, 9]), hashes, hash_tokens=512),
    )  # fmt: skip
    found = simulate(requests, replicas(TABLE, Engine(kv_capacity_tokens=10_000)))
    assert found.cached_tokens.tolist() == [0, 1024, 1520]


def test_items_need_not_fill_blocks():
    # A system prompt of 100 tokens, then documents of 205: the block between them belongs to the document.
    prefixes = Prefixes(np.array([0, 2, 4, 6]), np.array([0, 1, 0, 2, 0, 1]), np.array([100, 205, 100, 205, 100, 205]))
    requests = Requests(np.arange(3) * 10.0, np.full(3, 400), np.full(3, 5), prefixes)
    found = simulate(requests, replicas(TABLE, Engine(kv_capacity_tokens=10_000)))
    assert found.cached_tokens.tolist() == [0, 96, 304]


def test_a_turn_finds_the_answer_before_it():
    kept = np.array([1100, 2300])
    requests = Requests(
        np.array([0.0, np.nan]), np.array([1000, 1200]), np.array([101, 101]),
        grouped_prefixes(np.array([5, 5]), np.array([992, 1100]), kept), after=np.array([-1, 0]),
        think_s=np.array([0.0, 2.5]),
    )  # fmt: skip
    found = simulate(requests, replicas(TABLE, Engine(kv_capacity_tokens=10_000)))
    assert found.cached_tokens[1] == 1100 // 16 * 16
    assert found.arrival_s[1] == pytest.approx(found.finished_s[0] + 2.5)


def test_short_answers_and_high_tiers_go_first():
    requests = Requests(np.zeros(6), np.full(6, 10), np.array([60, 10, 50, 20, 40, 30]))
    engine = Engine(max_sequences=1, order="sjf")
    found = simulate(requests, replicas(TICKS, engine))
    assert np.argsort(found.finished_s).tolist() == [1, 3, 5, 4, 2, 0]
    tiers = replace(requests, tier=np.array([1, 2, 0, 1, 0, 2]))
    found = simulate(tiers, replicas(TICKS, Engine(max_sequences=1)))
    assert np.argsort(found.finished_s).tolist() == [2, 4, 0, 3, 1, 5]


def test_a_higher_tier_takes_the_place_of_a_lower():
    requests = Requests(np.array([0.0, 0.1]), np.array([10, 10]), np.array([1000, 10]), tier=np.array([1, 0]))
    found = simulate(requests, replicas(TICKS, Engine(max_sequences=1, preempt_lower_tier=True)))
    assert found.finished_s[1] < 0.12 < found.finished_s[0]
    assert found.preemptions.tolist() == [1, 0]
    # Only the cache is computed again: one step more, and those of the other request.
    assert found.finished_s[0] == pytest.approx(1.010, abs=2.5 * TICK_S)


# Fleets


def test_disaggregated_pools_hand_the_cache_over():
    table = affine_table(step_s=0.01)
    fleet = Fleet(
        (Pool(table, Engine(), 2, "prefill"), Pool(table, Engine(), 1, "decode")),
        transfer_s=0.05,
        transfer_token_s=1e-4,
    )
    requests = Requests(np.array([0.0, 0.001]), np.array([100, 100]), np.array([11, 1]))
    found = simulate(requests, fleet)
    assert found.first_token_s.tolist() == [0.01, 0.011]
    assert found.finished_s[0] == pytest.approx(0.01 + 0.05 + 0.01 + 10 * 0.01)
    assert found.prefill_replica.tolist() == [0, 1]
    assert found.replica.tolist() == [2, 1]
    assert found.replicas.prompt_tokens.tolist() == [100, 100, 0]


def test_closed_loop_keeps_its_concurrency():
    requests = replace(load(500, 1.0), arrival_s=np.full(500, np.inf))
    found = simulate(requests, replicas(TABLE, Engine(max_sequences=64)), concurrency=16, sample_s=0.0)
    assert found.served.all()
    assert np.count_nonzero(found.arrival_s == 0) == 16
    times_s = np.linspace(0.1, 0.8 * found.end_s, 50)[:, np.newaxis]
    in_flight = np.sum((found.arrival_s <= times_s) & (found.finished_s > times_s), axis=1)
    assert set(in_flight.tolist()) == {16}


@pytest.mark.parametrize("router", ["round_robin", "random", "least_loaded", "power_of_two", "session"])
def test_routers_share_the_load(router: str):
    requests = replace(load(4000, 40.0), session=np.arange(4000) % 1000)
    found = simulate(requests, replicas(TABLE, Engine(max_sequences=64), 4, router))
    shares = np.bincount(found.replica, minlength=4) / 4000
    assert shares.min() > 0.15
    if router == "session":
        assert all(len(np.unique(found.replica[k::1000])) == 1 for k in range(1000))
    if router == "round_robin":
        assert found.replica[:5].tolist() == [0, 1, 2, 3, 0]


def test_two_choices_are_better_than_one():
    requests = load(6000, 42.0)
    tails_s = {}
    for router in ("random", "power_of_two", "least_loaded"):
        found = simulate(requests, replicas(TABLE, Engine(max_sequences=12), 4, router))
        tails_s[router] = np.percentile(found.first_token_s - found.arrival_s, 99)
    assert tails_s["least_loaded"] < tails_s["power_of_two"] < tails_s["random"]


def test_prefix_aware_routing_finds_more():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 80, 3000)
    requests = replace(load(3000, 20.0), input_tokens=np.full(3000, 1000))
    requests = replace(requests, prefixes=grouped_prefixes(groups, np.full(3000, 960)))
    engine = Engine(kv_capacity_tokens=40_000, max_sequences=32)
    hits = {
        router: simulate(requests, replicas(TABLE, engine, 4, router)).cached_tokens.mean()
        for router in ("round_robin", "prefix_aware")
    }
    assert hits["prefix_aware"] > 1.3 * hits["round_robin"]


def test_a_lost_replica_loses_no_request():
    requests = load(1000, 10.0)
    fleet = replace(
        replicas(TABLE, Engine(), 2), failures=(Failure(0, 20.0, 40.0), Failure(1, 60.0, 61.0)), retry_s=0.1
    )
    found = simulate(requests, fleet)
    assert found.served.all()
    assert 0 < found.retries.sum() < 200
    assert not np.any((found.replica == 0) & (found.finished_s > 20.006) & (found.finished_s < 40.0))
    assert found.replicas.on_s[0] == pytest.approx(found.end_s - 20.0)
    never = replace(fleet, failures=(Failure(0, 20.0), Failure(1, 20.0)))
    lost = simulate(requests, never)
    assert set(np.unique(lost.state)) == {0, UNSENT}
    given_up = simulate(requests, replace(fleet, max_retries=0))
    assert np.count_nonzero(given_up.state == FAILED) == given_up.retries.sum() > 0
    assert np.all(np.isnan(given_up.finished_s[given_up.state == FAILED]))


def test_both_replicas_down_for_a_while():
    fleet = replace(replicas(TABLE, Engine(), 2), failures=(Failure(0, 20.0, 50.0), Failure(1, 20.0, 60.0)))
    found = simulate(load(1000, 10.0), fleet)
    assert found.served.all()
    assert not np.any((found.admitted_s > 20.0) & (found.admitted_s < 50.0))


def test_full_queues_and_long_requests_are_refused():
    requests = Requests(np.zeros(10), np.array(9 * [10] + [5000]), np.full(10, 10))
    engine = Engine(max_sequences=1, max_waiting=4, kv_capacity_tokens=1600)
    found = simulate(requests, replicas(TICKS, engine))
    assert found.state.tolist() == [0, 0, 0, 0] + 5 * [REJECTED] + [TOO_LONG]
    assert np.isnan(found.finished_s[4:]).all()


def test_a_scaled_pool_boots_and_goes():
    scaler = Autoscaler("in_flight", target=10.0, floor=1, interval_s=5.0, boot_s=20.0, hold_s=30.0)
    rng = np.random.default_rng(0)
    arrival_s = np.concatenate([np.cumsum(rng.exponential(0.05, 4000)), [900.0]])
    requests = Requests(arrival_s, np.full(4001, 200), np.full(4001, 200))
    found = simulate(requests, Fleet((Pool(TABLE, Engine(max_sequences=32), 6, autoscaler=scaler),), "least_loaded"))
    assert found.served.all()
    assert found.replicas.boots[0] == 0
    assert found.replicas.boots.sum() > 0
    assert found.replicas.on_s[0] == pytest.approx(found.end_s)
    assert np.all(found.replicas.on_s[1:] < 400.0)
    first_on_others = found.admitted_s[found.replica > 0].min()
    assert first_on_others >= 5.0 + 20.0


# Input


@pytest.mark.parametrize("changes", [
    {"input_tokens": np.array([0, 1])}, {"output_tokens": np.array([1])}, {"arrival_s": np.array([2.0, 1.0])},
    {"after": np.array([1, -1])},
])  # fmt: skip
def test_bad_requests_are_named(changes: dict[str, np.ndarray]):
    good = Requests(np.array([0.0, 1.0]), np.array([1, 1]), np.array([1, 1]))
    with pytest.raises(InputError):
        replace(good, **changes)


def test_bad_settings_are_named():
    requests = load(3, 1.0)
    with pytest.raises(InputError, match="max_batched_tokens"):
        Engine(max_batched_tokens=8, max_sequences=16)
    with pytest.raises(InputError, match="concurrency"):
        simulate(requests, replicas(TABLE, Engine()), concurrency=0)
    with pytest.raises(InputError, match="give times"):
        simulate(replace(requests, arrival_s=np.full(3, np.nan)), replicas(TABLE, Engine()))
    with pytest.raises(InputError, match="replica 5"):
        simulate(requests, replace(replicas(TABLE, Engine()), failures=(Failure(5, 1.0),)))
    with pytest.raises(InputError, match="roles"):
        Fleet((Pool(TABLE, role="prefill"),))


def test_no_requests_take_no_time():
    nothing = Requests(np.zeros(0), np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    assert simulate(nothing, replicas(TABLE, Engine())).end_s == 0
