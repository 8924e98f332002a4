"""The watcher: what a human does in the vault is in the index without any call of a tool."""

import shutil
import threading

import pytest

from memem.errors import VaultUnavailable
from memem.index.reader import open_reader
from memem.text import query_terms
from memem.watch import Watcher

from .home import SECONDS

REDIS = "Redis must run on 6380"


# watchdog meets a folder twice when it is made together with its parent, and says so; nothing is lost by it.
pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")


@pytest.fixture
def watcher(memem):
    """A watcher at work, which settles fast."""
    memem.sync()
    watching = Watcher(memem, settle=0.02, look=0.05)
    if not watching.start():
        pytest.skip("this system sends no notifications of files")
    yield watching
    watching.stop()


def rows(home, words):
    """What another process reads in the index now, without a sync."""
    index = open_reader(home.dir)
    found = [item.path for item in index.search(query_terms(words), 10)]
    index.close()
    return found


def followed(watcher, home, words, wanted):
    """Wait for syncs until the index says it; the last one follows the last change."""
    while rows(home, words) != wanted:
        assert watcher.synced.wait(SECONDS), f"{words!r} is not {wanted} in the index"
        watcher.synced.clear()


def test_new_edited_moved_and_deleted_notes_are_followed_without_a_call(watcher, home, vault):
    path = vault.write("by-hand.md", f"---\ntitle: Ports\n---\n\n{REDIS}\n")
    followed(watcher, home, "redis", ["memories/by-hand.md"])
    path.write_text("---\ntitle: Ports\n---\n\nValkey must run on 6380\n")
    followed(watcher, home, "valkey", ["memories/by-hand.md"])
    assert rows(home, "redis") == []
    other = path.with_name("editor.tmp")
    other.write_text("---\ntitle: Ports\n---\n\nDragonfly must run on 6380\n")
    other.replace(path)
    followed(watcher, home, "dragonfly", ["memories/by-hand.md"])
    (path.parent / "sub").mkdir()
    path.rename(path.parent / "sub" / "moved.md")
    followed(watcher, home, "dragonfly", ["memories/sub/moved.md"])
    (path.parent / "sub" / "moved.md").unlink()
    followed(watcher, home, "dragonfly", [])


def test_a_note_in_a_folder_that_was_made_a_moment_ago_is_followed(watcher, home, vault):
    folder = vault.root / "memories" / "new" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text(f"{REDIS}\n")
    followed(watcher, home, "redis", ["memories/new/deep/a.md"])
    (folder / "a.md").write_text("Valkey must run on 6380\n")
    followed(watcher, home, "valkey", ["memories/new/deep/a.md"])


def test_a_sync_that_fails_does_not_end_the_watching(watcher, home, vault, memem, monkeypatch):
    failed = threading.Event()

    def fail(paths):
        failed.set()
        raise VaultUnavailable("the vault is not there")

    with monkeypatch.context() as fault:
        fault.setattr(memem, "sync_some", fail)
        vault.write("first.md", f"{REDIS}\n")
        assert failed.wait(SECONDS)
    vault.write("second.md", "Valkey must run on 6380\n")
    followed(watcher, home, "valkey", ["memories/second.md"])
    assert rows(home, "redis") == ["memories/first.md"]


def test_a_burst_of_edits_is_one_sync_or_a_few(watcher, home, vault, memem, monkeypatch):
    real, calls = memem.sync_some, []

    def count(paths):
        calls.append(1)
        return real(paths)

    monkeypatch.setattr(memem, "sync_some", count)
    for number in range(100):
        vault.write(f"{number}.md", f"Lesson about zebra{number}\n")
    followed(watcher, home, "zebra99", ["memories/99.md"])
    assert len(calls) < 50


@pytest.mark.parametrize("away", ["removed", "renamed"])
def test_a_vault_that_goes_away_and_is_made_anew_is_followed_again(watcher, home, vault, tmp_path, away):
    vault.write("first.md", f"{REDIS}\n")
    followed(watcher, home, "redis", ["memories/first.md"])
    for number in range(2):
        shutil.rmtree(vault.root) if away == "removed" else vault.root.rename(tmp_path / f"away-{number}")
        path = vault.write(f"anew-{number}.md", "Valkey must run on 6380\n")
        followed(watcher, home, "valkey", [f"memories/anew-{number}.md"])
        path.write_text("Dragonfly must run on 6380\n")
        followed(watcher, home, "dragonfly", [f"memories/anew-{number}.md"])
        assert rows(home, "redis") == []


def test_a_vault_that_is_away_for_a_while_keeps_its_index_and_is_followed_when_it_is_back(
    watcher, home, vault, tmp_path
):
    vault.write("first.md", f"{REDIS}\n")
    followed(watcher, home, "redis", ["memories/first.md"])
    vault.root.rename(tmp_path / "away")
    while not watcher._memem.warnings():
        watcher._memem.search("redis")  # which tells that the vault is not there, again and again
        watcher._memem._synced_at = float("-inf")
    assert rows(home, "redis") == ["memories/first.md"]
    (tmp_path / "away").rename(vault.root)
    vault.write("second.md", "Valkey must run on 6380\n")
    followed(watcher, home, "valkey", ["memories/second.md"])
    assert rows(home, "redis") == ["memories/first.md"]


def test_a_vault_that_is_not_there_is_not_watched(memem, tmp_path):
    memem.vault.root.rename(tmp_path / "away")
    assert not Watcher(memem).start()


def test_it_ends_when_it_is_told(memem):
    watching = Watcher(memem)
    if watching.start():
        watching.stop()
    assert "memem-watch" not in {thread.name for thread in threading.enumerate()}


def test_an_edit_reads_the_edited_note_and_looks_at_no_other(watcher, memem, home, vault, monkeypatch):
    path = vault.write("by-hand.md", f"---\ntitle: Ports\n---\n\n{REDIS}\n")
    followed(watcher, home, "redis", ["memories/by-hand.md"])
    monkeypatch.setattr(type(memem.vault), "differing", lambda *_: pytest.fail("all notes were looked at"))
    path.write_text("---\ntitle: Ports\n---\n\nValkey must run on 6380\n")
    followed(watcher, home, "valkey", ["memories/by-hand.md"])
    (path.parent / "_index.md").write_text("Dragonfly is generated\n")
    path.with_name("new.md").write_text("Memcached must run on 6382\n")
    followed(watcher, home, "memcached", ["memories/new.md"])
    assert rows(home, "dragonfly") == []


def test_a_note_that_is_replaced_by_an_exchange_is_read_alone(watcher, memem, home, vault, save, monkeypatch):
    old = save(REDIS)
    followed(watcher, home, "redis", [f"memories/{vault.path(old.id).name}"])
    monkeypatch.setattr(type(memem.vault), "differing", lambda *_: pytest.fail("all notes were looked at"))
    memem.vault.edit(f"memories/{vault.path(old.id).name}", lambda data: data.replace(b"6380", b"6389"))
    followed(watcher, home, "6389", [f"memories/{vault.path(old.id).name}"])


def test_a_call_beside_a_watcher_needs_no_look_at_the_vault(watcher, memem, monkeypatch):
    monkeypatch.setattr("memem.stores._FRESH_SECONDS", -1.0)
    monkeypatch.setattr(type(memem.vault), "differing", lambda *_: pytest.fail("all notes were looked at"))
    assert memem.search("redis").found == ()


def test_a_call_takes_in_what_the_watcher_was_told(memem, home, vault, monkeypatch):
    memem.sync()
    watching = Watcher(memem, settle=SECONDS, look=0.05)  # never by itself
    if not watching.start():
        pytest.skip("this system sends no notifications of files")
    monkeypatch.setattr("memem.stores._FRESH_SECONDS", -1.0)
    vault.write("by-hand.md", f"---\ntitle: Ports\n---\n\n{REDIS}\n")
    while not watching._written:
        threading.Event().wait(0.01)
    monkeypatch.setattr(type(memem.vault), "differing", lambda *_: pytest.fail("all notes were looked at"))
    assert [item.path for item in memem.search("redis").found] == ["memories/by-hand.md"]
    watching._settle = 0
    watching.stop()
