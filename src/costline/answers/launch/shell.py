"""Launch files for the shell: a script for each pool, one for the router."""

from __future__ import annotations

import math

from costline.answers.launch import sglang
from costline.answers.launch.commands import router_command, router_package, server_command
from costline.answers.launch.router_script import CHANNEL_PORT, CHANNEL_STEP, router_script, router_usage
from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.texts import DEVICES, heading, settings_at, yaml_text
from costline.answers.launch.words import Command, lines_of

_START = "#!/usr/bin/env bash\n"
_STRICT = 'set -euo pipefail\ncd "$(dirname "$0")"\n'


def files(launch: Launch) -> dict[str, str]:
    """Scripts by name, with the engine's settings files."""
    texts: dict[str, str] = {}
    for server in launch.servers:
        tail = "" if server.role == "serve" else f"-{server.role}"
        first = settings_at(server_command(launch, server, str(launch.engine.port)), f"engine{tail}.yml")
        texts[f"launch{tail}.sh"] = script(launch, server, f"engine{tail}.yml")
        if first.settings:
            texts[f"engine{tail}.yml"] = heading(launch, [server]) + yaml_text(first.settings)
    if len(launch.servers) > 1:
        texts["router.sh"] = _router(launch)
    return texts


def script(launch: Launch, server: Server, settings: str) -> str:
    """The script that starts the replicas of one node, or one node of a replica."""
    if server.nodes > 1:
        return _on_several_nodes(launch, server, settings)
    here = min(server.replicas_per_node, server.replicas)
    command = _own_ports(settings_at(server_command(launch, server, "$2"), settings), launch.engine.port)
    started = f"  {DEVICES[server.vendor]}=$1 {lines_of(command, '    ')}\n"
    body = f"serve() {{ # devices, port\n{_environment(command, launch.engine.port)}{started}}}\n\n"
    devices = [
        ",".join(str(index * server.accelerators + device) for device in range(server.accelerators))
        for index in range(here)
    ]
    loop = (
        f"devices=({' '.join(devices)})\n"
        f"for index in $(seq 0 $((${{REPLICAS:-{here}}} - 1))); do\n"
        f'  serve "${{devices[index]}}" $(({launch.engine.port} + index)) &\ndone\nwait\n'
    )
    return f"{_START}{heading(launch, [server], placing(server))}{_STRICT}\n{body}{loop}"


def placing(server: Server) -> str:
    """On how many nodes the replicas stand."""
    here = min(server.replicas_per_node, server.replicas)
    nodes, rest = math.ceil(server.replicas / here), server.replicas % here
    if nodes == 1:
        return "Start it on one node."
    return f"Start it on {nodes} nodes of {here} replicas{f', on the last with REPLICAS={rest}' if rest else ''}."


def _own_ports(command: Command, first_port: int) -> Command:
    """Replicas that share a node meet decode servers on ports of their own."""
    own = f"$(({sglang.BOOTSTRAP_PORT} + $2 - {first_port}))"
    flags = tuple(own if word == str(sglang.BOOTSTRAP_PORT) else word for word in command.flags)
    return Command(command.program, command.start, flags, command.settings, command.environment)


def _environment(command: Command, first_port: int) -> str:
    if not command.environment:
        return ""
    port = f"$(({CHANNEL_PORT} + ($2 - {first_port}) * {CHANNEL_STEP}))"
    lines = "".join(f"  export {name}={value}\n" for name, value in command.environment.items())
    own = '  local HOST_ADDRESS="${HOST_ADDRESS:-$(hostname -i)}"\n'
    return f"{own}{lines}  export VLLM_NIXL_SIDE_CHANNEL_PORT={port}\n"


def _on_several_nodes(launch: Launch, server: Server, settings: str) -> str:
    port = str(launch.engine.port)
    head, other = (settings_at(server_command(launch, server, port, head=first), settings) for first in (True, False))
    usage = (
        f"Each replica takes {server.nodes} nodes. Start it on every node of a replica with NODE_RANK=0 to "
        f"{server.nodes - 1} and HEAD_ADDRESS, the address of the node with rank 0.",
    )
    needs = ': "${NODE_RANK:?set it to the number of this node}" "${HEAD_ADDRESS:?set it to the address of node 0}"\n'
    own = "".join(f"export {name}={value}\n" for name, value in head.environment.items())
    own = f'HOST_ADDRESS="${{HOST_ADDRESS:-$(hostname -i)}}"\n{own}' if own else ""
    if head.words == other.words:
        body = f"exec {lines_of(head)}\n"
    else:
        first, others = lines_of(head, "    "), lines_of(other, "    ")
        body = f'if [ "$NODE_RANK" -eq 0 ]; then\n  exec {first}\nelse\n  exec {others}\nfi\n'
    return f"{_START}{heading(launch, [server], *usage)}{_STRICT}{needs}{own}\n{body}"


def _router(launch: Launch) -> str:
    """The router's script; addresses are given by whoever knows the nodes."""
    if launch.engine.id == "tensorrt-llm":
        usage = f"Install it with: pip install {router_package(launch)}"
        command = router_command(launch, [], [])
        return f"{_START}{heading(launch, launch.servers, usage)}{_STRICT}\nexec {lines_of(command)}\n"
    local = f"http://localhost:{launch.engine.port}"
    needs = f': "${{PREFILL:?such as {local}}}" "${{DECODE:?such as {local}}}"\n'
    start = f"{_START}{heading(launch, launch.servers, *router_usage(launch))}{_STRICT}{needs}"
    return f"{start}\n{router_script(launch)}\n"
