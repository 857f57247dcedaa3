"""The event loop against the same scheduler written plainly in SimPy: every step taken singly, every token counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from costline.serving.fleet import Engine, replicas
from costline.serving.requests import Requests
from costline.serving.simulate import simulate
from costline.serving.step_table import affine_table

simpy = pytest.importorskip("simpy")

STEP_S, TOKEN_S, SEQUENCE_S, CONTEXT_S, PAIR_S, MIXED_S = 7e-3, 2.1e-5, 1.3e-5, 4.7e-8, 3e-9, 1.7e-3
TABLE = affine_table(
    step_s=STEP_S, token_s=TOKEN_S, sequence_s=SEQUENCE_S, context_token_s=CONTEXT_S, pair_s=PAIR_S, mixed_s=MIXED_S
)


@dataclass
class Sequence:
    """One request in the plain scheduler."""

    number: int
    arrival_s: float
    input: int
    output: int
    made: int = 0
    read: int = 0
    target: int = 0
    chunk: int = 0
    preemptions: int = 0
    admitted_s: float = np.nan
    first_s: float = np.nan
    finished_s: float = np.nan

    @property
    def is_read(self) -> bool:
        return self.read >= self.target

    @property
    def held(self) -> int:
        return self.input + self.made - 1 if self.is_read else self.target


class PlainEngine:
    """Continuous batching with chunks, blocks and preemption by recomputing, one step at a time."""

    def __init__(self, env: Any, engine: Engine) -> None:
        self.env, self.engine = env, engine
        self.waiting: list[Sequence] = []
        self.running: list[Sequence] = []
        self.wake = env.event()
        self.last_step_s = -1.0
        env.process(self.steps())

    def come(self, sequence: Sequence) -> None:
        self.waiting.append(sequence)
        if not self.wake.triggered:
            self.wake.succeed()

    def blocks(self, tokens: int) -> int:
        return -(-tokens // self.engine.block_tokens)

    def used(self) -> int:
        """Blocks that the next step needs."""
        return sum(self.blocks(item.held + (1 if item.is_read else 0)) for item in self.running)

    def preempt(self) -> bool:
        capacity = self.engine.kv_capacity_tokens // self.engine.block_tokens
        any_preempted = False
        while self.used() > capacity:
            victim = max(self.running, key=lambda item: (item.arrival_s, item.number))
            self.running.remove(victim)
            victim.preemptions += 1
            victim.read = 0
            self.waiting.append(victim)
            any_preempted = True
        return any_preempted

    def admit(self, budget: int, was_idle: bool) -> int:
        engine = self.engine
        capacity = engine.kv_capacity_tokens // engine.block_tokens
        self.waiting.sort(key=lambda item: (item.arrival_s, item.number))
        while self.waiting and budget > 0 and len(self.running) < engine.max_sequences:
            item = self.waiting[0]
            limit_s = self.last_step_s if engine.async_scheduling and not was_idle else self.env.now
            target = item.input + item.made
            is_first = not any(other.chunk for other in self.running)
            fits = engine.chunked_prefill or target <= budget or is_first
            if item.arrival_s > limit_s or not fits or self.used() + self.blocks(target) > capacity:
                break
            self.waiting.pop(0)
            item.target, item.read = target, 0
            item.chunk = min(target, budget) if engine.chunked_prefill else target
            budget -= item.chunk
            if np.isnan(item.admitted_s):
                item.admitted_s = self.env.now
            self.running.append(item)
        return budget

    def schedule(self) -> None:
        was_idle = not self.running
        for item in self.running:
            item.chunk = 0
        preempted = self.preempt()
        decoding = [item for item in self.running if item.is_read]
        is_apart = self.engine.policy == "prefill_first"
        budget = self.engine.max_batched_tokens - (0 if is_apart else len(decoding))
        for item in self.running:
            if not item.is_read:
                item.chunk = max(0, min(item.target - item.read, budget))
                budget -= item.chunk
        if not preempted:
            self.admit(budget, was_idle)

    def steps(self) -> Any:
        while True:
            self.schedule()
            decoding = [item for item in self.running if item.is_read]
            chunks = [item for item in self.running if item.chunk]
            if self.engine.policy == "prefill_first" and chunks:
                decoding = []
            if not decoding and not chunks:
                self.wake = self.env.event()
                yield self.wake
                continue
            tokens = len(decoding) + sum(item.chunk for item in chunks)
            context = sum(item.held for item in decoding)
            spent_s = STEP_S + TOKEN_S * tokens + SEQUENCE_S * len(decoding) + CONTEXT_S * context
            spent_s += sum(PAIR_S * item.chunk * item.read for item in chunks) + (MIXED_S if chunks else 0.0)
            started_s = self.env.now
            yield self.env.timeout(spent_s)
            self.last_step_s = started_s
            self.end(decoding, chunks)

    def end(self, decoding: list[Sequence], chunks: list[Sequence]) -> None:
        for item in chunks:
            item.read += item.chunk
            item.chunk = 0
        for item in decoding + [item for item in chunks if item.is_read]:
            item.made += 1
            if item.made == 1:
                item.first_s = self.env.now
            if item.made == item.output:
                item.finished_s = self.env.now
                self.running.remove(item)


def played(requests: Requests, engine: Engine) -> list[Sequence]:
    env = simpy.Environment()
    plain = PlainEngine(env, engine)
    items = [
        Sequence(number, float(arrival_s), int(prompt), int(answer))
        for number, (arrival_s, prompt, answer) in enumerate(
            zip(requests.arrival_s, requests.input_tokens, requests.output_tokens, strict=True)
        )
    ]

    def clients() -> Any:
        for item in items:
            if item.arrival_s > env.now:
                yield env.timeout(item.arrival_s - env.now)
            plain.come(item)

    env.process(clients())
    env.run(until=10_000.0)
    return items


CASES = {
    "roomy": {},
    "synchronous": {"async_scheduling": False},
    "few places": {"max_sequences": 4},
    "small chunks": {"max_batched_tokens": 64, "max_sequences": 16},
    "no chunks": {"chunked_prefill": False, "max_batched_tokens": 512},
    "prefill first": {"policy": "prefill_first", "max_batched_tokens": 256, "max_sequences": 32},
    "preempts": {"kv_capacity_tokens": 1600},
    "preempts, small chunks": {"kv_capacity_tokens": 1600, "max_batched_tokens": 64, "max_sequences": 32},
    "preempts, synchronous": {"kv_capacity_tokens": 1600, "async_scheduling": False, "block_tokens": 1},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(4))
def test_agrees_request_by_request(case: str, seed: int):
    rng = np.random.default_rng(seed)
    count = 120
    requests = Requests(
        np.cumsum(rng.exponential(0.12, count)), rng.integers(1, 600, count), rng.integers(1, 200, count)
    )
    engine = Engine(**{"kv_capacity_tokens": 1e6, "max_sequences": 64, **CASES[case]})
    expected = played(requests, engine)
    found = simulate(requests, replicas(TABLE, engine))
    for name in ("admitted_s", "first_s", "finished_s"):
        times_s = {"first_s": found.first_token_s}.get(name, getattr(found, name, None))
        np.testing.assert_allclose(times_s, [getattr(item, name) for item in expected], rtol=1e-9, err_msg=name)
    assert found.preemptions.tolist() == [item.preemptions for item in expected]
    assert ("preempts" in case) == bool(found.preemptions.sum())


def test_all_at_once_agrees():
    requests = Requests(np.zeros(100), np.full(100, 300), np.arange(1, 101))
    engine = Engine(kv_capacity_tokens=5000, max_sequences=32, max_batched_tokens=512)
    expected = played(requests, engine)
    found = simulate(requests, replicas(TABLE, engine))
    np.testing.assert_allclose(found.finished_s, [item.finished_s for item in expected], rtol=1e-9)
