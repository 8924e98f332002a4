"""Rows D: index and state damaged, locked, deleted, older or newer."""

import random
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from memem.errors import TooNew
from memem.index.schema import FILE_NAME
from memem.models import Draft
from memem.state import store as state
from memem.tools.memory import core

from ..home import Home
from .faults import OPEN, REDIS, child


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
    memem.index.connection.execute("PRAGMA busy_timeout = 50")
    holder = sqlite3.connect(home.state_path(FILE_NAME), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        memem._synced_at = float("-inf")
        found = memem.search("redis")
        assert found.ids == [memory.id]
        assert "busy" in " ".join(found.warnings)
        assert memem.get([memory.id])[0] == [memory]
        outcome = memem.save(Draft(content="Deploys happen on Friday"))
        assert outcome.action == "added"
        assert "next sync" in outcome.reason
        assert b"Friday" in vault.read(outcome.memory.id)
        other = opened()  # a process that starts now
        other.index.connection.execute("PRAGMA busy_timeout = 50")
        assert other.search("redis").ids == [memory.id]
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    memem.sync()
    assert memem.search("deploys").ids == [outcome.memory.id]
    assert memem.warnings() == ()


def test_d3_while_the_state_is_locked_notes_are_written_and_marked(memem, save, vault, home):
    old = save(REDIS)
    memem.state.connection.execute("PRAGMA busy_timeout = 50")
    holder = sqlite3.connect(home.state_path(state.FILE_NAME), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
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
