"""The command of a server or a router under the launch's engine, checked against the recorded parser."""

from __future__ import annotations

from collections.abc import Sequence

from costline.answers.launch import sglang, tensorrt_llm, vllm
from costline.answers.launch.servers import Launch, Server
from costline.answers.launch.words import Command, checked, flag
from costline.catalog.engines import program

ENGINES = {"vllm": vllm, "sglang": sglang, "tensorrt-llm": tensorrt_llm}
ROUTER_PORT = 8080
_ROUTERS = {"vllm": "vllm-router", "sglang": "sglang-router", "tensorrt-llm": "dynamo-frontend"}


def server_command(launch: Launch, server: Server, port: str, *, head: bool = True) -> Command:
    """The command of one replica, or of a node of it; raises InputError if the engine cannot do what the plan says."""
    return checked(ENGINES[launch.engine.id].command(launch, server, port, head=head))


def notes(launch: Launch) -> list[str]:
    """What whoever starts it has to see to, a line each."""
    lines: list[str] = []
    loads = launch.checkpoint in ("bf16", "fp16") and ENGINES[launch.engine.id].quantisation(launch)
    if launch.weights and not loads:
        lines.append(
            f"The plan's weights are {launch.weights}, those of {launch.model} {launch.checkpoint}: "
            f"name a checkpoint in {launch.weights} instead."
        )
    if launch.draft is not None and launch.draft.model == "eagle":
        lines.append("Put the checkpoint of the EAGLE head that fits the model in place of eagle-head.")
    if len({one.vendor for one in launch.servers}) > 1:
        lines.append("The pools are of different makers: see first that the engine moves its cache between them.")
    if launch.engine.id == "tensorrt-llm" and len(launch.servers) > 1:
        lines.append("Workers and frontend find one another through etcd: set ETCD_ENDPOINTS.")
    return lines


def router_package(launch: Launch) -> str:
    """The package that holds the router, pinned to the release whose flags were read."""
    read = program(_ROUTERS[launch.engine.id])
    return f"{read.package}=={read.version}"


def router_command(launch: Launch, prefill: Sequence[str], decode: Sequence[str]) -> Command:
    """The router in front of two pools, by the addresses of their servers."""
    if launch.engine.id == "tensorrt-llm":
        flags = [*flag("--http-port", ROUTER_PORT), *flag("--discovery-backend", "etcd")]
        return checked(Command("dynamo-frontend", ("python3", "-m", "dynamo.frontend"), tuple(flags)))
    flags = list(_router_start(launch))
    for address in prefill:
        port = (str(sglang.BOOTSTRAP_PORT),) if launch.engine.id == "sglang" else ()
        flags += ["--prefill", address, *port]
    for address in decode:
        flags += ["--decode", address]
    return _router(launch, flags)


def router_by_label(launch: Launch, labels: dict[str, str]) -> Command:
    """The router that finds the pools' pods by their labels in its own namespace."""
    chosen = [f"{key}={value}" for key, value in labels.items()]
    flags = [
        *_router_start(launch), "--service-discovery", *flag("--service-discovery-port", launch.engine.port),
        *flag("--service-discovery-namespace", "$NAMESPACE"),
        "--prefill-selector", *chosen, "role=prefill", "--decode-selector", *chosen, "role=decode",
    ]  # fmt: skip
    return _router(launch, flags)


def _router_start(launch: Launch) -> tuple[str, ...]:
    mode = "--vllm-pd-disaggregation" if launch.engine.id == "vllm" else "--pd-disaggregation"
    return (*flag("--host", "0.0.0.0"), *flag("--port", ROUTER_PORT), mode, *flag("--policy", "round_robin"))


def _router(launch: Launch, flags: Sequence[str]) -> Command:
    name = _ROUTERS[launch.engine.id]
    module = f"{name.replace('-', '_')}.launch_router"
    return checked(Command(name, ("python3", "-m", module), tuple(flags)))
