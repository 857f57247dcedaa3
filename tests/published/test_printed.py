"""What a printed literal states, and that no printed number is lost on the way to a cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import CatalogError
from costline.published import printed
from costline.published.cells import Cell

Publication = dict[str, dict[str, dict[str, object]]]


@pytest.fixture
def publication(monkeypatch: pytest.MonkeyPatch) -> Publication:
    """The tables of a small publication that stands in place of a file."""
    one: dict[str, object] = {
        "title": "One",
        "place": "here",
        "units": {"a": "ms"},
        "rows": {"x": {"a": "5.4"}},
    }
    tables: Publication = {"tables": {"one": one}}
    monkeypatch.setattr(printed, "read", lambda name: {"source": "definition", **tables})
    return tables


def cell(computed: float, **entry: str) -> Cell:
    return printed.cell("row", "column", computed, entry)


@given(st.integers(1, 9_999_999), st.integers(0, 6))
def test_a_literal_states_its_decimals(digits: int, places: int):
    text = f"{digits / 10**places:.{places}f}"
    assert printed.decimals(text) == places
    assert printed.decimals(f"{text}e3") == places - 3


@pytest.mark.parametrize(("text", "computed", "matches"), [
    ("0.27", 0.2749, True), ("0.27", 0.2751, False), ("28.80", 28.8, True), ("28.80", 28.81, False),
    ("2e2", 199.5, True), ("200", 199.4, False), ("-4e1", -35.1, True), ("5.8e17", 5.91e17, False),
    ("20 to 30", 30.0, True), ("20 to 30", 30.1, False), ("20 to 30", 19.9, False), ("1e8 to 1e9", 4.2e9, False),
])  # fmt: skip
def test_a_cell_matches_at_the_printed_precision_and_no_looser(text: str, computed: float, matches: bool):
    assert cell(computed, printed=text).matches is matches


def test_a_unit_scales_the_computed_number_only():
    found = cell(0.0173, printed="17.3", unit="ms")
    assert (found.published, found.computed, found.matches) == (17.3, pytest.approx(17.3), True)
    assert cell(17.3, printed="17.3", unit="sequences").computed == 17.3


def test_a_reason_marks_the_cell_and_a_remark_does_not():
    assert cell(1, printed="2", wrong="why").expected_match is False
    assert cell(1, printed="1", note="so").expected_match is True
    assert cell(3, printed="2 to 4", wrong="why", note="so").note == "printed as 2 to 4; why; so"


def test_a_table_takes_its_units_and_place(publication: Publication):
    (table,) = printed.tables("small", "p", {"one": {("x", "a"): 0.0054}})
    assert (table.name, table.source, table.cells[0].unit) == ("p-one", "[definition] here", "ms")
    assert table.surprises == ()


def test_what_is_printed_and_what_is_computed_must_agree(publication: Publication):
    with pytest.raises(CatalogError, match="prints 'x', 'a', which nothing computes"):
        printed.tables("small", "p", {"one": {}})
    with pytest.raises(CatalogError, match="no line for"):
        printed.tables("small", "p", {"one": {("x", "a"): 1, ("x", "b"): 1}})


@pytest.mark.parametrize(("key", "value"), [("rows", {"x": {"a": {"printed": "1", "units": "s"}}}), ("Title", "t")])
def test_an_unknown_key_is_refused(publication: Publication, key: str, value: object):
    publication["tables"]["one"][key] = value
    with pytest.raises(CatalogError, match="unknown keys"):
        printed.tables("small", "p", {"one": {("x", "a"): 1}})
