"""SGLang's command line for a server. Every flag is one that its recorded parser takes (see `words.checked`)."""

from __future__ import annotations

from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.words import Command, flag

INIT_PORT = 20_000
BOOTSTRAP_PORT = 8998
_CACHE = {"bf16": "bf16", "fp16": "auto", "fp8": "fp8_e4m3", "mxfp4": "fp4_mx_block16"}
_LOADED_AS = {"fp8": "fp8", "mxfp8": "mxfp8", "nvfp4": "nvfp4_online"}


def quantisation(launch: Launch) -> str:
    """What `--quantization` must be for a 16-bit checkpoint; empty if loading cannot convert it."""
    return _LOADED_AS.get(launch.weights, "")


def command(launch: Launch, server: Server, port: str, *, head: bool = True) -> Command:
    """`sglang.launch_server` for one replica, or one of its nodes: its own rank tells it which."""
    del head
    flags = [
        *flag("--model-path", launch.model),
        *flag("--served-model-name", launch.name),
        *flag("--host", "0.0.0.0"),
        *flag("--port", port),
        *_cut(server),
        *(flag("--max-running-requests", server.batch) if server.role != "prefill" else ()),
        *flag("--chunked-prefill-size", launch.max_batched_tokens * server.dp),
        *flag("--context-length", launch.context_tokens),
        *flag("--mem-fraction-static", launch.memory_fraction),
        *flag("--kv-cache-dtype", _CACHE.get(launch.kv_cache, launch.kv_cache)),
        *_habits(launch, server),
    ]
    if server.role != "serve":
        flags += [*flag("--disaggregation-mode", server.role), *flag("--disaggregation-transfer-backend", "mooncake")]
    if server.role == "prefill":
        flags += flag("--disaggregation-bootstrap-port", BOOTSTRAP_PORT)
    if server.nodes > 1:
        flags += [
            *flag("--nnodes", server.nodes),
            *flag("--node-rank", "$NODE_RANK"),
            *flag("--dist-init-addr", f"$HEAD_ADDRESS:{INIT_PORT}"),
        ]
    return Command("sglang", ("python3", "-m", "sglang.launch_server"), tuple(flags))


def _cut(server: Server) -> list[str]:
    flags = [*flag("--tp-size", server.tp * server.dp * server.cp)]
    flags += flag("--pp-size", server.pp) if server.pp > 1 else ()
    flags += flag("--attn-dp-size", server.dp) if server.dp > 1 else ()
    flags += [*flag("--attn-cp-size", server.cp), "--enable-prefill-cp"] if server.cp > 1 else ()
    return [*flags, *(flag("--ep-size", server.ep) if server.ep > 1 else ())]


def _habits(launch: Launch, server: Server) -> list[str]:
    mixed = server.role == "serve" and server.dp == 1 and launch.draft is None
    flags = ["--enable-mixed-chunk"] if mixed else []
    flags += [] if launch.prefix_caching else ["--disable-radix-cache"]
    flags += [] if launch.asynchronous else ["--disable-overlap-schedule"]
    flags += flag("--page-size", launch.block_tokens) if launch.block_tokens else ()
    wanted = quantisation(launch) if launch.checkpoint in ("bf16", "fp16") else ""
    flags += flag("--quantization", wanted) if wanted else ()
    if launch.draft is None:
        return flags
    name = {"mtp": "NEXTN", "eagle": "EAGLE3"}.get(launch.draft.model, "STANDALONE")
    path = {"mtp": "", "eagle": "eagle-head"}.get(launch.draft.model, launch.draft.model)
    flags += flag("--speculative-algorithm", name)
    flags += flag("--speculative-draft-model-path", path) if path else ()
    flags += [*flag("--speculative-num-steps", launch.draft.tokens), *flag("--speculative-eagle-topk", 1)]
    return [*flags, *flag("--speculative-num-draft-tokens", launch.draft.tokens + 1)]
