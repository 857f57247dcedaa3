"""What launch files of all kinds share: the heading, names, images, where a settings file lies."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

from costline.answers.launch.commands import notes
from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.words import SETTINGS, Command

DEVICES = {"nvidia": "CUDA_VISIBLE_DEVICES", "amd": "HIP_VISIBLE_DEVICES"}
CACHE = "/cache"
"""Where a container keeps checkpoints."""
_DYNAMO_IMAGE = "nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:1.6.1"


def heading(launch: Launch, servers: Sequence[Server], *usage: str) -> str:
    """Comment lines: what is started, by what it was checked, how to use the file."""
    engine = launch.engine
    lines = [f"{launch.name} under {engine.id} {engine.release}, written by costline export"]
    for one in servers:
        each = f"{one.replicas} × {one.accelerators} {one.accelerator}"
        ring = f", cp {one.cp}" if one.cp > 1 else ""
        what = "replicas" if one.role == "serve" else f"{one.role} replicas"
        lines.append(
            f"{what}: {each}, tp {one.tp}, pp {one.pp}, dp {one.dp}, ep {one.ep}, {one.batch} sequences each{ring}"
        )
    return "".join(f"# {line}\n" for line in (*lines, *notes(launch), *usage))


def resource_name(launch: Launch, role: str = "") -> str:
    """A name that Kubernetes and Compose take: lower case letters, digits and hyphens.

    >>> import re
    >>> re.sub(r"[^a-z0-9]+", "-", "llama-3.1-70b")
    'llama-3-1-70b'
    """
    plain = re.sub(r"[^a-z0-9]+", "-", launch.name.lower()).strip("-")[:40].strip("-") or "model"
    plain = plain if plain[0].isalpha() else f"model-{plain}"
    return f"{plain}-{role}" if role and role != "serve" else plain


def image(launch: Launch, server: Server) -> str:
    """The container image of a server."""
    if launch.engine.id == "tensorrt-llm" and server.role != "serve":
        return _DYNAMO_IMAGE
    return f"{launch.engine.images[server.vendor]}:{launch.engine.image_tag}"


def settings_at(command: Command, path: str) -> Command:
    """The command with its settings file at a path."""
    flags = tuple(path if word == SETTINGS else word for word in command.flags)
    return Command(command.program, command.start, flags, command.settings, command.environment)


def yaml_text(*documents: Any) -> str:
    """Documents as YAML in their own order, every value written out."""
    copies = json.loads(json.dumps(documents))  # what stands twice is written twice, without anchors
    return yaml.safe_dump_all(copies, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)
