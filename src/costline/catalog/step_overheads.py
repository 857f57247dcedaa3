"""What a step and a request cost an engine beside its kernels, read from `data/calibration/steps.yml`.

Knows the file's keys and which engine stands in for one that was never measured. Knows no formula.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from costline.catalog.read import Block, Field, Flag, Number, Text, read_all
from costline.catalog.records import Provenance
from costline.quantities import MICRO, MILLI, NANO

ENGINE_NAMES = {"tensorrt-llm": "trtllm", "tensorrt_llm": "trtllm", "trt-llm": "trtllm"}
"""Names of an engine elsewhere in the catalogue, by its name among kernels."""


@dataclass(frozen=True)
class StepOverheads:
    """Numbers fitted end to end for an engine."""

    engine: str
    """Its name among kernels: vllm, sglang, trtllm."""
    floor_share: float
    """Part of a kernel's launch and drain that its neighbours in a graph do not hide."""
    compute_share: float
    """Part of the rate of large products that is left under sustained power."""
    pointwise_floor_s: float
    """A kernel that only passes over activations."""
    moe_layer_s: float
    """Routing and sorting of one layer of experts."""
    moe_token_s: float
    """The same, of each token: choosing, counting and sorting its experts."""
    latent_layer_s: float
    """The small kernels of one layer of latent attention around its products."""
    collective_floor_s: float
    """What ranks wait for one another before a collective."""
    host_step_s: float
    host_sequence_s: float
    """Sampling, stop checks and output of one sequence."""
    top_p_vocabulary_s: float
    """Filtering one logit of one sequence by top-p, where requests or the checkpoint's defaults ask for it."""
    mixed_layer_s: float
    """A layer of a step with a prompt, which leaves the captured graph."""
    mixed_moe_layer_s: float
    """The same, of a layer of experts beyond."""
    mixed_latent_layer_s: float
    """The same, of a layer of latent attention beyond."""
    mixed_step_s: float
    request_s: float
    """Client, tokeniser and scheduler before the first token of a request."""
    routing_shape: float = math.inf
    """How alike experts are in popularity: 1 = it falls off exponentially, inf = tokens choose uniformly."""
    prompts_first: bool = False
    """Prompts run in steps of their own before the next decode step."""
    fuses_all_reduce: bool = False
    """Picks its own or the library's all-reduce by size, with the norm behind it in one kernel."""
    latent_stream_interval: float = 1.0
    """Tokens after which the engine's recipes for latent attention send the next ones."""
    notes: str = ""
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])


_SHARE = Number(positive=True, maximum=1.5)
_TIME_US, _TIME_MS = Number(MICRO), Number(MILLI)
_BLOCK = Block(
    {
        "floor_share": Field(_SHARE),
        "compute_share": Field(_SHARE),
        "pointwise_floor_us": Field(_TIME_US, to="pointwise_floor_s"),
        "moe_layer_us": Field(_TIME_US, to="moe_layer_s"),
        "moe_token_ns": Field(Number(NANO), to="moe_token_s", default=0.0),
        "latent_layer_us": Field(_TIME_US, to="latent_layer_s"),
        "collective_floor_us": Field(_TIME_US, to="collective_floor_s"),
        "host_step_ms": Field(_TIME_MS, to="host_step_s"),
        "host_sequence_us": Field(_TIME_US, to="host_sequence_s"),
        "top_p_vocabulary_ns": Field(Number(NANO), to="top_p_vocabulary_s"),
        "mixed_layer_us": Field(_TIME_US, to="mixed_layer_s"),
        "mixed_moe_layer_us": Field(_TIME_US, to="mixed_moe_layer_s"),
        "mixed_latent_layer_us": Field(_TIME_US, to="mixed_latent_layer_s"),
        "mixed_step_ms": Field(_TIME_MS, to="mixed_step_s"),
        "request_ms": Field(_TIME_MS, to="request_s"),
        "routing_shape": Field(Number(positive=True), default=math.inf),
        "prompts_first": Field(Flag(), default=False),
        "fuses_all_reduce": Field(Flag(), default=False),
        "latent_stream_interval": Field(Number(positive=True), default=1.0),
        "notes": Field(Text(), default=""),
    }
)


@lru_cache(maxsize=1)
def all_step_overheads() -> dict[str, StepOverheads]:
    """By engine; `default` stands in for engines that were not measured."""
    entries = read_all("steps", _BLOCK, "calibration", "steps.yml")
    return {id: StepOverheads(engine=id, **entry.values, provenance=entry.provenance) for id, entry in entries.items()}


def step_overheads(engine: str) -> StepOverheads:
    """The numbers of an engine by any of its names, or the default's."""
    known = all_step_overheads()
    name = engine.lower()
    return known.get(ENGINE_NAMES.get(name, name), known["default"])
