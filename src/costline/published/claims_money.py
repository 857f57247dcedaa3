"""Formulas of claims about prices, ownership, demand and waiting, and plain arithmetic. One function a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist

from costline.quantities import HOUR_S, HOURS_PER_YEAR, MEGA, MINUTE_S


def _product(**factors: float) -> float:
    return math.prod(factors.values())


def _total(**parts: float) -> float:
    return sum(parts.values())


def _ratio(*, of: float, to: float) -> float:
    return of / to


def _difference(*, of: float, less: float) -> float:
    return of - less


def _saving(*, before: float, after: float) -> float:
    return 1 - after / before


def _increase(*, before: float, after: float) -> float:
    return after / before - 1


def _power(*, of: float, exponent: float) -> float:
    return of**exponent


def _hours(*, seconds: float) -> float:
    return seconds / HOUR_S


def _fleet_replicas(*, queries_per_s: float, output_tokens: float, batch: float, step_s: float) -> float:
    """Replicas that decode so many queries, before rounding up."""
    return queries_per_s * output_tokens * step_s / batch


def _bill_usd(
    *,
    requests: float,
    input_tokens: float,
    output_tokens: float,
    input_usd_per_mtok: float,
    output_usd_per_mtok: float,
) -> float:
    return requests * (input_tokens * input_usd_per_mtok + output_tokens * output_usd_per_mtok) / MEGA


def _stacked_discount(*, first: float, second: float) -> float:
    return 1 - (1 - first) * (1 - second)


def _share_of_list_price(
    *,
    input_tokens: float,
    output_tokens: float,
    input_usd_per_mtok: float,
    output_usd_per_mtok: float,
    cached_share: float,
    cache_discount: float,
    batch_discount: float,
) -> float:
    list_usd = input_tokens * input_usd_per_mtok + output_tokens * output_usd_per_mtok
    cut_usd = input_tokens * input_usd_per_mtok * cached_share * cache_discount
    return (list_usd - cut_usd) * (1 - batch_discount) / list_usd


def _cache_write_requests(*, write_price: float, read_price: float) -> float:
    """Fewest requests n for which one write and n - 1 reads cost less than n uncached requests."""
    return math.floor((write_price - read_price) / (1 - read_price)) + 1


def _indifferent_input_share(
    *,
    input_usd_per_mtok: float,
    output_usd_per_mtok: float,
    other_input_usd_per_mtok: float,
    other_output_usd_per_mtok: float,
) -> float:
    """Input over output tokens at which two price cards cost the same."""
    dearer_output = output_usd_per_mtok - other_output_usd_per_mtok
    return dearer_output / (other_input_usd_per_mtok - input_usd_per_mtok)


def _annual_decline(*, multiple: float, years: float) -> float:
    return 1 - (1 / multiple) ** (1 / years)


def _volume_gain(*, price_cut: float, elasticity: float) -> float:
    return (1 - price_cut) ** -elasticity - 1


def _pass_through(*, cost_cut: float, exponent: float) -> float:
    return 1 - (1 - cost_cut) ** exponent


def _routed_usd_per_mtok(*, strong_share: float, strong_usd_per_mtok: float, weak_usd_per_mtok: float) -> float:
    return strong_share * strong_usd_per_mtok + (1 - strong_share) * weak_usd_per_mtok


def _shortfall(*, committed: float, drawn: float) -> float:
    return max(0.0, committed - drawn)


def _owned_usd_per_gpu_hour(*, usd: float, years: float, gpus: float, utilization: float) -> float:
    return usd / (gpus * years * HOURS_PER_YEAR * utilization)


def _depreciation_usd_per_hour(*, usd: float, salvage: float, years: float) -> float:
    return usd * (1 - salvage) / (years * HOURS_PER_YEAR)


def _downtime_hours(*, availability: float) -> float:
    return (1 - availability) * HOURS_PER_YEAR


def _downtime_minutes(*, availability: float) -> float:
    return _downtime_hours(availability=availability) * MINUTE_S


def _erlang_c(*, servers: float, load: float) -> float:
    """Chance that a request waits, by the recursion for Erlang's loss formula."""
    blocked = 1.0
    for count in range(1, int(servers) + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def _lognormal(mean: float, variation: float) -> NormalDist:
    """The normal distribution of the logarithm."""
    variance = math.log(1 + variation**2)
    return NormalDist(math.log(mean) - variance / 2, math.sqrt(variance))


def _clipped_moment(logarithm: NormalDist, order: int, limit: float) -> float:
    """E[min(X, limit)^order] of a lognormal X."""
    mu, sigma = logarithm.mean, logarithm.stdev
    below = NormalDist(mu + order * sigma**2, sigma).cdf(math.log(limit)) if math.isfinite(limit) else 1.0
    whole = math.exp(order * mu + (order * sigma) ** 2 / 2)
    above = limit**order * (1 - logarithm.cdf(math.log(limit))) if math.isfinite(limit) else 0.0
    return whole * below + above


def _mg1_wait_s(
    *, requests_per_s: float, mean_tokens: float, variation: float, token_s: float, limit: float = math.inf
) -> float:
    """Pollaczek and Khinchine's mean wait for lognormal outputs, cut at `limit` tokens."""
    logarithm = _lognormal(mean_tokens, variation)
    first, second = (token_s**n * _clipped_moment(logarithm, n, limit) for n in (1, 2))
    return requests_per_s * second / (2 * (1 - requests_per_s * first))


def _clipped_wait_cut(
    *, requests_per_s: float, mean_tokens: float, variation: float, token_s: float, percentile: float
) -> float:
    limit = math.exp(_lognormal(mean_tokens, variation).inv_cdf(percentile))
    load = {"requests_per_s": requests_per_s, "mean_tokens": mean_tokens}
    service = {"variation": variation, "token_s": token_s}
    return 1 - _mg1_wait_s(**load, **service, limit=limit) / _mg1_wait_s(**load, **service)


FORMULAS: Mapping[str, Callable[..., float]] = {
    "product": _product,
    "total": _total,
    "ratio": _ratio,
    "difference": _difference,
    "saving": _saving,
    "increase": _increase,
    "power": _power,
    "hours": _hours,
    "fleet_replicas": _fleet_replicas,
    "bill_usd": _bill_usd,
    "stacked_discount": _stacked_discount,
    "share_of_list_price": _share_of_list_price,
    "cache_write_requests": _cache_write_requests,
    "indifferent_input_share": _indifferent_input_share,
    "annual_decline": _annual_decline,
    "volume_gain": _volume_gain,
    "pass_through": _pass_through,
    "routed_usd_per_mtok": _routed_usd_per_mtok,
    "shortfall": _shortfall,
    "owned_usd_per_gpu_hour": _owned_usd_per_gpu_hour,
    "depreciation_usd_per_hour": _depreciation_usd_per_hour,
    "downtime_hours": _downtime_hours,
    "downtime_minutes": _downtime_minutes,
    "erlang_c": _erlang_c,
    "mg1_wait_s": _mg1_wait_s,
    "clipped_wait_cut": _clipped_wait_cut,
}
"""By the name that claims.yml uses."""
