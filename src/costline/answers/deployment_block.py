"""What a scenario fixes of its deployment: degrees, pools, drafted tokens. What it leaves out is searched."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from costline.answers.engine_block import EngineBlock
from costline.answers.fleet_blocks import (
    MOST_FAILURES,
    AutoscaleBlock,
    FailureBlock,
    PoolBlock,
    check_failures,
    check_size,
)
from costline.answers.scenario_values import Auto, Degree, Number, Positive, ScenarioBlock

MOST_DRAFT_TOKENS = 32
DECAY = 0.96
"""Median decay of 14 measured curves of accepted tokens against the length of the draft, 1 to 8."""


class SpeculationBlock(ScenarioBlock):
    """A draft that may be used where it helps."""

    also_written: ClassVar = {
        "model": "draft", "draft_model": "draft", "method": "draft", "alpha": "acceptance",
        "acceptance_rate": "acceptance", "num_speculative_tokens": "max_draft_tokens", "decay": "acceptance_decay",
        "speculative_num_steps": "max_draft_tokens", "k": "max_draft_tokens",
    }  # fmt: skip
    draft: str = Field(
        description="a small model's id, `mtp` (the checkpoint's own layer) or `eagle` (one dense layer on top)",
        min_length=1,
        max_length=300,
    )
    acceptance: Annotated[Number, Field(ge=0, le=1)] = Field(description="chance that the first drafted token is kept")
    acceptance_decay: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=DECAY, description="that chance at one position over the one before; 1 = the same at all"
    )
    max_draft_tokens: int = Field(default=5, description="longest draft to try", ge=1, le=MOST_DRAFT_TOKENS)
    weights: str = Field(default="auto", description="weight format of a draft model; `auto` = the target's")


class DeploymentBlock(ScenarioBlock):
    """What is fixed here is not searched."""

    also_written: ClassVar = {
        "tensor_parallel": "tp", "tensor_parallel_size": "tp", "tp_size": "tp", "pipeline_parallel_size": "pp",
        "data_parallel_size": "dp", "expert_parallel_size": "ep",
    }  # fmt: skip
    tp: Degree | Auto = Field(default="auto", description="tensor parallel degree")
    pp: Degree | Auto = Field(default="auto", description="pipeline stages")
    ep: Degree | Auto = Field(default="auto", description="expert parallel degree: 1 or tp·dp")
    dp: Degree | Auto = Field(
        default="auto", description="attention data parallel groups inside a replica (needs experts)"
    )
    batch: Degree | Auto = Field(default="auto", description="most sequences of a replica (of a decode replica)")
    replicas: Degree | Auto = Field(default="auto", description="copies of the model")
    router: Literal["round_robin", "random", "least_loaded", "power_of_two", "prefix_aware", "session"] = Field(
        default="round_robin", description="which replica a simulated request goes to"
    )
    disaggregated: Literal["auto", True, False] = Field(
        default="auto", description="prefill and decode on separate pools; `auto` = wherever that is cheaper"
    )
    kv_transfer: Literal["after", "layerwise"] = Field(
        default="after", description="the cache moves between pools after the prefill, or layer by layer during it"
    )
    prefill_pool: PoolBlock | None = Field(default=None, description="a simulation's prefill replicas; none = planned")
    decode_pool: PoolBlock | None = Field(default=None, description="a simulation's decode replicas; none = planned")
    autoscale: AutoscaleBlock | None = Field(default=None, description="replicas of a simulation follow its load")
    failures: list[FailureBlock] = Field(
        default_factory=list[FailureBlock], description="replicas that a simulation loses", max_length=MOST_FAILURES
    )
    cp: Degree = Field(default=1, description="context parallel degree of a prefill replica, around a ring")
    host_gb_per_s: Positive | None = Field(
        default=None, description="link between an accelerator and its host, GB/s; default = PCIe 5 with 16 lanes"
    )
    speculation: SpeculationBlock | None = Field(default=None, description="a draft to use where it helps")
    engine: EngineBlock = Field(default_factory=EngineBlock, description="engine limits")

    @model_validator(mode="after")
    def _batch_within_sequences(self) -> DeploymentBlock:
        most = self.engine.max_sequences
        if self.batch != "auto" and self.batch > most:
            raise ValueError(f"batch={self.batch} exceeds engine.max_sequences={most}; lower it or raise max_sequences")
        for pool in self.given_pools or ():
            if pool.batch != "auto" and pool.batch > most:
                raise ValueError(
                    f"batch={pool.batch} of a pool exceeds engine.max_sequences={most}; lower it or raise max_sequences"
                )
        if self.disaggregated is True and self.replicas != "auto":
            raise ValueError(
                f"replicas={self.replicas} cannot size two pools; leave it auto with disaggregated: true"
            )
        if self.cp > 1 and self.disaggregated is not True:
            raise ValueError(f"cp={self.cp} needs disaggregated: true; only prefill replicas spread one prompt")
        return self

    @property
    def given_pools(self) -> tuple[PoolBlock, PoolBlock] | None:
        """The prefill and the decode pool, where the scenario gives them."""
        if self.prefill_pool is None or self.decode_pool is None:
            return None
        return self.prefill_pool, self.decode_pool

    @model_validator(mode="after")
    def _pools_alone(self) -> DeploymentBlock:
        given = [name for name in ("prefill_pool", "decode_pool") if getattr(self, name) is not None]
        if len(given) == 1:
            other = "decode_pool" if given == ["prefill_pool"] else "prefill_pool"
            raise ValueError(f"{given[0]} stands without {other}; give both, or neither to have them planned")
        if given and self.disaggregated is not True:
            raise ValueError(f"{given[0]} needs disaggregated: true; add it")
        fixed = [name for name in ("tp", "pp", "dp", "ep", "batch") if getattr(self, name) != "auto"]
        if given and fixed:
            raise ValueError(f"{fixed[0]}={getattr(self, fixed[0])} stands beside {given[0]}; write it into each pool")
        return self

    @model_validator(mode="after")
    def _fleet_is_whole(self) -> DeploymentBlock:
        check_size(self.replicas, self.autoscale)
        if self.disaggregated is True and self.autoscale is not None:
            raise ValueError("autoscale scales one pool; give prefill_pool and decode_pool, each with its own")
        check_failures(self.failures, pools=self.disaggregated is True)
        return self
