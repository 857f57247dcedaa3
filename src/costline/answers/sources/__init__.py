"""What an answer used: catalog facts with source and date, and the equations on its path with their references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from costline.answers.answer import Used
from costline.answers.choices import Price
from costline.answers.citing import equations_used, price_used
from costline.answers.scenario import Scenario
from costline.answers.search.candidates import Candidates, fixed_degrees
from costline.answers.search.columns import Engine
from costline.answers.search.speculative import Drafter
from costline.answers.sources import facts
from costline.answers.sources.path import Equation, Path, step_equations
from costline.architecture import kv_cache
from costline.architecture.sharding import Layout
from costline.catalog.records import Model
from costline.deployment.grid import layouts
from costline.forward import memory
from costline.money import power, unit_cost
from costline.money import price as price_equations
from costline.serving import disaggregation, queueing, speculation, steady

_ROOM: tuple[Equation, ...] = (
    kv_cache.kv_bytes_per_token, kv_cache.kv_bytes_per_token_per_device, memory.kv_capacity_tokens,
)  # fmt: skip
_PAID: tuple[Equation, ...] = (price_equations.fleet_usd_per_hour, unit_cost.usd_per_mtok)
_STEADY: tuple[Equation, ...] = (
    steady.request_cycle_s, steady.loaded_tpot_s, steady.long_step_share, power.drawn_power_w, power.facility_power_w,
    power.joule_per_token,
)  # fmt: skip
_QUEUE: tuple[Equation, ...] = (
    queueing.sakasegawa_wait_s,
    queueing.sakasegawa_wait_share,
    queueing.tail_wait_s,
    steady.crowded_batch,
)
_POOLS: tuple[Equation, ...] = (
    disaggregation.kv_transfer_time_s,
    disaggregation.exposed_transfer_s,
    queueing.allen_cunneen_wait_s,
)
_DRAFTS: tuple[Equation, ...] = (
    speculation.decaying_tokens_per_verification,
    speculation.loaded_speedup,
    speculation.least_acceptance,
)


def step_sources(engine: Engine, where: Layout, price: Price | None, *, loaded: bool = False) -> tuple[Used, ...]:
    """Facts and equations behind one configuration; `loaded`: clients in a closed loop measure its throughput too."""
    path = Path(engine, where)
    quantities = (*facts.LATENCIES, "throughput") if loaded else facts.LATENCIES
    found = [facts.model_fact(engine.model), *_replica_facts(path, quantities)]
    paid = _PAID if price is not None else ()
    return (
        *found, *price_used(engine.site.chip.id, price), *equations_used(*step_equations(path), *_ROOM, *paid),
    )  # fmt: skip


def plan_sources(found: Sequence[Candidates], scenario: Scenario, model: Model) -> tuple[Used, ...]:
    """Facts and equations behind a search: those of every kind of replica in it, of pools and of drafts."""
    used = [facts.model_fact(model)]
    equations: list[Equation] = []
    for group in found:
        for path, price in _replicas(group, scenario):
            chip = path.engine.site.chip
            used += [*_replica_facts(path, facts.LATENCIES), *price_used(chip.id, price), facts.power_fact(chip)]
            used += [facts.network_fact(path)] if group.prefill is not None else []
            equations += step_equations(path)
        if group.drafter is not None:
            beside = _drafting(group, group.drafter, scenario)
            used += [*_draft_facts(group.drafter), *facts.calibration_facts(beside, ())]
            equations += step_equations(beside)
    equations += [*_STEADY, *_PAID, *_searched(found, scenario)]
    return (*dict.fromkeys(used), *equations_used(*dict.fromkeys(equations)))


def _searched(found: Sequence[Candidates], scenario: Scenario) -> list[Equation]:
    """Equations of queues, pools and drafts, where the search had any."""
    equations: list[Equation] = []
    apart = [group for group in found if group.prefill is not None]
    if scenario.workload.peak_request_rate is not None:
        equations += _QUEUE
    if len(apart) < len(found):
        equations.append(queueing.schweitzer_response_s)
    if apart:
        equations += _POOLS
        equations += [disaggregation.ring_prefill_s] if scenario.deployment.cp > 1 else []
    if any(group.drafter is not None for group in found):
        equations += _DRAFTS
    return equations


def _replicas(group: Candidates, scenario: Scenario) -> Iterator[tuple[Path, Price]]:
    """The replicas of a group and their prices, of both pools where there are two."""
    yield Path(group.engine, _layouts(group.engine, scenario)), group.price
    if group.prefill is not None:
        yield Path(group.prefill.engine, _layouts(group.prefill.engine, scenario)), group.prefill.price


def _drafting(group: Candidates, draft: Drafter, scenario: Scenario) -> Path:
    """The draft on the devices of its target."""
    engine = Engine(draft.model, draft.formats, group.engine.rates, group.site, group.engine.memory_fraction)
    return Path(engine, draft.layout(_layouts(group.engine, scenario)))


def _layouts(engine: Engine, scenario: Scenario) -> Layout:
    """The layouts that were looked at."""
    most, fixed = scenario.system.max_accelerators, fixed_degrees(scenario.deployment)
    return layouts(engine.model, engine.site.system, max_accelerators=most, fixed=fixed)


def _draft_facts(draft: Drafter) -> tuple[Used, ...]:
    chance = f"{draft.acceptance:g} of the first token, {draft.decay:g} times that of each further one"
    given = Used(f"acceptance of {draft.name}", chance, "given", "scenario", "")
    return facts.model_fact(draft.model, f"draft {draft.name}"), given


def _replica_facts(path: Path, quantities: Sequence[str]) -> list[Used]:
    between = [facts.network_fact(path)] if facts.spans_domains(path) else []
    return [
        *facts.site_facts(path), *between, *facts.routing_facts(path), *facts.calibration_facts(path, quantities),
    ]  # fmt: skip
