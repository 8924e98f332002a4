"""`verify` finds every flipped byte that means something, and writes nothing."""

import hashlib
import os
import random
import sqlite3
from pathlib import Path

import pytest

from memem.index.schema import FILE_NAME
from memem.models import Draft
from memem.state.store import FILE_NAME as STATE
from memem.verify import DAMAGE, NOTE, verify

from .faults.faults import OPEN, child

TEXTS = ("Redis must run on 6380", "Deploys happen on Friday", "决済 needs thirty seconds", "Logos are painted blue")


@pytest.fixture
def settled(home, memem, vault):
    """A home with some notes of memem's and of a human's, closed."""
    ids = [memem.save(Draft(content=text)).memory.id for text in TEXTS]
    memem.save(Draft(content="Redis must run on 6379"))
    vault.write("plain.md", "# Ports\r\n\r\nBerth 12 is closed\r\n")
    vault.write("rich.md", "---\ntitle: Rich\nmine: |\n  a\n  b\n---\n\nA lesson by hand\n")
    memem.sync()
    memem.close()
    return ids


def everything(home):
    """Every file and folder below the home: content, times and mode."""
    return {
        str(path): (
            hashlib.blake2b(path.read_bytes()).digest() if path.is_file() else b"",
            path.lstat().st_mtime_ns if path.is_file() else 0,
            path.lstat().st_mode,
        )
        for path in Path(home.dir).parent.rglob("*")
    }


def levels(findings):
    return [finding.level for finding in findings]


def flip(path, at):
    """Flip one bit of one byte behind everybody's back: the stat stays as it was, as after bit rot."""
    info = path.stat()
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << at % 8
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def test_a_clean_store_has_no_findings_and_nothing_is_written(home, settled):
    before = everything(home)
    assert verify(home) == []
    assert everything(home) == before


def test_nothing_is_written_either_when_a_killed_process_left_its_journal(home, checkout, settled):
    script = f"{OPEN}\nmemem.save(Draft(content='The journal of this save stays'))\nos._exit(0)"
    assert child(script, home, checkout).communicate(timeout=60) == (b"", b"")
    assert Path(home.state_path(f"{FILE_NAME}-wal")).exists()
    before = everything(home)
    assert verify(home) == []
    after = everything(home)
    shared = {f"{home.state_path(name)}-shm" for name in (FILE_NAME, STATE)}  # SQLite's locks between processes
    assert {name for name in before | after if before.get(name) != after.get(name)} <= shared


def test_flipped_bytes_of_notes_are_found_and_left(home, vault, settled):
    chance = random.Random(4)
    paths = sorted(vault.root.rglob("*.md"))
    for _ in range(20):
        path = chance.choice(paths)
        good, info = path.read_bytes(), path.stat()
        flip(path, chance.randrange(len(good)))
        before = everything(home)
        findings = verify(home)
        assert [finding.where for finding in findings if finding.where == str(path.relative_to(vault.root))]
        assert everything(home) == before
        path.write_bytes(good)
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def test_flipped_bytes_of_the_index_are_found(home, settled):
    path = Path(home.state_path(FILE_NAME))
    good = path.read_bytes()
    connection = sqlite3.connect(path)
    bodies = [row[0] for row in connection.execute("SELECT body FROM notes")]
    connection.close()
    chance = random.Random(5)
    for body in bodies:
        data = bytearray(good)
        at = good.index(body.encode()) + chance.randrange(len(body.encode()))
        data[at] ^= 1
        path.write_bytes(data)
        assert DAMAGE in levels(verify(home)), at
    path.write_bytes(good)
    assert verify(home) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE notes SET title = 'another'",
        "UPDATE notes SET status = 'archived' WHERE rowid = (SELECT min(rowid) FROM notes)",
        "UPDATE notes SET project = 'general'",
        "UPDATE notes SET hash = '0'",
        "INSERT INTO terms (rowid, title, body, keys, scope) VALUES (9999, 'more', '', '', '')",
        "INSERT INTO terms (rowid, title, body, keys, scope) SELECT max(rowid), 'more', '', '', '' FROM notes",
        "DROP TABLE terms",
        "PRAGMA user_version = 0",
    ],
)
def test_an_index_that_says_something_else_than_the_notes_is_damage(home, settled, change):
    connection = sqlite3.connect(home.state_path(FILE_NAME))
    connection.execute(change)
    connection.commit()
    connection.close()
    before = everything(home)
    findings = verify(home)
    assert DAMAGE in levels(findings)
    assert all(finding.fix for finding in findings)
    assert everything(home) == before


def test_what_the_next_sync_settles_is_a_note_and_no_damage(home, vault, settled, opened):
    vault.write("new.md", "A new lesson\n")
    vault.edit(settled[1], body="Deploys happen on Monday")
    vault.path(settled[2]).unlink()
    findings = verify(home)
    assert levels(findings) == [NOTE] * 3
    assert {finding.what for finding in findings} == {
        "not in the index yet", "edited since the last sync", "deleted since the last sync",
    }  # fmt: skip
    memem = opened()
    memem.sync()
    assert verify(home) == []


def test_damaged_and_newer_states_and_waiting_saves_are_told(home, settled):
    path = Path(home.state_path(STATE))
    good = path.read_bytes()
    path.write_bytes(b"garbage" * 1000)
    assert levels(verify(home)) == [DAMAGE]
    path.write_bytes(good)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    (finding,) = verify(home)
    assert "newer memem" in finding.what
    path.write_bytes(good)
    spool = Path(home.state_path("spool"))
    spool.mkdir(exist_ok=True)
    (spool / "x.md").write_text("waiting")
    (finding,) = verify(home)
    assert (finding.level, finding.what) == (NOTE, "waits for the vault")


@pytest.mark.parametrize("gone", ["index", "vault", "all"])
def test_what_is_not_there_is_said_and_not_made(home, settled, gone, tmp_path):
    if gone in ("index", "all"):
        Path(home.state_path(FILE_NAME)).unlink()
    if gone in ("vault", "all"):
        Path(home.vault).rename(tmp_path / "away")
    before = everything(home)
    findings = verify(home)
    assert findings
    assert everything(home) == before
