"""Every way to be wrong: exit code 2 (3 where nothing is feasible), one line on stderr that helps, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Call = Callable[..., Any]

MODEL = "model: {id: llama-3.1-8b}\n"
WORK = "workload: {input_tokens: 100, output_tokens: 10}\n"
PLAN = ("plan", "--model", "llama-3.1-8b", "--isl", "100", "--osl", "10")
ESTIMATE = ("estimate", "--model", "llama-3.1-8b")
MIXTRAL = ("estimate", "--model", "mixtral-8x7b")
LONG = "x" * 5_000


class Outcome(NamedTuple):
    """What one run of the command left behind."""

    code: int
    stdout: str
    stderr: str


def refused(outcome: Any, *words: str, code: int = 2) -> str:
    """Checks what holds for every refusal, and that the line holds each of the words; returns the line."""
    assert outcome.code == code, outcome
    assert outcome.stdout == ""
    assert outcome.stderr.endswith("\n")
    line = outcome.stderr[:-1]
    assert line.isprintable(), line
    assert line.startswith("costline: ")
    assert len(line) < 700
    assert "Traceback" not in line
    assert [word for word in words if word not in line] == [], line
    return line


COMMAND_LINES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no command": ((), ("a command is missing", "estimate", "frontier", "plan")),
    "no catalog command": (("catalog",), ("a command is missing", "list", "show")),
    "unknown command": (("plann",), ("unknown command 'plann'", "nearest: plan, ", "costline --help")),
    "unknown catalog command": (("catalog", "lst"), ("unknown command 'lst'", "nearest: list, ")),
    "command with a quote": (("it's.",), ("unknown command", "it's.", "nearest: ")),
    "unknown option": (("plan", "--tpp", "2"), ("unknown option '--tpp'", "--tp, ", "costline plan --help")),
    "unknown option of estimate": (("estimate", "--modle", "x"), ("unknown option '--modle'", "nearest: --model, ")),
    "option without a value": (("estimate", "--model"), ("--model", "requires an argument")),
    "one argument too many": (("plan", "a", "b"), ("unexpected extra argument", "b")),
    "text for a whole number": ((*ESTIMATE, "--tp", "x"), ("--tp='x' must be a whole number", "without a unit")),
    "fraction for a whole number": ((*ESTIMATE, "--tp", "1.5"), ("--tp='1.5' must be a whole number",)),
    "unit in an option": (("plan", "--isl", "8k"), ("--isl='8k' must be a number", "without a unit")),
    "unknown model": (
        ("estimate", "--model", "lama-3-8b"),
        ("unknown model 'lama-3-8b'", "nearest: llama-3-8b, "),
    ),
    "empty model": (("estimate", "--model", ""), ("unknown model ''", "nearest: ")),
    "unknown accelerator": (
        (*ESTIMATE, "--accelerator", "h10"),
        ("unknown accelerator 'h10'", "nearest: ", "h100-sxm"),
    ),
    "empty accelerator": ((*ESTIMATE, "--accelerator", ""), ("unknown accelerator ''", "nearest: ")),
    "unknown engine": ((*ESTIMATE, "--engine", "vlm"), ("unknown engine 'vlm'", "nearest: vllm")),
    "unknown engine of a plan": ((*PLAN, "--engine", "vlm"), ("unknown engine 'vlm'", "nearest: vllm")),
    "unknown weight format": ((*ESTIMATE, "--weights", "fp7"), ("unknown number format 'fp7'", "nearest: fp8, ")),
    "unknown weight format of a plan": ((*PLAN, "--weights", "fp7"), ("unknown number format 'fp7'", "nearest: fp8, ")),
    "unknown cache format": ((*ESTIMATE, "--kv", "fp7"), ("unknown number format 'fp7'", "nearest: fp8, ")),
    "unknown input format": ((*ESTIMATE, "--activations", "fp7"), ("unknown number format 'fp7'", "nearest: ")),
    "unknown calibration": ((*ESTIMATE, "--calibration", "x"), ("calibration='x'", "default or none")),
    "unknown calibration of a plan": ((*PLAN, "--calibration", "x"), ("calibration='x' must be default or none",)),
    "unknown kind": (("catalog", "list", "modles"), ("unknown kind of catalog entry 'modles'", "nearest: models, ")),
    "unknown schema": (("catalog", "schema", "scenaro"), ("unknown kind", "'scenaro'", "nearest: scenario, ")),
    "unknown entry": (("catalog", "show", "h10-sxm"), ("unknown catalog entry 'h10-sxm'", "nearest: ", "h100-sxm")),
    "tp not dividing heads": (
        (*ESTIMATE, "--tp", "3"),
        ("tp=3 does not divide num_attention_heads=32 of llama-3.1-8b", "try 1, 2, 4, 8"),
    ),
    "tp not dividing heads in a plan": ((*PLAN, "--tp", "3"), ("tp=3 does not divide num_attention_heads=32", "try 1")),
    "tp zero": ((*ESTIMATE, "--tp", "0"), ("tp=0 must be at least 1",)),
    "tp below zero": ((*PLAN, "--tp", "-1"), ("deployment.tp=-1 must be at least 1", "larger")),
    "tp beyond integers": ((*ESTIMATE, "--tp", "9" * 30), ("tp=999", "does not divide")),
    "pp beyond layers": ((*ESTIMATE, "--pp", "33"), ("pp=33 exceeds the 32 layers of llama-3.1-8b", "at most 32")),
    "pp beyond layers in a plan": ((*PLAN, "--pp", "33"), ("pp=33 exceeds the 32 layers", "at most 32")),
    "ep of a dense model": ((*ESTIMATE, "--ep", "2"), ("ep=2 needs experts", "dense", "ep=1")),
    "ep not dividing experts": (
        (*MIXTRAL, "--ep", "3"),
        ("ep=3 does not divide the 8 experts of mixtral-8x7b", "try 1, 2"),
    ),
    "ep other than tp·dp": ((*MIXTRAL, "--tp", "2", "--ep", "4"), ("ep=4 must be 1 or tp·dp=2",)),
    "dp of a dense model": ((*ESTIMATE, "--dp", "2"), ("dp=2", "needs experts", "use replicas")),
    "batch below zero": ((*ESTIMATE, "--batch", "-1"), ("batch=-1", "above 0")),
    "batch zero": ((*PLAN, "--batch", "0"), ("deployment.batch=0 must be at least 1",)),
    "batch that is no number": ((*ESTIMATE, "--batch", "nan"), ("batch=nan", "above 0")),
    "context zero": ((*ESTIMATE, "--context", "0"), ("context=0", "above 0")),
    "context without end": ((*ESTIMATE, "--context", "inf"), ("context=inf", "at most")),
    "context beyond the model": (
        (*ESTIMATE, "--context", "200000"),
        ("context=200,000 exceeds max_context_tokens=131,072 of llama-3.1-8b", "shorten"),
    ),
    "workload beyond the model": (
        ("plan", "--model", "llama-3-8b", "--isl", "8000", "--osl", "1000"),
        ("input_tokens + output_tokens=9,000 exceeds max_context_tokens=8,192 of llama-3-8b", "shorten"),
    ),
    "frontier beyond the model": (
        ("frontier", "--model", "llama-3-8b", "--accelerator", "h100", "--isl", "8000", "--osl", "1024"),
        ("input_tokens + output_tokens=9,024 exceeds max_context_tokens=8,192",),
    ),
    "new tokens beyond integers": ((*ESTIMATE, "--new-tokens", "9" * 23), ("new_tokens=999", "at most")),
    "input below zero": (
        ("plan", *PLAN[1:3], "--isl", "-5", "--osl", "1"),
        ("workload.input_tokens=-5.0 must be at least 1",),
    ),
    "output zero": (
        ("plan", *PLAN[1:3], "--isl", "5", "--osl", "0"),
        ("workload.output_tokens=0.0 must be at least 1",),
    ),
    "input that is no number": (
        ("plan", *PLAN[1:3], "--isl", "nan", "--osl", "1"),
        ("input_tokens=nan must be a finite",),
    ),
    "a trillion tokens": (("plan", *PLAN[1:3], "--isl", "1e12", "--osl", "1"), ("must be at most 100,000,000", "unit")),
    "rate below zero": ((*PLAN, "--request-rate", "-1"), ("workload.request_rate=-1.0 must be above 0",)),
    "rate zero": ((*PLAN, "--request-rate", "0"), ("workload.request_rate=0.0 must be above 0",)),
    "rate of nothing": ((*PLAN, "--request-rate", "1e-310"), ("workload.request_rate=1e-310 must be at least 1e-09",)),
    "rate without end": ((*PLAN, "--request-rate", "inf"), ("workload.request_rate=inf must be a finite number",)),
    "rate of a slip": ((*PLAN, "--request-rate", "1e300"), ("workload.request_rate=1e+300 must be at most",)),
    "concurrency zero": ((*PLAN, "--concurrency", "0"), ("workload.concurrency=0.0 must be above 0",)),
    "concurrency of a slip": ((*PLAN, "--concurrency", "1e300"), ("workload.concurrency=1e+300 must be at most",)),
    "rate and concurrency": (
        (*PLAN, "--request-rate", "1", "--concurrency", "1"),
        ("give only one of request_rate, concurrency and stages",),
    ),
    "target zero": ((*PLAN, "--ttft", "0"), ("slo.ttft_p99_ms=0.0 must be above 0",)),
    "target that is no number": ((*PLAN, "--tpot", "nan"), ("slo.tpot_p99_ms=nan must be a finite number",)),
    "whole before first token": (
        (*PLAN, "--ttft", "1000", "--e2e", "500"),
        ("slo: e2e_p99_ms=500 is below ttft_p99_ms=1000", "raise it or drop one"),
    ),
    "price below zero": ((*ESTIMATE, "--price", "-1"), ("price=-1", "from 0 to")),
    "price that is no number": ((*ESTIMATE, "--price", "nan"), ("price=nan", "from 0 to")),
    "price without end": ((*PLAN, "--price", "inf"), ("price.accelerator_usd_per_hour=inf must be a finite number",)),
    "price of a slip": ((*ESTIMATE, "--price", "1e300"), ("price=1e+300", "from 0 to")),
    "memory beyond the device": ((*ESTIMATE, "--memory-utilization", "1.5"), ("memory_utilization=1.5", "(0, 1]")),
    "prefix of the whole prompt": (
        (*PLAN, "--prefix", "100"),
        ("prefix.cached_tokens=100 must stay below input_tokens=100",),
    ),
    "no plan shown": ((*PLAN, "--top", "0"), ("top=0 must be at least 1",)),
    "accelerators zero": ((*PLAN, "--max-accelerators", "0"), ("system.max_accelerators=0 must be at least 1",)),
    "accelerators beyond integers": ((*PLAN, "--max-accelerators", "9" * 30), ("must be at most 65,536",)),
    "neither model nor config": (("estimate",), ("exactly one of --model and --config",)),
    "model and config": ((*ESTIMATE, "--config", "x.json"), ("exactly one of --model and --config",)),
    "plan of nothing": (("plan",), ("is missing; add it",)),
    "plan without a workload": (("plan", "--model", "llama-3.1-8b"), ("workload is missing; add it",)),
    "frontier of nothing": (("frontier",), ("--model", "Missing option")),
    "frontier of commas": (
        ("frontier", "--model", ",", "--accelerator", ","),
        ("at least one model and one accelerator",),
    ),
    "no unit for the weights": (
        (*ESTIMATE, "--accelerator", "tpu-v5e", "--weights", "fp32"),
        ("tpu-v5e cannot compute in fp32", "bf16"),
    ),
    "no unit for the activations": (
        (*ESTIMATE, "--weights", "int4", "--activations", "int4_g32"),
        ("h100-sxm cannot compute in int4_g32", "fp8"),
    ),
    "no unit in a plan": (
        (*PLAN, "--accelerator", "tpu-v5e", "--weights", "fp32"),
        ("tpu-v5e cannot compute in fp32",),
    ),
    "no dense rate": ((*ESTIMATE, "--accelerator", "wse-3"), ("wse-3", "no dense FLOP/s")),
    "no dense rate at a price": ((*PLAN, "--accelerator", "wse-3", "--price", "9"), ("wse-3", "no dense FLOP/s")),
    "no price": (
        (*PLAN, "--accelerator", "gaudi3"),
        ("no rental offer", "gaudi3", "give price.accelerator_usd_per_hour"),
    ),
    "control characters in a name": (
        ("estimate", "--model", "a\x1b[31m\nb\x07"),
        ("unknown model 'a\\x1b[31m\\nb\\x07'",),
    ),
    "letters from afar": (("estimate", "--model", "llämä-🦙"), ("unknown model 'llämä-🦙'",)),
    "bytes that are no text": (("estimate", "--model", "\udcff\udcfe"), ("unknown model '\\udcff\\udcfe'",)),
    "very long model": (("estimate", "--model", LONG), ("unknown model 'xxx", " … ", "nearest: ")),
    "very long command": ((LONG,), ("unknown command 'xxx", " … ", "nearest: ")),
    "very long option": (("plan", f"--{LONG}"), ("unknown option", " … ", "nearest: ")),
    "very long path": (("plan", LONG), ("cannot be read", "check the path")),
    "null in a path": (("plan", "a\0b"), ("a\\x00b", "check the path")),
    "empty path": (("plan", ""), ("is a directory", "give a file")),
    "very long config": (("estimate", "--config", LONG), ("cannot be read", "check the path")),
    "null in a config": (("estimate", "--config", "a\0b"), ("config='a\\x00b'", "give the path")),
    "missing file": (("plan", "nowhere.yml"), ("nowhere.yml does not exist", "check the path")),
    "missing config": (("estimate", "--config", "nowhere.json"), ("'nowhere.json' does not exist", "give the path")),
}


@pytest.mark.parametrize("case", COMMAND_LINES)
def test_a_wrong_command_line(call: Call, case: str):
    args, words = COMMAND_LINES[case]
    refused(call(*args), *words)


SCENARIOS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty file": ("", ("holds nothing", "blocks such as model:")),
    "comment alone": ("# later\n", ("holds nothing",)),
    "list": ("- a\n- b\n", ("holds a list", "blocks such as model:")),
    "one word": ("hello", ("holds one value", "blocks such as model:")),
    "binary": (bytes(range(256)), ("not UTF-8 text", "save it as UTF-8")),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0", ("not UTF-8 text",)),
    "two megabytes": ("a: " + "x" * 2_000_000, ("larger than 1 MiB",)),
    "ten thousand levels": ("a: " + "[" * 10_000 + "]" * 10_000, ("nests deeper than 32 levels", "flatten")),
    "control character": ("model: {id: a\x1bb}\n", ("control characters are not allowed",)),
    "tab": ("model:\n\tid: x\n", ("line 2", "spaces, not tabs")),
    "bracket left open": ("model: {id: x\n", ("line 2", "expected ',' or '}'", "fix the YAML")),
    "two documents": (MODEL + WORK + "---\n" + MODEL, ("line 3", "another document")),
    "object of Python": ("model: !!python/object/apply:os.system ['true']\n", ("line 1", "tag", "fix the YAML")),
    "alias of itself": ("model: &a {id: *a}\n", ("line 1", "alias *a is not allowed", "write the value out")),
    "billion laughs": (
        "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
        ("line 2", "alias *a is not allowed"),
    ),
    "merge key": ("model: {<<: {id: llama-3.1-8b}}\n" + WORK, ("line 1", "merge key <<", "write the keys out")),
    "key twice": (MODEL + MODEL + WORK, ("line 2", "key 'model' also stands on line 1", "keep one")),
    "inner key twice": ("model:\n  id: a\n  id: b\n" + WORK, ("line 3", "key 'id' also stands on line 2", "keep one")),
    "key twice in a list": (
        "workload:\n  stages: [{rate: 1, rate: 2, duration_s: 3}]\n",
        ("line 2", "key 'rate' also stands on line 2"),
    ),
    "number as a key": (MODEL + WORK + "5: 3\n", ("line 3", "key '5' is not text")),
    "yes as a key": (MODEL + WORK + "yes: 3\n", ("line 3", "key 'yes' is not text", "quotes")),
    "list as a key": (MODEL + WORK + "? [a]\n: 3\n", ("line 3", "is not text")),
    "five thousand digits": (MODEL + "workload: {input_tokens: 1" + "0" * 5_000 + "}\n", ("cannot be read", "digits")),
    "day that is none": ("model: {id: 2024-99-99}\n", ("cannot be read",)),
    "day as an id": ("model: {id: 2024-01-01}\n" + WORK, ("model.id", "must be text", "quotes")),
    "no model": (WORK, ("model is missing; add it",)),
    "no workload": (MODEL, ("workload is missing; add it",)),
    "no input": (MODEL + "workload: {output_tokens: 1}", ("workload.input_tokens is missing; add it",)),
    "model as text": ("model: llama-3.1-8b\n" + WORK, ("model='llama-3.1-8b' must be a block", "write model: {id: …}")),
    "model as null": ("model:\n" + WORK, ("model=None must be a block", "write model: {id: …}")),
    "id and config": ("model: {id: a, config: b}\n" + WORK, ("model: give exactly one of id and config",)),
    "neither id nor config": ("model: {}\n" + WORK, ("model: give exactly one of id and config",)),
    "unknown model": ("model: {id: lama-3-8b}\n" + WORK, ("unknown model 'lama-3-8b'", "nearest: llama-3-8b, ")),
    "very long id": (f"model: {{id: {LONG}}}\n" + WORK, ("model.id='xxx", "at most 300 characters")),
    "invisible id": ('model: {id: "a\\u202Eb\\u2028c\\0"}\n' + WORK, ("unknown model 'a\\u202eb\\u2028c\\x00'",)),
    "unknown top key": (MODEL + WORK + "modle: 1", ("unknown key 'modle'", "nearest: model, workload, ")),
    "unknown key of model": ("model: {idd: x}\n" + WORK, ("unknown key 'model.idd'", "nearest: id, config, weights")),
    "unknown key of system": (
        MODEL + WORK + "system: {acelerator: x}",
        ("'system.acelerator'", "nearest: accelerator, "),
    ),
    "unknown key of workload": (
        MODEL + "workload: {inputtokens: 5}",
        ("unknown key 'workload.inputtokens'", "nearest: input_tokens, "),
    ),
    "unknown key of lengths": (
        MODEL + "workload: {input_tokens: {mean: 5, p96: 7}, output_tokens: 3}",
        ("unknown key 'workload.input_tokens.p96'", "nearest: p95, "),
    ),
    "unknown key of prefix": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 3, prefix: {cached: 5}}",
        ("unknown key 'workload.prefix.cached'", "nearest: cached_tokens, "),
    ),
    "unknown key of stages": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 3, stages: [{rat: 5}]}",
        ("unknown key 'workload.stages[0].rat'", "nearest: rate, duration_s"),
    ),
    "unknown key of arrivals": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 3, arrivals: {cvv: 5}}",
        ("unknown key 'workload.arrivals.cvv'", "nearest: cv"),
    ),
    "unknown key of slo": (MODEL + WORK + "slo: {ttft: 5}", ("unknown key 'slo.ttft'", "nearest: ttft_p99_ms, ")),
    "unknown key of deployment": (MODEL + WORK + "deployment: {tpp: 5}", ("'deployment.tpp'", "nearest: tp, pp, ep")),
    "unknown key of engine": (
        MODEL + WORK + "deployment: {engine: {nam: vllm}}",
        ("unknown key 'deployment.engine.nam'", "nearest: name, "),
    ),
    "unknown key of price": (MODEL + WORK + "price: {usd: 3}", ("unknown key 'price.usd'", "accelerator_usd_per_hour")),
    "unknown component": (
        "model: {id: llama-3.1-8b, weights: {hed: fp8}}\n" + WORK,
        ("unknown component of model.weights 'hed'", "nearest: head, "),
    ),
    "unknown format of a component": (
        "model: {id: llama-3.1-8b, weights: {head: fp7}}\n" + WORK,
        ("unknown number format 'fp7'", "nearest: fp8, "),
    ),
    "no accelerator": (
        MODEL + WORK + "system: {accelerator: []}",
        ("system.accelerator=[] must have at least 1 entry",),
    ),
    "accelerator as a number": (
        MODEL + WORK + "system: {accelerator: 4090}",
        ("system.accelerator=4090 must be a list",),
    ),
    "accelerator in a list as a number": (
        MODEL + WORK + "system: {accelerator: [h100, 4090]}",
        ("system.accelerator[1]=4090 must be text", "quotes"),
    ),
    "system as text": (
        MODEL + WORK + "system: h100",
        ("system='h100' must be a block", "write system: {accelerator: …}"),
    ),
    "unit in a number": (
        MODEL + 'workload: {input_tokens: "8 GB", output_tokens: 1}',
        ("workload.input_tokens='8 GB' must be a number or a block with mean, p95", "without a unit"),
    ),
    "unit in a target": (
        MODEL + WORK + "slo: {tpot_p99_ms: 50 ms}",
        ("slo.tpot_p99_ms='50 ms' must be a number", "unit"),
    ),
    "yes for a number": (
        MODEL + "workload: {input_tokens: yes, output_tokens: 1}",
        ("input_tokens=True", "not yes or no"),
    ),
    "yes for a degree": (
        MODEL + WORK + "deployment: {tp: yes}",
        ("deployment.tp=True must be a number, not yes or no",),
    ),
    "null for a number": (
        MODEL + "workload: {input_tokens: null, output_tokens: 1}",
        ("workload.input_tokens=None must be a number", "write a plain number"),
    ),
    "list for a number": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 1, request_rate: [5]}",
        ("request_rate=[5] must be a number",),
    ),
    "a trillion tokens": (
        MODEL + "workload: {input_tokens: 1000000000000, output_tokens: 1}",
        ("workload.input_tokens=1000000000000 must be at most 100,000,000", "unit"),
    ),
    "word for a degree": (
        MODEL + WORK + "deployment: {tp: many}",
        ("deployment.tp='many' must be a whole number or auto",),
    ),
    "half a degree": (MODEL + WORK + "deployment: {tp: 2.5}", ("deployment.tp=2.5 must be a whole number or auto",)),
    "no replica": (MODEL + WORK + "deployment: {replicas: 0}", ("deployment.replicas=0 must be at least 1",)),
    "disaggregated": (
        MODEL + WORK + "deployment: {disaggregated: perhaps}",
        ("disaggregated='perhaps' must be auto, true or false",),
    ),
    "pools and replicas": (
        MODEL + WORK + "deployment: {disaggregated: true, replicas: 2}",
        ("replicas=2 cannot size two pools", "leave it auto"),
    ),
    "speculation as a word": (
        MODEL + WORK + "deployment: {speculation: eagle}",
        ("deployment.speculation='eagle' must be a block", "draft"),
    ),
    "engine as text": (
        MODEL + WORK + "deployment: {engine: vllm}",
        ("deployment.engine='vllm' must be a block", "{name: …}"),
    ),
    "memory beyond the device": (
        MODEL + WORK + "deployment: {engine: {memory_utilization: 1.5}}",
        ("deployment.engine.memory_utilization=1.5 must be at most 1",),
    ),
    "batch beyond the engine": (
        MODEL + WORK + "deployment: {batch: 2000}",
        ("deployment: batch=2000 exceeds engine.max_sequences=1024", "raise max_sequences"),
    ),
    "shared beyond the prompt": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 1, prefix: {shared_tokens: 6}}",
        ("prefix.shared_tokens=6 must not exceed input_tokens=5", "lower it"),
    ),
    "half a token": (
        MODEL + "workload: {input_tokens: 0.5, output_tokens: 1}",
        ("workload.input_tokens=0.5 must be at least 1",),
    ),
    "no sequence": (
        MODEL + WORK + "deployment: {engine: {max_sequences: 0}}",
        ("deployment.engine.max_sequences=0 must be at least 1",),
    ),
    "p95 below the mean": (
        MODEL + "workload: {input_tokens: {mean: 5, p95: 3}, output_tokens: 1}",
        ("workload.input_tokens: p95=3 is below mean=5", "swap them"),
    ),
    "prefix of the whole prompt": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 1, prefix: {cached_tokens: 5}}",
        ("prefix.cached_tokens=5 must stay below input_tokens=5", "lower it"),
    ),
    "two loads": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 1, request_rate: 5, concurrency: 3}",
        ("workload: give only one of request_rate, concurrency and stages",),
    ),
    "no stage": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 1, stages: []}",
        ("stages=[] must have at least 1",),
    ),
    "stage without a rate": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 1, stages: [{duration_s: 5}]}",
        ("workload.stages[0].rate is missing",),
    ),
    "unknown arrivals": (
        MODEL + "workload: {input_tokens: 5, output_tokens: 1, arrivals: posson}",
        (
            "workload.arrivals='posson' must be poisson, constant, at_once, trace or a block with cv",
            "write one of these",
        ),
    ),
    "whole before first token": (
        MODEL + WORK + "slo: {ttft_p99_ms: 9, e2e_p99_ms: 5}",
        ("e2e_p99_ms=5 is below ttft_p99_ms=9",),
    ),
    "unknown offer": (MODEL + WORK + "price: {offer: verda-h100}", ("unknown offer 'verda-h100'", "nearest: verda-h")),
    "offer for another chip": (
        MODEL + WORK + "price: {offer: verda-b200-sxm-on-demand-2026-05-24}",
        ("is for b200-sxm, not h100-sxm", "name an offer for it"),
    ),
    "offer and price": (
        MODEL + WORK + "price: {offer: x, accelerator_usd_per_hour: 2}",
        ("price: give accelerator_usd_per_hour or offer, not both",),
    ),
    "price below zero": (
        MODEL + WORK + "price: {accelerator_usd_per_hour: {h100: -1}}",
        ("price.accelerator_usd_per_hour.h100=-1 must be at least 0",),
    ),
    "price of an unknown chip": (
        MODEL + WORK + "price: {accelerator_usd_per_hour: {h10: 1}}",
        ("unknown accelerator 'h10'", "nearest: "),
    ),
    "price as a word": (
        MODEL + WORK + "price: {accelerator_usd_per_hour: cheap}",
        ("'cheap' must be a number or a table",),
    ),
    "calibration as no": (MODEL + WORK + "calibration: no", ("calibration=False must be default or none",)),
}


@pytest.mark.parametrize("case", SCENARIOS)
def test_a_wrong_scenario(call: Call, tmp_path: Path, case: str):
    content, words = SCENARIOS[case]
    path = tmp_path / "scenario.yml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(call("plan", path, "--out", tmp_path / "out", "--json"), *words)
    assert [found.name for found in tmp_path.iterdir()] == ["scenario.yml"]


LLAMA = (
    '"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, '
    '"intermediate_size": 128, "vocab_size": 100'
)
CONFIGS: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty": ("", ("not valid JSON at line 1", "complete?")),
    "truncated": (f"{{{LLAMA}"[:-5], ("not valid JSON at line 1", "complete?")),
    "no JSON": ("model: llama", ("not valid JSON at line 1",)),
    "list": ("[1, 2]", ("holds no JSON object", "config.json")),
    "number": ("3", ("holds no JSON object",)),
    "null": ("null", ("holds no JSON object",)),
    "binary": (bytes(range(256)), ("cannot be read", "config.json")),
    "two megabytes": ('{"a": "' + "x" * 2_000_000 + '"}', ("2000009 bytes, more than 1000000", "not weights")),
    "nested lists": ("[" * 100_000 + "]" * 100_000, ("cannot be read", "recursion")),
    "nested objects": ('{"a":' * 50_000 + "1" + "}" * 50_000, ("cannot be read", "recursion")),
    "no field": ("{}", ("config lacks num_attention_heads", "add it")),
    "no layers": (f"{{{LLAMA}}}".replace('"num_hidden_layers": 2, ', ""), ("config lacks num_hidden_layers", "add it")),
    "no vocabulary": (f"{{{LLAMA}}}".replace(', "vocab_size": 100', ""), ("config lacks vocab_size", "add it")),
    "text for a size": (
        f"{{{LLAMA}}}".replace("64", '"big"'),
        ("hidden_size='big'", "must be a whole number", "correct"),
    ),
    "list for a size": (f"{{{LLAMA}}}".replace("64", "[64]"), ("hidden_size=[64]", "must be a whole number")),
    "true for a size": (f"{{{LLAMA}}}".replace("64", "true"), ("hidden_size=True", "must be a whole number")),
    "half a layer": (f"{{{LLAMA}}}".replace(": 2,", ": 2.5,"), ("num_hidden_layers=2.5", "must be a whole number")),
    "layers below zero": (f"{{{LLAMA}}}".replace(": 2,", ": -2,"), ("num_hidden_layers=-2", "must be a whole number")),
    "NaN": (f"{{{LLAMA}}}".replace("64", "NaN"), ("hidden_size=nan", "must be a whole number")),
    "size beyond integers": (f"{{{LLAMA}}}".replace("64", "1" + "0" * 40), ("hidden_size=1", "must be a whole number")),
    "five thousand digits": (f"{{{LLAMA}}}".replace("64", "1" + "0" * 5_000), ("cannot be read", "digits")),
    "text for a table": ('{"text_config": "x"}', ("text_config='x'", "must be a table")),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_wrong_config(call: Call, tmp_path: Path, case: str):
    content, words = CONFIGS[case]
    path = tmp_path / "config.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(call("estimate", "--config", path, "--out", tmp_path / "out"), *words)
    assert [found.name for found in tmp_path.iterdir()] == ["config.json"]


def test_a_sound_config_is_no_mistake(call: Call, tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text(f"{{{LLAMA}}}", encoding="utf-8")
    assert call("estimate", "--config", path, "--json").code == 0


def test_a_folder_instead_of_a_file(call: Call, tmp_path: Path):
    refused(call("plan", tmp_path), "is a directory; give a file")
    refused(call("estimate", "--config", tmp_path), "is a directory; give the config.json inside it")


def test_a_file_that_may_not_be_read(call: Call, tmp_path: Path):
    path = tmp_path / "closed"
    path.write_text(MODEL, encoding="utf-8")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    refused(call("plan", path), "closed cannot be read", "permissions")
    refused(call("estimate", "--config", path), "closed", "cannot be read")


# Folders to write to


def test_out_is_a_file(call: Call, tmp_path: Path):
    place = tmp_path / "taken"
    place.write_text("mine", encoding="utf-8")
    refused(call(*ESTIMATE, "--out", place), "--out", "taken", "cannot be written", "choose another folder")
    refused(call(*ESTIMATE, "--out", place / "below"), "--out", "cannot be written")
    assert place.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("place", ["a\0b", "", LONG])
def test_out_is_no_folder(call: Call, place: str):
    refused(call(*ESTIMATE, "--out", place), "--out")


def test_out_may_not_be_written(call: Call, tmp_path: Path):
    place = tmp_path / "closed"
    place.mkdir()
    place.chmod(0o500)
    if os.access(place, os.W_OK):
        pytest.skip("this user may write everywhere")
    refused(call(*ESTIMATE, "--out", place), "--out", "cannot be written")


@pytest.mark.parametrize("taken", ["result.json", "table.csv", "prefill_terms.svg"])
def test_out_is_written_whole_or_not_at_all(call: Call, tmp_path: Path, taken: str):
    (tmp_path / taken).mkdir()
    refused(call(*ESTIMATE, "--out", tmp_path), "--out", f"{taken} is a directory")
    assert [found.name for found in tmp_path.iterdir()] == [taken]


# The catalog


@pytest.mark.parametrize(
    "identity", ["../../x", "/etc/x", "a/b", "A B", "..", ".", "-x", "a\0b", "a\nb", "", LONG, "caf\xe9", "C:\\x"]
)
def test_an_added_model_stays_in_its_folder(call: Call, tmp_path: Path, identity: str):
    config = tmp_path / "config.json"
    config.write_text(f"{{{LLAMA}}}", encoding="utf-8")
    refused(call("catalog", "add", "model", config, "--id", identity, "--to", tmp_path / "to"), "id=", "--id")
    assert [found.name for found in tmp_path.iterdir()] == ["config.json"]


def test_an_added_model_needs_a_place_and_a_new_name(call: Call, tmp_path: Path):
    config = tmp_path / "config.json"
    config.write_text(f"{{{LLAMA}}}", encoding="utf-8")
    add = ("catalog", "add", "model", config, "--id")
    refused(call(*add, "new"), "--to DIR", "COSTLINE_CATALOG")
    refused(call(*add, "new", "--to", config), "--to", "cannot be written")
    refused(call(*add, "llama-3.1-8b", "--to", tmp_path), "'llama-3.1-8b' is already", "--id")
    refused(call("catalog", "add", "model", tmp_path / "none.json", "--to", tmp_path), "does not exist")
    assert [found.name for found in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize("args", [ESTIMATE, PLAN, ("catalog", "list", "models"), ("catalog", "check")])
def test_a_catalog_that_is_nowhere(tmp_path: Path, args: tuple[str, ...]):
    done = subprocess.run(
        [sys.executable, "-c", "from costline.cli import main; main()", *args],
        env={**os.environ, "COSTLINE_CATALOG": str(tmp_path / "nowhere")},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    outcome = Outcome(done.returncode, done.stdout, done.stderr)
    refused(outcome, "COSTLINE_CATALOG names", "nowhere", "no directory; correct or unset it")


# Nothing is feasible


def test_no_room_anywhere(call: Call):
    question = ("--isl", "100", "--osl", "10", "--weights", "bf16", "--max-accelerators", "2")
    outcome = call("plan", "--model", "llama-3.1-405b", "--accelerator", "l40s", *question)
    line = refused(outcome, "memory excludes llama-3.1-405b", "GB", "l40s", "max_accelerators", code=3)
    assert "narrower weights" in line


def test_no_room_for_the_batch(call: Call):
    question = ("plan", "--model", "llama-3.1-8b", "--isl", "100000", "--osl", "1000", "--max-accelerators", "1")
    line = refused(call(*question, "--batch", "500"), "memory excludes", "no room for a batch of 500", code=3)
    assert "a smaller batch" in line


def test_degrees_that_cannot_be(call: Call):
    refused(call(*PLAN, "--tp", "16", "--max-accelerators", "8"), "no legal layout", "at most 8", "fix fewer", code=3)


def test_no_deployment_meets_the_target(call: Call):
    outcome = call(*PLAN, "--request-rate", "1", "--tpot", "0.01")
    refused(outcome, "TPOT p99 of 10 µs excludes every deployment", "the nearest reaches", "tpot_p99_ms", code=3)


def test_no_file_is_left_where_nothing_is_feasible(call: Call, tmp_path: Path):
    refused(call(*PLAN, "--tpot", "0.01", "--json", "--out", tmp_path / "out"), "TPOT", code=3)
    assert list(tmp_path.iterdir()) == []
