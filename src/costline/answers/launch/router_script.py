"""The router in front of two pools as shell text, told the addresses of their servers in PREFILL and DECODE."""

from __future__ import annotations

from costline.answers.launch import sglang
from costline.answers.launch.commands import ROUTER_PORT, router_command, router_package
from costline.answers.launch.servers import Launch
from costline.answers.launch.words import Command, lines_of, one_line

POOLS = ("PREFILL", "DECODE")
CHANNEL_PORT = 5600
CHANNEL_STEP = 16
"""Ports that the data parallel groups of one replica may take."""


def router_usage(launch: Launch) -> list[str]:
    """How to use it, a line each."""
    counts = {one.role: one.replicas for one in launch.servers}
    return [
        f"Install it with: pip install {router_package(launch)}",
        f"PREFILL and DECODE list {counts['prefill']} and {counts['decode']} addresses, spaces between.",
        f"Clients speak to port {ROUTER_PORT}.",
    ]


def router_script(launch: Launch, between: str = "\n") -> str:
    """Commands for bash."""
    command = router_command(launch, ["$PREFILL_1"], ["$DECODE_1"])
    fixed = Command(command.program, command.start, command.flags[: command.flags.index("--prefill")])
    meeting = f' "$(({sglang.BOOTSTRAP_PORT} + ${{address##*:}} - {launch.engine.port}))"'
    behind = meeting if launch.engine.id == "sglang" else ""
    start = f"{lines_of(fixed)} \\\n " if between == "\n" else one_line(fixed)
    lines = (
        "servers=()",
        f'for address in $PREFILL; do servers+=(--prefill "$address"{behind}); done',
        'for address in $DECODE; do servers+=(--decode "$address"); done',
        f'exec {start} "${{servers[@]}}"',
    )
    return between.join(lines)
