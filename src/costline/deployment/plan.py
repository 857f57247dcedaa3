"""A plan: which accelerators, how many, cut how, at which batch and number formats. Knows no time and no money."""

from __future__ import annotations

from dataclasses import dataclass

from costline.architecture.operations import Formats
from costline.catalog.records import Chip, EngineMemory, Model, System


@dataclass(frozen=True)
class Site:
    """What a replica runs on: the chip, its wiring and the engine's way with memory."""

    chip: Chip
    system: System
    engine: EngineMemory


@dataclass(frozen=True)
class Option:
    """One choice of number formats, with the label that a user would type."""

    label: str
    formats: Formats


@dataclass(frozen=True)
class Plan:
    """One deployment: `replicas` copies, each `tp · dp · pp` accelerators, `batch` sequences each."""

    accelerator: str
    system: str
    tp: int
    pp: int
    dp: int
    ep: int
    batch: int
    replicas: int
    weights: str
    kv_cache: str
    activations: str
    disaggregated: bool = False

    @property
    def accelerators_per_replica(self) -> int:
        """Accelerators of one replica."""
        return self.tp * self.pp * self.dp

    @property
    def accelerators(self) -> int:
        """Accelerators of the deployment."""
        return self.accelerators_per_replica * self.replicas

    @property
    def label(self) -> str:
        """How engineers write it."""
        parts = [f"{self.replicas}× " if self.replicas > 1 else "", f"TP{self.tp}"]
        degrees = (("PP", self.pp), ("DP", self.dp), ("EP", self.ep))
        parts += [f" {name}{degree}" for name, degree in degrees if degree > 1]
        return "".join(parts)


def head_counts(model: Model) -> tuple[int, ...]:
    """Query-head (or state-head) counts that tensor parallelism must divide."""
    heads = {group.attention.heads for group in model.layers if group.attention is not None}
    heads |= {group.state.value_heads for group in model.layers if group.state is not None}
    return tuple(sorted(heads))
