"""A worker: a process of its own that answers one question after another, and dies of what takes too long.

Reads messages from its input and writes them to its output (see `frames`). Knows no network.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from costline.answers.progress import LISTENER
from costline.errors import CostlineError, InfeasibleError, UnknownIdError
from costline.web import frames

GRACE_S = 5


def main() -> None:
    """Answers until the input ends."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not break the messages
    _limit_memory(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the application ends its workers itself
    from costline.web.shown import show, warm_up

    warm_up()
    _send(output, {"kind": "ready"})
    while (message := frames.read(sys.stdin.buffer)) is not None:
        _answer(output, message[0], show)


def _answer(output: BinaryIO, asked: dict[str, Any], show: Callable[..., dict[str, bytes]]) -> None:
    if hasattr(signal, "alarm"):
        signal.alarm(int(asked["limit_s"]) + GRACE_S)  # should the application be gone, nobody else ends this
    token = LISTENER.set(lambda words: _send(output, {"kind": "progress", "words": words}))
    try:
        _send(output, {"kind": "answer", "status": 200}, show(asked["question"], asked["arguments"]))
    except (CostlineError, MemoryError, RecursionError) as error:
        own = isinstance(error, CostlineError)
        words = str(error) if own else f"the question is too large ({type(error).__name__}); ask for less"
        _send(output, {"kind": "answer", "status": _status(error, asked["question"]), "error": words})
    except Exception as error:
        import traceback

        traceback.print_exc()
        _send(output, {"kind": "answer", "status": 500, "error": f"costline failed: {type(error).__name__}"})
    finally:
        LISTENER.reset(token)
        if hasattr(signal, "alarm"):
            signal.alarm(0)


def _status(error: Exception, question: str) -> int:
    """The status of HTTP that says it best."""
    if isinstance(error, InfeasibleError):
        return 409
    return 404 if isinstance(error, UnknownIdError) and question.startswith("catalog") else 422


def _send(output: BinaryIO, head: dict[str, Any], parts: dict[str, bytes] | None = None) -> None:
    output.write(frames.packed(head, parts))
    output.flush()


def _limit_memory(most_bytes: int) -> None:
    """A question that would eat the machine's memory fails on its own."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


if __name__ == "__main__":
    main()
