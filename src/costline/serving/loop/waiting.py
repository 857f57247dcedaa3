"""The waiting requests of a replica: a pairing heap whose links lie in the requests, so that queues take no room.

Knows the order of requests; not when they may join.
"""

from __future__ import annotations

from costline.serving.compiled import compiled
from costline.serving.loop.state import Rows
from costline.serving.scheduler import SJF


@compiled
def is_before(requests: Rows, one: int, other: int, order: int) -> bool:
    """Whether one waiting request is served before the other."""
    a, b = requests[one], requests[other]
    if order == SJF:
        return (a.tier, a.output, one) < (b.tier, b.output, other)
    return (a.tier, a.ready_s, one) < (b.tier, b.ready_s, other)


@compiled
def joined(requests: Rows, one: int, other: int, order: int) -> int:
    """Root of two heaps made one."""
    if one < 0:
        return other
    if other < 0:
        return one
    if is_before(requests, other, one, order):
        one, other = other, one
    requests[other].sibling = requests[one].child
    requests[one].child = other
    return one


@compiled
def with_request(requests: Rows, root: int, request: int, order: int) -> int:
    """Root of the heap with one request more."""
    requests[request].child = -1
    requests[request].sibling = -1
    return joined(requests, root, request, order)


@compiled
def without_root(requests: Rows, root: int, order: int) -> int:
    """Root of the heap without its first request."""
    child, pairs = requests[root].child, -1
    while child >= 0:
        one, other = child, requests[child].sibling
        child = requests[other].sibling if other >= 0 else -1
        requests[one].sibling = -1
        if other >= 0:
            requests[other].sibling = -1
        pair = joined(requests, one, other, order)
        requests[pair].sibling = pairs
        pairs = pair
    rest = -1
    while pairs >= 0:
        pair, pairs = pairs, requests[pairs].sibling
        requests[pair].sibling = -1
        rest = joined(requests, rest, pair, order)
    return rest
