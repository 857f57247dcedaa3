"""Acceptance examples of the required capabilities, area 5: serving and queueing.

Numbers are computed here from the stated inputs. Where a source document prints another one, the test says so.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from costline.serving.arrivals import arrivals_under_s, diurnal_load, staged_load
from costline.serving.lengths import LengthDistribution, lognormal, lognormal_sigma_of_cv, normal
from costline.serving.metrics import goodput_per_s, meets, time_mean, tpot_s, ttft_s
from costline.serving.paging import capacity_gain, paging_waste
from costline.serving.prefixes import prefix_reuse
from costline.serving.queueing import erlang_c
from costline.serving.queueing_batches import batch_times, bulk_queue
from costline.serving.queueing_lengths import (
    cap_of_clipped_share,
    capped_lognormal_moment,
    capped_wait_s,
    clipped_share,
    largest_cap_tokens,
    pollaczek_khinchine_wait_s,
)
from costline.serving.queueing_little import disagreements, in_flight, step_tokens_per_s
from costline.serving.queueing_pools import erlang_share_beyond, least_servers, pooling
from costline.serving.trace_summary import summary_of
from costline.serving.traces import read_trace
from costline.serving.workload import Arriving, Sharing, requests_of

MEAN, CV, TOKEN_S, RATE = 256.0, 2.0, 0.020, 0.1
SIGMA = lognormal_sigma_of_cv(CV)


def test_cap_5_1_delay_from_the_moments_of_answer_lengths():
    service_s = MEAN * TOKEN_S
    service_s2 = service_s**2 * (1 + CV**2)
    assert RATE * service_s == pytest.approx(0.512)
    expected = RATE * service_s2 / (2 * (1 - RATE * service_s))
    assert expected == pytest.approx(13.43, abs=0.005)
    assert float(pollaczek_khinchine_wait_s(RATE, service_s, service_s2)) == pytest.approx(expected)
    assert float(capped_wait_s(RATE, MEAN, SIGMA, np.inf, TOKEN_S)) == pytest.approx(expected)


def test_cap_5_2_what_a_cap_on_answers_is_worth():
    caps = cap_of_clipped_share(MEAN, SIGMA, np.array([0.01, 0.02, 0.05]))
    assert float(caps[0]) == pytest.approx(2190, abs=0.5)
    waits = capped_wait_s(RATE, MEAN, SIGMA, caps, TOKEN_S)
    free = float(capped_wait_s(RATE, MEAN, SIGMA, np.inf, TOKEN_S))
    assert float(waits[0]) == pytest.approx(7.11, abs=0.005)
    # cutting the longest 1, 2 and 5 % of answers
    assert (100 * (1 - waits / free)).tolist() == pytest.approx([47, 58, 73], abs=0.6)
    # tokens that are lost are more than the answers that are cut
    lost = 1 - capped_lognormal_moment(MEAN, SIGMA, caps) / MEAN
    assert lost.tolist() == pytest.approx([0.0595, 0.0951, 0.1732], abs=5e-5)
    cap = float(largest_cap_tokens(RATE, MEAN, SIGMA, waits[0], TOKEN_S))
    assert cap == pytest.approx(float(caps[0]), rel=1e-6)
    assert float(clipped_share(MEAN, SIGMA, cap)) == pytest.approx(0.01)


def test_cap_5_3_servers_by_erlang_c():
    assert float(erlang_c(10, 8.0)) == pytest.approx(0.4092, abs=5e-5)
    assert float(erlang_c(100, 80.0)) == pytest.approx(0.0196, abs=5e-5)
    assert float(least_servers(50.0, 0.10)) == 61
    assert float(erlang_c(61, 50.0)) < 0.10 < float(erlang_c(60, 50.0))
    # ten pools of 5 against one of 50, the same promise
    pools = pooling(5.0, 10, 0.10)
    assert (float(pools.apart), float(pools.together)) == (90, 61)
    assert float(pools.together_utilization) == pytest.approx(50 / 61)


def test_cap_5_4_elastic_then_dynamic_then_fixed():
    times = batch_times(lognormal(MEAN, cv=1.0), 16, np.random.default_rng(0), token_s=TOKEN_S, sequence_s=0.0005)
    rates = np.array([0.1, 0.4, 0.8]) * 16 / float(np.mean(times.padded_s[-1]))
    for rate in rates:
        elastic = bulk_queue(float(rate), times.elastic_s).response_s
        dynamic = bulk_queue(float(rate), times.padded_s).response_s
        assert elastic < dynamic < bulk_queue(float(rate), times.padded_s, fixed=True).response_s


def test_cap_5_5_a_static_batch_waits_for_its_longest():
    harmonic = sum(1 / k for k in range(1, 33))
    assert harmonic == pytest.approx(4.06, abs=0.005)
    exponential = np.random.default_rng(0).exponential(1000.0, 100_000)
    lengths = LengthDistribution("empirical", 1000.0, samples=exponential)
    steps = batch_times(lengths, 32, np.random.default_rng(1), token_s=1.0, sequence_s=0.0, draws=20_000).padded_s
    assert float(np.mean(steps[-1]) / np.mean(steps[0])) == pytest.approx(harmonic, rel=0.02)


def test_cap_5_6_sequences_that_paging_makes_room_for():
    gains = capacity_gain(np.array([0.60, 0.80]), 0.04)
    assert gains.tolist() == pytest.approx([2.4, 4.8])
    assert float(capacity_gain(0.70, 0.04)) == pytest.approx(3.2)
    # under 4 % is what pages of 16 tokens waste from 180 tokens on
    assert float(paging_waste(180, 16)) == pytest.approx(0.04)


def test_cap_5_8_attainment_of_targets():
    arrival, first = np.arange(100.0), np.arange(100.0) + np.where(np.arange(100) < 97, 0.2, 3.0)
    ttft = ttft_s(arrival, first)
    assert float(np.percentile(ttft, 99)) == pytest.approx(3.0)  # p99 above a target of 1 s: the alert
    assert float(np.percentile(ttft, 95)) == pytest.approx(0.2)  # which p95 would not give
    tpot = tpot_s(ttft + 9.9, ttft, np.full(100, 100))
    assert float(tpot[0]) == pytest.approx(0.1)
    good = meets(ttft, 1.0) & meets(tpot, 0.12)
    assert goodput_per_s(good, 100.0) == pytest.approx(0.97)
    # cache in use more than 85 % of the time that is watched, by time and not by sample
    use, lasting = np.array([0.99, 0.5]), np.array([9.0, 1.0])
    assert time_mean((use > 0.85) * 1.0, lasting) == pytest.approx(0.9)


def test_cap_5_9_numbers_of_a_benchmark_that_contradict_each_other():
    # Document 004: eight sequences, 150 ms a step, 89 tokens/s. It is 53.
    assert float(step_tokens_per_s(8, 0.150)) == pytest.approx(53.3, abs=0.05)
    found = disagreements(batch=8, step_s=0.150, tokens_per_s=89)
    assert [(one.name, round(one.ratio, 2)) for one in found] == [("tokens_per_s", 1.67)]
    # Little: 2.5 requests a second of 4.21 s each are 10.5 in flight
    assert float(in_flight(2.5, 4.208)) == pytest.approx(10.5, abs=0.05)
    assert disagreements(requests_per_s=2.5, e2e_s=4.208, in_flight_requests=10.5) == ()
    assert len(disagreements(requests_per_s=2.5, e2e_s=4.208, in_flight_requests=64)) == 1


def test_cap_5_9_a_saved_run_is_checked(tmp_path: Path):
    count = 400
    run = {
        "max_concurrency": 4, "input_lens": [100] * count, "output_lens": [11] * count,
        "start_times": [0.5 * k for k in range(count)], "ttfts": [0.5] * count, "itls": [[0.25] * 10] * count,
    }  # fmt: skip
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run), encoding="utf-8")
    little = summary_of(read_trace(path)).little
    assert little is not None
    assert (little.mean_e2e_s, little.counted) == (pytest.approx(3.0), pytest.approx(6.0, rel=0.02))
    assert little.violations == ("6 requests are in flight at once, more than the concurrency=4 stated",)


def test_cap_5_10_a_day_of_ten_million_requests():
    rate = 10_000_000 / 86_400
    assert rate == pytest.approx(115.7, abs=0.05)
    load = diurnal_load(rate, 1.6, 86_400.0)
    assert load.requests == pytest.approx(10_000_000)
    hour = load.when_s(np.array([load.requests]))
    assert float(hour[0]) == pytest.approx(86_400)
    rng = np.random.default_rng(0)
    short = diurnal_load(1.157, 1.6, 86_400.0)  # a hundredth of it, drawn
    arrivals = arrivals_under_s(short, "gamma", rng, cv=2.0)
    assert arrivals.size == pytest.approx(100_000, rel=0.03)
    by_hour = np.histogram(arrivals, 24)[0]
    assert by_hour.max() / by_hour.mean() == pytest.approx(1.6, rel=0.05)
    # the means of a published benchmark: 512 tokens in, 256 out
    found = requests_of(
        {"mean": 512, "sd": math.sqrt(512)}, {"mean": 256, "cv": 1.0}, Arriving(count=50_000, request_rate=1), rng
    )
    assert float(np.mean(found.input_tokens)) == pytest.approx(512, rel=0.005)
    assert float(np.mean(found.output_tokens)) == pytest.approx(256, rel=0.02)


def test_cap_5_10_bursts_by_their_dispersion():
    load = staged_load([(50.0, 4000.0)])
    for cv in (0.5, 1.0, 3.0):
        arrivals = arrivals_under_s(load, "gamma", np.random.default_rng(1), cv=cv)
        counts = np.histogram(arrivals, 400)[0]
        # over many gaps the variance of a count is cv² times its mean
        assert float(np.var(counts) / np.mean(counts)) == pytest.approx(cv**2, rel=0.25)


def test_cap_5_11_a_hit_rate_of_70_percent_leaves_30_of_the_prefill():
    arriving = Arriving(request_rate=1.0, count=20_000)
    found = requests_of(1000, 10, arriving, np.random.default_rng(0), sharing=Sharing(700, block_tokens=1))
    assert found.prefixes is not None
    cached = float(np.sum(prefix_reuse(found.prefixes).cached_tokens)) / float(np.sum(found.input_tokens))
    assert cached == pytest.approx(0.7, abs=1e-4)  # all but the first
    flop_per_token = 2 * 70e9
    assert (1 - cached) * 1000 * flop_per_token == pytest.approx(0.3 * 1000 * flop_per_token, rel=2e-4)


def test_cap_5_14_a_server_to_spare():
    # 61 servers keep 10 % waiting at a load of 50; one of them down, the promise is broken by a little
    assert float(erlang_c(60, 50.0)) == pytest.approx(0.1173, abs=5e-5)
    assert float(least_servers(50.0, 0.10)) + 1 == 62
    # a promise on the wait itself takes fewer: 1 % beyond half a service time
    servers = float(least_servers(50.0, 0.01, 0.5))
    assert float(erlang_share_beyond(servers, 50.0, 0.5)) <= 0.01 < float(erlang_share_beyond(servers - 1, 50.0, 0.5))
    assert servers == 57


def test_cap_5_10_lengths_of_a_published_benchmark_are_whole_tokens():
    tokens = normal(512, sd=math.sqrt(512)).draw(1000, np.random.default_rng(0))
    assert np.all(tokens == np.rint(tokens))
    assert np.all(tokens >= 1)
