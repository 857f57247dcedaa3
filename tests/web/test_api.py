"""The API gives the answers of the command line, says how far it is, and can be stopped."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from costline.web.address import query_of
from costline.web.questions import QUESTIONS
from web_pages import differences

SMALL: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b", "weights": "fp8"},
    "system": {"accelerator": ["l40s"], "max_accelerators": 1},
    "workload": {"input_tokens": 1024, "output_tokens": 128, "request_rate": 2},
    "deployment": {"disaggregated": False},
}
ENDLESS = {"model": {"id": "deepseek-v3"}, "system": {"accelerator": ["all"], "max_accelerators": 512},
           "workload": {"input_tokens": 8192, "output_tokens": 1024, "request_rate": 50},
           "price": {"accelerator_usd_per_hour": 2}}  # fmt: skip
RATES: dict[str, Any] = {"model": "llama-3.1-8b", "accelerator": "l40s", "batch": 8, "context": 2048}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "small.yml"
    path.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    return path


def test_plan_is_that_of_the_command_line(ask: Any, run_cli: Any, scenario: Path):
    said = ask("/api/plan", SMALL)
    assert said.status == 200
    assert differences(said.json, json.loads(run_cli("plan", scenario, "--json").stdout)) == []
    as_yaml = ask("/api/plan", body=scenario.read_bytes(), content_type="application/yaml")
    assert as_yaml.json == said.json


def test_estimate_is_that_of_the_command_line(ask: Any, run_cli: Any):
    flags = [word for name, value in RATES.items() for word in (f"--{name}", value)]
    assert differences(ask("/api/estimate", RATES).json, json.loads(run_cli("estimate", *flags, "--json").stdout)) == []


def test_frontier_is_that_of_the_command_line(ask: Any, run_cli: Any):
    asked = {"models": ["llama-3.1-8b"], "accelerators": ["l40s"], "max_accelerators": 1}
    flags = ["--model", "llama-3.1-8b", "--accelerator", "l40s", "--max-accelerators", 1]
    assert differences(ask("/api/frontier", asked).json, json.loads(run_cli("frontier", *flags, "--json").stdout)) == []


def test_catalog_is_that_of_the_command_line(ask: Any, run_cli: Any):
    assert ask("/api/catalog/engines").body.decode() == run_cli("catalog", "list", "engines", "--json").stdout
    assert ask("/api/entry?name=L40S").body.decode() == run_cli("catalog", "show", "L40S", "--json").stdout
    assert "models" in ask("/api/catalog").json["kinds"]
    assert ask("/api/catalog/unicorns").status == 404


def test_a_page_has_its_data_as_json(ask: Any):
    query = "model=llama-3.1-8b&accelerator=l40s&batch=8&context=2048"
    page = ask(f"/explorer.json?{query}").json
    assert page["data"] == ask("/api/estimate", RATES).json
    assert {"tables", "charts", "summary", "sources"} <= page.keys()
    assert ask(f"/plan/result.json?{query_of(SMALL)}").json == ask("/api/plan", SMALL).json


def test_a_scenario_survives_the_address(ask: Any):
    query = "model.id=llama-3.1-8b&workload.input_tokens=1024&workload.output_tokens=128&workload.request_rate=2"
    said = ask(f"/plan/scenario.yml?{query}")
    assert yaml.safe_load(said.body) == {
        "model": {"id": "llama-3.1-8b"}, "workload": {"input_tokens": 1024, "output_tokens": 128, "request_rate": 2},
    }  # fmt: skip
    assert "attachment" in said.headers["content-disposition"]


def test_a_pasted_config_can_be_planned(ask: Any):
    config = {
        "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
        "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 4096,
    }  # fmt: skip
    shown = ask("/api/model", config).json["model"]
    assert shown["layers"] == 22
    said = ask("/api/plan", {**SMALL, "model": {"config": config}}).json
    assert said["scenario"]["model"]["config"] == config
    assert said["model"] == "pasted-model"


@pytest.mark.parametrize(("document", "status", "words"), [
    ({**SMALL, "model": {"id": "lama-3.1-8b"}}, 422, "nearest: llama-3.1-8b"),
    ({**SMALL, "modell": 1}, 422, "unknown key 'modell'"),
    ({**SMALL, "slo": {"ttft_p99_ms": 0.001}}, 409, "excludes every deployment"),
    ({**SMALL, "top": 10_000}, 422, "top=10000"),
    ({**SMALL, "workload": {"input_tokens": "many", "output_tokens": 1}}, 422, "workload.input_tokens"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(ask: Any, document: dict[str, Any], status: int, words: str):
    said = ask("/api/plan", document)
    assert said.status == status
    assert words in said.json["error"]
    assert "\n" not in said.json["error"]


def events(base: str, document: Any, *, stop: Callable[[str, Any], bool]) -> list[tuple[str, Any]]:
    """Server-sent events until `stop` says so."""
    place = urlsplit(base)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {"accept": "text/event-stream", "content-type": "application/json"}
    connection.request("POST", "/api/plan", json.dumps(document), headers)
    reply, found, name = connection.getresponse(), list[tuple[str, Any]](), ""
    assert reply.status == 200
    try:
        while line := reply.readline().decode():
            if line.startswith("event: "):
                name = line[7:].strip()
            elif line.startswith("data: "):
                found.append((name, json.loads(line[6:])))
                if stop(*found[-1]):
                    break
    finally:
        reply.close()
        connection.close()
    return found


def test_long_work_tells_how_far_it_is_and_can_be_cancelled(base: str, ask: Any):
    seen = events(base, ENDLESS, stop=lambda name, _: name == "progress")
    assert [name for name, _ in seen] == ["started", "progress"]
    assert seen[1][1]["elapsed_s"] > 0
    job = seen[0][1]["job"]
    waiting: list[tuple[str, Any]] = []
    thread = threading.Thread(
        target=lambda: waiting.extend(events(base, ENDLESS, stop=lambda name, _: name in ("answer", "refused")))
    )
    thread.start()
    time.sleep(0.6)
    assert ask(f"/api/jobs/{job}", method="DELETE").json == {"cancelled": True}
    thread.join(20)
    assert not thread.is_alive()
    assert waiting[-1] == ("refused", {"error": "cancelled", "status": 409})
    assert ask(f"/api/jobs/{job}", method="DELETE").status == 404


def test_an_answer_streams_like_any_other(base: str, ask: Any):
    seen = events(base, SMALL, stop=lambda name, _: name == "answer")
    assert seen[-1] == ("answer", ask("/api/plan", SMALL).json)


def test_huge_questions_leave_others_alone(base: str, ask: Any):
    """While every long worker is busy, quick questions are answered as ever."""
    threads = [
        threading.Thread(target=events, args=(base, {**ENDLESS, "top": top}),
                         kwargs={"stop": lambda name, data: name == "progress" and data["elapsed_s"] > 4})
        for top in (1, 2, 3)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    for batch in range(1, 6):
        assert ask("/api/estimate", {**RATES, "batch": batch}).status == 200
    elapsed_s = time.monotonic() - started
    for thread in threads:
        thread.join(30)
    assert elapsed_s < 4


def test_the_api_describes_itself(ask: Any):
    described = ask("/openapi.json").json
    for name, question in QUESTIONS.items():
        body = described["paths"][f"/api/{name}"]["post"]["requestBody"]["content"]
        assert body["application/json"]["example"] == question.example
        assert question.shape.__name__ in described["components"]["schemas"]
    assert "/plan.json" in described["paths"]


@pytest.mark.parametrize("name", ["estimate", "frontier", "compare", "reproduce"])
def test_examples_of_the_description_work(ask: Any, name: str):
    assert ask(f"/api/{name}", dict(QUESTIONS[name].example)).status == 200
