"""A model from the text of its config.json, shown as the catalog shows its own; nothing is written."""

from __future__ import annotations

import json
from typing import Any, cast

from costline.answers import catalog_view
from costline.answers.answer import Answer
from costline.catalog.hugging_face import model_from_config
from costline.errors import InputError

NAME = "pasted-model"


def pasted_model(config: dict[str, Any] | str) -> Answer:
    """What is known of the model that a config.json describes. Raises InputError for what is none."""
    table = read_config_text(config) if isinstance(config, str) else config
    model = model_from_config(table, id=NAME)
    return catalog_view._shown("model", model)  # pyright: ignore[reportPrivateUsage]


def read_config_text(text: str) -> dict[str, Any]:
    """The table in the text of a config.json; raises InputError in one line if there is none."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        fault = f"is not valid JSON at line {error.lineno}: {error.msg}"
        raise InputError(f"config {fault}; paste the whole file") from None
    except (RecursionError, ValueError) as error:
        fault = " ".join(str(error).split())
        raise InputError(f"config cannot be read ({fault}); paste a model's config.json") from None
    if not isinstance(found, dict):
        raise InputError("config holds no JSON object; paste a model's config.json")
    return cast(dict[str, Any], found)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
