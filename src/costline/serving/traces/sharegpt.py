"""Conversations as ShareGPT and chat APIs store them: texts without times. Lengths come from a count of tokens.

Knows the names of the turns; the caller may bring a tokenizer, otherwise characters stand in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from costline.errors import InputError
from costline.quantities import as_array
from costline.serving.sessions import said_before
from costline.serving.traces.trace import Trace, fault

CHARACTERS_PER_TOKEN = 4.0
"""Assumed: of English text with a large vocabulary."""
_ASKS = {"human", "user"}
_ANSWERS = {"gpt", "assistant", "chatgpt", "bing", "bard", "model"}
_OTHERS = {"system", "tool", "function", "developer"}
TokenCount = Callable[[str], float]


def estimated_tokens(text: str) -> float:
    """Tokens of a text from its characters."""
    return float(np.ceil(len(text) / CHARACTERS_PER_TOKEN))


def read_sharegpt(document: list[Any], path: str, count_tokens: TokenCount | None = None) -> Trace:
    """One request for each answer, conversations in their order; the file has no times."""
    tokens = count_tokens or estimated_tokens
    session: list[int] = []
    asked: list[float] = []
    answered: list[float] = []
    for row, entry in enumerate(document, start=1):
        for question, answer in _exchanges(_turns(entry, path, row), path, row):
            session.append(row - 1)
            asked.append(max(sum(map(tokens, question)), 1.0))
            answered.append(max(tokens(answer), 1.0))
    if not session:
        raise InputError(
            f"trace {path} has no answers in its {len(document):,} conversations; give turns of both sides"
        )
    sessions, new, outputs = np.array(session, np.int64), as_array(asked), as_array(answered)
    notes = () if count_tokens else (f"tokens are counted as {CHARACTERS_PER_TOKEN:g} characters each, assumed",)
    inputs = new + said_before(sessions, new, outputs)
    nowhere = np.zeros(sessions.size)
    return Trace(path, "sharegpt", 0.0, nowhere, inputs, outputs, timed=False, session=sessions, notes=notes)


def _turns(entry: Any, path: str, row: int) -> list[Any]:
    found = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
    turns = found.get("conversations", found.get("conversation", found.get("messages")))
    if not isinstance(turns, list):
        raise fault(path, row, f"{entry!r:.40} must be an object with conversations; write a list of turns under it")
    return cast(list[Any], turns)


def _exchanges(turns: list[Any], path: str, row: int) -> Iterator[tuple[list[str], str]]:
    """What was said since the last answer, and the answer."""
    said: list[str] = []
    for turn in turns:
        found = cast(dict[str, Any], turn) if isinstance(turn, dict) else {}
        who, text = found.get("from", found.get("role")), found.get("value", found.get("content"))
        if not isinstance(text, str):
            raise fault(path, row, f"{turn!r:.40} must be a turn with from and value; write its text")
        if who in _ANSWERS and said:
            yield said, text
            said = []
        elif who in _ASKS | _OTHERS | _ANSWERS:
            said.append(text)
        else:
            raise fault(path, row, f"from={who!r:.40} must be one of human, gpt and system; correct it")
