"""Pure text functions: terms, folding, cleaning, cutting."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memem.text import (
    COMMON_WORDS,
    STOP_WORDS,
    clean,
    cut,
    fold,
    index_text,
    one_line,
    query_terms,
    terms,
    utf16_length,
)

any_text = st.text(alphabet=st.characters(codec=None), max_size=200)
mixed = st.text(alphabet="ab \n\r\t記😀é\u200d\x1b[mA1", max_size=200)


@given(any_text | mixed, st.integers(min_value=-5, max_value=250))
@settings(deadline=None)
def test_cut_text_keeps_to_its_units(text: str, units: int) -> None:
    kept = cut(text, units)
    assert utf16_length(kept) <= max(units, 0)
    if utf16_length(text) <= units:
        assert kept == text


@given(st.text(alphabet="😀👩‍記a ", max_size=60), st.integers(min_value=0, max_value=80))
@settings(deadline=None)
def test_cut_text_has_no_half_of_a_pair(text: str, units: int) -> None:
    cut(text, units).encode("utf-8")


def test_cut_text_ends_at_a_word_with_an_ellipsis() -> None:
    assert cut("the quick brown fox", 17) == "the quick brown …"
    assert cut("thequickbrownfox", 10) == "thequick …"


@given(any_text | mixed)
@settings(deadline=None)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert all(char in "\n\t" or ord(char) >= 32 for char in once)
    once.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("a\u202eb\u2066c\u061cd\u2063e", "abcde"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("tag\U000e0041\U000e007f", "tag"),
        ("a\r\nb\rc\u2028d\u2029e", "a\nb\nc\nd\ne"),
        ("a\x00\x07\x7f\x9bb", "ab"),
        ("half \ud83d", "half "),
        ("👩\u200d👩 \u0645\u06cc\u200c\u062e ❤\ufe0f नमस्ते", "👩\u200d👩 \u0645\u06cc\u200c\u062e ❤\ufe0f नमस्ते"),
        ("tab\tstays", "tab\tstays"),
    ],
    ids=ascii,
)
def test_clean_text_keeps_what_can_be_seen(text: str, left: str) -> None:
    assert clean(text) == left


@given(any_text)
@settings(deadline=None)
def test_terms_of_any_text_are_words(text: str) -> None:
    for term in terms(text):
        assert term
        assert not any(char.isspace() or char in '"*()' for char in term)
    assert set(query_terms(text).words) <= set(terms(text))


@pytest.mark.parametrize("text", ["getUserName", "get_user_name", "get-user-name", "GET_USER_NAME", "get.user.name"])
def test_spellings_of_an_identifier_share_their_terms(text: str) -> None:
    found = set(terms(text))
    assert {"user", "name", "get_user_name", "getusername"} <= found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTPServer", "http server"),
        ("Fälligkeit", "FÄLLIGKEIT"),
        ("naïve", "naive"),
        ("don't", "dont"),
        ("１２", "12"),
    ],
)
def test_spellings_meet_in_a_term(one: str, other: str) -> None:
    assert set(terms(one)) & set(terms(other))


def test_scripts_without_spaces_are_found_by_pairs_of_characters() -> None:
    assert set(terms("決済の期限")) >= {"決済", "期限"}
    assert "を" not in query_terms("期限を").words
    assert "決" in terms("決済")  # a question of one character


def test_question_has_no_stop_words_and_a_bounded_number_of_terms() -> None:
    assert query_terms("how do I use the redis port?").words == ("redis", "port")
    assert len(query_terms(" ".join(f"word{number}" for number in range(500))).words) == 40
    assert query_terms("redis Redis REDIS").words == ("redis",)


def test_name_of_what_builds_is_no_stop_word() -> None:
    assert query_terms("where does CI run?").words == ("ci", "run")


def test_word_lists_hold_terms_as_the_index_has_them() -> None:
    for word in STOP_WORDS | COMMON_WORDS:
        assert fold(word) == word
    assert not STOP_WORDS & COMMON_WORDS


@given(any_text)
@settings(deadline=None)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(st.text(max_size=100))
@settings(deadline=None)
def test_length_is_what_the_host_counts(text: str) -> None:
    assert utf16_length(text) == sum(1 + (ord(char) > 0xFFFF) for char in text)


@given(any_text)
@settings(deadline=None)
def test_the_index_is_given_the_terms_of_a_text(text: str) -> None:
    assert sorted(index_text(text).split()) == sorted(terms(text))
