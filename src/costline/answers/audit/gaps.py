"""From the limit to what was measured: where the time of a lane for one request goes, each part with its name.

The parts add up to the measured time. Knows no words beyond the names.
"""

from __future__ import annotations

from typing import Any

from costline.answers.audit.limits import least_request_s
from costline.answers.audit.situation import Situation
from costline.quantities import PERCENT

_NETWORK = ("scale-up network", "scale-out network")
_HOST = "launch and host"


def gaps(now: Situation) -> list[dict[str, Any]]:
    """The limit at the largest batch, then each loss on the way to what was measured; shares add up to one."""
    total, batch = now.measured_request_s, now.running
    together = max(batch, 1.0)
    ideal, real = now.waits_s(now.ideal, together), now.waits_s(now.engine, together)
    floor = least_request_s(now, max(now.most, together))
    at_batch = max(least_request_s(now, together), floor)
    in_turn = max(sum(value for name, value in ideal.items() if name not in _NETWORK), at_batch)
    network, host = sum(real[name] for name in _NETWORK), real[_HOST]
    kernels = max(sum(real.values()) - network - host, in_turn)
    expected = kernels + network + host
    idle = _idle_s(now, total, expected)
    parts = {
        "limit": floor,
        "batch too small": at_batch - floor,
        "prompts and decoding in turn": in_turn - at_batch,
        "kernels below the datasheet": kernels - in_turn,
        "communication between accelerators": network,
        "launch and host": host,
        "idle": idle,
        "unexplained": total - expected - idle,
    }
    return [{"name": name, "seconds_per_request": value, "share": value / total} for name, value in parts.items()]


def _idle_s(now: Situation, total: float, expected: float) -> float:
    """Time with nothing to do: as the device reports it, or what fewer than one sequence in flight leaves."""
    left = max(total - expected, 0.0)
    reported = now.measured.utilization_percent
    if reported is not None:
        return min(left, (1 - reported / PERCENT) * total)
    return min(left, (1 - now.running) * total) if now.running < 1 else 0.0
