"""Pools, autoscaling and failures of a simulated fleet, as a scenario writes them. Knows no physics."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from costline.answers.scenario_values import Auto, Degree, Number, Positive, ScenarioBlock

MOST_FAILURES = 256


class AutoscaleBlock(ScenarioBlock):
    """Replicas follow the load of a simulation: as many as bring the signal to the target a replica."""

    also_written: ClassVar = {
        "minReplicas": "min", "maxReplicas": "max", "min_replicas": "min", "max_replicas": "max", "floor": "min",
        "stabilization_s": "hold_s", "boot_time_s": "boot_s",
    }  # fmt: skip
    min: Degree = Field(default=1, description="replicas that always run; the run starts with them")
    max: Degree = Field(description="replicas at most")
    signal: Literal["waiting", "in_flight", "tokens_per_s"] = Field(
        default="in_flight", description="what is looked at: requests that wait, requests in flight, or output tokens/s"
    )
    target: Positive = Field(description="of the signal, a replica")
    interval_s: Positive = Field(default=15.0, description="seconds between looks")
    boot_s: Number = Field(default=60.0, description="seconds until a new replica serves; they are paid", ge=0)
    hold_s: Number = Field(default=300.0, description="a replica goes when fewer were wanted for this long", ge=0)

    @model_validator(mode="after")
    def _floor_below_the_most(self) -> AutoscaleBlock:
        if self.min > self.max:
            raise ValueError(f"min={self.min} exceeds max={self.max}; lower the first or raise the second")
        return self


class FailureBlock(ScenarioBlock):
    """A replica of a simulation is lost with all that it holds, and comes back."""

    also_written: ClassVar = {"fail_s": "at_s", "time_s": "at_s", "duration_s": "down_s"}
    replica: int = Field(default=0, description="which one, counted from 0 (in its pool)", ge=0, le=65_535)
    pool: Literal["prefill", "decode"] | None = Field(
        default=None, description="the pool that it is of, where there are two"
    )
    at_s: Number = Field(description="seconds from the start of the run", ge=0)
    down_s: Positive | None = Field(default=None, description="seconds until it serves again; none = never")

    @property
    def back_s(self) -> float:
        """When it serves again."""
        return float("inf") if self.down_s is None else self.at_s + self.down_s


class PoolBlock(ScenarioBlock):
    """Replicas of a simulation that only prefill or only decode."""

    also_written: ClassVar = {
        "tensor_parallel_size": "tp", "tp_size": "tp", "pipeline_parallel_size": "pp", "data_parallel_size": "dp",
        "expert_parallel_size": "ep", "gpu": "accelerator",
    }  # fmt: skip
    accelerator: str | None = Field(default=None, description="id or name; default = system.accelerator")
    tp: Degree = Field(description="tensor parallel degree")
    pp: Degree = Field(default=1, description="pipeline stages")
    dp: Degree = Field(default=1, description="attention data parallel groups inside a replica (needs experts)")
    ep: Degree | Auto = Field(default="auto", description="expert parallel degree: 1 or tp·dp")
    replicas: Degree | Auto = Field(default="auto", description="replicas of the pool; default = 1")
    batch: Degree | Auto = Field(default="auto", description="most sequences of a replica")
    autoscale: AutoscaleBlock | None = Field(default=None, description="replicas follow the load")

    @model_validator(mode="after")
    def _one_size(self) -> PoolBlock:
        check_size(self.replicas, self.autoscale)
        return self


def check_size(replicas: int | str, autoscale: AutoscaleBlock | None) -> None:
    """Raises ValueError where replicas are both fixed and to follow the load."""
    if autoscale is not None and replicas != "auto":
        raise ValueError(f"replicas={replicas} beside autoscale are two sizes; keep autoscale.min and max alone")


def check_failures(failures: list[FailureBlock], *, pools: bool) -> None:
    """Raises ValueError where a failure names no pool of two, a pool of none, or a replica that is down."""
    back: dict[tuple[str | None, int], float] = {}
    for index, one in sorted(enumerate(failures), key=lambda pair: pair[1].at_s):
        if pools != (one.pool is not None):
            remedy = "name prefill or decode" if pools else "leave it out without disaggregated: true"
            raise ValueError(f"failures[{index}].pool={one.pool} does not fit the deployment; {remedy}")
        key = (one.pool, one.replica)
        if one.at_s < back.get(key, 0.0):
            raise ValueError(
                f"failures[{index}].at_s={one.at_s:g} comes before replica {one.replica} is back; "
                "shorten the first failure or move the second"
            )
        back[key] = one.back_s
