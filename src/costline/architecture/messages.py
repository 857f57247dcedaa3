"""What devices of one replica send one another in a forward pass: which collective, how often, how many bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from costline.architecture.cost import Message
from costline.architecture.formats import bytes_per_weight
from costline.architecture.operations import RESIDUAL_FORMAT, Formats, Segment
from costline.architecture.sharding import Layout
from costline.catalog.records import LayerGroup, Model
from costline.quantities import Array, as_array


def distinct_destinations(devices: Array, top_k: float) -> Array:
    """Devices that the experts of one token lie on.

    Equation
        r = R (1 - (1 - 1 / R)^k)

    Parameters
        devices  R  [1]  array   >= 1, that experts are spread over
        top_k    k  [1]  scalar  experts a token chooses

    Returns
        r  [1]  array, the shape of `devices`; 1 at R = 1 and k as R grows

    Holds when  routing is uniform and independent; a device receives a token once however many of its experts it hit.
    Source      [deepseek-v3] section 3.4; [shazeer-2017]
    Raises      nothing

    >>> round(float(distinct_destinations(as_array(8), 8)), 4)
    5.2511
    """
    n = as_array(devices)
    return n * (1 - (1 - 1 / n) ** top_k)


def _group_messages(group: LayerGroup, tokens: Array, hidden: int, where: Layout, formats: Formats) -> list[Message]:
    residual = bytes_per_weight(RESIDUAL_FORMAT)
    block = tokens * hidden * residual
    mixers = sum(part is not None for part in (group.attention, group.state))
    dense = group.mlp is not None
    reductions = float(max(mixers, 1) if group.parallel else mixers + dense)
    expert_reduce = np.where(where.dp > 1, 0.0, 1.0) if group.moe is not None and not dense else 0.0
    count = group.count * (reductions + as_array(expert_reduce))
    found = [Message("tensor_all_reduce", "all_reduce", where.tp, block, count)]
    if group.moe is not None:
        lane = where.tp * where.dp
        copies = distinct_destinations(lane, group.moe.top_k)
        sends = np.where(where.dp > 1, float(group.count), 0.0)
        width = hidden * tokens / where.tp * copies
        dispatch = width * min(bytes_per_weight(formats.activations), residual)
        found.append(Message("expert_dispatch", "all_to_all", lane, dispatch, sends))
        found.append(Message("expert_combine", "all_to_all", lane, width * residual, sends))
        found.append(Message("expert_gather", "all_gather", where.tp, block, sends))
    return found


def forward_messages(model: Model, segments: Sequence[Segment], where: Layout, formats: Formats) -> list[Message]:
    """Every collective of one pass, as bytes that one device holds before it (all-gather: after it)."""
    tokens = sum((part.tokens for part in segments), start=as_array(0.0)) / where.dp
    outputs = sum((part.sequences * part.outputs for part in segments), start=as_array(0.0)) / where.dp
    residual = bytes_per_weight(RESIDUAL_FORMAT)
    found = [
        message
        for group in model.layers
        for message in _group_messages(group, tokens, model.hidden, where, formats)
    ]
    hop = tokens * model.hidden * residual / where.tp
    found.append(Message("pipeline", "point_to_point", where.devices, hop, where.pp - 1))
    found.append(Message("logits", "all_gather", where.tp, outputs * model.vocab * residual, as_array(1.0)))
    return found
