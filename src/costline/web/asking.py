"""Which answer a question gets, and what a page shows beside it.

Runs in a worker. Every number comes from `answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from costline.answers import catalog_view
from costline.answers.answer import Answer
from costline.answers.compare import compare
from costline.answers.estimate import estimate
from costline.answers.frontier import frontier
from costline.answers.plan import plan
from costline.answers.progress import tell
from costline.answers.report import report
from costline.answers.report.api_dots import with_api_prices
from costline.answers.report.batch_curve import batch_curve
from costline.answers.report.chosen import chosen
from costline.answers.report.configuration import (
    headline,
    memory_parts,
    operating_points,
    roofline_chart,
    waits_chart,
)
from costline.answers.report.pasted import pasted_model
from costline.answers.report.steps import six_steps
from costline.answers.reproduce import PUBLICATIONS, reproduce
from costline.answers.sensitivity import sensitivity
from costline.answers.simulate import simulate
from costline.web.questions import FIRST_PUBLICATION

Answered = tuple[Answer, dict[str, Any]]


@dataclass(frozen=True)
class Asking:
    """How a question is answered and shown."""

    answer: Callable[..., Answered]
    template: str
    report: Callable[[Answer], str] | None = None


def _plan(scenario: Mapping[str, Any], top: int = 8) -> Answered:
    answer = plan(scenario, top=top)
    tell("looking closer at the best")
    close = chosen(answer)
    steps = [
        {"title": one.title, "decision": one.decision, "because": one.because}
        for one in six_steps(answer.data["plans"], close)
    ]
    extra = {
        "charts": {name: close.charts[name] for name in ("roofline", "waits")},
        "memory": close.memory, "launch": close.launch, "steps": steps, "model_name": close.model.name,
    }  # fmt: skip
    return answer, extra


def _estimate(**given: Any) -> Answered:
    answer = estimate(**given)
    curve = batch_curve(answer, given)
    charts = {"roofline": roofline_chart(answer.data), "waits": waits_chart(answer.data), **curve}
    points = operating_points(answer.data)
    seen = {"memory": memory_parts(answer.data), "figures": headline(answer.data), "points": points}
    return answer, {"charts": charts, **seen}


def _frontier(**given: Any) -> Answered:
    tell("searching deployments")
    answer = frontier(**given)
    tell("reading API prices")
    charts, table = with_api_prices(answer)
    return answer, {"charts": charts, "more_tables": [table] if table else []}


def _compare(scenario: Mapping[str, Any]) -> Answered:
    tell("comparing the ways to pay")
    return compare(scenario), {}


def _simulate(scenario: Mapping[str, Any]) -> Answered:
    tell("simulating requests")
    return simulate(scenario), {}


def _sensitivity(scenario: Mapping[str, Any], top: int = 20) -> Answered:
    tell("moving one thing at a time")
    return sensitivity(scenario, top=top), {}


def _catalog_list(kind: str) -> Answered:
    return catalog_view.listing(kind), {"kind": kind}


def _catalog_entry(name: str) -> Answered:
    answer = catalog_view.one(name)
    return answer, {"kind": next(iter(answer.data)), "name": name}


def _catalog_model(config: str) -> Answered:
    return pasted_model(config), {}


def _reproduce(name: str = FIRST_PUBLICATION, own: bool = False) -> Answered:
    tell("computing the published cells")
    titles = {key: title for key, (_, title) in PUBLICATIONS.items()}
    return reproduce(name, figures=True, own=own), {"publications": titles}


ASKING: Mapping[str, Asking] = {
    "plan": Asking(_plan, "plan", report),
    "estimate": Asking(_estimate, "estimate"),
    "frontier": Asking(_frontier, "frontier"),
    "compare": Asking(_compare, "compare"),
    "simulate": Asking(_simulate, "simulate"),
    "sensitivity": Asking(_sensitivity, "sensitivity"),
    "catalog_list": Asking(_catalog_list, "catalog_list"),
    "catalog_entry": Asking(_catalog_entry, "catalog_entry"),
    "catalog_model": Asking(_catalog_model, "catalog_model"),
    "reproduce": Asking(_reproduce, "reproduce"),
}
