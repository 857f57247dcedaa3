"""What a published table asks, put to costline's own physics: a model and its formats on an accelerator.

Knows how a case is named and which memory an engine leaves it. Knows no publication.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from costline.answers.answer import Used
from costline.answers.choices import Price, activation_format, the_rates, the_site, weight_table
from costline.answers.search.columns import Engine
from costline.answers.sources import step_sources
from costline.architecture.operations import Formats, Segment
from costline.architecture.sharding import Layout, layout
from costline.catalog.efficiency import efficiency
from costline.catalog.models import find_model
from costline.catalog.records import Model
from costline.deployment.plan import Site
from costline.forward.memory import pool_bytes, weight_bytes_per_device
from costline.forward.rates import Rates
from costline.forward.steps import StepTime, step_time
from costline.quantities import MILLI, Array, significant

ENGINE = "vllm"
DATASHEET, CALIBRATED = "none", "default"
"""The two calibrations under which every case is put: peaks of the datasheet, and rates that kernels sustain."""

_PARTS: Mapping[str, tuple[str, ...]] = {
    "weights": ("weight bandwidth",),
    "cache": ("cache bandwidth",),
    "arithmetic": ("compute",),
    "network": ("scale-up network", "scale-out network"),
    "launch and host": ("launch and host",),
}
"""What a step waits for, as the reasons name it."""


@dataclass(frozen=True)
class Own:
    """A published cell by costline's own physics, in SI; None where costline finds no such deployment."""

    datasheet: float | None
    calibrated: float | None
    why: str
    """What moved it, in one line."""


@dataclass(frozen=True)
class Case:
    """A model in its number formats on an accelerator in its usual system."""

    model: Model
    site: Site
    formats: Formats
    rates: Mapping[str, Rates]
    """By calibration."""

    @property
    def caveat(self) -> str:
        """Says so where the calibrated rates are taken over from other chips."""
        family = self.site.chip.family
        return "" if efficiency(self.site.chip).measured else f"; no kernels of {family} chips are measured"

    def pool_bytes(self, where: Layout, extra_bytes: Array | float = 0.0) -> Array:
        """Memory of a device that the engine gives to the cache beside the weights and `extra_bytes`."""
        weights = weight_bytes_per_device(self.model, self.formats.weights, where) + extra_bytes
        return pool_bytes(self.site.chip, self.site.engine, weights, where.tp)

    def bare_bytes(self, where: Layout) -> Array:
        """All memory of a device that the weights leave."""
        return self.site.chip.visible_memory_bytes - weight_bytes_per_device(self.model, self.formats.weights, where)

    def step(self, part: Segment, where: Layout, calibration: str) -> StepTime:
        """One pass."""
        return step_time(self.model, [part], where, self.formats, self.rates[calibration])

    def sources(self, usd_per_hour: float) -> tuple[Used, ...]:
        """Facts and equations that the case rests on, as of a replica that fills a scale-up domain."""
        engine = Engine(self.model, self.formats, self.rates[CALIBRATED], self.site)
        return step_sources(engine, layout(tp=self.site.system.fabric.domain_size), Price(usd_per_hour, None))


@cache
def the_case(model: str, accelerator: str, weights: str, kv: str = "bf16") -> Case:
    """A case by its names; weights and cache as number formats."""
    record, site = find_model(model), the_site(accelerator, ENGINE)
    table = weight_table(record, weights)[1]
    formats = Formats(table, kv, activation_format(site.chip, table, "auto"))
    return Case(record, site, formats, {name: the_rates(site, name) for name in (DATASHEET, CALIBRATED)})


def parts_s(step: StepTime) -> dict[str, float]:
    """The expected time of a scalar step by what it waits for."""
    return {part: sum(float(step.waits_s[name]) for name in names) for part, names in _PARTS.items()}


def in_ms(parts: Mapping[str, float], least_share: float = 0.03) -> str:
    """Parts of a time in words, longest first, without those below a share of the whole."""
    whole = sum(parts.values())
    shown = sorted(((value, name) for name, value in parts.items() if value >= least_share * whole), reverse=True)
    return ", ".join(f"{name} {significant(value / MILLI, 2)}" for value, name in shown)
