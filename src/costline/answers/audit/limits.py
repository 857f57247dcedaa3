"""What physics allows: least times, most tokens per second, and the shares of peak rates that were reached.

At datasheet rates with all work overlapped, so that nothing can be faster; every function takes a lane's batch.
"""

from __future__ import annotations

from typing import Any

from costline.answers.audit.situation import Situation, lane_batch
from costline.architecture.operations import decode_segment, prefill_segment
from costline.forward.steps import StepTime, step_time


def _step(now: Situation, parts: list[Any]) -> StepTime:
    engine = now.ideal
    return step_time(engine.model, parts, now.where, engine.formats, engine.rates)


def decode_step(now: Situation, batch: float) -> StepTime:
    """A step in which so many sequences of mean context each get a token."""
    return _step(now, [decode_segment(lane_batch(batch), now.load.mean_context_tokens)])


def prompt(now: Situation) -> StepTime:
    """One prompt in one pass."""
    load = now.load
    return _step(now, [prefill_segment(1.0, load.new_tokens, load.cached_tokens)])


def least_tpot_s(now: Situation, batch: float) -> float:
    """No token comes sooner at this batch."""
    return float(decode_step(now, batch).lower_bound_s)


def least_ttft_s(now: Situation) -> float:
    """No first token comes sooner."""
    return float(prompt(now).lower_bound_s)


def request_parts_s(now: Situation, batch: float) -> dict[str, float]:
    """Seconds of a lane's arithmetic, memory and links that one request takes, its share of the batch's steps."""
    one, first = decode_step(now, batch), prompt(now)
    steps = now.load.decode_steps / max(batch, 1.0)
    return {
        "compute": float(first.compute_s) + steps * float(one.compute_s),
        "memory": steps * float(one.essential_s),
        "network": float(first.network_s) + steps * float(one.network_s),
    }


def least_request_s(now: Situation, batch: float) -> float:
    """Least time of a lane for one request: its arithmetic, memory and links perfectly overlapped."""
    return max(request_parts_s(now, batch).values())


def most_tokens_per_s(now: Situation, batch: float) -> float:
    """Most output of the deployment with so many sequences in each lane."""
    return now.lanes * now.load.output_tokens / least_request_s(now, batch)


def least_shares(now: Situation) -> dict[str, float]:
    """Shares of the peaks that the output takes at the very least: at the largest batch that fits."""
    requests = now.tokens_per_s / now.load.output_tokens / now.lanes
    parts = request_parts_s(now, max(now.most, now.running))
    return {"mfu": requests * parts["compute"], "mbu": requests * parts["memory"]}


def reached(now: Situation) -> dict[str, Any]:
    """Shares of the peak arithmetic (MFU) and of the memory bandwidth (MBU) that the measured output stands for."""
    requests = now.tokens_per_s / now.load.output_tokens / now.lanes
    parts = request_parts_s(now, now.running)
    step = decode_step(now, now.running)
    tpot = now.tpot_s
    return {
        "mfu": requests * parts["compute"],
        "mbu": requests * parts["memory"],
        "decode_mfu": None if tpot is None else float(step.compute_s) / tpot,
        "decode_mbu": None if tpot is None else float(step.essential_s) / tpot,
    }
