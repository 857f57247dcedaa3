"""What the commands do with options, files and terminals when nothing is wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

import costline
from costline.cli import cli, mistakes
from costline.cli.flags import names_of, scenario_blocks
from costline.cli.terminal import fitting
from costline.render import Column, Table

Call = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
SMALL = "model: {id: llama-3.1-8b}\nworkload: {input_tokens: 512, output_tokens: 64, request_rate: 2}\n"
RUN = [sys.executable, "-c", "from costline.cli import main; main()"]


def paths_of(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command, groups too."""
    found = [before]
    for name, command in group.commands.items():
        inner = (*before, name)
        found += paths_of(command, inner) if isinstance(command, click.Group) else [inner]
    return found


COMMANDS = paths_of(cli)


def test_there_are_commands():
    assert {(), ("plan",), ("estimate",), ("frontier",), ("catalog", "list"), ("catalog", "add", "model")} <= set(
        COMMANDS
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_explains_itself(call: Call, words: tuple[str, ...]):
    outcome = call(*words, "--help")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith(f"Usage: {' '.join(('costline', *words))}")
    assert call(*words, "-h").stdout == outcome.stdout


@pytest.mark.parametrize("words", [words for words in COMMANDS if words], ids=" ".join)
def test_each_option_and_command_has_a_line_of_help(words: tuple[str, ...]):
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert command.help
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


def test_version(call: Call):
    assert call("--version").stdout == f"costline, version {costline.__version__}\n"


# One question, asked in several ways


def plans(outcome: Any) -> list[dict[str, Any]]:
    assert outcome.code == 0, outcome.stderr
    return json.loads(outcome.stdout)["plans"]


def test_a_file_and_options_ask_the_same(call: Call, tmp_path: Path):
    path = tmp_path / "s.yml"
    path.write_text(
        SMALL
        + "system: {accelerator: [h100-sxm, l40s], max_accelerators: 8}\n"
        + "slo: {ttft_p99_ms: 2000, tpot_p99_ms: 100, e2e_p99_ms: 20000}\n"
        + "deployment: {tp: 2, pp: 1, dp: 1, ep: 1, batch: 64, engine: {name: sglang}}\n"
        + "price: {accelerator_usd_per_hour: 2.5}\ncalibration: none\n",
        encoding="utf-8",
    )
    options = (
        "--model llama-3.1-8b --isl 512 --osl 64 --request-rate 2 --accelerators h100-sxm,l40s --max-accelerators 8 "
        "--ttft 2000 --tpot 100 --e2e 20000 --tp 2 --pp 1 --dp 1 --ep 1 --batch 64 --engine sglang --price 2.5 "
        "--calibration none"
    )
    from_file = plans(call("plan", path, "--json"))
    assert plans(call("plan", *options.split(), "--json")) == from_file
    assert {(row["tp"], row["batch"]) for row in from_file} == {(2, 64)}
    assert {row["price_usd_per_accelerator_hour"] for row in from_file} == {2.5}


def test_options_win_over_the_file(call: Call, tmp_path: Path):
    path = tmp_path / "s.yml"
    path.write_text(SMALL + "price: {offer: verda-b200-sxm-on-demand-2026-05-24}\n", encoding="utf-8")
    asked = json.loads(call("plan", path, "--accelerator", "l40s", "--price", "1", "--isl", "99", "--json").stdout)
    assert asked["scenario"]["system"]["accelerator"] == ["l40s"]
    assert asked["scenario"]["workload"]["input_tokens"] == 99
    assert asked["scenario"]["workload"]["request_rate"] == 2
    assert asked["plans"][0]["price_source"] == "given"


def test_an_option_takes_its_rival_out_of_the_file(call: Call, tmp_path: Path):
    path = tmp_path / "s.yml"
    path.write_text(SMALL, encoding="utf-8")
    work = json.loads(call("plan", path, "--concurrency", "4", "--json").stdout)["scenario"]["workload"]
    assert (work["concurrency"], work["request_rate"]) == (4, None)


def test_options_that_were_not_given_change_nothing():
    assert scenario_blocks({"model": None, "accelerator": (), "isl": None}) == {}
    assert scenario_blocks({"prefix": 0.0, "engine": "vllm", "calibration": "none"}) == {
        "workload": {"prefix": {"cached_tokens": 0.0}},
        "deployment": {"engine": {"name": "vllm"}},
        "calibration": "none",
    }


def test_names_may_be_repeated_or_joined():
    assert names_of(("h100, b200", "l40s,")) == ["h100", "b200", "l40s"]


def test_a_model_by_any_name(call: Call):
    names = ("llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct", "LLAMA 3.1 8B")
    answers = {call("estimate", "--model", name, "--accelerator", "NVIDIA H100", "--json").stdout for name in names}
    assert len(answers) == 1


def test_estimate_of_a_short_model_needs_no_context(call: Call):
    assert json.loads(call("estimate", "--model", "gpt2", "--json").stdout)["context_tokens"] == 1024


def test_top_is_the_number_of_plans(call: Call, tmp_path: Path):
    path = tmp_path / "s.yml"
    path.write_text(SMALL, encoding="utf-8")
    assert [len(plans(call("plan", path, "--top", top, "--json"))) for top in (1, 3)] == [1, 3]


# The catalog


def test_an_added_model_can_be_planned_and_is_the_same(tmp_path: Path):
    config = tmp_path / "my-model" / "config.json"
    config.parent.mkdir()
    config.write_text(
        json.dumps(
            {
                "model_type": "llama",
                "hidden_size": 256,
                "num_hidden_layers": 4,
                "num_attention_heads": 8,
                "num_key_value_heads": 2,
                "intermediate_size": 512,
                "vocab_size": 1000,
                "max_position_embeddings": 8192,
            }
        ),
        encoding="utf-8",
    )
    own = tmp_path / "catalog"
    own.mkdir()

    def run(*args: object) -> Any:
        done = subprocess.run(
            [*RUN, *map(str, args), "--json"],
            env={**os.environ, "COSTLINE_CATALOG": str(own)},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    added = run("catalog", "add", "model", config)
    assert added["model"]["id"] == "my-model"
    assert Path(added["path"]).is_relative_to(own)
    direct = run("estimate", "--config", config)
    listed = run("estimate", "--model", "my-model")
    assert listed == direct
    assert run("plan", "--model", "my-model", "--isl", "100", "--osl", "10")["plans"]


def test_check_exits_with_1_where_the_catalog_has_faults(tmp_path: Path):
    place = tmp_path / "offers"
    place.mkdir()
    (place / "mine.yml").write_text(
        "source: nobody\nkind: vendor\nretrieved: 2026-01-01\n\noffers:\n  mine-1:\n    provider: mine\n"
        "    chip: h100-sxm\n    term: on-demand\n    usd_per_hour: 2\n    date: 2026-01-01\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [*RUN, "catalog", "check", "--json"],
        env={**os.environ, "COSTLINE_CATALOG": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert any("nobody" in line for line in json.loads(done.stdout)["errors"])


# Terminals


def on_a_terminal(*args: object, watch_stdout: bool = False) -> tuple[int, str, str]:
    """Runs the command with stderr (or stdout) on a pseudo-terminal; returns the exit code, stdout and stderr."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    shown = b""
    with tempfile.TemporaryFile() as piped:  # a pipe that nobody reads meanwhile would fill up
        streams = {"stdout": theirs, "stderr": piped} if watch_stdout else {"stdout": piped, "stderr": theirs}
        process = subprocess.Popen([*RUN, *map(str, args)], cwd=ROOT, env=environment, **streams)
        os.close(theirs)
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        code = process.wait()
        os.close(ours)
        piped.seek(0)
        other = piped.read().decode()
    text = shown.decode()
    return (code, text, other) if watch_stdout else (code, other, text)


def test_a_person_sees_that_plans_are_searched():
    code, stdout, stderr = on_a_terminal("plan", "examples/code-8b.yml", "--json")
    assert code == 0
    assert json.loads(stdout)["plans"]
    assert "Searching deployments" in stderr
    assert stderr.rstrip("\r\n").endswith("\x1b[2K")


def test_a_narrow_terminal_gets_the_columns_that_matter():
    code, stdout, stderr = on_a_terminal("plan", "examples/code-8b.yml", watch_stdout=True)
    assert (code, stderr) == (0, "")
    assert "\x1b[" in stdout
    assert "$/Mtok out" in stdout
    assert re.search(r"A wider terminal also shows .*bound by", stdout.replace("\r\n", " "))


def test_minor_columns_give_way_first():
    columns = (Column("a", "a" * 10), Column("b", "b" * 10, minor=1), Column("c", "c" * 10, minor=2))
    table = Table("t", columns, ({"a": "x", "b": "y", "c": "z"},), "Note.")
    assert fitting(table, 36) is table
    assert [column.key for column in fitting(table, 35).columns] == ["a", "b"]
    narrow = fitting(table, 5)
    assert [column.key for column in narrow.columns] == ["a"]
    assert narrow.note == f"Note. A wider terminal also shows {'c' * 10}, {'b' * 10}."
    assert fitting(replace(table, columns=columns[:1]), 5).columns == columns[:1]


def test_a_reader_that_stops_early_is_no_failure():
    command = f'"{sys.executable}" -c "from costline.cli import main; main()" catalog list offers | head -1'
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.stderr == ""
    assert "offers" in done.stdout


def test_plain_line_leaves_nothing_that_a_terminal_obeys():
    assert mistakes.plain_line("a\x1b[31m\r\nb\t\u202ec") == "a\\x1b[31m b \\u202ec"
    assert mistakes.plain_line("é 🦙") == "é 🦙"
    long = mistakes.plain_line("a" * 2_000 + "z")
    assert len(long) < 600
    assert long.endswith("z")
