"""What the time of a step passes through: the equations and calibrated kernels that a model in a layout really uses.

A rule says for what it holds; `tests/answers/test_sources.py` holds the rules against the calls that are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from costline.answers.search.columns import Engine
from costline.architecture import experts, formats, kv_cache, messages, mixers, operations, sharding, visible, weights
from costline.architecture.operations import decode_segment
from costline.architecture.sharding import Layout
from costline.forward import collectives, kernel_times, memory, roofline
from costline.forward.kernel_messages import runs_library
from costline.forward.kernels import (
    all_reduce,
    corner,
    decode_attention,
    expert_exchange,
    gemm,
    mla,
    prefill_attention,
)
from costline.forward.kernels import collectives as timed_collectives
from costline.forward.kernels import experts as timed_experts
from costline.quantities import Array

Equation = Callable[..., Any]


@dataclass(frozen=True)
class Path:
    """A model on one kind of replica, in each layout that was looked at."""

    engine: Engine
    where: Layout

    @property
    def kernels(self) -> bool:
        """Times are those of calibrated kernels, not of the datasheet."""
        return self.engine.rates.machine is not None

    @property
    def latent(self) -> bool:
        """Some layers have latent attention."""
        return any(group.attention and group.attention.latent for group in self.engine.model.layers)

    @property
    def plain(self) -> bool:
        """Some layers have attention that is not latent."""
        return any(group.attention and not group.attention.latent for group in self.engine.model.layers)

    @property
    def states(self) -> bool:
        """Some layers have a recurrent state."""
        return any(group.state for group in self.engine.model.layers)

    @property
    def routed(self) -> bool:
        """Some layers have routed experts."""
        return any(group.moe for group in self.engine.model.layers)

    @property
    def topology(self) -> str:
        """How a scale-up domain is wired."""
        return self.engine.site.system.fabric.topology

    @cached_property
    def sent(self) -> dict[str, list[Array]]:
        """Sizes of the groups that exchange something, by message and by collective."""
        found: dict[str, list[Array]] = {}
        one = [decode_segment(1.0, 1.0)]
        for message in messages.forward_messages(self.engine.model, one, self.where, self.engine.formats):
            group, count = np.broadcast_arrays(message.group, message.count)
            talks = (group > 1) & (count > 0)
            if np.any(talks):
                for name in (message.collective, message.name):
                    found.setdefault(name, []).append(group[talks])
        return found

    def sends(self, *names: str) -> bool:
        """Whether some layout sends such a message or collective."""
        return any(name in self.sent for name in names)

    def crosses(self, *collectives: str) -> bool:
        """Whether some group of such a collective spans more than one scale-up domain of a network."""
        system = self.engine.site.system
        groups = [group for name in collectives for group in self.sent.get(name, ())]
        wide = any(np.any(group > system.fabric.domain_size) for group in groups)
        return wide and system.scale_out_bytes_per_s > 0

    def in_domain(self, topologies: tuple[str, ...], *collectives: str) -> bool:
        """Whether some layout sends such a collective through a domain that is wired like that."""
        return self.topology in topologies and self.sends(*collectives)

    @property
    def timed_links(self) -> bool:
        """Collectives take the times of libraries and engines."""
        machine = self.engine.rates.machine
        return machine is not None and runs_library(machine)

    @property
    def own_all_reduce(self) -> bool:
        """The engine may reduce small messages by a kernel of its own."""
        machine = self.engine.rates.machine
        return self.timed_links and machine is not None and machine.engine != "" and self.topology != "pcie"


@dataclass(frozen=True)
class Rule:
    """Equations and kernels of the calibration that are on a path where `when` holds."""

    when: Callable[[Path], bool]
    equations: tuple[Equation, ...]
    kernels: tuple[str, ...] = ()


_TORUS, _RING, _SWITCH = ("torus_2d", "torus_3d"), ("ring", "pcie"), ("switch", "mesh")
_GATHERED = ("all_gather", "all_to_all")
RULES: tuple[Rule, ...] = (
    Rule(lambda path: True, (
        weights.group_parameters, weights.parameters, mixers.attention_parameters, formats.bits_per_weight,
        formats.bytes_per_weight, weights.weight_bytes, weights.weight_bytes_by_component, kv_cache.kv_parts,
        kv_cache.layer_kv_bytes_per_token, kv_cache.kv_bytes_per_sequence, visible.visible_pairs,
        visible.attention_pairs, visible.cached_tokens_read, operations.attention_flop,
        sharding.attention_parameters_per_device, sharding.replicated_attention_parameters, sharding.kv_head_share,
        sharding.stage_share, memory.weight_bytes_per_device, memory.pool_bytes, memory.max_batch,
    )),
    Rule(lambda path: path.states, (mixers.state_parameters, kv_cache.layer_state_bytes)),
    Rule(lambda path: path.routed, (
        experts.touched_experts, experts.expected_distinct_experts, messages.distinct_destinations,
    )),
    Rule(lambda path: path.kernels, (gemm.gemm_time_s, corner.rounded_corner_s, corner.missed_share), ("gemm",)),
    Rule(lambda path: path.kernels, (prefill_attention.prefill_attention_time_s,)),
    Rule(
        lambda path: path.kernels and path.plain,
        (prefill_attention.attention_traffic_bytes, decode_attention.decode_attention_time_s),
        ("prefill_attention", "decode_attention"),
    ),
    Rule(
        lambda path: path.kernels and path.latent, (mla.mla_decode_time_s, mla.cache_passes),
        ("mla_prefill", "mla_decode"),
    ),
    Rule(
        lambda path: path.kernels and path.routed,
        (kernel_times.busiest_pairs, timed_experts.experts_time_s, timed_experts.padded_rows,
         timed_experts.expert_traffic_bytes),
        ("experts",),
    ),
    Rule(lambda path: path.kernels and path.states, (roofline.corner_time_s,)),
    Rule(lambda path: bool(path.sent), (collectives.collective_time_s,)),
    Rule(lambda path: path.in_domain(_TORUS, "all_reduce", *_GATHERED), (collectives.torus_bytes_per_s,)),
    Rule(lambda path: path.in_domain((*_TORUS, "ring"), "all_to_all"), (collectives.ring_all_to_all_s,)),
    Rule(lambda path: path.in_domain((*_TORUS, "ring"), "all_gather"), (collectives.all_gather_s,)),
    Rule(lambda path: path.in_domain((*_SWITCH, "pcie"), *_GATHERED), (collectives.all_gather_s,)),
    Rule(lambda path: path.crosses("all_reduce"), (collectives.all_gather_s, collectives.ring_all_reduce_s)),
    Rule(
        lambda path: path.in_domain(_RING, "all_reduce"),
        (collectives.ring_all_reduce_s, collectives.tree_all_reduce_s),
    ),
    Rule(
        lambda path: path.in_domain(_SWITCH, "all_reduce"),
        (collectives.one_shot_all_reduce_s, collectives.two_shot_all_reduce_s),
    ),
    Rule(
        lambda path: path.in_domain(_SWITCH, "all_reduce") and path.engine.site.system.fabric.in_network_reduction,
        (collectives.in_network_all_reduce_s,),
    ),
    Rule(
        lambda path: path.sends("point_to_point") or path.crosses(*_GATHERED), (collectives.point_to_point_s,)
    ),
    Rule(
        lambda path: path.timed_links and path.sends("all_reduce"),
        (timed_collectives.library_all_reduce_time_s,), ("library_collective",),
    ),
    Rule(
        lambda path: path.timed_links and path.sends("all_gather"),
        (timed_collectives.library_gather_time_s,), ("library_collective",),
    ),
    Rule(
        lambda path: path.own_all_reduce and path.sends("all_reduce"),
        (all_reduce.engine_all_reduce_time_s,), ("engine_all_reduce",),
    ),
    Rule(
        lambda path: path.kernels and path.sends("expert_dispatch"),
        (expert_exchange.low_latency_exchange_time_s, expert_exchange.throughput_exchange_time_s,
         timed_collectives.scale_out_time_s),
        ("low_latency_exchange", "throughput_exchange", "scale_out"),
    ),
)  # fmt: skip


def step_equations(path: Path) -> list[Equation]:
    """Equations behind the steps and the room of a model, each once."""
    return list(dict.fromkeys(each for rule in RULES if rule.when(path) for each in rule.equations))


def step_kernels(path: Path) -> list[str]:
    """Kernels of the calibration behind the steps, each once."""
    return list(dict.fromkeys(name for rule in RULES if rule.when(path) for name in rule.kernels))
