"""How many cached tokens a query sees: full, sliding-window, chunked and top-k attention, summed in closed form."""

from __future__ import annotations

import numpy as np

from costline.catalog.records import Attention
from costline.quantities import Array, Numeric, as_array


def visible_pairs(tokens: Array, *, window_tokens: float | None = None, chunk_tokens: float | None = None) -> Array:
    """Query-key pairs of the first `tokens` positions of a sequence under causal attention.

    Equation
        F(p) = p (p + 1) / 2                                     full
        F(p) = m (m + 1) / 2 + (p - m) w,  m = min(p, w)         window w
        F(p) = n c (c + 1) / 2 + r (r + 1) / 2,  p = n c + r     chunk c

    Parameters
        tokens         p  [token]  array  >= 0
        window_tokens  w  [token]  scalar or None
        chunk_tokens   c  [token]  scalar or None

    Returns
        F  [1]  array, the shape of `tokens`; fractional positions interpolate

    Holds when  every position sees itself and the earlier ones inside its window or chunk.
    Source      [vaswani-2017] causal mask; [scaling-book] ch. 4
    Raises      nothing

    >>> float(visible_pairs(4.0)), float(visible_pairs(4.0, window_tokens=2)), float(visible_pairs(4.0, chunk_tokens=3))
    (10.0, 7.0, 7.0)
    """
    p = as_array(tokens)
    if window_tokens is not None:
        m = np.minimum(p, window_tokens)
        return m * (m + 1) / 2 + (p - m) * window_tokens
    if chunk_tokens is not None:
        n = np.floor(p / chunk_tokens)
        r = p - n * chunk_tokens
        return n * chunk_tokens * (chunk_tokens + 1) / 2 + r * (r + 1) / 2
    return p * (p + 1) / 2


def pooled_entries(attention: Attention, context_tokens: Array, queries: Numeric = 1) -> Array:
    """Pooled entries that `queries` of a compressed branch attend to together, at most its selector's best of each."""
    assert attention.compressor is not None
    entries = as_array(context_tokens) / attention.compressor.rate
    return entries if attention.indexer is None else np.minimum(entries, attention.indexer.top_k * as_array(queries))


def attention_pairs(attention: Attention, context_tokens: Array, new_tokens: Array) -> Array:
    """Query-key pairs of `new_tokens` positions that follow `context_tokens` cached ones, in one layer.

    Equation
        pairs = F(c + q) - F(c),  at most q k for attention that keeps the best k
        plus q min((c + q) / r, k) for a branch that pools r tokens into one entry

    Parameters
        attention       -       record           the layer's attention
        context_tokens  c  [token]  array  >= 0
        new_tokens      q  [token]  array  >= 0

    Returns
        pairs  [1]  array, the broadcast shape

    Holds when  attention is causal.
    Source      [vaswani-2017]; [deepseek-v3] top-k selection
    Raises      nothing

    >>> llama = Attention(heads=64, kv_heads=8, head_dim=128, value_dim=128)
    >>> float(attention_pairs(llama, as_array(8192), as_array(1)))
    8193.0
    """
    end = as_array(context_tokens) + new_tokens
    top_k = attention.indexer.top_k if attention.indexer else None
    cap = attention.window_tokens if attention.window_tokens is not None else top_k
    chunk = attention.chunk_tokens
    after = visible_pairs(end, window_tokens=cap, chunk_tokens=chunk)
    pairs = after - visible_pairs(as_array(context_tokens), window_tokens=cap, chunk_tokens=chunk)
    if attention.compressor is None:
        return pairs
    return pairs + new_tokens * pooled_entries(attention, end)


def cached_tokens_read(attention: Attention, context_tokens: Array, new_tokens: Array) -> Array:
    """Cached tokens whose keys and values one layer reads for `new_tokens` positions.

    Equation
        full      c
        window w  min(c, w - 1), all that the first position sees: later ones see fewer cached tokens;
                  plus the pooled entries of a compressed branch: min(c / r, k q)
        chunk s   c if c < s, else (s - 1) / 2: the mean over sequences at any place in their chunk
        top-k     min(c, k q)

    Parameters
        attention       -       record           the layer's attention
        context_tokens  c  [token]  array  >= 0
        new_tokens      q  [token]  array  >= 1

    Returns
        tokens  [token]  array, the broadcast shape

    Holds when  each cached token is read once a step, whatever the number of queries (one pass).
    Source      [vaswani-2017]; [kwon-2023]
    Raises      nothing

    >>> local = Attention(heads=8, kv_heads=4, head_dim=256, value_dim=256, window_tokens=1024)
    >>> float(cached_tokens_read(local, as_array(8192), as_array(1)))
    1023.0
    """
    c, q = as_array(context_tokens), as_array(new_tokens)
    if attention.window_tokens is not None:
        near = np.minimum(c, attention.window_tokens - 1.0) + 0.0 * q
        return near if attention.compressor is None else near + pooled_entries(attention, c, q)
    if attention.chunk_tokens is not None:
        return np.where(c < attention.chunk_tokens, c, (attention.chunk_tokens - 1) / 2) + 0.0 * q
    if attention.indexer is not None:
        return np.minimum(c, attention.indexer.top_k * q)
    return c + 0.0 * q
