"""What serves the requests: engines, pools of replicas, routing, scaling and failures, as settings.

Holds and checks them; `simulate` acts on them. Knows no physics: step times come as tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from costline.errors import InputError
from costline.serving.step_table import StepTable

Policy = Literal["decode_first", "prefill_first"]
Batching = Literal["continuous", "elastic", "dynamic", "fixed"]
Order = Literal["fcfs", "sjf"]
Role = Literal["both", "prefill", "decode"]
Router = Literal["round_robin", "random", "least_loaded", "power_of_two", "prefix_aware", "session"]
Signal = Literal["waiting", "in_flight", "tokens_per_s"]


@dataclass(frozen=True)
class Speculation:
    """Drafts that the target verifies; the step table is that of verification (`decode_tokens` = drafts + 1)."""

    acceptance: tuple[float, ...]
    """chance that draft 1, 2, … is accepted, given that all before it were"""
    random: bool = True
    """drawn for each verification, or else each yields what is expected"""


@dataclass(frozen=True)
class Engine:
    """Scheduler of one replica."""

    kv_capacity_tokens: float = math.inf
    max_batched_tokens: int = 8192
    max_sequences: int = 256
    chunked_prefill: bool = True
    """else a prompt is read in one step"""
    max_chunk_tokens: int = 0
    """longest chunk of one prompt in one step; 0: the token budget alone"""
    policy: Policy = "decode_first"
    """decode_first: decoding sequences go in every step and prompts take what is left of the budget;
    prefill_first: prompts go alone, and decoding waits for them"""
    batching: Batching = "continuous"
    """continuous: requests join at any step. elastic: batches start when the last has ended, and requests leave as
    they end. dynamic: they leave when all have ended. fixed: so too, and a batch waits until it is full"""
    batch_wait_s: float = math.inf
    """longest wait for a full batch (fixed)"""
    order: Order = "fcfs"
    """of waiting requests of one tier: first come first served, or fewest output tokens first"""
    preempt_lower_tier: bool = False
    """a waiting request takes the place of one of a lower tier"""
    async_scheduling: bool = True
    """the next step is scheduled while one runs, so requests join one step later"""
    block_tokens: int = 16
    watermark: float = 0.0
    """share of the blocks that admission leaves free"""
    prefix_caching: bool = True
    max_waiting: int = 0
    """requests that come to a longer queue are rejected; 0: none is"""
    max_model_tokens: int = 0
    """longest input and output together; 0: what the cache holds"""
    speculation: Speculation | None = None

    def __post_init__(self) -> None:
        for name in ("max_batched_tokens", "max_sequences", "block_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be 1 or more")
        if self.max_batched_tokens < self.max_sequences:
            raise InputError(
                f"max_batched_tokens={self.max_batched_tokens} must be at least max_sequences={self.max_sequences}: "
                "each decoding sequence takes a token of the budget; raise the first or lower the second"
            )
        if not self.kv_capacity_tokens >= self.block_tokens:
            raise InputError(f"kv_capacity_tokens={self.kv_capacity_tokens} holds no block of {self.block_tokens}")
        if not 0 <= self.watermark < 1:
            raise InputError(f"watermark={self.watermark} is a share of the cache; give 0 to 1")


@dataclass(frozen=True)
class Autoscaler:
    """Replicas follow a signal: as many as bring it to `target` a replica, looked at every `interval_s`."""

    signal: Signal
    target: float
    floor: int = 1
    """replicas that always run; the pool's `replicas` is the most"""
    interval_s: float = 15.0
    boot_s: float = 60.0
    """from the decision to the first step; it is paid for"""
    hold_s: float = 300.0
    """a replica goes only when fewer were wanted for this long"""

    def __post_init__(self) -> None:
        if not (self.target > 0 and self.interval_s > 0 and self.floor >= 1 and self.boot_s >= 0):
            raise InputError(
                f"an autoscaler needs target={self.target} and interval_s={self.interval_s} above 0, "
                f"floor={self.floor} of 1 or more and boot_s={self.boot_s} of 0 or more"
            )


@dataclass(frozen=True)
class Pool:
    """Replicas that are alike."""

    table: StepTable
    engine: Engine = field(default_factory=Engine)
    replicas: int = 1
    role: Role = "both"
    autoscaler: Autoscaler | None = None


@dataclass(frozen=True)
class Failure:
    """A replica, counted over the pools in turn, is lost and comes back."""

    replica: int
    fail_s: float
    recover_s: float = math.inf


@dataclass(frozen=True)
class Fleet:
    """All replicas, and what lies between them."""

    pools: tuple[Pool, ...]
    router: Router = "round_robin"
    prefix_load_limit: int = 8
    """prefix_aware: requests in flight beyond the least loaded replica's that a cached prefix may cost"""
    transfer_s: float = 0.0
    """handing over a request's KV cache from prefill to decode"""
    transfer_token_s: float = 0.0
    """the same, a token"""
    failures: tuple[Failure, ...] = ()
    max_retries: int = 3
    """a request lost with its replica more often than this is reported as failed"""
    retry_s: float = 0.0
    """time before a lost request is sent again"""

    def __post_init__(self) -> None:
        roles = {pool.role for pool in self.pools}
        if not self.pools or ("prefill" in roles) != ("decode" in roles):
            raise InputError(f"roles {sorted(roles)} of the pools must be both, or prefill and decode")
        for pool in self.pools:
            if pool.replicas < 1:
                raise InputError(f"replicas={pool.replicas} of a pool must be 1 or more")
            drafts = pool.engine.speculation
            if drafts is not None and pool.table.decode_tokens != len(drafts.acceptance) + 1:
                raise InputError(
                    f"decode_tokens={pool.table.decode_tokens} of a step table must be drafts + 1 = "
                    f"{len(drafts.acceptance) + 1}; fill a table of verification"
                )


def replicas(table: StepTable, engine: Engine, count: int = 1, router: Router = "round_robin") -> Fleet:
    """A fleet of equal replicas."""
    return Fleet((Pool(table, engine, count),), router)
