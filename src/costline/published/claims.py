"""The claim checker: each quantitative claim computed from the conditions that it states.

Knows how `catalog/data/published/claims.yml` is read and evaluated: a claim names a formula and what is given;
a given quantity may be a formula of its own. Knows no formula (see `claims_slice`, `claims_hardware`,
`claims_money`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from costline.errors import CatalogError, UnknownIdError
from costline.published import claims_hardware, claims_money, claims_slice, printed
from costline.published.cells import Cell, FigureData, Table
from costline.published.printed import Node, section

PUBLICATION = "claims"
FORMULAS = {**claims_slice.FORMULAS, **claims_hardware.FORMULAS, **claims_money.FORMULAS}
"""Every formula that a claim may name."""
_KEYS = {"id", "from", "says", "given", "printed", "unit", "wrong", "note"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim and what its own conditions give."""

    id: str
    document: str
    """A key under `documents`."""
    statement: str
    formula: str
    computed: float
    """In the unit of the claim."""
    unit: str
    cell: Cell | None
    """The printed number beside the computed one; None where the document prints none."""


def evaluate(formula: str, given: Node) -> float:
    """The value of a formula in SI; a given mapping is a formula with its own givens.

    >>> round(evaluate("ratio", {"of": {"product": {"kwh": "2", "price": "3"}}, "to": "4"}), 3)
    1.5
    """
    if formula not in FORMULAS:
        raise UnknownIdError("formula", formula, FORMULAS)
    arguments = {name: _quantity(value) for name, value in given.items()}
    return float(FORMULAS[formula](**arguments))


def _quantity(value: object) -> float | str:
    if isinstance(value, Mapping):
        ((formula, given),) = cast(Mapping[str, Node], value).items()
        return evaluate(formula, given)
    text = str(value)
    try:
        return float(text)
    except ValueError:
        return text


def _claim(formula: str, entry: Node) -> Claim:
    name = str(entry["id"])
    if unknown := set(entry) - _KEYS:
        raise CatalogError(f"{PUBLICATION}.yml: claim {name} has unknown keys {sorted(unknown)}; use {sorted(_KEYS)}")
    computed, statement, unit = evaluate(formula, section(entry, "given")), str(entry["says"]), str(entry["unit"])
    return Claim(
        id=name,
        document=str(entry["from"]),
        statement=statement,
        formula=formula,
        computed=computed / printed.UNIT_SCALE.get(unit, 1),
        unit=unit,
        cell=printed.cell(name, statement, computed, entry) if "printed" in entry else None,
    )


def check_claims() -> list[Claim]:
    """Every claim, computed."""
    groups = cast(Mapping[str, list[Node]], section(printed.read(PUBLICATION), "claims"))
    return [_claim(formula, entry) for formula, entries in groups.items() for entry in entries]


def tables() -> list[Table]:
    """One table a document; a row is a claim that prints a number."""
    documents = cast(Mapping[str, Node], section(printed.read(PUBLICATION), "documents"))
    checked = check_claims()
    return [
        Table(
            name=f"claims-{name}",
            title=str(document["title"]),
            source=f"[{document['key']}] throughout",
            cells=tuple(claim.cell for claim in checked if claim.cell and claim.document == name),
        )
        for name, document in documents.items()
    ]


def figures() -> list[FigureData]:
    """None."""
    return []
