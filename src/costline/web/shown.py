"""An answer as the application shows it: JSON as the command line prints it, the page's data, HTML, CSV.

Runs in a worker. Formats; computes nothing.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from costline.answers.answer import Answer
from costline.answers.report import ledger
from costline.render import Column, Table, csv_text, json_text, plain, written
from costline.web import asking
from costline.web.plots import plot
from costline.web.templating import rendered

PASTED = "pasted-model"
Extra = dict[str, Any]


def show(question: str, arguments: Mapping[str, Any]) -> dict[str, bytes]:
    """Everything that can be shown of one answer, by name."""
    with _on_disk(arguments) as usable:
        asked = asking.ASKING[question]
        answer, extra = asked.answer(**usable)
        report = asked.report(answer) if asked.report else ""
    answer = _as_given(answer, arguments)
    page = _page(question, answer, extra)
    parts = {
        "data": json_text(answer.data),
        "page": json.dumps(page, ensure_ascii=False, allow_nan=False),
        "part": rendered(f"answers/{asked.template}.html", **page),
        "csv": csv_text(answer.tables[0]) if answer.tables else "",
        "report": report,
    }
    return {name: text.encode() for name, text in parts.items()}


def warm_up() -> None:
    """What the first question would otherwise wait for."""
    for one in ("llama-3.1-8b", "llama-3.1-70b"):
        show("estimate", {"model": one})


@contextmanager
def _on_disk(arguments: Mapping[str, Any]) -> Generator[dict[str, Any]]:
    """A pasted config.json as the file that answers read: in a folder of ours, for as long as it is needed."""
    usable = copy.deepcopy(dict(arguments))
    holder = _holder(usable)
    if holder is None:
        yield usable
        return
    with tempfile.TemporaryDirectory(prefix="costline-") as folder:
        place = Path(folder, PASTED)
        place.mkdir()
        path = place / "config.json"
        path.write_text(json.dumps(holder["config"]), encoding="utf-8")
        holder["config"] = str(path)
        yield usable


def _holder(arguments: dict[str, Any]) -> dict[str, Any] | None:
    """The mapping whose `config` is a pasted document, if there is one."""
    scenario: Any = arguments.get("scenario")
    model: Any = cast(dict[str, Any], scenario).get("model") if isinstance(scenario, dict) else None
    for holder in (arguments, model):
        if isinstance(holder, dict) and isinstance(cast(dict[str, Any], holder).get("config"), dict):
            return cast(dict[str, Any], holder)
    return None


def _as_given(answer: Answer, arguments: Mapping[str, Any]) -> Answer:
    """The answer with the document in the place of the file that held it for a moment."""
    holder, scenario = _holder(dict(arguments)), answer.data.get("scenario")
    if holder is None or not isinstance(scenario, Mapping):
        return answer
    asked = cast(Mapping[str, Any], scenario)
    model = {**asked["model"], "config": holder["config"]}
    return replace(answer, data={**answer.data, "scenario": {**asked, "model": model}})


def _page(question: str, answer: Answer, extra: Extra) -> dict[str, Any]:
    """What a page shows: tables and charts ready to be put there, and the data behind them."""
    charts = {**answer.charts, **extra.pop("charts", {})}
    return {
        "question": question,
        "data": plain(answer.data),
        "summary": answer.summary.splitlines(),
        "tables": [_table(table) for table in answer.tables],
        "charts": {name: plot(chart) for name, chart in charts.items()},
        "sources": ledger.facts(answer.sources),
        "equations": ledger.equations(answer.sources),
        **{name: [_table(one) for one in value] if name == "more_tables" else plain(value)
           for name, value in extra.items()},
    }  # fmt: skip


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "note": table.note,
        "columns": [vars(column) | {"text": column.form in ("text", "flag")} for column in table.columns],
        "rows": [[_cell(column, row.get(column.key)) for column in table.columns] for row in table.rows],
    }


def _cell(column: Column, value: Any) -> dict[str, Any]:
    return {"key": column.key, "value": plain(value), "text": written(value, column.form)}
