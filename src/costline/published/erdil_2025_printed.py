"""Erdil 2025, Eq. 22-44 as the paper prints them: two-dimensional tensor parallelism and nothing else.

Knows the printed equations only. They do not give the paper's tables, which come from the code
(`erdil_2025_latency`): that also tries pipelines, expert parallelism, one-dimensional layouts and other protocols.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from costline.published.erdil_2025_data import Model, find_gpu, find_model
from costline.quantities import MICRO

_START_S = 6.8 * MICRO
_RANK_S = 1.2 * MICRO
_NODE_S = 10 * MICRO
_REDUCES = 4


def all_reduce_latency_s(n_gpu: ArrayLike, n_nodes: ArrayLike) -> Any:
    """Latency of an all-reduce over a square root of the GPUs in a square root of the nodes.

    Equation
        t = 6.8 us + 1.2 us (sqrt(N / n) - 1) + 10 us log2(sqrt(n))

    Parameters
        n_gpu    N  [1]  array  GPUs of the instance
        n_nodes  n  [1]  array  >= 1, nodes of the instance

    Returns
        t  [s]  array, the broadcast shape of the inputs

    Holds when  the low-latency protocol runs a tree between nodes.
    Source      [erdil-2025] Eq. 40

    >>> round(float(all_reduce_latency_s(8, 1)) * 1e6, 2), round(float(all_reduce_latency_s(64, 8)) * 1e6, 2)
    (8.99, 23.99)
    """
    per_node = np.sqrt(np.divide(n_gpu, n_nodes))
    return _START_S + _RANK_S * (per_node - 1.0) + _NODE_S * np.log2(np.sqrt(n_nodes))


def all_reduce_bandwidth_s(reduced_bytes: ArrayLike, ranks: ArrayLike, bytes_per_s: ArrayLike) -> Any:
    """Bandwidth time of one all-reduce inside a node.

    Equation
        t = X (R - 1) / (R W)

    Parameters
        reduced_bytes  X  [byte]    array  size of the reduced tensor
        ranks          R  [1]       array  > 0
        bytes_per_s    W  [byte/s]  array  > 0, algorithm bandwidth: an eighth of the marketing NVLink figure

    Returns
        t  [s]  array, the broadcast shape of the inputs

    Holds when  the low-latency protocol is used.
    Source      [erdil-2025] Eq. 24

    >>> float(all_reduce_bandwidth_s(2 * 1e4 * 100, 8, 112e9))
    1.5625e-05
    """
    others = np.asarray(ranks) - 1.0
    return np.multiply(reduced_bytes, others) / np.multiply(ranks, bytes_per_s)


def network_read_bytes(reduced_bytes: ArrayLike, n_gpu: ArrayLike, n_nodes: ArrayLike) -> tuple[Any, Any]:
    """What all GPUs together read over the network, inside nodes and between them.

    Equation
        intra = 2 (sqrt(N / n) - 1) sqrt(n) X,  inter = 2 (sqrt(n) - 1) X

    Parameters
        reduced_bytes  X  [byte]  array  bytes all-reduced
        n_gpu          N  [1]     array  GPUs of the instance
        n_nodes        n  [1]     array  >= 1, nodes of the instance

    Returns
        intra, inter  [byte]  arrays, the broadcast shape of the inputs

    Holds when  each all-reduce runs over sqrt(N) GPUs in sqrt(n) nodes.
    Source      [erdil-2025] Eq. 41 and 42; Eq. 27 prints n where Eq. 42 has sqrt(n)

    >>> [float(part) for part in network_read_bytes(1.0, 64, 4)]
    [12.0, 2.0]
    """
    nodes = np.sqrt(np.asarray(n_nodes, dtype=np.float64))
    per_node = np.sqrt(np.divide(n_gpu, n_nodes))
    reduced = np.asarray(reduced_bytes)
    return 2.0 * (per_node - 1.0) * nodes * reduced, 2.0 * (nodes - 1.0) * reduced


def parameters_read(model: Model, batch: ArrayLike) -> Any:
    """Weights that one pass reads when tokens choose experts at random.

    Equation
        N_read = N_attention + (1 - (1 - 1/s)^b) N_feedforward + N_unembedding

    Parameters
        model  -  [-]  record  gives N_attention, N_feedforward, N_unembedding and the sparsity s
        batch  b  [1]  array   sequences in flight

    Returns
        N_read  [1]  array, the shape of the batch

    Holds when  experts are chosen independently and evenly; shared experts break this.
    Source      [erdil-2025] Eq. 22 and 32

    >>> llama = find_model("Llama_3_8B")
    >>> float(parameters_read(llama, 1)) == llama.parameters - llama.unembedding_parameters
    True
    """
    used = 1.0 - (1.0 - 1.0 / model.sparsity) ** np.asarray(batch, dtype=np.float64)
    dense = model.attention_parameters + model.unembedding_parameters
    return dense + used * model.feedforward_parameters


def printed_latency_s(model: str, gpu: str, n_gpu: ArrayLike, batch: ArrayLike, context: ArrayLike = 0.0) -> Any:
    """Latency of one decode step by the equations that close the paper's model section.

    Equation
        T = L r (t_kernel + t_reduce) + intra / (N W_intra) + inter / (N W_inter) + max(M / (N B), F / (N C))

    Parameters
        model    -  [-]      text   a name of `models()`
        gpu      -  [-]      text   a name of `gpus()` with nodes and kernels
        n_gpu    N  [1]      array  GPUs of the instance
        batch    b  [1]      array  sequences in flight
        context  l  [token]  array  positions in the KV cache

    Returns
        T  [s]  array, the broadcast shape of the inputs; infinite where weights and KV cache do not fit, or
        fewer than one GPU or sequence is given

    Holds when  every matrix is cut along both dimensions; activations count the gated matrices' extra output as
                the footnote to Eq. 43 says; r = 4.
    Source      [erdil-2025] Eq. 29-44
    Raises      UnknownIdError for an unknown model or GPU

    >>> round(1 / float(printed_latency_s("Llama_3_70B_8_bit", "H100", 15.62, 1)))
    132
    """
    shape, chip = find_model(model), find_gpu(gpu)
    n_gpu, batch = np.asarray(n_gpu, dtype=np.float64), np.asarray(batch, dtype=np.float64)
    heads = shape.heads * shape.head_dim
    qkv = (1 + 2 / shape.group) * heads
    kv_bytes = shape.kv_bytes_per_position * np.multiply(context, batch)

    nodes = np.ceil(n_gpu / chip.node)
    reduced = (qkv + 2 * shape.d_model + shape.up * shape.d_ff) * batch * shape.layers * shape.activation_bytes
    intra, inter = network_read_bytes(reduced, n_gpu, nodes)
    latency_s = shape.layers * _REDUCES * (chip.kernel_s + all_reduce_latency_s(n_gpu, nodes))
    network_s = intra / (n_gpu * chip.intra_node_bytes_per_s) + inter / (n_gpu * chip.inter_node_bytes_per_s)

    feedforward = (shape.up + shape.down) * (shape.d_model + shape.d_ff)
    products = shape.layers * batch * (2 * shape.d_model + qkv + heads + feedforward)
    read = shape.weight_bytes * parameters_read(shape, batch) + kv_bytes + shape.activation_bytes * products
    active = shape.active_parameters - shape.unembedding_parameters
    flop = batch * (2 * active + 4 * shape.layers * shape.heads * shape.attention_dim * np.asarray(context))
    rate = chip.peak_flop_per_s(shape.weight_bytes) * chip.derate_flop
    device_s = np.maximum(read / (chip.hbm_bytes_per_s * chip.derate_hbm), flop / rate) / n_gpu

    is_feasible = (n_gpu >= 1) & (batch >= 1) & (n_gpu * chip.hbm_bytes >= kv_bytes + shape.weights_bytes)
    return np.where(is_feasible, latency_s + network_s + device_s, np.inf)
