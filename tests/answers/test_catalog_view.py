"""Facts as answers: list, show, check, schema and add."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
import yaml

from costline.answers.catalog_view import add_model, checked, listing, one, schema
from costline.catalog import load, models
from costline.errors import InputError, UnknownIdError

KINDS = ("models", "accelerators", "systems", "offers", "grids", "pues", "tariffs", "engines", "workloads", "sources")


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_shows_every_record_and_fills_its_columns(kind: str):
    answer = listing(kind)
    rows = answer.data[kind]
    assert len(rows) == len(answer.table().rows) > 1
    assert answer.table().title == f"{len(rows)} {kind}"
    for column in answer.table().columns:
        assert any(row.get(column.key) not in (None, "") for row in answer.table().rows), column.key
    json.dumps(answer.to_dict(), allow_nan=False)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(UnknownIdError, match="nearest: accelerators, "):
        listing("acelerators")


def test_an_id_wins_over_another_kinds_name():
    assert list(one("hgx-h100").data) == ["system"]
    assert list(one("h100-sxm").data) == ["accelerator"]
    assert list(one("H100").data) == ["accelerator"]
    assert list(one("Mixtral 8x7B").data) == ["model"]


@pytest.mark.parametrize("name", ["h100-sxm", "mixtral-8x7b", "hgx-h100", "vllm", "chat-1k-1k", "deepseek-v3"])
def test_every_shown_field_has_a_source(name: str):
    answer = one(name)
    rows = answer.table().rows
    assert len(rows) > 3
    assert [row for row in rows if not row["source"] or row["value"] == ""] == [
        row for row in rows if row["value"] == ""
    ]
    json.dumps(answer.to_dict(), allow_nan=False)


def test_a_shown_accelerator_lists_its_offers():
    offers = one("h100").data["accelerator"]["offers"]
    assert len(offers) > 3
    assert [row["date"] for row in offers] == sorted((row["date"] for row in offers), reverse=True)


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(UnknownIdError, match="nearest: h100-sxm, "):
        one("h100-sxn")


def test_the_packaged_catalog_has_no_error():
    answer = checked(datetime.date(2026, 6, 1))
    assert answer.data["errors"] == []


def test_old_prices_are_warned_of():
    assert len(checked(datetime.date(2036, 6, 1)).data["warnings"]) > 0


def test_schemas():
    assert schema("scenario")["title"] == "Scenario"
    for kind in ("chips", "models", "offers"):
        assert schema(kind)["additionalProperties"] is False
    with pytest.raises(UnknownIdError, match="nearest: scenario, "):
        schema("scenarios")


CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 100,
}


def config_in(folder: Path) -> Path:
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    return path


def test_an_added_model_is_named_for_its_folder_or_as_told(tmp_path: Path):
    config = config_in(tmp_path / "my-tiny")
    answer = add_model(config, None, tmp_path)
    assert answer.data["model"]["id"] == "my-tiny"
    assert answer.data["path"] == str(tmp_path / "models" / "my-tiny.yml")
    assert add_model(config, "other", tmp_path).data["model"]["id"] == "other"
    written = yaml.safe_load((tmp_path / "models" / "other.yml").read_text(encoding="utf-8"))
    assert list(written["models"]) == ["other"]
    assert "COSTLINE_CATALOG" in answer.table().note


def test_a_folder_whose_name_is_no_id_needs_one(tmp_path: Path):
    config = config_in(tmp_path / "My Model")
    with pytest.raises(InputError, match=r"id='My Model' must be .* lower case .* --id"):
        add_model(config, None, tmp_path)
    assert list(tmp_path.glob("models")) == []


def test_a_known_model_is_not_overwritten(tmp_path: Path):
    with pytest.raises(InputError, match="already"):
        add_model(config_in(tmp_path / "x"), "llama-3.1-8b", tmp_path)


def test_lists_count_what_is_loaded():
    assert len(listing("models").data["models"]) == len(models.models())
    assert len(listing("offers").data["offers"]) == len(load.offers())
