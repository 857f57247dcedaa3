"""Numbers of the kernel models as the files `data/calibration/kernels/<family>.yml` hold them.

Knows the files' keys, units and selectors. Knows neither a formula (see `forward.kernels`) nor what stands in for
what was never timed (see `kernels`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costline.catalog.kernel_records import (
    DecodeAttentionKernel,
    EngineAllReduce,
    ExpertKernel,
    GemmKernel,
    LatentDecodeKernel,
    LibraryCollective,
    LowLatencyExchange,
    PrefillAttentionKernel,
    ScaleOut,
    ThroughputExchange,
)
from costline.catalog.read import Block, Entry, Field, Number, Table, Text, read_all
from costline.catalog.records import Provenance
from costline.errors import CatalogError
from costline.quantities import GIGA, MICRO, NANO

Selector = frozenset[str]
ALL = "all"
ENGINES = ("vllm", "sglang", "trtllm")
FORMATS = ("bf16", "fp8", "fp8_block", "nvfp4", "mxfp4", "int8", "w4a16", "w8a16")
EXPERT_CLASSES = ("cutlass", "triton", "marlin", "trtllm_gen")
OPERATIONS = ("all_reduce", "gather", "dispatch", "combine")
LINKS = ("direct",)
"""Devices linked one to one; without the word a switch joins them."""
WORDS = frozenset((ALL, *ENGINES, *FORMATS, *EXPERT_CLASSES, *OPERATIONS, *LINKS))


@dataclass(frozen=True)
class Parameter:
    """One parameter: its key in the files, its field in the record, the file's unit in SI."""

    key: str
    field: str
    factor: float
    about: str
    absent: float | None = None
    """What it is where no selector holds; None = that is a gap which something stands in for."""


PARAMETERS: dict[str, Parameter] = {
    one.key: one
    for one in (
        Parameter("flop_fraction", "flop_fraction", 1.0, "share of the dense peak at the format of the arithmetic"),
        Parameter("hbm_fraction", "hbm_fraction", 1.0, "share of the memory bandwidth"),
        Parameter("floor_us", "floor_s", MICRO, "launch and drain"),
        Parameter("k_latency_ns", "k_latency_s", NANO, "latency of the inner loop for each unit of k"),
        Parameter("quantise_passes", "quantise_passes", 1.0, "passes that quantise the input", absent=0.0),
        Parameter("doubling_us", "doubling_s", MICRO, "for each doubling of context, or of domains"),
        Parameter("item_us", "item_s", MICRO, "set-up of a sequence and KV head on a compute unit"),
        Parameter("unit_gb_per_s", "unit_bytes_per_s", GIGA, "what one compute unit moves"),
        Parameter("resident_share", "resident_share", 1.0, "share of the last-level cache that keeps data"),
        Parameter("reread_share", "reread_share", 1.0, "share that is read again for each further tile", 0.0),
        Parameter("block_exposure", "block_exposure", 1.0, "share of the longest block that others wait for"),
        Parameter("traffic_passes", "traffic_passes", 1.0, "passes over the activations"),
        Parameter("launch_us", "launch_s", MICRO, "start of a collective"),
        Parameter("step_us", "step_s", MICRO, "one step of the ring"),
        Parameter("low_latency_fraction", "low_latency_fraction", 1.0, "share of the links, small messages"),
        Parameter("bulk_entry_us", "bulk_entry_s", MICRO, "entering the bulk protocol among 4 devices"),
        Parameter("link_fraction", "link_fraction", 1.0, "share of the links"),
        Parameter("switch_fraction", "switch_fraction", 1.0, "share of the links where the switch adds up", 0.0),
        Parameter("peer_us", "peer_s", MICRO, "signals to one further device"),
        Parameter("round_us", "round_s", MICRO, "one round of signals among the devices of a domain"),
        Parameter("entry_us", "entry_s", MICRO, "two-shot beyond one-shot"),
        Parameter("one_shot_fraction", "one_shot_fraction", 1.0, "share of the links, one-shot"),
        Parameter("two_shot_fraction", "two_shot_fraction", 1.0, "share of the links, two-shot"),
        Parameter("expert_ns", "expert_s", NANO, "count and flag of one expert"),
        Parameter("expert_gb_per_s", "expert_bytes_per_s", GIGA, "what one expert's warps send", absent=math.inf),
        Parameter("token_ns", "token_s", NANO, "header of one token on one compute unit", absent=0.0),
        Parameter("copies", "copies", 1.0, "passes over a token beside those sent", absent=0.0),
        Parameter("network_fraction", "network_fraction", 1.0, "share of the network between domains"),
    )
}
"""Every parameter of every kernel by its key in the files."""
_ATTENTION = ("floor_us", "flop_fraction", "unit_gb_per_s", "block_exposure")
_DECODE = ("floor_us", "doubling_us", "item_us", "hbm_fraction", "unit_gb_per_s", "resident_share")
_LATENT = ("floor_us", "doubling_us", "item_us", "flop_fraction", "hbm_fraction", "resident_share", "reread_share")
_EXPERTS = ("floor_us", "flop_fraction", "hbm_fraction", "traffic_passes", "resident_share", "reread_share")
_LIBRARY = ("launch_us", "step_us", "low_latency_fraction", "bulk_entry_us", "link_fraction", "switch_fraction")
KERNELS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "gemm": (GemmKernel, ("flop_fraction", "hbm_fraction", "floor_us", "k_latency_ns", "quantise_passes")),
    "decode_attention": (DecodeAttentionKernel, _DECODE),
    "prefill_attention": (PrefillAttentionKernel, _ATTENTION),
    "mla_decode": (LatentDecodeKernel, _LATENT),
    "mla_prefill": (PrefillAttentionKernel, _ATTENTION),
    "experts": (ExpertKernel, _EXPERTS),
    "library_collective": (LibraryCollective, _LIBRARY),
    "engine_all_reduce": (
        EngineAllReduce,
        ("floor_us", "peer_us", "entry_us", "one_shot_fraction", "two_shot_fraction"),
    ),
    "low_latency_exchange": (
        LowLatencyExchange,
        ("round_us", "expert_ns", "link_fraction", "expert_gb_per_s"),
    ),
    "throughput_exchange": (
        ThroughputExchange,
        ("floor_us", "token_ns", "copies", "unit_gb_per_s", "link_fraction"),
    ),
    "scale_out": (ScaleOut, ("network_fraction", "doubling_us")),
}
"""Record and parameters of each kernel."""

_SHARE = Number(positive=True)
_HELD_OUT = Block(
    {
        "median": Field(Number(), about="median size of the relative error"),
        "p90": Field(Number()),
        "low": Field(_SHARE, about="p10 of measured over predicted"),
        "middle": Field(_SHARE),
        "high": Field(_SHARE, about="p90 of measured over predicted"),
        "rows": Field(Number(whole=True)),
    }
)
_BLOCK = Block(
    {
        "kernel": Field(Text(tuple(KERNELS))),
        "family": Field(Text()),
        **{key: Field(Table(Number(one.factor)), default={}, about=one.about) for key, one in PARAMETERS.items()},
        "fitted_on": Field(Text(), about="files, chips and engine versions"),
        "rows": Field(Number(whole=True), about="rows that were fitted"),
        "held_out": Field(Table(_HELD_OUT), about="errors on shapes that the fit never saw, by selector"),
    }
)


@dataclass(frozen=True)
class KernelParameters:
    """All numbers of one kernel on one family."""

    family: str
    kernel: str
    tables: Mapping[str, Mapping[Selector, float]]
    """By parameter, then by selector, in SI."""
    held_out: Mapping[Selector, Mapping[str, float]]
    fitted_on: str
    rows: int
    provenance: Provenance

    @property
    def fitted_numbers(self) -> int:
        """How many numbers the fit chose."""
        return sum(len(table) for table in self.tables.values())


@lru_cache(maxsize=1)
def kernel_parameters() -> dict[tuple[str, str], KernelParameters]:
    """Everything in the files, by family and kernel."""
    entries = read_all("kernels", _BLOCK, "calibration", "kernels")
    found = [_checked(entry) for entry in entries.values()]
    return {(one.family, one.kernel): one for one in found}


def _selector(text: str, where: str) -> Selector:
    words = frozenset(text.split())
    unknown = sorted(words - WORDS)
    if unknown:
        known = ", ".join(sorted(WORDS))
        raise CatalogError(f"{where}: selector {text!r} has unknown word {unknown[0]!r}; use {known}")
    return words - {ALL}


def _checked(entry: Entry) -> KernelParameters:
    values = entry.values
    kernel, family = values["kernel"], values["family"]
    due = KERNELS[kernel][1]
    given = [key for key in PARAMETERS if values[key]]
    for key in due:
        if key not in given and PARAMETERS[key].absent is None:
            raise CatalogError(f"{entry.where}: {entry.id} lacks {key}, which {kernel} needs")
    for key in given:
        if key not in due:
            raise CatalogError(f"{entry.where}: {entry.id} has {key}, which {kernel} does not take; remove it")
    if entry.id != f"{family}-{kernel}":
        raise CatalogError(f"{entry.where}: {entry.id} should be named {family}-{kernel}, after its family and kernel")
    return KernelParameters(
        family=family,
        kernel=kernel,
        tables={key: {_selector(text, entry.where): one for text, one in values[key].items()} for key in due},
        held_out={_selector(text, entry.where): one for text, one in values["held_out"].items()},
        fitted_on=values["fitted_on"],
        rows=values["rows"],
        provenance=entry.provenance[""],
    )
