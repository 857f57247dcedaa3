"""Documents from the network: small, flat, without tricks, and naming no file."""

from __future__ import annotations

import pytest

from costline.errors import InputError
from costline.web.documents import read_document

LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


def test_json_and_yaml_mean_the_same():
    expected = {"model": {"id": "llama-3.1-8b"}, "workload": {"input_tokens": 10}}
    as_yaml = read_document("model: {id: llama-3.1-8b}\nworkload: {input_tokens: 10}", as_yaml=True)
    as_json = read_document('{"model": {"id": "llama-3.1-8b"}, "workload": {"input_tokens": 10}}', as_yaml=False)
    assert as_yaml == as_json == expected


@pytest.mark.parametrize(("text", "words"), [
    (LAUGHS, "alias"), ("a: 1\na: 2", "also stands"), ("<<: {a: 1}", "merge key"), ("- 1", "must hold blocks"),
    ("a: !!python/object/apply:os.system [ls]", "line 1"), ("a: [" + "[" * 40 + "]" * 41, "deeper"),
    ("model: {config: /etc/passwd}", "no file"), ("a: \x00", "not allowed|special characters"),
    ("workload: {trace: x.csv}", "no file"), ("? [a]\n: 1", "not text"), ("", "must hold blocks"),
])  # fmt: skip
def test_yaml_that_is_no_scenario(text: str, words: str):
    with pytest.raises(InputError, match=words):
        read_document(text, as_yaml=True)


@pytest.mark.parametrize(("text", "words"), [
    ("{", "not valid JSON"), ("[1]", "must hold blocks"), ('{"a": NaN}', "NaN is no number"),
    ('{"a": -Infinity}', "no number"), ('{"a": ' + "[" * 100_000, "cannot be read"),
    ('{"a": ' + "[" * 40 + "]" * 40 + "}", "deeper"), ('{"a": ' + "9" * 5000 + "}", "cannot be read"),
])  # fmt: skip
def test_json_that_is_no_scenario(text: str, words: str):
    with pytest.raises(InputError, match=words):
        read_document(text, as_yaml=False)
