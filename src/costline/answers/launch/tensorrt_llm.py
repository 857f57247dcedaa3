"""TensorRT-LLM's command line and settings file for a server; pools are started through Dynamo.

The file's keys and Dynamo's flags are recorded from packages; those of `trtllm-serve` are assumed, for its package is
not on the index.
"""

from __future__ import annotations

import math
from typing import Any

from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.words import SETTINGS, Command, flag
from costline.errors import InputError

_CACHE = {"bf16": "auto", "fp16": "auto"}


def quantisation(launch: Launch) -> str:
    """Loading converts nothing: the checkpoint must be in the plan's format."""
    del launch
    return ""


def command(launch: Launch, server: Server, port: str, *, head: bool = True) -> Command:
    """`trtllm-serve` for one replica, or Dynamo's worker for one of a pool."""
    del head
    if server.nodes > 1:
        raise InputError(
            f"a replica on {server.nodes} nodes of tensorrt-llm needs an MPI launcher of the site; "
            "fix the plan to one node, or export vllm or sglang"
        )
    settings = _settings(launch, server)
    if server.role == "serve":
        flags = [
            *flag("--host", "0.0.0.0"),
            *flag("--port", port),
            *flag("--backend", "pytorch"),
            *flag("--extra_llm_api_options", SETTINGS),
        ]
        return Command("trtllm-serve", ("trtllm-serve", launch.model), tuple(flags), settings)
    flags = [
        *flag("--model", launch.model),
        *flag("--served-model-name", launch.name),
        *flag("--extra-engine-args", SETTINGS),
        *flag("--disaggregation-mode", server.role),
        *flag("--discovery-backend", "etcd"),
    ]
    return Command("dynamo-trtllm", ("python3", "-m", "dynamo.trtllm"), tuple(flags), settings)


def _settings(launch: Launch, server: Server) -> dict[str, Any]:
    """The settings file, with the keys that its templates have."""
    if server.cp > 1:
        raise InputError(f"cp={server.cp} is not exported for tensorrt-llm; export vllm or sglang, or fix cp: 1")
    if server.dp > 1 and server.tp > 1:
        raise InputError(
            f"dp={server.dp} with tp={server.tp}: attention groups of tensorrt-llm have one device each; "
            "fix tp: 1, or export vllm or sglang"
        )
    width = server.tp * server.dp
    settings: dict[str, Any] = {
        "backend": "pytorch",
        "tensor_parallel_size": width,
        "pipeline_parallel_size": server.pp,
        "max_batch_size": math.ceil(server.batch / server.dp),
        "max_num_tokens": launch.max_batched_tokens,
        "max_seq_len": launch.context_tokens,
        "enable_chunked_prefill": True,
        "kv_cache_config": {
            "free_gpu_memory_fraction": launch.memory_fraction,
            "dtype": _CACHE.get(launch.kv_cache, launch.kv_cache),
            "enable_block_reuse": launch.prefix_caching,
        },
    }
    if launch.block_tokens:
        settings["kv_cache_config"]["tokens_per_block"] = launch.block_tokens
    if server.dp > 1:
        settings["enable_attention_dp"] = True
    if server.ep > 1:
        settings |= {"moe_expert_parallel_size": server.ep, "moe_tensor_parallel_size": width // server.ep}
    if not launch.asynchronous or server.role == "prefill":
        settings["disable_overlap_scheduler"] = True
    if server.role != "serve":
        settings["cache_transceiver_config"] = {"backend": "DEFAULT", "max_tokens_in_buffer": launch.context_tokens}
    if launch.draft is not None:
        if launch.draft.model != "mtp":
            raise InputError(
                f"draft={launch.draft.model}: only the checkpoint's own layer (mtp) is exported for tensorrt-llm; "
                "export vllm or sglang"
            )
        settings["speculative_config"] = {"decoding_type": "MTP", "num_nextn_predict_layers": launch.draft.tokens}
    return settings
