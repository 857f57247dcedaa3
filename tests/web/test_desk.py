"""The desk and its workers: what hangs is ended, what is asked twice is worked on once, too much is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the `web` extra")

from costline.web.desk import Desk, Job, Refused
from costline.web.pool import Reply
from costline.web.settings import Settings

ENDLESS = {"scenario": {
    "model": {"id": "deepseek-v3"}, "system": {"accelerator": ["all"], "max_accelerators": 512},
    "workload": {"input_tokens": 8192, "output_tokens": 1024, "request_rate": 50},
    "price": {"accelerator_usd_per_hour": 2},
}}  # fmt: skip
QUICK = {"model": "llama-3.1-8b", "accelerator": "l40s"}


def at_desk(ask: Callable[[Desk], Awaitable[None]], **limits: Any) -> None:
    async def run() -> None:
        desk = Desk(Settings(**limits))
        try:
            await ask(desk)
        finally:
            await desk.close()

    with ThreadPoolExecutor(1) as apart:  # the browser's driver keeps a loop of its own in this thread
        apart.submit(asyncio.run, run()).result()


async def reply(found: Reply | Job) -> Reply:
    if isinstance(found, Reply):
        return found
    said = await found.wait()
    assert said is not None
    return said


def test_what_takes_too_long_is_ended_and_the_next_question_answered():
    async def ask(desk: Desk) -> None:
        said = await reply(desk.ask("plan", ENDLESS, long=True, client="a"))
        assert (said.status, said.lasting) == (422, False)
        assert "took longer than 0.5 s" in said.error
        assert not desk.jobs
        again = await reply(desk.ask("estimate", QUICK, long=False, client="a"))
        assert again.status == 200
        assert {"data", "page", "part", "csv"} <= again.parts.keys()

    at_desk(ask, long_s=0.5, long_workers=1)


def test_equal_questions_are_worked_on_once_and_remembered():
    async def ask(desk: Desk) -> None:
        first = desk.ask("estimate", QUICK, long=False, client="a")
        assert desk.ask("estimate", dict(reversed(QUICK.items())), long=False, client="b") is first
        said = await reply(first)
        assert desk.ask("estimate", QUICK, long=False, client="c") is said
        wrong = await reply(desk.ask("estimate", {"model": "lama"}, long=False, client="a"))
        assert wrong.status == 422
        await reply(desk.ask("estimate", {**QUICK, "batch": 2}, long=False, client="a"))
        assert len(desk.remembered) == 2

    at_desk(ask, remembered=2)


def test_too_much_is_refused():
    async def ask(desk: Desk) -> None:
        desk.ask("plan", ENDLESS, long=True, client="a")
        desk.ask("plan", {**ENDLESS, "top": 1}, long=True, client="a")
        with pytest.raises(Refused, match="more than 2 long questions in a minute"):
            desk.ask("plan", {**ENDLESS, "top": 2}, long=True, client="a")
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="1 questions wait already"):
            desk.ask("plan", {**ENDLESS, "top": 2}, long=True, client="b")

    at_desk(ask, long_per_minute=2, long_waiting=1, long_workers=1)


def test_what_nobody_waits_for_is_dropped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("costline.web.desk.PATIENCE_S", 0.1)

    async def ask(desk: Desk) -> None:
        job = desk.ask("plan", ENDLESS, long=True, client="a")
        assert isinstance(job, Job)
        desk.watch(job)
        assert await job.wait(0.2) is None
        desk.leave(job)
        said = await job.wait(5)
        assert said is not None
        assert said.error == "cancelled"
        assert not desk.jobs

    at_desk(ask)


def test_a_worker_that_dies_is_replaced():
    async def ask(desk: Desk) -> None:
        job = desk.ask("plan", ENDLESS, long=True, client="a")
        assert isinstance(job, Job)
        await desk.quick.ready(1)
        desk.quick.idle[0].process.kill()
        await desk.quick.idle[0].process.wait()
        assert (await reply(desk.ask("estimate", QUICK, long=False, client="a"))).status == 200
        desk.cancel(job.id)

    at_desk(ask)
