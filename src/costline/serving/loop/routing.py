"""Which replica takes a request.

Knows replicas by their mode, role, load and prefix cache; not their engines' queues.
"""

from __future__ import annotations

from costline.serving.compiled import compiled
from costline.serving.loop.memory import (
    cache_of,
    engines_of,
    item_start_of,
    replicas_of,
    requests_of,
    session_of,
    session_of_of,
)
from costline.serving.loop.prefix_cache import cached_tokens
from costline.serving.loop.state import DECODE, ON, PREFILL, Row
from costline.serving.loop.step_time import chance, mixed_bits

ROUND_ROBIN, RANDOM, LEAST_LOADED, POWER_OF_TWO, PREFIX_AWARE, SESSION = 0, 1, 2, 3, 4, 5


@compiled
def can_take(replica: Row, has_kv: bool) -> bool:
    """Whether a replica is up and of the role that a request needs next."""
    return replica.mode == ON and replica.role != (PREFILL if has_kv else DECODE)


@compiled
def in_turn(run: Row, has_kv: bool) -> int:
    """The replicas one after the other."""
    count = len(replicas_of(run))
    turn = run.turn_with_kv if has_kv else run.turn
    for offset in range(count):
        number = (turn + offset) % count
        if can_take(replicas_of(run)[number], has_kv):
            if has_kv:
                run.turn_with_kv = number + 1
            else:
                run.turn = number + 1
            return number
    return -1


@compiled
def least_loaded(run: Row, has_kv: bool) -> int:
    """The replica with the fewest requests in flight, the first of several."""
    best = -1
    for number in range(len(replicas_of(run))):
        replica = replicas_of(run)[number]
        if can_take(replica, has_kv) and (best < 0 or replica.in_flight < replicas_of(run)[best].in_flight):
            best = number
    return best


@compiled
def drawn(run: Row, has_kv: bool, draw: float, without: int) -> int:
    """One of the replicas, all as likely, but for one."""
    count = 0
    for number in range(len(replicas_of(run))):
        count += number != without and can_take(replicas_of(run)[number], has_kv)
    place = int(draw * count)
    for number in range(len(replicas_of(run))):
        if number != without and can_take(replicas_of(run)[number], has_kv):
            if place == 0:
                return number
            place -= 1
    return -1


@compiled
def better_of_two(run: Row, has_kv: bool, seed: int) -> int:
    """The less loaded of two that are drawn."""
    one = drawn(run, has_kv, chance(seed, 1), -1)
    other = drawn(run, has_kv, chance(seed, 2), one)
    if other >= 0 and replicas_of(run)[other].in_flight < replicas_of(run)[one].in_flight:
        return other
    return one


@compiled
def longest_prefix(run: Row, request: int) -> int:
    """The replica that has most of a prompt cached, of those that are not much more loaded than the least."""
    least = least_loaded(run, False)
    if least < 0 or len(item_start_of(run)) <= 1:
        return least
    limit = replicas_of(run)[least].in_flight + run.prefix_load_limit
    best, most = least, -1
    for number in range(len(replicas_of(run))):
        replica = replicas_of(run)[number]
        if not can_take(replica, False) or replica.in_flight > limit:
            continue
        cached = cached_tokens(run, cache_of(run, number), request, engines_of(run)[replica.pool].block)
        if cached > most or (cached == most and replica.in_flight < replicas_of(run)[best].in_flight):
            best, most = number, cached
    return best


@compiled
def session_replica(run: Row, request: int) -> int:
    """Where the session's earlier requests went, while that replica is up."""
    if len(session_of_of(run)) == 0:
        return least_loaded(run, False)
    session = session_of_of(run)[request]
    number = session_of(run)[session]
    if number < 0 or not can_take(replicas_of(run)[number], False):
        number = least_loaded(run, False)
        session_of(run)[session] = number
    return number


@compiled
def route(run: Row, request: int, router: int) -> int:
    """The replica that a request goes to; −1 where none is up."""
    row = requests_of(run)[request]
    has_kv = row.has_kv == 1
    if router == ROUND_ROBIN:
        return in_turn(run, has_kv)
    if router in (RANDOM, POWER_OF_TWO):
        seed = mixed_bits(run.seed + 1, request * 64 + row.retries * 2 + row.has_kv)
        return drawn(run, has_kv, chance(seed, 1), -1) if router == RANDOM else better_of_two(run, has_kv, seed)
    if router == PREFIX_AWARE and not has_kv:
        return longest_prefix(run, request)
    if router == SESSION and not has_kv:
        return session_replica(run, request)
    return least_loaded(run, has_kv)
