"""A question as an address and back."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costline.errors import InputError
from costline.web.address import pairs_of, query_of, question_of

WORDS = st.text("abcxyz-_0189 ü&=%+/", min_size=1, max_size=12).map(str.strip).filter(
    lambda text: text and text not in ("true", "false", "null") and text[0] not in "[{"
)
KEYS = st.text("abcdexyz_", min_size=1, max_size=8)
LEAVES = st.one_of(WORDS, st.none(), st.booleans(), st.lists(WORDS, min_size=2, max_size=4))
QUESTIONS = st.dictionaries(KEYS, st.one_of(LEAVES, st.dictionaries(KEYS, LEAVES, min_size=1, max_size=4)), max_size=4)


@given(QUESTIONS)
def test_a_link_is_a_saved_question(question: dict[str, object]):
    assert question_of(parse_qsl(query_of(question), keep_blank_values=True)) == question


def test_lists_of_tables_and_pasted_documents_travel_as_json():
    question = {"workload": {"stages": [{"rate": 1, "duration_s": 2}]}, "model": {"config": {"hidden.size": 3}}}
    assert question_of(pairs_of(question)) == question
    assert question_of([("own.years", "[3, 4, 6]")]) == {"own": {"years": [3, 4, 6]}}


def test_empty_fields_of_a_form_say_nothing():
    assert question_of([("slo.ttft_p99_ms", ""), ("model.id", " x ")]) == {"model": {"id": "x"}}


@pytest.mark.parametrize(("pairs", "words"), [
    ([("model", "x"), ("model.id", "y")], "cannot both be given"),
    ([("model.id", "y"), ("model", "x")], "cannot both be given"),
    ([("model..id", "x")], "is no setting"),
    ([("a" * 101, "x")], "is no setting"),
    ([(f"k{i}", "x") for i in range(300)], "300 settings"),
    ([("model.config", "/etc/passwd")], "no file is opened"),
    ([("workload.trace", "../../secret.csv")], "no file is opened"),
    ([("a." * 40 + "b", "x")], "nests deeper"),
    ([("a", "[1, NaN]")], "is no number"),
    ([("a", "[" * 2000)], "the document"),
    ([("a", '{"config": "/etc/passwd"}')], "no file is opened"),
])  # fmt: skip
def test_what_has_no_meaning_is_refused(pairs: list[tuple[str, str]], words: str):
    with pytest.raises(InputError, match=words):
        question_of(pairs)
