"""sensitivity: what each assumption, price, rate, option and shape of the model is worth around the best plan.

Each is moved alone, with the plan held fixed and chosen anew. Composes the search; every number comes from the layers
below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from costline.answers.answer import Answer, Used
from costline.answers.plan.view import title_of
from costline.answers.price_words import price_words
from costline.answers.progress import tell
from costline.answers.read_scenario import read_scenario
from costline.answers.scenario import Scenario
from costline.answers.search.rows import plan_row
from costline.answers.sensitivity.architecture import architecture
from costline.answers.sensitivity.around import Around, around, outcome
from costline.answers.sensitivity.assumptions import assumptions
from costline.answers.sensitivity.knee import knees
from costline.answers.sensitivity.options import options
from costline.answers.sensitivity.prices import prices
from costline.answers.sensitivity.rates import rates
from costline.answers.sensitivity.rows import effect_row, ranked_rows
from costline.answers.sensitivity.view import charts, summary, tables
from costline.answers.sensitivity.what_if import GROUPS, Effect, varied
from costline.answers.sources import plan_sources
from costline.errors import InputError, UnknownIdError

TOP = 20
_OF_GROUP: Mapping[str, Callable[[Around], list[Effect]]] = {
    "assumptions": assumptions, "prices": prices, "rates": rates, "architecture": architecture,
}  # fmt: skip


def sensitivity(
    scenario: Scenario | str | Path | Mapping[str, Any] | None = None,
    *,
    groups: Sequence[str] = (),
    vary: Mapping[str, tuple[float, float]] | None = None,
    top: int = TOP,
    **blocks: Any,
) -> Answer:
    """What cost and speed of the best plan hang on, by how much, ranked by the swing of the cost.

    `groups` keeps only some of assumptions, prices, rates, options and architecture; `vary` gives numbers a range of
    your own, such as `{"experts": (64, 256)}`. Raises InputError for a bad question and InfeasibleError if nothing
    meets the targets to begin with.

    Keys of the data that stay:
        base              the plan, as `plan` has it, with `usd_per_mtok_at_capacity`
        effects[]         widest swing first: `name, group, label, unit, base, low, high, low_words, high_words, note,
                          words, swing, fixed_swing, no_plan[], knee{share, factor, words}, fixed{…}, replanned{…}`
        fixed, replanned  at both ends X in low, high: `usd_per_mtok_X, usd_per_mtok_change_X,
                          usd_per_mtok_at_capacity_X, tpot_s_X, ttft_s_X` (each with its `_change_X`), `batch_X,
                          missed_X, reason_X, plan_X`; null where there is no such end or no plan
        swing             width of the range of costs chosen anew, over the plan's cost
    """
    source = scenario.model_dump() if isinstance(scenario, Scenario) else scenario
    asked = read_scenario(source, **blocks)
    if top < 1:
        raise InputError(f"top={top} must be at least 1; it is the number of effects to show")
    for name in groups:
        if name not in GROUPS:
            raise UnknownIdError("group", name, GROUPS)
    base = around(asked)
    now = outcome(base.group, base.row)
    if not now["usd_per_mtok"]:
        raise InputError("price.accelerator_usd_per_hour=0 makes every answer free; give a price above 0")
    effects = [effect for group in groups or GROUPS for effect in _effects(group, base, asked)]
    effects = [effect for effect in varied(effects, vary or {}) if effect.ends()]
    known = knees(base) if not groups or "rates" in groups else {}
    rows: list[dict[str, Any]] = []
    for place, effect in enumerate(effects, start=1):
        tell(f"moving {effect.label} ({place} of {len(effects)})")
        rows.append(effect_row(base, now, effect, known.get(effect.name)))
    rows = ranked_rows(rows)
    title = title_of(asked, base.model)
    first = plan_row(base.group, base.row, 1, asked)
    paid = first["price_usd_per_accelerator_hour"]
    data = {
        "question": "sensitivity",
        "model": base.model.id,
        "scenario": asked.model_dump(),
        "base": now | first,
        "effects": rows,
    }
    return Answer(
        question="sensitivity",
        data=data,
        tables=tables(title, rows, top),
        charts=charts(title, now, rows),
        summary=summary(now, rows, price_words(first["price_source"], paid, first["accelerator"])),
        sources=(*plan_sources(base.found, asked, base.model), *_assumed(rows)),
    )


def _effects(group: str, base: Around, question: Scenario) -> list[Effect]:
    return options(base, question) if group == "options" else _OF_GROUP[group](base)


def _assumed(rows: Sequence[Mapping[str, Any]]) -> list[Used]:
    """The ranges, which are a choice of this answer and no facts, but for the measured one of step times."""
    return [
        Used(f"range of {row['label']}", f"{row['low_words'] or row['base']} to {row['high_words'] or row['base']}",
             "assumed", "assumed", "")
        for row in rows
        if row["name"] != "step_time"
    ]  # fmt: skip
