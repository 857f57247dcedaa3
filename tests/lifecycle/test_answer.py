"""The question about a model's life, end to end: sums, optimum, prices and their age, mistakes."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costline.answers.lifecycle import lifecycle
from costline.answers.lifecycle.scenario import LifecycleScenario, read_lifecycle
from costline.errors import InfeasibleError, InputError

EXAMPLE = "examples/lifecycle-70b.yml"
ROOT = Path(__file__).resolve().parents[2]
SMALL: dict[str, Any] = {
    "model": {"id": "llama-3.1-70b"},
    "training": {"tokens": 15e12, "mfu": 0.4, "price": {"accelerator_usd_per_hour": 2.0}},
    "serving": {"output_tokens_per_day": 1e11, "usd_per_mtok": 0.5},
}


def asked(**blocks: dict[str, Any]) -> dict[str, Any]:
    """The small question with some keys of its blocks changed."""
    return {name: {**SMALL.get(name, {}), **blocks.get(name, {})} for name in {**SMALL, **blocks}}


@pytest.fixture(scope="module")
def example() -> Any:
    return lifecycle(ROOT / EXAMPLE, today=datetime.date(2026, 11, 20))


def test_money_adds_up(example: Any):
    data = example.data
    for row in data["alternatives"]:
        assert row["total_usd"] == pytest.approx(row["training_usd"] + row["serving_usd"])
        assert row["present_usd"] <= row["total_usd"]
    first = data["alternatives"][0]
    assert first["training_usd"] == pytest.approx(data["training"]["usd"])
    assert first["serving_usd"] == pytest.approx(data["serving"]["usd"])
    train = data["training"]
    assert train["usd"] == pytest.approx(train["accelerator_hours"] * train["price_usd_per_accelerator_hour"])
    assert train["days"] * 24 * train["accelerators"] == pytest.approx(train["accelerator_hours"])


def test_each_size_reaches_the_loss_and_the_best_is_the_cheapest(example: Any):
    _, trained, best, *others = rows = example.data["alternatives"]
    assert len({round(row["loss"], 12) for row in rows}) == 1
    assert trained["training_usd"] == min(row["training_usd"] for row in rows)
    assert best["present_usd"] == min(row["present_usd"] for row in rows)
    assert [row["parameters"] for row in others] == [50e9, 110e9]


def test_serving_has_cost_as_much_as_training_where_it_says(example: Any):
    cross, train, serve = (example.data[name] for name in ("crossover", "training", "serving"))
    assert cross["output_tokens"] * serve["usd_per_mtok"] / 1e6 == pytest.approx(train["usd"])
    assert cross["reached"]
    assert cross["output_tokens_over_life"] <= serve["output_tokens"]
    paid = cross["years"] * serve["usd_by_year"][1]  # within the first year
    assert cross["years"] < 1
    assert paid == pytest.approx(train["usd"])


def test_the_figure_ends_at_the_life_of_the_table(example: Any):
    chart = example.charts["lifecycle"]
    ends = {series.name.split(":")[0]: series.y[-1] for series in chart.series if series.mode == "lines"}
    assert ends == pytest.approx({row["name"]: row["total_usd"] for row in example.data["alternatives"]})
    assert {"3 years", "serving = training"} <= {series.name for series in chart.series}


def test_old_prices_are_flagged_wherever_they_stand(example: Any):
    assert example.summary.count("180 days old, check it") == 2
    assert str(example.tables[1]).count("180 days old") == 2
    fresh = lifecycle(ROOT / EXAMPLE, today=datetime.date(2026, 6, 1))
    assert "days old" not in fresh.summary


def test_what_was_typed_is_said_to_be_assumed(example: Any):
    assert "assumed" not in example.summary.lower()
    told = lifecycle(asked()).summary
    assert "Assumed, not computed: utilisation, cost of serving." in told
    assert "as given" in told


def test_sources_name_facts_and_equations(example: Any):
    used = {one.what: one for one in example.sources}
    assert used["loss law besiroglu-2024"].source == "besiroglu-2024"
    assert "lifecycle.inference_aware.inference_aware_parameters" in used
    assert used["price of h100-sxm"].retrieved
    assert all(one.source for one in example.sources)


def test_narrower_weights_carry_their_evidence(example: Any):
    rows = {row["weights"]: row for row in example.data["compression"]}
    assert rows["int8"]["lost_low"] == 0.01
    assert rows["int8"]["usd_per_mtok_with_fallback_high"] > rows["int8"]["usd_per_mtok"]
    assert rows["fp8"]["lost_low"] is None
    assert lifecycle(asked()).data["compression"] == []


@settings(max_examples=15)
@given(tokens=st.floats(1e11, 1e14), served=st.floats(1e6, 1e13), years=st.integers(1, 8), decline=st.floats(0, 0.9))
def test_no_size_beats_the_best(tokens: float, served: float, years: int, decline: float):
    serving = {"output_tokens_per_day": served, "years": years, "decline_per_year": decline}
    question = {**asked(training={"tokens": tokens}, serving=serving), "sizes": [2e10, 1e11]}
    rows = lifecycle(question).data["alternatives"]
    least = min(row["present_usd"] for row in rows)
    assert rows[2]["present_usd"] <= least * (1 + 1e-9)
    assert rows[2]["parameters"] <= rows[1]["parameters"] * (1 + 1e-9)


def test_a_constant_volume_and_cost_cross_at_the_closed_form():
    cross = lifecycle(asked()).data["crossover"]
    assert cross["output_tokens_over_life"] == pytest.approx(cross["output_tokens"])
    assert cross["years"] * 365 == pytest.approx(cross["days_at_first_volume"])
    never = lifecycle(asked(serving={"output_tokens_per_day": 1e6})).data["crossover"]
    assert (never["reached"], never["years"]) == (False, None)


def test_research_multiplies_the_cost_alone():
    once, often = (lifecycle(asked(training={"research_multiplier": m})).data["training"] for m in (1, 3))
    assert often["usd"] == pytest.approx(3 * once["usd"])
    assert often["accelerator_hours"] == once["accelerator_hours"]


@pytest.mark.parametrize(("name", "counted"), [
    ("mixtral-8x7b", True), ("deepseek-v3", True), ("qwen3-next-80b-a3b", False),
])  # fmt: skip
def test_other_architectures_are_answered_or_say_what_is_missing(name: str, counted: bool):
    data = lifecycle({**asked(), "model": {"id": name}}).data
    assert (data["training"]["memory"]["fits"] is not None) is counted
    assert data["training"]["flop"] > 0.9 * data["training"]["flop_6nd"]
    assert data["active_parameters"] < data["parameters"]


def test_utilisation_is_computed_from_the_layout():
    auto = {"mfu": "auto", "accelerators": 1024, "pp": 4}
    deep = lifecycle(asked(training=auto)).data["training"]
    wide = lifecycle(asked(training={**auto, "pp": 1})).data["training"]
    assert deep["mfu_source"] == "computed"
    assert deep["bubble"] > wide["bubble"] == 0.0
    assert 0.2 < deep["mfu"] < deep["kernel_share"]
    alone = lifecycle(asked(training={**auto, "tp": 1, "accelerators": 64})).data["training"]
    assert alone["exposed_communication"] == 0.0


def test_blocks_win_over_the_file():
    changed = read_lifecycle(ROOT / EXAMPLE, serving={"years": 5})
    assert changed.serving.years == 5
    assert changed.serving.output_tokens == 512
    assert isinstance(read_lifecycle(changed, scaling_law="hoffmann-2022-approach-3"), LifecycleScenario)


@pytest.mark.parametrize(("change", "words"), [
    ({"training": {"tokenz": 1}}, "nearest: tokens"),
    ({"training": {"tokens": 15}}, "training.tokens=15"),
    ({"training": {"tokens": "15T"}}, "training.tokens='15T'"),
    ({"training": {"tp": 7}}, "multiple of tp*pp=7"),
    ({"training": {"batch_tokens": 8192}}, "one micro-batch for each replica"),
    ({"training": {"optimizer": "adam"}}, "unknown optimizer 'adam'; nearest: adamw"),
    ({"training": {"accelerator": "h1000"}}, "nearest"),
    ({"training": {"mfu": 1.5}}, "training.mfu=1.5"),
    ({"training": {"price": {"accelerator_usd_per_hour": 0}}}, "training costs nothing"),
    ({"serving": {"years": 0}}, "serving.years=0"),
    ({"scaling_law": "epoch"}, "unknown loss law 'epoch'"),
    ({"model": {}}, "exactly one of id and config"),
])  # fmt: skip
def test_a_mistake_is_one_line_that_names_field_and_remedy(change: dict[str, Any], words: str):
    question = {**SMALL}
    for key, value in change.items():
        both = isinstance(value, dict) and value
        question[key] = {**SMALL[key], **value} if both else value
    with pytest.raises(InputError) as fault:
        lifecycle(question)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("text", "words"), [
    ("model: [", "fix the YAML"), ("- a", "must hold blocks"), ("a: &x 1\nb: *x", "alias"),
    ("model: {id: x}", "missing"),
])  # fmt: skip
def test_a_broken_file_is_one_line(tmp_path: Path, text: str, words: str):
    place = tmp_path / "q.yml"
    place.write_text(text, "utf-8")
    with pytest.raises(InputError, match=words):
        lifecycle(place)


def test_an_impossible_target_is_infeasible():
    serving = {"usd_per_mtok": None, "tpot_p99_ms": 0.01}
    with pytest.raises(InfeasibleError, match="TPOT"):
        lifecycle(asked(serving=serving))


def test_the_command_prints_json_alone_and_writes_files(run_cli: Callable[..., Any], tmp_path: Path):
    done = run_cli("lifecycle", EXAMPLE, "--json", "--sources", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert data["question"] == "lifecycle"
    assert {"training", "serving", "crossover", "alternatives", "laws", "sources"} <= data.keys()
    assert {"result.json", "table.csv", "lifecycle.html", "lifecycle.svg"} <= {path.name for path in tmp_path.iterdir()}


def test_the_command_fails_with_one_line(run_cli: Callable[..., Any], tmp_path: Path):
    missing = run_cli("lifecycle", tmp_path / "none.yml")
    assert (missing.returncode, missing.stdout, missing.stderr.count("\n")) == (2, "", 1)
