"""The models of the catalog: found by any name, read without the rest, sound, each value with its source."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from costline.architecture.formats import FORMATS, format_name
from costline.architecture.weights import COMPONENTS, parameters
from costline.catalog import model_fields
from costline.catalog import models as catalog
from costline.catalog.models import find_model, models, normal
from costline.catalog.read import DATA, files
from costline.errors import CatalogError, UnknownIdError

MODELS = models()
CACHES = (catalog._entries, catalog._files_by_id, catalog._ids_by_name, catalog._model)
TEXT = """
source: definition
kind: assumed
retrieved: 2026-11-20
models:
  %s
"""
TINY = """tiny:
    name: Tiny
    hidden: 64
    vocab: 128
    max_context_tokens: 512
    layers:
      - {count: 2, attention: {heads: 4, head_dim: 16}, mlp: {width: 96}}
"""


@pytest.fixture
def fresh() -> Iterator[None]:
    """The catalog's caches emptied before and after."""
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def own_catalog(entries: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog of the user's beside the packaged one."""
    (folder / "models").mkdir()
    (folder / "models" / "own.yml").write_text(TEXT % entries, encoding="utf-8")
    monkeypatch.setenv("COSTLINE_CATALOG", str(folder))


# Names


def test_there_are_enough_architectures():
    shapes = {(model.layers, model.hidden, model.vocab, model.tied_embeddings) for model in MODELS.values()}
    assert len(MODELS) >= 130
    assert len(shapes) >= 70


def test_ids_are_plain():
    assert [id for id in MODELS if not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", id) or "instruct" in id] == []


@pytest.mark.parametrize(("name", "id"), [
    ("llama-3.1-8b", "llama-3.1-8b"), ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
    ("META-LLAMA/META-LLAMA-3.1-8B", "llama-3.1-8b"), ("Llama 3.1 70B", "llama-3.1-70b"),
    ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b"), ("meta-llama/Meta-Llama-3-70B-Instruct", "llama-3-70b"),
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"), ("codellama_34b", "codellama-34b"),
    ("Qwen/Qwen3-235B-A22B-FP8", "qwen3-235b-a22b-fp8"), ("openai/gpt-oss-120b", "gpt-oss-120b"),
    ("deepseek-ai/DeepSeek-R1-0528", "deepseek-r1"), ("zai-org/GLM-5.1", "glm-5.1"),
    ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama-4-scout-17b-16e"), ("google/gemma-2-27b-it", "gemma-2-27b"),
    ("/models/Kimi-K2.5-NVFP4", "kimi-k2.5-nvfp4"), ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
                                                     "nemotron-3-nano-30b-a3b"),
])  # fmt: skip
def test_a_model_is_found_by_any_name(name: str, id: str):
    assert find_model(name).id == id


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
def test_each_name_leads_home(model: Any):
    for name in (model.id, model.id.upper(), model.name, model.hf_id, model.hf_id.lower(), *model.aliases):
        assert not name or find_model(name) is model


@pytest.mark.parametrize(("name", "nearest"), [
    ("llama-3.1-80b", "llama-3.1-70b"), ("mixtral-8x8b", "mixtral-8x7b"), ("depseek-v3", "deepseek-v3"), ("", ""),
    ("🦙", ""), ("../../etc/passwd", ""),
])  # fmt: skip
def test_a_miss_names_the_nearest_three(name: str, nearest: str):
    with pytest.raises(UnknownIdError, match="unknown model") as caught:
        find_model(name)
    near = str(caught.value).partition("nearest: ")[2].split(", ")
    assert len(set(near) & set(MODELS)) == 3
    assert not nearest or nearest in near


def test_no_name_means_two_models():
    owners: dict[str, set[str]] = defaultdict(set)
    for id, _, names in catalog._scan():
        for name in (id, *names):
            owners[normal(name)].add(id)
    assert {name: ids for name, ids in owners.items() if len(ids) > 1} == {}


def test_aliases_say_what_other_names_do_not():
    idle = [
        alias
        for model in MODELS.values()
        for alias in model.aliases
        if normal(alias) in {normal(model.id), normal(model.hf_id or "-")}
    ]
    assert idle == []


def test_names_in_measured_files_are_known(shared: Path):
    lines = (shared / "measured" / "usable.csv").read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("model")
    named = {line.split(",")[column] for line in lines[1:]} - {""}
    assert len(named) > 20
    assert {find_model(name).id for name in named} <= set(MODELS)


# Reading


def test_a_glance_at_a_file_sees_what_strict_reading_sees():
    strict = {
        (id, name) for path in files("models") for id, entry in catalog._entries(path).items()
        for name in (id, *catalog._names(entry))
    }  # fmt: skip
    assert {(id, name) for id, _, names in catalog._scan() for name in (id, *names)} == strict


@pytest.mark.parametrize(("name", "read"), [
    ("gpt-oss-20b", 1), ("llama-3.3-70b", 1), ("deepseek-r1-distill-llama-8b", 2),
])  # fmt: skip
def test_only_needed_files_are_read(name: str, read: int, fresh: None):
    find_model(name)
    assert catalog._entries.cache_info().currsize == read


def test_own_models_join_and_replace(fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own_catalog(TINY + "  gpt-oss-20b: {extends: tiny, name: Mine, aliases: [my oss]}\n", tmp_path, monkeypatch)
    assert parameters(find_model("Tiny")).total == 2 * 128 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 96 + 128) + 64
    assert find_model("my-oss") is find_model("gpt-oss-20b")
    assert find_model("gpt-oss-20b").hidden == 64
    assert find_model("gpt-oss-120b").hidden == 2880


@pytest.mark.parametrize(("entries", "message"), [
    ("a: {extends: b, name: A}\n  b: {extends: a, name: B}\n", "break the circle"),
    ("a: {extends: a, name: A}\n", "break the circle"),
    ("a: {extends: llama-9, name: A}\n", "'llama-9', which is no id; nearest: "),
    ("a: {name: A}\n", "a lacks the key 'hidden'"),
    (TINY + "    hiden: 3\n", "unknown key 'tiny.hiden'; nearest: hidden"),
    (TINY.replace("heads: 4", "heads: 4, kv_heads: 3"), "kv_heads=3 must divide heads=4"),
    (TINY.replace(", head_dim: 16", ""), "head_dim is missing"),
    (TINY.replace("mlp: {width: 96}", "moe: {experts: 4, top_k: 5, expert_width: 8}"), "top_k=5 exceeds experts=4"),
    (TINY.replace("count: 2", "count: 0"), "must be above 0"),
])  # fmt: skip
def test_a_faulty_entry_is_refused(
    entries: str, message: str, fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own_catalog(entries, tmp_path, monkeypatch)
    with pytest.raises(CatalogError, match=re.escape(message)) as caught:
        find_model("tiny" if "tiny" in entries else "a")
    assert "own.yml:" in str(caught.value)


def test_an_entry_inherits_what_it_does_not_state():
    base, child = MODELS["qwen3-vl-235b-a22b"], MODELS["qwen3-vl-235b-a22b-fp8"]
    assert child.layers == base.layers
    assert child.max_context_tokens == base.max_context_tokens == 262_144
    assert child.checkpoint_formats[""] == "fp8"
    assert base.checkpoint_formats == {"": "bf16"}
    assert child.provenance["checkpoint_formats"].source == "serving-logs"
    assert child.provenance["hidden"].source == "aiconfigurator-configs"


# Facts


def test_each_value_has_a_known_source():
    keys = set(yaml.safe_load((DATA / "sources.yml").read_text(encoding="utf-8")))
    named = {(id, item.source) for id, model in MODELS.items() for item in model.provenance.values()}
    assert [(id, source) for id, source in named if source not in keys] == []
    assert [id for id, model in MODELS.items() if any(not item.retrieved for item in model.provenance.values())] == []


def test_what_has_no_source_is_marked():
    recalled = [
        id for id, model in MODELS.items()
        for item in model.provenance.values() if item.source == "assumed" and item.kind != "assumed"
    ]  # fmt: skip
    assert recalled == []


def test_components_are_those_that_are_counted():
    assert tuple(filter(None, model_fields.COMPONENTS)) == COMPONENTS


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
def test_each_model_is_sound(model: Any):
    assert all(format_name(name) in FORMATS for name in model.checkpoint_formats.values())
    assert "" in model.checkpoint_formats
    assert all(group.attention or group.state or group.mlp or group.moe for group in model.layers)
    assert model.final_norm_parameters in (model.hidden, 2 * model.hidden)
    extra = model.extra_parameters or any(group.extra_parameters for group in model.layers)
    assert bool(extra) == ("Extra" in model.notes)
    states = [group.state for group in model.layers if group.state]
    assert all({state.state_format, state.conv_format} <= set(FORMATS) for state in states)


@pytest.mark.parametrize("model", [item for item in MODELS.values() if item.published], ids=lambda model: model.id)
def test_counts_agree_with_what_the_makers_state(model: Any):
    # Makers round (names such as A3B cut to whole billions), and some leave embeddings out of the active count.
    counted = parameters(model)
    embedding, head = counted.by_component["embedding"], counted.by_component["head"]
    assert counted.total == pytest.approx(model.published["total"], rel=0.055)
    ways = [counted.active - left_out for left_out in (0, embedding, embedding + head)]
    assert min(abs(count / model.published["active"] - 1) for count in ways) < 0.16
