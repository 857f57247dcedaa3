"""What kernels sustain on a family of chips, read from `data/calibration/efficiency.yml`.

Knows the file's keys and which family stands in for one that was never measured. Knows no formula.
"""

from __future__ import annotations

from functools import lru_cache

from costline.catalog.read import Block, Field, Flag, Number, Table, Text, read_all
from costline.catalog.records import Chip, Efficiency
from costline.quantities import MICRO, MILLI

_FRACTION = Number(positive=True, maximum=1.5)
_BLOCK = Block(
    {
        "flop_fraction": Field(Table(_FRACTION), about="share of the dense peak on large matrices, by format"),
        "attention_flop_fraction": Field(_FRACTION, about="prefill attention, of the bf16 peak"),
        "hbm_fraction": Field(_FRACTION, about="streaming weights"),
        "kv_fraction": Field(_FRACTION, about="decode attention reading the cache"),
        "link_fraction": Field(_FRACTION, about="scale-up links under load"),
        "scale_out_fraction": Field(_FRACTION, about="network between domains under load"),
        "kernel_floor_us": Field(Number(MICRO), to="kernel_floor_s", about="a kernel with nothing to do"),
        "collective_floor_us": Field(Number(MICRO), to="collective_floor_s", about="a small all-reduce"),
        "host_step_ms": Field(Number(MILLI), to="host_step_s", about="host time between two steps"),
        "measured": Field(Flag(), default=True, about="fitted on this family, or taken over by rule"),
        "notes": Field(Text(), default=""),
    }
)


@lru_cache(maxsize=1)
def efficiencies() -> dict[str, Efficiency]:
    """Efficiency records by chip family; `default` stands in for families without one."""
    entries = read_all("efficiencies", _BLOCK, "calibration", "efficiency.yml")
    return {id: Efficiency(id=id, **entry.values, provenance=entry.provenance) for id, entry in entries.items()}


def efficiency(chip: Chip) -> Efficiency:
    """The record of the chip's family, or the default's."""
    known = efficiencies()
    return known.get(chip.family, known["default"])
