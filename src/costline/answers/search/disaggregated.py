"""Every pair of a prefill pool and a decode pool, without looking at every pair.

What a pair costs, carries and takes grows with each column of either pool (`PREFILL_COLUMNS`, `DECODE_COLUMNS`), so a
pool that another one beats in all of them is in no pair that must be kept. The rest are paired all with all; for each
decode pool the best partner on each accelerator stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from costline.answers.choices import Price
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import (
    Candidates,
    PrefillSide,
    Prepared,
    finish,
    load_of,
    prepare,
    slo_masks,
)
from costline.answers.search.columns import Engine
from costline.answers.search.decode_pool import decode_rows
from costline.answers.search.energy import accelerator_watts
from costline.answers.search.load import Load
from costline.answers.search.pace import LEAST
from costline.answers.search.prefill_pool import Columns, prefill_rows, sending
from costline.answers.search.speculative import Drafter
from costline.deployment.plan import Option
from costline.deployment.pools import best_partners, contenders, to_digits
from costline.deployment.search import first_failure
from costline.money.power import joule_per_token
from costline.quantities import Array, as_array
from costline.serving.disaggregation import exposed_transfer_s, kv_transfer_time_s

Rows = NDArray[np.intp]
PREFILL_COLUMNS = (
    "usd_per_hour", "accelerators", "-requests_per_s", "service_s", "queue_p99_s", "send_s", "latency_s",
)  # fmt: skip
DECODE_COLUMNS = (
    "usd_per_hour", "accelerators", "-requests_per_s", "tpot_s", "tpot_p99_s", "first_p99_s", "receive_s", "latency_s",
)  # fmt: skip
MEANS = ("queue_s", "first_s")
"""Mean waits of either pool, which matter where the requests in flight are given: they come as fast as they leave."""
_PREFIX = "prefill_"
_NO_ROWS: Columns = dict.fromkeys(
    (
        "replicas", "tp", "pp", "dp", "capacity_requests_per_s", "prefill_replicas", "prefill_tp", "prefill_pp",
        "prefill_dp", "prefill_capacity_requests_per_s", "prefill_usd_per_hour", "usd_per_hour", "accelerators",
        "total_requests_per_s", "output_tokens_per_s", "usd_per_mtok", "ttft_s", "ttft_p99_s", "tpot_s", "tpot_p99_s",
        "e2e_p99_s",
    ),
    np.zeros(0),
)  # fmt: skip
"""Columns of accelerators of which no pool can be part of a best pair, or none fits."""
PAIRS_AT_ONCE = 2**21
"""Pairs whose tables are in memory at a time."""


@dataclass(frozen=True)
class Kind:
    """Engines of one accelerator in one set of formats, with a draft or without, and what they cost."""

    engine: Engine
    option: Option
    price: Price
    ready: Prepared
    drafter: Drafter | None = None


def kind_of(engine: Engine, scenario: Scenario, option: Option, price: Price, drafter: Drafter | None = None) -> Kind:
    """A kind with its layouts and lanes prepared, once for all ways to use them."""
    return Kind(engine, option, price, prepare(engine, scenario, drafter), drafter)


@dataclass(frozen=True)
class Pools:
    """All pools of one side: columns, and for each row the kind it is of."""

    columns: Columns
    kind: Rows

    def at(self, rows: Rows) -> Pools:
        """Some of the rows."""
        return Pools({name: column[rows] for name, column in self.columns.items()}, self.kind[rows])


def search_pools(scenario: Scenario, kinds: Sequence[Kind], *, exhaustive: bool = False) -> list[Candidates]:
    """Pairs of pools whose makers, weights and caches are alike: for each pair the best partner of each pool.

    A cache moves between one maker's accelerators; no engine hands it to another's.

    `exhaustive` pairs every pool with every other, to check what was ruled out.
    """
    families: dict[tuple[str, str, str, bool], list[Kind]] = {}
    for kind in kinds:
        drafts, maker = kind.drafter is not None, kind.engine.site.chip.vendor
        families.setdefault((maker, kind.option.label, kind.option.formats.kv, drafts), []).append(kind)
    load = load_of(scenario)
    return [group for family in families.values() for group in _family(scenario, load, family, exhaustive)]


def _pools(rows: Sequence[Columns]) -> Pools | None:
    """The pools of all kinds together; None if not one fits."""
    some = {index: each for index, each in enumerate(rows) if each}
    if not some:
        return None
    names = next(iter(some.values()))
    columns = {name: np.concatenate([each[name] for each in some.values()]) for name in names}
    kind = np.concatenate([np.full(each["replicas"].size, index, dtype=np.intp) for index, each in some.items()])
    return Pools(columns, kind)


def _family(scenario: Scenario, load: Load, kinds: Sequence[Kind], exhaustive: bool) -> Iterator[Candidates]:
    prefill = _pools([prefill_rows(kind.engine, scenario, load, kind.price, kind.drafter) for kind in kinds])
    decode = _pools([decode_rows(kind.engine, scenario, kind.price, kind.ready) for kind in kinds])
    found: dict[tuple[int, int], list[Columns]] = {}
    covered: dict[tuple[int, int], int] = {}
    if prefill is not None and decode is not None:
        counts = [np.bincount(side.kind, minlength=len(kinds)) for side in (prefill, decode)]
        covered = {(i, j): int(counts[0][i]) * int(counts[1][j]) for i in range(len(kinds)) for j in range(len(kinds))}
        for pair, columns in _best(scenario, load, kinds, prefill, decode, exhaustive=exhaustive):
            found.setdefault(pair, []).append(columns)
    ruled_out = sum(covered.values()) - sum(covered[pair] for pair in found)
    for (giver, taker), parts in (found or {(0, 0): [_NO_ROWS]}).items():
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        yield _candidates(scenario, kinds[giver], kinds[taker], columns, covered.get((giver, taker), 0) + ruled_out)
        ruled_out = 0


def _best(
    scenario: Scenario, load: Load, kinds: Sequence[Kind], prefill: Pools, decode: Pools, *, exhaustive: bool
) -> Iterator[tuple[tuple[int, int], Columns]]:
    """Pairs that may be best, for each size of cache that a decode pool wants to be sent."""
    for moved in np.unique(decode.columns["moved_bytes"]):
        takers = decode.at(np.flatnonzero(decode.columns["moved_bytes"] == moved))
        givers = Pools({**prefill.columns, **sending(prefill.columns, float(moved))}, prefill.kind)
        givers, takers = _reachable(givers, takers)
        if not exhaustive:
            means = scenario.workload.concurrency is not None
            givers = _front(givers, (*PREFILL_COLUMNS, *(MEANS[:1] if means else ())))
            takers = _front(takers, (*DECODE_COLUMNS, *(MEANS[1:] if means else ())))
        yield from _paired(scenario, load, kinds, givers, takers)


def _reachable(givers: Pools, takers: Pools) -> tuple[Pools, Pools]:
    """Adds what a pair's time is made of; leaves out pools whose network cannot carry the cache."""
    give, take = givers.columns, takers.columns
    give["queue_s"] = give["wait_s"] + give["port_wait_s"]
    give["queue_p99_s"] = give["wait_p99_s"] + give["port_wait_p99_s"]
    give["send_s"] = give["sent_bytes"] / give["out_bytes_per_s"]
    take["receive_s"] = take["received_bytes"] / take["in_bytes_per_s"]
    return (
        givers.at(np.flatnonzero(np.isfinite(give["queue_p99_s"]))),
        takers.at(np.flatnonzero(np.isfinite(take["first_p99_s"]))),
    )


def _front(pools: Pools, names: Sequence[str]) -> Pools:
    columns = [-pools.columns[name[1:]] if name.startswith("-") else pools.columns[name] for name in names]
    return pools.at(contenders(columns))


def joined(give: Mapping[str, Array], take: Mapping[str, Array], scenario: Scenario, layers: int) -> Columns:
    """Columns of pairs, from columns of pools that broadcast against each other."""
    load = load_of(scenario)
    transfer = kv_transfer_time_s(
        give["sent_bytes"],
        take["received_bytes"],
        sender_bytes_per_s=give["out_bytes_per_s"],
        receiver_bytes_per_s=take["in_bytes_per_s"],
        latency_s=np.maximum(give["latency_s"], take["latency_s"]),
    )
    overlapped = layers if scenario.deployment.kv_transfer == "layerwise" else 1
    seen = exposed_transfer_s(transfer, give["service_s"], overlapped)
    ttft = give["queue_s"] + give["service_s"] + seen + take["first_s"]
    served = np.minimum(give["requests_per_s"], take["requests_per_s"])
    wanted = scenario.workload.peak_request_rate
    if wanted is not None:
        served = np.full(served.shape, wanted)
    if scenario.workload.concurrency is not None:
        served = np.minimum(served, scenario.workload.concurrency / (ttft + load.decode_steps * take["tpot_s"]))
    return {
        "transfer_s": transfer,
        "ttft_s": ttft,
        "ttft_p99_s": give["queue_p99_s"] + give["service_s"] + seen + take["first_p99_s"],
        "tpot_s": take["tpot_s"] + np.zeros_like(ttft),
        "tpot_p99_s": take["tpot_p99_s"] + np.zeros_like(ttft),
        "total_requests_per_s": served,
        "usd_per_hour": give["usd_per_hour"] + take["usd_per_hour"],
        "accelerators": give["accelerators"] + take["accelerators"],
    }


def _paired(
    scenario: Scenario, load: Load, kinds: Sequence[Kind], givers: Pools, takers: Pools
) -> Iterator[tuple[tuple[int, int], Columns]]:
    """For each prefill kind and each decode pool the best partner; the cost of a request decides, then latency."""
    layers = sum(group.count for group in kinds[0].engine.model.layers)
    for kind in np.unique(givers.kind):
        mine = givers.at(np.flatnonzero(givers.kind == kind))
        width = max(PAIRS_AT_ONCE // max(mine.kind.size, 1), 1)
        for start in range(0, takers.kind.size, width):
            part = takers.at(np.arange(start, min(start + width, takers.kind.size)))
            give = {name: column[:, None] for name, column in mine.columns.items()}
            table = joined(give, part.columns, scenario, layers)
            finish(table, load)
            allowed = np.ones(table["ttft_s"].shape, dtype=bool)
            for mask in slo_masks(scenario.slo, table).values():
                allowed &= mask
            late = np.where(allowed, 0.0, table["ttft_p99_s"])
            cost = to_digits(table["usd_per_mtok"])
            best = best_partners(allowed, late, cost, table["accelerators"], table["e2e_p99_s"])
            every = np.arange(part.kind.size)
            for taker in np.unique(part.kind):
                own = np.flatnonzero(part.kind == taker)
                chosen, rows = best[own], every[own]
                columns = {f"prefill_{name}": column[chosen] for name, column in mine.columns.items()}
                columns |= {name: column[rows] for name, column in part.columns.items()}
                columns |= {name: values[chosen, rows] for name, values in table.items()}
                yield (int(kind), int(taker)), columns


def _joules(giver: Kind, taker: Kind, columns: Columns, prefill: Columns) -> Array:
    """Energy of an output token, both pools at the share of their capacity that is used."""
    served, total = columns["total_requests_per_s"], as_array(0.0)
    for kind, side, most in (
        (giver, prefill, prefill["capacity_requests_per_s"] * prefill["replicas"]),
        (taker, columns, columns["decode_capacity_requests_per_s"] * columns["replicas"]),
    ):
        size = side["replicas"] * side["tp"] * side["pp"] * side["dp"] * side.get("cp", 1.0)
        total = total + size * accelerator_watts(kind.engine.site.chip, served / np.maximum(most, LEAST))
    return joule_per_token(total, columns["output_tokens_per_s"])


def _candidates(scenario: Scenario, giver: Kind, taker: Kind, columns: Columns, covered: int) -> Candidates:
    size = columns["replicas"].size
    most = np.minimum(
        columns["prefill_capacity_requests_per_s"] * columns["prefill_replicas"],
        columns["capacity_requests_per_s"] * columns["replicas"],
    )
    bill = np.maximum(columns["usd_per_hour"], np.finfo(float).tiny)
    prefill = {name.removeprefix(_PREFIX): column for name, column in columns.items() if name.startswith(_PREFIX)}
    columns |= {
        "carries": np.ones(size),
        "capacity_requests_per_s": most / columns["replicas"],
        "decode_capacity_requests_per_s": columns["capacity_requests_per_s"],
        "prefill_share": columns["prefill_usd_per_hour"] / bill,
        "requests_per_s": columns["total_requests_per_s"] / columns["replicas"],
    }
    columns["joule_per_token"] = _joules(giver, taker, columns, prefill)
    ok, why = first_failure({"load": columns["carries"] > 0, **slo_masks(scenario.slo, columns)})
    tried = taker.ready.grid
    return Candidates(
        site=taker.engine.site,
        option=taker.option,
        price=taker.price,
        engine=taker.engine,
        columns=columns,
        ok=ok,
        why_not=why,
        layouts_without_room=tried.without_room,
        smallest_need_bytes=tried.least_need_bytes,
        drafter=taker.drafter,
        prefill=PrefillSide(giver.engine.site, giver.price, giver.engine, prefill),
        covered=covered,
    )
