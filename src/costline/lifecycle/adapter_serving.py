"""Serving one base model with an adapter for each tenant: who shares a device, and what each pays. Knows no model."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def adapters_that_fit(free_bytes: Numeric, adapter_bytes: Numeric) -> Array:
    """Adapters that the memory left beside the base model holds at once.

    Equation
        n = floor(M / a)

    Parameters
        free_bytes     M  [byte]  array  >= 0, after base weights and KV cache
        adapter_bytes  a  [byte]  array  > 0

    Returns
        n  [1]  array

    Holds when  adapters stay in device memory; swapped ones are loaded before a request runs.
    Source      [derived]
    Raises      nothing

    >>> float(adapters_that_fit(4e9, 40e6))
    100.0
    """
    return np.floor(as_array(free_bytes) / adapter_bytes)


def tenant_devices(
    tenants: Numeric, tokens_per_s_each: Numeric, tokens_per_s_per_device: Numeric, adapters_per_device: Numeric
) -> Array:
    """Devices that tenants with an adapter each need together.

    Equation
        n = ceil(max(T q / r, T / a))

    Parameters
        tenants                  T  [1]        array  >= 0
        tokens_per_s_each        q  [token/s]  array  >= 0, of one tenant at the busiest time
        tokens_per_s_per_device  r  [token/s]  array  > 0, that a device sustains
        adapters_per_device      a  [1]        array  >= 1

    Returns
        n  [1]  array

    Holds when  requests of different adapters run in one batch at the speed of the base model.
    Source      [hu-2021] section 4.2; [derived]
    Raises      nothing

    >>> float(tenant_devices(75, 10.0, 1500.0, 100)), float(tenant_devices(300, 10.0, 1500.0, 100))
    (1.0, 3.0)
    """
    by_load = as_array(tenants) * tokens_per_s_each / tokens_per_s_per_device
    return np.ceil(np.maximum(by_load, as_array(tenants) / adapters_per_device))


def usd_per_tenant(usd_per_month: Numeric, tenants: Numeric) -> Array:
    """Monthly cost of one tenant of shared devices.

    Equation
        c = C / T

    Parameters
        usd_per_month  C  [USD/month]  array  >= 0, of all devices
        tenants        T  [1]          array  > 0

    Returns
        c  [USD/month]  array

    Holds when  tenants use alike; share by tokens otherwise.
    Source      [palanor-kb]; [derived]
    Raises      DomainError if there is no tenant

    >>> round(float(usd_per_tenant(500.0, 75)), 2)
    6.67
    """
    count = as_array(tenants)
    if not np.all(count > 0):
        raise DomainError(f"tenants={tenants} must be positive; someone has to pay")
    return as_array(usd_per_month) / count


def shared_break_even_requests(usd_per_month: Numeric, usd_per_request: Numeric) -> Array:
    """Requests a month from which own devices cost no more than paying for each request.

    Equation
        n = ceil(C / c_r)

    Parameters
        usd_per_month    C    [USD/month]    array  >= 0, of the devices
        usd_per_request  c_r  [USD/request]  array  > 0, saved on each

    Returns
        n  [1]  array

    Holds when  the devices carry that many requests.
    Source      [palanor-kb]; [derived]
    Raises      nothing

    >>> float(shared_break_even_requests(500.0, 0.51))
    981.0
    """
    # One part in 10^12 less, so that a quotient which is whole but for rounding is not raised by one.
    return np.ceil(as_array(usd_per_month) / usd_per_request * (1 - 1e-12))
