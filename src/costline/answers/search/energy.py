"""Power of an accelerator with its share of the node, at the use that a plan makes of it."""

from __future__ import annotations

import numpy as np

from costline.catalog.costs import node_for
from costline.catalog.records import Chip
from costline.money.power import drawn_power_w
from costline.quantities import Array


def accelerator_watts(chip: Chip, utilization: Array) -> Array:
    """Mean power of one accelerator and its share of the node, at the machines; NaN where no power is known."""
    node = node_for(chip.id)
    rated = node.rated_w / node.accelerators if node.rated_w else (chip.tdp_w or np.nan) + node.host_w
    share = np.clip(np.nan_to_num(utilization, nan=1.0), 0.0, 1.0)
    return drawn_power_w(rated, share, busy_fraction=node.busy_fraction, idle_fraction=node.idle_fraction)
