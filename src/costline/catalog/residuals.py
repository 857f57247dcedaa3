"""How far whole systems were from the predictions, by kind of model, read from `data/calibration/residuals.yml`.

Knows the file's keys and how much wider a prediction is where no system was measured. Knows no formula of time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from costline.catalog.efficiency import efficiencies
from costline.catalog.kernel_parameters import kernel_parameters
from costline.catalog.read import Block, Entry, Field, Number, read_all
from costline.catalog.records import Chip, Model, Provenance, Residuals

Quantity = Literal["tpot", "ttft", "throughput"]
QUANTITIES = ("tpot", "ttft", "throughput")
MEASURED_FAMILIES = ("hopper", "blackwell")
"""Families with closed-loop runs."""
WIDER = {"timed": 1.25, "other": 2.0}
"""Power of the residuals' range where no system of a family was measured: its kernels were timed, or not even they."""

_RATIO = Number(positive=True)
_RESIDUALS = Block(
    {"p10": Field(_RATIO), "p50": Field(_RATIO), "p90": Field(_RATIO), "rows": Field(Number(whole=True))},
    build=Residuals,
)
_BLOCK = Block({name: Field(_RESIDUALS) for name in QUANTITIES})


def model_class(model: Model) -> str:
    """The kind whose residuals a model has: latent attention, experts without it, or dense."""
    if any(group.attention is not None and group.attention.latent is not None for group in model.layers):
        return "latent"
    return "experts" if any(group.moe is not None for group in model.layers) else "dense"


@lru_cache(maxsize=1)
def _entries() -> dict[str, Entry]:
    return read_all("residuals", _BLOCK, "calibration", "residuals.yml")


def all_residuals() -> dict[str, dict[str, Residuals]]:
    """Measured over predicted by kind of model and quantity."""
    return {id: entry.values for id, entry in _entries().items()}


def residuals_provenance(kind: str) -> Provenance:
    """Where the residuals of a kind of model are from."""
    return _entries()[kind].provenance[""]


def spread(chip: Chip, kind: str, quantity: str) -> tuple[float, float]:
    """Ratios of measured to predicted at p10 and p90, at most and at least 1."""
    found = all_residuals()[kind][quantity]
    timed = (chip.family, "gemm") in kernel_parameters() and chip.family in efficiencies()
    power = 1.0 if chip.family in MEASURED_FAMILIES else WIDER["timed" if timed else "other"]
    return min(found.p10, 1.0) ** power, max(found.p90, 1.0) ** power


def basis(chip: Chip, kind: str, quantity: str) -> str:
    """What a range rests on, in words."""
    rows = all_residuals()[kind][quantity].rows
    systems = {"latent": "latent attention", "experts": "experts", "dense": "dense models"}[kind]
    wider = "" if chip.family in MEASURED_FAMILIES else f"; wider, for no system of {chip.family} chips was measured"
    return f"p10 to p90 of measured over predicted in {rows:,} runs of {systems}{wider}"


def interval_of(
    value: float, chip: Chip, kind: str, quantity: str, *, low: float = 0.0, high: float = float("inf")
) -> dict[str, float]:
    """p10 and p90 around a prediction, within physical limits, the prediction itself always inside."""
    below, above = spread(chip, kind, quantity)
    return {"p10": min(max(below * value, low), value), "p90": max(min(above * value, high), value)}
