"""Writing the index: opening or rebuilding the file, and replacing the rows of notes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from memem import sqlite
from memem.index import edges
from memem.index.reader import MOST_BOUND, Index, cached_folder
from memem.index.schema import CREATE, FILE_NAME, MOST_GLOBS, glob_name, memory_values, ready, scope_terms
from memem.models import Candidate, Memory, Scope
from memem.text import index_text
from memem.value import Value


class Entry(Value):
    """What the index knows of one file: `etag` is its stat, `hash` its content, `read_ns` when it was read."""

    path: str
    etag: str
    hash: str
    read_ns: int
    problem: str = ""
    settled: bool = False  # the same stat will mean that there is nothing new in the file


_DISTRUST = """
    UPDATE notes SET etag = '', hash = '', settled = 0
    WHERE instr(title, :text) OR instr(body, :text)
    OR instr(tags, :text) OR instr(keys, :text) OR instr(paths, :text)"""
_FIELDS = ("rowid", "path", "etag", "hash", "read_ns", "problem", "settled", *Memory.__fields__)  # then an entry's
_INSERT = f"INSERT INTO notes ({', '.join(_FIELDS)}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608
_ENTRIES = f"SELECT {', '.join(Entry.__fields__)} FROM notes"  # noqa: S608 - constants only
_STAMP = "SELECT count(*), coalesce(max(read_ns), 0) FROM notes"
_INSERT_TERMS = "INSERT INTO terms (rowid, title, body, keys, scope) VALUES (?, ?, ?, ?, ?)"
_DELETE_TERMS = "INSERT INTO terms (terms, rowid, title, body, keys, scope) VALUES ('delete', ?, ?, ?, ?, ?)"
_INSERT_GLOB = "INSERT OR IGNORE INTO globs (name, note) VALUES (?, ?)"
_MANY = 500  # rows written; from here on it pays to bring the segments of the terms together

DAMAGED = f"{FILE_NAME}.damaged-*"  # where `move_aside` puts an index


class IndexWriter(Index):
    """Write access; hold `sqlite.transaction(index.connection)` around a group of changes."""

    def __init__(self, connection: sqlite.Connection) -> None:
        super().__init__(connection)
        self._inode = self._inode_now()
        self._written = 0  # rows since the search terms were brought together
        # What of a note may be known here: its file keeps every byte, and all that is shown or sent comes from a row.
        self.known: Callable[[Entry, Memory], tuple[Entry, Memory]] = lambda entry, memory: (entry, memory)
        self.common: set[str] = set()  # words that were found to be in many notes; they will be in more

    @property
    def current(self) -> bool:
        """Whether this still is the file at its path, as opposed to one deleted or moved aside under us."""
        return self._inode == self._inode_now()

    def _inode_now(self) -> int:
        path = self.connection.execute("PRAGMA database_list").fetchone()[2]
        try:
            return Path(path).stat().st_ino if path else 0
        except OSError:
            return -1

    def entry(self, path: str) -> Entry | None:
        """What the index knows of one file."""
        return self.entries((path,)).get(path)

    def entries(self, paths: Sequence[str]) -> dict[str, Entry]:
        """What the index knows of some files, by path."""
        query = f"{_ENTRIES} WHERE path IN ({','.join('?' * len(paths))})"
        rows = self.connection.execute(query, tuple(paths))
        return {row[0]: Entry(**dict(zip(Entry.__fields__, row, strict=True))) for row in rows}

    def stamp(self, scope: Scope | None = None, kinds: Sequence[str] = ()) -> str:
        """What changes whenever a note was read anew or is gone, of all or of some kinds of a scope."""
        if scope is None:
            row = self.connection.execute(_STAMP).fetchone()
        else:
            names, those = (",".join("?" * len(group)) for group in (scope.names, kinds))
            query = f"{_STAMP} WHERE project IN ({names}) AND kind IN ({those})"
            row = self.connection.execute(query, (*scope.names, *kinds)).fetchone()
        return f"{row[0]}-{row[1]}"

    def read_since(self, since: int) -> list[Candidate]:
        """The notes that were read after a time (ns)."""
        return self.notes("read_ns > ?", (since,), order="read_ns")

    def ids(self) -> set[str]:
        """The ids of all memories; "" stands for files that could not be read yet."""
        return {row[0] for row in self.connection.execute("SELECT DISTINCT id FROM notes")}

    def held(self, ids: Sequence[str]) -> list[str]:
        """Those of some ids that a note has, in whatever case."""
        found: set[str] = set()
        for at in range(0, len(ids), MOST_BOUND):
            part = [name.lower() for name in ids[at : at + MOST_BOUND]]
            query = f"SELECT lower(id) FROM notes WHERE lower(id) IN ({','.join('?' * len(part))})"  # noqa: S608
            found.update(row[0] for row in self.connection.execute(query, part))
        return [name for name in ids if name.lower() in found]

    def entries_of(self, memory: str) -> list[Entry]:
        """The files that hold the memory with this id."""
        return [entry for item in self.notes("id = ?", (memory,)) if (entry := self.entry(item.path))]

    def put(self, entry: Entry, memory: Memory) -> None:
        """Insert or replace the row of one file."""
        self.remove(entry.path)
        self.add([(entry, memory)])

    def add(self, notes: Sequence[tuple[Entry, Memory]]) -> None:
        """Insert the rows of files that have none. Table by table, because that takes two thirds of the time."""
        first = self.connection.execute("SELECT coalesce(max(rowid), 0) + 1 FROM notes").fetchone()[0]
        rows = [(row, *self.known(entry, memory)) for row, (entry, memory) in enumerate(notes, first)]
        many = self.connection.executemany
        many(_INSERT, [[row, *_entry_values(entry), *memory_values(memory)] for row, entry, memory in rows])
        many(_INSERT_TERMS, [(row, *_columns(memory)) for row, _, memory in rows])
        globs = {(glob_name(glob), row) for row, _, memory in rows for glob in memory.paths[:MOST_GLOBS]}
        many(_INSERT_GLOB, sorted(globs))
        # What has no id is a file that could not be read yet.
        edges.put(self.connection, [row for row, _, memory in rows if memory.id])
        self._written += len(rows)

    def refresh(self, entry: Entry) -> None:
        """Note that a file was looked at again: its stat, and whether it still can be read."""
        self.connection.execute(
            "UPDATE notes SET etag = ?, read_ns = ?, problem = ?, settled = ? WHERE path = ?",
            (entry.etag, entry.read_ns, entry.problem, entry.settled, entry.path),
        )

    def distrust(self, text: str) -> int:
        """Let every note whose row holds a text be read anew by the next sync; answers how many those are."""
        return self.connection.execute(_DISTRUST, {"text": text}).rowcount

    def remove(self, path: str) -> None:
        """Forget one file."""
        for found in self.notes("path = ?", (path,)):
            # A contentless table forgets a row only when told the very terms it was given.
            self.connection.execute(_DELETE_TERMS, (found.row, *_columns(found.memory)))
            edges.remove(self.connection, found.row)
            self.connection.execute("DELETE FROM globs WHERE note = ?", (found.row,))
            self.connection.execute("DELETE FROM notes WHERE rowid = ?", (found.row,))

    def tidy(self) -> None:
        """Bring the search terms together after many rows were written, unless another process is writing now."""
        if self._written < _MANY or self._written * 10 < self.size():
            return
        try:
            with sqlite.transaction(self.connection):
                self.connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")
            self._written = 0
        except sqlite.OperationalError as error:
            if not sqlite.is_busy(error):
                raise

    def remember_root_commit(self, git_folder: str, commit: str) -> None:
        """Remember the first commit of a repository for the hook, which cannot run git."""
        self.connection.execute("INSERT OR REPLACE INTO root_commits VALUES (?, ?)", (git_folder, commit))


def settle_place(state: str, cache: str, *, shared: bool) -> str:
    """The folder for the index: of a `shared` state folder the one in the local cache, if that can be made.

    What lies in the other place is removed: it would only grow old, and hold what a human deletes from now on.
    """
    local = Path(cached_folder(state, cache))
    if not shared:
        if local.is_dir():
            _remove_index(local)
            with contextlib.suppress(OSError):
                local.rmdir()
        return state
    try:
        local.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return state
    _remove_index(Path(state))
    return str(local)


def _remove_index(folder: Path) -> None:
    for path in folder.glob(f"{FILE_NAME}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def open_writer(folder: str, *, shared: bool = False) -> IndexWriter:
    """Open the index in a folder, build its tables when they are missing, replace it when it is damaged.

    A damaged file is moved aside, not deleted: it is derived, but it may tell what went wrong. `shared` says that
    the folder is no place for a write-ahead log.

    Raises:
        sqlite.Error: the folder cannot be written; use `memory_index` then.
    """
    try:
        return _opened(f"{folder}/{FILE_NAME}", shared=shared)
    except sqlite.FAULTS as error:
        if not sqlite.is_damage(error):
            raise
    move_aside(folder)
    return _opened(f"{folder}/{FILE_NAME}", shared=shared)


def move_aside(folder: str) -> Path:
    """Put a damaged index out of the way, so that a new one can be built; answers where it went."""
    path = Path(folder) / FILE_NAME
    aside = path.with_name(DAMAGED.replace("*", str(time.time_ns())))
    if path.exists():
        path.replace(aside)
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def memory_index() -> IndexWriter:
    """An index in memory, for a state folder that cannot be written."""
    return _opened(":memory:")


def _opened(path: str, *, shared: bool = False) -> IndexWriter:
    connection = sqlite.connect(path)
    try:
        if path != ":memory:":
            Path(path).chmod(0o600)
        if shared:
            sqlite.keep_journal(connection, shared=True)
        else:
            sqlite.use_write_ahead_log(connection)
        # What a human deletes is gone from the file, not only from the tables.
        connection.execute("PRAGMA secure_delete = ON")
        if not ready(connection):
            with sqlite.transaction(connection):
                if not ready(connection):  # another process may have built it while we waited
                    for statement in CREATE:
                        connection.execute(statement)
        return IndexWriter(connection)
    except BaseException:
        connection.close()
        raise


def _entry_values(entry: Entry) -> tuple[Any, ...]:
    return entry.path, entry.etag, entry.hash, entry.read_ns, entry.problem, entry.settled


def _columns(memory: Memory) -> tuple[Any, ...]:
    """What search finds a memory by; a row of `terms` is taken back with the very same."""
    keys = (*memory.tags, *memory.keys, *memory.paths, *memory.entities)
    return (
        index_text(memory.title),
        index_text(memory.body),
        index_text(" ".join(keys)),
        scope_terms(memory),
    )
