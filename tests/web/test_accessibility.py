"""axe-core finds no serious fault on any page, light or dark."""

from __future__ import annotations

from typing import Any

import pytest

from web_pages import AXE, PAGES, READY

pytestmark = pytest.mark.web


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser: Any, base: str, scheme: str):
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install --no-save --prefix build/axe axe-core@4")
    context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    found: list[str] = []
    for name, path in PAGES.items():
        page.goto(base + path)
        page.wait_for_function(READY, timeout=60_000)
        page.add_script_tag(path=str(AXE))
        said = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        for fault in said["violations"]:
            if fault["impact"] in ("serious", "critical"):
                where = "; ".join(" ".join(node["target"]) for node in fault["nodes"][:4])
                found.append(f"{name} ({scheme}): {fault['id']}: {fault['help']} at {where}")
    context.close()
    assert found == []
