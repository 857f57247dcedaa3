"""Facts of cost: read strictly, each with a source that is known, and within what they may mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from costline.catalog import costs, load
from costline.errors import CatalogError


def test_every_file_is_read():
    folder = Path(costs.__file__).parent / "data" / "costs"
    assert {path.stem for path in folder.glob("*.yml")} == costs.LOADERS.keys()
    assert all(loader() for loader in costs.LOADERS.values())


@pytest.mark.parametrize("kind", costs.LOADERS)
def test_every_fact_has_a_source(kind: str):
    known = load.sources()
    for id, record in costs.LOADERS[kind]().items():
        assert record.id == id
        assert record.provenance[""].source
        for field, provenance in record.provenance.items():
            assert provenance.source in known, f"{kind} {id}.{field}"
            assert (provenance.source == "assumed") <= (provenance.kind == "assumed"), f"{kind} {id}.{field}"


def test_golden_figures():
    aws = costs.transfers()["aws-internet"]
    assert aws.from_bytes == (0, 1e11, 10_240e9, 51_200e9, 153_600e9)
    assert aws.usd_per_gb == (0, 0.09, 0.085, 0.07, 0.05)
    assert aws.provenance["from_bytes.0"].source == "palanor-kb"
    node = costs.node_for("h100-sxm")
    assert node.rated_w == 10_200
    assert node.rated_w == 8 * (load.chips()["h100-sxm"].tdp_w or 0) + 8 * node.host_w
    assert node.busy_fraction == 0.76
    assert sum(part.usd or 0 for part in node.parts.values()) * node.accelerators == 250_000
    assert costs.permits()["attainment"].threshold_kg == pytest.approx(226_796.185)
    assert {life.owner: life.years for life in costs.book_lives().values()}["Nebius"] == 4


def test_an_accelerator_without_a_node_gets_the_general_one():
    general = costs.node_for("mi300x")
    assert (general.id, general.rated_w, general.parts["accelerators"].usd) == ("any", None, None)


def test_nodes_name_chips_and_ranges_ascend():
    assert {node.chip for node in costs.nodes().values()} - {""} <= load.chips().keys()
    assert all(item.low <= item.high for item in costs.discounts().values())
    assert all(item.low_usd_per_month <= item.high_usd_per_month for item in costs.addons().values())


@pytest.mark.parametrize(("line", "words"), [
    ("from_gb: [0, 10], usd_per_gb: [1]", "one usd_per_gb each"),
    ("from_gb: [1, 10], usd_per_gb: [1, 1]", "must ascend from 0"),
    ("from_gb: [0, 10, 10], usd_per_gb: [1, 1, 1]", "must ascend from 0"),
    ("from_gb: [0], usd_per_gb: [-1]", "at least 0"),
])  # fmt: skip
def test_a_faulty_table_is_refused(line: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "costs").mkdir()
    text = f"source: assumed\ntransfers:\n  mine: {{provider: me, path: internet, date: 2026-11, {line}}}\n"
    (tmp_path / "costs" / "transfers.yml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("COSTLINE_CATALOG", str(tmp_path))
    costs.transfers.cache_clear()
    try:
        with pytest.raises(CatalogError, match=words):
            costs.transfers()
    finally:
        costs.transfers.cache_clear()
