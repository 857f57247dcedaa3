"""The serving engine of a scenario: its limits and habits, in the words of its own settings too."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from costline.answers.scenario_values import MAX_TOKENS, Number, ScenarioBlock


class EngineBlock(ScenarioBlock):
    """The serving engine's limits."""

    also_written: ClassVar = {
        "max_num_batched_tokens": "max_batched_tokens", "max_batched_token": "max_batched_tokens",
        "max_num_tokens": "max_batched_tokens", "chunked_prefill_size": "max_batched_tokens",
        "max_num_seqs": "max_sequences", "max_seqs": "max_sequences", "max_num_sequences": "max_sequences",
        "max_running_requests": "max_sequences", "gpu_memory_utilization": "memory_utilization",
        "mem_fraction_static": "memory_utilization", "enable_prefix_caching": "prefix_caching",
        "prefix_cache": "prefix_caching", "block_size": "block_tokens", "max_model_len": "max_context_tokens",
        "max_context": "max_context_tokens", "async_scheduling": "asynchronous",
    }  # fmt: skip
    name: str = Field(default="vllm", description="engine record: how memory is divided")
    max_batched_tokens: int = Field(default=8192, description="tokens of one step (prefill chunk)", ge=1, le=MAX_TOKENS)
    max_sequences: int = Field(default=2**10, description="sequences of one replica at most", ge=1, le=2**20)
    memory_utilization: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        default=None, description="share of device memory; default = the engine's"
    )
    prefix_caching: bool = Field(default=True, description="prompts that start alike share their cache")
    block_tokens: int = Field(default=16, description="tokens of one block of the cache", ge=1, le=2**16)
    max_context_tokens: int | None = Field(
        default=None, description="longest sequence that is admitted; default = the model's", ge=1, le=MAX_TOKENS
    )
    asynchronous: bool = Field(default=True, description="the next step is scheduled while one runs")
