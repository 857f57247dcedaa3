"""Two pools that are simulated: those that the scenario gives, or the best disaggregated plan's; and their link.

Knows layouts, caches and networks; knows no request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from costline.answers.fleet_blocks import PoolBlock
from costline.answers.scenario import Scenario
from costline.answers.search import ranked, search_all
from costline.answers.search.decode_pool import cache_bytes
from costline.answers.search.pool_reasons import pools
from costline.answers.search.reasons import excluded_by
from costline.answers.simulate.replica import Replica, or_one, replica_of, the_replica
from costline.architecture.sharding import layout
from costline.catalog.records import Model, System
from costline.deployment.grid import Fixed, check_fixed
from costline.errors import InfeasibleError, InputError
from costline.quantities import Array, as_array
from costline.serving.disaggregation import exposed_transfer_s, kv_transfer_time_s

AROUND = (0.5, 1.5)
"""Of the mean prompt: between these lengths the time to move a cache is taken as a straight line."""


def the_sides(asked: Scenario, model: Model) -> tuple[Replica, ...]:
    """Replicas that prefill and decode, or those that prefill and those that decode."""
    if asked.deployment.disaggregated is not True:
        return (the_replica(asked, model),)
    if asked.deployment.cp > 1:
        raise InputError(f"deployment.cp={asked.deployment.cp} is planned, not simulated; leave it out here")
    given = asked.deployment.given_pools
    sides = _planned(asked, model) if given is None else _given(asked, model, given)
    makers = [side.engine.site.chip.vendor for side in sides]
    if makers[0] != makers[1]:
        raise InputError(
            f"deployment.prefill_pool runs on {makers[0]} and decode_pool on {makers[1]}; no engine hands a cache from "
            "one maker's accelerators to another's: choose both of one maker"
        )
    return sides


def _given(asked: Scenario, model: Model, blocks: tuple[PoolBlock, PoolBlock]) -> tuple[Replica, Replica]:
    prefill, decode = blocks
    return _of_block(asked, model, prefill, prefills=True), _of_block(asked, model, decode, prefills=False)


def _of_block(asked: Scenario, model: Model, block: PoolBlock, *, prefills: bool) -> Replica:
    experts = block.ep if block.ep != "auto" else block.tp * block.dp if block.dp > 1 else 1
    check_fixed(model, Fixed(tp=block.tp, pp=block.pp, dp=block.dp, ep=experts))
    if block.accelerator is None and (len(asked.system.accelerator) > 1 or asked.system.accelerator == ["all"]):
        raise InputError("deployment.prefill_pool and decode_pool need an accelerator each where system lists several")
    count = or_one(block.replicas) if block.autoscale is None else block.autoscale.max
    where = layout(tp=block.tp, pp=block.pp, dp=block.dp, ep=experts)
    chip = block.accelerator or asked.system.accelerator[0]
    side = replica_of(asked, model, chip, where, count, role="prefill" if prefills else "decode", drafts=not prefills)
    return replace(side, autoscale=block.autoscale, batch=None if block.batch == "auto" else int(block.batch))


def _planned(asked: Scenario, model: Model) -> tuple[Replica, Replica]:
    found = search_all(asked, model)
    best = ranked(found, asked.preference.speed_exponent)
    if not best:
        raise InfeasibleError(excluded_by(found, asked, model))
    group, row = found[best[0][0]], best[0][1]
    prefill, decode = (
        replica_of(
            asked, model, pool.accelerator, layout(tp=pool.tp, pp=pool.pp, dp=pool.dp, ep=pool.ep), pool.replicas,
            planned=group.option.label, role=role, drafts=role == "decode" and group.drafter is not None,
        )
        for role, pool in zip(("prefill", "decode"), pools(group, row), strict=True)
    )  # fmt: skip
    batch = None if asked.deployment.batch == "auto" else int(asked.deployment.batch)
    return prefill, replace(decode, batch=batch)


@dataclass(frozen=True)
class Transfer:
    """Handing a prompt's cache over."""

    request_s: float
    token_s: float
    mean_s: float
    """Of the mean prompt, all of it."""
    seen_s: float
    """What the mean prompt waits for it after its prefill."""
    bytes_per_token: float
    """Of the whole cache."""
    requests_per_s: tuple[float, float]
    """That a prefill replica's network sends, and that a decode replica's takes."""


def transfer_of(asked: Scenario, prefill: Replica, decode: Replica, prompt_s: float) -> Transfer:
    """The time to hand a cache over as a straight line in its tokens, from the caches at and around the mean prompt.

    Layer by layer only what is left when the prefill ends is waited for.
    """
    network = [_network(side) for side in (prefill, decode)]
    latency = max(one.scale_out_latency_s for one in network)
    mean = asked.workload.input_mean

    def ports_s(tokens: float) -> tuple[Array, Array]:
        received, moved = cache_bytes(decode.engine, decode.drafter, tokens, decode.where)
        sent = moved / (prefill.where.tp * prefill.where.pp)
        return sent / network[0].scale_out_bytes_per_s, received / network[1].scale_out_bytes_per_s

    def whole_s(tokens: float) -> float:
        took = kv_transfer_time_s(*ports_s(tokens), sender_bytes_per_s=1.0, receiver_bytes_per_s=1.0, latency_s=latency)
        return float(took)

    ends = [share * mean for share in AROUND]
    each = (whole_s(ends[1]) - whole_s(ends[0])) / (ends[1] - ends[0])
    took = whole_s(mean)
    layers = sum(group.count for group in decode.engine.model.layers)
    overlapped = layers if asked.deployment.kv_transfer == "layerwise" else 1
    seen = float(exposed_transfer_s(took, prompt_s, overlapped))
    share = seen / took if took > 0 else 0.0
    sent, taken = ports_s(mean)
    return Transfer(
        request_s=share * max(took - each * mean, 0.0),
        token_s=share * each,
        mean_s=took,
        seen_s=seen,
        bytes_per_token=float(as_array(cache_bytes(decode.engine, decode.drafter, mean, decode.where)[1])) / mean,
        requests_per_s=(float(prefill.where.dp / sent), float(decode.where.dp / taken)),
    )


def _network(side: Replica) -> System:
    system = side.engine.rates.system
    if system.scale_out_bytes_per_s <= 0:
        raise InfeasibleError(
            f"{system.id} has no catalogued network between nodes, so no cache leaves its {side.engine.site.chip.id}; "
            "choose another accelerator or leave disaggregated out"
        )
    return system
