"""Erdil 2025, section 2: one device, then many devices with a network of latency but no bandwidth limit.

Knows Eq. 1-19 and the closed-form optimum. Knows no attention, no experts and no batch-dependent traffic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from costline.published.erdil_2025_data import find_gpu, find_model
from costline.quantities import MICRO

_FLOP_PER_PARAMETER = 2.0
_REDUCES = 4.0
_REDUCES_PARALLEL = 2.0
_HOP_S = MICRO
_BASE_S = 6 * MICRO


def single_device_latency_s(
    parameters: ArrayLike,
    batch: ArrayLike,
    *,
    weight_bytes: ArrayLike,
    hbm_bytes_per_s: ArrayLike,
    flop_per_s: ArrayLike,
) -> Any:
    """Time of one decode step of a dense model on one device.

    Equation
        T = max(p N / B, 2 N b / C)

    Parameters
        parameters       N  [1]       array  weights of the model
        batch            b  [1]       array  sequences in flight
        weight_bytes     p  [byte]    array  bytes per weight
        hbm_bytes_per_s  B  [byte/s]  array  > 0
        flop_per_s       C  [FLOP/s]  array  > 0

    Returns
        T  [s]  array, the broadcast shape of the inputs

    Holds when  the context is short, and reading weights overlaps arithmetic fully.
    Source      [erdil-2025] Eq. 1

    >>> float(single_device_latency_s(8e9, 1, weight_bytes=2, hbm_bytes_per_s=3.2e12, flop_per_s=1e15))
    0.005
    """
    read_s = np.multiply(weight_bytes, parameters) / np.asarray(hbm_bytes_per_s)
    compute_s = _FLOP_PER_PARAMETER * np.multiply(parameters, batch) / np.asarray(flop_per_s)
    return np.maximum(read_s, compute_s)


def single_device_gpu_s_per_token(
    parameters: ArrayLike,
    batch: ArrayLike,
    *,
    weight_bytes: ArrayLike,
    hbm_bytes_per_s: ArrayLike,
    flop_per_s: ArrayLike,
) -> Any:
    """GPU time that one generated token of a dense model takes on one device.

    Equation
        c = T / b = max(p N / (b B), 2 N / C)

    Parameters
        parameters       N  [1]       array  weights of the model
        batch            b  [1]       array  > 0, sequences in flight
        weight_bytes     p  [byte]    array  bytes per weight
        hbm_bytes_per_s  B  [byte/s]  array  > 0
        flop_per_s       C  [FLOP/s]  array  > 0

    Returns
        c  [s]  array, GPU-seconds per token, the broadcast shape of the inputs

    Holds when  as `single_device_latency_s`.
    Source      [erdil-2025] Eq. 2

    >>> float(single_device_gpu_s_per_token(8e9, 5, weight_bytes=2, hbm_bytes_per_s=3.2e12, flop_per_s=1e15))
    0.001
    """
    step_s = single_device_latency_s(
        parameters, batch, weight_bytes=weight_bytes, hbm_bytes_per_s=hbm_bytes_per_s, flop_per_s=flop_per_s
    )
    return step_s / np.asarray(batch)


def critical_batch(weight_bytes: ArrayLike, hbm_bytes_per_s: ArrayLike, flop_per_s: ArrayLike) -> Any:
    """The batch at which reading the weights takes as long as the arithmetic.

    Equation
        b* = p C / (2 B)

    Parameters
        weight_bytes     p  [byte]    array  bytes per weight
        hbm_bytes_per_s  B  [byte/s]  array  > 0
        flop_per_s       C  [FLOP/s]  array  > 0

    Returns
        b*  [1]  array, the broadcast shape of the inputs

    Holds when  as `single_device_latency_s`; a larger batch is slower and no cheaper, a smaller one only dearer.
    Source      [erdil-2025] section 2.1

    >>> round(float(critical_batch(2, 3.3e12, 1e15)), 2)
    303.03
    """
    return np.multiply(weight_bytes, flop_per_s) / (_FLOP_PER_PARAMETER * np.asarray(hbm_bytes_per_s))


def sharded_latency_s(
    parameters: ArrayLike,
    layers: ArrayLike,
    n_gpu: ArrayLike,
    batch: ArrayLike,
    *,
    weight_bytes: ArrayLike,
    hbm_bytes_per_s: ArrayLike,
    flop_per_s: ArrayLike,
    reduces_per_layer: ArrayLike = _REDUCES,
    hop_s: ArrayLike = _HOP_S,
    base_s: ArrayLike = 0.0,
) -> Any:
    """Time of one decode step of a dense model cut over many devices, network bandwidth unlimited.

    Equation
        T = L r (t_0 + 2 t_hop (sqrt(N_gpu) - 1)) + max(p N / (N_gpu B), 2 N b / (N_gpu C))

    Parameters
        parameters         N      [1]       array  weights of the model
        layers             L      [1]       array  layers
        n_gpu              N_gpu  [1]       array  > 0; below 1 no hop is paid
        batch              b      [1]       array  sequences in flight
        weight_bytes       p      [byte]    array  bytes per weight
        hbm_bytes_per_s    B      [byte/s]  array  > 0
        flop_per_s         C      [FLOP/s]  array  > 0
        reduces_per_layer  r      [1]       array  sequential all-reduces; 4, or 2 with parallel attention
        hop_s              t_hop  [s]       array  one hop between GPUs
        base_s             t_0    [s]       array  start of a collective; the paper's equation has none

    Returns
        T  [s]  array, the broadcast shape of the inputs

    Holds when  each all-reduce runs over sqrt(N_gpu) ranks and overlaps nothing.
    Source      [erdil-2025] Eq. 3, 5 and 8

    >>> spec = dict(weight_bytes=2, hbm_bytes_per_s=3.2e12, flop_per_s=1e15)
    >>> round(float(sharded_latency_s(8e9, 32, 16, 1, **spec)), 9)
    0.0010805
    """
    ranks = np.sqrt(np.asarray(n_gpu, dtype=np.float64))
    reduce_s = np.asarray(base_s) + 2.0 * np.asarray(hop_s) * np.maximum(ranks - 1.0, 0.0)
    device_s = single_device_latency_s(
        parameters, batch, weight_bytes=weight_bytes, hbm_bytes_per_s=hbm_bytes_per_s, flop_per_s=flop_per_s
    )
    return np.multiply(layers, reduces_per_layer) * reduce_s + device_s / np.asarray(n_gpu)


def optimal_gpus(
    weights_bytes: ArrayLike,
    layers: ArrayLike,
    hbm_bytes_per_s: ArrayLike,
    *,
    reduces_per_layer: ArrayLike = _REDUCES,
    hop_s: ArrayLike = _HOP_S,
) -> Any:
    """The instance size of least latency when the network has latency but no bandwidth limit.

    Equation
        N* = max(W / (L r t_hop B), 1)^(2/3)

    Parameters
        weights_bytes      W      [byte]    array  bytes of all weights
        layers             L      [1]       array  layers
        hbm_bytes_per_s    B      [byte/s]  array  > 0
        reduces_per_layer  r      [1]       array  sequential all-reduces
        hop_s              t_hop  [s]       array  > 0, one hop between GPUs

    Returns
        N*  [1]  array, a real number of GPUs, the broadcast shape of the inputs

    Holds when  the batch is at or below the critical one.
    Source      [erdil-2025] Eq. 13

    >>> round(float(optimal_gpus(2 * 8.03e9, 32, 3.3e12)), 1)
    11.3
    """
    hops_s = np.multiply(layers, reduces_per_layer) * np.asarray(hop_s)
    return np.maximum(np.asarray(weights_bytes) / (hops_s * np.asarray(hbm_bytes_per_s)), 1.0) ** (2 / 3)


def least_sharded_latency_s(
    weights_bytes: ArrayLike,
    layers: ArrayLike,
    hbm_bytes_per_s: ArrayLike,
    *,
    reduces_per_layer: ArrayLike = _REDUCES,
    hop_s: ArrayLike = _HOP_S,
) -> Any:
    """The least latency over all instance sizes when the network has latency but no bandwidth limit.

    Equation
        T* = 3 h^(2/3) (W / B)^(1/3) - 2 h  with h = L r t_hop, if N* > 1;  else W / B

    Parameters
        weights_bytes      W      [byte]    array  bytes of all weights
        layers             L      [1]       array  layers
        hbm_bytes_per_s    B      [byte/s]  array  > 0
        reduces_per_layer  r      [1]       array  sequential all-reduces
        hop_s              t_hop  [s]       array  > 0, one hop between GPUs

    Returns
        T*  [s]  array, the broadcast shape of the inputs

    Holds when  as `optimal_gpus`; where N* is large the second term vanishes (Eq. 18).
    Source      [erdil-2025] Eq. 14

    >>> round(1 / float(least_sharded_latency_s(2 * 8.03e9, 32, 3.3e12)))
    966
    """
    hops_s = np.multiply(layers, reduces_per_layer) * np.asarray(hop_s)
    read_s = np.asarray(weights_bytes) / np.asarray(hbm_bytes_per_s)
    sharded_s = 3.0 * hops_s ** (2 / 3) * read_s ** (1 / 3) - 2.0 * hops_s
    return np.where(read_s > hops_s, sharded_s, read_s)


def square_root_law_tokens_per_s(tokens_per_s: ArrayLike, parameters: ArrayLike, other_parameters: ArrayLike) -> Any:
    """The speed of a dense model from that of another of its family.

    Equation
        v' = v sqrt(N / N')

    Parameters
        tokens_per_s      v   [token/s]  array  speed of the known model
        parameters        N   [1]        array  weights of the known model
        other_parameters  N'  [1]        array  > 0, weights of the other model

    Returns
        v'  [token/s]  array, the broadcast shape of the inputs

    Holds when  layers grow as the fourth root of the parameters, and the best instance of each is large.
    Source      [erdil-2025] Eq. 19

    >>> round(float(square_root_law_tokens_per_s(400, 8, 70)))
    135
    """
    return np.asarray(tokens_per_s) * np.sqrt(np.divide(parameters, other_parameters))


def infinite_bandwidth_latency_s(
    model: str, gpu: str, n_gpu: ArrayLike, batch: ArrayLike, context: ArrayLike = 1.0
) -> Any:
    """The latency behind the paper's first figure: sustained rates, and a start-up time per all-reduce.

    Equation
        T = L r (6 us + 2 us (sqrt(N_gpu) - 1)) + max(p N / (N_gpu B), 2 N b / (N_gpu C))

    Parameters
        model    -      [-]      text   a name of `models()`
        gpu      -      [-]      text   a name of `gpus()`
        n_gpu    N_gpu  [1]      array  GPUs of the instance
        batch    b      [1]      array  sequences in flight
        context  -      [token]  array  positions in the KV cache, which must fit but takes no time

    Returns
        T  [s]  array, the broadcast shape of the inputs; infinite where weights and KV cache do not fit

    Holds when  as `sharded_latency_s`; all parameters count, also those of idle experts.
    Source      [erdil-2025] section 2.2.2; the 6 us stand in the code and in no equation
    Raises      UnknownIdError for an unknown model or GPU

    >>> round(float(infinite_bandwidth_latency_s("Llama_3_70B", "H100", 16, 128)), 9)
    0.007403252
    """
    shape, chip = find_model(model), find_gpu(gpu)
    latency_s = sharded_latency_s(
        shape.parameters,
        shape.layers,
        n_gpu,
        batch,
        weight_bytes=shape.weight_bytes,
        hbm_bytes_per_s=chip.hbm_bytes_per_s * chip.derate_hbm,
        flop_per_s=chip.peak_flop_per_s(shape.weight_bytes) * chip.derate_flop,
        reduces_per_layer=_REDUCES_PARALLEL if shape.parallel_attention else _REDUCES,
        base_s=_BASE_S,
    )
    held_bytes = shape.kv_bytes_per_position * np.multiply(context, batch) + shape.weights_bytes
    return np.where(np.asarray(n_gpu) * chip.hbm_bytes < held_bytes, np.inf, latency_s)
