"""costline web: serves the application. Parses options and starts the server."""

from __future__ import annotations

import socket

import click

from costline.errors import InputError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others can reach 0.0.0.0.")
@click.option("--port", default=8321, show_default=True, type=click.IntRange(0, 65_535), help="Port; 0 = a free one.")
@click.option("--time-limit", default=60.0, show_default=True, metavar="S", help="Longest that one question may take.")
@click.option("--workers", type=click.IntRange(1, 64), help="Long questions at once; default = cores, 3 at least.")
@click.option("--ahead/--no-ahead", default=True, show_default=True, help="Answer the first page before it is asked.")
def web(host: str, port: int, time_limit: float, workers: int | None, ahead: bool) -> None:
    """Serve the planner in a browser, on this machine alone unless --host says otherwise."""
    try:
        import uvicorn

        from costline.web.app import create_app
        from costline.web.settings import Settings
    except ImportError as missing:
        raise InputError(f"costline web needs {missing.name}; install it with: pip install 'costline[web]'") from None
    given = {"long_workers": workers} if workers else {}
    app = create_app(Settings(host=host, long_s=time_limit, ahead=ahead, **given))
    listening = _listening(host, port)
    name, number = listening.getsockname()[:2]
    click.echo(f"costline web: http://{f'[{name}]' if ':' in name else name}:{number} (stop with Ctrl-C)")
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that takes visitors already: who comes before all is ready waits a moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--host {host} --port {port} cannot be used ({reason}); choose another") from None
