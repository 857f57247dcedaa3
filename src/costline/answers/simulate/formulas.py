"""What queueing formulas say of the wait that was simulated, of one queue instead of several, and of a cap on answers.

Closed forms of the run's own rates and times, so that a person can see where a wait comes from and how far a formula
would have got. Only for a load that does not change, on replicas that do both and are all up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from costline.answers.simulate.curves import LATE_STEPS, mean_request
from costline.answers.simulate.knee import Mix, prompt_share_s
from costline.answers.simulate.measures import latencies
from costline.answers.simulate.run import Setting, kept_requests
from costline.quantities import MILLI, Array, as_array
from costline.serving.lengths import lognormal_sigma_of_cv
from costline.serving.queueing import allen_cunneen_wait_s, erlang_c, kingman_wait_s
from costline.serving.queueing_pools import erlang_share_beyond, erlang_wait_quantile_s, erlang_wait_s, pooling
from costline.serving.timestamps import Timestamps

LEAST_REQUESTS = 100
CUT_SHARES = (0.01, 0.02, 0.05, 0.1)
PROMISE = 0.01
"""Share of requests that may wait longer than is promised."""
LEAST_SHARE = 1e-3
"""Of requests that wait for a place, from which it is worth asking how to have fewer."""
MOST_PLACES = 4096
"""Of a pool that is computed; in larger ones next to nobody waits."""
SHARED = ("least_loaded", "power_of_two")
"""Routers that keep the queues of all replicas nearly one."""


@dataclass(frozen=True)
class Waiting:
    """A queue for places in the batch, as formulas see it."""

    places: int
    rate: float
    """Requests per second that come to these places."""
    arrival_cv2: float
    stay_s: float
    """Mean time of a request in its place."""
    stay_cv2: float

    @property
    def wanted(self) -> float:
        """Places that are taken on average, were there enough."""
        return self.rate * self.stay_s

    @property
    def use(self) -> float:
        """Of the places, as share."""
        return self.wanted / self.places

    @property
    def share(self) -> float:
        """Of requests that find no place free."""
        return float(erlang_c(self.places, self.wanted))

    @property
    def wait_s(self) -> float:
        """Mean."""
        return float(erlang_wait_s(self.places, self.wanted, self.stay_s, self.arrival_cv2 + self.stay_cv2))

    @property
    def p99_s(self) -> float:
        """The quantile of M/M/c, stretched as the mean is."""
        stretched = (self.arrival_cv2 + self.stay_cv2) / 2
        return float(erlang_wait_quantile_s(self.places, self.wanted, self.stay_s, 1 - PROMISE)) * stretched


@dataclass(frozen=True)
class Seen:
    """What formulas are told of a run."""

    one: Setting
    queue_s: float
    """Mean wait as simulated."""
    stay_s: float
    stay_cv2: float
    rate: float
    arrival_cv2: float
    tpot_s: float
    busy: float
    mix: Mix
    new_cv2: float
    """Squared coefficient of variation of what is computed of prompts."""
    places: int
    """Of one replica."""
    answers: Array

    @property
    def replicas(self) -> int:
        """Copies of the model."""
        return self.one.counts[0]

    @property
    def queues(self) -> int:
        """One for each replica, or one where the router keeps them even."""
        shared = self.one.asked.deployment.router in SHARED and self.replicas * self.places <= MOST_PLACES
        return 1 if shared else self.replicas

    def waiting(self, queues: int) -> Waiting:
        """One of so many equal queues; taking turns makes its arrivals more even, chance makes them more random."""
        even = self.one.asked.deployment.router == "round_robin"
        return Waiting(
            places=self.places * self.replicas // queues,
            rate=self.rate / queues,
            arrival_cv2=self.arrival_cv2 / queues if even else 1 + (self.arrival_cv2 - 1) / queues,
            stay_s=self.stay_s,
            stay_cv2=self.stay_cv2,
        )


def seen_of(one: Setting, stamps: Timestamps) -> Seen | None:
    """The run as formulas see it; None where the load changes or follows, or replicas come and go or differ."""
    kept = kept_requests(one.drawn) & stamps.served
    block = one.asked.deployment
    follows = one.drawn.concurrency is not None or bool(one.drawn.stages) or one.transfer is not None
    if follows or one.replica.autoscale is not None or block.failures or int(kept.sum()) < LEAST_REQUESTS:
        return None
    gaps = np.diff(np.sort(stamps.arrival_s[kept]))
    if not np.sum(gaps) > 0:
        return None
    found = latencies(stamps, kept)
    stay, each = found.e2e - found.queue, found.tpot[np.isfinite(found.tpot)]
    mix, new_cv2 = mean_request(one, stamps)
    side, rows = one.sides[0], stamps.replicas
    held = side.replica.kv_capacity_tokens / (mix.input_tokens + mix.output_tokens / 2)
    return Seen(
        one=one,
        queue_s=float(np.mean(found.queue)),
        stay_s=float(np.mean(stay)),
        stay_cv2=float(np.var(stay) / np.mean(stay) ** 2),
        rate=1 / float(np.mean(gaps)),
        arrival_cv2=float(np.var(gaps) / np.mean(gaps) ** 2),
        tpot_s=float(np.mean(each)) if each.size else 0.0,
        busy=float(rows.busy_s.sum() / max(rows.on_s.sum(), 1e-9)),
        mix=mix,
        new_cv2=new_cv2,
        places=max(int(min(side.engine.max_sequences, held)), 1),
        answers=as_array(stamps.output_tokens[kept]),
    )


def formulas(seen: Seen) -> dict[str, Any]:
    """The wait by formula, beside the simulated one."""
    queue = seen.waiting(seen.queues)
    step_s, prompts_s = _step_wait_s(seen, queue), _prompt_wait_s(seen, queue)
    whole = step_s + prompts_s + queue.wait_s
    at_most = None
    if queue.places == 1:
        at_most = float(kingman_wait_s(queue.use, queue.stay_s, queue.arrival_cv2, queue.stay_cv2)) / MILLI
    return {
        "method": "Erlang C with Allen and Cunneen's spread for a place; Allen and Cunneen for prompts ahead",
        "queues": seen.queues,
        "places": queue.places,
        "places_wanted": queue.wanted,
        "utilization": queue.use,
        "waiting_share": queue.share,
        "requests_per_s": queue.rate,
        "arrival_cv": math.sqrt(queue.arrival_cv2),
        "service_s": queue.stay_s,
        "service_cv": math.sqrt(queue.stay_cv2),
        "wait_ms": {
            "simulated": seen.queue_s / MILLI,
            "formula": whole / MILLI,
            "step": step_s / MILLI,
            "prompts": prompts_s / MILLI,
            "place": queue.wait_s / MILLI,
            "at_most": at_most,
        },
        "relative_error": whole / seen.queue_s - 1 if seen.queue_s > 0 else None,
    }


def pooled(seen: Seen) -> list[dict[str, Any]]:
    """A queue for each replica against one for all; empty for one replica, or where next to nobody waits."""
    count, target = seen.replicas, seen.one.asked.slo.ttft_p99_ms
    if count < 2 or count * seen.places > MOST_PLACES or seen.waiting(count).share < LEAST_SHARE:
        return []
    patience = 0.0 if target is None else target * MILLI / seen.stay_s
    needed = pooling(seen.waiting(count).wanted, count, PROMISE, patience)
    return [
        {
            "queues": queues,
            "places": queue.places,
            "utilization": queue.use,
            "waiting_share": queue.share,
            "beyond_target_share": float(erlang_share_beyond(queue.places, queue.wanted, patience)),
            "wait_ms": queue.wait_s / MILLI,
            "p99_ms": queue.p99_s / MILLI,
            "places_needed": float(places),
        }
        for queues, queue, places in (
            (count, seen.waiting(count), needed.apart), (1, seen.waiting(1), needed.together)
        )
    ]  # fmt: skip


def capped(seen: Seen) -> dict[str, Any] | None:
    """What cutting the longest answers does to the wait for a place; None where answers are alike or nobody waits.

    Answers are taken as log-normal with their mean and spread; that steps grow faster with a smaller batch is left out.
    """
    queue = seen.waiting(seen.queues)
    mean, sd = float(np.mean(seen.answers)), float(np.std(seen.answers))
    if not sd > 0 or queue.share < LEAST_SHARE:
        return None
    from costline.serving.queueing_lengths import (  # here: loading SciPy takes longer than many a run
        cap_of_clipped_share,
        capped_lognormal_moment,
        capped_wait_s,
        largest_cap_tokens,
    )

    sigma, token_s = float(lognormal_sigma_of_cv(sd / mean)), min(seen.tpot_s, seen.stay_s / mean)
    fixed_s = seen.stay_s - token_s * mean
    places: dict[str, float] = {"fixed_s": fixed_s, "servers": queue.places, "arrival_cv2": queue.arrival_cv2}
    caps = np.concatenate([[np.inf], cap_of_clipped_share(mean, sigma, as_array(CUT_SHARES))])
    left = capped_lognormal_moment(mean, sigma, caps) / mean
    waits = capped_wait_s(queue.rate, mean, sigma, caps, token_s, **places)
    use = queue.rate * (fixed_s + token_s * mean * left) / queue.places
    keys = ("cap_tokens", "cut_share", "lost_token_share", "utilization", "wait_ms")
    lost = np.where(np.isinf(caps), 0.0, 1 - left)
    values = (caps, (0.0, *CUT_SHARES), lost, use, waits / MILLI)
    target_s = float(waits[0]) / 2 if np.isfinite(waits[0]) else seen.stay_s
    return {
        "rows": [dict(zip(keys, map(float, row), strict=True)) for row in zip(*values, strict=True)],
        "target_wait_ms": target_s / MILLI,
        "largest_cap_tokens": float(largest_cap_tokens(queue.rate, mean, sigma, target_s, token_s, **places)),
    }


def _step_wait_s(seen: Seen, queue: Waiting) -> float:
    """Until the running step ends and the scheduler looks again, where the replica is at work but has a place free."""
    steps = LATE_STEPS[seen.one.engine.async_scheduling] - 1
    return max(seen.busy - queue.share, 0.0) * steps * seen.tpot_s * seen.mix.tokens_a_step


def _prompt_wait_s(seen: Seen, queue: Waiting) -> float:
    """Until the prompts ahead have been read, which only so many tokens of a step can be."""
    side, each = seen.one.sides[0], seen.waiting(seen.replicas)
    room = max(side.engine.max_batched_tokens - min(each.wanted, each.places), 1.0)
    share_s = prompt_share_s(side.table, seen.mix, room)
    return float(allen_cunneen_wait_s(each.rate * share_s, share_s, queue.arrival_cv2, seen.new_cv2))
