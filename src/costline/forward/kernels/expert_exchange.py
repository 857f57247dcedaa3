"""Exchange of tokens between devices that hold different experts: dispatch to them, combine what they return."""

from __future__ import annotations

import numpy as np

from costline.catalog.kernel_records import LowLatencyExchange, ScaleOut, ThroughputExchange
from costline.forward.kernels.collectives import scale_out_time_s
from costline.forward.kernels.corner import rounded_corner_s
from costline.forward.kernels.records import Device
from costline.quantities import Array, Numeric, as_array

DISPATCH_BYTES, COMBINE_BYTES = 1.03, 2.0
"""Bytes of one number: fp8 with its scales on the way out, bf16 on the way back."""
CORNER = 2


def low_latency_exchange_time_s(
    tokens: Numeric,
    top_k: Numeric,
    hidden: Numeric,
    *,
    experts: Numeric,
    bytes_per_number: Numeric,
    local_devices: Numeric,
    domains: Numeric,
    device: Device,
    kernel: LowLatencyExchange,
    network: ScaleOut,
) -> Array:
    """Time of one dispatch or combine for decoding: every copy of a token goes straight to its expert.

    Equation
        T = g log2(r) + f E / d + max( x / min(ε L, w E), network(x (1 - 1 / d), d) ),  x = T k h b

    Parameters
        tokens            T  [token]  array   tokens of each device
        top_k             k  [1]      array
        hidden            h  [1]      array
        experts           E  [1]      array   routed experts of the layer
        bytes_per_number  b  [byte]   array   `DISPATCH_BYTES` or `COMBINE_BYTES`
        local_devices     r  [1]      array   devices of the group in one domain
        domains           d  [1]      array   domains (nodes) of the group
        device            -           record  L links, N network
        kernel            -           record  g, f, ε, w
        network           -           record  share of the network, latency

    Returns
        T  [s]  array, the broadcast shape

    Holds when  copies are not merged on the way (DeepEP's low-latency kernels) and devices arrive together.
    Source      [kernel-study] section 8, with rounds of signals, work for each expert and the rate of its warps
    Raises      nothing

    >>> one = LowLatencyExchange(3e-6, 13e-9, 0.6, 3.7e9)
    >>> h100 = Device(989e12, 3.35e12, 132, link_bytes_per_s=450e9, network_bytes_per_s=50e9)
    >>> t = low_latency_exchange_time_s(128, 8, 7168, experts=256, bytes_per_number=1.03, local_devices=8,
    ...     domains=np.array([1, 4]), device=h100, kernel=one, network=ScaleOut(0.93, 5.7e-6))
    >>> (1e6 * t).round(1).tolist()
    [40.3, 145.0]
    """
    count, groups = as_array(experts), as_array(domains)
    sent = as_array(tokens) * top_k * hidden * bytes_per_number
    links = np.where(as_array(local_devices) > 1, kernel.link_fraction * as_array(device.link_bytes_per_s), np.inf)
    rate = np.minimum(links, kernel.expert_bytes_per_s * count)
    outside_s = scale_out_time_s(sent * (1 - 1 / groups), groups, device=device, kernel=network)
    signals_s = kernel.round_s * np.log2(as_array(local_devices)) + kernel.expert_s * count / groups
    return signals_s + np.maximum(sent / rate, outside_s)


def throughput_exchange_time_s(
    tokens: Numeric,
    copies: Numeric,
    hidden: Numeric,
    *,
    domain_copies: Numeric,
    bytes_per_number: Numeric,
    devices: Numeric,
    domains: Numeric,
    compute_units: Numeric,
    device: Device,
    kernel: ThroughputExchange,
    network: ScaleOut,
) -> Array:
    """Time of one dispatch or combine for prefill, its copies merged by device and by node.

    Equation
        T = t_0 + max( (T_u² + T_l²)^(1/2), network(T h b q (1 - 1 / d), d) )
        T_u = T (τ + h b (r + c) / ρ) / u,  T_l = T h b r (1 - 1 / R) / (ε L)

    Parameters
        tokens            T  [token]  array   tokens of each device
        copies            r  [1]      array   devices that hold the experts of one token
        hidden            h  [1]      array
        domain_copies     q  [1]      array   domains that hold the experts of one token
        bytes_per_number  b  [byte]   array   `DISPATCH_BYTES` or `COMBINE_BYTES`
        devices           R  [1]      array   of the group
        domains           d  [1]      array   domains (nodes) of the group
        compute_units     u  [1]      array   compute units given to the exchange
        device            -           record  L links, N network
        kernel            -           record  t_0, τ, c, ρ, ε
        network           -           record  share of the network, latency

    Returns
        T  [s]  array, the broadcast shape

    Holds when  DeepEP's normal kernels run; `architecture.messages.distinct_destinations` counts r and q.
    Source      [kernel-study] section 8, with the work for each token and the passes beside the copies
    Raises      nothing

    >>> one = ThroughputExchange(27e-6, 380e-9, 0.0, 33e9, 1.0)
    >>> h100 = Device(989e12, 3.35e12, 132, link_bytes_per_s=450e9, network_bytes_per_s=50e9)
    >>> t = throughput_exchange_time_s(4096, 5.251, 7168, domain_copies=1, bytes_per_number=1.03, devices=8, domains=1,
    ...     compute_units=20, device=h100, kernel=one, network=ScaleOut(0.9, 5e-6))
    >>> round(1e6 * float(t))
    471
    """
    count, groups, members = as_array(tokens), as_array(domains), as_array(devices)
    one = as_array(hidden) * bytes_per_number
    sent = as_array(copies)
    units_s = count * (kernel.token_s + one * (sent + kernel.copies) / kernel.unit_bytes_per_s) / compute_units
    links = np.where(members > groups, kernel.link_fraction * as_array(device.link_bytes_per_s), np.inf)
    links_s = count * one * sent * (1 - 1 / members) / links
    crossing = count * one * domain_copies * (1 - 1 / groups)
    outside_s = scale_out_time_s(crossing, groups, device=device, kernel=network)
    return kernel.floor_s + np.maximum(rounded_corner_s(units_s, links_s, CORNER), outside_s)
