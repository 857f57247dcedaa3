"""Workers and the lanes they stand in: how many questions are worked on at once, and what happens to a hung one.

A worker is a process, so that a question that takes too long or is cancelled can be ended at once. Knows no question.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from costline.web import frames

Tell = Callable[[str], None]
START_S = 60.0
"""Longest that a worker may take to start, its first compilation included."""


@dataclass(frozen=True)
class Reply:
    """What came back: a status as of HTTP, and the answer's parts or what was wrong."""

    status: int
    parts: Mapping[str, bytes]
    error: str = ""
    lasting: bool = False
    """Whether the same question always has this reply."""


@dataclass
class Worker:
    """One process that answers questions, one after another."""

    process: Process

    @classmethod
    async def start(cls, most_bytes: int) -> Worker:
        """A worker that is ready."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "costline.web.worker", str(most_bytes),
            stdin=PIPE, stdout=PIPE,
        )  # fmt: skip
        worker = cls(process)
        try:
            async with asyncio.timeout(START_S):
                await worker._next()
        except BaseException:
            await worker.end()
            raise
        return worker

    async def ask(self, message: Mapping[str, Any], tell: Tell) -> Reply:
        """The reply to a question; `tell` hears what the worker says on the way."""
        assert self.process.stdin is not None
        self.process.stdin.write(frames.packed(message))
        await self.process.stdin.drain()
        while True:
            head, parts = await self._next()
            if head["kind"] == "answer":
                return Reply(head["status"], parts, head.get("error", ""), lasting=head["status"] < 500)
            tell(head["words"])

    async def _next(self) -> frames.Frame:
        assert self.process.stdout is not None
        return await frames.receive(self.process.stdout)

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self.process.returncode is None

    async def end(self) -> None:
        """Ends the process, whatever it does, and waits until it is gone."""
        if self.alive:
            self.process.kill()
        with suppress(ConnectionError):
            await self.process.communicate()


@dataclass
class Lane:
    """Workers for one sort of question. Started as they are needed, and anew after one has died."""

    workers: int
    waiting: int
    limit_s: float
    worker_bytes: int
    idle: list[Worker] = field(default_factory=list[Worker])
    queued: int = 0

    def __post_init__(self) -> None:
        self.room = asyncio.Semaphore(self.workers)

    @property
    def full(self) -> bool:
        """Whether a further question would wait behind too many."""
        return self.queued >= self.waiting

    async def ready(self, count: int) -> None:
        """Starts so many workers ahead of questions."""
        while len(self.idle) < count:
            self.idle.append(await Worker.start(self.worker_bytes))

    async def ask(self, question: str, arguments: Mapping[str, Any], tell: Tell) -> Reply:
        """The reply to a question, once a worker is free; ended where it takes longer than the lane allows."""
        self.queued += 1
        try:
            await self.room.acquire()
        finally:
            self.queued -= 1
        try:
            return await self._asked(question, arguments, tell)
        finally:
            self.room.release()

    async def _asked(self, question: str, arguments: Mapping[str, Any], tell: Tell) -> Reply:
        try:
            worker = await self._free()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return Reply(503, {}, "no worker could be started; look at what the application printed")
        message = {"question": question, "arguments": arguments, "limit_s": self.limit_s}
        try:
            async with asyncio.timeout(self.limit_s):
                reply = await worker.ask(message, tell)
        except TimeoutError:
            await worker.end()
            words = f"{question} took longer than {self.limit_s:g} s"
            return Reply(422, {}, f"{words}; ask for less: fewer accelerators, models or requests")
        except (asyncio.IncompleteReadError, ConnectionError):
            await worker.end()
            return Reply(422, {}, f"{question} needed more memory or time than a worker has; ask for less")
        except BaseException:  # cancelled: the process is in the middle of something
            await worker.end()
            raise
        self.idle.append(worker)
        return reply

    async def _free(self) -> Worker:
        while self.idle:
            worker = self.idle.pop()
            if worker.alive:
                return worker
            await worker.end()
        return await Worker.start(self.worker_bytes)

    async def close(self) -> None:
        """Ends the idle workers; busy ones end with the tasks that wait for them."""
        idle, self.idle = self.idle, []
        await asyncio.gather(*(worker.end() for worker in idle))
