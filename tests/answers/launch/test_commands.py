"""Every flag that is exported, with its value, against the flags that the engines' packages have."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costline.answers.launch as package
from costline.answers.launch import launch_command, start_lines
from costline.answers.launch.commands import notes, router_by_label, router_command, server_command
from costline.answers.launch.servers import Launch, read_launch
from costline.answers.launch.words import Command, faults, grouped, one_line
from costline.catalog.engines import engine_facts, program
from costline.errors import InputError, UnknownIdError

from .conftest import Refused
from .rows import ENGINES, pools, row, scenario

Parse = Callable[[str, list[str]], argparse.Namespace]
VARIABLES = {"$NODE_RANK": "1", "$HEAD_ADDRESS": "10.0.0.1", "$NAMESPACE": "models"}
HABITS = {"prefix_caching": False, "asynchronous": False, "block_tokens": 64, "memory_utilization": 0.8}


def concrete(word: str) -> str:
    """A word as the shell would leave it."""
    word = re.sub(r"\$\(\(.*\)\)", "8", word)
    for name, value in VARIABLES.items():
        word = word.replace(name, value)
    return word


def rows_of(engine: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Rows that use everything that an engine's exporter can say."""
    plain = scenario()
    yield row(), plain
    yield row(weights="fp8", activations="fp8", kv_cache="fp8"), plain
    yield row(tp=4, pp=2, replicas=3), plain
    yield row(), scenario(engine={"name": engine, **HABITS})
    yield row(), scenario(input_tokens={"mean": 2000, "p95": 6000})
    yield row(tp=1, dp=8, ep=8, weights="fp8_block mix"), scenario("deepseek-v3")
    mtp = {"draft": "mtp", "draft_tokens": 2}
    yield row(tp=8, weights="fp8_block mix", speculation=mtp), scenario("deepseek-v3")
    yield pools(), plain
    if engine != "tensorrt-llm":
        yield row(accelerator="mi300x", tp=2), plain
        yield pools({"cp": 2}), plain
        yield row(speculation={"draft": "llama-3.1-8b", "draft_tokens": 4}), plain
        yield row(speculation={"draft": "eagle", "draft_tokens": 3}), plain
        yield row(tp=8, pp=2), plain
        yield row(tp=1, dp=16, ep=16, weights="fp8_block mix"), scenario("deepseek-v3")


def commands_of(launch: Launch) -> Iterator[Command]:
    """Everything that is started for a launch."""
    for server, head in product(launch.servers, (True, False)):
        yield server_command(launch, server, str(launch.engine.port), head=head)
    if len(launch.servers) > 1:
        yield router_command(launch, ["http://a:1", "http://b:2"], ["http://c:3"])
        if launch.engine.id != "tensorrt-llm":
            yield router_by_label(launch, {"app": "model"})


ALL = [(engine, read_launch(*pair, engine)) for engine in ENGINES for pair in rows_of(engine)]
NAMES = [f"{engine}-{place}" for place, (engine, _) in enumerate(ALL)]


@pytest.mark.parametrize(("engine", "launch"), ALL, ids=NAMES)
def test_the_parser_takes_every_command(engine: str, launch: Launch, parse: Parse):
    assert launch.engine.id == engine
    for command in commands_of(launch):
        parse(command.program, [concrete(word) for word in command.flags])
        assert faults(command) == []


def test_every_flag_that_a_module_writes_is_among_those_checked():
    checked = {name for _, launch in ALL for command in commands_of(launch) for name, _ in grouped(command.flags)}
    folder = Path(package.__file__).parent
    written = {
        flag
        for name in ("vllm", "sglang", "tensorrt_llm", "commands", "router_script")
        for flag in re.findall(r'"(--[a-z][a-z_-]+)"', (folder / f"{name}.py").read_text(encoding="utf-8"))
    }
    assert len(written) > 50
    assert written - checked == set()


def test_objects_have_keys_of_the_recorded_classes():
    seen: dict[str, set[str]] = {}
    for engine, launch in ALL:
        for server in launch.servers if engine == "vllm" else ():
            for name, values in grouped(server_command(launch, server, "8000").flags):
                if values and values[0].startswith("{"):
                    seen.setdefault(name, set()).update(json.loads(values[0]))
    assert seen.keys() == {"--kv-transfer-config", "--speculative-config"}
    for name, keys in seen.items():
        assert keys <= program("vllm").objects[name].keys()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--tensor-parallel-sizes", "4"), "no flag"),
        (("--tensor-parallel-size", "four"), "takes int, not four"),
        (("--tensor-parallel-size",), "takes one value, not 0"),
        (("--tensor-parallel-size", "4", "8"), "takes one value, not 2"),
        (("--headless", "yes"), "takes no value"),
        (("--no-enable-prefix-caching", "1"), "takes no value"),
        (("--kv-cache-dtype", "fp7"), "takes auto, "),
        (("--prefix-caching-hash-algo", "md5"), "takes sha256"),
        (("--kv-transfer-config", '{"kv_rule": "kv_both"}'), "kv_rule is no key"),
        (("--kv-transfer-config", '{"kv_role": "kv_neither"}'), "kv_role takes"),
        (("--kv-transfer-config", "{"), "takes json"),
    ],
)
def test_faults_are_found(flags: tuple[str, ...], says: str):
    assert says in " ".join(faults(Command("vllm", ("vllm",), flags)))


def test_a_fault_is_one_that_argparse_sees_too(parse: Parse):
    for flags in (["--kv-cache-dtype", "fp7"], ["--nope"], ["--nnodes", "two"]):
        with pytest.raises(Refused):
            parse("vllm", flags)


def test_settings_have_known_keys():
    made = Command("trtllm-serve", ("trtllm-serve",), (), {"max_batch_size": 1, "kv_cache_config": {"dtipe": "fp8"}})
    assert [fault.split(":")[1].split()[0] for fault in faults(made)] == ["kv_cache_config.dtipe"]


def flags_of(launch: Launch, server: int = 0) -> dict[str, list[str]]:
    return dict(grouped(server_command(launch, launch.servers[server], "8000").flags))


def test_what_vllm_is_told():
    flags = flags_of(read_launch(row(tp=2, dp=4, ep=8, batch=90), scenario("mixtral-8x7b"), "vllm"))
    assert flags["--tensor-parallel-size"] == ["2"]
    assert flags["--data-parallel-size"] == ["4"]
    assert flags["--max-num-seqs"] == ["23"]  # 90 sequences over 4 groups
    assert flags["--max-model-len"] == ["10240"]  # 8192 + 1024 tokens and what fills the next KiB but one
    assert flags["--enable-expert-parallel"] == []


def test_what_sglang_is_told():
    flags = flags_of(read_launch(row(tp=2, dp=4, ep=8, batch=90), scenario("mixtral-8x7b"), "sglang"))
    assert flags["--tp-size"] == ["8"]  # SGLang counts the devices of all groups
    assert flags["--attn-dp-size"] == ["4"]
    assert flags["--max-running-requests"] == ["90"]
    assert flags["--chunked-prefill-size"] == ["32768"]  # it shares the chunk out over the groups
    assert "--enable-mixed-chunk" not in flags


def test_what_tensorrt_llm_is_told():
    launch = read_launch(row(tp=1, dp=8, ep=4, batch=90), scenario("mixtral-8x7b"), "tensorrt-llm")
    settings = server_command(launch, launch.servers[0], "8000").settings
    assert settings["tensor_parallel_size"] == 8
    assert (settings["moe_expert_parallel_size"], settings["moe_tensor_parallel_size"]) == (4, 2)
    assert settings["enable_attention_dp"] is True
    assert settings["max_batch_size"] == 12


def test_only_ranks_other_than_the_first_are_headless():
    launch = read_launch(row(tp=1, dp=16, ep=16), scenario("mixtral-8x7b"), "vllm")
    head, other = (server_command(launch, launch.servers[0], "8000", head=first).words for first in (True, False))
    assert "--headless" in other
    assert "--headless" not in head
    assert "--data-parallel-start-rank" not in head
    assert "--data-parallel-start-rank" in other


@given(
    tp=st.sampled_from([1, 2, 4, 8]), pp=st.sampled_from([1, 2]), replicas=st.integers(1, 9),
    batch=st.integers(1, 4096), tokens=st.floats(1, 60_000), spread=st.floats(1, 3),
)  # fmt: skip
def test_what_is_admitted_holds_the_longest_request(
    tp: int, pp: int, replicas: int, batch: int, tokens: float, spread: float
):
    lengths = {"mean": tokens, "p95": tokens * spread}
    launch = read_launch(row(tp=tp, pp=pp, replicas=replicas, batch=batch), scenario(input_tokens=lengths))
    assert launch.context_tokens <= 131_072  # the model's own
    assert launch.context_tokens >= min(tokens * spread + 1024, 131_072)
    assert launch.servers[0].accelerators == tp * pp
    assert launch.servers[0].nodes * launch.servers[0].on_each_node == tp * pp


LONGEST: tuple[tuple[dict[str, Any], float], ...] = (
    ({"input_tokens": {"mean": 4000, "cv": 2.0}}, 40_000),  # log-normal, σ = √ln 5: 4,000 exp(3.09 σ - σ²/2) = 90,000
    ({"input_tokens": {"mean": 4000, "sd": 1000}}, 4000 + 3 * 1000 + 1024),
    ({"input_tokens": [100, 200, 60_000]}, 60_000 + 1024),
    ({"input_tokens": None, "sessions": {"turns": 10, "new_tokens": 500, "think_s": 5}}, 10 * (500 + 1024)),
)  # fmt: skip


@pytest.mark.parametrize(("work", "longest"), LONGEST, ids=["cv", "sd", "measured", "sessions"])
def test_what_is_admitted_holds_lengths_of_every_kind(work: dict[str, Any], longest: float):
    admitted = read_launch(row(), scenario(**work)).context_tokens
    assert longest <= admitted <= 131_072
    assert admitted <= scenario(**work).workload.longest_tokens + 2048


def test_the_engine_of_the_scenario_is_the_default():
    asked = scenario(engine={"name": "sglang", "memory_utilization": 0.7})
    assert "sglang.launch_server" in launch_command(row(), asked)
    assert "--mem-fraction-static 0.7" in launch_command(row(), asked)
    assert "--gpu-memory-utilization 0.9" in launch_command(row(), asked, "vllm")  # a share of another kind


@pytest.mark.parametrize("name", ["trtllm", "TensorRT-LLM", "trt-llm"])
def test_engines_have_other_names(name: str):
    assert launch_command(row(), scenario(), name).startswith("trtllm-serve ")


def test_two_pools_are_two_commands():
    lines = launch_command(pools(), scenario()).splitlines()
    assert ["kv_producer" in line for line in lines] == [True, False]
    assert ["kv_consumer" in line for line in lines] == [False, True]


def test_formats_that_loading_cannot_make_are_named():
    launch = read_launch(row(weights="int4", activations="bf16"), scenario(), "vllm")
    assert "--quantization" not in flags_of(launch)
    assert "name a checkpoint in int4" in notes(launch)[0]
    assert notes(read_launch(row(weights="fp8"), scenario(), "vllm")) == []
    assert "name a checkpoint in bf16" in notes(read_launch(row(weights="bf16"), scenario("deepseek-v3"), "vllm"))[0]


def test_words_are_quoted_for_the_shell():
    launch = replace(read_launch(row(), scenario()), model="/models/my model; rm -rf x")
    assert "'/models/my model; rm -rf x'" in one_line(server_command(launch, launch.servers[0], "$PORT"))
    assert '--port "$PORT"' in one_line(server_command(launch, launch.servers[0], "$PORT"))


@pytest.mark.parametrize(
    ("given", "asked", "engine", "says"),
    [
        (row(accelerator="tpu-v5e"), scenario(), "vllm", "engine=vllm does not run on tpu-v5e"),
        (row(accelerator="mi300x"), scenario(), "tensorrt-llm", "does not run on mi300x"),
        (row(kv_cache="int8"), scenario(), "sglang", "kv_cache=int8"),
        (row(tp=8, pp=2), scenario(), "tensorrt-llm", "needs an MPI launcher"),
        (row(tp=2, dp=4), scenario("mixtral-8x7b"), "tensorrt-llm", "one device each"),
        (row(tp=3, pp=3), scenario(), "vllm", "does not fill nodes of 8 evenly"),
        (row(tp=8, dp=3), scenario("mixtral-8x7b"), "vllm", None),
        (row(tp=1, dp=20), scenario("mixtral-8x7b"), "vllm", "does not fill nodes"),
        (row(tp=8, pp=2, dp=3), scenario("mixtral-8x7b"), "vllm", "dp=3 does not share out over 6 nodes"),
        (row(speculation={"draft": "llama-3.1-8b", "draft_tokens": 3}), scenario(), "tensorrt-llm", "own layer"),
        (pools({"cp": 2}), scenario(), "tensorrt-llm", "cp=2 is not exported"),
        (row(disaggregated=True), scenario(), "vllm", "lacks prefill_pool"),
        (row(tp=0), scenario(), "vllm", "plan row: tp"),
        (row(batch="many"), scenario(), "vllm", "plan row: batch"),
        ({"tp": 1}, scenario(), "vllm", "plan row: accelerator"),
        (row(accelerator="h101"), scenario(), "vllm", "unknown accelerator"),
    ],
)
def test_what_cannot_be_started_is_one_line(given: dict[str, Any], asked: Any, engine: str, says: str | None):
    if says is None:
        assert launch_command(given, asked, engine)
        return
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        launch_command(given, asked, engine)
    assert "\n" not in str(caught.value)


def test_an_engine_that_nobody_knows_is_named():
    with pytest.raises(UnknownIdError, match="nearest: vllm"):
        launch_command(row(), scenario(), "vlm")


def test_a_plan_in_words_ends_with_the_command():
    assert start_lines(row(), scenario())[0].startswith("Start one replica: vllm serve meta-llama/Llama-3.1-70B ")
    assert [line.split(":")[0] for line in start_lines(pools(), scenario())] == [
        "Start one prefill replica", "Start one decode replica",
    ]  # fmt: skip
    assert start_lines(row(accelerator="tpu-v5e"), scenario())[0].startswith("Start: not said (engine=vllm")


def test_ports_and_health_are_those_of_the_facts():
    for name in ENGINES:
        facts = engine_facts()[name]
        assert 1024 < facts.port < 65_536
        assert facts.health == "/health"
