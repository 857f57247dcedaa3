"""Examples of capabilities that need the simulator: batch-service queues, static and continuous batching, schedulers,
autoscaling, tiers that share a pool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from costline.serving.fleet import Autoscaler, Engine, Fleet, Pool, replicas
from costline.serving.requests import Requests
from costline.serving.simulate import simulate
from costline.serving.step_table import affine_table
from costline.serving.timestamps import Timestamps


def poisson(count: int, rate: float, outputs: np.ndarray, *, inputs: int = 1, seed: int = 0) -> Requests:
    gaps_s = np.random.default_rng(seed).exponential(1 / rate, count)
    return Requests(np.cumsum(gaps_s), np.full(count, inputs), outputs)


def mean_e2e_s(found: Timestamps) -> float:
    return float(np.mean(found.finished_s - found.arrival_s))


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
def test_cap_5_4_batches_simulated(load: float):
    # A batch of n takes steps of 5 ms + 0.1 ms n, as many as its longest answer.
    places = 16
    table = affine_table(step_s=5e-3, sequence_s=1e-4)
    rng = np.random.default_rng(1)
    outputs = 1 + rng.geometric(1 / 100, 20_000)
    longest = np.max(rng.choice(outputs, (4000, places)), axis=1).mean()
    full_rate = places / (longest * (5e-3 + places * 1e-4))
    requests = poisson(20_000, load * full_rate, outputs)
    delay_s = {
        batching: mean_e2e_s(simulate(requests, replicas(table, Engine(max_sequences=places, batching=batching))))
        for batching in ("continuous", "elastic", "dynamic", "fixed")
    }
    assert delay_s["elastic"] <= delay_s["dynamic"] <= delay_s["fixed"]
    assert delay_s["continuous"] < delay_s["elastic"]


def test_cap_5_5_continuous_batching_simulated():
    # Lengths are exponential, a step takes as long whatever is in it: the longest of 32 is H(32) = 4.06 means.
    rng = np.random.default_rng(2)
    outputs = np.maximum(1, np.rint(rng.exponential(1000, 64_000))).astype(np.int64)
    requests = Requests(np.zeros(64_000), np.ones(64_000, dtype=np.int64), outputs)
    table = affine_table(step_s=1e-2)
    end_s = {
        batching: simulate(requests, replicas(table, Engine(max_sequences=32, batching=batching))).end_s
        for batching in ("continuous", "fixed")
    }
    assert sum(1 / n for n in range(1, 33)) == pytest.approx(4.06, abs=0.005)
    assert end_s["fixed"] / end_s["continuous"] == pytest.approx(4.06, rel=0.015)


PROMPT = 32_768
PROMPT_S = 3.64
"""A prompt of 32K tokens on 16 TPU v5e at 40 % of their arithmetic."""
DECODE_S = 17.19e-3
"""A decode step there of 32 sequences."""


def blocked(engine: Engine) -> tuple[Timestamps, np.ndarray]:
    """32 sequences decode when a long prompt comes; the run and the gaps between steps in which they get tokens."""
    table = affine_table(step_s=DECODE_S, token_s=PROMPT_S / PROMPT)
    table = replace(table, step_s=DECODE_S - 32 * PROMPT_S / PROMPT)
    requests = Requests(np.array(32 * [0.0] + [5.0]), np.array(32 * [1] + [PROMPT]), np.array(32 * [1200] + [1]))
    found = simulate(requests, replicas(table, engine), trace_steps=10_000, fast_forward=False)
    trace = found.trace
    assert trace is not None
    ends_s = trace.end_s[(trace.sequences == 32) & (trace.start_s < 15.0)]
    return found, np.diff(ends_s)


def test_cap_5_7_scheduler_policies():
    prefill_first = Engine(max_batched_tokens=PROMPT, max_sequences=64, policy="prefill_first", async_scheduling=False)
    chunked = Engine(max_batched_tokens=512 + 32, max_sequences=64, async_scheduling=False)
    first, first_gaps_s = blocked(prefill_first)
    second, second_gaps_s = blocked(chunked)
    # The whole prompt: the others stop for 3.64 s, in which they would have made 6,776 tokens.
    stop_s = first_gaps_s.max() - DECODE_S
    assert stop_s == pytest.approx(PROMPT_S, rel=0.01)
    assert 32 * stop_s / DECODE_S == pytest.approx(6776, rel=0.01)
    # Chunks of 512: each of 64 steps takes 57 ms more.
    slow = second_gaps_s[second_gaps_s > 1.5 * DECODE_S]
    assert len(slow) == 64
    assert slow.mean() - DECODE_S == pytest.approx(57e-3, rel=0.01)
    # The price of smooth decoding is a later first token of the long prompt.
    ttft_s = [found.first_token_s[-1] - found.arrival_s[-1] for found in (first, second)]
    assert ttft_s[0] < ttft_s[1]
    assert np.percentile(first_gaps_s, 99.9) > 10 * np.percentile(second_gaps_s, 99.9)


def test_cap_5_12_autoscaling():
    # Ten minutes calm, ten busy, ten calm again.
    rng = np.random.default_rng(4)
    rates = [(2.0, 600.0), (20.0, 600.0), (2.0, 600.0)]
    arrival_s = np.concatenate(
        [600.0 * k + np.sort(rng.uniform(0, last_s, int(rate * last_s))) for k, (rate, last_s) in enumerate(rates)]
    )
    requests = Requests(arrival_s, np.full(len(arrival_s), 500), np.full(len(arrival_s), 250))
    table, engine = affine_table(step_s=2e-2, token_s=1e-5, sequence_s=1e-4), Engine(max_sequences=32)

    def served(boot_s: float | None, signal: str = "in_flight", target: float = 16.0) -> tuple[float, float]:
        scaler = None if boot_s is None else Autoscaler(signal, target, 1, 10.0, boot_s, 60.0)  # type: ignore[arg-type]
        found = simulate(requests, Fleet((Pool(table, engine, 8, autoscaler=scaler),), "least_loaded"))
        assert found.served.all()
        late = np.mean(found.first_token_s - found.arrival_s > 1.0)
        return float(found.replicas.on_s.sum()), float(late)

    always_s, always_late = served(None)
    quick_s, quick_late = served(30.0)
    slow_s, slow_late = served(180.0)
    assert quick_s < 0.65 * always_s
    assert always_late <= quick_late < slow_late
    assert always_late < 0.01 < slow_late
    assert slow_s < always_s
    by_tokens_s, _ = served(30.0, "tokens_per_s", 600.0)
    by_queue_s, _ = served(30.0, "waiting", 1.0)
    assert by_tokens_s < 0.8 * always_s
    assert by_queue_s < 0.8 * always_s


def test_cap_5_13_tiers_share_idle_capacity():
    # Interactive requests need 70 % of the places; a backlog of batch requests fills the rest.
    rng = np.random.default_rng(5)
    places, step_s, count = 32, 2e-2, 6000
    outputs = rng.geometric(1 / 300, count)
    rate = 0.7 * places / (outputs.mean() * step_s)
    interactive = poisson(count, rate, outputs, inputs=10)
    backlog = np.full(6000, 500)
    both = Requests(
        np.concatenate([np.zeros(len(backlog)), interactive.arrival_s]),
        np.full(len(backlog) + count, 10),
        np.concatenate([backlog, outputs]),
        tier=np.concatenate([np.ones(len(backlog)), np.zeros(count)]).astype(np.int8),
    )
    engine = Engine(max_sequences=places, preempt_lower_tier=True, async_scheduling=False)
    alone = simulate(interactive, replicas(affine_table(step_s=step_s), engine))
    shared = simulate(both, replicas(affine_table(step_s=step_s), engine))
    until_s = interactive.arrival_s[-1]
    tokens_alone = alone.output_tokens[alone.finished_s < until_s].sum()
    tokens_shared = shared.output_tokens[shared.finished_s < until_s].sum()
    # Same replica and same hours: cost a token falls as tokens rise.
    assert 1 - tokens_alone / tokens_shared == pytest.approx(0.30, abs=0.02)
    waits_s = [
        np.percentile(np.asarray(found.first_token_s - found.arrival_s)[-count:], 95) for found in (alone, shared)
    ]
    assert waits_s[1] <= waits_s[0] + 2 * step_s
    assert shared.preemptions[-count:].sum() == 0 < shared.preemptions[:-count].sum()
