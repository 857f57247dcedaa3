"""export: launch files for a plan — one that `costline plan` wrote, or a scenario that is planned first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from costline.answers.launch import launch_command, launch_files
from costline.answers.plan import TOP, plan
from costline.answers.read_scenario import read_scenario, read_text, validate
from costline.answers.scenario import Scenario
from costline.errors import InputError

Row = Mapping[str, Any]


def export(
    plan_file: str | Path | Mapping[str, Any],
    *,
    engine: str | None = None,
    target: str = "shell",
    rank: int = 1,
) -> dict[str, str]:
    """Launch files by name for the plan of that rank. Raises InputError if it cannot be read or started so."""
    row, scenario = planned(plan_file, rank)
    return launch_files(row, scenario, engine, target)


def command(plan_file: str | Path | Mapping[str, Any], *, engine: str | None = None, rank: int = 1) -> str:
    """The command that starts one replica of the plan of that rank."""
    row, scenario = planned(plan_file, rank)
    return launch_command(row, scenario, engine)


def planned(plan_file: str | Path | Mapping[str, Any], rank: int) -> tuple[Row, Scenario]:
    """The row of that rank and its scenario, from a plan's result or by planning a scenario."""
    if rank < 1:
        raise InputError(f"rank={rank} must be at least 1; 1 is the best plan")
    if not isinstance(plan_file, Mapping):
        plan_file = _result(Path(plan_file)) or plan_file
    if isinstance(plan_file, Mapping) and "plans" in plan_file:
        return _chosen(plan_file, rank), _scenario(plan_file)
    if isinstance(plan_file, Mapping) and "question" in plan_file:
        raise InputError(f"this answers {plan_file['question']!r} and holds no plans; give a result of costline plan")
    scenario = read_scenario(plan_file)
    return _chosen(plan(scenario, top=max(rank, TOP)).to_dict(), rank), scenario


def _result(path: Path) -> dict[str, Any] | None:
    """An answer in JSON; None if the file is a scenario's."""
    text = read_text(path, "plan")
    if not text.lstrip().startswith("{"):
        return None
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError) as error:
        if path.suffix == ".json":
            raise InputError(f"plan {path} is not JSON ({error}); give a result.json of costline plan") from None
        return None
    answer = cast(dict[str, Any], loaded)
    return answer if "plans" in answer or "question" in answer else None


def _chosen(result: Mapping[str, Any], rank: int) -> Row:
    rows = result["plans"]
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in cast(list[object], rows)):
        raise InputError("plans must be a list of rows; give a result.json of costline plan")
    by_rank = {row.get("rank"): row for row in cast(list[Row], rows)}
    if rank not in by_rank:
        raise InputError(f"rank={rank} is not among the {len(by_rank)} plans; plan again with a larger --top")
    return by_rank[rank]


def _scenario(result: Mapping[str, Any]) -> Scenario:
    given = result.get("scenario")
    if not isinstance(given, Mapping):
        raise InputError("the plan holds no scenario; give a result.json of costline plan")
    return validate(cast(Mapping[str, Any], given))
