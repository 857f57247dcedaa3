"""Defaults and flags of serving engines: the files below `data/engines/`, and below its `flags/` as packages have them.

Knows the files' keys. Knows no formula and no plan. How engines divide memory is in `load.engines`.
"""

from __future__ import annotations

from functools import lru_cache

from costline.catalog.engine_records import EngineFacts, EngineLimits, Flag, GraphStride, Program
from costline.catalog.fields import DATE, Files
from costline.catalog.read import Block, Field, Many, Number, Table, Text, read_all
from costline.catalog.read import Flag as YesNo
from costline.errors import UnknownIdError
from costline.quantities import GIB

_COUNT = Number(whole=True, positive=True)
_MAYBE_COUNT = Field(_COUNT, default=None)
_MAYBE = Field(YesNo(), default=None)
_WORDS = Many(Text())

_LIMITS = Block({
    "from_memory_gib": Field(Number(GIB), to="from_memory_bytes", about="holds for devices with so much memory"),
    "max_batched_tokens": _MAYBE_COUNT, "max_sequences": _MAYBE_COUNT,
    "graph_batch": _MAYBE_COUNT, "graph_batch_tp4": _MAYBE_COUNT,
}, EngineLimits)  # fmt: skip
_STRIDE = Block({"start": Field(_COUNT), "step": Field(_COUNT)}, GraphStride)
_FACTS = Block({
    "package": Field(Text(), about="name on the package index"),
    "release": Field(Text(), about="release that was read"),
    "released": Field(Text(pattern=DATE), about="day of that release"),
    "memory_fraction": Field(Number(positive=True, maximum=1.0), default=None, about="default; none = derived"),
    "memory_rule": Field(Text(), about="what the share is of"),
    "block_tokens": Field(_COUNT, about="tokens of one block of the cache"),
    "chunked_prefill": _MAYBE, "mixed_steps": _MAYBE, "prefix_caching": _MAYBE, "asynchronous": _MAYBE,
    "limits": Field(Many(_LIMITS), about="default limits, ascending by memory"),
    "graph_batches": Field(Many(_COUNT), about="smallest captured decode batches"),
    "graph_strides": Field(Many(_STRIDE), default=(), about="distance of the further ones"),
    "graph_most": Field(Table(_COUNT), default={}, about="largest captured batch by chip family"),
    "weight_formats": Field(Table(_WORDS), about="by chip family"),
    "cache_formats": Field(Table(_WORDS), about="by chip family"),
    "flags": Field(Table(Text()), about="the engine's name of each setting of a plan"),
    "port": Field(_COUNT), "health": Field(Text(pattern="/.*"), about="path that answers once it is ready"),
    "images": Field(Table(Text()), about="container image by vendor of the accelerator"), "image_tag": Field(Text()),
    "notes": Field(Text(), default=""),
})  # fmt: skip
_FLAG = Block({
    "type": Field(Text(("flag", "int", "float", "str", "list", "json", "any"))), "of": Field(Text(), default=""),
    "choices": Field(_WORDS, default=()), "known": Field(_WORDS, default=()), "aliases": Field(_WORDS, default=()),
    "negatable": Field(YesNo(), default=False), "repeats": Field(YesNo(), default=False),
}, Flag)  # fmt: skip
_PROGRAM = Block({
    "package": Field(Text(), about="name on the package index"), "version": Field(Text()),
    "flags": Field(Table(_FLAG)), "objects": Field(Table(Table(_FLAG)), default={}),
})  # fmt: skip
ENGINE_FILES = Files("engine_facts", ("engines",), _FACTS)
"""Where the facts of engines stand, for the schema."""


@lru_cache(maxsize=1)
def engine_facts() -> dict[str, EngineFacts]:
    """Defaults, formats and flags of engines by id, such as `vllm`."""
    entries = read_all(ENGINE_FILES.section, ENGINE_FILES.block, *ENGINE_FILES.place)
    return {id: EngineFacts(id=id, **entry.values, provenance=entry.provenance) for id, entry in entries.items()}


@lru_cache(maxsize=16)
def program(name: str) -> Program:
    """What the command line of that name takes: `vllm`, `sglang`, `trtllm-serve`, a router … Raises UnknownIdError."""
    entries = read_all("flags", _PROGRAM, "engines", "flags", f"{name}.yml")
    if name not in entries:
        raise UnknownIdError("engine", name, engine_facts())
    entry = entries[name]
    return Program(id=name, **entry.values, provenance=entry.provenance)
