"""Arguments are checked against the schema, mended where models commonly slip, and refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memem.errors import BadInput
from memem.tools.arguments import names, validate, whole

TEXTS = {"type": ["string", "array"], "items": {"type": "string", "maxLength": 5}, "maxItems": 2}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 2, "maxLength": 5},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10},
        "score": {"type": "number", "minimum": 0},
        "strict": {"type": "boolean"},
        "tags": TEXTS,
        "kind": {"type": "string", "enum": ["fact", "fix"]},
    },
    "required": ["text"],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,  # the usual 100 take four times as long
)


def clean(**arguments: Any) -> dict[str, Any]:
    return validate(SCHEMA, {"text": "abc"} | arguments)[0]


def refusal(arguments: dict[str, Any]) -> str:
    with pytest.raises(BadInput) as refused:
        validate(SCHEMA, arguments)
    return str(refused.value)


def test_valid_arguments_are_kept_and_defaults_filled_in() -> None:
    assert clean(strict=False, score=0.5) == {"text": "abc", "limit": 10, "score": 0.5, "strict": False}


def test_unknown_arguments_are_dropped_and_named() -> None:
    assert validate(SCHEMA, {"text": "abc", "b": 1, "a": 2}) == ({"text": "abc", "limit": 10}, ("b", "a"))


def test_null_counts_as_not_given() -> None:
    assert clean(limit=None, tags=None) == {"text": "abc", "limit": 10}
    assert refusal({"text": None}) == "text is missing; give text from 2 to 5 characters"


def test_missing_argument_is_named_with_what_was_given_instead() -> None:
    assert refusal({"txt": "abc"}) == "text is missing (unknown here: txt); give text from 2 to 5 characters"


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 "])
def test_whole_floats_and_digits_become_integers(value: object) -> None:
    limit = clean(limit=value)["limit"]
    assert (limit, type(limit)) == (7, int)


@pytest.mark.parametrize(
    "value", [True, "seven", "7.5", "٧", "--7", "", "9" * 19, 7.5, float("inf"), float("nan"), [7], {}]
)
def test_what_is_no_integer_is_refused(value: object) -> None:
    assert refusal({"text": "abc", "limit": value}) == "limit has the wrong type; give a whole number from 1 to 50"


@pytest.mark.parametrize("value", [0, 51, "-3", 10**400])
def test_integers_out_of_bounds_are_refused(value: object) -> None:
    assert refusal({"text": "abc", "limit": value}) == "limit is out of bounds; give a whole number from 1 to 50"


@pytest.mark.parametrize("value", [True, "0.5", float("inf"), float("nan")])
def test_what_is_no_number_is_refused(value: object) -> None:
    assert refusal({"text": "abc", "score": value}) == "score has the wrong type; give a number of at least 0"


@pytest.mark.parametrize("value", [0, 1, "true", []])
def test_only_true_and_false_are_booleans(value: object) -> None:
    assert refusal({"text": "abc", "strict": value}) == "strict has the wrong type; give true or false"


@pytest.mark.parametrize("value", [5, 5.0, True, ["abc"], {"a": 1}])
def test_what_is_no_text_is_refused(value: object) -> None:
    assert refusal({"text": value}) == "text has the wrong type; give text from 2 to 5 characters"


@pytest.mark.parametrize("size", [1, 6])
def test_length_of_text_is_bounded_and_the_text_not_repeated(size: int) -> None:
    assert refusal({"text": "s" * size}) == f"text has {size} characters; give text from 2 to 5 characters"


def test_a_list_or_text_is_accepted_where_both_are_allowed() -> None:
    assert clean(tags="a,b")["tags"] == "a,b"
    assert clean(tags=["a", "b"])["tags"] == ["a", "b"]


def test_faults_in_a_list_are_named_by_position() -> None:
    accepted = "text or a list of at most 2 items, each text of at most 5 characters"
    assert refusal({"text": "abc", "tags": ["a", 2]}) == "tags[1] has the wrong type; give text of at most 5 characters"
    assert (
        refusal({"text": "abc", "tags": ["long one"]}) == "tags[0] has 8 characters; give text of at most 5 characters"
    )
    assert refusal({"text": "abc", "tags": ["a", "b", "c"]}) == f"tags has 3 items; give {accepted}"
    assert refusal({"text": "abc", "tags": {"a": 1}}) == f"tags has the wrong type; give {accepted}"


def test_a_value_outside_the_enum_is_refused_with_the_choices() -> None:
    assert clean(kind="fix")["kind"] == "fix"
    assert refusal({"text": "abc", "kind": "x"}) == "kind has a value that is not known here; give one of: fact, fix"


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_kept() -> None:
    assert clean(text="a\ud800b", tags=["\udc00"]) == {"text": "a\ufffdb", "limit": 10, "tags": ["\ufffd"]}
    assert whole("\U0001f600") == "\U0001f600"


def test_names_of_ignored_arguments_are_short_and_printable() -> None:
    assert names(("a\nb", "\ud800")) == "a\ufffdb, \ufffd"
    assert len(names(("x" * 10_000,) * 10_000)) < 1_000


@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), JSON))
def test_whatever_is_sent_is_either_clean_or_refused_in_one_line(arguments: dict[str, Any]) -> None:
    try:
        found, _ = validate(SCHEMA, arguments)
    except BadInput as refused:
        assert "\n" not in str(refused)
    else:
        assert validate(SCHEMA, found) == (found, ())
