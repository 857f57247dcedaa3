"""How a plan's row is started: the command in one line, and launch files for shell, Compose, Kubernetes and llm-d.

Every flag is checked against those that the engine's own package has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costline.answers.launch import docker_compose, kubernetes, llm_d, shell
from costline.answers.launch.commands import server_command
from costline.answers.launch.servers import Launch, read_launch
from costline.answers.launch.words import one_line
from costline.answers.scenario import Scenario
from costline.errors import CostlineError, InputError, UnknownIdError

TARGETS: dict[str, Callable[[Launch], dict[str, str]]] = {
    "shell": shell.files,
    "docker-compose": docker_compose.files,
    "kubernetes": kubernetes.files,
    "llm-d": llm_d.files,
}


def launch_command(row: Mapping[str, Any], scenario: Scenario, engine: str | None = None) -> str:
    """The command that starts one replica of a plan's row; of two pools, one command each, a line each.

    Raises InputError if the engine cannot do what the row says.
    """
    launch = read_launch(row, scenario, engine)
    port = str(launch.engine.port)
    return "\n".join(one_line(server_command(launch, server, port)) for server in launch.servers)


def launch_files(
    row: Mapping[str, Any], scenario: Scenario, engine: str | None = None, target: str = "shell"
) -> dict[str, str]:
    """Launch files of a plan's row by name. Raises InputError if the engine or target cannot do what the row says."""
    if target not in TARGETS:
        raise UnknownIdError("target", target, TARGETS)
    return TARGETS[target](read_launch(row, scenario, engine))


def all_launch_files(row: Mapping[str, Any], scenario: Scenario, engine: str | None = None) -> dict[str, str]:
    """Launch files of a plan's row for every target that can have it, by name. Raises InputError if none can."""
    launch = read_launch(row, scenario, engine)
    texts = shell.files(launch)
    for files in TARGETS.values():
        try:
            texts |= files(launch)
        except InputError:  # a target that this engine or layout does not have
            continue
    return texts


def start_lines(row: Mapping[str, Any], scenario: Scenario) -> list[str]:
    """The last lines of a plan in words: how to start one replica, or why it cannot be said."""
    try:
        launch = read_launch(row, scenario)
        port = str(launch.engine.port)
        commands = {one.role: one_line(server_command(launch, one, port)) for one in launch.servers}
    except CostlineError as error:
        return [f"Start: not said ({error})."]
    return [f"Start one {'' if role == 'serve' else f'{role} '}replica: {line}" for role, line in commands.items()]
