"""Whether a note's paths concern a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memem.index.schema import glob_name
from memem.recall.paths import File, names


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("src/auth/token.py", "src/auth/token.py"),
        ("./src/auth/token.py", "src/auth/token.py"),
        ("src/auth/", "src/auth/token.py"),
        ("src/auth", "src/auth/deep/token.py"),
        ("src/*", "src/token.py"),
        ("src/*/token.py", "src/auth/token.py"),
        ("src/**/token.py", "src/token.py"),
        ("src/**/token.py", "src/a/b/token.py"),
        ("**/migrations/*.sql", "db/migrations/0001_start.sql"),
        ("*.sql", "db/migrations/0001_start.sql"),
        ("token.py", "src/auth/token.py"),
        ("migrations/", "db/migrations/0001_start.sql"),
        ("src/t?ken.py", "src/token.py"),
        ("app/[id]/page.tsx", "app/[id]/page.tsx"),
        ("src/*_test*.py", "src/token_test_2.py"),
        ("文書/*.md", "文書/記憶.md"),
    ],
)
def test_glob_concerns_the_file(glob: str, name: str) -> None:
    assert File([name]).closeness([glob]) > 0


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("src/auth/token.py", "src/auth/token.pyc"),
        ("src/auth/token.py", "lib/src/auth/token.py"),
        ("src/auth/token.py", "src/auth"),
        ("src/*/token.py", "src/token.py"),
        ("src/*.py", "src/auth/token.py"),
        ("token", "src/token.py"),
        ("token.py/", "src/token.py"),
        ("src/**/token.py", "src/a/b/tokens.py"),
        ("*", "a"),
        ("**/*", "a/b"),
        ("", "a"),
        ("   ", "a"),
        ("/", "a"),
        ("../../etc/passwd", "src/token.py"),
        ("app/[id].tsx", "app/i.tsx"),
    ],
)
def test_glob_concerns_another_file(glob: str, name: str) -> None:
    assert File([name]).closeness([glob]) == 0


def test_the_closest_glob_and_any_name_of_the_file_count() -> None:
    assert File(["src/auth/token.py"]).closeness(["src/", "src/auth/token.py"]) == len("srcauthtokenpy")
    assert File(["packages/shop/auth/token.py", "auth/token.py"]).closeness(["auth/token.py"]) > 0


def test_glob_made_to_take_for_ever_is_answered_at_once() -> None:
    assert File(["a" * 100_000 + "b"]).closeness(["*a" * 150]) == 0
    assert File(["a/" * 2000 + "b"]).closeness(["**/" * 100 + "x"]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "price.py is slow",
        "See `price.py`.",
        "See shop/price.py:12",
        "(src/shop/price.py)",
        "not shop/price.pyc but price.py",
        "Price.py",
        "./price.py",
        "/home/ada/src/shop/price.py",
    ],
)
def test_text_names_the_file(text: str) -> None:
    assert names(text, "src/shop/price.py")


@pytest.mark.parametrize(
    "text", ["price", "price.pyc", "price.py_old", "my_price.py", "list-price.py", "bar/price.py", "old.price.py", ""]
)
def test_text_names_another_file(text: str) -> None:
    assert not names(text, "src/shop/price.py")


STEPS = st.lists(st.sampled_from(["a", "b.py", "*", "**", "?", "*.py", "a*", "", ".", " "]), min_size=1, max_size=5)


@given(STEPS.map("/".join), STEPS.map("/".join))
def test_a_glob_concerns_only_files_whose_path_holds_its_name(glob: str, path: str) -> None:
    file = File([path])
    if file.closeness([glob]):
        assert glob_name(glob) in ("", *file.parts)
