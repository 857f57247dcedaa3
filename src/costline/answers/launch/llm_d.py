"""Launch files for llm-d: values of its modelservice chart, with the keys that AIConfigurator's templates of it have.

A subset: model, accelerators, parallelism, replicas, arguments, routing proxy. Monitoring and gateways are the site's.
"""

from __future__ import annotations

import math
from typing import Any

from costline.answers.launch.commands import server_command
from costline.answers.launch.pods import RESOURCES
from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.texts import heading, image, yaml_text
from costline.errors import InputError
from costline.quantities import GIB

_BEHIND_PROXY = 8200
_SERVICE = 8000
_NONE = {"create": False, "replicas": 0}
_COMMANDS = {"vllm": "vllmServe", "sglang": "sglangServe"}


def files(launch: Launch) -> dict[str, str]:
    """The values file for `helm install`."""
    if launch.engine.id not in _COMMANDS:
        raise InputError(f"engine={launch.engine.id} is not exported to llm-d; take {' or '.join(_COMMANDS)}")
    if any(one.nodes > 1 for one in launch.servers):
        raise InputError("a replica on several nodes is not exported to llm-d; export it with --target kubernetes")
    if len({one.vendor for one in launch.servers}) > 1:
        raise InputError("pools of different makers do not share one llm-d chart; export them with --target kubernetes")
    usage = "Values of the chart llm-d-modelservice; for gated models name a Secret with HF_TOKEN in authSecretName."
    return {"llm-d-values.yaml": heading(launch, launch.servers, usage) + yaml_text(values(launch))}


def values(launch: Launch) -> dict[str, Any]:
    """The values: a server in one role decodes and prefills; two pools each have their own part."""
    parts = {one.role: one for one in launch.servers}
    decode = parts.get("decode", launch.servers[0])
    proxy: dict[str, Any] = {"enabled": len(parts) > 1, "targetPort": _BEHIND_PROXY, "connector": "nixlv2"}
    part = _part(launch, decode, _BEHIND_PROXY if len(parts) > 1 else _SERVICE)
    return {
        "modelArtifacts": {
            "name": launch.model,
            "uri": f"hf://{launch.model}",
            "size": f"{math.ceil(launch.checkpoint_bytes / GIB) + 1}Gi",
            "authSecretName": "",
            "mountPath": "/model-cache",
        },
        "accelerator": {"type": launch.vendor, "dra": False},
        "routing": {"servicePort": _SERVICE, "proxy": proxy},
        "multinode": False,
        "decode": part,
        "prefill": _part(launch, parts["prefill"], _SERVICE) if "prefill" in parts else _NONE,
    }


def _part(launch: Launch, server: Server, port: int) -> dict[str, Any]:
    command = server_command(launch, server, str(port))
    name = ["--model", launch.model] if launch.engine.id == "vllm" else []
    environment = [
        {"name": key, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}} for key in command.environment
    ]
    container = {
        "name": launch.engine.id,
        "image": image(launch, server),
        "modelCommand": _COMMANDS[launch.engine.id],
        "args": [*name, *command.flags],
        "env": environment,
        "ports": [{"containerPort": port, "name": "metrics", "protocol": "TCP"}],
        "resources": {"limits": {RESOURCES[server.vendor]: server.accelerators}},
        "mountModelVolume": True,
    }
    return {
        "create": True,
        "replicas": server.replicas,
        "parallelism": {"tensor": server.tp, "data": server.dp, "dataLocal": server.dp, "workers": 1},
        "containers": [container],
    }
