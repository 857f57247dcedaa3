"""The claim checker against the recomputed numbers that lie beside the repository, and against closed forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import CatalogError, UnknownIdError
from costline.published import claims, printed
from costline.published.claims import FORMULAS, check_claims, evaluate

CHECKED = {claim.id: claim for claim in check_claims()}

NOT_ARITHMETIC = {
    "gpu-month-a100-80", "gpu-month-h100-80", "gpt4o-mini-price", "gpt4o-launch-price", "batch-discount",
    "cache-read-discount", "egress-rate", "h100-fp16-120", "a100-80-bandwidth", "mi300x-fp16",  # looked up
    "tokenizer-inflation",  # the rise is the only number given
    "gpt3-bytes-per-token",  # set against a rule of thumb
}  # fmt: skip
"""Claims with a recomputed number that no stated condition leads to."""

ROUNDED = {
    "api-vs-self-host-70b": 5e-3, "price-decline-annual": 6e-3, "batch32-85pct": 6e-4,
    "spec-speedup-easy": 3e-4, "onprem-breakeven-util": 2e-4,
}  # fmt: skip
"""Recomputed numbers that are recorded, or taken from a number, with two to four digits."""
ROUNDED_RATES = {"sens-v5e-h100": 2e-3}
"""Recorded as 683 over 310.2; unrounded rates give 120.30 %, not 120.18 %."""

CLOSE = 0.16
"""Up to which error a claim was recorded as agreeing."""


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, dict[str, Any]]:
    """The record of claims: printed value, recomputed number and verdict, by id."""
    entries = yaml.safe_load((shared / "claims.yml").read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in entries}


def test_no_cell_surprises():
    assert [(table.name, table.surprises) for table in claims.tables() if table.surprises] == []
    assert claims.figures() == []


def test_each_claim_is_checked_once_by_a_formula_that_exists():
    assert len(CHECKED) == len(check_claims()) == 218
    assert {claim.formula for claim in CHECKED.values()} <= set(FORMULAS)
    assert (
        sum(len(table.cells) for table in claims.tables()) == sum(c.cell is not None for c in CHECKED.values()) == 212
    )


def test_each_computed_number_is_the_recorded_one(recorded: dict[str, dict[str, Any]]):
    loose = ROUNDED | ROUNDED_RATES
    problems = [
        (name, claim.computed, recorded[name]["check"])
        for name, claim in CHECKED.items()
        if claim.computed * printed.UNIT_SCALE.get(claim.unit, 1)
        != pytest.approx(_in_si(recorded[name]["check"], claim.unit, recorded[name]["unit"]), rel=loose.get(name, 1e-4))
    ]
    assert problems == []


def _in_si(number: float, unit: str, recorded_unit: str) -> float:
    """The record counts tokens where the claim counts trillions of them; elsewhere units are the same."""
    return number if (unit, recorded_unit) == ("T tokens", "tokens") else number * printed.UNIT_SCALE.get(unit, 1)


def test_all_arithmetic_claims_are_covered(recorded: dict[str, dict[str, Any]]):
    computable = {
        name for name, one in recorded.items() if one["check"] is not None and one["verdict"] != "not-computable"
    }
    assert computable - set(CHECKED) == NOT_ARITHMETIC
    assert set(CHECKED) <= set(recorded)


def test_verdicts(recorded: dict[str, dict[str, Any]]):
    for name, claim in CHECKED.items():
        if claim.cell is None:
            continue
        if recorded[name]["verdict"] == "differs":
            assert not claim.cell.matches, name
        if recorded[name]["verdict"] == "agrees":
            assert claim.cell.matches or abs(claim.cell.relative_error) < CLOSE, name


def test_printed_numbers_are_the_recorded_ones(recorded: dict[str, dict[str, Any]]):
    for name, claim in CHECKED.items():
        if claim.cell is None or claim.unit == "T tokens":
            continue
        one = recorded[name]
        low, high = (one[end] if one[end] is not None else one["value"] for end in ("low", "high"))
        assert low * (1 - 1e-9) <= claim.cell.published <= high * (1 + 1e-9) or claim.cell.published == one["value"], (
            name
        )


# The same quantities as the chapter's and the guide's own tables compute them.


@pytest.mark.parametrize(("claim", "module", "row", "column"), [
    ("cost-int8-4x4", "scaling_book_serving", "int8 on 4x4", "cost"),
    ("qps-per-chip-bf16", "scaling_book_serving", "bf16 on 4x4", "queries"),
    ("sens-gqa-mha", "scaling_book_serving", "GQA-8 to MHA-64", "cost"),
    ("kv-head-split-time", "scaling_book_serving", "TP 16", "all-gather of a step"),
    ("prefill-decode-ratio", "scaling_book_serving", "servers", "prefill for each decode"),
    ("total-llama2-70b-4k", "optimization_guide", "printed call", "total"),
    ("batch32-speedup", "optimization_guide", "batch 32", "gain"),
])  # fmt: skip
def test_claims_agree_with_the_tables(claim: str, module: str, row: str, column: str):
    tables = __import__(f"costline.published.{module}", fromlist=["tables"]).tables()
    (cell,) = (c for table in tables for c in table.cells if (c.row, c.column) == (row, column))
    assert CHECKED[claim].computed == pytest.approx(cell.computed)


# Formulas against other ways to the same number


def test_erlang_c_by_its_sum():
    servers, load = 10, 8.0
    terms = np.cumprod([1.0, *(load / n for n in range(1, servers))])
    last = terms[-1] * load / servers * servers / (servers - load)
    assert evaluate("erlang_c", {"servers": "10", "load": "8"}) == pytest.approx(last / (terms.sum() + last))
    assert round(evaluate("erlang_c", {"servers": "100", "load": "80"}), 4) == 0.0196


def test_mg1_of_a_steady_length_is_half_of_mm1():
    load = {"requests_per_s": "0.1", "mean_tokens": "256", "token_s": "0.02"}
    steady = evaluate("mg1_wait_s", {**load, "variation": "1e-9"})
    memoryless = evaluate("mg1_wait_s", {**load, "variation": "1"})
    rho, service_s = 0.512, 5.12
    assert memoryless == pytest.approx(rho * service_s / (1 - rho))
    assert steady == pytest.approx(memoryless / 2)


def test_clipping_by_sampling():
    rng = np.random.default_rng(7)
    sigma = np.sqrt(np.log(5))
    tokens = rng.lognormal(np.log(256) - sigma**2 / 2, sigma, 2_000_000)
    cut = np.minimum(tokens, np.quantile(tokens, 0.99))
    wait = [0.1 * np.mean((0.02 * x) ** 2) / (2 * (1 - 0.1 * np.mean(0.02 * x))) for x in (tokens, cut)]
    assert CHECKED["max-token-clip"].computed / 100 == pytest.approx(1 - wait[1] / wait[0], abs=0.03)


def test_the_best_model_size_by_search():
    law = {"flop": "5.76e23", "a": "482.01", "alpha": "0.3478", "b": "2085.43", "beta": "0.3658"}
    sizes = np.geomspace(1e9, 1e13, 400_001)
    tokens = 5.76e23 / 6 / sizes
    best = np.argmin(482.01 / sizes**0.3478 + 2085.43 / tokens**0.3658)
    assert evaluate("optimal_tokens_per_parameter", law) == pytest.approx(tokens[best] / sizes[best], rel=1e-3)


@given(st.floats(0.05, 0.5), st.integers(1, 12))
def test_speculation_breaks_even_where_it_gains_nothing(cost: float, drafts: int):
    point = evaluate("drafted_break_even", {"draft_tokens": str(drafts), "draft_cost": str(cost)})
    gain = evaluate(
        "drafted_speed_up", {"acceptance": str(point), "draft_tokens": str(drafts), "draft_cost": str(cost)}
    )
    assert gain == pytest.approx(1)


@given(st.floats(0.01, 0.9), st.floats(1, 2))
def test_a_cache_write_pays_back_exactly_then(read: float, write: float):
    n = int(evaluate("cache_write_requests", {"write_price": repr(write), "read_price": repr(read)}))
    assert write + (n - 1) * read < n
    assert n == 1 or write + (n - 2) * read >= n - 1 - 1e-9


# Reading


def test_a_given_may_be_a_formula():
    assert evaluate("ratio", {"of": {"product": {"a": "2", "b": {"total": {"c": "1", "d": "2"}}}}, "to": "4"}) == 1.5


def test_an_unknown_formula_is_named():
    with pytest.raises(UnknownIdError, match="unknown formula 'ratoi'; nearest: ratio"):
        evaluate("ratoi", {})


def test_an_unknown_key_is_refused(monkeypatch: pytest.MonkeyPatch):
    entry = {"id": "x", "from": "guide", "says": "s", "given": {"a": "1"}, "unit": "", "prnted": "1"}
    monkeypatch.setattr(printed, "read", lambda name: {"claims": {"total": [entry]}})
    with pytest.raises(CatalogError, match="claim x has unknown keys"):
        check_claims()
