"""Pope et al. 2022: the least latency of PaLM on TPU v4 by costline's own physics.

One sequence, no context, on slices of up to 64 chips. Knows what costline's layouts cannot hold of that work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from costline.answers.answer import Used
from costline.answers.reproduce.case import CALIBRATED, DATASHEET, Case, Own, in_ms, parts_s, the_case
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import Layout
from costline.deployment.grid import layouts
from costline.deployment.plan import head_counts
from costline.forward.memory import weight_bytes_per_device
from costline.published.cells import Table
from costline.quantities import GIB, MILLI, Array, significant

MOST_CHIPS = 64
_ROWS: Mapping[str, str] = {"PaLM 8B": "palm-8b", "PaLM 62B": "palm-62b", "PaLM 540B": "palm-540b"}
_CHIP, _WEIGHTS = "tpu-v4", "int8"
NAMES = frozenset({"pope-2022-latency"})


def _case(row: str) -> Case:
    return the_case(_ROWS[row], _CHIP, _WEIGHTS)


def _room_bytes(case: Case, where: Layout, calibration: str) -> Array:
    """Memory of a chip beside the weights: all of it, or what the engine gives."""
    return case.bare_bytes(where) if calibration == DATASHEET else case.pool_bytes(where)


def _least(case: Case, calibration: str) -> tuple[float, Layout] | None:
    """The least step and its layout, the smallest of equals."""
    where = layouts(case.model, case.site.system, max_accelerators=MOST_CHIPS)
    step_s = case.step(decode_segment(1, 0), where, calibration).expected_s
    step_s = np.where(_room_bytes(case, where, calibration) > 0, step_s, np.inf)
    best = int(np.lexsort((where.devices, step_s))[0])
    cut = Layout(where.tp[best], where.pp[best], where.dp[best], where.ep[best])
    return (float(step_s[best]), cut) if math.isfinite(step_s[best]) else None


def _why(case: Case, where: Layout) -> str:
    step = parts_s(case.step(decode_segment(1, 0), where, CALIBRATED))
    held = float(weight_bytes_per_device(case.model, case.formats.weights, where)) / GIB
    heads = min(head_counts(case.model))
    cut = f"TP{float(where.tp):.0f}" + (f" PP{float(where.pp):.0f}" if where.pp > 1 else "")
    return (
        f"{float(where.devices):.0f} chips, {cut}: {significant(sum(step.values()) / MILLI)} ms ({in_ms(step)}); "
        f"int8 weights, {held:.0f} GiB a chip. Costline cuts along the {heads} heads alone and lays no matrix out in "
        f"two dimensions, as the work does over 64 chips{case.caveat}"
    )


def own_cells(table: Table) -> dict[tuple[str, str], Own]:
    """The latencies by row and column."""
    out: dict[tuple[str, str], Own] = {}
    for row in _ROWS:
        case = _case(row)
        ideal, real = _least(case, DATASHEET), _least(case, CALIBRATED)
        shown = real or ideal
        why = _why(case, shown[1]) if shown else "no layout of up to 64 chips holds the weights"
        out[row, "latency"] = Own(ideal[0] if ideal else None, real[0] if real else None, why)
    return out


def own_sources(table: Table) -> tuple[Used, ...]:
    """Facts and equations behind them."""
    return tuple(dict.fromkeys(fact for row in _ROWS for fact in _case(row).sources(0.0)))
