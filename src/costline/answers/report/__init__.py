"""report: a plan as one file that can be mailed: the decision in six steps, its figures, what it rests on, its limits.

Composes; every number comes from the plan and from the estimate of its choice.
"""

from __future__ import annotations

import datetime
from html import escape
from pathlib import Path

import yaml

from costline.answers.answer import Answer
from costline.answers.launch import all_launch_files
from costline.answers.report import ledger
from costline.answers.report.chosen import Chosen, chosen
from costline.answers.report.page import (
    bullets,
    code,
    figure,
    listed,
    page,
    paragraphs,
    section,
    step,
    table,
)
from costline.answers.report.steps import six_steps
from costline.answers.scenario import Scenario
from costline.errors import InputError
from costline.render import write_files
from costline.version import __version__

FILE = "report.html"
LAUNCH = "launch"
_LIMITS = (
    "A steady state: arrivals as stated, no failures, no cold starts, no autoscaling delay.",
    "99th percentiles come from queueing formulas, not from a run; simulate the scenario before signing for them.",
    "An interval spans eight of ten measured runs of models of this kind, wider where no such chip was measured.",
    "Prices are list prices of their day; yours may differ. Quality of narrower number formats is not judged here.",
)


def report(plan: Answer, today: datetime.date | None = None) -> str:
    """The report of an answer to `plan`, as the text of one self-contained HTML file."""
    close = chosen(plan)
    title = plan.tables[0].title
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="meta">costline {__version__}, {(today or datetime.date.today()).isoformat()}</p>',
        section("The answer", paragraphs(plan.summary.splitlines())),
        section(
            "The decision in six steps",
            *(step(number, one) for number, one in enumerate(six_steps(plan.data["plans"], close), start=1)),
        ),
        section("Plans", *map(table, plan.tables)),
        section("Figures", *map(figure, (*plan.charts.values(), *close.charts.values()))),
        section("How to start it", *_launch(close)),
        _ledger(plan, close),
        _limits(plan),
        _again(close),
    ]
    return page(f"{title} – costline", sections)


def write(plan: Answer, folder: str | Path) -> list[Path]:
    """Writes the report of a plan into `folder`, and what starts it into `launch` there; returns the paths."""
    written = write_files(Path(folder), {FILE: report(plan)})
    try:
        texts = all_launch_files(plan.data["plans"][0], Scenario.model_validate(plan.data["scenario"]))
    except InputError:  # no engine's launch files are known for this accelerator or layout
        return written
    return [*written, *write_files(Path(folder) / LAUNCH, texts)]


def _launch(close: Chosen) -> list[str]:
    lines = paragraphs([f"One replica each; {close.row['replicas']} in all, behind a load balancer."])
    return [lines, *(f"<h3>{escape(one['engine'])}</h3>{code(one['command'])}" for one in close.launch)]


def _ledger(plan: Answer, close: Chosen) -> str:
    facts, used = ledger.facts(plan.sources), ledger.equations(plan.sources)
    return section(
        "What it rests on",
        "<h3>Facts</h3>",
        listed(facts, {"what": "what", "value": "value", "kind": "kind", "source": "source", "retrieved": "read on"}),
        "<h3>Settings left at their defaults</h3>",
        listed(ledger.assumed(close.scenario), {"field": "setting", "value": "taken as", "meaning": "meaning"}),
        "<h3>Sources</h3>",
        listed(
            ledger.citations([*facts, *used]),
            {"key": "key", "title": "title", "url": "address", "retrieved": "read on"},
        ),
    )


def _limits(plan: Answer) -> str:
    used = ledger.equations(plan.sources)
    return section(
        "Where it holds",
        bullets(_LIMITS),
        "<h3>Equations on its path</h3>",
        listed(used, {"what": "equation", "value": "it says", "holds": "holds when", "source": "from"}),
    )


def _again(close: Chosen) -> str:
    given = close.scenario.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(given, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return section(
        "How to reproduce",
        paragraphs([f"With costline {__version__}: save this as scenario.yml, then run the line below it."]),
        code(text),
        code("costline plan scenario.yml --out report"),
    )
