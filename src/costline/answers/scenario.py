"""The scenario: the one document that the command line, Python and the web share, validated.

Reads a dict, a YAML file or keyword arguments. Knows what may be asked; answers nothing.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from costline.answers.deployment_block import DeploymentBlock, SpeculationBlock
from costline.answers.engine_block import EngineBlock
from costline.answers.scenario_values import (
    MAX_TOKENS,
    MOST_USD_PER_HOUR,
    Auto,
    Degree,
    Number,
    Positive,
    ScenarioBlock,
    Tokens,
    UsdPerHour,
)
from costline.answers.workload_block import Arrivals, Lengths, PrefixBlock, StageBlock, WorkloadBlock

__all__ = [
    "MAX_TOKENS", "MOST_USD_PER_HOUR", "Arrivals", "Auto", "Degree", "DeploymentBlock", "EngineBlock", "Lengths",
    "ModelBlock", "Number", "Positive", "PrefixBlock", "PriceBlock", "Scenario", "ScenarioBlock", "SloBlock",
    "SpeculationBlock", "StageBlock", "SystemBlock", "Tokens", "UsdPerHour", "WorkloadBlock",
]  # fmt: skip


class ModelBlock(ScenarioBlock):
    """What is served: a catalogued model or a config.json, and its number formats."""

    also_written: ClassVar = {
        "name": "id", "model": "id", "hf_id": "id", "dtype": "weights", "weight_dtype": "weights",
        "quantization": "weights", "kv": "kv_cache", "kv_cache_dtype": "kv_cache", "kv_dtype": "kv_cache",
    }  # fmt: skip
    id: str | None = Field(default=None, description="model id, alias or Hugging Face id", max_length=300)
    config: str | None = Field(
        default=None, description="path of a Hugging Face config.json instead of an id", max_length=4096
    )
    weights: str | dict[str, str] = Field(
        default="auto", description="weight format, a list of them by component, `checkpoint`, or `auto` to search"
    )
    kv_cache: str = Field(default="auto", description="cache format: bf16, fp8, int8 …; `auto` = bf16")
    activations: str = Field(
        default="auto", description="input format of the linear layers; `auto` follows the weights"
    )

    @model_validator(mode="after")
    def _one_of(self) -> ModelBlock:
        if (self.id is None) == (self.config is None):
            raise ValueError("give exactly one of id and config: a catalogued model or a config.json")
        return self


class SystemBlock(ScenarioBlock):
    """Where it may run."""

    also_written: ClassVar = {
        "accelerators": "accelerator", "gpu": "accelerator", "gpus": "accelerator", "hardware": "accelerator",
        "max_gpus": "max_accelerators",
    }  # fmt: skip
    accelerator: list[str] = Field(
        default=["h100-sxm"], description="ids or names; `all` = every one that ships", min_length=1, max_length=100
    )
    max_accelerators: int = Field(default=64, description="most accelerators of one replica", ge=1, le=65_536)

    @field_validator("accelerator", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class SloBlock(ScenarioBlock):
    """Service targets in milliseconds; none = any."""

    ttft_p99_ms: Positive | None = Field(default=None, description="time to first token, 99th percentile")
    tpot_p99_ms: Positive | None = Field(default=None, description="time per output token, 99th percentile")
    e2e_p99_ms: Positive | None = Field(default=None, description="whole request, 99th percentile")

    @model_validator(mode="after")
    def _consistent(self) -> SloBlock:
        if self.e2e_p99_ms is not None and self.ttft_p99_ms is not None and self.e2e_p99_ms < self.ttft_p99_ms:
            raise ValueError(
                f"e2e_p99_ms={self.e2e_p99_ms:g} is below ttft_p99_ms={self.ttft_p99_ms:g}; raise it or drop one"
            )
        return self


class PriceBlock(ScenarioBlock):
    """What an accelerator costs; default = the catalogue's reference offer."""

    accelerator_usd_per_hour: UsdPerHour | dict[str, UsdPerHour] | None = Field(
        default=None, description="USD per accelerator-hour, one number or one per accelerator"
    )
    offer: str | None = Field(default=None, description="id of a rental offer")

    @model_validator(mode="after")
    def _one_price(self) -> PriceBlock:
        if self.accelerator_usd_per_hour is not None and self.offer is not None:
            raise ValueError("give accelerator_usd_per_hour or offer, not both")
        return self


class PreferenceBlock(ScenarioBlock):
    """What makes one deployment better than another that meets the targets too."""

    speed_exponent: float = Field(
        default=0.0, description="a in speed^a per USD: 0 = the cheapest, 3 = a tenth faster is worth a third more",
        ge=0.0, le=10.0,
    )  # fmt: skip


class Scenario(ScenarioBlock):
    """A question to the planner: a model and a workload at least."""

    model: ModelBlock = Field(description="what is served")
    system: SystemBlock = Field(default_factory=SystemBlock, description="where it may run")
    workload: WorkloadBlock = Field(description="what users ask for")
    slo: SloBlock = Field(default_factory=SloBlock, description="service targets")
    deployment: DeploymentBlock = Field(default_factory=DeploymentBlock, description="what is fixed")
    preference: PreferenceBlock = Field(default_factory=PreferenceBlock, description="how plans are ranked")
    price: PriceBlock = Field(default_factory=PriceBlock, description="what an hour costs")
    calibration: Literal["default", "none"] = Field(
        default="default", description="`default` = rates that kernels sustain, `none` = the datasheet's"
    )
