"""What an entry of each kind of fact file holds: keys, units, defaults, meaning.

Knows the files' units and takes them to SI by factor. Reads nothing (see `load`) and draws no schema (see `schema`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from costline.catalog.records import Fabric, FractionOf, Lengths, Topology
from costline.catalog.shapes import Block, Field, Flag, Many, Number, Shape, Table, Text
from costline.quantities import GIB, GIGA, MEGA, MICRO, TERA

FORMATS = ("fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp6", "fp4")
DATE = r"\d{4}(-\d\d(-\d\d)?)?"
"""A day, or the month or year where no more is known; such dates sort as text."""

FileKind = Literal["chips", "systems", "offers", "grids", "pues", "tariffs", "engines", "workloads", "sources"]


@dataclass(frozen=True)
class Files:
    """Where entries of one kind stand: the section's key, the place below a catalog directory, their shape."""

    section: str
    place: tuple[str, ...]
    block: Block


def _positive(factor: float = 1.0) -> Number:
    return Number(factor, positive=True)


def _text(about: str, choices: tuple[str, ...] = (), pattern: str = "") -> Field:
    return Field(Text(choices, pattern), about=about)


def _maybe(shape: Shape, default: object, about: str, to: str = "") -> Field:
    return Field(shape, default, to, about)


_ALIASES = _maybe(Many(Text()), (), "other names; case and punctuation do not matter")
_NOTES = _maybe(Text(), "", "conflicts and how they were resolved, conditions")


def _rates(about: str, to: str) -> Field:
    return Field(Table(_positive(TERA), FORMATS), {}, to, about)


CHIP = Block({
    "name": _text("as people write it"),
    "vendor": _text("maker"),
    "family": _text("chips of one family share fitted kernel coefficients"),
    "aliases": _ALIASES,
    "launch": _maybe(Text(pattern=DATE), "", "first shipped or announced"),
    "status": _maybe(Text(("shipping", "announced")), "shipping", "announced figures may change"),
    "memory_gib": Field(_positive(GIB), to="memory_bytes", about="nominal device memory"),
    "visible_memory_gib": _maybe(_positive(GIB), None, "what the driver reports", "visible_memory_bytes"),
    "hbm_gb_per_s": Field(_positive(GIGA), to="hbm_bytes_per_s", about="device memory bandwidth"),
    "dense_tflop_per_s": _rates("peak matrix rate by number format, no sparsity", "dense_flop_per_s"),
    "sparse_tflop_per_s": _rates("peak with structured sparsity", "sparse_flop_per_s"),
    "measured_tflop_per_s": _rates("best measured matrix product", "measured_flop_per_s"),
    "tdp_w": _maybe(_positive(), None, "power limit of the board"),
    "compute_units": _maybe(Number(whole=True, positive=True), None, "SMs or compute units"),
    "l2_mb": _maybe(_positive(MEGA), None, "last-level cache", "l2_bytes"),
    "release_price_usd": _maybe(_positive(), None, "list price at launch"),
    "system": _text("id of the system it usually comes in"),
    "notes": _NOTES,
})  # fmt: skip

FABRIC = Block({
    "topology": _text("how the fast links run", get_args(Topology)),
    "domain_size": Field(Number(whole=True, minimum=1), about="accelerators that reach one another on them"),
    "gb_per_s": Field(Number(GIGA), to="bytes_per_s", about="per accelerator and direction, all its links"),
    "pair_gb_per_s": Field(Number(GIGA), to="pair_bytes_per_s", about="per direction between two alone"),
    "latency_us": Field(Number(MICRO), to="latency_s", about="one message between neighbours, software included"),
    "in_network_reduction": _maybe(Flag(), False, "the switch adds up an all-reduce"),
}, Fabric)  # fmt: skip

SYSTEM = Block({
    "name": _text("as people write it"),
    "chip": _text("id of its accelerator"),
    "aliases": _ALIASES,
    "accelerators_per_node": Field(Number(whole=True, minimum=1), about="that share a host"),
    "fabric": Field(FABRIC, about="the fast links inside a scale-up domain"),
    "scale_out_gb_per_s": _maybe(
        Number(GIGA), 0.0, "network between domains, per accelerator and direction", "scale_out_bytes_per_s"),
    "scale_out_latency_us": _maybe(Number(MICRO), 0.0, "one message across it", "scale_out_latency_s"),
    "slices": _maybe(Many(Text(pattern=r"\d+(x\d+)*")), (), "legal groups, such as 4x4; none = any count"),
    "host_memory_gib": _maybe(_positive(GIB), None, "of the node", "host_memory_bytes"),
    "notes": _NOTES,
})  # fmt: skip

OFFER = Block({
    "provider": _text("who rents it out"),
    "chip": _text("id of the accelerator"),
    "term": _text("how it is rented", ("on-demand", "spot", "reserved", "community", "assumption")),
    "usd_per_hour": Field(_positive(), to="usd_per_accelerator_hour", about="per accelerator"),
    "date": _text("day of the price; month or year where no more is known", pattern=DATE),
    "region": _maybe(Text(), "", "the provider's name of the region"),
    "listed_as": _maybe(Text(), "", "the provider's own name of the part"),
    "commitment": _maybe(Text(), "", "what must be promised for the price"),
    "notes": _NOTES,
})  # fmt: skip

GRID = Block({
    "name": _text("country, state or place of the region"),
    "level": _text("what it is", ("country", "us-state", "cloud-region")),
    "g_co2e_per_kwh": Field(Number(), about="carbon intensity of electricity"),
    "year": _maybe(Text(pattern=r"(\d{4})?"), "", "year of the statistics; empty = not stated"),
})  # fmt: skip

PUE = Block({
    "operator": _text("who runs the sites"),
    "pue": Field(Number(minimum=1.0), about="facility power over IT power"),
    "year": _text("year of the figure", pattern=r"\d{4}"),
})  # fmt: skip

TARIFF = Block({
    "region": _text("where"),
    "sector": _text("class of customer", ("industrial", "commercial", "non-household")),
    "usd_per_kwh": Field(_positive(), about="electricity price"),
    "period": _text("month or year of the price", pattern=DATE),
    "notes": _NOTES,
})  # fmt: skip

ENGINE = Block({
    "engine": _text("name", ("vllm", "sglang", "tensorrt-llm")),
    "aliases": _ALIASES,
    "version": _text("versions whose logs were read"),
    "memory_fraction": Field(Number(positive=True, maximum=1.0), about="share of the memory it may use"),
    "reserve_single_gib": Field(
        Number(GIB), to="reserve_single_bytes", about="taken off that share on one device"),
    "reserve_parallel_gib": Field(
        Number(GIB), to="reserve_parallel_bytes", about="the same per device with tensor parallelism"),
    "visible_before_load": Field(
        Number(positive=True, maximum=1.0), about="share of visible memory free before weights are read"),
    "state_pool_ratio": _maybe(Number(), 0.0, "hybrids: bytes for layer states per byte of KV pool"),
    "fraction_of": _maybe(
        Text(get_args(FractionOf)), "memory", "the share is of all memory, or of what weights and reserve leave"),
    "notes": _NOTES,
})  # fmt: skip

LENGTHS = Block({
    "mean": Field(_positive(), to="mean_tokens", about="tokens"),
    "p50": Field(_positive(), to="p50_tokens", about="tokens"),
    "p95": Field(_positive(), to="p95_tokens", about="tokens"),
}, Lengths)  # fmt: skip

WORKLOAD = Block({
    "name": _text("what it is"),
    "aliases": _ALIASES,
    "input": Field(LENGTHS, about="prompt lengths"),
    "output": Field(LENGTHS, about="answer lengths"),
    "requests_per_s": _maybe(_positive(), None, "mean arrival rate of the trace"),
    "notes": _NOTES,
})  # fmt: skip

SOURCE = Block({
    "title": _text("author, title, year"),
    "locator": _maybe(Text(), "", "where in the work"),
    "url": _maybe(Text(pattern=r"https?://\S+"), "", "where it can be read"),
    "retrieved": _text("day it was read", pattern=r"\d{4}-\d\d-\d\d"),
    "licence": _maybe(Text(), "", "of data or code, where it carries one"),
})  # fmt: skip

FILES: dict[FileKind, Files] = {
    "chips": Files("chips", ("chips",), CHIP),
    "systems": Files("systems", ("systems",), SYSTEM),
    "offers": Files("offers", ("offers",), OFFER),
    "grids": Files("grids", ("grids", "intensity"), GRID),
    "pues": Files("pues", ("grids", "pue.yml"), PUE),
    "tariffs": Files("tariffs", ("grids", "tariffs.yml"), TARIFF),
    "engines": Files("engines", ("calibration", "engines.yml"), ENGINE),
    "workloads": Files("workloads", ("workloads",), WORKLOAD),
    "sources": Files("", ("sources.yml",), SOURCE),
}
