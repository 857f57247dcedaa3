"""Options that several commands take: each name has one type and one meaning, whatever words a command puts it in.

Knows nothing of what an option is for (see `flags`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_TOKENS: Mapping[str, Any] = {"type": float, "metavar": "TOKENS"}
_WHOLE: Mapping[str, Any] = {"type": int, "metavar": "N"}
_MS: Mapping[str, Any] = {"type": float, "metavar": "MS"}
_FLAGS: Mapping[str, Mapping[str, Any]] = {
    "model": {"help": "Model id, alias or Hugging Face id."},
    "accelerator": {"help": "Accelerator; repeat for several.", "also": ("--accelerators",), "multiple": True},
    "isl": {**_TOKENS, "help": "Input tokens of a request."},
    "osl": {**_TOKENS, "help": "Output tokens of a request."},
    "prefix": {**_TOKENS, "help": "Input tokens that are already cached."},
    "concurrency": {"type": float, "metavar": "N", "help": "Requests in flight."},
    "request_rate": {"type": float, "metavar": "PER_S", "help": "Requests per second."},
    "ttft": {**_MS, "help": "Target: time to first token p99, milliseconds."},
    "tpot": {**_MS, "help": "Target: time per output token p99, milliseconds."},
    "e2e": {**_MS, "help": "Target: whole request p99, milliseconds."},
    "tp": {**_WHOLE, "help": "Tensor parallel degree."},
    "pp": {**_WHOLE, "help": "Pipeline stages."},
    "dp": {**_WHOLE, "help": "Attention data parallel groups inside a replica."},
    "ep": {**_WHOLE, "help": "Expert parallel degree: 1 or tp·dp."},
    "replicas": {**_WHOLE, "help": "Copies of the model."},
    "batch": {**_WHOLE, "help": "Most sequences of a replica."},
    "max_accelerators": {**_WHOLE, "help": "Most accelerators of one replica."},
    "weights": {"help": "Weight format: bf16, fp8, int8, int4, nvfp4, mxfp4, checkpoint or auto."},
    "kv": {"help": "Cache format: bf16, fp8, int8 or auto."},
    "price": {"type": float, "metavar": "USD", "help": "USD per accelerator-hour, instead of the reference offer."},
    "engine": {"help": "Engine: vllm, sglang or tensorrt-llm."},
    "memory_utilization": {
        "type": float, "metavar": "SHARE", "help": "Share of device memory the engine may use.",
    },
    "calibration": {"help": "default = sustained rates, none = the datasheet's."},
    "top": {**_WHOLE, "help": "Plans to show."},
}  # fmt: skip
LENGTHS = ("isl", "osl", "prefix")
TARGETS = ("ttft", "tpot", "e2e")
DEGREES = ("tp", "pp", "dp", "ep")


def flag(name: str, **changed: Any) -> Decorator:
    """One option, with what a command changes of it; a default is shown."""
    settings = {**_FLAGS[name], **changed}
    written = (f"--{name.replace('_', '-')}", *settings.pop("also", ()))
    return click.option(*written, name, **settings, show_default="default" in settings)


def flags(*names: str, **worded: str) -> Decorator:
    """Some options in their order; `worded` says one of them in a command's own words."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = flag(name, **({"help": worded[name]} if name in worded else {}))(function)
        return function

    return add
