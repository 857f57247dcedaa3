"""Puts a page together: the form as the address filled it, and the answer beside it. Knows HTML and no question."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode

from markupsafe import Markup

from costline.answers.catalog_view import listing
from costline.errors import InputError
from costline.web.forms import KINDS, MENU, Page, Values
from costline.web.questions import QUESTIONS
from costline.web.static_files import OWN, PLOTLY, address
from costline.web.templating import rendered


@cache
def names() -> dict[str, list[dict[str, Any]]]:
    """Models and accelerators to choose from."""
    models = [{"id": row["id"], "name": row["name"]} for row in listing("models").data["models"]]
    chips = listing("accelerators").data["accelerators"]
    usable = [row for row in chips if any(row["dense_flop_per_s"].values())]
    return {"models": models, "accelerators": [{"id": row["id"], "name": row["name"]} for row in usable]}


def page_html(
    page: Page, values: Values, rest: list[tuple[str, str]], *, part: Markup, error: str, pending: bool
) -> str:
    """A page that asks a question."""
    pairs = [(name, text) for name, texts in values.items() for text in texts]
    return rendered(
        "question.html",
        **shell(page.path, page.title),
        page=page,
        values=values,
        rest=rest,
        names=names(),
        part=part,
        error=error,
        pending=pending,
        query=urlencode(pairs),
        in_scenario=QUESTIONS[page.question].in_scenario,
    )


def shell(path: str, title: str) -> dict[str, Any]:
    """What every page needs: the menu, and where its scripts and styles are."""
    kept = {name.partition(".")[0]: address(name) for name in OWN}
    return {"menu": MENU, "here": path, "title": title, "at": {**kept, "plotly": address(PLOTLY)}, "kinds": KINDS}


def question_from_form(body: bytes, name: str) -> str:
    """The text of a form's field. Raises InputError where there is none."""
    try:
        found = parse_qs(body.decode("utf-8"), max_num_fields=10)
    except ValueError:
        raise InputError("the form cannot be read; send it again") from None
    if name not in found:
        raise InputError(f"{name} is empty; paste the text into the field")
    return found[name][0]
