"""Whether the numbers can be true together, and true at all: Little's law, batch over time per token, physical bounds.

Each check says what was given, what follows from the rest, and why.
"""

from __future__ import annotations

from typing import Any

from costline.answers.audit.limits import least_shares, least_tpot_s, least_ttft_s, most_tokens_per_s
from costline.answers.audit.situation import Situation
from costline.quantities import PERCENT, format_seconds, significant

TOLERANCE = 0.1
"""Benchmarks round, ramp up and cool down: smaller differences prove nothing."""
ALONE = 1.0


def checks(now: Situation) -> list[dict[str, Any]]:
    """All checks that the given numbers allow."""
    found = [_batch_over_tpot(now), _little(now), _rate(now), _running(now), _room(now)]
    found += [_fast_tokens(now), _fast_first(now), _much(now), _reported(now)]
    return [one for one in found if one is not None]


def _check(name: str, given: float, follows: float, holds: bool, words: str) -> dict[str, Any]:
    return {"name": name, "holds": bool(holds), "given": given, "follows": follows, "words": words}


def _near(one: float, other: float) -> bool:
    return abs(one / other - 1.0) <= TOLERANCE


def _batch_over_tpot(now: Situation) -> dict[str, Any] | None:
    seen = now.measured
    if seen.batch is None or now.tpot_s is None or seen.output_tokens_per_s is None:
        return None
    in_all = seen.batch * now.plan.replicas
    follows = in_all / now.tpot_s
    words = (
        f"{in_all:g} sequences at {format_seconds(now.tpot_s)} a token make {significant(follows)} tokens/s, "
        f"not {significant(seen.output_tokens_per_s)}"
    )
    holds = _near(seen.output_tokens_per_s, follows)
    return _check("tokens/s = batch / TPOT", seen.output_tokens_per_s, follows, holds, words)


def _little(now: Situation) -> dict[str, Any] | None:
    """Requests in flight are their rate times the time that each takes."""
    work, seen = now.base.scenario.workload, now.measured
    in_flight = work.concurrency
    if in_flight is None or seen.batch is not None or seen.output_tokens_per_s is None or now.tpot_s is None:
        return None
    first = now.column("ttft_s") if now.ttft_s is None else now.ttft_s
    took = first + now.load.decode_steps * now.tpot_s
    follows = seen.output_tokens_per_s / now.load.output_tokens * took
    said = "" if now.ttft_s is not None else ", with the expected TTFT"
    words = (
        f"{significant(seen.output_tokens_per_s / now.load.output_tokens)} requests/s of {format_seconds(took)} each"
        f"{said} keep {significant(follows)} in flight, not {in_flight:g}"
    )
    return _check("concurrency = rate × latency", in_flight, follows, _near(in_flight, follows), words)


def _rate(now: Situation) -> dict[str, Any] | None:
    rate, seen = now.base.scenario.workload.request_rate, now.measured.output_tokens_per_s
    if rate is None or seen is None:
        return None
    follows = rate * now.load.output_tokens
    words = f"{rate:g} requests/s of {now.load.output_tokens:,.0f} tokens make {significant(follows)} tokens/s"
    return _check("tokens/s = rate × output", seen, follows, _near(seen, follows), words)


def _running(now: Situation) -> dict[str, Any] | None:
    """Sequences that decode cannot outnumber the requests in flight."""
    in_flight, seen = now.base.scenario.workload.concurrency, now.measured
    if in_flight is None or seen.output_tokens_per_s is None or now.tpot_s is None:
        return None
    decoding = seen.output_tokens_per_s * now.tpot_s
    words = f"tokens/s × TPOT says that {significant(decoding)} sequences decode; {in_flight:g} are in flight"
    return _check("decoding ≤ in flight", in_flight, decoding, decoding <= in_flight * (1 + TOLERANCE), words)


def _room(now: Situation) -> dict[str, Any]:
    held = now.running * now.plan.pp
    words = f"{significant(held)} sequences decode on a replica; it has room for {now.places:,}"
    return _check("batch fits", held, float(now.places), held <= now.places * (1 + TOLERANCE), words)


def _fast_tokens(now: Situation) -> dict[str, Any] | None:
    if now.tpot_s is None:
        return None
    alone = least_tpot_s(now, ALONE)
    words = f"no step is shorter than {format_seconds(alone)}, even for one sequence: weights and cache are read"
    return _check("TPOT ≥ bound", now.tpot_s, alone, now.tpot_s >= alone, words)


def _fast_first(now: Situation) -> dict[str, Any] | None:
    if now.ttft_s is None:
        return None
    least = least_ttft_s(now)
    words = (
        f"a prompt of {now.load.new_tokens:,.0f} new tokens takes at least {format_seconds(least)} at peak arithmetic; "
        "cached prompts would be shorter"
    )
    return _check("TTFT ≥ bound", now.ttft_s, least, now.ttft_s >= least, words)


def _much(now: Situation) -> dict[str, Any] | None:
    seen = now.measured.output_tokens_per_s
    if seen is None:
        return None
    most = most_tokens_per_s(now, max(now.most, now.running))
    words = f"no batch that fits makes more than {significant(most)} tokens/s"
    return _check("tokens/s ≤ bound", seen, most, seen <= most, words)


def _reported(now: Situation) -> dict[str, Any] | None:
    """A device counts as utilised while any kernel runs, so no share of a peak can exceed that."""
    reported = now.measured.utilization_percent
    if reported is None:
        return None
    share, most = reported / PERCENT, max(least_shares(now).values())
    words = (
        f"the output takes at least {most * PERCENT:.1f} % of the peak bandwidth or arithmetic; a device reports the "
        f"share of time with any kernel running, here {reported:g} %"
    )
    return _check("reported utilisation ≥ bound of MFU and MBU", share, most, share >= most, words)
