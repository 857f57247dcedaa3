"""What pipelines and tensor parallelism leave of the arithmetic peak in training. Knows no model and no chip."""

from __future__ import annotations

import numpy as np

from costline.errors import DomainError
from costline.quantities import Array, Numeric, as_array


def pipeline_bubble(stages: Numeric, micro_batches: Numeric, interleave: Numeric = 1) -> Array:
    """Idle time of a training step's pipeline over the time it works.

    Equation
        β = (p - 1) / (v m)

    Parameters
        stages         p  [1]  array  >= 1
        micro_batches  m  [1]  array  >= 1, of one replica in a step
        interleave     v  [1]  array  >= 1, chunks of layers on each stage

    Returns
        β  [1]  array; 0 for one stage

    Holds when  stages take equally long and the step ends with a flush.
    Source      [narayanan-2021] sections 2.2.1 and 2.2.2
    Raises      DomainError if a count is below 1

    >>> float(pipeline_bubble(8, 32)), float(pipeline_bubble(8, 32, 2)), float(pipeline_bubble(1, 1))
    (0.21875, 0.109375, 0.0)
    """
    p, m, v = as_array(stages), as_array(micro_batches), as_array(interleave)
    if not (np.all(p >= 1) and np.all(m >= 1) and np.all(v >= 1)):
        raise DomainError(f"stages={stages}, micro_batches={micro_batches}, interleave={interleave} must be at least 1")
    return (p - 1) / (v * m)


def idle_share(bubble: Numeric) -> Array:
    """Share of a step that a stage is idle.

    Equation
        ι = β / (1 + β)                            (p - 1) / (m + p - 1) without interleaving

    Parameters
        bubble  β  [1]  array  >= 0, idle over working time

    Returns
        ι  [1]  array  in [0, 1)

    Holds when  β counts idle time over working time.
    Source      [narayanan-2021] section 2.2.1
    Raises      nothing

    >>> round(float(idle_share(pipeline_bubble(8, 32))), 3)
    0.179
    """
    ratio = as_array(bubble)
    return ratio / (1 + ratio)


def tensor_parallel_bytes(
    tokens: Numeric, hidden: Numeric, layers: Numeric, tp: Numeric, *, passes: Numeric = 4
) -> Array:
    """Bytes that each device sends for the all-reduces of tensor parallelism, for one micro-batch.

    Equation
        B = r L 2 (t - 1) / t 2 n d

    Parameters
        tokens  n  [token]  array  >= 0, of a micro-batch
        hidden  d  [1]      array  > 0
        layers  L  [1]      array  >= 0, on the device
        tp      t  [1]      array  >= 1
        passes  r  [1]      array  all-reduces a layer: 2 forward, 2 backward, 2 more where all is recomputed

    Returns
        B  [byte]  array; 0 for one device

    Holds when  activations are 16 bit and all-reduces run around a ring.
    Source      [narayanan-2021] section 3.2
    Raises      nothing

    >>> float(tensor_parallel_bytes(1.0, 8192, 1, 8)) / 8192
    14.0
    """
    degree = as_array(tp)
    return as_array(passes) * layers * 2 * (degree - 1) / degree * 2 * as_array(tokens) * hidden


def mixed_kernel_share(matrix_share: Numeric, attention_share: Numeric, attention_work: Numeric) -> Array:
    """Share of the peak that a layer's kernels sustain together.

    Equation
        κ = 1 / ((1 - a) / κ_m + a / κ_a)

    Parameters
        matrix_share     κ_m  [1]  array  in (0, 1], of the peak that large matrix products sustain
        attention_share  κ_a  [1]  array  in (0, 1], that attention sustains
        attention_work   a    [1]  array  in [0, 1], share of the FLOP that is attention scores

    Returns
        κ  [1]  array

    Holds when  kernels follow one another; norms, activations and the optimiser take no time.
    Source      [derived]
    Raises      nothing

    >>> float(mixed_kernel_share(0.8, 0.4, 0.0)), round(float(mixed_kernel_share(0.8, 0.4, 0.5)), 3)
    (0.8, 0.533)
    """
    work = as_array(attention_work)
    return 1 / ((1 - work) / matrix_share + work / attention_share)


def training_mfu(
    kernel_share: Numeric, *, bubble: Numeric = 0.0, exposed: Numeric = 0.0, recomputed: Numeric = 0.0
) -> Array:
    """Share of the arithmetic peak that the model's own FLOP reach.

    Equation
        η = κ / ((1 + ρ + γ) (1 + β))

    Parameters
        kernel_share  κ  [1]  array  in (0, 1], of the peak that matrix kernels sustain
        bubble        β  [1]  array  >= 0, pipeline: idle over working time
        exposed       γ  [1]  array  >= 0, communication that nothing hides, over the time of κ
        recomputed    ρ  [1]  array  >= 0, work done twice over the model's own

    Returns
        η  [1]  array

    Holds when  all layers sustain κ; failures, evaluation and checkpoints are not in it.
    Source      [chowdhery-2022] appendix B; [narayanan-2021] sections 2 and 3
    Raises      DomainError if κ is not in (0, 1]

    >>> round(float(training_mfu(0.7, bubble=0.21875, exposed=0.1)), 3), float(training_mfu(1.0))
    (0.522, 1.0)
    """
    share = as_array(kernel_share)
    if not np.all((share > 0) & (share <= 1)):
        raise DomainError(f"kernel_share={kernel_share} must lie in (0, 1]; large matrices sustain 0.6 to 0.8")
    return share / ((1 + as_array(recomputed) + exposed) * (1 + as_array(bubble)))


def achieved_mfu(flop_per_s: Numeric, devices: Numeric, peak_flop_per_s: Numeric) -> Array:
    """Share of the peak that a measured rate of a whole machine means.

    Equation
        η = R / (n P)

    Parameters
        flop_per_s       R  [FLOP/s]  array  >= 0, of all devices together
        devices          n  [1]       array  >= 1
        peak_flop_per_s  P  [FLOP/s]  array  > 0, of one device

    Returns
        η  [1]  array

    Holds when  R counts what the share is to mean: with recomputed work it is a hardware utilisation.
    Source      [narayanan-2021] section 5.1; [chowdhery-2022] appendix B
    Raises      nothing

    >>> round(float(achieved_mfu(502e15, 3072, 312e12)), 3)
    0.524
    """
    return as_array(flop_per_s) / (as_array(devices) * peak_flop_per_s)


def hardware_to_model_share(hardware_share: Numeric, recomputed: Numeric) -> Array:
    """Model FLOP utilisation behind a utilisation that counts recomputed work.

    Equation
        η = h / (1 + ρ)

    Parameters
        hardware_share  h  [1]  array  >= 0
        recomputed      ρ  [1]  array  >= 0, 1/3 where every activation is recomputed

    Returns
        η  [1]  array

    Holds when  h counts every operation that ran.
    Source      [chowdhery-2022] appendix B
    Raises      nothing

    >>> round(float(hardware_to_model_share(0.524, 1 / 3)), 3)
    0.393
    """
    return as_array(hardware_share) / (1 + as_array(recomputed))
