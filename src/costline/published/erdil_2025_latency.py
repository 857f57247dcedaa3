"""Erdil 2025: latency of a forward pass and of a token under speculative decoding, on arrays.

Knows how names and arrays become work for the compiled search, in blocks on all cores. Knows no money.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from costline.errors import DomainError, UnknownIdError
from costline.published.erdil_2025_case import Array, Case, Points, Rates, Work
from costline.published.erdil_2025_data import Gpu, Model, find_gpu, find_model, protocols
from costline.published.erdil_2025_kernel import fill_least_latency_s

Revision = Literal["2025-05-27", "2025-05-22"]
"""The study's code of the day: the later gives Tables 2, 3, 4 and 6, the earlier Table 5."""

LATER: Revision = "2025-05-27"
EARLIER: Revision = "2025-05-22"

_STAGE_DEGREES = 10
_SCALE_DOWNS = 6
_BLOCK = 2048
_BOUND_SLACK = 1 + 1e-12


def _work(model: Model) -> Work:
    return Work(
        layers=float(model.layers),
        d_model=float(model.d_model),
        d_ff=float(model.d_ff),
        up=float(model.up),
        down=float(model.down),
        experts=float(model.experts),
        active_experts=float(model.active_experts),
        sparsity=float(model.sparsity),
        heads=float(model.heads),
        kv_heads=float(model.kv_heads),
        head_dim=float(model.head_dim),
        attention_dim=float(model.attention_dim),
        kv_latent=float(model.mla[0]),
        query_latent=float(model.mla[1]),
        weight_bytes=float(model.weight_bytes),
        activation_bytes=float(model.activation_bytes),
        unembedding=float(model.unembedding_parameters),
        feedforward_parameters=float(model.feedforward_parameters),
        active_parameters=float(model.active_parameters),
        weights_bytes=float(model.weights_bytes),
        kv_bytes_per_position=float(model.kv_bytes_per_position),
    )


def _rates(gpu: Gpu, model: Model) -> Rates:
    return Rates(
        flop_per_s=gpu.peak_flop_per_s(model.weight_bytes) * gpu.derate_flop,
        hbm_bytes_per_s=gpu.hbm_bytes_per_s * gpu.derate_hbm,
        hbm_bytes=float(gpu.hbm_bytes),
        intra_bytes_per_s=float(gpu.intra_node_bytes_per_s),
        inter_bytes_per_s=float(gpu.inter_node_bytes_per_s),
        node=float(gpu.node),
        kernel_s=float(gpu.kernel_s),
        is_ring=gpu.collective == "ring",
        protocols=protocols(gpu),
    )


def case_of(model: Model, gpu: Gpu, *, scale_down: bool = True, revision: Revision = LATER) -> Case:
    """A model on a GPU as the compiled search takes it."""
    scale_downs = _SCALE_DOWNS if scale_down and revision != EARLIER else 1
    return Case(_work(model), _rates(gpu, model), scale_downs, revision == EARLIER)


def stage_degrees(batch: Array, layers: int, *, pipeline: bool, revision: Revision) -> Array:
    """Pipeline degrees to try, one row for each batch; log-spaced exactly as NumPy spaces them."""
    if not pipeline:
        return np.ones((1, 1))
    deepest = np.full_like(batch, layers) if revision == EARLIER else np.minimum(batch, layers)
    degrees = np.logspace(0, np.log2(np.maximum(deepest, 1.0)), _STAGE_DEGREES, base=2)
    return np.ascontiguousarray(degrees.T)


def least_latency_s(
    model: Model,
    gpu: Gpu,
    shaped: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike],
    *,
    limit_s: ArrayLike = np.inf,
    pipeline: bool = True,
    scale_down: bool = True,
    revision: Revision = LATER,
) -> Array:
    """Least latency below `limit_s` [s] over (GPUs, batch, context, new tokens); infinite where there is none."""
    if revision not in get_args(Revision):
        raise UnknownIdError("Erdil 2025 revision", revision, get_args(Revision))
    full = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (*shaped, limit_s)))
    n_gpu, batch, context, tokens, limit = (np.ascontiguousarray(value).reshape(-1) for value in full)
    distinct, row = np.unique(batch, return_inverse=True)
    stages = stage_degrees(distinct, model.layers, pipeline=pipeline, revision=revision)
    rows = row.reshape(-1).astype(np.int64) if pipeline else np.zeros(batch.size, dtype=np.int64)
    points = Points(n_gpu, batch, context, tokens, rows, stages, limit, np.empty(n_gpu.size))
    case = case_of(model, gpu, scale_down=scale_down, revision=revision)

    def fill(start: int) -> None:
        fill_least_latency_s(points, start, min(start + _BLOCK, n_gpu.size), case)

    starts = range(0, n_gpu.size, _BLOCK)
    if len(starts) < 2:
        for start in starts:
            fill(start)
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(fill, starts))
    return points.least_s.reshape(full[0].shape)


def speculative_latency_s(
    model: Model,
    draft: Model,
    gpu: Gpu,
    shaped: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    acceptance: float,
    most_draft_tokens: int = 5,
    revision: Revision = LATER,
) -> Array:
    """Least of no speculation and 2 to `most_draft_tokens` drafted tokens [s], over (GPUs, batch, context)."""
    if not 0 <= acceptance < 1:
        raise DomainError(f"acceptance={acceptance} must lie in [0, 1); a rate of 1 never ends a draft")
    base = least_latency_s(model, gpu, (*shaped, 1.0), revision=revision)
    draft_s = least_latency_s(draft, gpu, (*shaped, 1.0), revision=revision)
    best, can_draft = base, np.isfinite(base) & np.isfinite(draft_s)
    for drafted in range(2, most_draft_tokens + 1):
        drafting_s, kept, emitted = drafted * draft_s, 1 - acceptance, 1 - acceptance**drafted
        # Verifying more tokens is never faster, so `base` bounds the verification from below.
        can_win = can_draft & ((base + drafting_s) * kept / emitted < best * _BOUND_SLACK)
        spare_s = np.subtract(best * emitted / kept, drafting_s, out=np.zeros_like(best), where=can_win)
        verify_s = least_latency_s(
            model, gpu, (*shaped, float(drafted)), limit_s=spare_s * _BOUND_SLACK, revision=revision
        )
        best = np.minimum(best, (verify_s + drafting_s) * kept / emitted)
    return best


def token_latency_s(  # noqa: PLR0917 - the order of the study's own function
    model: str,
    gpu: str,
    n_gpu: ArrayLike,
    batch: ArrayLike,
    context: ArrayLike = 0.0,
    new_tokens: ArrayLike = 1.0,
    *,
    pipeline: bool = True,
    scale_down: bool = True,
    revision: Revision = LATER,
) -> Array:
    """Least time of one forward pass that the study's full model finds.

    Equation
        T = min over layout (2-D, 1-D), P, sigma of  t_kernel + t_network + max(M / (N B), F / (N C))

    Parameters
        model       -       [-]      text   a name of `models()`
        gpu         -       [-]      text   a name of `gpus()`
        n_gpu       N       [1]      array  GPUs of the instance; real, >= 1 to be feasible
        batch       b       [1]      array  sequences in flight; real, >= 1 to be feasible
        context     l       [token]  array  positions already in the KV cache
        new_tokens  q       [token]  array  positions computed in this pass; above 1 when verifying a draft
        pipeline    -       [-]      bool   whether to search pipeline degrees P
        scale_down  -       [-]      bool   whether to search smaller attention groups sigma
        revision    -       [-]      text   day of the study's code

    Returns
        T  [s]  array, the broadcast shape of the inputs; infinite where the weights and one micro-batch's KV
        cache do not fit, or fewer than one GPU or sequence is given

    Holds when  memory and arithmetic overlap and the network overlaps neither; expert parallelism is as deep as
                it can be once a micro-batch has twice as many sequences as the sparsity.
    Source      [erdil-2025] sections 3.1-3.6 and the code of 2025-05-27, whose quirks are kept
    Raises      UnknownIdError for an unknown model, GPU or revision

    >>> round(float(token_latency_s("Llama_3_70B_8_bit", "H100", 16, 128)), 9)
    0.009026195
    """
    return least_latency_s(
        find_model(model),
        find_gpu(gpu),
        (n_gpu, batch, context, new_tokens),
        pipeline=pipeline,
        scale_down=scale_down,
        revision=revision,
    )
