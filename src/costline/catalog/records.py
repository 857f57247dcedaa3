"""What a fact looks like: frozen records of chips, systems, models, offers, grids and their sources.

Knows the shape of the facts and their SI units. Knows no formula and reads no file (see `load`).
Every record carries `provenance`: for each field the source key, the kind of statement and the date it was
retrieved; the entry under ``""`` holds for every field that has none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["published", "vendor", "measured", "derived", "inferred", "assumed"]
Topology = Literal["switch", "mesh", "torus_2d", "torus_3d", "ring", "pcie", "none"]
FractionOf = Literal["memory", "rest"]
StateKind = Literal["gated_delta", "mamba2", "lightning", "kda"]
QkNorm = Literal["none", "head", "full"]


@dataclass(frozen=True)
class Source:
    """One citation of `sources.yml`."""

    key: str
    title: str
    retrieved: str
    locator: str = ""
    url: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where one value comes from: a key of `sources.yml`, the kind of statement, the day it was read."""

    source: str
    kind: Kind
    retrieved: str
    note: str = ""


@dataclass(frozen=True)
class Chip:
    """An accelerator that a user rents or buys. Rates are dense (no sparsity) unless named otherwise."""

    id: str
    name: str
    vendor: str
    family: str
    """Chips of one family share fitted kernel coefficients (hopper, blackwell, cdna3, tpu-v5 …)."""
    aliases: tuple[str, ...]
    launch: str
    status: Literal["shipping", "announced"]
    memory_bytes: float
    """Nominal device memory in bytes (vendors' "GB" of HBM and GDDR parts are GiB; the file says which)."""
    visible_memory_bytes: float
    """What the driver reports as usable; equal to `memory_bytes` where no log states it."""
    hbm_bytes_per_s: float
    dense_flop_per_s: Mapping[str, float]
    """Peak matrix rate by number format: fp32, tf32, fp16, bf16, fp8, int8, fp6, fp4."""
    sparse_flop_per_s: Mapping[str, float]
    measured_flop_per_s: Mapping[str, float]
    """Best measured matrix rate by format, where known."""
    tdp_w: float | None
    compute_units: int | None
    l2_bytes: float | None
    release_price_usd: float | None
    system: str
    """Id of the system it usually comes in."""
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Fabric:
    """The fast links inside a scale-up domain (NVLink, Infinity Fabric, ICI, NeuronLink, PCIe)."""

    topology: Topology
    domain_size: int
    """Accelerators that reach one another without leaving the fast links."""
    bytes_per_s: float
    """Per accelerator and direction, all its links together."""
    pair_bytes_per_s: float
    """Per direction between two accelerators that exchange nothing with others."""
    latency_s: float
    """One message between neighbours, software included."""
    in_network_reduction: bool = False


@dataclass(frozen=True)
class Slice:
    """A legal group of accelerators, such as a TPU slice 4x4."""

    accelerators: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class System:
    """A node type with its links: how accelerators of one kind are wired together."""

    id: str
    name: str
    chip: str
    aliases: tuple[str, ...]
    accelerators_per_node: int
    fabric: Fabric
    scale_out_bytes_per_s: float
    """Network between domains, per accelerator and direction; 0 if there is none."""
    scale_out_latency_s: float
    slices: tuple[Slice, ...]
    """Legal groups; empty = any count up to the domain, then whole domains."""
    host_memory_bytes: float | None
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention: the low-rank shapes."""

    q_rank: int | None
    kv_rank: int
    nope_dim: int
    rope_dim: int


@dataclass(frozen=True)
class Indexer:
    """Sparse attention's selector: scores every cached token, keeps `top_k`."""

    heads: int
    head_dim: int
    top_k: int
    shared: bool = False
    """Reuses the selection of an earlier layer: attends to `top_k` tokens, but has no weights and no cache."""
    head_weights: bool = True
    """A projection of the hidden state weighs the heads' scores; without it queries are normed like keys."""


@dataclass(frozen=True)
class Compressor:
    """Long-range branch of windowed attention: every `rate` tokens are pooled into one cached entry."""

    rate: int
    overlap: bool = False
    """Neighbouring entries pool overlapping spans: projections twice as wide."""


@dataclass(frozen=True)
class Attention:
    """Softmax attention of one layer."""

    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int
    window_tokens: int | None = None
    """Sliding window: a token sees at most so many tokens, itself included."""
    chunk_tokens: int | None = None
    """Chunked attention: a token sees only its own chunk of so many tokens."""
    latent: Latent | None = None
    indexer: Indexer | None = None
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: QkNorm = "none"
    sinks: bool = False
    output_gate: bool = False
    """The query projection is twice as wide and gates the output."""
    values_are_keys: bool = False
    """No value projection: values are the keys before the rotation (one cached vector still stands for each)."""
    cached_once: bool = False
    """One projection and one cached vector, with its norm, serve as key and as value."""
    reuses_cache: bool = False
    """Reads the keys and values of an earlier layer: no such projections, no cache of its own."""
    query_rank: int | None = None
    """Low-rank query projection (with a norm between) of attention that is not latent."""
    output_rank: int | None = None
    """Low-rank output projection, by `output_groups` groups of heads: this rank for each group."""
    output_groups: int = 1
    compressor: Compressor | None = None


@dataclass(frozen=True)
class State:
    """A layer whose memory does not grow with the sequence (linear attention, state space)."""

    kind: StateKind
    key_heads: int
    value_heads: int
    key_dim: int
    """Per head; for mamba2 the state size, with `key_heads` groups."""
    value_dim: int
    """Per head."""
    conv_width: int = 0
    conv_bias: bool = False
    state_format: str = "fp32"
    conv_format: str = "bf16"
    """Number format of the last `conv_width - 1` inputs that the convolution keeps."""


@dataclass(frozen=True)
class Mlp:
    """A dense feed-forward block; 3 matrices = gated (SwiGLU, GeGLU), 2 = plain."""

    width: int
    matrices: Literal[2, 3] = 3
    bias: bool = False


@dataclass(frozen=True)
class Moe:
    """Routed experts, and the shared ones that every token uses."""

    experts: int
    top_k: int
    expert_width: int
    shared_width: int = 0
    """Sum of the shared experts' widths."""
    matrices: Literal[2, 3] = 3
    bias: bool = False
    router_bias: bool = False
    shared_gate: bool = False
    latent_dim: int | None = None
    """Routed experts that work in a smaller space than `hidden` (two projections around them)."""


@dataclass(frozen=True)
class LayerGroup:
    """`count` layers of the same shape, wherever they stand in the stack."""

    count: int
    attention: Attention | None = None
    state: State | None = None
    mlp: Mlp | None = None
    moe: Moe | None = None
    norm_parameters: int = 0
    """Scale and shift parameters of one layer's norms outside attention and state."""
    extra_parameters: int = 0
    """Parameters of one layer that fit no other component; `notes` of the model says what they are."""
    parallel: bool = False
    """Attention and feed-forward read the same input and share one all-reduce (PaLM, GPT-J, Falcon)."""


@dataclass(frozen=True)
class Model:
    """An architecture: everything one forward pass must touch, as counts."""

    id: str
    name: str
    aliases: tuple[str, ...]
    hf_id: str
    family: str
    hidden: int
    vocab: int
    tied_embeddings: bool
    position_embeddings: int
    """Learned position vectors (0 = rotary or none)."""
    max_context_tokens: int
    layers: tuple[LayerGroup, ...]
    final_norm_parameters: int
    extra_parameters: int
    checkpoint_formats: Mapping[str, str]
    """Number format by component as released; key ``""`` is the default (see architecture.weights.COMPONENTS)."""
    mtp_layers: int
    """Multi-token-prediction layers that the checkpoint carries and the counts leave out."""
    published: Mapping[str, float]
    """Counts the makers state, for checking: total, active."""
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Offer:
    """A rental price: provider, term, region, date."""

    id: str
    provider: str
    chip: str
    term: Literal["on-demand", "spot", "reserved", "community", "assumption"]
    usd_per_accelerator_hour: float
    date: str
    region: str
    listed_as: str
    """The provider's own name of the part."""
    commitment: str
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Grid:
    """Carbon intensity of electricity in a country, state or cloud region."""

    id: str
    name: str
    level: Literal["country", "us-state", "cloud-region"]
    g_co2e_per_kwh: float
    year: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Pue:
    """Facility power over IT power of an operator."""

    id: str
    operator: str
    pue: float
    year: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Tariff:
    """Electricity price of a region and customer class, in USD (converted where `notes` says so)."""

    id: str
    region: str
    sector: str
    usd_per_kwh: float
    period: str
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class Lengths:
    """How long prompts or answers are."""

    mean_tokens: float
    p50_tokens: float
    p95_tokens: float


@dataclass(frozen=True)
class Workload:
    """A reference workload: lengths of prompts and answers, and how often they come."""

    id: str
    name: str
    aliases: tuple[str, ...]
    input: Lengths
    output: Lengths
    requests_per_s: float | None
    """Mean arrival rate of the trace; None for a shape without one."""
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class EngineMemory:
    """How a serving engine divides device memory (see architecture of `forward.memory`)."""

    id: str
    engine: str
    version: str
    memory_fraction: float
    reserve_single_bytes: float
    """Activations, graphs and workspace taken off the fraction on one device."""
    reserve_parallel_bytes: float
    """The same per device with tensor parallelism above 1."""
    visible_before_load: float
    """Share of the visible memory that is free before the weights are read."""
    state_pool_ratio: float
    """For hybrid models: bytes set aside for layer states per byte of KV pool (0 = only what is needed)."""
    notes: str
    fraction_of: FractionOf = "memory"
    """Whether the share is of the device's memory, or of what weights and the reserve leave free."""
    aliases: tuple[str, ...] = ()
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])


@dataclass(frozen=True)
class Residuals:
    """Measured over predicted on systems that were measured: quantiles of the ratio."""

    p10: float
    p50: float
    p90: float
    rows: int


@dataclass(frozen=True)
class Efficiency:
    """What kernels sustain on a family of chips, as fractions of the datasheet and seconds."""

    id: str
    """The chip family, or `default`."""
    flop_fraction: Mapping[str, float]
    """Large matrix products, by number format; bf16 always present."""
    attention_flop_fraction: float
    """Prefill attention, of the bf16 peak."""
    hbm_fraction: float
    """Streaming weights."""
    kv_fraction: float
    """Decode attention reading the cache."""
    link_fraction: float
    scale_out_fraction: float
    kernel_floor_s: float
    """Time of a kernel with nothing to do, inside a captured graph."""
    collective_floor_s: float
    """Time of a small all-reduce between two devices."""
    host_step_s: float
    """Scheduling, sampling and input preparation between two steps."""
    measured: bool
    """Fitted on this family, or taken over from another by rule."""
    notes: str
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])
