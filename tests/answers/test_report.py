"""The report of a plan: one file, whole, with its sources, and nothing from elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from costline.answers.answer import Answer
from costline.answers.estimate import estimate
from costline.answers.frontier import frontier
from costline.answers.plan import plan
from costline.answers.report import ledger, report
from costline.answers.report.api_dots import with_api_prices
from costline.answers.report.chosen import chosen
from costline.answers.report.configuration import memory_parts, operating_points, roofline_chart
from costline.answers.report.pasted import pasted_model
from costline.answers.report.steps import six_steps
from costline.catalog import find
from costline.errors import InputError

SMALL: dict[str, Any] = {
    "model": {"id": "llama-3.1-8b"},
    "system": {"accelerator": ["l40s", "h100-sxm"], "max_accelerators": 1},
    "workload": {"input_tokens": 1024, "output_tokens": 128, "request_rate": 2},
    "deployment": {"disaggregated": False},
}
HEADINGS = [
    "The answer", "The decision in six steps", "Plans", "Figures", "How to start it", "What it rests on",
    "Where it holds", "How to reproduce",
]  # fmt: skip


@pytest.fixture(scope="module")
def answer() -> Answer:
    return plan(SMALL)


@pytest.fixture(scope="module")
def text(answer: Answer) -> str:
    return report(answer)


class Outline(HTMLParser):
    """Tags in their order, and headings of the second level; a tag that is not closed in its turn fails."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.tags, self.headings = list[str](), list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_it_is_one_whole_file(text: str):
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert outline.headings == HEADINGS
    assert outline.tags.count("svg") >= 5
    assert not {"script", "img", "iframe", "link", "object"} & set(outline.tags)
    assert re.findall(r'(?:src|@import|url\()\s*=?\s*"?http', text) == []


def test_its_six_steps_follow_the_checklist(answer: Answer, text: str):
    steps = six_steps(answer.data["plans"], chosen(answer))
    assert [one.title for one in steps] == [
        "Choose hardware", "Choose number formats", "Size the topology", "Check the network",
        "Decide on disaggregation", "Scale with replicas",
    ]  # fmt: skip
    best = answer.data["plans"][0]
    assert steps[0].decision == f"{best['accelerators']} × {best['accelerator']}"
    assert all(one.because for one in steps)
    assert all(f"{number}. {one.title}" in text for number, one in enumerate(steps, start=1))
    memory = steps[2].table
    assert memory is not None
    assert [row["part"] for row in memory.rows] == ["weights", "cache in use", "cache, free", "engine and reserve"]
    assert "<td>engine and reserve</td>" in text


def test_its_ledger_names_sources_and_days(answer: Answer, text: str):
    facts = ledger.facts(answer.sources)
    assert any(re.fullmatch(r"\d{4}-\d\d-\d\d", one["retrieved"]) for one in facts)
    assert all(one["title"] for one in facts if one["kind"] in ("vendor", "published", "measured"))
    assert all(one["holds"] for one in ledger.equations(answer.sources))
    assert "deployment.engine.max_batched_tokens" in text


def test_it_says_how_to_reproduce_itself(answer: Answer, text: str):
    found = re.search(r"<pre>(model:.*?)</pre>", text, re.DOTALL)
    assert found is not None
    again = plan(yaml.safe_load(found[1].replace("&#x27;", "'").replace("&quot;", '"')))
    assert again.data["plans"] == answer.data["plans"]


def test_a_name_cannot_break_out(tmp_path: Path):
    folder = tmp_path / "<script>alert(1)<"
    folder.mkdir()
    config = {
        "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
        "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    written = report(plan({**SMALL, "model": {"config": str(folder / "config.json")}}))
    assert "<script>" not in written
    assert "&lt;script&gt;" in written


def test_prefill_and_decode_apart_are_told_apart():
    apart = plan({**SMALL, "deployment": {"disaggregated": True}, "system": {"accelerator": "h100-sxm"}})
    steps = six_steps(apart.data["plans"], chosen(apart))
    assert steps[4].decision == "prefill and decode on separate pools"
    assert "separate pools" in report(apart)


@given(batch=st.integers(1, 4096), context=st.integers(1, 100_000), tp=st.sampled_from([1, 2, 4, 8]))
def test_the_memory_bar_is_whole_and_points_lie_below_the_roof(batch: int, context: int, tp: int):
    data = estimate("llama-3.1-8b", "h100-sxm", tp=tp, batch=batch, context=context, weights="fp8").data
    parts = memory_parts(data)
    assert sum(row["share"] for row in parts) == pytest.approx(1)
    assert all(row["bytes"] >= 0 for row in parts)
    assert sum(row["bytes"] for row in parts) == pytest.approx(data["memory"]["accelerator_memory_bytes"])
    chip = find.chip("h100-sxm")
    for point in operating_points(data).values():
        roof = min(chip.dense_flop_per_s["fp8"] or 0, point["flop_per_byte"] * chip.hbm_bytes_per_s)
        assert point["flop_per_s"] <= roof * (1 + 1e-9)


def test_the_roof_bends_at_its_ridge():
    chart = roofline_chart(estimate("llama-3.1-8b", "h100-sxm", batch=8).data)
    roof = chart.series[0]
    assert max(roof.y) == pytest.approx(989.4, rel=2e-3)  # dense bf16 TFLOP/s of the datasheet, H100 SXM
    assert roof.y[0] / roof.x[0] == pytest.approx(3.35, rel=1e-3)  # TB/s of the datasheet


def test_api_prices_stand_beside_the_frontier():
    answer = frontier("llama-3.1-8b", "l40s", max_accelerators=1)
    charts, table = with_api_prices(answer)
    dots = charts["frontier"].series[-1]
    assert dots.mode == "markers"
    assert table is not None
    assert len(table.rows) == len(dots.x) > 0
    assert max(dots.x) < min(answer.charts["frontier"].series[0].x)


@pytest.mark.parametrize(("config", "words"), [
    ("{", "not valid JSON"), ("[]", "no JSON object"), ("[NaN]", "no number"), ("[" * 100_000, "cannot be read"),
])  # fmt: skip
def test_what_is_no_config_is_refused(config: str, words: str):
    with pytest.raises(InputError, match=words):
        pasted_model(config)
