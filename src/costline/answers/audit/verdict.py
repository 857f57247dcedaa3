"""Good or bad, in one plain sentence, from the numbers of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costline.quantities import PERCENT, significant

Row = Mapping[str, Any]
WELL_USED = 0.4
"""Share of what the deployment can serve from which its use is not the first thing to change."""
WELL_BELOW, WELL_ABOVE = 0.6, 1.5
"""Speed over the expected one that is out of the usual where the expectation is not calibrated."""
CAUSES: Mapping[str, str] = {
    "batch too small": "too few sequences decode together",
    "prompts and decoding in turn": "prompts and decoding take turns",
    "kernels below the datasheet": "kernels stay below the datasheet, as they do everywhere",
    "communication between accelerators": "accelerators wait for one another",
    "launch and host": "the device waits for the host",
    "idle": "nothing runs for most of the time",
    "unexplained": "something slows it that the model does not know",
}


def impossible(checks: Sequence[Row]) -> list[Row]:
    """The checks against physical bounds that fail."""
    return [check for check in checks if not check["holds"] and "bound" in check["name"]]


def verdict(data: Row) -> dict[str, Any]:
    """One of `impossible`, `contradictory`, `slow`, `underused`, `fast` and `good`, with the sentence."""
    if worst := impossible(data["checks"]):
        return {"word": "impossible", "words": f"These numbers cannot be true: {worst[0]['words']}."}
    word, words = _judged(data, data["used_share"], data["speed"])
    if broken := [check for check in data["checks"] if not check["holds"]]:
        return {"word": "contradictory", "words": f"The numbers contradict one another: {broken[0]['words']}. {words}"}
    return {"word": word, "words": words}


def _judged(data: Row, used: float, speed: Row) -> tuple[str, str]:
    ratio, low, high = speed["measured_over_expected"], speed["p10"], speed["p90"]
    usual = f"usual: {low * PERCENT:.0f} to {high * PERCENT:.0f} %" if low else "only calibration says what is usual"
    part = f"{used * PERCENT:.0f} % of what this deployment can serve"
    cause = CAUSES[_largest(data["gaps"])]
    if ratio is not None and ratio < (low or WELL_BELOW):
        return "slow", (
            f"Bad: it runs at {significant(ratio * PERCENT, 2)} % of the speed that is expected at this load "
            f"({usual}); {cause}."
        )
    as_expected = "" if ratio is None else f" It runs at {significant(ratio * PERCENT, 2)} % of the expected speed."
    if used < WELL_USED:
        words = f"Bad use rather than bad speed: the output is {part}; {cause}, and the machines cost the same."
        return "underused", words + as_expected
    if ratio is not None and ratio > (high or WELL_ABOVE):
        return "fast", f"Better than expected: {significant(ratio * PERCENT, 2)} % of the expected speed, {part}."
    return "good", f"Good: the output is {part}.{as_expected}"


def _largest(gaps: Sequence[Row]) -> str:
    lost = [gap for gap in gaps if gap["name"] != "limit"]
    return str(max(lost, key=lambda gap: gap["share"])["name"])
