"""The architectures, accelerators and printed numbers of Erdil 2025, with what the paper derives from them.

Knows the counts (parameters, FLOP, KV bytes) as the study's code counts them. Knows no time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar, cast

import yaml

from costline.errors import CatalogError, InputError, UnknownIdError
from costline.quantities import BITS_PER_BYTE

_FILE = "catalog/data/published/erdil_2025.yml"
_Record = TypeVar("_Record")

Protocol = tuple[float, float, float, float]
"""Seconds per further rank of a node, per doubling of nodes, to start; usable part of the bandwidth."""

Row = tuple[Any, ...]
"""One row of a printed table: its label, the model or accelerator, then the numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An architecture as the study sees it; embeddings are never tied, shared experts are routed ones."""

    name: str
    d_model: int
    d_ff: int
    up: int
    """Matrices from d_model to d_ff (two when gated)."""
    down: int
    layers: int
    heads: int
    group: int
    """Query heads per key-value head."""
    head_dim: int
    vocabulary: int
    weight_bytes: float
    experts: int = 1
    active_experts: int = 1
    activation_bytes: float = 2
    mla: tuple[int, int] = (0, 0)
    """Latent dimensions of keys-and-values and of queries; zeros without multi-head latent attention."""
    parallel_attention: bool = False

    @property
    def sparsity(self) -> int:
        """Experts per active expert, rounded down: 256 / 9 counts as 28."""
        return self.experts // self.active_experts

    @property
    def kv_heads(self) -> float:
        """Key heads and value heads counted together."""
        return 2 * self.heads / self.group

    @property
    def qkv_width(self) -> float:
        return (self.heads + self.kv_heads) * self.head_dim

    @property
    def feedforward_parameters(self) -> int:
        return self.layers * self.experts * (self.up + self.down) * self.d_model * self.d_ff

    @property
    def attention_parameters(self) -> float:
        """All layers; the latent key-value projection is counted twice, rotary sub-dimensions are not."""
        output = self.d_model * self.heads * self.head_dim
        if not any(self.mla):
            return self.layers * (self.d_model * self.qkv_width + output)
        kv, query = self.mla
        latent = (2 * kv + query) * self.d_model
        expand = self.head_dim * (self.kv_heads * kv + self.heads * query)
        return self.layers * (latent + expand + output)

    @property
    def unembedding_parameters(self) -> int:
        return self.vocabulary * self.d_model

    @property
    def parameters(self) -> float:
        return self.attention_parameters + self.feedforward_parameters + 2 * self.unembedding_parameters

    @property
    def active_parameters(self) -> float:
        """Input embeddings included: the study charges FLOP for both embedding matrices."""
        routed = self.feedforward_parameters // self.sparsity
        return self.attention_parameters + routed + 2 * self.unembedding_parameters

    @property
    def attention_dim(self) -> int:
        """Width over which one head's score and value products run."""
        return self.mla[0] if any(self.mla) else self.head_dim

    @property
    def kv_bytes_per_position(self) -> float:
        width = self.mla[0] if any(self.mla) else self.kv_heads * self.head_dim
        return width * self.layers * self.activation_bytes

    @property
    def weights_bytes(self) -> float:
        return self.weight_bytes * self.parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """An accelerator as the study sees it: peak rates, the part of them it sustains, and its price."""

    name: str
    flop_per_s: Mapping[int, float]
    """Peak rate by bits per weight."""
    hbm_bytes_per_s: float
    hbm_bytes: float
    intra_node_bytes_per_s: float
    inter_node_bytes_per_s: float
    usd_per_hour: float
    derate_flop: float
    derate_hbm: float
    node: int
    kernel_s: float
    collective: Literal["nccl", "nccl_zero_latency", "ring"]
    assumed: tuple[str, ...] = field(default=())
    """Fields that the study's description does not state."""

    def peak_flop_per_s(self, weight_bytes: float) -> float:
        """The peak rate at a weight precision; activations do not matter to the study."""
        bits = round(BITS_PER_BYTE * weight_bytes)
        if bits not in self.flop_per_s:
            known = ", ".join(str(key) for key in self.flop_per_s)
            raise InputError(f"{bits}-bit weights have no FLOP rate on {self.name}; it has {known}-bit rates")
        return self.flop_per_s[bits]


@cache
def _document() -> dict[str, Any]:
    text = files("costline").joinpath(_FILE).read_text(encoding="utf-8")
    return cast(dict[str, Any], yaml.safe_load(text))


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(cast(list[Any], value)) if isinstance(value, list) else value for key, value in fields.items()}


def _records(block: str, record: Callable[..., _Record]) -> dict[str, _Record]:
    found: dict[str, _Record] = {}
    for name, fields in _document()[block].items():
        try:
            found[name] = record(name=name, **_tuples(fields))
        except TypeError as error:
            raise CatalogError(f"{_FILE}: {block}.{name}: {error}") from error
    return found


@cache
def models() -> dict[str, Model]:
    """Every architecture of the study by name."""
    return _records("models", Model)


@cache
def gpus() -> dict[str, Gpu]:
    """Every accelerator of the study by name."""
    return _records("gpus", Gpu)


def find_model(name: str) -> Model:
    """The architecture of that name; an unknown one raises with the nearest."""
    if name not in models():
        raise UnknownIdError("Erdil 2025 model", name, models())
    return models()[name]


def find_gpu(name: str) -> Gpu:
    """The accelerator of that name; an unknown one raises with the nearest."""
    if name not in gpus():
        raise UnknownIdError("Erdil 2025 GPU", name, gpus())
    return gpus()[name]


def protocols(gpu: Gpu) -> tuple[Protocol, Protocol, Protocol]:
    """The three protocols that a collective chooses from."""
    rows = cast(dict[str, Any], _document()["collectives"][gpu.collective]).values()
    first, second, third = (tuple(float(value) for value in row) for row in rows)
    return cast(Protocol, first), cast(Protocol, second), cast(Protocol, third)


def printed_rows(table: str) -> tuple[Row, ...]:
    """The rows of a printed table (`table_1` to `table_6`)."""
    return tuple(tuple(row) for row in _document()["tables"][table])
