"""The command line: parse, call one answer, show it. No arithmetic.

Exit codes: 0 an answer, 2 a question that cannot be used (one line on stderr), 3 nothing satisfies it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from costline.cli import audit, mistakes, sensitivity, simulate, trace
from costline.cli.export import export
from costline.cli.serving_flags import closed_loop_options
from costline.cli.web import web
from costline.errors import CostlineError
from costline.version import __version__

if TYPE_CHECKING:
    from costline.answers.answer import Answer

_PHASES = {"ttft": "time to first token", "tpot": "time per output token", "e2e": "whole request"}


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that answers a question."""
    for option in (
        click.option("--sources", is_flag=True, help="List the facts and equations that the answer used."),
        click.option("--out", "folder", metavar="DIR", help="Also write result.json, table.csv and figures into DIR."),
        click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON and nothing else."),
    ):
        function = option(function)
    return function


def _show(answer: Answer, *, as_json: bool, folder: str | None, sources: bool) -> None:
    from costline.cli import terminal

    terminal.show(answer, as_json=as_json, folder=folder, sources=sources)


def _patience(what: str) -> AbstractContextManager[object]:
    """A spinner on stderr while something takes long; nothing where no person watches."""
    if not sys.stderr.isatty():
        return nullcontext()
    from costline.cli import terminal

    return terminal.spinner(what)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="costline")
def cli() -> None:
    """What a token costs, how fast it can be, and what to run to get it."""


def _slo_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, what in reversed(_PHASES.items()):
        option = click.option(f"--{name}", type=float, metavar="MS", help=f"Target: {what} p99, milliseconds.")
        function = option(function)
    return function


def _degree_options(function: Callable[..., Any]) -> Callable[..., Any]:
    degrees = {
        "tp": "Tensor parallel degree.",
        "pp": "Pipeline stages.",
        "dp": "Attention data parallel groups inside a replica.",
        "ep": "Expert parallel degree: 1 or tp·dp.",
    }
    for name, what in reversed(degrees.items()):
        function = click.option(f"--{name}", type=int, metavar="N", help=what)(function)
    return function


@cli.command()
@click.argument("scenario", required=False)
@click.option("--model", help="Model id, alias or Hugging Face id.")
@click.option("--accelerator", "--accelerators", "accelerator", multiple=True, help="Accelerator; repeat for several.")
@click.option("--isl", type=float, metavar="TOKENS", help="Input tokens of a request.")
@click.option("--osl", type=float, metavar="TOKENS", help="Output tokens of a request.")
@click.option("--prefix", type=float, metavar="TOKENS", help="Input tokens that are already cached.")
@click.option("--concurrency", type=float, metavar="N", help="Requests in flight.")
@click.option("--request-rate", type=float, metavar="PER_S", help="Requests per second.")
@_slo_options
@_degree_options
@click.option("--batch", type=int, metavar="N", help="Most sequences of a replica.")
@click.option("--max-accelerators", type=int, metavar="N", help="Most accelerators of one replica.")
@click.option("--weights", help="Weight format: bf16, fp8, int8, int4, nvfp4, mxfp4, checkpoint or auto.")
@click.option("--kv", help="Cache format: bf16, fp8, int8 or auto.")
@click.option("--price", type=float, metavar="USD", help="USD per accelerator-hour, instead of the reference offer.")
@click.option("--prefer-speed", type=float, metavar="A", help="Rank by speed^A per USD instead of by cost.")
@click.option("--engine", help="Engine: vllm, sglang or tensorrt-llm.")
@click.option("--calibration", help="default = sustained rates, none = the datasheet's.")
@click.option("--top", type=int, default=8, show_default=True, metavar="N", help="Plans to show.")
@_shared
def plan(scenario: str | None, top: int, as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """Find the cheapest deployments of SCENARIO (a YAML file), with the reasons.

    Options win over the file; without a file they are the whole scenario.
    """
    from costline.answers.plan import plan as answer
    from costline.cli.flags import scenario_blocks

    with _patience("Searching deployments"):
        found = answer(scenario, top=top, **scenario_blocks(flags))
    _show(found, as_json=as_json, folder=folder, sources=sources)
    if folder is not None:
        from costline.answers.report import write

        written = write(found, folder)
        for path in () if as_json else written:
            click.echo(f"wrote {path}")


@cli.command()
@click.option("--model", help="Model id, alias or Hugging Face id.")
@click.option("--config", metavar="FILE", help="A Hugging Face config.json instead of --model.")
@click.option("--accelerator", default="h100-sxm", show_default=True, help="Accelerator id or name.")
@_degree_options
@click.option("--batch", type=float, default=1, show_default=True, metavar="N", help="Sequences that decode together.")
@click.option("--context", type=float, metavar="TOKENS", help="Cached tokens of each; default = 4096.")
@click.option("--new-tokens", type=int, default=1, show_default=True, metavar="N", help="New tokens of each a step.")
@click.option("--weights", default="checkpoint", show_default=True, help="Weight format, or the released checkpoint's.")
@click.option("--kv", default="bf16", show_default=True, help="Cache format.")
@click.option("--activations", default="auto", show_default=True, help="Input format of the linear layers.")
@click.option("--price", type=float, metavar="USD", help="USD per accelerator-hour, instead of the reference offer.")
@click.option("--engine", default="vllm", show_default=True, help="Engine whose memory rules apply.")
@click.option("--memory-utilization", type=float, metavar="SHARE", help="Share of device memory the engine may use.")
@click.option("--calibration", default="default", show_default=True, help="default, or none for the datasheet's rates.")
@closed_loop_options
@_shared
def estimate(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """Time, memory and cost of one configuration, term by term."""
    from costline.answers.estimate import estimate as answer

    given = {name: value for name, value in flags.items() if value is not None}
    _show(answer(**given), as_json=as_json, folder=folder, sources=sources)


@cli.command()
@click.option("--model", "--models", "models", multiple=True, required=True, help="Model; repeat for several.")
@click.option("--accelerator", "--accelerators", "accelerators", multiple=True, required=True, help="Accelerators.")
@click.option("--isl", type=float, default=2048, show_default=True, metavar="TOKENS", help="Input tokens of a request.")
@click.option("--osl", type=float, default=512, show_default=True, metavar="TOKENS", help="Output tokens of each.")
@click.option("--max-accelerators", type=int, default=16, show_default=True, metavar="N", help="Most of a replica.")
@_slo_options
@_degree_options
@click.option("--weights", default="auto", show_default=True, help="Weight format.")
@click.option("--kv", default="auto", show_default=True, help="Cache format.")
@click.option("--price", type=float, metavar="USD", help="USD per accelerator-hour, instead of the reference offers.")
@click.option("--calibration", default="default", show_default=True, help="default, or none: datasheet rates.")
@_shared
def frontier(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """Speed against cost of models on accelerators, at full load."""
    from costline.answers.frontier import frontier as answer
    from costline.cli.flags import frontier_arguments

    with _patience("Searching deployments"):
        found = answer(**frontier_arguments(flags))
    _show(found, as_json=as_json, folder=folder, sources=sources)


@cli.group()
def catalog() -> None:
    """Facts with their sources: list, show, check, schema, add."""


@catalog.command("list")
@click.argument("kind")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON and nothing else.")
def catalog_list(kind: str, as_json: bool) -> None:
    """List KIND: models, accelerators, systems, offers, grids, pues, tariffs, engines, workloads or sources."""
    from costline.answers.catalog_view import listing

    _show(listing(kind), as_json=as_json, folder=None, sources=False)


@catalog.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON and nothing else.")
def catalog_show(name: str, as_json: bool) -> None:
    """Show everything known of NAME (a model, accelerator, system, offer …), each value with its source."""
    from costline.answers.catalog_view import one

    _show(one(name), as_json=as_json, folder=None, sources=False)


@catalog.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON and nothing else.")
def catalog_check(as_json: bool) -> None:
    """Check every fact file: sources, names, plausibility, stale prices. Exit 1 if anything is wrong."""
    from costline.answers.catalog_view import checked

    answer = checked()
    _show(answer, as_json=as_json, folder=None, sources=False)
    if answer.data["errors"]:
        sys.exit(1)


@catalog.command("schema")
@click.argument("kind")
def catalog_schema(kind: str) -> None:
    """Print the JSON Schema of a KIND of fact file, or of `scenario`, for an editor."""
    from costline.answers.catalog_view import schema
    from costline.cli import terminal

    terminal.print_json(schema(kind))


@catalog.group("add")
def catalog_add() -> None:
    """Add facts of your own."""


@catalog_add.command("model")
@click.argument("config")
@click.option("--id", "identity", help="Id of the new model; default = from the file.")
@click.option("--to", "folder", metavar="DIR", help="Catalog folder; default = the first of COSTLINE_CATALOG.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON and nothing else.")
def catalog_add_model(config: str, identity: str | None, folder: str | None, as_json: bool) -> None:
    """Add a model from CONFIG, a Hugging Face config.json."""
    from costline.answers.catalog_view import add_model

    _show(add_model(config, identity, folder), as_json=as_json, folder=None, sources=False)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--own", is_flag=True, help="Add the same cells by costline's own physics, and why they differ.")
@_shared
def reproduce(names: tuple[str, ...], own: bool, as_json: bool, folder: str | None, sources: bool) -> None:
    """Published tables cell by cell, printed beside computed; exit 1 if a cell is not as expected.

    NAME is a publication (erdil-2025, scaling-book-serving, steinhardt-2022, pope-2022, optimization-guide, claims), or
    one of its tables or figures; default: all. Figures are drawn with --out.
    """
    from costline.answers.reproduce import reproduce as answer
    from costline.answers.reproduce import write

    with _patience("reproducing"):
        shown = answer(names, figures=folder is not None, own=own)
        written = write(shown, folder) if folder is not None else []
    _show(shown, as_json=as_json, folder=None, sources=sources)
    for path in written if not as_json else ():
        click.echo(f"wrote {path}")
    if shown.data["unexpected"]:
        sys.exit(1)


@cli.command()
@click.argument("scenario")
@_shared
def lifecycle(scenario: str, as_json: bool, folder: str | None, sources: bool) -> None:
    """Cost of training and serving a model over its life; SCENARIO is a YAML file such as lifecycle-70b.yml.

    Says when serving has cost as much as training, and what another size at the same loss would cost.
    """
    from costline.answers.lifecycle import lifecycle as answer

    _show(answer(scenario), as_json=as_json, folder=folder, sources=sources)


@cli.group()
def prices() -> None:
    """What APIs ask for a token: list, history, bill."""


@prices.command("list")
@click.argument("model", required=False)
@click.option("--provider", help="Provider of the API.")
@click.option("--as-of", metavar="DAY", help="Prices of that day, such as 2024-06-01; default = today.")
@_shared
def prices_list(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """List who sells MODEL and at what price, cheapest output first.

    Without MODEL: all models of a provider, or the providers.
    """
    from costline.answers.prices import prices_list as answer

    _show(answer(**flags), as_json=as_json, folder=folder, sources=sources)


@prices.command("history")
@click.argument("model")
@click.option("--provider", help="Provider of the API; default = the maker.")
@_shared
def prices_history(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """Show every known list price of MODEL with its days, and how fast prices of its capability fell."""
    from costline.answers.prices import prices_history as answer

    _show(answer(**flags), as_json=as_json, folder=folder, sources=sources)


def _token_options(function: Callable[..., Any]) -> Callable[..., Any]:
    counts = {
        "isl": ("input_tokens", 2048, "Input tokens of a request."),
        "osl": ("output_tokens", 512, "Output tokens of a request."),
        "prefix": ("cached_tokens", 0, "Input tokens that are read from the prompt cache."),
        "cache-write": ("written_tokens", 0, "Input tokens that are written to the prompt cache."),
        "requests": ("requests", 1, "Requests to bill."),
    }
    for name, (to, default, what) in reversed(counts.items()):
        metavar = "N" if name == "requests" else "TOKENS"
        kind = click.IntRange(0)
        function = click.option(
            f"--{name}", to, type=kind, default=default, show_default=True, metavar=metavar, help=what
        )(function)
    return function


@prices.command("bill")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@_token_options
@click.option("--service", default="standard", show_default=True, help="standard, batch, flex, priority or fast.")
@click.option("--discount", default="0", show_default=True, metavar="SHARE", help="Share off the bill by contract.")
@click.option("--provider", help="Provider of the API; default = the maker. A MODEL may also be PROVIDER/MODEL.")
@click.option("--as-of", metavar="DAY", help="Prices of that day, such as 2024-06-01; default = today.")
@click.option("--at", metavar="HH:MM", help="Time of day, UTC, for models with peak hours; default = their dearest.")
@_shared
def prices_bill(as_json: bool, folder: str | None, sources: bool, **flags: Any) -> None:
    """Bill equal requests at one MODEL or several side by side, component by component."""
    from costline.answers.prices import prices_bill as answer

    _show(answer(**flags), as_json=as_json, folder=folder, sources=sources)


@cli.command()
@click.argument("scenario")
@_shared
def compare(scenario: str, as_json: bool, folder: str | None, sources: bool) -> None:
    """API, rented or owned: cost, break-even and what it hangs on; SCENARIO is a YAML file such as api-vs-own.yml."""
    from costline.answers.compare import compare as answer

    with _patience("Comparing"):
        found = answer(scenario)
    _show(found, as_json=as_json, folder=folder, sources=sources)


@cli.command()
@click.argument("scenario")
@_shared
def bill(scenario: str, as_json: bool, folder: str | None, sources: bool) -> None:
    """A month's bill of a trace or workload, at APIs, owned and rented; SCENARIO is a file such as bill-azure.yml."""
    from costline.answers.bill import bill as answer

    with _patience("Adding up"):
        found = answer(scenario)
    _show(found, as_json=as_json, folder=folder, sources=sources)


audit.register(cli, _shared, _show, _patience)
sensitivity.register(cli, _shared, _show, _patience)
simulate.register(cli, _shared, _show, _patience)
trace.register(cli, _shared, _show)


cli.add_command(web)
cli.add_command(export)


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
