"""What the index may know of a note: no secret, and no second look at what holds none."""

from __future__ import annotations

from pathlib import Path

from memem.config import Config, load
from memem.errors import NotReady
from memem.index.writer import Entry
from memem.ingest.known import Known
from memem.ingest.secrets import UNREADY, redact
from memem.models import Memory

ENTRY = Entry(path="memories/a.md", etag="1-1-1-1", hash="1f", read_ns=1, settled=True)
PLAIN = Memory(id="12345678", title="Redis port", body="Redis is on 6380.")
SECRET = PLAIN.replace(body="The password of the staging database is: hunter2-and-more-9")


def config(folder: Path) -> Config:
    return load({"HOME": str(folder), "MEMEM_DIR": str(folder)})


class Looking:
    """Removes secrets and counts how often it was asked; may lack what it needs for all of them."""

    def __init__(self, *, ready: bool = True) -> None:
        self.asked, self._ready = 0, ready

    def memory(self, memory: Memory, finders: object = None) -> Memory:
        self.asked += 1
        if finders is None and not self._ready:
            raise NotReady("wait")
        text = redact(memory.body, UNREADY).text
        return memory if text == memory.body else memory.replace(body=text)


def test_secret_of_a_note_stays_in_its_file(tmp_path: Path) -> None:
    looking = Looking()
    known = Known(config(tmp_path), lambda: looking)  # type: ignore[arg-type, return-value]
    entry, memory = known(ENTRY, SECRET)
    assert entry == ENTRY
    assert "hunter2" not in memory.body


def test_note_without_a_secret_is_looked_through_once_and_one_with_it_each_time(tmp_path: Path) -> None:
    looking = Looking()
    for _ in range(2):
        known = Known(config(tmp_path), lambda: looking)  # type: ignore[arg-type, return-value]
        assert known(ENTRY, PLAIN) == (ENTRY, PLAIN)
        assert known(ENTRY.replace(hash="2f"), SECRET)[1] != SECRET
        known.keep()
    assert looking.asked == 3


def test_what_cannot_be_looked_through_yet_is_read_again(tmp_path: Path) -> None:
    looking = Looking(ready=False)
    known = Known(config(tmp_path), lambda: looking)  # type: ignore[arg-type, return-value]
    entry, memory = known(ENTRY, PLAIN)
    assert memory == PLAIN
    assert not entry.settled
    assert "not looked through" in entry.problem
    known.keep()
    looking = Looking()  # what was missing is installed
    assert known(ENTRY, PLAIN) == (ENTRY, PLAIN)
    assert looking.asked == 1
