"""The scenario: what it takes, what it fills in, and that every way to write it says the same."""

from __future__ import annotations

import math
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from costline.answers.faults import keys_of, written
from costline.answers.read_scenario import MAX_DEPTH, read_scenario
from costline.answers.scenario import MAX_TOKENS, Scenario
from costline.answers.search.candidates import load_of
from costline.errors import InputError

SMALLEST: dict[str, Any] = {"model": {"id": "llama-3.1-8b"}, "workload": {"input_tokens": 100, "output_tokens": 10}}


def test_the_smallest_scenario_is_a_model_and_a_workload():
    asked = read_scenario(SMALLEST)
    assert asked.system.accelerator == ["h100-sxm"]
    assert (asked.model.weights, asked.model.kv_cache) == ("auto", "auto")
    assert asked.slo.ttft_p99_ms is asked.workload.request_rate is asked.price.offer is None
    assert {asked.deployment.tp, asked.deployment.pp, asked.deployment.ep, asked.deployment.dp} == {"auto"}
    assert asked.deployment.engine.name == "vllm"
    assert asked.calibration == "default"


def test_a_scenario_survives_its_own_dump():
    asked = read_scenario(SMALLEST, slo={"ttft_p99_ms": 500}, system={"accelerator": ["h100", "b200"]})
    assert read_scenario(asked.model_dump()) == asked
    assert Scenario.model_validate_json(asked.model_dump_json()) == asked


def test_file_mapping_and_keywords_say_the_same(tmp_path: Path):
    path = tmp_path / "s.yml"
    path.write_text(yaml.safe_dump(SMALLEST), encoding="utf-8")
    answers = [read_scenario(source) for source in (SMALLEST, path, str(path))]
    assert answers == [read_scenario(**SMALLEST)] * 3


def test_json_is_yaml_and_a_mark_of_utf_8_does_no_harm(tmp_path: Path):
    path = tmp_path / "s.json"
    path.write_bytes(
        b'\xef\xbb\xbf{"model": {"id": "llama-3.1-8b"}, "workload": {"input_tokens": 9, "output_tokens": 1}}'
    )
    assert read_scenario(path).workload.input_mean == 9


def test_keywords_win_key_by_key():
    asked = read_scenario(SMALLEST, workload={"output_tokens": 20}, model={"weights": "fp8"})
    assert (asked.workload.input_mean, asked.workload.output_mean) == (100, 20)
    assert (asked.model.id, asked.model.weights) == ("llama-3.1-8b", "fp8")


def test_reading_changes_nothing_that_was_given():
    mine = {"model": {"id": "llama-3.1-8b"}, "workload": {"input_tokens": 100, "output_tokens": 10}}
    read_scenario(mine, model={"weights": "fp8"})
    assert mine == SMALLEST


def test_a_scenario_is_frozen():
    asked = read_scenario(SMALLEST)
    with pytest.raises(ValueError, match="frozen"):
        asked.workload.request_rate = 3  # type: ignore[misc]


@pytest.mark.parametrize("text", ["1e3", "1000", "1_000", "1000.0", "+1000"])
def test_numbers_as_yaml_writes_them(tmp_path: Path, text: str):
    path = tmp_path / "s.yml"
    path.write_text(
        f"model: {{id: llama-3.1-8b}}\nworkload: {{input_tokens: {text}, output_tokens: 1}}", encoding="utf-8"
    )
    assert read_scenario(path).workload.input_mean == 1000


def test_one_accelerator_needs_no_list():
    assert read_scenario(SMALLEST, system={"accelerator": "b200-sxm"}).system.accelerator == ["b200-sxm"]


def test_stages_are_planned_for_the_highest():
    stages = [{"rate": 3, "duration_s": 60}, {"rate": 8, "duration_s": 60}, {"rate": 1, "duration_s": 60}]
    assert read_scenario(SMALLEST, workload={"stages": stages}).workload.peak_request_rate == 8
    assert read_scenario(SMALLEST, workload={"request_rate": 2}).workload.peak_request_rate == 2
    assert read_scenario(SMALLEST).workload.peak_request_rate is None


@pytest.mark.parametrize(
    ("arrivals", "cv2"), [("poisson", 1.0), ("constant", 0.0), ({"cv": 2}, 4.0), ({"cv": 0.5}, 0.25)]
)
def test_variation_of_arrivals(arrivals: Any, cv2: float):
    assert load_of(read_scenario(SMALLEST, workload={"arrivals": arrivals})).arrival_cv2 == cv2


@given(spread=st.floats(0.05, 1.6), mean=st.floats(1, 1e4))
def test_lengths_give_back_the_log_normal_they_came_from(spread: float, mean: float):
    """Mean and 95th percentile of a log-normal of this spread: mean exp(1.645 s - s² / 2)."""
    p95 = mean * math.exp(1.6448536269514722 * spread - spread**2 / 2)
    asked = read_scenario(SMALLEST, workload={"output_tokens": {"mean": mean, "p95": p95}})
    assert asked.workload.output_mean == mean
    assert asked.workload.output_cv2 == pytest.approx(math.exp(spread**2) - 1, rel=1e-6)


def test_lengths_without_a_p95_do_not_vary():
    assert read_scenario(SMALLEST, workload={"output_tokens": {"mean": 10}}).workload.output_cv2 == 0


# Whatever is given: a scenario, or one line

LEAVES = st.none() | st.booleans() | st.integers(-5, 10**30) | st.floats() | st.text(string.printable, max_size=8)
KEYS = st.sampled_from(
    [
        *("model", "workload", "system", "slo", "deployment", "price", "calibration", "id", "config", "weights"),
        *("input_tokens", "output_tokens", "mean", "p95", "prefix", "cached_tokens", "request_rate", "stages"),
        *("accelerator", "tp", "engine", "name", "arrivals", "cv", "accelerator_usd_per_hour", "ttft_p99_ms"),
    ]
) | st.text(string.printable, max_size=6)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
BLOCKS = st.fixed_dictionaries({}, optional=dict.fromkeys(Scenario.model_fields, DOCUMENTS))


def refusal(document: dict[str, Any]) -> str:
    """Why the document is refused; nothing where it is not."""
    try:
        read_scenario(document)
    except InputError as error:
        return str(error)
    return ""


@given(BLOCKS)
def test_any_mapping_is_read_or_refused_in_one_line(document: dict[str, Any]):
    said = refusal(document)
    assert "\n" not in said
    assert len(said) < 400


@given(
    st.text(st.characters(codec="utf-8"), max_size=200)
    | BLOCKS.map(lambda one: yaml.safe_dump(one, allow_unicode=True))
)
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str):
    path = tmp_path_factory.mktemp("any") / "s.yml"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(InputError):
        read_scenario(path, model={"none": 1})


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.mktemp("any") / "s.yml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_scenario(path)


def test_nesting_up_to_the_limit_is_refused_for_what_it_says(tmp_path: Path):
    path = tmp_path / "s.yml"
    path.write_text("slo: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), encoding="utf-8")
    with pytest.raises(InputError, match="must be a block"):
        read_scenario(path, **SMALLEST)


def test_largest_numbers_are_taken():
    asked = read_scenario(SMALLEST, workload={"input_tokens": MAX_TOKENS, "request_rate": MAX_TOKENS})
    assert asked.workload.input_mean == MAX_TOKENS


def test_keys_of_every_block_are_known():
    assert keys_of(()) == list(Scenario.model_fields)
    assert keys_of(("workload", "input_tokens")) [:2] == ["mean", "p95"]
    assert keys_of(("deployment", "engine"))[0] == "name"
    assert keys_of(("model", "weights", "head")) == []
    assert written(("a", 0, "b", 1)) == "a[0].b[1]"


def test_each_field_is_described_in_the_schema():
    blocks = [Scenario.model_json_schema(), *Scenario.model_json_schema()["$defs"].values()]
    named = {"mean", "p95", "cv", "rate", "duration_s"}
    bare = [name for block in blocks for name, field in block["properties"].items() if "description" not in field]
    assert set(bare) <= named
