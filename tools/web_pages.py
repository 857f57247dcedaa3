"""Pages of the application with small questions, and a tab of a browser that visits them. Used by tests/web."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[1]
SCREENSHOTS = ROOT / "build" / "screenshots"
AXE = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
PLAN = urlencode({
    "model.id": "llama-3.1-8b", "model.weights": "fp8", "system.accelerator": "l40s", "system.max_accelerators": 1,
    "workload.input_tokens": 1024, "workload.output_tokens": 128, "workload.request_rate": 2,
    "deployment.disaggregated": "false",
})  # fmt: skip
EXPLORER = urlencode({"model": "llama-3.1-8b", "accelerator": "l40s", "tp": 1, "batch": 8, "context": 2048,
                      "weights": "fp8", "kv": "bf16"})  # fmt: skip
FRONTIER = urlencode({"models": "llama-3.1-8b", "accelerators": "l40s", "max_accelerators": 1})
COMPARE = urlencode({"model.id": "llama-3.1-8b", "system.accelerator": "h100-sxm", "system.max_accelerators": 1,
                     "workload.input_tokens": 1024, "workload.output_tokens": 128, "workload.request_rate": 20,
                     "deployment.disaggregated": "false"})  # fmt: skip
SIMULATE = urlencode({"model.id": "llama-3.1-8b", "system.accelerator": "h100-sxm", "workload.input_tokens": 512,
                      "workload.output_tokens": 32, "workload.request_rate": 4, "workload.requests": 100,
                      "deployment.tp": 1, "deployment.pp": 1, "deployment.batch": 32, "deployment.replicas": 1,
                      "model.weights": "bf16", "deployment.disaggregated": "false"})  # fmt: skip
SENSITIVITY = urlencode({
    "model.id": "llama-3.1-8b", "system.accelerator": "l40s", "system.max_accelerators": 1,
    "workload.input_tokens": 1024, "workload.output_tokens": 128, "workload.request_rate": 2,
    "deployment.disaggregated": "false",
})  # fmt: skip
PAGES = {
    "plan": f"/plan?{PLAN}", "frontier": f"/frontier?{FRONTIER}", "explorer": f"/explorer?{EXPLORER}",
    "simulate": f"/simulate?{SIMULATE}", "compare": f"/compare?{COMPARE}", "sensitivity": f"/sensitivity?{SENSITIVITY}",
    "catalog": "/catalog?kind=accelerators",
    "entry": "/catalog/entry?name=h100-sxm", "reproductions": "/reproductions?name=pope-2022",
}  # fmt: skip
READY = """() => !document.querySelector("[data-pending]")
    && [...document.querySelectorAll(".plot")].every((plot) => plot.dataset.drawn)"""
NEXT = """() => { window.answered = new Promise((done) =>
    document.addEventListener("answered", done, { once: true })); }"""


def differences(seen: Any, expected: Any, *, within: float = 1e-9, place: str = "") -> list[str]:
    """Where two answers differ by more than the last digits of sums, which hang on how arrays lie in memory."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        keys = dict.fromkeys([*expected, *seen])
        pairs = [(seen.get(key, "missing"), expected.get(key, "missing"), f"{place}.{key}") for key in keys]
        return [fault for a, b, where in pairs for fault in differences(a, b, within=within, place=where)]
    if isinstance(expected, list) and isinstance(seen, list) and len(seen) == len(expected):
        rows = enumerate(zip(seen, expected, strict=True))
        return [fault for i, (a, b) in rows for fault in differences(a, b, within=within, place=f"{place}[{i}]")]
    if isinstance(expected, float) and isinstance(seen, int | float):
        same = math.isclose(seen, expected, rel_tol=within, abs_tol=1e-12)
    else:
        same = seen == expected
    return [] if same else [f"{place}: {seen!r} is not {expected!r}"]


class Tab:
    """A page of the browser that remembers what it complained about."""

    def __init__(self, page: Any, base: str) -> None:
        self.page, self.base, self.complaints = page, base, list[str]()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def open(self, path: str) -> None:
        """Goes there and waits for the answer and its drawings."""
        self.page.goto(self.base + path)
        self.settled()

    def settled(self, longest_s: float = 60.0) -> None:
        """Waits until the answer is there and all is drawn."""
        for _ in range(int(longest_s * 20)):
            if self.page.evaluate(READY):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{self.page.url} was not ready within {longest_s} s")

    def values(self, place: str = "tbody") -> list[dict[str, float]]:
        """The numbers of the first table, row by row, as the page got them."""
        script = """(rows) => rows.map((row) => Object.fromEntries([...row.querySelectorAll("[data-value]")]
            .map((cell) => [cell.dataset.key, Number(cell.dataset.value)])))"""
        return self.page.locator(f"{place} >> nth=0").locator("tr").evaluate_all(script)

    def change(self, name: str, value: str) -> None:
        """Fills a field and waits for the new answer."""
        self.page.evaluate(NEXT)
        self.page.fill(f'[name="{name}"]', value)
        self.page.evaluate("() => window.answered")
        self.settled()
