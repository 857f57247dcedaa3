"""What the TPU serving chapter takes as given: its chips, models, workload and rates.

Knows how `catalog/data/published/scaling_book_serving.yml` names them. Knows no printed number.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from costline.forward.roofline import critical_batch
from costline.published import printed
from costline.published.printed import Node, numbers, section
from costline.published.scaling_book_slice import Decoder, PricedChip, ServingSlice

PUBLICATION = "scaling_book_serving"
FORMATS: Mapping[str, float] = {"bf16": 2, "int8": 1, "int4": 0.5}
"""Bytes of a number."""
SMALLEST: Mapping[str, int] = {"bf16": 16, "int8": 8, "int4": 4}
"""Chips of the smallest legal slice of v5e that holds LLaMA 3-70B."""
GRID: Mapping[int, str] = {4: "2x2", 8: "4x2", 16: "4x4", 32: "4x8"}
"""Slices by their chips."""
BATCHES = (1, 8, 32, 64, 120)
"""Batches of the Pareto table."""

Values = dict[tuple[str, str], float]
"""Computed numbers in SI by row and column of a table."""


def given(name: str) -> Node:
    """One block of the chapter's inputs."""
    return section(section(printed.read(PUBLICATION), "inputs"), name)


@cache
def workload() -> Mapping[str, float]:
    """Lengths, batches and rates that the chapter assumes, in SI."""
    return numbers(given("workload")) | numbers(given("rates"))


def chip(name: str = "v5e") -> PricedChip:
    """A chip of the chapter's hardware table."""
    return PricedChip(**numbers(section(given("chips"), name)))


def serving_slice(model: str = "70B", number_format: str = "int8", chips: int = 16) -> ServingSlice:
    """A model of the chapter on v5e, weights and cache in one number format."""
    width = FORMATS[number_format]
    decoder = Decoder(**numbers(section(given("models"), model)))
    return ServingSlice(model=decoder, chip=chip(), chips=chips, weight_bytes=width, kv_element_bytes=width)


def critical(number_format: str) -> float:
    """Critical batch on v5e with bf16 arithmetic."""
    v5e = chip()
    return float(critical_batch(FORMATS[number_format], v5e.flop_per_s, v5e.hbm_bytes_per_s))


def arithmetic_limit_chips() -> float:
    """Largest tensor parallelism at which the links keep up with the arithmetic."""
    work = workload()
    return serving_slice().model.d_ff * work["ici_axes"] / work["flop_per_ici_byte"]
