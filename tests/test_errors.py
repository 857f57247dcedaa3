"""Errors: one tree, one exit code each, a near name for a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline import errors
from costline.catalog.find import chip, engine, offer, system
from costline.catalog.models import find_model
from costline.errors import (
    CatalogError,
    CostlineError,
    DomainError,
    InfeasibleError,
    InputError,
    UnknownIdError,
    nearest_names,
)


@pytest.mark.parametrize(("error", "code"), [
    (CostlineError, 2), (InputError, 2), (CatalogError, 2), (DomainError, 2), (InfeasibleError, 3),
])  # fmt: skip
def test_exit_codes(error: type[CostlineError], code: int):
    assert error("what").exit_code == code
    assert issubclass(error, CostlineError)


def test_the_tree_is_as_drawn():
    assert issubclass(UnknownIdError, InputError)
    assert issubclass(DomainError, ValueError)
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    drawn = {name for name in classes if name in (errors.__doc__ or "")}
    assert classes == drawn


@pytest.mark.parametrize(("find", "wrong", "near"), [
    (find_model, "lama-3.1-70b", "llama-3.1-70b"), (find_model, "deepseek-v33", "deepseek-v3"), (chip, "h10", "h100"),
    (chip, "mi30x", "mi300x"), (system, "hgx-h10", "hgx-h100"), (engine, "vlm", "vllm"), (offer, "runpod-h100", "h100"),
])  # fmt: skip
def test_a_wrong_name_is_told_the_right_one(find, wrong: str, near: str):
    with pytest.raises(UnknownIdError) as caught:
        find(wrong)
    message = str(caught.value)
    assert "\n" not in message
    assert repr(wrong) in message
    assert near in message.partition("nearest:")[2]


@given(st.text(max_size=20), st.lists(st.text(max_size=10), max_size=8), st.integers(1, 5))
def test_nearest_names_are_known_ones_each_once(value: str, names: list[str], count: int):
    found = nearest_names(value, names, count)
    assert set(found) <= set(names)
    assert len(set(found)) == len(found) <= count
    if value in names:
        assert found[0].lower() == value.lower()


def test_nearest_names_ignore_case_and_rank():
    assert nearest_names("H100", ["b200", "h100-sxm", "mi300x"], 2) == ["h100-sxm", "b200"]
    assert nearest_names("x", []) == []
