"""The explorer under load: two hundred people who move sliders at once, none of whom is lost."""

from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi", reason="needs the `web` extra")
pytestmark = pytest.mark.bench
PEOPLE, DURATION_S = 200, 30.0
BATCHES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    command = [sys.executable, "-c", "from costline.cli import main; main()", "web", "--port", "0", "--no-ahead"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
        process.terminate()
        process.wait(20)


async def person(base: str, number: int, end: float, waits: list[float], lost: list[str]) -> None:
    """One who asks again as soon as the answer is there, on one connection, always something new."""
    place = urlsplit(base)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    for turn in itertools.count():
        batch, context = BATCHES[turn % len(BATCHES)], 1024 + 16 * number + turn // len(BATCHES)
        path = f"/explorer/part?model=llama-3.1-8b&accelerator=h100-sxm&batch={batch}&context={context}"
        started = time.perf_counter()
        if started > end:
            break
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(length[1]) if length else 0)
        waits.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200") or b"data-key" not in body:
            lost.append(head.split(b"\r\n")[0].decode())
    writer.close()
    await writer.wait_closed()


async def crowd(base: str) -> tuple[list[float], list[str]]:
    """Waiting times of all, and what was lost."""
    waits, lost = list[float](), list[str]()
    end = time.perf_counter() + DURATION_S
    await asyncio.gather(*(person(base, number, end, waits, lost) for number in range(PEOPLE)))
    return waits, lost


def test_nobody_is_lost_in_a_crowd(benchmark, base: str):
    waits, lost = benchmark.pedantic(lambda: asyncio.run(crowd(base)), rounds=1)
    waits.sort()
    share = {name: waits[int(len(waits) * part)] for name, part in (("p50", 0.5), ("p99", 0.99))}
    print(f"\nexplorer, {PEOPLE} at once for {DURATION_S:.0f} s: {len(waits)} answers, {len(lost)} lost,"
          f" p50 {share['p50']:.2f} s, p99 {share['p99']:.2f} s, {len(waits) / DURATION_S:.0f} a second")  # fmt: skip
    assert lost == []
    assert len(waits) > PEOPLE
    assert share["p99"] < 30
