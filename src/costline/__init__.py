"""costline: what a token costs, how fast it can be, and what to run to get it.

>>> import costline
>>> answer = costline.estimate("llama-3.1-8b", "h100-sxm", batch=32, context=4096)
>>> answer.data["memory"]["fits"]
True
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING as _TYPE_CHECKING

from costline.version import __version__

if _TYPE_CHECKING:
    from costline.answers.answer import Answer
    from costline.answers.estimate import estimate
    from costline.answers.frontier import frontier
    from costline.answers.plan import plan
    from costline.answers.scenario import Scenario
    from costline.catalog.find import chip, system
    from costline.catalog.hugging_face import model_from_config
    from costline.catalog.models import find_model
    from costline.errors import CostlineError, InfeasibleError, InputError

__all__ = [
    "Answer",
    "CostlineError",
    "InfeasibleError",
    "InputError",
    "Scenario",
    "__version__",
    "chip",
    "estimate",
    "find_model",
    "frontier",
    "model_from_config",
    "plan",
    "system",
]

_PLACES = {
    "Answer": "costline.answers.answer",
    "CostlineError": "costline.errors",
    "InfeasibleError": "costline.errors",
    "InputError": "costline.errors",
    "Scenario": "costline.answers.scenario",
    "chip": "costline.catalog.find",
    "estimate": "costline.answers.estimate",
    "find_model": "costline.catalog.models",
    "frontier": "costline.answers.frontier",
    "model_from_config": "costline.catalog.hugging_face",
    "plan": "costline.answers.plan",
    "system": "costline.catalog.find",
}
"""Where each public name lives; imported when first asked for, so that `import costline` stays quick."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'costline' has no attribute {name!r}")
    return getattr(_importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
