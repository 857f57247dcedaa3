"""Options that commands share: one meaning everywhere, whatever words a command puts it in."""

from __future__ import annotations

import click
import pytest

from costline.answers.workload_block import Arrivals, WorkloadBlock
from costline.cli import COMMANDS, cli, options

ASKING = [command for command in COMMANDS if command.name in ("plan", "estimate", "frontier", "simulate", "audit")]
NAMES = (*options.LENGTHS, *options.TARGETS, *options.DEGREES, "request_rate", "price", "weights", "kv", "calibration")


def found(name: str) -> list[click.Option]:
    return [one for command in ASKING for one in command.params if isinstance(one, click.Option) and one.name == name]


@pytest.mark.parametrize("name", NAMES)
def test_an_option_takes_the_same_everywhere(name: str):
    shared = found(name)
    assert len(shared) >= 3
    assert {tuple(one.opts) for one in shared} == {(f"--{name.replace('_', '-')}",)}
    assert len({(str(one.type), one.metavar) for one in shared}) == 1
    assert all(one.help for one in shared)
    assert all(one.show_default == (one.to_info_dict()["default"] is not None) for one in shared)


def test_options_stand_in_the_order_in_which_they_are_named():
    @click.command()
    @options.flags("isl", "osl", osl="Other words.")
    @options.flag("top", default=3)
    def command() -> None:
        """Nothing."""

    assert [one.name for one in command.params] == ["isl", "osl", "top"]
    assert [one.help for one in command.params if isinstance(one, click.Option)][:2] == [
        "Input tokens of a request.", "Other words.",
    ]  # fmt: skip
    assert command.params[2].default == 3


def test_arrivals_are_all_named_and_all_taken():
    work = {"input_tokens": 8, "output_tokens": 8, "request_rate": 1}
    said = next(one.help or "" for one in found("arrivals")).rstrip(".").replace(" or ", ", ").split(", ")
    assert {"gamma(cv)", "weibull(cv)"} < set(said)
    for word in said:
        asked = {**work, "arrivals": word.replace("(cv)", "(2)"), "trace": "log.csv" if word == "trace" else None}
        assert WorkloadBlock.model_validate(asked).arrivals in (word, Arrivals(cv=2), Arrivals(cv=2, gaps="weibull"))


def test_every_command_is_there_once():
    assert set(cli.commands) == {str(command.name) for command in COMMANDS}
    assert len(cli.commands) == len(COMMANDS)
