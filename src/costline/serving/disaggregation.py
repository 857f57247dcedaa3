"""Prefill and decode on separate pools, in closed form: moving the cache, what of it is seen, how large the pools are.

Given bytes, times and rates; knows no physics and no plans.
"""

from __future__ import annotations

import numpy as np

from costline.quantities import Array, Numeric, as_array


def kv_transfer_time_s(
    sent_bytes: Numeric,
    received_bytes: Numeric,
    *,
    sender_bytes_per_s: Numeric,
    receiver_bytes_per_s: Numeric,
    latency_s: Numeric,
) -> Array:
    """Time to move the cache of one prompt from a prefill replica to a decode replica.

    Equation
        T = a + max(S / W_s, R / W_r)

    Parameters
        sent_bytes            S    [byte]    array  >= 0, by the busiest device that sends
        received_bytes        R    [byte]    array  >= 0, by the busiest device that receives
        sender_bytes_per_s    W_s  [byte/s]  array  > 0, network of one such device
        receiver_bytes_per_s  W_r  [byte/s]  array  > 0
        latency_s             a    [s]       array  of the slower network

    Returns
        T  [s]  array, the broadcast shape

    Holds when  every device has its own network port and the fabric between them does not block: shards that do not
                match are cut anew on the way, so the side with fewer ports in use sets the pace.
    Source      [thakur2005] the alpha-beta model
    Raises      nothing

    >>> float(kv_transfer_time_s(1.342e9, 1.342e9, sender_bytes_per_s=50e9, receiver_bytes_per_s=50e9, latency_s=0.0))
    0.02684
    """
    sending = as_array(sent_bytes) / sender_bytes_per_s
    receiving = as_array(received_bytes) / receiver_bytes_per_s
    return as_array(latency_s) + np.maximum(sending, receiving)


def exposed_transfer_s(transfer_s: Numeric, prefill_s: Numeric, layers: Numeric) -> Array:
    """What a transfer adds after the prefill if each layer's cache leaves as soon as it is computed.

    Equation
        E = T / L + (L - 1) / L max(T - t_p, 0)

    Parameters
        transfer_s  T    [s]  array  >= 0, of the whole cache
        prefill_s   t_p  [s]  array  >= 0, of all layers
        layers      L    [1]  array  >= 1; 1 = the transfer starts when the prefill has ended

    Returns
        E  [s]  array, the broadcast shape; T for one layer

    Holds when  layers take equally long and their caches are equally large: a line of two machines, exact.
    Source      [derived]
    Raises      nothing

    >>> float(exposed_transfer_s(0.08, 0.4, 80)), float(exposed_transfer_s(0.08, 0.4, 1))
    (0.001, 0.08)
    """
    moved, count = as_array(transfer_s), as_array(layers)
    return moved / count + (count - 1) / count * np.maximum(moved - prefill_s, 0.0)


def prefill_per_decode(prefill_s: Numeric, decode_step_s: Numeric, output_tokens: Numeric, batch: Numeric) -> Array:
    """Prefill replicas that keep one decode replica busy.

    Equation
        x / y = t_p b / (T S_out)

    Parameters
        prefill_s      t_p    [s]      array  of one prompt, replica alone
        decode_step_s  T      [s]      array  > 0, at the batch
        output_tokens  S_out  [token]  array  > 0, of one answer
        batch          b      [1]      array  sequences that decode together

    Returns
        x / y  [1]  array, the broadcast shape

    Holds when  both pools are always busy.
    Source      [scaling-book] ch. 7
    Raises      nothing

    >>> round(float(prefill_per_decode(0.91, 8.61e-3, 512, 32)), 1)
    6.6
    """
    return as_array(prefill_s) * batch / (as_array(decode_step_s) * output_tokens)


def pool_replicas(requests_per_s: Numeric, busy_s: Numeric, batch: Numeric = 1.0, utilization: Numeric = 1.0) -> Array:
    """Replicas of a pool that serve a request rate.

    Equation
        n = ceil(r t / (b u))

    Parameters
        requests_per_s  r  [request/s]  array  >= 0
        busy_s          t  [s]          array  that one request occupies a place
        batch           b  [1]          array  > 0, places of a replica
        utilization     u  [1]          array  in (0, 1], share of the places in use at most

    Returns
        n  [1]  array, the broadcast shape

    Holds when  requests are spread evenly over the replicas.
    Source      [little-1961]
    Raises      nothing

    >>> float(pool_replicas(10_000, 512 * 11.8777e-3, 64))
    951.0
    """
    return np.ceil(as_array(requests_per_s) * busy_s / (as_array(batch) * utilization))


def ring_prefill_s(compute_s: Numeric, kv_bytes: Numeric, degree: Numeric, link_bytes_per_s: Numeric) -> Array:
    """Prefill of one long prompt whose tokens are spread over devices that pass keys and values around a ring.

    Equation
        T = max(t_p / c, (c - 1) / c K / W)

    Parameters
        compute_s         t_p  [s]       array  of the prompt on one device (or tensor-parallel group)
        kv_bytes          K    [byte]    array  cache of the prompt that one member of such a group holds
        degree            c    [1]       array  >= 1, context-parallel degree
        link_bytes_per_s  W    [byte/s]  array  > 0, between neighbours of the ring

    Returns
        T  [s]  array, the broadcast shape; t_p for one device

    Holds when  blocks are striped so that causal work is even, and each block's transfer hides behind the last one's
                compute; the matrices stay compute bound at 1 / c of the tokens.
    Source      [derived]
    Raises      nothing

    >>> float(ring_prefill_s(8.0, 40e9, 4, 50e9)), float(ring_prefill_s(0.8, 40e9, 4, 50e9))
    (2.0, 0.6)
    """
    c = as_array(degree)
    return np.maximum(as_array(compute_s) / c, (c - 1) / c * as_array(kv_bytes) / link_bytes_per_s)
