"""The record of a kernel for a family, format and engine, and what its numbers rest on.

Knows what stands in for what was never timed. Knows no formula (see `forward.kernels`).

A parameter is a table from selectors to numbers. A selector is `all` or a few words (`fp8 vllm`), and holds for every
question that has all its words; the one with most words wins, and of two the one that names the engine. Without one, in
this order: an engine that was not timed takes the median of those that were; a format takes the next one's numbers
(`FORMAT_STANDS_IN`); a family takes those of `FAMILY_STANDS_IN`, or of `default`, the median of all families, and with
them an interval as wide as one generation's numbers need to hold the next one's timings.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from costline.catalog.kernel_parameters import (
    ENGINES,
    KERNELS,
    PARAMETERS,
    KernelParameters,
    Parameter,
    Selector,
    kernel_parameters,
)
from costline.catalog.kernel_records import (
    Basis,
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
from costline.catalog.records import Residuals

FORMAT_STANDS_IN = {
    "mxfp8": "fp8_block", "fp8_block": "fp8", "fp8": "bf16", "fp16": "bf16", "mxfp4": "nvfp4", "fp4": "nvfp4",
    "nvfp4": "fp8", "int8": "fp8", "int4": "w4a16", "w8a16": "bf16", "w4a16": "bf16", "fp6": "fp8",
}  # fmt: skip
"""Whose numbers a format without timings takes."""
CLASS_STANDS_IN = {"trtllm_gen": "cutlass", "marlin": "triton", "triton": "cutlass", "cutlass": "trtllm_gen"}
FAMILY_STANDS_IN = {"volta": "ampere", "turing": "ampere", "rubin": "blackwell-ultra"}



def _best(table: Mapping[Selector, Any], question: Selector) -> Any:
    """The entry with most words that the question has all of; of two, the one that names the engine."""
    fitting = [selector for selector in table if selector <= question]
    engines = frozenset(ENGINES)
    return table[max(fitting, key=lambda one: (len(one), len(one & engines)))] if fitting else None


def _pooled(table: Mapping[Selector, float], question: Selector) -> float | None:
    """Median over the engines whose selectors the question would meet but for the engine."""
    engines, rest = frozenset(ENGINES), question - frozenset(ENGINES)
    near = [selector for selector in table if selector & engines and selector - engines <= rest]
    most = max((len(selector - engines) for selector in near), default=0)
    values = [table[selector] for selector in near if len(selector - engines) == most]
    return median(values) if values else None


def _replaced(question: Selector, stands_in: Mapping[str, str]) -> tuple[Selector, str] | None:
    for word in sorted(question):
        if word in stands_in:
            return question - {word} | {stands_in[word]}, f"{word} was not timed: {stands_in[word]} stands in"
    return None


def _value(parameter: Parameter, table: Mapping[Selector, float], question: Selector, notes: list[str]) -> float:
    """One parameter's number for a question, and in `notes` what stood in."""
    found = _best(table, question)
    if found is not None:
        return float(found)
    pooled = _pooled(table, question)
    if pooled is not None:
        engine = sorted(question & frozenset(ENGINES))
        notes.append(f"{engine[0] if engine else 'the engine'} was not timed: median of the engines that were")
        return pooled
    if parameter.absent is not None:
        return parameter.absent
    for stands_in in (FORMAT_STANDS_IN, CLASS_STANDS_IN):
        seen = {question}
        step = _replaced(question, stands_in)
        while step is not None and step[0] not in seen:
            found = _best(table, step[0])
            found = _pooled(table, step[0]) if found is None else found
            if found is not None:
                notes.append(step[1])
                return float(found)
            seen.add(step[0])
            step = _replaced(step[0], stands_in)
    notes.append(f"nothing like {' '.join(sorted(question))} was timed: median of all there is")
    return median(table.values())


def parameters_of(kernel: str, family: str) -> KernelParameters:
    """The numbers of a kernel on a family, or those of the family or the median that stands in."""
    known = kernel_parameters()
    families = (family, FAMILY_STANDS_IN.get(family, "default"), "default")
    return next(known[one, kernel] for one in families if (one, kernel) in known)


def _choose(kernel: str, family: str, *words: str) -> tuple[Any, Basis]:
    """The record of one kernel for a family and the words of a question, and what it rests on."""
    known, one = kernel_parameters(), parameters_of(kernel, family)
    notes: list[str] = []
    used = one.family
    if used != family:
        stand_in = "the median of all families" if used == "default" else used
        notes.append(f"family {family} was not timed: {stand_in} stands in")
    question = frozenset(word for word in words if word)
    record, keys = KERNELS[kernel]
    values = {
        PARAMETERS[key].field: _value(PARAMETERS[key], one.tables.get(key, {}), question, notes) for key in keys
    }
    errors = known["default", kernel].held_out if used != family else one.held_out
    chosen: Mapping[str, float] = _best(errors, question) or errors[frozenset()]
    interval = Residuals(chosen["low"], chosen["middle"], chosen["high"], int(chosen["rows"]))
    return record(**values), Basis(interval, chosen["median"], chosen["p90"], tuple(dict.fromkeys(notes)))


def gemm_kernel(family: str, number_format: str, engine: str = "") -> tuple[GemmKernel, Basis]:
    """Matrix products by the format of the arithmetic (`w4a16`, `w8a16`: narrow weights, bf16 arithmetic)."""
    return _choose("gemm", family, number_format, engine)


def decode_attention_kernel(family: str, kv_format: str, engine: str = "") -> tuple[DecodeAttentionKernel, Basis]:
    """Attention of one new token a sequence, by the format of the cache."""
    return _choose("decode_attention", family, kv_format, engine)


def prefill_attention_kernel(family: str, kv_format: str, engine: str = "") -> tuple[PrefillAttentionKernel, Basis]:
    """Attention over whole prompts, by the format of the cache."""
    return _choose("prefill_attention", family, kv_format, engine)


def latent_decode_kernel(family: str, kv_format: str, engine: str = "") -> tuple[LatentDecodeKernel, Basis]:
    """Latent attention of one new token a sequence."""
    return _choose("mla_decode", family, kv_format, engine)


def latent_prefill_kernel(family: str, kv_format: str, engine: str = "") -> tuple[PrefillAttentionKernel, Basis]:
    """Latent attention over whole prompts."""
    return _choose("mla_prefill", family, kv_format, engine)


def expert_kernel(
    family: str, number_format: str, expert_class: str, engine: str = ""
) -> tuple[ExpertKernel, Basis]:
    """Routed experts by format and class of kernel (see `forward.kernels.experts.expert_class`)."""
    return _choose("experts", family, number_format, expert_class, engine)


def library_collective(family: str, operation: str) -> tuple[LibraryCollective, Basis]:
    """NCCL by operation: `all_reduce`, or `gather` for all others."""
    return _choose("library_collective", family, operation)


def engine_all_reduce(family: str, engine: str = "", links: str = "") -> tuple[EngineAllReduce, Basis]:
    """An engine's own all-reduce of small messages; `links` is `direct` where no switch joins the devices."""
    return _choose("engine_all_reduce", family, engine, links)


def low_latency_exchange(family: str, direction: str) -> tuple[LowLatencyExchange, Basis]:
    """Exchange of expert tokens for decoding: `dispatch` or `combine`."""
    return _choose("low_latency_exchange", family, direction)


def throughput_exchange(family: str, direction: str) -> tuple[ThroughputExchange, Basis]:
    """Exchange of expert tokens for prefill: `dispatch` or `combine`."""
    return _choose("throughput_exchange", family, direction)


def scale_out(family: str) -> tuple[ScaleOut, Basis]:
    """The network between scale-up domains."""
    return _choose("scale_out", family)
