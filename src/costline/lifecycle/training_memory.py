"""Bytes of weights, gradients and optimiser state that training keeps on a device. Knows no architecture."""

from __future__ import annotations

from typing import Literal

import numpy as np

from costline.errors import DomainError
from costline.lifecycle.facts import TrainingState
from costline.quantities import Array, Numeric, as_array

ZeroStage = Literal[0, 1, 2, 3]


def training_state_bytes(parameters: Numeric, state: TrainingState) -> Array:
    """Bytes of all that training keeps of the parameters.

    Equation
        M = N (b_w + b_g + b_o)

    Parameters
        parameters  N  [1]  array   >= 0, trained ones
        state       -       record  bytes of a weight b_w, its gradient b_g and the optimiser b_o

    Returns
        M  [byte]  array, all devices together and one copy

    Holds when  nothing is offloaded; activations come on top.
    Source      [rajbhandari-2020] section 3.1
    Raises      nothing

    >>> from costline.lifecycle.facts import training_state
    >>> float(training_state_bytes(65e9, training_state("adamw")))
    1040000000000.0
    """
    return as_array(parameters) * state.total


def zero_state_bytes(
    parameters: Numeric, state: TrainingState, *, stage: ZeroStage, dp: Numeric, shards: Numeric = 1
) -> Array:
    """Bytes of weights, gradients and optimiser on one device, sharded over data-parallel replicas.

    Equation
        M = N / s (b_w / d_3 + b_g / d_2 + b_o / d_1),  d_k = d from ZeRO stage k on, 1 below

    Parameters
        parameters  N  [1]  array   >= 0
        state       -       record  bytes of a weight b_w, its gradient b_g and the optimiser b_o
        stage       -       choice  0 = nothing sharded, 1 = optimiser, 2 = gradients too, 3 = weights too
        dp          d  [1]  array   >= 1, data-parallel replicas
        shards      s  [1]  array   >= 1, devices of a replica (tp times pp) that split the weights evenly

    Returns
        M  [byte]  array, the broadcast shape

    Holds when  layers are spread evenly; gathered weights of stage 3 live only while a layer runs.
    Source      [rajbhandari-2020] section 5 and figure 1
    Raises      DomainError if a degree is below 1

    >>> from costline.lifecycle.facts import training_state
    >>> adamw = training_state("adamw")
    >>> [round(float(zero_state_bytes(7.5e9, adamw, stage=z, dp=64)) / 1e9, 1) for z in (0, 1, 2, 3)]
    [120.0, 31.4, 16.6, 1.9]
    """
    replicas, split = as_array(dp), as_array(shards)
    if not (np.all(replicas >= 1) and np.all(split >= 1)):
        raise DomainError(f"dp={dp} and shards={shards} must be at least 1; 1 = not sharded")
    over = [np.where(stage >= first, replicas, 1.0) for first in (3, 2, 1)]
    per_parameter = state.weight / over[0] + state.gradient / over[1] + state.optimizer / over[2]
    return as_array(parameters) / split * per_parameter
