"""Little's law, and what a benchmark says about itself: rates, times and requests in flight that must agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costline.quantities import Array, Numeric, as_array


def in_flight(requests_per_s: Numeric, e2e_s: Numeric) -> Array:
    """Requests in flight.

    Equation
        N = lambda T

    Parameters
        requests_per_s  lambda  [request/s]  array  that come, and that are answered
        e2e_s           T       [s]          array  mean time of a request

    Returns
        N  [request]  array

    Holds when  over a long time nothing piles up.
    Source      [little-1961]
    Raises      nothing

    >>> float(in_flight(2.5, 4.0))
    10.0
    """
    return as_array(requests_per_s) * e2e_s


def step_tokens_per_s(batch: Numeric, step_s: Numeric) -> Array:
    """Tokens that steps make.

    Equation
        R = B / t

    Parameters
        batch   B  [1]  array  sequences of a step, one token each
        step_s  t  [s]  array  > 0

    Returns
        R  [token/s]  array

    Holds when  steps follow each other without a pause and make one token a sequence.
    Source      [derived]
    Raises      nothing

    >>> round(float(step_tokens_per_s(8, 0.150)), 1)
    53.3
    """
    return as_array(batch) / step_s


@dataclass(frozen=True)
class Disagreement:
    """A number that a benchmark states and that its other numbers contradict."""

    name: str
    stated: float
    implied: float
    law: str

    @property
    def ratio(self) -> float:
        """Stated over implied."""
        return self.stated / self.implied

    @property
    def words(self) -> str:
        """One line."""
        return f"{self.name}={self.stated:g} is {self.ratio:.2f} times the {self.implied:.3g} that {self.law} gives"


def disagreements(
    *,
    requests_per_s: float | None = None,
    e2e_s: float | None = None,
    in_flight_requests: float | None = None,
    batch: float | None = None,
    step_s: float | None = None,
    tokens_per_s: float | None = None,
    output_tokens: float | None = None,
    ttft_s: float | None = None,
    tpot_s: float | None = None,
    tolerance: float = 0.05,
) -> tuple[Disagreement, ...]:
    """What does not fit together in the numbers of a benchmark, those left out not being checked.

    Laws: N = λ T; tokens/s = B / t; tokens/s = λ O; T = TTFT + (O − 1) TPOT.
    """
    laws = (
        ("in_flight_requests", in_flight_requests, _product(requests_per_s, e2e_s), "rate times time (Little)"),
        ("tokens_per_s", tokens_per_s, _product(batch, None if not step_s else 1 / step_s), "batch over step time"),
        ("tokens_per_s", tokens_per_s, _product(requests_per_s, output_tokens), "rate times answer length"),
        ("e2e_s", e2e_s, _request_time(ttft_s, tpot_s, output_tokens), "TTFT and TPOT of all other tokens"),
    )
    return tuple(
        Disagreement(name, stated, implied, law)
        for name, stated, implied, law in laws
        if stated is not None and implied and abs(np.log(max(stated, 1e-300) / implied)) > np.log1p(tolerance)
    )


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def _request_time(ttft_s: float | None, tpot_s: float | None, output_tokens: float | None) -> float | None:
    if ttft_s is None or tpot_s is None or output_tokens is None:
        return None
    return ttft_s + tpot_s * max(output_tokens - 1, 0)
