"""Efficiency records by family: fitted where kernels were timed, by rule where they were not.

Knows the rules that take numbers over to formats, families and chips without timings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from costline.catalog.records import Chip, Efficiency
from costline.measure.fit_attention import FractionFit
from costline.measure.fit_collectives import LinkFit
from costline.measure.fit_gemm import GemmFit
from costline.quantities import MICRO

STANDS_IN = {"fp4": "nvfp4", "int8": "fp8"}
"""Whose timings count for a unit of a chip that was timed under another name or not at all."""
UNMEASURED_SCALE_OUT = 0.8
"""Share of a network between nodes that nobody timed; below the timed one."""
HOST_STEP_S = 0.0002
"""Host time that engines' asynchronous scheduling does not hide; the fits cannot tell it from the floor."""


@dataclass(frozen=True)
class KernelFits:
    """All fits on the kernel timings of one family."""

    family: str
    gemm: GemmFit
    decode: FractionFit
    prefill: FractionFit
    links: LinkFit
    int8_fraction: float | None


def flop_fractions(fitted: Mapping[str, float]) -> dict[str, float]:
    """Fractions of the units that chips have; a unit left out takes the next wider one's.

    >>> flop_fractions({"bf16": 0.8, "fp8": 0.6, "fp8_block": 0.5})
    {'bf16': 0.8, 'fp8': 0.6, 'int8': 0.6}
    """
    near = {name: name if name in fitted else STANDS_IN.get(name, name) for name in ("bf16", "fp8", "fp4", "int8")}
    return {name: fitted[source] for name, source in near.items() if source in fitted}


def fitted_record(fits: KernelFits, *, floor_multiplier: float, scale_out_fraction: float) -> Efficiency:
    """The record of a family whose kernels were timed."""
    measured = dict(fits.gemm.flop_fraction)
    if fits.int8_fraction is not None:
        measured["int8"] = fits.int8_fraction
    return Efficiency(
        id=fits.family,
        flop_fraction=flop_fractions(measured),
        attention_flop_fraction=fits.prefill.fraction,
        hbm_fraction=fits.gemm.hbm_fraction,
        kv_fraction=fits.decode.fraction,
        link_fraction=fits.links.link_fraction,
        scale_out_fraction=scale_out_fraction,
        kernel_floor_s=fits.gemm.floor_s * floor_multiplier,
        collective_floor_s=fits.links.floor_s,
        host_step_s=HOST_STEP_S,
        measured=True,
        notes=_notes(fits, floor_multiplier),
    )


def _notes(fits: KernelFits, multiplier: float) -> str:
    gemm, links = fits.gemm, fits.links
    parts = {
        "matrices": gemm.held_out,
        "decode attention on a cold cache": fits.decode.held_out,
        "prefill attention from 2048 tokens": fits.prefill.held_out,
        "all-reduce": links.held_out,
    }
    errors = ", ".join(f"{name} {one} ({one.rows})" for name, one in parts.items())
    return (
        f"Fitted on kernel timings; median/p90 error on held-out shapes (rows): {errors}. "
        f"Kernel floor: {gemm.floor_s / MICRO:.2f} us in the timings, times {multiplier:.2f}."
    )


def default_record(measured: Sequence[Efficiency]) -> Efficiency:
    """For a family without timings: the least favourable fractions and the middle floor of the families with them.

    The floor of collectives is 0, so that the latency that the catalogue states for the system's links holds.
    """
    formats = {name for one in measured for name in one.flop_fraction}
    return replace(
        measured[0],
        id="default",
        flop_fraction={
            name: min(one.flop_fraction[name] for one in measured if name in one.flop_fraction)
            for name in sorted(formats)
        },
        attention_flop_fraction=min(one.attention_flop_fraction for one in measured),
        hbm_fraction=min(one.hbm_fraction for one in measured),
        kv_fraction=min(one.kv_fraction for one in measured),
        link_fraction=min(one.link_fraction for one in measured),
        scale_out_fraction=UNMEASURED_SCALE_OUT,
        kernel_floor_s=median(one.kernel_floor_s for one in measured),
        collective_floor_s=0.0,
        measured=False,
        notes=(
            "For families without timings: least favourable fraction and middle floor of the families with them; "
            "collectives start at the latency that the system states."
        ),
    )


def best_over_fit(measured: Mapping[str, Efficiency], chips: Sequence[Chip], number_format: str) -> float:
    """How much of the best matrix product that a bench found is left at serving's shapes, over the timed families."""
    return median(
        measured[one.family].flop_fraction[number_format]
        / (one.measured_flop_per_s[number_format] / one.dense_flop_per_s[number_format])
        for one in chips
        if one.family in measured and _was_timed(one, number_format)
    )


def record_from_best(
    family: str, chips: Sequence[Chip], default: Efficiency, share_of_best: Mapping[str, float]
) -> Efficiency:
    """The default's record with compute fractions from the best matrix products found on chips of the family.

    The least of the chips counts, times what is left of the best product at serving's shapes elsewhere.
    """
    best = {
        name: min(one.measured_flop_per_s[name] / one.dense_flop_per_s[name] for one in chips if _was_timed(one, name))
        for name in share_of_best
        if any(_was_timed(one, name) for one in chips)
    }
    scale = min(best["bf16"] * share_of_best["bf16"] / default.flop_fraction["bf16"], 1.0)
    fractions = {
        name: best[name] * share_of_best[name] if name in best else value * scale
        for name, value in default.flop_fraction.items()
    }
    bench = ", ".join(f"{name} {value:.2f} of peak times {share_of_best[name]:.2f}" for name, value in best.items())
    return replace(
        default,
        id=family,
        flop_fraction=fractions,
        notes=f"Compute from the best matrix product that a bench found ({bench}); the rest as default.",
    )


def _was_timed(chip: Chip, number_format: str) -> bool:
    return number_format in chip.measured_flop_per_s
