"""What must hold whatever people, programs and crashes do to vault, index and state, in any order.

I1 every acked id can be read until a human deletes it. I2 human bytes change by a human only, or by a mark that kept
all the rest. I3 the index kept through changes equals a new one. I4 no temporary file is older than an hour.
I8 a planted secret is in no file. `MEMEM_TEST_DEPTH=50` runs fifty times as many stories as usual.
"""

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from memem.app import Memem
from memem.config import resolve
from memem.index.schema import FILE_NAME, memory_values
from memem.index.writer import memory_index
from memem.models import Draft
from memem.sync import sync
from memem.vault import store
from memem.vault.note import parse
from memem.verify import DAMAGE, verify

DEPTH = int(os.environ.get("MEMEM_TEST_DEPTH", "1"))
SUBJECTS = ("redis", "the staging tunnel", "café-parser", "数据库", "invoice printing")
SECRET = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6"
OWNED = re.compile(rb"^(status|replaced_by|invalid_at|updated):[^#\r\n]*", re.MULTILINE)
GARBAGE = (
    b"", b"\0" * 50, b"---\n", b"---\nid: [\n---\nx", b"\xff\xfe\x00no text", b"# Plain\r\n\r\nJust a lesson\r\n",
    b"---\ntitle: Cut\nstatus: acti",
    b"\xef\xbb\xbf---\r\ntitle: Marked\r\nmine: |\r\n  a\r\n  # b\r\n---\r\nA lesson\r\n",
    b"<<<<<<< a\nx\n=======\ny\n>>>>>>> b\n",
)  # fmt: skip
PICK = st.integers(0, 1000)


class Crash(BaseException):
    """The process is dead: nothing that would run after this runs."""


@contextlib.contextmanager
def dying(calls):
    """Let the process die at one of its next calls that change the disk; from then on none of them does anything."""
    names = ("open", "write", "fsync", "link", "replace", "unlink", "mkdir")
    left = iter(range(calls))

    def mortal(real):
        def call(*args, **kwargs):
            if next(left, None) is None:
                raise Crash
            return real(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(os, name, mortal(getattr(os, name)))
        patch.setattr(store, "exchange", mortal(store.exchange))
        try:
            yield
        except Crash:
            pass


class Story(RuleBasedStateMachine):
    """One home, two processes of memem, and a human with two editors."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda _: None)
        (self.folder / "work").mkdir()
        self.config = resolve({"HOME": str(self.folder)}, {})[0]
        self.acked: set[str] = set()
        self.trash: list[tuple[str, bytes]] = []
        self.number = 0
        self.several = [self.start(), self.start()]
        self.before = self.snapshot()

    def start(self):
        return Memem(self.config, str(self.folder / "work"), environ={})

    def teardown(self):
        self.memem.sync()
        damage = [finding for finding in verify(self.config) if finding.level == DAMAGE]
        for one in self.several:
            one.close()
        leaks = [path for path in self.folder.rglob("*") if path.is_file() and leaked(path)]
        self.patch.undo()
        shutil.rmtree(self.folder)
        assert (damage, leaks) == ([], [])

    @property
    def memem(self):
        return self.several[0]

    @property
    def root(self):
        return Path(self.config.memory_root)

    def snapshot(self):
        return {str(path.relative_to(self.root)): path.read_bytes() for path in sorted(self.root.rglob("*.md"))}

    def one(self, pick):
        """A note, as a path below the memem folder."""
        notes = sorted(self.before)
        return notes[pick % len(notes)]

    def put(self, path, data, in_place=True):
        """A human's write, known as such from now on."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if in_place:
            target.write_bytes(data)
        else:
            other = target.with_name(".editor")
            other.write_bytes(data)
            other.replace(target)
        self.before[path] = data

    def take(self, path):
        """A human takes a note away."""
        data = self.before.pop(path)
        (self.root / path).unlink()
        known = {parse(other, name).memory.id for name, other in self.before.items()}
        memory = parse(data, path).memory.id
        if memory not in known:
            self.acked.discard(memory)
        return data

    def offer(self, content, **fields):
        outcome = self.memem.save(Draft(content=content, **fields))
        if outcome.action != "skipped":
            self.acked.add(outcome.memory.id)
        return outcome

    @initialize()
    def begin(self):
        self.save(0, 6380, False)

    @rule(subject=PICK, port=st.integers(6379, 6383), secret=st.booleans())
    def save(self, subject, port, secret):
        self.number += 1
        text = f"{SUBJECTS[subject % len(SUBJECTS)]} runs on port {port}"
        self.offer(f"{text}, and its token is {SECRET}" if secret else text)

    @precondition(lambda self: self.before)
    @rule(pick=PICK)
    def correct(self, pick):
        self.number += 1
        path = self.one(pick)
        memory = parse(self.before[path], path).memory.id
        if re.fullmatch("[0-9a-f-]{36}", memory) and self.memem.get([memory])[0]:
            self.offer(f"Lesson number {self.number} stands in for an older one", supersedes=(memory,))

    @precondition(lambda self: self.before)
    @rule(pick=PICK, in_place=st.booleans(), where=st.sampled_from(("head", "body", "both")))
    def human_edit(self, pick, in_place, where):
        self.number += 1
        path = self.one(pick)
        data = self.before[path]
        newline = b"\r\n" if b"\r\n" in data else b"\n"
        key = b"mine-%d: 'kept: as it is'   # why %d%s" % (self.number, self.number, newline)
        if where != "body" and b"title: " in data:
            data = data.replace(b"title: ", key + b"title: ", 1)
        if where != "head":
            data += b"%sA human's line %d \xe9\t %s" % (newline, self.number, newline)
        self.put(path, data, in_place)

    @precondition(lambda self: self.before)
    @rule(pick=PICK, form=st.sampled_from(("{}-renamed", "deep/er/{}", "{} (moved)")))
    def rename(self, pick, form):
        self.number += 1
        path = self.one(pick)
        target = f"memories/{form.format(Path(path).stem[:100])}{self.number}.md"
        data = self.before.pop(path)
        (self.root / target).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(self.root / target)
        self.before[target] = data
        if not re.search(rb"^id: ", data, re.MULTILINE):  # its id is its path
            self.acked.discard(parse(data, path).memory.id)

    @precondition(lambda self: self.before)
    @rule(pick=PICK)
    def delete(self, pick):
        path = self.one(pick)
        self.trash.append((path, self.take(path)))

    @precondition(lambda self: self.trash)
    @rule(pick=PICK)
    def restore(self, pick):
        path, data = self.trash.pop(pick % len(self.trash))
        if path not in self.before:
            self.put(path, data)

    @precondition(lambda self: self.before)
    @rule(
        pick=PICK,
        form=st.sampled_from(("{} copy", "{}.sync-conflict-20240506-070809-ABCDEF7", "{} 2")),
        edit=st.booleans(),
    )
    def copy(self, pick, form, edit):
        self.number += 1
        path = self.one(pick)
        target = f"memories/{form.format(Path(path).stem[:100])}.md"
        if target not in self.before:
            self.put(target, self.before[path] + (b"The other machine's %d\n" % self.number if edit else b""))

    @rule(data=st.sampled_from(GARBAGE), name=st.sampled_from(("new", "deep/new", "over")), pick=PICK)
    def garbage(self, data, name, pick):
        self.number += 1
        path = self.one(pick) if name == "over" and self.before else f"memories/{name}-{self.number}.md"
        if path in self.before:
            self.trash.append((path, self.take(path)))
        self.put(path, data)

    @rule(calls=st.integers(0, 40), pick=PICK, correction=st.booleans())
    def crash(self, calls, pick, correction):
        with dying(calls):
            (self.correct if correction and self.before else self.save)(
                *((pick,) if correction and self.before else (pick, 6390 + pick % 3, False))
            )
        with dying(0):
            self.memem.close()
        self.several[0] = self.start()

    @rule()
    def delete_index(self):
        for path in Path(self.config.dir).glob(f"{FILE_NAME}*"):
            path.unlink()

    @rule()
    def other_process(self):
        self.several.reverse()

    @rule(subject=PICK)
    def unmounted(self, subject):
        away = self.folder / "away"
        Path(self.config.vault).rename(away)
        self.memem._synced_at = float("-inf")
        self.save(subject, 6400, False)
        assert not Path(self.config.vault).exists()
        away.rename(self.config.vault)

    @invariant()
    def holds(self):
        memem = self.memem
        memem.sync()
        after = self.snapshot()
        for path, data in self.before.items():  # I2
            assert path in after, path
            assert data == after[path] or is_mark(data, after[path]), (path, data, after[path])
        self.before = after
        assert memem.get(sorted(self.acked))[1] == []  # I1
        fresh = memory_index()
        sync(memem.vault, fresh)
        assert rows(memem.index, memem.index) == rows(fresh, memem.index)  # I3
        fresh.close()
        assert [path for folder in (self.root, Path(self.config.dir)) for path in folder.rglob("*.tmp")] == []  # I4


def is_mark(before, after):
    """Whether a note only was marked as history: its own lines changed, and those of memem's that were added."""
    added = (b"replaced_by", b"invalid_at", b"updated", b"status")
    kept, wanted = (OWNED.sub(rb"\1:", data).splitlines(keepends=True) for data in (after, before))
    for line in [line for line in kept if line not in wanted]:
        if line.strip().rstrip(b":") in added:
            kept.remove(line)
    return b"status: superseded" in after and kept == wanted


def rows(index, judge):
    """What an index says of every note without a problem: a note that has one may keep its last good row."""
    troubled = {path for path, _ in judge.problems()}
    index.connection.execute("DROP TABLE IF EXISTS temp.words")
    index.connection.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, terms, instance)")
    words = {}
    for doc, term, column, count in index.connection.execute(
        "SELECT doc, term, col, count(*) FROM temp.words GROUP BY doc, term, col"
    ):
        words.setdefault(doc, set()).add((term, column, count))
    index.connection.execute("DROP TABLE temp.words")
    hashes = {row["path"]: row["hash"] for row in index.connection.execute("SELECT path, hash FROM notes")}
    return {
        item.path: (memory_values(item.memory), hashes[item.path], item.etag, words.get(item.row, set()))
        for item in index.notes()
        if item.path not in troubled
    }


def leaked(path):
    content = path.read_bytes().lower()
    return SECRET.lower().encode() in content or SECRET.partition("_")[2].lower().encode() in content


Story.TestCase.settings = settings(
    max_examples=30 * DEPTH,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=DEPTH == 1,
    database=None,
    print_blob=False,
)
TestInvariants = Story.TestCase
