"""Pods of a server for Kubernetes: containers, devices, probes, what they mount."""

from __future__ import annotations

from typing import Any

from costline.answers.launch.commands import server_command
from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.texts import CACHE, image, resource_name, settings_at
from costline.answers.launch.words import SETTINGS, Command, one_line

RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}
STARTUP_MINUTES = 60


def labels(launch: Launch, server: Server) -> dict[str, str]:
    """What selects the pods of a server."""
    return {"app": resource_name(launch), "role": server.role}


def pod(launch: Launch, server: Server) -> dict[str, Any]:
    """The pod of a replica on one node."""
    command = settings_at(server_command(launch, server, str(launch.engine.port)), f"/settings/{SETTINGS}")
    container = {**_container(launch, server, command), "command": [*command.start], "args": [*command.flags]}
    return _pod(launch, server, {**container, **_probes(launch)}, with_settings=bool(command.settings))


def ranked_pod(launch: Launch, server: Server, *, head: bool) -> dict[str, Any]:
    """The pod of one node of a replica that takes several, in a LeaderWorkerSet."""
    command = server_command(launch, server, str(launch.engine.port), head=head)
    text = f"export NODE_RANK=$LWS_WORKER_INDEX HEAD_ADDRESS=$LWS_LEADER_ADDRESS; exec {one_line(command)}"
    container = {**_container(launch, server, command), "command": ["bash", "-c"], "args": [text]}
    return _pod(launch, server, {**container, **(_probes(launch) if head else {})}, with_settings=False)


def _container(launch: Launch, server: Server, command: Command) -> dict[str, Any]:
    token = {"secretKeyRef": {"name": "hf-token", "key": "HF_TOKEN", "optional": True}}
    reached = {"fieldRef": {"fieldPath": "status.podIP"}}
    return {
        "name": launch.engine.id,
        "image": image(launch, server),
        "env": [
            {"name": "HF_TOKEN", "valueFrom": token},
            {"name": "HF_HOME", "value": CACHE},
            *({"name": name, "valueFrom": reached} for name in command.environment),
        ],
        "ports": [{"name": "http", "containerPort": launch.engine.port}],
        "resources": {"limits": {RESOURCES[server.vendor]: str(server.on_each_node)}},
        "volumeMounts": [
            {"name": "shm", "mountPath": "/dev/shm"},
            {"name": "cache", "mountPath": CACHE},
            *([{"name": "settings", "mountPath": "/settings", "readOnly": True}] if command.settings else []),
        ],
    }


def _probes(launch: Launch) -> dict[str, Any]:
    check = {"httpGet": {"path": launch.engine.health, "port": "http"}, "periodSeconds": 10}
    return {
        "startupProbe": {**check, "failureThreshold": STARTUP_MINUTES * 6},
        "readinessProbe": {**check, "failureThreshold": 3},
    }


def _pod(launch: Launch, server: Server, container: dict[str, Any], *, with_settings: bool) -> dict[str, Any]:
    settings = {"name": "settings", "configMap": {"name": f"{resource_name(launch, server.role)}-settings"}}
    return {
        "nodeSelector": {"accelerator": server.accelerator},
        "tolerations": [{"key": RESOURCES[server.vendor], "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
        "volumes": [
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
            {"name": "cache", "emptyDir": {}},
            *([settings] if with_settings else []),
        ],
    }
