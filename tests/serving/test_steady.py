"""The steady state of a lane, against a lane played step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.serving.steady import crowded_batch, loaded_tpot_s, long_step_share, request_cycle_s

DECODE_S, CHUNK_S = 0.02, 0.3


def played_lane(batch: int, decode_steps: int, chunks: int, requests: int) -> tuple[float, float]:
    """Seconds for each request, and for each decoded token, of a lane whose places never stay empty."""
    # Places start spread over their answers, as in a lane that has long been running.
    left = [decode_steps - i * decode_steps // batch for i in range(batch)]
    pending, ready = chunks, 0
    time, done, tokens, decoding_s, start = 0.0, 0, 0, 0.0, None
    while done < requests:
        with_chunk = ready == 0  # a prompt that is read waits for a place
        seconds = CHUNK_S if with_chunk else DECODE_S
        time += seconds
        if with_chunk:
            pending -= 1
            if pending == 0:
                ready, pending = ready + 1, chunks
        for i in range(batch):
            if left[i] > 0:
                left[i] -= 1
                tokens += 1
                decoding_s += seconds
            if left[i] <= 0 and ready:
                left[i], ready = decode_steps, ready - 1
                done += 1
                if done == batch:  # the first round settles
                    start = (time, tokens, decoding_s)
    assert start is not None
    return (time - start[0]) / (requests - batch), (decoding_s - start[2]) / (tokens - start[1])


@pytest.mark.parametrize(("batch", "decode_steps", "chunks"), [(8, 64, 1), (8, 256, 4), (16, 1024, 8), (4, 400, 1)])
def test_a_lane_played_step_by_step(batch: int, decode_steps: int, chunks: int):
    cycle, tpot = played_lane(batch, decode_steps, chunks, requests=batch + 200)
    predicted = float(request_cycle_s(batch, decode_steps, chunks, decode_step_s=DECODE_S, chunk_step_s=CHUNK_S))
    assert cycle == pytest.approx(predicted, rel=0.05)
    assert tpot == pytest.approx(float(loaded_tpot_s(predicted, batch, decode_steps)), rel=0.05)


def test_a_cycle_by_hand():
    # 16 steps between departures; one carries a chunk.
    assert float(request_cycle_s(64, 1024, 1, decode_step_s=0.02, chunk_step_s=0.3)) == pytest.approx(15 * 0.02 + 0.3)
    assert float(loaded_tpot_s(0.6, 64, 1024)) == pytest.approx(0.0375)


def test_cycles_at_the_limits():
    times = {"decode_step_s": DECODE_S, "chunk_step_s": CHUNK_S}
    # No answer to decode, or a batch so large that one always leaves: prompts alone fill the lane.
    assert float(request_cycle_s(64, 0, 4, **times)) == pytest.approx(4 * CHUNK_S)
    assert float(request_cycle_s(1e12, 1024, 4, **times)) == pytest.approx(4 * CHUNK_S)
    # One sequence alone: its prompt's steps and the rest of its answer.
    assert float(request_cycle_s(1, 100, 1, **times)) == pytest.approx(CHUNK_S + 99 * DECODE_S)
    # Prompts for nothing: pure decode.
    assert float(request_cycle_s(64, 1024, 1e-12, **times)) == pytest.approx(16 * DECODE_S)
    assert loaded_tpot_s(4 * CHUNK_S, 64, 0) == 0


@given(st.integers(1, 512), st.integers(0, 4096), st.integers(1, 32), st.floats(1e-3, 0.1), st.floats(1, 20))
def test_a_cycle_lies_between_its_work_and_all_chunks(batch: int, steps: int, chunks: int, decode: float, ratio: float):
    chunk = decode * ratio
    cycle = float(request_cycle_s(batch, steps, chunks, decode_step_s=decode, chunk_step_s=chunk))
    assert cycle >= max(chunks * chunk, steps / batch * decode) * (1 - 1e-12)
    assert cycle <= max(chunks, steps / batch) * chunk * (1 + 1e-12)
    # A token of a loaded lane takes at least an unloaded decode step.
    if steps:
        assert float(loaded_tpot_s(cycle, batch, steps)) >= decode * (1 - 1e-12)


def test_a_crowd_is_a_quantile_of_poisson_arrivals():
    drawn = np.random.default_rng(5).poisson(64, 100_000)
    assert float(crowded_batch(64, 2.326)) == pytest.approx(np.quantile(drawn, 0.99), abs=1.5)
    assert crowded_batch(0, 2.33) == 0
    assert crowded_batch(64, 0.0) == 64


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_a_round_is_long_when_any_lane_carries_a_prompt(share: float, lanes: int):
    rounds = np.random.default_rng(7).random((200_000, lanes)) < share
    assert float(long_step_share(share, lanes)) == pytest.approx(float(rounds.any(axis=1).mean()), abs=0.005)


def test_lanes_of_a_pipeline_wait_for_one_another():
    alone, four = (
        float(request_cycle_s(64, 1024, 1, decode_step_s=DECODE_S, chunk_step_s=CHUNK_S, lanes=lanes))
        for lanes in (1, 4)
    )
    busy = [
        float(request_cycle_s(64, 64, 1, decode_step_s=DECODE_S, chunk_step_s=CHUNK_S, lanes=lanes)) for lanes in (1, 4)
    ]
    assert alone < four < 16 * CHUNK_S
    assert busy == pytest.approx([CHUNK_S, CHUNK_S])  # every step of every lane carries a prompt: nobody waits
