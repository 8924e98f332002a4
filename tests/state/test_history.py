"""The history of slices: ids and roles by session, no words, and never too many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memem.active import ActiveSlice, Item, Task
from memem.models import Query, Scope
from memem.state.history import MOST_OF_SESSION, History, hashed
from memem.state.store import FILE_NAME, State, open_state

HARBOR = Scope(id="local:harbor")
DAY = 86_400


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(str(tmp_path))
    yield state
    state.close()


def given(name: str, *ids: str, text: str = "what now?") -> ActiveSlice:
    items = tuple(Item(id=one, title="a private title", role="goals", text="a private text", score=0.5) for one in ids)
    return ActiveSlice(id=name, query=Query(text=text, scope=HARBOR), task=Task(text=text), items=items)


def test_newest_slice_of_the_session_and_project_is_remembered(state: State) -> None:
    history = History(state.connection)
    history.record(given("one", "a"), "s1", now=10)
    history.record(given("two", "b", "task:name"), "s1", now=10)
    history.record(given("other", "c"), "s2", now=11)
    latest = history.latest("s1", HARBOR.id)
    assert latest
    assert (latest.id, latest.items) == ("two", (("b", "goals", 0.5, 0),))
    assert history.latest("s1", "local:lighthouse") is None
    assert history.latest("s3", HARBOR.id) is None


def test_no_word_of_question_or_note_is_written(state: State, tmp_path: Path) -> None:
    History(state.connection).record(given("one", "a", text="a private question"), "s1", now=10)
    state.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in tmp_path.glob(f"{FILE_NAME}*"):
        assert b"private" not in path.read_bytes()


def test_each_session_keeps_a_few_and_old_ones_go(state: State) -> None:
    history = History(state.connection)
    history.record(given("old", "a"), "s0", now=0)
    for number in range(MOST_OF_SESSION + 5):
        history.record(given(str(number), "a"), "s1", now=29 * DAY + number)
    count = "SELECT count(*) FROM slices WHERE session = ?"
    assert state.connection.execute(count, (hashed("s1"),)).fetchone()[0] == MOST_OF_SESSION
    assert state.connection.execute(count, (hashed("s0"),)).fetchone()[0] == 1
    history.record(given("new", "a"), "s2", now=31 * DAY)
    assert state.connection.execute(count, (hashed("s0"),)).fetchone()[0] == 0


@pytest.mark.parametrize("items", ["", "{}", "[[1]]", "[7]", "null", '[["a", "b", "c", "d"]]'])
def test_row_that_was_tampered_with_is_no_past(state: State, items: str) -> None:
    history = History(state.connection)
    history.record(given("one", "a"), "s1", now=10)
    state.connection.execute("UPDATE slices SET items = ?", (items,))
    past = history.latest("s1", HARBOR.id)
    assert past is None or past.items == ()
