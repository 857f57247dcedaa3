"""Hostile input is refused cleanly: a status of 4xx, one line that says why, and the application goes on."""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

SCRIPT = "<script>alert(1)</script>"
LAUGHS = "a: &a [lol, lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML, JSON = "application/yaml", "application/json"
BODIES: dict[str, tuple[str, str, bytes]] = {
    "huge YAML": ("/api/plan", YAML, b"model:\n" + b"- x\n" * 300_000),
    "huge JSON": ("/api/plan", JSON, b'{"a": "' + b"x" * 1_000_000 + b'"}'),
    "billion laughs": ("/api/plan", YAML, LAUGHS.encode()),
    "deep YAML": ("/api/plan", YAML, b"a: " + b"[" * 20_000),
    "deep flow YAML": ("/api/plan", YAML, b"a: " + b"{a: " * 2_000 + b"}" * 2_000),
    "deep JSON": ("/api/plan", JSON, b'{"a":' * 30_000),
    "closed deep JSON": ("/api/plan", JSON, b'{"a":' * 500 + b"1" + b"}" * 500),
    "NaN": ("/api/estimate", JSON, b'{"model": "llama-3.1-8b", "batch": NaN}'),
    "infinity": ("/api/estimate", JSON, b'{"model": "llama-3.1-8b", "batch": 1e999}'),
    "a number of 5000 digits": ("/api/estimate", JSON, b'{"model": "llama-3.1-8b", "batch": ' + b"9" * 5000 + b"}"),
    "a batch beyond reason": ("/api/estimate", JSON, b'{"model": "llama-3.1-8b", "batch": 1e300}'),
    "negative context": ("/api/estimate", JSON, b'{"model": "llama-3.1-8b", "context": -1}'),
    "python object": ("/api/plan", YAML, b"model: !!python/object/apply:os.system ['touch /tmp/owned']"),
    "path of a config": ("/api/plan", JSON, b'{"model": {"config": "/etc/passwd"}, "workload": {}}'),
    "path upwards": ("/api/plan", JSON, b'{"model": {"config": "../../../etc/passwd"}, "workload": {}}'),
    "path of a trace": ("/api/plan", JSON, b'{"workload": {"trace": "/etc/shadow"}}'),
    "script as model": ("/api/estimate", JSON, json.dumps({"model": SCRIPT}).encode()),
    "script as key": ("/api/plan", JSON, json.dumps({SCRIPT: 1}).encode()),
    "script in pasted config": ("/api/model", JSON, json.dumps({"model_type": SCRIPT}).encode()),
    "nothing": ("/api/plan", JSON, b""),
    "not UTF-8": ("/api/plan", JSON, b"\xff\xfe{}"),
    "null bytes": ("/api/plan", YAML, b"a: \x00\x00"),
    "a list": ("/api/plan", JSON, b"[]"),
    "a number": ("/api/compare", JSON, b"7"),
    "the same key twice": ("/api/plan", YAML, b"model: {id: a}\nmodel: {id: b}"),
    "thousands of accelerators": (
        "/api/frontier", JSON, json.dumps({"models": ["llama-3.1-8b"], "accelerators": ["l40s"] * 5000}).encode()),
    "a long name": ("/api/estimate", JSON, json.dumps({"model": "x" * 100_000}).encode()),
    "a surrogate": ("/api/estimate", JSON, b'{"model": "\\ud800"}'),
    "layers beyond reason": ("/api/model", JSON, json.dumps({
        "model_type": "llama", "hidden_size": 10**18, "num_hidden_layers": 10**9, "vocab_size": 1}).encode()),
}  # fmt: skip
ADDRESSES = {
    "path upwards in the address": "/static/../../../etc/passwd",
    "escaped path": "/static/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "script in a query": f"/plan?model.id={quote(SCRIPT)}",
    "script in a name": f"/catalog/entry?name={quote(SCRIPT)}",
    "script as a kind": f"/catalog?kind={quote(SCRIPT)}",
    "attribute in a query": "/explorer?model=" + quote('" onmouseover="alert(1)'),
    "unknown setting": "/plan?constructor.prototype=1",
    "thousands of settings": "/plan?" + "&".join(f"k{i}=1" for i in range(3000)),
    "deep setting": "/plan?" + "a." * 45 + "b=1",
    "nested JSON": "/plan?model.config=" + quote("{" * 3000),
    "a file": "/plan?model.config=/etc/passwd",
    "a list of JSON": "/frontier?models=" + quote("[" * 5000),
    "a publication": f"/reproductions/part?name={quote(SCRIPT)}",
    "pasted in the address": f"/catalog/model?config={quote(SCRIPT)}",
}


@pytest.mark.parametrize("name", BODIES)
def test_hostile_bodies(ask: Any, name: str):
    path, kind, body = BODIES[name]
    said = ask(path, body=body, content_type=kind)
    assert 400 <= said.status < 500, said
    assert "\n" not in said.json["error"]
    assert "Traceback" not in said.json["error"]
    assert said.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("name", ADDRESSES)
def test_hostile_addresses(ask: Any, name: str):
    said = ask(ADDRESSES[name], accept="text/html")
    text = said.body.decode()
    assert 400 <= said.status < 500, text[:500]
    assert "<script>alert" not in text
    assert '" onmouseover' not in text
    assert "root:" not in text
    assert "script-src 'self'" in said.headers["content-security-policy"]
    assert said.headers["x-content-type-options"] == "nosniff"


def raw(base: str, *pieces: bytes, pause_s: float = 0.0, longest_s: float = 30.0) -> bytes:
    """What comes back for bytes that are sent piece by piece."""
    place = urlsplit(base)
    found = b""
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=longest_s) as line:
        for piece in pieces:
            try:
                line.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(pause_s)
        try:
            while piece := line.recv(65_536):
                found += piece
                if b"\r\n\r\n" in found and found.endswith(b"}"):
                    break
        except ConnectionResetError:
            pass
    return found


def test_a_slow_body_does_not_wait_for_ever(base: str, ask: Any):
    head = b"POST /api/plan HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"
    started = time.monotonic()
    said = raw(base, head, b'{"a')
    assert b" 408 " in said.split(b"\r\n")[0]
    assert time.monotonic() - started < 15
    assert ask("/api/catalog").status == 200


def test_a_body_without_end_is_cut_off(base: str):
    head = b"POST /api/plan HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    assert b" 413 " in raw(base, head, *[chunk] * 8).split(b"\r\n")[0]


def test_a_foreign_host_is_not_answered(ask: Any):
    assert ask("/plan", host="evil.example").status == 400
    assert ask("/api/catalog", host="localhost").status == 200


def test_methods_and_places_that_are_not_there(ask: Any):
    assert ask("/api/plan", method="PUT", body=b"{}").status == 405
    assert ask("/nowhere").status == 404
    assert ask("/plan/secret.txt").status == 404


def test_a_pasted_scenario_leads_to_its_link(ask: Any):
    text = "model: {id: llama-3.1-8b}\nworkload: {input_tokens: 64, output_tokens: 8}\nsystem: {accelerator: l40s}\n"
    body = urllib.parse.urlencode({"document": text}).encode()
    said = ask("/plan/scenario", body=body, content_type="application/x-www-form-urlencoded")
    assert said.status == 200  # followed to the page
    body = urllib.parse.urlencode({"document": "model: {config: /etc/passwd}"}).encode()
    assert ask("/plan/scenario", body=body, content_type="application/x-www-form-urlencoded").status == 422


def test_after_all_that_it_still_answers(ask: Any):
    assert ask("/api/estimate", {"model": "llama-3.1-8b", "batch": 3}).status == 200
