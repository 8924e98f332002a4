"""The quick search: the same answer as the facade's, and none wherever there is something to take in or to tell."""

import os

import pytest

from memem import glance
from memem.models import Draft
from memem.project import find_checkout
from memem.recall.render import compact_index

QUESTION = "which port has redis"


@pytest.fixture
def world(home, memem, vault, checkout, monkeypatch):
    """A vault of two notes that have settled, and a process in the project."""
    for name in ("a", "b"):
        path = vault.write(f"{name}.md", f"Redis {name} listens on port 6380\n")
        os.utime(path, (1, 1))
    memem.save(Draft(content="Redis must run on port 6381"))
    monkeypatch.setattr("memem.sync._SETTLE_NS", 0)
    memem.sync()
    memem.index.remember_root_commit(find_checkout(checkout).common, "0123456789ab")
    monkeypatch.setenv("MEMEM_DIR", home.dir)
    monkeypatch.setenv("MEMEM_OBSIDIAN_VAULT", home.vault)
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", checkout)
    return vault


def test_answer_is_the_same_as_the_facades(world, memem):
    found = memem.search(QUESTION)
    assert len(found.found) == 3
    assert glance.search(QUESTION) == compact_index(found)
    assert glance.search("kubernetes") == compact_index(memem.search("kubernetes"))


def test_new_edited_and_deleted_notes_are_left_to_the_facade(world, memem):
    path = world.write("c.md", "Valkey listens on port 6382\n")
    assert glance.search(QUESTION) is None
    memem.sync()
    assert glance.search("valkey") is not None
    path.write_text("Valkey listens on port 6383\n")
    assert glance.search("valkey") is None
    memem.sync()
    path.unlink()
    assert glance.search("valkey") is None


def test_what_waits_or_is_missing_is_left_to_the_facade(world, home):
    os.makedirs(f"{home.dir}/spool", exist_ok=True)
    waiting = f"{home.dir}/spool/x.md"
    with open(waiting, "w"):
        assert glance.search(QUESTION) is None
    os.unlink(waiting)
    assert glance.search(QUESTION) is not None
    os.rename(home.vault, f"{home.vault}-unmounted")
    assert glance.search(QUESTION) is None


def test_wrong_settings_are_left_to_who_explains_them(world, monkeypatch):
    monkeypatch.setenv("MEMEM_INJECTION_MODE", "sometimes")
    assert glance.search(QUESTION) is None


def test_a_repository_whose_first_commit_is_not_known_yet_is_left_to_the_facade(world, memem):
    memem.index.connection.execute("DELETE FROM root_commits")
    assert glance.search(QUESTION) is None


def test_all_files_are_looked_at_only_when_nothing_else_asks_for_the_facade(world, memem, home, monkeypatch):
    monkeypatch.setattr(glance, "differing", lambda *_: pytest.fail("all files were looked at"))
    with pytest.raises(pytest.fail.Exception):
        glance.search(QUESTION)
    memem.index.connection.execute("UPDATE notes SET settled = 0 WHERE path LIKE '%a.md'")
    assert glance.search(QUESTION) is None
