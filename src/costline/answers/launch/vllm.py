"""vLLM's command line for a server. Every flag is one that its recorded parser takes (see `words.checked`)."""

from __future__ import annotations

import math

from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.words import Command, flag
from costline.errors import InputError

MASTER_PORT = 29_501
RPC_PORT = 13_345
_CACHE = {"bf16": "bfloat16", "fp16": "float16", "fp8": "fp8", "int8": "int8_per_token_head",
          "int4": "int4_per_token_head", "nvfp4": "nvfp4"}  # fmt: skip
_LOADED_AS = {"fp8": "fp8", "fp8_block": "fp8_per_block", "mxfp8": "mxfp8"}


def quantisation(launch: Launch) -> str:
    """What `--quantization` must be for a 16-bit checkpoint; empty if loading cannot convert it."""
    if launch.weights == "int8" and launch.activations in ("bf16", "fp16"):
        return "int8_per_channel_weight_only"
    if launch.weights == "nvfp4" and launch.activations == "fp4":
        return "nvfp4_per_token"
    return _LOADED_AS.get(launch.weights, "")


def command(launch: Launch, server: Server, port: str, *, head: bool = True) -> Command:
    """`vllm serve` for one replica, or for one of its nodes other than the first."""
    flags = [
        *flag("--served-model-name", launch.name),
        *flag("--host", "0.0.0.0"),
        *flag("--port", port),
        *_cut(server),
        *(flag("--max-num-seqs", math.ceil(server.batch / server.dp)) if server.role != "prefill" else ()),
        *flag("--max-num-batched-tokens", launch.max_batched_tokens),
        *flag("--max-model-len", launch.context_tokens),
        *flag("--gpu-memory-utilization", launch.memory_fraction),
        *flag("--kv-cache-dtype", _CACHE.get(launch.kv_cache, launch.kv_cache)),
        *_habits(launch),
    ]
    if server.role != "serve":
        role = "kv_producer" if server.role == "prefill" else "kv_consumer"
        flags += flag("--kv-transfer-config", {"kv_connector": "NixlConnector", "kv_role": role})
    flags += _nodes(server, head=head)
    reached = {} if server.role == "serve" else {"VLLM_NIXL_SIDE_CHANNEL_HOST": "$HOST_ADDRESS"}
    return Command("vllm", ("vllm", "serve", launch.model), tuple(flags), environment=reached)


def _cut(server: Server) -> list[str]:
    flags = [*flag("--tensor-parallel-size", server.tp)]
    flags += flag("--pipeline-parallel-size", server.pp) if server.pp > 1 else ()
    flags += flag("--data-parallel-size", server.dp) if server.dp > 1 else ()
    flags += flag("--prefill-context-parallel-size", server.cp) if server.cp > 1 else ()
    return [*flags, *(["--enable-expert-parallel"] if server.ep > 1 else [])]


def _habits(launch: Launch) -> list[str]:
    flags = ["--enable-chunked-prefill"]
    flags += ["--enable-prefix-caching" if launch.prefix_caching else "--no-enable-prefix-caching"]
    flags += [] if launch.asynchronous else ["--no-async-scheduling"]
    flags += flag("--block-size", launch.block_tokens) if launch.block_tokens else ()
    wanted = quantisation(launch) if launch.checkpoint in ("bf16", "fp16") else ""
    flags += flag("--quantization", wanted) if wanted else ()
    if launch.draft is not None:
        draft: dict[str, object] = {"num_speculative_tokens": launch.draft.tokens}
        if launch.draft.model == "mtp":
            draft["method"] = "mtp"
        elif launch.draft.model == "eagle":
            draft |= {"method": "eagle3", "model": "eagle-head"}
        else:
            draft |= {"method": "draft_model", "model": launch.draft.model}
        flags += flag("--speculative-config", draft)
    return flags


def _nodes(server: Server, *, head: bool) -> list[str]:
    if server.nodes == 1:
        return []
    without = [] if head else ["--headless"]
    if server.dp == 1:
        return [
            *flag("--nnodes", server.nodes),
            *flag("--node-rank", "$NODE_RANK"),
            *flag("--master-addr", "$HEAD_ADDRESS"),
            *flag("--master-port", MASTER_PORT),
            *without,
        ]
    if server.dp % server.nodes:
        raise InputError(
            f"dp={server.dp} does not share out over {server.nodes} nodes of vllm; take a dp that is a multiple of it"
        )
    local = server.dp // server.nodes
    first = () if head else flag("--data-parallel-start-rank", f"$((NODE_RANK * {local}))")
    return [
        *flag("--data-parallel-size-local", local),
        *first,  # on the head it would mean that each node balances its own load
        *flag("--data-parallel-address", "$HEAD_ADDRESS"),
        *flag("--data-parallel-rpc-port", RPC_PORT),
        *without,
    ]
