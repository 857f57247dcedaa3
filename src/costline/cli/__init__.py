"""The command line: parse, call one answer, show it. No arithmetic.

Exit codes: 0 an answer, 2 a question that cannot be used (one line on stderr), 3 nothing satisfies it.
"""

from __future__ import annotations

import sys

import click

from costline.cli import mistakes
from costline.cli.audit import audit
from costline.cli.catalog import catalog
from costline.cli.estimate import estimate
from costline.cli.export import export
from costline.cli.money import bill, compare, lifecycle
from costline.cli.plan import frontier, plan
from costline.cli.prices import prices
from costline.cli.reproduce import reproduce
from costline.cli.sensitivity import sensitivity
from costline.cli.simulate import simulate
from costline.cli.trace import trace
from costline.cli.web import web
from costline.errors import CostlineError
from costline.version import __version__

COMMANDS = (
    plan, estimate, frontier, simulate, audit, sensitivity, compare, bill, lifecycle, prices, reproduce, trace,
    catalog, export, web,
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="costline")
def cli() -> None:
    """What a token costs, how fast it can be, and what to run to get it."""


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Entry point: every expected failure is one line on stderr and an exit code."""
    try:
        cli.main(prog_name="costline", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        _fail("stopped", 130)
    except click.ClickException as error:
        _fail(mistakes.one_line(error), 2)
    except CostlineError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _fail(message: str, code: int) -> None:
    click.echo(f"costline: {mistakes.plain_line(message)}", err=True)
    sys.exit(code)
