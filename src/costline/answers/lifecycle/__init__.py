"""lifecycle: what a model costs to train and to serve over its life, when one outweighs the other, and whether a
smaller one trained longer to the same loss would cost less.

Composes; every number comes from the layers below.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from costline.answers.answer import Answer
from costline.answers.choices import the_model
from costline.answers.lifecycle.scenario import LifecycleScenario, read_lifecycle
from costline.answers.lifecycle.service import compressed, service, service_flows
from costline.answers.lifecycle.sources import lifecycle_sources
from costline.answers.lifecycle.training import training_run
from costline.answers.lifecycle.view import charts, tables
from costline.answers.lifecycle.words import summary
from costline.architecture.weights import parameters
from costline.catalog.records import Model
from costline.errors import InputError
from costline.lifecycle import crossover, inference_aware, scaling_laws
from costline.lifecycle.facts import LossLaw, loss_law, loss_laws, optimum_laws
from costline.lifecycle.net_present_value import net_present_value
from costline.lifecycle.training import training_flop
from costline.quantities import MEGA, Array, as_array

POINTS = 121
DECADES_DRAWN = 10**2.5
"""The figure starts at the tokens of the life over this."""


def lifecycle(
    scenario: LifecycleScenario | str | Path | Mapping[str, Any],
    *,
    today: datetime.date | None = None,
    **blocks: Any,
) -> Answer:
    """Training, serving, their crossover, and other sizes at the same loss.

    `scenario` is a file, a mapping or a `LifecycleScenario`; keyword blocks win over it. Raises InputError for a bad
    question and InfeasibleError if nothing serves the load within the target.
    """
    asked = read_lifecycle(scenario, **blocks)
    model = the_model(asked.model)
    run, served = training_run(asked.training, model), service(asked)
    law = loss_law(asked.scaling_law)
    rows = _alternatives(asked, model, law, run.data, served.data)
    data = {
        "question": "lifecycle",
        "model": model.id,
        "parameters": parameters(model).total,
        "active_parameters": parameters(model).active,
        "scenario": asked.model_dump(),
        "training": run.data,
        "serving": served.data,
        "crossover": _crossover(asked, run.data["usd"], served.data),
        "scaling_law": {"id": law.id, "name": law.name},
        "laws": _laws(parameters(model).active, asked.training.tokens),
        "alternatives": rows,
        "curves": _curves(rows, served.data),
        "compression": compressed(asked, model),
    }
    day = today or datetime.date.today()
    return Answer(
        question="lifecycle",
        data=data,
        tables=tables(model, data, run.price, day),
        charts=charts(model, data),
        summary=summary(model, data, run.price, day),
        sources=lifecycle_sources(model, run, served, law),
    )


def _crossover(asked: LifecycleScenario, usd: float, served: Mapping[str, Any]) -> dict[str, Any]:
    """Served answer tokens that cost as much as training: at the first year's unit cost, and along the life."""
    tokens = float(crossover.crossover_tokens(usd, served["usd_per_mtok"]))
    block = asked.serving
    paid = np.cumsum(served["usd_by_year"])
    years = np.arange(paid.size, dtype=np.float64)
    reached = bool(paid[-1] >= usd)
    return {
        "output_tokens": tokens,
        "days_at_first_volume": float(crossover.crossover_days(tokens, block.output_tokens_per_day)),
        "output_tokens_over_life": _along_life(tokens, served) if reached else None,
        "years": float(np.interp(usd, paid, years)) if reached else None,
        "reached": reached,
        "serving_over_training": float(paid[-1] / usd) if usd > 0 else None,
    }


def _curves(rows: list[dict[str, Any]], served: Mapping[str, Any]) -> dict[str, Any]:
    """Cost of each size by tokens served, along the life: what the figure draws."""
    along, paid = as_array(served["output_tokens_by_year"]), np.cumsum(served["usd_by_year"])
    tokens = along[-1] * DECADES_DRAWN ** np.linspace(-1.0, 0.0, POINTS)
    serving = as_array(cast(Any, np.interp(tokens, along, paid))) / float(served["usd_per_mtok"])
    drawn = [row for row in rows if row["feasible"]]
    usd: dict[str, Array] = {row["name"]: row["training_usd"] + serving * row["usd_per_mtok"] for row in drawn}
    return {"output_tokens": tokens, "usd": usd}


def _laws(size: float, tokens: float) -> list[dict[str, Any]]:
    """The best size for the budget 6 N D of the run, by publication."""
    budget = float(training_flop(size, tokens))
    rows: list[dict[str, Any]] = []
    for law in (*optimum_laws().values(), *loss_laws().values()):
        best = float(scaling_laws.optimal_parameters(budget, law))
        trained = float(scaling_laws.optimal_tokens(budget, law))
        pairs = {"loss_as_asked": (size, tokens), "loss_at_optimum": (best, trained)}
        losses = {
            name: float(scaling_laws.parametric_loss(*pair, law)) if isinstance(law, LossLaw) else None
            for name, pair in pairs.items()
        }
        sizes = {"parameters": best, "training_tokens": trained, "tokens_per_parameter": trained / best}
        rows.append({"id": law.id, "name": law.name, **sizes, **losses})
    return rows


def _alternatives(
    asked: LifecycleScenario, model: Model, law: LossLaw, trained: Mapping[str, Any], served: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The model as asked and other sizes that reach its loss, each with what training and serving cost."""
    size, tokens = float(parameters(model).active), asked.training.tokens
    loss = float(scaling_laws.parametric_loss(size, tokens, law))
    usd_per_flop = trained["usd"] / float(training_flop(size, tokens))
    if usd_per_flop <= 0:
        raise InputError("training costs nothing at a price of 0, so sizes cannot be weighed; give training.price")
    # Tokens whose training FLOP would cost what serving costs today: weighs both kinds of work by their price.
    weighed = served["present_usd"] / (inference_aware.INFERENCE_FLOP_PER_PARAMETER * size * usd_per_flop)
    best_to_train = float(inference_aware.inference_aware_parameters(loss, 0.0, law))
    best_of_all = float(inference_aware.inference_aware_parameters(loss, weighed, law))
    named = [
        ("as asked", size),
        ("cheapest to train", best_to_train),
        ("cheapest over its life", best_of_all),
        *((f"size {place}", count) for place, count in enumerate(asked.sizes, start=1)),
    ]
    rows = [_alternative(asked, name, (count, loss), law, (size, usd_per_flop, served)) for name, count in named]
    for row in rows:
        unit = rows[0]["usd_per_mtok"]
        paid_back = crossover.payback_tokens(row["training_usd"], rows[0]["training_usd"], unit - row["usd_per_mtok"])
        other = row["feasible"] and row is not rows[0]
        row["payback_output_tokens"] = _along_life(float(paid_back), served) if other else None
    return rows


def _along_life(tokens: float, served: Mapping[str, Any]) -> float | None:
    """Tokens of the life whose serving costs what so many cost in the first year; None if that is beyond it."""
    paid = as_array(np.cumsum(as_array(served["usd_by_year"])))
    usd = tokens / MEGA * served["usd_per_mtok"]
    if usd > paid[-1]:
        return None
    return float(cast(Any, np.interp(usd, paid, as_array(served["output_tokens_by_year"]))))


def _alternative(
    asked: LifecycleScenario,
    name: str,
    target: tuple[float, float],
    law: LossLaw,
    base: tuple[float, float, Mapping[str, Any]],
) -> dict[str, Any]:
    """One size at the loss of the model as asked; training at its price per FLOP, serving in proportion to size."""
    (count, loss), (size, usd_per_flop, served) = target, base
    tokens = float(scaling_laws.tokens_for_loss(count, loss, law))
    unit = served["usd_per_mtok"] * count / size
    train = float(training_flop(count, tokens)) * usd_per_flop
    flows = service_flows(asked, unit, upfront_usd=train)
    feasible = bool(np.isfinite(tokens))
    return {
        "name": name,
        "parameters": count,
        "loss": loss,
        "training_tokens": tokens,
        "tokens_per_parameter": tokens / count,
        "training_usd": train,
        "usd_per_mtok": unit,
        "serving_usd": sum(flows[1:]),
        "total_usd": sum(flows),
        "present_usd": float(net_present_value(as_array(flows), asked.discount_rate_per_year)) if feasible else np.inf,
        "feasible": feasible,
    }
