"""Numbers of serving: read in SI, another engine's stand-in, and what they put in place of those of steps."""

from __future__ import annotations

import pytest

from costline.catalog.models import find_model
from costline.catalog.serving_overheads import all_serving_overheads, samples_by_top_p, serving_overheads
from costline.catalog.step_overheads import step_overheads


def test_numbers_are_in_si():
    vllm = serving_overheads("vllm")
    assert 1e-11 < vllm.sampler_s < 1e-9
    assert vllm.request_s is not None
    assert 1e-3 < vllm.request_s < 2e-2
    assert 0 < vllm.decode_attention_share < 1.5


def test_an_engine_that_was_not_compared_takes_the_default():
    assert serving_overheads("some-engine") is all_serving_overheads()["default"]
    assert serving_overheads("VLLM").engine == "vllm"


def test_whole_runs_stand_in_place_of_steps_and_the_default_in_place_of_nothing():
    steps = step_overheads("vllm")
    served = serving_overheads("vllm").over(steps)
    assert served.host_step_s == serving_overheads("vllm").host_step_s
    assert served.compute_share == steps.compute_share
    assert serving_overheads("sglang").over(steps) == steps


@pytest.mark.parametrize(("name", "sorts"), [("llama-3.1-70b", True), ("qwen2.5-7b", True), ("yi-34b", False)])
def test_models_that_ask_for_top_p(name: str, sorts: bool):
    assert samples_by_top_p(find_model(name), serving_overheads("vllm")) is sorts
    assert not samples_by_top_p(find_model(name), serving_overheads("sglang"))


def test_the_file_says_where_it_is_from():
    assert serving_overheads("vllm").provenance[""].source == "serving-runs"
