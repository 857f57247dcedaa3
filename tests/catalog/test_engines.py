"""Defaults and flags of serving engines."""

from __future__ import annotations

import pytest

from costline.catalog import load
from costline.catalog.engines import engine_facts, program
from costline.catalog.find import engine
from costline.errors import UnknownIdError

PROGRAMS = (
    "vllm", "sglang", "trtllm-serve", "tensorrt-llm", "vllm-router", "sglang-router", "dynamo-trtllm",
    "dynamo-frontend",
)  # fmt: skip


def test_each_engine_has_memory_and_facts():
    assert engine_facts().keys() == load.engines().keys() == {"vllm", "sglang", "tensorrt-llm"}


@pytest.mark.parametrize("name", list(engine_facts()))
def test_limits_ascend_and_families_are_known(name: str):
    facts = engine_facts()[name]
    bounds = [item.from_memory_bytes for item in facts.limits]
    assert bounds == sorted(set(bounds))
    assert bounds[:1] in ([], [0])
    families = {chip.family for chip in load.chips().values()}
    assert facts.weight_formats.keys() == facts.cache_formats.keys() <= families
    assert list(facts.graph_batches) == sorted(set(facts.graph_batches))
    starts = [item.start for item in facts.graph_strides]
    assert starts == sorted(starts)


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_settings_are_flags_of_the_parser(name: str):
    flags = program(name).flags
    assert [flag for flag in engine_facts()[name].flags.values() if flag not in flags] == []


def test_settings_of_tensorrt_llm_are_keys_of_its_file():
    keys = program("tensorrt-llm").objects["engine_args"]
    assert [flag for flag in engine_facts()["tensorrt-llm"].flags.values() if flag not in keys] == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_say_where_they_are_from(name: str):
    found = program(name)
    assert found.provenance[""].source in load.sources()
    assert found.version
    assert found.flags or found.objects


def test_versions_agree():
    for name in ("vllm", "sglang"):
        assert program(name).version == engine_facts()[name].release


def test_what_the_wheels_say():
    # vllm 0.33.0: config/cache.py, engine/arg_utils.py; sglang 0.5.23: srt/arg_groups/memory_hook.py.
    vllm, sglang = engine_facts()["vllm"], engine_facts()["sglang"]
    assert (vllm.memory_fraction, vllm.block_tokens, vllm.limits[1].max_batched_tokens) == (0.92, 16, 8192)
    assert (sglang.memory_fraction, sglang.block_tokens, sglang.limits[-1].max_batched_tokens) == (None, 1, 16384)
    assert program("vllm").flags["--enable-prefix-caching"].negatable
    assert "fp8" in program("vllm").flags["--kv-cache-dtype"].known
    assert program("sglang").flags["--disaggregation-mode"].choices == ("null", "prefill", "decode")
    assert program("vllm").objects["--kv-transfer-config"]["kv_role"].choices == (
        "kv_producer", "kv_both", "kv_consumer",
    )  # fmt: skip


def test_an_engine_that_nobody_knows():
    with pytest.raises(UnknownIdError, match="vllm"):
        program("vlm")


def test_tensorrt_llm_shares_out_what_is_free():
    assert engine("tensorrt-llm").fraction_of == "rest"
    assert engine("vllm").fraction_of == "memory"
