"""Lays out the legal ways to cut a model over accelerators, and evaluates functions over long columns in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from costline.architecture.sharding import Layout
from costline.catalog.records import Model, System
from costline.deployment.plan import head_counts
from costline.errors import InputError
from costline.quantities import Array, as_array

BLOCK = 2**14
"""Rows evaluated at a time: the temporaries of one block stay in the processor's cache."""


@dataclass(frozen=True)
class Fixed:
    """Degrees that the user fixed; None = search."""

    tp: int | None = None
    pp: int | None = None
    dp: int | None = None
    ep: int | None = None


def _powers(limit: int) -> list[int]:
    return [2**k for k in range(max(limit, 1).bit_length()) if 2**k <= limit]


def tensor_degree_error(model: Model, tp: int) -> str | None:
    """Why `tp` cannot cut this model, or None."""
    counts = head_counts(model)
    for heads in counts:
        if heads % tp:
            legal = ", ".join(str(t) for t in range(1, min(heads, 64) + 1) if all(h % t == 0 for h in counts))
            return f"tp={tp} does not divide num_attention_heads={heads} of {model.id}; try {legal}"
    return None


def check_fixed(model: Model, fixed: Fixed) -> None:
    """Raises InputError if a degree that the user fixed can never work for this model."""
    layers = sum(group.count for group in model.layers)
    experts = max((group.moe.experts for group in model.layers if group.moe), default=0)
    for name, degree in (("tp", fixed.tp), ("pp", fixed.pp), ("dp", fixed.dp), ("ep", fixed.ep)):
        if degree is not None and degree < 1:
            raise InputError(f"{name}={degree} must be at least 1; leave it out to search")
    if fixed.tp is not None and (error := tensor_degree_error(model, fixed.tp)):
        raise InputError(error)
    if fixed.pp is not None and fixed.pp > layers:
        raise InputError(f"pp={fixed.pp} exceeds the {layers} layers of {model.id}; use at most {layers}")
    if fixed.ep is not None and fixed.ep > 1 and not experts:
        raise InputError(f"ep={fixed.ep} needs experts, but {model.id} is dense; use ep=1")
    if fixed.ep is not None and fixed.ep > 1 and experts % fixed.ep:
        legal = ", ".join(str(e) for e in _powers(experts) if experts % e == 0)
        raise InputError(f"ep={fixed.ep} does not divide the {experts} experts of {model.id}; try {legal}")
    if fixed.dp is not None and fixed.dp > 1 and not experts:
        raise InputError(f"dp={fixed.dp} (attention data parallel) needs experts; {model.id} is dense: use replicas")
    if None not in (fixed.tp, fixed.dp, fixed.ep) and fixed.ep not in (1, fixed.tp * fixed.dp):  # type: ignore[operator]
        raise InputError(f"ep={fixed.ep} must be 1 or tp·dp={fixed.tp * fixed.dp}, the devices that share the experts")  # type: ignore[operator]


def _candidates(model: Model, system: System, limit: int, fixed: Fixed) -> Iterable[tuple[int, int, int, int]]:
    experts = [group.moe.experts for group in model.layers if group.moe]
    layers = sum(group.count for group in model.layers)
    widest = min(limit, max(system.fabric.domain_size, 1) * 4)
    for tp in [fixed.tp] if fixed.tp else [t for t in _powers(widest) if tensor_degree_error(model, t) is None]:
        for dp in [fixed.dp] if fixed.dp else (_powers(limit // tp) if experts else [1]):
            lane = tp * dp
            choices = {1, lane} if dp == 1 else {lane}
            for ep in [fixed.ep] if fixed.ep else sorted(choices if experts else {1}):
                if ep not in (1, lane) or any(count % ep for count in experts):
                    continue
                deepest = [p for p in _powers(limit // lane) if p <= min(layers, 16)] or []
                for pp in [fixed.pp] if fixed.pp else deepest:
                    yield tp, pp, dp, ep


def layouts(model: Model, system: System, *, max_accelerators: int, fixed: Fixed | None = None) -> Layout:
    """Every legal layout of one replica on at most `max_accelerators`, as flat columns.

    Tensor parallelism divides the heads; sizes follow the system's legal slices where it has them; experts are cut
    either like matrices (ep = 1) or whole over all devices of a lane (ep = tp · dp).
    """
    fixed = fixed or Fixed()
    check_fixed(model, fixed)
    slices = {piece.accelerators for piece in system.slices}
    top = max_accelerators if system.scale_out_bytes_per_s > 0 else min(max_accelerators, system.fabric.domain_size)
    rows = [
        row
        for row in _candidates(model, system, top, fixed)
        if row[0] * row[1] * row[2] <= top and (not slices or row[0] * row[1] * row[2] in slices)
    ]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Layout(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3])


def batch_sizes(largest: int) -> Array:
    """Batch sizes to try, about five an octave, up to `largest`."""
    steps = np.unique(np.round(2 ** np.arange(0, np.log2(max(largest, 1)) + 0.01, 0.25)))
    return as_array(steps[steps <= largest])


def in_blocks(
    function: Callable[..., dict[str, Array]], *columns: Array, block: int = BLOCK
) -> dict[str, Array]:
    """`function(*columns)` evaluated over long 1-d columns a block at a time, so that memory stays small.

    `function` takes the columns' blocks and returns named arrays of the block's length.
    """
    flat = [np.ravel(column) for column in np.broadcast_arrays(*columns)]
    rows = flat[0].size
    out: dict[str, Array] = {}
    for start in range(0, max(rows, 1), block):
        part = slice(start, min(start + block, rows))
        width = part.stop - part.start
        for name, values in function(*(column[part] for column in flat)).items():
            if name not in out:
                out[name] = np.empty(rows, dtype=np.asarray(values).dtype)
            out[name][part] = np.broadcast_to(values, (width,))
    return out
