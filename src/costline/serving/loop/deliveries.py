"""Requests on their way: those sent again, handed over, or sent when another has ended; a heap by time.

Knows when each comes; not where it goes.
"""

from __future__ import annotations

from costline.serving.compiled import compiled
from costline.serving.loop.state import Row, Rows


@compiled
def comes_before(one: Row, other: Row) -> bool:
    """Whether one delivery comes before the other."""
    return one.time_s < other.time_s or (one.time_s == other.time_s and one.request < other.request)


@compiled
def swap(heap: Rows, one: int, other: int) -> None:
    """Exchange two deliveries."""
    time_s, request = heap[one].time_s, heap[one].request
    heap[one].time_s, heap[one].request = heap[other].time_s, heap[other].request
    heap[other].time_s, heap[other].request = time_s, request


@compiled
def send(run: Row, heap: Rows, request: int, time_s: float) -> None:
    """A request is to come at a time."""
    place = run.pending
    run.pending += 1
    heap[place].time_s = time_s
    heap[place].request = request
    while place > 0 and comes_before(heap[place], heap[(place - 1) // 2]):
        swap(heap, place, (place - 1) // 2)
        place = (place - 1) // 2


@compiled
def take(run: Row, heap: Rows) -> int:
    """The next request to come."""
    request = heap[0].request
    run.pending -= 1
    last = run.pending
    swap(heap, 0, last)
    place = 0
    while True:
        low = 2 * place + 1
        if low >= last:
            break
        if low + 1 < last and comes_before(heap[low + 1], heap[low]):
            low += 1
        if not comes_before(heap[low], heap[place]):
            break
        swap(heap, place, low)
        place = low
    return request
