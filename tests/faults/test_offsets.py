"""How far transcripts were mined, damaged: mining begins anew where it cannot know, and nothing is doubled or lost."""

import random
from pathlib import Path

import pytest

from memem.app import Memem
from memem.cli import demo
from memem.config import resolve
from memem.miner import Miner
from memem.models import Draft

from ..sources import transcripts

SAMPLE = Path(demo.__file__).parent / "sample" / "session.jsonl"
LINES = SAMPLE.read_bytes().splitlines(keepends=True)
CORRUPTIONS = 50


def corruption(chance, row):
    """A damaged row: fingerprint and offset of any kind that a flipped bit, a bug or a stranger could leave."""
    fingerprint, offset = row
    inode, _, rest = fingerprint.partition(":")
    size = sum(map(len, LINES))
    return chance.choice(
        [
            (fingerprint, -chance.randrange(1, 2**40)),
            (fingerprint, chance.randrange(2**62)),
            (fingerprint, chance.randrange(size)),
            (fingerprint, offset + chance.randrange(1, 300)),
            (fingerprint, sum(map(len, LINES[: chance.randrange(len(LINES))]))),
            (fingerprint, chance.choice(["", "many", b"\xff\x00", 1.5, "12"])),
            (f"{int(inode) + chance.randrange(1, 9)}:{rest}", offset),
            (chance.choice(["", ":", "::", "0:0:", f"{inode}:", f"{inode}:-1:x", "\0", "9" * 5000]), offset),
            (b"\xff\xfe", offset),
            (fingerprint[: chance.randrange(len(fingerprint))], offset),
            (fingerprint[:-1] + chance.choice("ghi"), offset),
        ]
    )


def notes(memem):
    return sorted((item.memory.body, item.memory.status) for item in memem.memories("*", history=True))


def mine(memem, path):
    found = (outcome for one in Miner(memem).mine([str(path)]) for outcome in one.outcomes)
    return [outcome for outcome in found if outcome.action != "skipped"]


@pytest.fixture
def half_mined(tmp_path, checkout, monkeypatch):
    """Homes in which the first half of a session was mined, and the session has grown since."""
    monkeypatch.setattr("os.fsync", lambda _: None)

    def make(name):
        home = tmp_path / name
        session = home / "projects" / "harbor" / "session.jsonl"
        session.parent.mkdir(parents=True)
        session.write_bytes(b"".join(LINES[:40]))
        memem = Memem(resolve({"HOME": str(home)}, {})[0], checkout, environ={})
        assert mine(memem, session)
        with session.open("ab") as file:
            file.write(b"".join(LINES[40:]))
        return memem, session

    return make


def test_fifty_damaged_offsets_heal_and_nothing_is_doubled_or_lost(half_mined):
    memem, session = half_mined("whole")
    mine(memem, session)
    expected = notes(memem)
    assert len(expected) > 3
    memem.close()
    chance = random.Random(50)
    healed = 0
    for number in range(CORRUPTIONS):
        memem, session = half_mined(str(number))
        (row,) = memem.state.connection.execute("SELECT fingerprint, offset FROM offsets").fetchall()
        memem.state.connection.execute("UPDATE offsets SET fingerprint = ?, offset = ?", corruption(chance, tuple(row)))
        mine(memem, session)
        once = notes(memem)
        again = mine(memem, session)
        healed += once == notes(memem) == expected and again == []
        assert memem.warnings() == ()
        memem.close()
    assert healed == CORRUPTIONS


def test_an_offset_that_is_whole_is_not_begun_anew(half_mined):
    memem, session = half_mined("whole")
    fingerprint, offset = memem.state.offset(str(session.resolve()))
    assert offset == sum(map(len, LINES[:40]))
    assert fingerprint.startswith(f"{session.stat().st_ino}:")
    assert mine(memem, session)
    assert mine(memem, session) == []
    memem.close()


def test_a_correction_within_a_session_is_not_undone_when_it_is_mined_anew(tmp_path, checkout):
    home = tmp_path / "home"
    session = home / "projects" / "harbor" / "session.jsonl"
    session.parent.mkdir(parents=True)
    said = [
        transcripts.user("Remember: integration tests always need Redis on port 6380.", cwd=checkout),
        transcripts.agent("Noted."),
        transcripts.user("Remember: integration tests always need Redis on port 6390.", cwd=checkout),
    ]
    session.write_bytes(transcripts.line(said[0]) + transcripts.line(said[1]))
    memem = Memem(resolve({"HOME": str(home)}, {})[0], checkout, environ={})
    mine(memem, session)
    with session.open("ab") as file:
        file.write(transcripts.line(said[2]))
    mine(memem, session)
    expected = notes(memem)
    assert [status for _, status in expected] == ["superseded", "active"]
    for _ in range(2):
        memem.state.connection.execute("UPDATE offsets SET offset = offset - 1")
        assert mine(memem, session) == []
        assert notes(memem) == expected
    memem.close()


def test_what_was_corrected_elsewhere_is_not_brought_back_when_a_session_is_mined_anew(tmp_path, checkout):
    home = tmp_path / "home"
    session = home / "projects" / "harbor" / "session.jsonl"
    session.parent.mkdir(parents=True)
    said = transcripts.user("Remember: integration tests always need Redis on port 6380.", cwd=checkout)
    session.write_bytes(transcripts.line(said))
    memem = Memem(resolve({"HOME": str(home)}, {})[0], checkout, environ={})
    (first,) = mine(memem, session)
    correction = memem.save(Draft(content="Remember: integration tests always need Redis on port 6390."))
    assert correction.replaced == (first.memory,)
    memem.state.connection.execute("UPDATE offsets SET offset = offset - 1")
    assert mine(memem, session) == []
    assert [item.memory.id for item in memem.memories("*")] == [correction.memory.id]
    memem.close()
