"""Time of the collectives of a pass by the kernels of engines and libraries, inside one scale-up domain and across.

Chips on a torus or a ring, and those on PCIe whose collectives were not timed, take `collectives` at fitted fractions.
"""

from __future__ import annotations

import numpy as np

from costline.architecture.cost import Message
from costline.catalog.kernel_parameters import kernel_parameters
from costline.catalog.kernels import (
    engine_all_reduce,
    library_collective,
    low_latency_exchange,
    scale_out,
    throughput_exchange,
)
from costline.catalog.records import System
from costline.forward.collectives import collective_time_s
from costline.forward.kernels.all_reduce import engine_all_reduce_time_s, own_forms
from costline.forward.kernels.collectives import library_all_reduce_time_s, library_gather_time_s
from costline.forward.kernels.expert_exchange import (
    low_latency_exchange_time_s,
    throughput_exchange_time_s,
)
from costline.forward.kernels.records import Device
from costline.forward.machine import Machine
from costline.quantities import Array

EXCHANGE_UNITS = 20
"""Compute units that an engine gives to the exchange of expert tokens."""


def _device(machine: Machine, devices: Array) -> Device:
    fabric, chip = machine.system.fabric, machine.chip
    rate = np.minimum(fabric.bytes_per_s, np.maximum(devices - 1, 1.0) * fabric.pair_bytes_per_s)
    return Device(
        flop_per_s=1.0,
        hbm_bytes_per_s=chip.hbm_bytes_per_s,
        compute_units=1.0,
        link_bytes_per_s=rate,
        network_bytes_per_s=machine.system.scale_out_bytes_per_s,
    )


def runs_library(machine: Machine) -> bool:
    """Collectives follow the timed libraries: behind a switch or a full mesh, or on a bus that was timed."""
    topology = machine.system.fabric.topology
    if topology == "pcie":
        return (machine.chip.family, "library_collective") in kernel_parameters()
    return topology in ("switch", "mesh")


def _all_reduce_s(machine: Machine, size: Array, devices: Array) -> Array:
    family, engine = machine.chip.family, machine.engine
    device = _device(machine, devices)
    library = library_all_reduce_time_s(
        size, devices, device=device, kernel=library_collective(family, "all_reduce")[0]
    )
    if machine.system.fabric.topology == "pcie" or not engine:
        return library
    switched = machine.system.fabric.topology == "switch"
    forms = own_forms(size, devices, engine=engine, family=family, switched=switched)
    fused = machine.overheads.fuses_all_reduce
    kernel = engine_all_reduce(family, engine, "" if switched else "direct")[0]
    own = engine_all_reduce_time_s(size, devices, device=device, kernel=kernel, forms=None if fused else forms)
    faster = np.minimum(own, library)
    return faster if fused else np.where(forms.own, faster, library)


def message_time_s(message: Message, devices: Array, machine: Machine, derated: System) -> Array:
    """Time of one collective among `devices` devices; `derated` has the fractions for what was not timed."""
    size = message.bytes_per_device
    if not runs_library(machine) or message.collective == "point_to_point":
        return collective_time_s(message.collective, size, devices, derated)
    if message.collective == "all_reduce":
        inside = _all_reduce_s(machine, size, devices)
    else:
        kernel = library_collective(machine.chip.family, "gather")[0]
        rings = message.collective == "all_gather"
        inside = library_gather_time_s(
            size, devices, ring_steps=rings, device=_device(machine, devices), kernel=kernel
        )
    across = devices > machine.system.fabric.domain_size
    if not np.any(across):
        return inside
    return np.where(across, collective_time_s(message.collective, size, devices, derated), inside)


def exchange_time_s(
    tokens: Array,
    copies: Array,
    *,
    shape: tuple[int, int, int],
    direction: str,
    bytes_per_number: float,
    devices: Array,
    machine: Machine,
) -> Array:
    """Dispatch or combine of expert tokens; `shape` = experts, experts a token, width. The faster of two kernels."""
    experts, top_k, width = shape
    family, domain = machine.chip.family, float(machine.system.fabric.domain_size)
    inner = np.minimum(devices, domain)
    outer = np.ceil(devices / domain)
    device, network = _device(machine, inner), scale_out(family)[0]
    quick = low_latency_exchange_time_s(
        tokens,
        top_k,
        width,
        experts=experts,
        bytes_per_number=bytes_per_number,
        local_devices=inner,
        domains=outer,
        device=device,
        kernel=low_latency_exchange(family, direction)[0],
        network=network,
    )
    bulk = throughput_exchange_time_s(
        tokens,
        copies,
        width,
        domain_copies=outer * (1 - (1 - 1 / outer) ** top_k),
        bytes_per_number=bytes_per_number,
        devices=devices,
        domains=outer,
        compute_units=EXCHANGE_UNITS,
        device=device,
        kernel=throughput_exchange(family, direction)[0],
        network=network,
    )
    return np.minimum(quick, bulk)
