"""Parameters of the mixers: softmax attention in all its forms, and layers with a fixed state.

Knows the matrices of one layer. Knows nothing of counts of layers, formats or devices.
"""

from __future__ import annotations

from costline.catalog.records import Attention, Compressor, Indexer, Latent, State


def attention_parameters(attention: Attention, hidden: int) -> int:
    """Parameters of one layer's attention: projections, biases, norms of queries and keys, sinks, selector.

    Equation
        P = d (H h + K h + K v + H v)                                                     grouped-query
        P = d (r_kv + r) + r_kv + r_kv H (n + v) + H v d + q,  q = d r_q + r_q + r_q H (n + r)    latent
        (without low-rank queries q = d H (n + r))

    Parameters
        attention  -       record        H heads of h (values v), K key-value heads; latent: ranks r_q, r_kv, parts n, r
        hidden     d  [1]  scalar        width of the residual stream

    Returns
        P  [1]  scalar

    Holds when  matrices have the shapes of the published modelling code.
    Source      [ainslie-2023]; [deepseek-v2] section 2.1; [transformers] for biases, norms and selectors
    Raises      nothing

    >>> attention_parameters(Attention(heads=64, kv_heads=8, head_dim=128, value_dim=128), hidden=8192)
    150994944
    """
    latent = attention.latent
    one = _latent(attention, latent, hidden) if latent else _grouped(attention, hidden)
    one += attention.heads if attention.sinks else 0
    one += hidden if attention.output_bias else 0
    query_input = (latent.q_rank if latent else attention.query_rank) or hidden
    if attention.compressor:
        one += _compressor(attention.compressor, attention.head_dim, hidden)
    if attention.indexer and not attention.indexer.shared:
        one += _indexer(attention.indexer, attention.compressor, query_input, hidden)
    return one


def state_parameters(state: State, hidden: int) -> int:
    """Parameters of one linear-attention or state-space layer.

    Equation
        gated_delta  d (c + H v) + 2 d H + c w + 2 H + v + H v d,    c = 2 G k + H v
        kda          d c + c w + H k + H + 2 (d v + v H k) + d H + v + H v d,    c = 2 H k + H v
        mamba2       d (H v + c + H) + c (w + bias) + 3 H + H v + H v d,    c = H v + 2 G k
        lightning    d (2 H k + H v) + 2 d H v + H v

    Parameters
        state   -       record        H value heads of v, G key heads (groups) of k, convolution of width w
        hidden  d  [1]  scalar        width of the residual stream

    Returns
        P  [1]  scalar

    Holds when  matrices have the shapes of the published modelling code.
    Source      [transformers] qwen3_next, kimi_linear, nemotron_h, minimax
    Raises      nothing

    >>> state_parameters(State("gated_delta", 16, 64, 128, 128, conv_width=4), hidden=4096)
    118014208
    """
    heads, value = state.value_heads, state.value_dim
    keys, values = state.key_heads * state.key_dim, heads * value
    mixed = 2 * keys + values
    convolution = mixed * (state.conv_width + (1 if state.conv_bias else 0))
    out = values * hidden
    match state.kind:
        case "gated_delta":
            return hidden * (mixed + values + 2 * heads) + convolution + 2 * heads + value + out
        case "kda":
            gates = 2 * hidden * value + value * (keys + values) + hidden * heads
            return hidden * mixed + convolution + gates + keys + heads + value + out
        case "mamba2":
            return hidden * (values + mixed + heads) + convolution + 3 * heads + values + out
        case "lightning":
            return hidden * mixed + hidden * values + values + out


def _grouped(attention: Attention, hidden: int) -> int:
    heads, groups, dim, value = attention.heads, attention.kv_heads, attention.head_dim, attention.value_dim
    queries = heads * dim * (2 if attention.output_gate else 1)
    one_vector = attention.values_are_keys or attention.cached_once
    keys = 0 if attention.reuses_cache else groups * dim
    values = 0 if attention.reuses_cache or one_vector else groups * value
    rank = attention.query_rank
    count = hidden * rank + rank + rank * queries if rank else hidden * queries
    count += hidden * (keys + values) + (queries + keys + values if attention.qkv_bias else 0)
    count += dim if attention.cached_once else 0
    count += _output(attention, hidden)
    if attention.qk_norm == "head":
        count += dim if attention.reuses_cache else 2 * dim
    elif attention.qk_norm == "full":
        count += heads * dim + keys
    return count


def _output(attention: Attention, hidden: int) -> int:
    width, rank = attention.heads * attention.value_dim, attention.output_rank
    return width * rank + attention.output_groups * rank * hidden if rank else width * hidden


def _latent(attention: Attention, latent: Latent, hidden: int) -> int:
    queries = attention.heads * (latent.nope_dim + latent.rope_dim)
    rank = latent.q_rank
    count = hidden * rank + rank + rank * queries if rank else hidden * queries
    count += hidden * (latent.kv_rank + latent.rope_dim) + latent.kv_rank
    count += latent.kv_rank * attention.heads * (latent.nope_dim + attention.value_dim)
    if attention.qkv_bias:
        count += (rank or 0) + latent.kv_rank + latent.rope_dim
    return count + attention.heads * attention.value_dim * hidden


def _compressor(compressor: Compressor, dim: int, hidden: int) -> int:
    width = dim * (2 if compressor.overlap else 1)
    return 2 * hidden * width + compressor.rate * width + dim


def _indexer(indexer: Indexer, compressor: Compressor | None, query_input: int, hidden: int) -> int:
    dim = indexer.head_dim
    keys = _compressor(compressor, dim, hidden) if compressor else hidden * dim + 2 * dim
    weights = hidden * indexer.heads if indexer.head_weights else 0
    return query_input * indexer.heads * dim + keys + weights
