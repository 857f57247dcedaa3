"""Parameters of kernels: what a family of chips sustains, one frozen record for each kind of kernel.

Every number has a meaning of its own: a share of a datasheet rate, a time, or a rate of one compute unit. Fields are
numbers, or arrays with one element a row while they are fitted. Knows no formula (see `forward.kernels`).
"""

from __future__ import annotations

from dataclasses import dataclass

from costline.catalog.records import Residuals
from costline.quantities import Numeric


@dataclass(frozen=True)
class GemmKernel:
    """Matrix product with weights from device memory."""

    flop_fraction: Numeric
    """Share of the dense peak on large shapes."""
    hbm_fraction: Numeric
    """Share of the memory bandwidth when weights stream in."""
    floor_s: Numeric
    """Launch, prologue and, for narrow formats, the launch of the kernel that quantises the input."""
    k_latency_s: Numeric
    """Latency of the inner loop, for each unit of k."""
    quantise_passes: Numeric
    """Passes over the input that narrow formats need before the product, each a read in bf16 and a narrow write."""


@dataclass(frozen=True)
class DecodeAttentionKernel:
    """One new token a sequence against its cache."""

    floor_s: Numeric
    """Launch of the kernel and of the one that combines its splits."""
    doubling_s: Numeric
    """Growth for each doubling of the context: the tree that combines the splits."""
    item_s: Numeric
    """Set-up of one work item (a sequence and a KV head) on a compute unit."""
    hbm_fraction: Numeric
    unit_bytes_per_s: Numeric
    """Cache that one compute unit can take in, wherever it comes from; narrow values have to be widened first."""
    resident_share: Numeric
    """Share of the last-level cache that keeps keys and values between repetitions; only benchmarks see it."""


@dataclass(frozen=True)
class PrefillAttentionKernel:
    """All tokens of prompts at once, causal."""

    floor_s: Numeric
    flop_fraction: Numeric
    unit_bytes_per_s: Numeric
    """Inputs and outputs that one compute unit moves, the kernels that rotate, quantise and store included."""
    block_exposure: Numeric
    """Share of the longest block's time in which the other compute units have nothing left to do."""


@dataclass(frozen=True)
class LatentDecodeKernel:
    """One new token a sequence against a latent cache that all heads share."""

    floor_s: Numeric
    doubling_s: Numeric
    item_s: Numeric
    flop_fraction: Numeric
    hbm_fraction: Numeric
    resident_share: Numeric
    reread_share: Numeric
    """Share of the cache that comes from device memory again for each further tile of 16 heads; none on Hopper."""


@dataclass(frozen=True)
class ExpertKernel:
    """Routed experts of one layer: both grouped products and the passes around them."""

    floor_s: Numeric
    flop_fraction: Numeric
    hbm_fraction: Numeric
    traffic_passes: Numeric
    """Passes over the activations beyond the products: permute, quantise, activate, combine."""
    resident_share: Numeric
    reread_share: Numeric
    """Share of an expert larger than the last-level cache that is read again for each 128 rows."""


@dataclass(frozen=True)
class LibraryCollective:
    """NCCL inside one scale-up domain."""

    launch_s: Numeric
    step_s: Numeric
    """One step of the ring."""
    low_latency_fraction: Numeric
    """Share of the links' bandwidth with the protocols for small messages."""
    bulk_entry_s: Numeric
    """What the protocol for large messages costs to enter among 4 devices."""
    link_fraction: Numeric
    """Share of the links' bandwidth of large messages among many devices."""
    switch_fraction: Numeric
    """The same for an all-reduce of 8 or more, where the switch adds up."""


@dataclass(frozen=True)
class EngineAllReduce:
    """An engine's own all-reduce kernel for small messages."""

    floor_s: Numeric
    peer_s: Numeric
    """Signals to each further device."""
    entry_s: Numeric
    """What the two-shot form costs beyond the one-shot form."""
    one_shot_fraction: Numeric
    two_shot_fraction: Numeric


@dataclass(frozen=True)
class LowLatencyExchange:
    """Dispatch or combine of expert tokens for decoding."""

    round_s: Numeric
    """One of the log2 n rounds of signals among the n devices of a domain."""
    expert_s: Numeric
    """Count and flag of one expert."""
    link_fraction: Numeric
    expert_bytes_per_s: Numeric
    """What the few warps of one expert send; infinite where it never binds."""


@dataclass(frozen=True)
class ThroughputExchange:
    """Dispatch or combine of expert tokens for prefill, on a chosen number of compute units."""

    floor_s: Numeric
    token_s: Numeric
    """Work on the header of one token on one compute unit."""
    copies: Numeric
    """Passes over a token in addition to the copies sent."""
    unit_bytes_per_s: Numeric
    link_fraction: Numeric


@dataclass(frozen=True)
class ScaleOut:
    """The network between scale-up domains."""

    network_fraction: Numeric
    doubling_s: Numeric
    """Latency for each doubling of the number of domains."""


@dataclass(frozen=True)
class Basis:
    """What the numbers of a record rest on."""

    interval: Residuals
    """Measured over predicted on rows that the fit never saw."""
    median_error: float
    """Median size of the relative error on those rows."""
    p90_error: float
    stand_ins: tuple[str, ...]
    """What was not timed and what stands in for it, a sentence each; empty if all was."""
