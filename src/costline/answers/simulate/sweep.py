"""Lists in a scenario where one value is meant: a table of runs, one for each combination.

Knows which settings may be listed; runs nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, cast

from costline.errors import InputError

LISTED = (
    ("workload", "request_rate"), ("workload", "concurrency"), ("workload", "seed"),
    ("deployment", "replicas"), ("deployment", "tp"), ("deployment", "pp"), ("deployment", "dp"), ("deployment", "ep"),
    ("deployment", "batch"), ("deployment", "router"), ("deployment", "kv_transfer"), ("deployment", "disaggregated"),
    ("deployment", "prefill_pool", "replicas"), ("deployment", "prefill_pool", "tp"),
    ("deployment", "prefill_pool", "accelerator"), ("deployment", "decode_pool", "accelerator"),
    ("deployment", "decode_pool", "replicas"), ("deployment", "decode_pool", "tp"),
    ("deployment", "autoscale", "target"), ("deployment", "autoscale", "max"),
    ("deployment", "engine", "max_batched_tokens"), ("deployment", "engine", "max_num_batched_tokens"),
    ("deployment", "engine", "max_sequences"), ("deployment", "engine", "max_num_seqs"),
    ("deployment", "engine", "memory_utilization"), ("deployment", "engine", "gpu_memory_utilization"),
    ("deployment", "engine", "prefix_caching"), ("deployment", "engine", "name"),
    ("model", "weights"), ("model", "kv_cache"), ("system", "accelerator"),
)  # fmt: skip
MOST_RUNS = 500
Place = tuple[str, ...]


def combinations(document: Mapping[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each run's settings that vary, by their path, and its document; one without any where nothing is listed.

    >>> [varied for varied, _ in combinations({"workload": {"request_rate": [1, 2]}})]
    [{'workload.request_rate': 1}, {'workload.request_rate': 2}]
    """
    listed = {place: values for place in LISTED if (values := _list_at(document, place)) is not None}
    runs = 1
    for place, values in listed.items():
        if not values:
            raise InputError(f"{'.'.join(place)}=[] lists nothing; give one value or more")
        runs *= len(values)
    if runs > MOST_RUNS:
        raise InputError(f"the lists of the scenario make {runs} runs, more than {MOST_RUNS}; shorten them")
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for chosen in itertools.product(*listed.values()):
        changed: dict[str, Any] = dict(document)
        for place, value in zip(listed, chosen, strict=True):
            changed = _with(changed, place, value)
        found.append(({".".join(place): one for place, one in zip(listed, chosen, strict=True)}, changed))
    return found


def _list_at(document: Mapping[str, Any], place: Place) -> list[Any] | None:
    value: Any = document
    for key in place:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = cast(Mapping[str, Any], value)[key]
    if place == ("system", "accelerator") and (not isinstance(value, list) or len(cast(list[Any], value)) < 2):
        return None
    return list(cast(list[Any], value)) if isinstance(value, list) else None


def _with(document: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    inner = value if len(place) == 1 else _with(document[place[0]], place[1:], value)
    return {**document, place[0]: inner}
