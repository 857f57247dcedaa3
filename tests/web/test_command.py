"""costline web: what it says where it cannot serve, and that it stops when it is told."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the `web` extra")

from click.testing import CliRunner

from costline.cli.web import web
from costline.errors import InputError


def test_a_port_that_is_taken_is_said_in_one_line(run_cli: Any):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = run_cli("web", "--port", taken.getsockname()[1])
    assert said.returncode == 2
    assert "cannot be used" in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_host_that_is_not_here_is_said_in_one_line(run_cli: Any):
    said = run_cli("web", "--host", "192.0.2.1", "--port", 0)
    assert said.returncode == 2
    assert "--host 192.0.2.1" in said.stderr


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = CliRunner().invoke(web, ["--port", "0"])
    assert isinstance(done.exception, InputError)
    assert "pip install 'costline[web]'" in str(done.exception)


def test_it_answers_for_the_other_loopback_too():
    command = [sys.executable, "-c", "from costline.cli import main; main()", "web", "--port", "0", "--no-ahead"]
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("needs IPv6 on this machine")
    with subprocess.Popen([*command, "--host", "::1"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\[::1\]:(\d+) ", process.stdout.readline())
        assert found is not None
        with socket.create_connection(("::1", int(found[1])), timeout=30) as line:
            line.sendall(f"GET /api/catalog HTTP/1.1\r\nHost: [::1]:{found[1]}\r\nConnection: close\r\n\r\n".encode())
            assert line.recv(100).startswith(b"HTTP/1.1 200")
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(("by", "codes"), [(signal.SIGINT, {130}), (signal.SIGTERM, {-15, 143})])
def test_it_stops_when_told(by: signal.Signals, codes: set[int]):
    command = [sys.executable, "-c", "from costline.cli import main; main()", "web", "--port", "0", "--no-ahead"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+) ", process.stdout.readline())
        assert found is not None
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=30) as line:
            line.sendall(b"GET /api/catalog HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200")
        process.send_signal(by)
        _, errors = process.communicate(timeout=30)
    assert process.returncode in codes
    assert "Traceback" not in errors
