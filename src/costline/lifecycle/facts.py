"""Facts about training and compression as records, read from `data/lifecycle/`.

Knows the files' keys. Knows no formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from costline.catalog.read import Block, Field, Number, Text, read_all
from costline.catalog.records import Provenance
from costline.errors import UnknownIdError
from costline.quantities import PERCENT

_POSITIVE = Field(Number(positive=True))
_NOTES = Field(Text(), default="")


@dataclass(frozen=True)
class LossLaw:
    """Loss by parameters and tokens: L = E + A / N^alpha + B / D^beta."""

    id: str
    name: str
    irreducible: float
    parameter_factor: float
    token_factor: float
    parameter_exponent: float
    token_exponent: float
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class OptimumLaw:
    """Best parameters by training FLOP: N = N_0 (C / C_0)^a."""

    id: str
    name: str
    reference_flop: float
    parameters: float
    exponent: float
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class JointLoss:
    """Kaplan's loss: L = ((N_c / N)^(a_N / a_D) + D_c / D)^a_D."""

    id: str
    name: str
    critical_parameters: float
    critical_tokens: float
    parameter_exponent: float
    token_exponent: float
    notes: str
    provenance: Mapping[str, Provenance]


@dataclass(frozen=True)
class TrainingState:
    """Bytes of one trained parameter."""

    id: str
    name: str
    weight: float
    gradient: float
    optimizer: float
    notes: str
    provenance: Mapping[str, Provenance]

    @property
    def total(self) -> float:
        """Weights, gradients and optimiser together."""
        return self.weight + self.gradient + self.optimizer


@dataclass(frozen=True)
class CompressionEvidence:
    """Share of task accuracy that a method was seen to lose, as a range."""

    id: str
    name: str
    method: str
    weights: str
    lost_low: float
    lost_high: float
    notes: str
    provenance: Mapping[str, Provenance]


_TEXT = Field(Text())
_LOSS = Block(
    {
        "name": _TEXT,
        "irreducible": Field(Number()),
        "parameter_factor": _POSITIVE,
        "token_factor": _POSITIVE,
        "parameter_exponent": _POSITIVE,
        "token_exponent": _POSITIVE,
        "notes": _NOTES,
    }
)
_OPTIMUM = Block(
    {"name": _TEXT, "reference_flop": _POSITIVE, "parameters": _POSITIVE, "exponent": _POSITIVE, "notes": _NOTES}
)
_JOINT = Block(
    {
        "name": _TEXT,
        "critical_parameters": _POSITIVE,
        "critical_tokens": _POSITIVE,
        "parameter_exponent": _POSITIVE,
        "token_exponent": _POSITIVE,
        "notes": _NOTES,
    }
)
_STATE = Block(
    {"name": _TEXT, "weight": _POSITIVE, "gradient": _POSITIVE, "optimizer": Field(Number()), "notes": _NOTES}
)
_SHARE = Number(1 / PERCENT, maximum=float(PERCENT))
_EVIDENCE = Block(
    {
        "name": _TEXT,
        "method": Field(Text(("quantize", "prune", "distil", "adapt"))),
        "weights": Field(Text(), default=""),
        "lost_percent_low": Field(_SHARE, to="lost_low"),
        "lost_percent_high": Field(_SHARE, to="lost_high"),
        "notes": _NOTES,
    }
)


def _records(section: str, block: Block, file: str, build: Any) -> dict[str, Any]:
    entries = read_all(section, block, "lifecycle", f"{file}.yml")
    return {id: build(id=id, **entry.values, provenance=entry.provenance) for id, entry in entries.items()}


@lru_cache(maxsize=1)
def loss_laws() -> dict[str, LossLaw]:
    """Parametric losses by publication."""
    return _records("losses", _LOSS, "loss_laws", LossLaw)


@lru_cache(maxsize=1)
def optimum_laws() -> dict[str, OptimumLaw]:
    """Power laws of the best model size by publication."""
    return _records("optima", _OPTIMUM, "optimum_laws", OptimumLaw)


@lru_cache(maxsize=1)
def joint_losses() -> dict[str, JointLoss]:
    """Losses of Kaplan's form by publication."""
    return _records("joint_losses", _JOINT, "kaplan", JointLoss)


@lru_cache(maxsize=1)
def training_states() -> dict[str, TrainingState]:
    """Bytes of a trained parameter by optimiser and precision."""
    return _records("states", _STATE, "training_states", TrainingState)


@lru_cache(maxsize=1)
def compression_evidence() -> dict[str, CompressionEvidence]:
    """Lost accuracy by method, as ranges."""
    return _records("evidence", _EVIDENCE, "compression", CompressionEvidence)


def loss_law(id: str) -> LossLaw:
    """The parametric loss of that id; a miss names the nearest."""
    return _named("loss law", id, loss_laws())


def optimum_law(id: str) -> OptimumLaw:
    """The power law of that id; a miss names the nearest."""
    return _named("optimum law", id, optimum_laws())


def joint_loss(id: str = "kaplan-2020") -> JointLoss:
    """The loss of Kaplan's form of that id; a miss names the nearest."""
    return _named("joint loss", id, joint_losses())


def training_state(id: str = "adamw") -> TrainingState:
    """The optimiser of that id; a miss names the nearest."""
    return _named("optimizer", id, training_states())


def _named(what: str, id: str, known: Mapping[str, Any]) -> Any:
    if id not in known:
        raise UnknownIdError(what, id, known)
    return known[id]
