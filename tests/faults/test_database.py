"""Rows D: index and state damaged, locked, deleted, older or newer."""

import contextlib
import random
import shutil
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from memem import health, volumes
from memem.app import Memem
from memem.config import resolve
from memem.errors import StateUnavailable, TooNew
from memem.index.schema import FILE_NAME
from memem.models import Draft
from memem.state import store as state
from memem.tools.memory import core

from ..home import Home
from .faults import OPEN, REDIS, child


@contextlib.contextmanager
def within_a_second():
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 1


class Follower(threading.Thread):
    """Syncs once in a thread of its own, as the watcher does."""

    def __init__(self, memem):
        super().__init__()
        self.memem = memem

    def run(self):
        with contextlib.suppress(StateUnavailable):
            self.memem.sync()


def test_d1_a_damaged_index_loses_nothing(opened, home, vault):
    memem = opened()
    ids = {memem.save(Draft(content=text)).memory.id for text in (REDIS, "Deploys happen on Friday", "Logos are blue")}
    before = vault.snapshot()
    chance = random.Random(1)
    for _ in range(10):
        memem.close()
        path = Path(home.state_path(FILE_NAME))
        data = bytearray(path.read_bytes())
        for _ in range(50):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        memem = opened()
        memem.search("redis deploys logos")
        memem.rebuild()
        assert {item.memory.id for item in memem.memories()} == ids
    assert vault.snapshot() == before


def test_d9_hostile_questions_are_answered_without_touching_the_index(memem, save):
    save(REDIS)
    for text in ('"', "redis AND", "NEAR(redis", "redis*", "title:redis", "^redis", "\0redis", "'" * 99, "漢" * 40_000):
        memem.search(text)
        memem.volunteered(text)
    assert memem.search("redis").ids
    assert memem.warnings() == ()


def test_d3_while_the_index_is_locked_reads_go_on_and_saves_are_durable(memem, save, vault, home, opened):
    memory = save(REDIS)
    holder = sqlite3.connect(home.state_path(FILE_NAME), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        memem._synced_at = float("-inf")
        with within_a_second():
            found = memem.search("redis")
        assert found.ids == [memory.id]
        assert "busy" in " ".join(found.warnings)
        with within_a_second():
            assert memem.get([memory.id])[0] == [memory]
        with within_a_second():
            outcome = memem.save(Draft(content="Deploys happen on Friday"))
        assert outcome.action == "added"
        assert "next sync" in outcome.reason
        assert b"Friday" in vault.read(outcome.memory.id)
        with within_a_second():
            correction = memem.save(Draft(content=f"{REDIS} no longer", supersedes=(memory.id,)))
        assert correction.action == "superseded"
        with within_a_second():
            assert opened().search("redis").ids == [memory.id]  # a process that starts now
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    memem.sync()
    assert memem.search("deploys").ids == [outcome.memory.id]
    assert memem.get([memory.id])[0][0].status == "superseded"
    assert memem.warnings() == ()


def test_d3_an_agent_does_not_wait_for_a_sync_that_waits(memem, save, home):
    memory = save(REDIS)
    holder = sqlite3.connect(home.state_path(FILE_NAME), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    watcher = Follower(memem)
    watcher.start()
    try:
        with within_a_second():
            assert memem.search("redis").ids == [memory.id]
    finally:
        holder.execute("ROLLBACK")
        holder.close()
        watcher.join()


def test_d3_while_index_and_state_are_locked_an_agent_waits_for_a_second_at_most(memem, save, home, vault):
    old = save(REDIS)
    holders = [sqlite3.connect(home.state_path(name), isolation_level=None) for name in (FILE_NAME, state.FILE_NAME)]
    for holder in holders:
        holder.execute("BEGIN IMMEDIATE")
    memem._synced_at = float("-inf")
    with within_a_second():
        outcome = memem.save(Draft(content="Redis must run on 6379", supersedes=(old.id,)))
    assert b"6379" in vault.read(outcome.memory.id)
    for holder in holders:
        holder.execute("ROLLBACK")
        holder.close()
    memem.sync()
    assert [item.memory.id for item in memem.memories()] == [outcome.memory.id]


def test_d3_while_the_state_is_locked_notes_are_written_and_marked(memem, save, vault, home):
    old = save(REDIS)
    holder = sqlite3.connect(home.state_path(state.FILE_NAME), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with within_a_second():
        outcome = memem.save(Draft(content="Redis must run on 6379"))
    holder.execute("ROLLBACK")
    holder.close()
    assert outcome.action == "superseded"
    memem.sync()
    assert memem.get([old.id])[0][0].status == "superseded"
    assert memem.get([outcome.memory.id])[1] == []
    assert memem.human_owned(outcome.memory)  # nobody could note that it is not, which is the safe side


def test_d4_an_index_deleted_under_an_open_process_is_built_again(memem, save, home, opened):
    memory = save(REDIS)
    for path in Path(home.dir).glob(f"{FILE_NAME}*"):
        path.unlink()
    assert memem.search("redis").ids == [memory.id]
    memem.sync()
    assert Path(home.state_path(FILE_NAME)).exists()
    new = memem.save(Draft(content="Deploys happen on Friday")).memory
    assert set(opened().search("redis deploys").ids) == {memory.id, new.id}


def test_d4_an_index_deleted_without_its_journal_is_built_again(home, checkout, opened, vault):
    script = f"""{OPEN}
memem.save(Draft(content={REDIS!r}))
os._exit(0)  # as if killed: the journal stays
"""
    assert child(script, home, checkout).communicate(timeout=60) == (b"", b"")
    path = Path(home.state_path(FILE_NAME))
    assert path.with_name(f"{FILE_NAME}-wal").stat().st_size
    path.unlink()
    memem = opened()
    assert len(memem.search("redis").ids) == 1
    assert memem.warnings() == ()


def old_state(home, **rows):
    """The state database of schema version 1, with a row in each table."""
    folder = Path(home.dir)
    folder.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / state.FILE_NAME, isolation_level=None)
    for statement in state._STEPS[0]:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('welcome', 'shown')")
    connection.execute("INSERT INTO shown VALUES ('s-1', 'm-1', 'e-1', 1800000000)")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    return folder / state.FILE_NAME


def test_d5_an_older_state_is_migrated_and_a_copy_of_it_kept(home, opened):
    path = old_state(home)
    memem = opened()
    assert memem.warnings() == ()
    assert (memem.state.get("welcome"), memem.state.shown("s-1")) == ("shown", {"m-1": "e-1"})
    memem.state.bury({"m-2": "text"}, 1_800_000_000)
    assert memem.state.buried_ids() == ["m-2"]
    copy = path.with_name(f"{state.FILE_NAME}.v1")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    kept = sqlite3.connect(copy)
    assert kept.execute("PRAGMA user_version").fetchone() == (1,)
    assert kept.execute("SELECT * FROM shown").fetchall() == [("s-1", "m-1", "e-1", 1800000000)]
    kept.close()
    before = copy.read_bytes()
    opened()
    assert copy.read_bytes() == before
    assert list(path.parent.glob("*.tmp")) == []


def test_d5_a_copy_that_a_crash_cut_short_does_not_pass_for_one(home, opened, monkeypatch):
    path = old_state(home)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(state.os, "replace", killed)
        try:
            state.open_state(home.dir)
        except KeyboardInterrupt:
            pass
    assert not path.with_name(f"{state.FILE_NAME}.v1").exists()
    assert opened().warnings() == ()
    assert path.with_name(f"{state.FILE_NAME}.v1").exists()


def test_d5_several_processes_migrate_at_once(home, checkout):
    old_state(home)
    script = f"{OPEN}\nprint(memem.warnings(), memem.state.shown('s-1'))"
    processes = [child(script, home, checkout) for _ in range(4)]
    for process in processes:
        out, errors = process.communicate(timeout=60)
        assert (out, errors) == (b"() {'m-1': 'e-1'}\n", b"")


def test_d6_an_index_of_another_version_is_left_alone(memem, save, home, opened):
    memory = save(REDIS)
    newer = Path(home.dir, "index-v9.db")
    shutil.copy(home.state_path(FILE_NAME), newer)
    before = newer.read_bytes()
    assert opened().search("redis").ids == [memory.id]
    opened().rebuild()
    assert newer.read_bytes() == before


def make_newer(path):
    """Turn a state database into what a newer memem would leave."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('needs', '9.1.0')")
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def test_d6_a_newer_state_is_not_written_and_notes_are_read_on(memem, save, opened, vault, home):
    memory = save(REDIS)
    memem.close()
    path = Path(home.state_path(state.FILE_NAME))
    make_newer(path)
    before, notes = path.read_bytes(), vault.snapshot()
    older = opened()
    with pytest.raises(TooNew, match=r"so this one writes nothing: update memem to 9\.1\.0 or newer"):
        older.save(Draft(content="Deploys happen on Friday"))
    assert vault.snapshot() == notes
    vault.write("by-hand.md", "---\ntitle: Ports\n---\n\nValkey listens on 6390\n")
    older.sync()
    assert older.search("valkey").ids
    assert older.search("redis").ids == [memory.id]
    vault.path(memory.id).unlink()
    older.sync()
    (warning,) = older.warnings()
    assert "newer memem" in warning
    assert path.read_bytes() == before


def test_d6_every_surface_names_the_memem_that_a_newer_state_needs_and_the_hooks_are_silent(tmp_path):
    there = Home(tmp_path)
    there.welcomed()
    lesson = "Integration tests need Redis on port 6380, because 6379 is taken by the staging tunnel"
    question, memory = "why can the integration tests not reach redis?", there.save(lesson)
    assert memory.body in there.prompt(question)
    make_newer(there.state / state.FILE_NAME)
    events = (there.state / "events.jsonl").read_bytes()

    assert there.prompt(question) == ""
    assert there.start() == ""
    assert (there.state / "events.jsonl").read_bytes() == events
    assert not (there.state / "hook-failures.log").exists()

    refused = there.run("save", "Deploys happen on Friday")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "update memem to 9.1.0 or newer" in refused.stderr
    found = there.run("search", "redis port")
    assert (found.returncode, memory.id8 in found.stdout) == (0, True)

    served = there.open()
    tools = {tool.name: tool for tool in core(lambda: served)}
    with pytest.raises(TooNew, match=r"9\.1\.0"):
        tools["memory_save"].run({"content": "Deploys happen on Friday"})
    assert memory.id8 in tools["memory_search"].run({"query": "redis port", "limit": 5})
    served.close()
    assert len(list(there.notes.iterdir())) == 1


@pytest.fixture
def synced(tmp_path):
    """A user whose state folder lies in a folder that Syncthing keeps alike on several machines."""
    (tmp_path / "synced" / ".stfolder").mkdir(parents=True)
    user = Home(tmp_path / "ann")
    user.state = tmp_path / "synced" / "state"
    user.environ["MEMEM_DIR"] = str(user.state)
    user.welcomed()
    return user


def journal(path):
    """`delete` and `truncate` leave the same mark in a file: none."""
    return "wal" if path.read_bytes()[18:20] == b"\2\2" else "rollback"


def test_d7_of_a_synced_state_folder_the_index_lives_in_the_local_cache_and_the_hook_finds_it(synced):
    memory = synced.save("Integration tests need Redis on port 6380, because 6379 is taken")
    (index,) = synced.root.glob(f".cache/memem/*/{FILE_NAME}")
    assert stat.S_IMODE(index.parent.stat().st_mode) == 0o700
    assert not (synced.state / FILE_NAME).exists()
    assert journal(synced.state / state.FILE_NAME) == "rollback"
    assert "6380" in synced.prompt("which redis port do the integration tests need?")
    assert "6380" in synced.start()
    assert memory.id8 in synced.run("search", "redis").stdout
    assert synced.run("verify").returncode == 0
    done = synced.run("doctor")
    assert "Syncthing" in done.stdout
    assert "MEMEM_DIR" in done.stdout
    assert str(index.parent) in done.stdout
    assert done.returncode == 0


def test_d7_an_index_moves_when_its_folder_becomes_a_synced_one_and_back(tmp_path):
    user = Home(tmp_path / "ann")
    memory = user.save(REDIS)
    folder = f".cache/memem/*/{FILE_NAME}"
    assert (user.state / FILE_NAME).exists()
    assert journal(user.state / state.FILE_NAME) == "wal"
    (user.root / ".stfolder").mkdir()  # which makes the cache a synced folder as well
    memem = user.open()
    assert memem.search("redis").ids == [memory.id]
    memem.close()
    (index,) = user.root.glob(folder)
    assert list(user.state.glob(f"{FILE_NAME}*")) == []
    assert journal(index) == journal(user.state / state.FILE_NAME) == "rollback"
    (user.root / ".stfolder").rmdir()
    memem = user.open()
    assert memem.search("redis").ids == [memory.id]
    assert [check.level for check in health.run(memem) if check.name == "index"] == [health.OK]
    memem.close()
    assert list(user.root.glob(".cache/memem/*")) == []
    assert journal(user.state / FILE_NAME) == journal(user.state / state.FILE_NAME) == "wal"


def test_d7_without_a_cache_folder_the_index_stays_and_needs_no_shared_memory(synced):
    (synced.root / ".cache").touch()
    memory = synced.save(REDIS)
    assert journal(synced.state / FILE_NAME) == "rollback"
    memem = synced.open()
    assert memem.search("redis").ids == [memory.id]
    assert [check.level for check in health.run(memem) if check.name == "index"] == [health.DEGRADED]
    memem.close()


def test_d7_a_network_file_system_is_told_by_the_table_of_mounts(home, checkout, monkeypatch):
    top = Path(home.dir).parent
    table = f"22 1 0:40 / {top} rw - nfs4 server:/home rw\n23 1 0:41 / {top}/local rw - ext4 /dev/vda rw"
    monkeypatch.setattr(volumes, "mount_table", lambda: table)
    local = resolve({"HOME": str(top), "XDG_CACHE_HOME": f"{top}/local"}, {})[0]
    memem = Memem(local, checkout, environ={})
    memory = memem.save(Draft(content=REDIS)).memory
    assert memem.search("redis").ids == [memory.id]
    (check,) = (check for check in health.run(memem) if check.name == "index")
    assert (check.level, "nfs4" in check.text) == (health.DEGRADED, True)
    memem.close()
    (index,) = Path(local.cache_dir).glob(f"memem/*/{FILE_NAME}")
    assert journal(index) == "wal"
