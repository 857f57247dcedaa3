"""Launch files for Docker Compose: a service a replica, on one node or on each of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from costline.answers.launch import sglang
from costline.answers.launch.commands import ROUTER_PORT, router_command, router_package, server_command
from costline.answers.launch.router_script import CHANNEL_PORT, CHANNEL_STEP, POOLS, router_script, router_usage
from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.texts import CACHE, DEVICES, heading, image, settings_at, yaml_text
from costline.answers.launch.words import SETTINGS, Command, one_line
from costline.errors import InputError

_CACHE = f"${{HF_HOME:-~/.cache/huggingface}}:{CACHE}"
ROUTER_IMAGE = "python:3.12-slim"


def files(launch: Launch) -> dict[str, str]:
    """Compose files by name: one if everything fits on a node, else one a pool."""
    if launch.engine.id == "tensorrt-llm" and len(launch.servers) > 1:
        raise InputError("tensorrt-llm in two pools needs etcd beside it; export it with --target shell")
    total = sum(one.accelerators * one.replicas for one in launch.servers)
    texts: dict[str, str] = {}
    if total <= min(one.per_node for one in launch.servers):
        services: dict[str, Any] = {}
        taken = 0
        for server in launch.servers:
            services |= _replicas(launch, server, server.replicas, taken)
            taken += server.accelerators * server.replicas
        if len(launch.servers) > 1:
            services["router"] = _router(launch, services)
        texts["docker-compose.yml"] = heading(launch, launch.servers) + yaml_text({"services": services})
    else:
        for server in launch.servers:
            name = "docker-compose.yml" if server.role == "serve" else f"docker-compose.{server.role}.yml"
            texts[name] = _of_one_node(launch, server)
        if len(launch.servers) > 1:
            text = yaml_text({"services": {"router": _router_of_nodes(launch)}})
            texts["docker-compose.router.yml"] = heading(launch, launch.servers, *router_usage(launch)) + text
    for server in launch.servers:
        settings = server_command(launch, server, str(launch.engine.port)).settings
        texts |= {SETTINGS: heading(launch, [server]) + yaml_text(settings)} if settings else {}
    return texts


def _of_one_node(launch: Launch, server: Server) -> str:
    """The services of one node of many."""
    if server.nodes > 1:
        usage = (
            f"Each replica takes {server.nodes} nodes. On each of them: NODE_RANK=0 to {server.nodes - 1}, "
            "HEAD_ADDRESS=the address of the node with rank 0, docker compose up -d",
        )
        return heading(launch, [server], *usage) + yaml_text({"services": {server.role: _ranked(launch, server)}})
    here = min(server.replicas_per_node, server.replicas)
    last = server.replicas % here
    fewer = f"; on the last only {' '.join(f'{server.role}-{index}' for index in range(last))}" if last else ""
    usage = (f"Start it on {math.ceil(server.replicas / here)} nodes of {here} replicas{fewer}.",)
    services = _replicas(launch, server, here, 0)
    if server.role != "serve":
        services = {name: _reachable(launch, service, index) for index, (name, service) in enumerate(services.items())}
    return heading(launch, [server], *usage) + yaml_text({"services": services})


def _reachable(launch: Launch, service: dict[str, Any], index: int) -> dict[str, Any]:
    """The service of a pool that others reach from their nodes: on the node's own network, on ports of its own."""
    port = launch.engine.port
    moved = {str(port): str(port + index), str(sglang.BOOTSTRAP_PORT): str(sglang.BOOTSTRAP_PORT + index)}
    own = {key: "${HOST_ADDRESS:?the address of this node}" for key in service["environment"] if "CHANNEL_HOST" in key}
    if own:
        own["VLLM_NIXL_SIDE_CHANNEL_PORT"] = str(CHANNEL_PORT + index * CHANNEL_STEP)
    check = service["healthcheck"]
    asked = [word.replace(f":{port}/", f":{port + index}/") for word in check["test"]]
    return {
        **service,
        "network_mode": "host",
        "environment": service["environment"] | own,
        "healthcheck": {**check, "test": asked},
        "command": [moved.get(word, word) for word in service["command"]],
    }


def _router_of_nodes(launch: Launch) -> dict[str, Any]:
    """The router of pools on several nodes, told their addresses."""
    text = f"pip install {router_package(launch)}; {router_script(launch, '; ')}"
    return {
        "image": ROUTER_IMAGE,
        "entrypoint": ["bash", "-c"],
        "command": [text.replace("$", "$$")],
        "ports": [f"{ROUTER_PORT}:{ROUTER_PORT}"],
        "environment": {role: f"${{{role}:?addresses such as http://node:{launch.engine.port}}}" for role in POOLS},
    }


def _replicas(launch: Launch, server: Server, count: int, taken: int) -> dict[str, Any]:
    """Services of replicas that share a node from device `taken` on."""
    command = settings_at(server_command(launch, server, str(launch.engine.port)), f"/{SETTINGS}")
    services: dict[str, Any] = {}
    for index in range(count):
        start = taken + index * server.accelerators
        devices = [str(start + device) for device in range(server.accelerators)]
        name = f"{server.role}-{index}"
        port = launch.engine.port + index
        service = _service(launch, server, command, devices)
        service["environment"] |= dict.fromkeys(command.environment, name)
        services[name] = {
            **service,
            "entrypoint": [*command.start],
            "command": [word.replace("$", "$$") for word in command.flags],
            **({"ports": [f"{port}:{launch.engine.port}"]} if server.role == "serve" else {}),
        }
    return services


def _ranked(launch: Launch, server: Server) -> dict[str, Any]:
    """The service of one node of a replica that takes several."""
    port = str(launch.engine.port)
    head, other = (server_command(launch, server, port, head=first) for first in (True, False))
    text = f"exec {one_line(head)}"
    if head.words != other.words:
        text = f'if [ "$NODE_RANK" -eq 0 ]; then {text}; else exec {one_line(other)}; fi'
    service = _service(launch, server, head, [str(device) for device in range(server.on_each_node)])
    service["environment"] |= {
        "NODE_RANK": "${NODE_RANK:?the number of this node}",
        "HEAD_ADDRESS": "${HEAD_ADDRESS:?the address of node 0}",
        **dict.fromkeys(head.environment, "${HOST_ADDRESS:?the address of this node}"),
    }
    return {**service, "network_mode": "host", "entrypoint": ["bash", "-c"], "command": [text.replace("$", "$$")]}


def _service(launch: Launch, server: Server, command: Command, devices: Sequence[str]) -> dict[str, Any]:
    """What all services of an engine have."""
    volumes = [_CACHE, *([f"./{SETTINGS}:/{SETTINGS}:ro"] if command.settings else [])]
    service: dict[str, Any] = {
        "image": image(launch, server),
        "ipc": "host",
        "restart": "unless-stopped",
        "environment": {"HF_TOKEN": "${HF_TOKEN:-}", "HF_HOME": CACHE},
        "volumes": volumes,
        "healthcheck": {
            "test": ["CMD", "curl", "-fsS", f"http://localhost:{launch.engine.port}{launch.engine.health}"],
            "interval": "10s",
            "start_period": "30m",
        },
    }
    if server.vendor == "nvidia":
        reserved = {"driver": "nvidia", "device_ids": list(devices), "capabilities": ["gpu"]}
        return {**service, "deploy": {"resources": {"reservations": {"devices": [reserved]}}}}
    service["environment"][DEVICES[server.vendor]] = ",".join(devices)
    return {**service, "devices": ["/dev/kfd", "/dev/dri"], "group_add": ["video"], "cap_add": ["SYS_PTRACE"]}


def _router(launch: Launch, services: dict[str, Any]) -> dict[str, Any]:
    def addresses(role: str) -> list[str]:
        return [f"http://{name}:{launch.engine.port}" for name in services if name.startswith(role)]

    command = router_command(launch, addresses("prefill"), addresses("decode"))
    text = f"pip install {router_package(launch)} && exec {one_line(command)}"
    return {
        "image": ROUTER_IMAGE,
        "entrypoint": ["bash", "-c"],
        "command": [text.replace("$", "$$")],
        "ports": [f"{ROUTER_PORT}:{ROUTER_PORT}"],
        "depends_on": {name: {"condition": "service_healthy"} for name in services},
    }
