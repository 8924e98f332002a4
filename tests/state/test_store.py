"""The state database: what a session has seen, and versions that never fight."""

import os
import sqlite3
import stat

import pytest

from memem.errors import Damaged, StateUnavailable, TooNew
from memem.state.store import FILE_NAME, open_state

DAY = 86_400


@pytest.fixture
def state(tmp_path):
    state = open_state(str(tmp_path))
    yield state
    state.close()


def test_facts_are_kept_by_the_file(state, tmp_path):
    assert state.get("key", "none") == "none"
    state.put("key", "a")
    state.put("key", "b")
    other = open_state(str(tmp_path))
    assert other.get("key") == "b"
    other.close()


def test_the_file_is_private(state, tmp_path):
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_what_one_session_has_seen_is_unseen_in_another(state):
    state.mark_shown("s1", {"m1": "e1", "m2": "e2"}, now=100)
    state.mark_shown("s1", {"m2": "e3"}, now=101)
    assert state.shown("s1") == {"m1": "e1", "m2": "e3"}
    assert state.shown("s2") == {}


def test_a_session_that_lost_its_context_has_seen_nothing(state):
    state.mark_shown("s1", {"m1": "e1"}, now=100)
    state.mark_shown("s2", {"m1": "e1"}, now=100)
    state.forget_shown("s1", now=200)
    assert state.shown("s1") == {}
    assert state.shown("s2") == {"m1": "e1"}


def test_old_sessions_are_forgotten_in_passing(state):
    state.mark_shown("old", {"m1": "e1"}, now=0)
    state.mark_shown("young", {"m1": "e1"}, now=20 * DAY)
    state.forget_shown("other", now=31 * DAY)
    assert state.shown("old") == {}
    assert state.shown("young") == {"m1": "e1"}


def test_a_newer_state_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / FILE_NAME
    with sqlite3.connect(path) as newer:
        newer.execute("CREATE TABLE future (x)")
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    said = r"written by a newer memem \(state version 99, this one knows 5\), so this one writes nothing: update"
    with pytest.raises(TooNew, match=said):
        open_state(str(tmp_path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_state_is_named_and_left_alone(tmp_path, data):
    (tmp_path / FILE_NAME).write_bytes(data)
    with pytest.raises(Damaged, match="no memory is in it"):
        open_state(str(tmp_path))
    assert (tmp_path / FILE_NAME).read_bytes() == data


def test_an_empty_state_file_is_a_new_one(tmp_path):
    (tmp_path / FILE_NAME).touch()
    state = open_state(str(tmp_path))
    state.put("a", "b")
    assert state.get("a") == "b"
    state.close()


@pytest.mark.parametrize("folder", ["missing", "file/below"])
def test_a_folder_that_cannot_hold_it_is_named(tmp_path, folder):
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable, match="check"):
        open_state(str(tmp_path / folder))


def test_a_folder_with_signs_of_urls_in_its_name_works(tmp_path):
    folder = tmp_path / "50% ?x=1&mode=ro #1"
    folder.mkdir()
    state = open_state(str(folder))
    state.put("a", "b")
    state.close()
    assert os.listdir(folder) == [FILE_NAME]


def test_two_openers_at_once_make_one_schema(tmp_path):
    first, second = open_state(str(tmp_path)), open_state(str(tmp_path))
    first.mark_shown("s", {"m": "e"}, now=1)
    assert second.shown("s") == {"m": "e"}
    first.close()
    second.close()
