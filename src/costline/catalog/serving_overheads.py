"""What serving adds to the steps of an engine, read from `data/calibration/serving.yml`.

Knows the file's keys and which engine stands in for one that was never measured. Knows no formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache

from costline.catalog.read import Block, Field, Many, Number, Table, Text, read_all
from costline.catalog.records import Model, Provenance, Residuals
from costline.catalog.step_overheads import ENGINE_NAMES, StepOverheads
from costline.quantities import MICRO, MILLI, NANO

PICO = MILLI * NANO


@dataclass(frozen=True)
class ServingOverheads:
    """Numbers fitted on whole runs of an engine; None where those of `steps.yml` hold."""

    engine: str
    step_range: Residuals
    """Measured over predicted step times of whole runs: p10, p50 and p90."""
    decode_attention_share: float
    """Time of decode attention in serving over that of the kernel's timings."""
    sampler_s: float
    """Top-p sampling: a sampled sequence, for each entry of the vocabulary."""
    padded_to: int
    """Captured graphs hold a multiple of so many tokens: a step is filled up to the next."""
    padded_up_to: int
    """Largest captured graph in tokens; 0: none is captured."""
    attention_item_share: float = 1.0
    """Time of setting up a sequence and KV head in serving over that of the kernel's timings."""
    launch_layer_s: float = 0.0
    """Host time of one layer where no graph is captured: such a step lasts this long at least."""
    launch_moe_layer_s: float = 0.0
    """The same, of a layer of experts beyond."""
    floor_share: float | None = None
    pointwise_floor_s: float | None = None
    moe_layer_s: float | None = None
    collective_floor_s: float | None = None
    host_step_s: float | None = None
    host_sequence_s: float | None = None
    mixed_layer_s: float | None = None
    mixed_step_s: float | None = None
    request_s: float | None = None
    top_p_families: tuple[str, ...] = ()
    """Beginnings of the ids of models whose released generation settings ask for top-p sampling."""
    fitted_on: str = ""
    residuals: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """Errors of the runs by metric: mean size, and quantiles of measured over predicted."""
    left_out: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    """The same of each model by a fit to the others."""
    notes: str = ""
    provenance: Mapping[str, Provenance] = field(default_factory=dict[str, Provenance])

    def over(self, steps: StepOverheads) -> StepOverheads:
        """The numbers of `steps.yml` with those that whole runs gave in their place."""
        known = {one.name for one in fields(StepOverheads)} - {"engine", "notes", "provenance"}
        mine = {name: getattr(self, name, None) for name in known}
        return replace(steps, **{name: value for name, value in mine.items() if value is not None})


_RATIO = Number(positive=True, maximum=10)
_SHARE = Number(maximum=1.5)
_US, _MS = Number(MICRO), Number(MILLI)
_RANGE = Block(
    {"p10": Field(_RATIO), "p50": Field(_RATIO), "p90": Field(_RATIO), "rows": Field(Number(whole=True))},
    build=Residuals,
)
_ERRORS = Table(
    Block(
        {
            "mean": Field(Number(), about="mean size of the relative error"),
            "p10": Field(_RATIO, about="of measured over predicted"),
            "p50": Field(_RATIO),
            "p90": Field(_RATIO),
            "rows": Field(Number(whole=True)),
        }
    )
)
_BLOCK = Block(
    {
        "decode_attention_share": Field(_RATIO),
        "sampler_ps": Field(Number(PICO), to="sampler_s"),
        "padded_to": Field(Number(whole=True, positive=True)),
        "padded_up_to": Field(Number(whole=True)),
        "attention_item_share": Field(_RATIO, default=1.0),
        "launch_layer_us": Field(_US, to="launch_layer_s", default=0.0),
        "launch_moe_layer_us": Field(_US, to="launch_moe_layer_s", default=0.0),
        "step_range": Field(_RANGE),
        "floor_share": Field(_SHARE, default=None),
        "pointwise_floor_us": Field(_US, to="pointwise_floor_s", default=None),
        "moe_layer_us": Field(_US, to="moe_layer_s", default=None),
        "collective_floor_us": Field(_US, to="collective_floor_s", default=None),
        "host_step_ms": Field(_MS, to="host_step_s", default=None),
        "host_sequence_us": Field(_US, to="host_sequence_s", default=None),
        "mixed_layer_us": Field(_US, to="mixed_layer_s", default=None),
        "mixed_step_ms": Field(_MS, to="mixed_step_s", default=None),
        "request_ms": Field(_MS, to="request_s", default=None),
        "top_p_families": Field(Many(Text()), default=()),
        "fitted_on": Field(Text(), default=""),
        "residuals": Field(_ERRORS, default={}),
        "left_out": Field(_ERRORS, default={}),
        "notes": Field(Text(), default=""),
    }
)


@lru_cache(maxsize=1)
def all_serving_overheads() -> dict[str, ServingOverheads]:
    """By engine; `default` stands in for engines of which no whole run was compared."""
    entries = read_all("serving", _BLOCK, "calibration", "serving.yml")
    return {
        id: ServingOverheads(engine=id, **entry.values, provenance=entry.provenance) for id, entry in entries.items()
    }


def serving_overheads(engine: str) -> ServingOverheads:
    """The numbers of an engine by any of its names, or the default's."""
    known = all_serving_overheads()
    name = engine.lower()
    return known.get(ENGINE_NAMES.get(name, name), known["default"])


def samples_by_top_p(model: Model, known: ServingOverheads) -> bool:
    """Whether requests of the model are sampled by top-p where users ask for nothing else."""
    return model.id.startswith(tuple(known.top_p_families))
