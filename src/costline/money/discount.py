"""Discounts of list prices on whole workloads: prompt caches with writes and lifetimes, batches, tokenizers.

Knows shares and multiples of a price. Knows no provider.
"""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import MEGA, Array, Numeric, as_array


def cache_price_multiple(hit_share: Numeric, read_multiple: Numeric = 0.1, write_multiple: Numeric = 1.25) -> Array:
    """Price of a cacheable prefix over its list price: hits pay a read, misses a write.

    Equation
        m = h r + (1 - h) w

    Parameters
        hit_share       h  [1]  array  in [0, 1], share of requests that find the prefix
        read_multiple   r  [1]  array  >= 0, price of a cached token over an input token's
        write_multiple  w  [1]  array  >= 0, price of writing one; 1 where writes are free of premium

    Returns
        m  [1]  array

    Holds when  every miss writes the prefix again.
    Source      [anthropic-pricing] reads at 0.1, writes at 1.25 (5 minutes) or 2 (1 hour)
    Raises      DomainError if the share is not in [0, 1] or a multiple is negative

    >>> round(float(cache_price_multiple(0.7)), 3), float(cache_price_multiple(0.0, 0.1, 1.0))
    (0.445, 1.0)
    """
    hit, read, write = as_array(hit_share), as_array(read_multiple), as_array(write_multiple)
    _check_share("hit_share", hit)
    _check_not_negative("read_multiple", read)
    _check_not_negative("write_multiple", write)
    return hit * read + (1 - hit) * write


def cache_hit_share(requests_per_s: Numeric, lifetime_s: Numeric) -> Array:
    """Share of requests that find their prefix still cached, when each use renews its life.

    Equation
        h = 1 - exp(-λ T)

    Parameters
        requests_per_s  λ  [1/s]  array  >= 0, requests with this prefix
        lifetime_s      T  [s]    array  >= 0, life of an entry after its last use

    Returns
        h  [1]  array

    Holds when  arrivals are Poisson and a read renews the entry at no charge; otherwise fewer hit.
    Source      [derived]
    Raises      DomainError if a rate or a life is negative

    >>> round(float(cache_hit_share(1 / 300, 300)), 3), float(cache_hit_share(0.0, 300))
    (0.632, 0.0)
    """
    rate, life = as_array(requests_per_s), as_array(lifetime_s)
    _check_not_negative("requests_per_s", rate)
    _check_not_negative("lifetime_s", life)
    return -np.expm1(-rate * life)


def cache_break_even_requests(write_multiple: Numeric, read_multiple: Numeric) -> Array:
    """Fewest requests with one prefix for which writing it once and reading it after costs less than no cache.

    Equation
        n = floor((w - r) / (1 - r)) + 1, the least n with w + r (n - 1) < n

    Parameters
        write_multiple  w  [1]  array  >= 0, price of a write over an input token's
        read_multiple   r  [1]  array  >= 0, price of a read over an input token's

    Returns
        n  [request]  array; inf where a read saves nothing

    Holds when  the entry outlives all n requests.
    Source      [derived]
    Raises      DomainError if a multiple is negative

    >>> float(cache_break_even_requests(1.25, 0.1)), float(cache_break_even_requests(2.0, 0.1))
    (2.0, 3.0)
    """
    write, read = np.broadcast_arrays(as_array(write_multiple), as_array(read_multiple))
    _check_not_negative("write_multiple", write)
    _check_not_negative("read_multiple", read)
    saves = read < 1
    count = np.floor((write - read) / np.where(saves, 1 - read, 1.0)) + 1
    return np.where(saves, np.maximum(count, 1.0), np.inf)


def cache_break_even_hit_share(write_multiple: Numeric, read_multiple: Numeric) -> Array:
    """Least share of hits above which caching a prefix costs less than leaving it uncached.

    Equation
        h = (w - 1) / (w - r)

    Parameters
        write_multiple  w  [1]  array  >= 0
        read_multiple   r  [1]  array  >= 0

    Returns
        h  [1]  array; 0 where a write has no premium, inf where a read saves nothing

    Holds when  every miss writes again.
    Source      [derived]
    Raises      DomainError if a multiple is negative

    >>> round(float(cache_break_even_hit_share(1.25, 0.1)), 3), round(float(cache_break_even_hit_share(2.0, 0.1)), 3)
    (0.217, 0.526)
    """
    write, read = np.broadcast_arrays(as_array(write_multiple), as_array(read_multiple))
    _check_not_negative("write_multiple", write)
    _check_not_negative("read_multiple", read)
    premium = write > 1
    share = np.where(premium, (write - 1) / np.where(premium & (write > read), write - read, 1.0), 0.0)
    return np.where(read < 1, share, np.inf)


def share_of_list(
    input_tokens: Numeric,
    output_tokens: Numeric,
    input_usd_per_mtok: Numeric,
    output_usd_per_mtok: Numeric,
    *,
    input_multiple: Numeric = 1.0,
    bill_multiple: Numeric = 1.0,
) -> Array:
    """What a workload pays of its list price when discounts stack: caches cut the input, a batch cuts all.

    Equation
        s = b (m p_i N_i + p_o N_o) / (p_i N_i + p_o N_o)

    Parameters
        input_tokens         N_i  [token]     array  >= 0
        output_tokens        N_o  [token]     array  >= 0
        input_usd_per_mtok   p_i  [USD/Mtok]  array  >= 0
        output_usd_per_mtok  p_o  [USD/Mtok]  array  >= 0
        input_multiple       m    [1]         array  >= 0, mean price of an input token over the list's: the cacheable
                             share times its cache_price_multiple, plus the rest
        bill_multiple        b    [1]         array  >= 0, 0.5 for a batch at half price

    Returns
        s  [1]  array; NaN where the list price is 0

    Holds when  the batch discount holds for cached tokens too, as Anthropic's does.
    Source      [anthropic-pricing] multipliers stack
    Raises      DomainError if a quantity is negative

    >>> cached = 0.8 * 0.1 + 0.2
    >>> round(float(share_of_list(1000, 200, 3, 15, input_multiple=cached, bill_multiple=0.5)), 3)
    0.32
    """
    paid_in = as_array(input_tokens) * as_array(input_usd_per_mtok)
    paid_out = as_array(output_tokens) * as_array(output_usd_per_mtok)
    cut, batch = as_array(input_multiple), as_array(bill_multiple)
    for name, value in {"input": paid_in, "output": paid_out, "input_multiple": cut, "bill_multiple": batch}.items():
        _check_not_negative(name, value)
    full = paid_in + paid_out
    return np.where(full > 0, batch * (cut * paid_in + paid_out) / np.where(full > 0, full, 1.0), np.nan)


def usd_per_text_byte(usd_per_mtok: Numeric, text_bytes_per_token: Numeric) -> Array:
    """Price of a byte of text: comparable between models whose tokenizers cut text differently.

    Equation
        q = p / (10^6 z)

    Parameters
        usd_per_mtok          p  [USD/Mtok]    array  >= 0
        text_bytes_per_token  z  [byte/token]  array  > 0, UTF-8 bytes (characters of plain English) that a token holds

    Returns
        q  [USD/byte]  array

    Holds when  z was measured on text like the workload's.
    Source      [definition]
    Raises      DomainError if the price is negative or a token holds nothing

    >>> f"{float(usd_per_text_byte(5.00, 4.0)):.3g}"
    '1.25e-06'
    """
    price, size = as_array(usd_per_mtok), as_array(text_bytes_per_token)
    _check_not_negative("usd_per_mtok", price)
    if not np.all(size > 0):
        raise DomainError(f"text_bytes_per_token={text_bytes_per_token} must be positive; about 4 in English")
    return price / size / MEGA


def tokenizer_usd_per_mtok(usd_per_mtok: Numeric, token_ratio: Numeric) -> Array:
    """Price of a million tokens of a reference tokenizer, when a model needs more or fewer for the same text.

    Equation
        p' = p f

    Parameters
        usd_per_mtok  p  [USD/Mtok]  array  >= 0, list price of the model's own tokens
        token_ratio   f  [1]         array  > 0, its tokens over the reference's for the same text

    Returns
        p'  [USD/Mtok]  array

    Holds when  f was measured on text like the workload's.
    Source      [definition]
    Raises      DomainError if the price is negative or the ratio not positive

    >>> float(tokenizer_usd_per_mtok(5.00, 1.35))
    6.75
    """
    price, ratio = as_array(usd_per_mtok), as_array(token_ratio)
    _check_not_negative("usd_per_mtok", price)
    if not np.all(ratio > 0):
        raise DomainError(f"token_ratio={token_ratio} must be positive; 1.35 = 35 % more tokens for the same text")
    return price * ratio


def _check_share(name: str, value: Array) -> None:
    if not np.all((value >= 0) & (value <= 1)):
        raise DomainError(f"{name}={value.tolist()} must lie in [0, 1]; give a share")


def _check_not_negative(name: str, value: Array) -> None:
    if not np.all(value >= 0):
        raise DomainError(f"{name}={value.tolist()} must not be negative; correct it")
