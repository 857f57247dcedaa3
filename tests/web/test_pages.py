"""A person's way through each page in a real browser: change, compare, share, reload, keep."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from web_pages import PAGES, SCREENSHOTS, SIMULATE, Tab, differences

pytestmark = pytest.mark.web
PLAN_FLAGS = (
    "--model", "llama-3.1-8b", "--weights", "fp8", "--accelerator", "l40s", "--max-accelerators", 1, "--isl", 1024,
    "--osl", 128,
)  # fmt: skip


def command(run_cli: Any, *words: object) -> Any:
    done = run_cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shown(row: dict[str, float], expected: dict[str, Any]) -> None:
    """Every number that the page has in the row is that of the answer."""
    compared = {key: expected[key] for key in row if isinstance(expected.get(key), int | float)}
    assert differences({key: row[key] for key in compared}, compared) == []
    assert len(compared) > 5


def test_plan_shows_what_the_command_line_says(tab: Tab, run_cli: Any, tmp_path: Any):
    tab.open(PAGES["plan"])
    scenario = tmp_path / "scenario.yml"
    scenario.write_text("deployment: {disaggregated: false}\nmodel: {id: llama-3.1-8b}\n"
                        "workload: {input_tokens: 1024, output_tokens: 128}\n", encoding="utf-8")  # fmt: skip
    for rate in ("2", "7"):
        if rate != "2":
            tab.change("workload.request_rate", rate)
        plans = command(run_cli, "plan", scenario, *PLAN_FLAGS, "--request-rate", rate)["plans"]
        rows = tab.values()
        assert len(rows) == len(plans)
        for row, expected in zip(rows, plans, strict=True):
            shown(row, expected)
        assert f"workload.request_rate={rate}" in tab.page.url
    link = tab.page.url
    tab.page.goto("about:blank")
    tab.page.goto(link)
    tab.settled()
    assert tab.values() == rows
    assert tab.page.input_value('[name="workload.request_rate"]') == "7"


def test_plan_can_be_kept(tab: Tab):
    tab.open(PAGES["plan"])
    for name, begins in (
        ("report.html", "<!doctype html>"), ("table.csv", "rank,"), ("scenario.yml", "model:"), ("result.json", "{"),
    ):  # fmt: skip
        with tab.page.expect_download() as found:
            tab.page.click(f'[data-keep="{name}"]')
        text = found.value.path().read_text(encoding="utf-8")
        assert text.startswith(begins), name
    assert tab.page.locator(".plot[data-chart=frontier] .main-svg").count() > 0
    assert tab.page.locator(".plot[data-chart=roofline] .main-svg").count() > 0
    assert "vllm serve" in tab.page.inner_text("pre >> nth=0")


def test_plan_says_what_is_wrong_and_goes_on(tab: Tab):
    tab.open(PAGES["plan"])
    tab.page.fill('[name="model.id"]', "lama-3.1-8b")
    tab.page.wait_for_selector("#fault:not([hidden])")
    assert "nearest: llama-3.1-8b" in tab.page.inner_text("#fault")
    tab.complaints[:] = [said for said in tab.complaints if "422" not in said]  # the browser reports the status itself
    tab.change("model.id", "llama-3.1-8b")
    assert not tab.page.is_visible("#fault")


def test_a_pasted_scenario_becomes_a_link(tab: Tab):
    tab.open(PAGES["plan"])
    tab.page.click("details.paste summary")
    tab.page.fill("#document", "model: {id: llama-3.1-8b, weights: fp8}\n"
                  "system: {accelerator: l40s, max_accelerators: 1}\n"
                  "workload: {input_tokens: {mean: 500, p95: 900}, output_tokens: 64, request_rate: 1}\n"
                  "deployment: {disaggregated: false}\n")  # fmt: skip
    tab.page.click("details.paste button")
    tab.page.wait_for_url("**/plan?*p95=900*")
    tab.settled()
    assert tab.values()[0]["accelerators"] >= 1
    tab.change("workload.request_rate", "3")
    assert "p95=900" in tab.page.url  # what the form has no field for is not lost


def test_explorer_shows_what_the_command_line_says(tab: Tab, run_cli: Any):
    tab.open(PAGES["explorer"])
    for batch in ("8", "24"):
        if batch != "8":
            tab.change("batch", batch)
        expected = command(run_cli, "estimate", "--model", "llama-3.1-8b", "--accelerator", "l40s", "--batch", batch,
                           "--context", 2048, "--weights", "fp8")  # fmt: skip
        for key in ("decode.tpot_s", "decode.tokens_per_s", "prefill.time_s", "cost.usd_per_mtok_output"):
            block, name = key.split(".")
            seen = float(tab.page.get_attribute(f'[data-key="{key}"]', "data-value") or "nan")
            assert differences(seen, float(expected[block][name])) == []


def test_explorer_moves_with_its_slider(tab: Tab):
    tab.open(PAGES["explorer"])
    before = tab.page.inner_text('[data-key="decode.tpot_s"]')
    slider = tab.page.locator('input[type=range][data-for="batch"]')
    slider.focus()
    tab.page.keyboard.press("End")
    changed = """(was) => document.querySelector('[data-key="decode.tpot_s"]').innerText !== was"""
    tab.page.wait_for_function(changed, arg=before)
    assert tab.page.input_value('[name="batch"]') == "2048"
    assert "batch=2048" in tab.page.url
    tab.settled()


def test_frontier_shows_what_the_command_line_says(tab: Tab, run_cli: Any):
    tab.open(PAGES["frontier"])
    expected = command(run_cli, "frontier", "--model", "llama-3.1-8b", "--accelerator", "l40s", "--max-accelerators", 1)
    rows = tab.values()
    assert len(rows) == len(expected["frontier"])
    for row, point in zip(rows, expected["frontier"], strict=True):
        shown(row, point)
    assert "API price of llama-3.1-8b" in tab.page.inner_html(".plot[data-chart=frontier]")


def test_compare_shows_what_the_command_line_says(tab: Tab, run_cli: Any, tmp_path: Any):
    tab.open(PAGES["compare"])
    path = tmp_path / "compare.yml"
    path.write_text("model: {id: llama-3.1-8b}\nsystem: {accelerator: h100-sxm, max_accelerators: 1}\n"
                    "workload: {input_tokens: 1024, output_tokens: 128, request_rate: 20}\n"
                    "deployment: {disaggregated: false}\n", encoding="utf-8")  # fmt: skip
    options = command(run_cli, "compare", path)["options"]
    rows = tab.values()
    assert differences([row["usd_per_month"] for row in rows], [one["usd_per_month"] for one in options]) == []


def test_simulate_shows_what_the_command_line_says(tab: Tab, run_cli: Any, ask: Any, tmp_path: Any):
    tab.open(PAGES["simulate"])
    path = tmp_path / "simulate.yml"
    path.write_bytes(ask(f"/simulate/scenario.yml?{SIMULATE}").body)
    expected = command(run_cli, "simulate", path)
    assert differences(ask(f"/simulate/result.json?{SIMULATE}").json, expected, within=1e-6) == []
    shown_ms = tab.values()[0]  # the page has SI, the answer milliseconds
    assert shown_ms["p50"] == pytest.approx(expected["latency_ms"]["ttft"]["p50"] / 1e3)
    assert tab.page.locator(".plot .main-svg").count() > 0


def test_catalog_filters_and_shows_sources(tab: Tab):
    tab.open(PAGES["catalog"])
    every = tab.page.locator("#facts tbody tr:visible").count()
    tab.page.fill("#filter", "b200")
    few = tab.page.locator("#facts tbody tr:visible").count()
    assert 0 < few < every
    tab.page.click("#facts tbody tr:visible a >> nth=0")
    tab.page.wait_for_url("**/catalog/entry?name=b200-sxm")
    assert "hbm_bytes_per_s" in tab.page.inner_text("table")
    tab.page.click("table a >> nth=0")
    tab.page.wait_for_url("**/catalog?kind=sources#source-*")
    assert tab.page.locator("tr:target a[href^=http]").count() == 1


def test_catalog_reads_a_pasted_config(tab: Tab):
    tab.open("/catalog")
    tab.page.click("details.paste summary")
    config = {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
              "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000}  # fmt: skip
    tab.page.fill("#config", json.dumps(config))
    tab.page.click("details.paste button")
    tab.page.wait_for_url("**/catalog/model?config=*")
    assert "22" in tab.page.inner_text("table")
    link = tab.page.get_attribute("text=Plan with this model", "href")
    tab.open(f"{link}&system.max_accelerators=1&deployment.disaggregated=false")
    assert not tab.page.is_visible("#fault")
    assert tab.values()[0]["accelerators"] >= 1


def test_reproductions_show_printed_beside_computed(tab: Tab, run_cli: Any):
    tab.open(PAGES["reproductions"])
    expected = command(run_cli, "reproduce", "pope-2022")
    assert tab.page.locator("figure.table").count() >= len(expected["tables"])


def test_light_and_dark_are_remembered(tab: Tab):
    tab.open(PAGES["explorer"])
    assert tab.page.get_attribute("html", "data-theme") == "light"
    tab.page.click("#theme")
    tab.page.reload()
    assert tab.page.get_attribute("html", "data-theme") == "dark"
    tab.settled()


def test_keyboard_reaches_the_answer(tab: Tab):
    tab.open(PAGES["explorer"])
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("() => document.activeElement.className") == "skip"
    tab.page.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        reached.add(tab.page.evaluate("() => document.activeElement.name || document.activeElement.id"))
    assert {"model", "batch", "context", "weights", "share"} <= reached


def test_long_work_shows_how_far_it_is_and_can_be_cancelled(tab: Tab):
    tab.page.goto(tab.base + "/plan?" + urlencode({
        "model.id": "deepseek-v3", "system.accelerator": "all", "system.max_accelerators": 256,
        "workload.input_tokens": 4096, "workload.output_tokens": 512, "workload.request_rate": 21,
        "price.accelerator_usd_per_hour": 2,
    }))  # fmt: skip
    tab.page.wait_for_function("() => document.getElementById('words').textContent.includes('searching')")
    tab.page.click("#cancel")
    assert "Cancelled" in tab.page.inner_text("#fault")
    tab.page.wait_for_timeout(300)  # the server hears of it
    assert not tab.page.is_visible("#progress")


LOOKS = [((1280, 900), "light"), ((1280, 900), "dark"), ((390, 844), "light"), ((390, 844), "dark")]


@pytest.mark.parametrize("tab", LOOKS, indirect=True, ids=lambda look: f"{look[0][0]}-{look[1]}")
def test_each_page_fits_and_is_photographed(tab: Tab, request: pytest.FixtureRequest):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        tab.open(path)
        assert not tab.page.is_visible("#fault"), (name, tab.page.inner_text("#fault"))
        assert tab.page.evaluate(
            "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), f"{name} is wider than the screen"
        look = request.node.callspec.id
        tab.page.screenshot(path=SCREENSHOTS / f"{name}-{look}.png", full_page=True)


def test_a_printed_page_is_the_answer_on_white(tab: Tab):
    tab.open(PAGES["plan"])
    tab.page.emulate_media(media="print")
    assert not tab.page.is_visible("form#question")
    assert tab.page.is_visible(".verdict")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    tab.page.pdf(path=SCREENSHOTS / "plan.pdf", format="A4")
