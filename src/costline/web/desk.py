"""The desk takes questions, remembers answers, shares work between equal ones, and drops what nobody waits for."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from costline.web.pool import Lane, Reply
from costline.web.settings import Settings

PATIENCE_S = 2.0
"""How long a job goes on after the last one who waited for it has left: a search that is nearly done is kept."""
MINUTE_S = 60.0
CANCELLED = Reply(409, {}, "cancelled")


class Refused(Exception):
    """A question that is not taken now: too many wait, or too many came from one client."""


@dataclass(eq=False)
class Job:
    """A question that is being worked on, and those who wait for it."""

    question: str
    key: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    started: float = field(default_factory=time.monotonic)
    words: str = "waiting for a worker"
    watchers: int = 0
    task: asyncio.Task[Reply] | None = None

    @property
    def elapsed_s(self) -> float:
        """How long it has been asked."""
        return time.monotonic() - self.started

    def tell(self, words: str) -> None:
        """What is being done now."""
        self.words = words

    async def wait(self, longest_s: float | None = None) -> Reply | None:
        """The reply, or None where it has not come in that time."""
        assert self.task is not None
        done, _ = await asyncio.wait({self.task}, timeout=longest_s)
        if not done:
            return None
        return CANCELLED if self.task.cancelled() else self.task.result()


class Desk:
    """Where questions are handed in."""

    def __init__(self, settings: Settings) -> None:
        most = settings.worker_bytes
        self.settings = settings
        self.quick = Lane(settings.quick_workers, settings.quick_waiting, settings.quick_s, most)
        self.long = Lane(settings.long_workers, settings.long_waiting, settings.long_s, most)
        self.jobs: dict[str, Job] = {}
        self.remembered: OrderedDict[str, Reply] = OrderedDict()
        self.asked: dict[str, deque[float]] = {}

    def ask(self, question: str, arguments: Mapping[str, Any], *, long: bool, client: str) -> Reply | Job:
        """The reply if it is remembered, else the job that will have it. Raises Refused."""
        key = json.dumps([question, arguments], sort_keys=True, separators=(",", ":"))
        known = self.remembered.get(key)
        if known is not None:
            self.remembered.move_to_end(key)
            return known
        if key in self.jobs:
            return self.jobs[key]
        lane = self.long if long else self.quick
        if lane.full:
            raise Refused(f"{lane.waiting} questions wait already; try again in a moment")
        if long:
            self._count(client)
        job = Job(question, key)
        self.jobs[key] = job
        job.task = asyncio.create_task(self._work(job, lane, arguments))
        return job

    async def _work(self, job: Job, lane: Lane, arguments: Mapping[str, Any]) -> Reply:
        try:
            reply = await lane.ask(job.question, arguments, job.tell)
        finally:
            self.jobs.pop(job.key, None)
        if reply.lasting:
            self.remembered[job.key] = reply
            for old in list(itertools.islice(self.remembered, max(len(self.remembered) - self.settings.remembered, 0))):
                del self.remembered[old]
        return reply

    def _count(self, client: str) -> None:
        """Counts the long questions of a client over the last minute."""
        now, recent = time.monotonic(), self.asked.setdefault(client, deque())
        while recent and now - recent[0] > MINUTE_S:
            recent.popleft()
        if len(recent) >= self.settings.long_per_minute:
            raise Refused(f"more than {self.settings.long_per_minute} long questions in a minute; wait a little")
        recent.append(now)
        for name in [name for name, times in self.asked.items() if now - times[-1] > MINUTE_S]:
            del self.asked[name]

    def watch(self, job: Job) -> None:
        """Someone waits for the job."""
        job.watchers += 1

    def leave(self, job: Job) -> None:
        """Someone no longer waits; a job that nobody waits for is ended after a little while."""
        job.watchers -= 1
        if not job.watchers and job.task is not None and not job.task.done():
            asyncio.get_running_loop().call_later(PATIENCE_S, self._drop, job)

    def _drop(self, job: Job) -> None:
        if not job.watchers and job.task is not None:
            job.task.cancel()

    def cancel(self, id: str) -> bool:
        """Ends a job; whether there was one."""
        found = [job for job in self.jobs.values() if job.id == id]
        for job in found:
            if job.task is not None:
                job.task.cancel()
        return bool(found)

    async def start(self) -> None:
        """Starts the workers that are needed first."""
        await asyncio.gather(self.quick.ready(1), self.long.ready(1))

    async def close(self) -> None:
        """Ends all work."""
        tasks = [job.task for job in self.jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.quick.close()
        await self.long.close()
