"""Launch files for Kubernetes: a Deployment or LeaderWorkerSet a pool, Services, and a router in front of two pools."""

from __future__ import annotations

from typing import Any

from costline.answers.launch.commands import ROUTER_PORT, router_by_label, router_package, server_command
from costline.answers.launch.docker_compose import ROUTER_IMAGE
from costline.answers.launch.pods import labels, pod, ranked_pod
from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.texts import heading, resource_name, yaml_text
from costline.answers.launch.words import SETTINGS, one_line
from costline.errors import InputError

Manifest = dict[str, Any]


def files(launch: Launch) -> dict[str, str]:
    """One file with all manifests."""
    if launch.engine.id == "tensorrt-llm" and len(launch.servers) > 1:
        raise InputError("tensorrt-llm in two pools needs etcd beside it; export it with --target shell")
    usage = ["Label nodes with accelerator=NAME as nodeSelector has it. Gated models: a Secret hf-token with HF_TOKEN."]
    if any(one.nodes > 1 for one in launch.servers):
        usage.append("Needs the LeaderWorkerSet controller: a replica takes several nodes.")
    found = manifests(launch)
    return {"kubernetes.yaml": heading(launch, launch.servers, *usage) + yaml_text(*found)}


def manifests(launch: Launch) -> list[Manifest]:
    """Everything to apply, in order."""
    found: list[Manifest] = []
    for server in launch.servers:
        found += _settings(launch, server)
        found.append(_workload(launch, server))
    if len(launch.servers) == 1:
        return [*found, _service(launch, labels(launch, launch.servers[0]) | _only_heads(launch.servers[0]), "http")]
    return [*found, *_router(launch)]


def _only_heads(server: Server) -> dict[str, str]:
    """Of a replica on several nodes only the first answers."""
    return {"node": "head"} if server.nodes > 1 else {}


def _workload(launch: Launch, server: Server) -> Manifest:
    name, chosen = resource_name(launch, server.role), labels(launch, server)
    metadata: Manifest = {"name": name, "labels": chosen}
    if server.nodes == 1:
        template = {"metadata": {"labels": chosen}, "spec": pod(launch, server)}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": server.replicas, "selector": {"matchLabels": chosen}, "template": template},
        }
    head = {"metadata": {"labels": chosen | _only_heads(server)}, "spec": ranked_pod(launch, server, head=True)}
    other = {"metadata": {"labels": {"app": chosen["app"]}}, "spec": ranked_pod(launch, server, head=False)}
    group = {"size": server.nodes, "leaderTemplate": head, "workerTemplate": other}
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": metadata,
        "spec": {"replicas": server.replicas, "startupPolicy": "LeaderCreated", "leaderWorkerTemplate": group},
    }


def _settings(launch: Launch, server: Server) -> list[Manifest]:
    settings = server_command(launch, server, str(launch.engine.port)).settings
    if not settings:
        return []
    name = f"{resource_name(launch, server.role)}-settings"
    data = {SETTINGS: yaml_text(settings)}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}]


def _service(launch: Launch, chosen: dict[str, str], port: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": resource_name(launch), "labels": {"app": resource_name(launch)}},
        "spec": {"selector": chosen, "ports": [{"name": "http", "port": 80, "targetPort": port}]},
    }


def _router(launch: Launch) -> list[Manifest]:
    """The router, and its right to see the pods of its namespace."""
    name = resource_name(launch, "router")
    chosen = {"app": resource_name(launch), "role": "router"}
    metadata: Manifest = {"name": name, "labels": chosen}
    command = router_by_label(launch, {"app": resource_name(launch)})
    text = f"pip install {router_package(launch)} && exec {one_line(command)}"
    namespace = {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
    container: Manifest = {
        "name": "router",
        "image": ROUTER_IMAGE,
        "command": ["bash", "-c"],
        "args": [text],
        "env": [namespace],
        "ports": [{"name": "http", "containerPort": ROUTER_PORT}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10},
    }
    spec: Manifest = {"serviceAccountName": name, "containers": [container]}
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    rights = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rights}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{rights}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rights, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": chosen},
                "template": {"metadata": {"labels": chosen}, "spec": spec},
            },
        },
        _service(launch, chosen, "http"),
    ]
