"""Reading the index: candidates for a question, term statistics, and plain look-ups. Part of the hook's closure."""

from __future__ import annotations

import os

from memem import sqlite
from memem.index.schema import FILE_NAME, LIST_SEPARATOR, LIVE, ready, row_memory, scope_term
from memem.models import Candidate
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from memem.models import Scope
    from memem.text import Terms

COUNT_CAP = 1500  # counting further costs more than it tells: such a word is simply common
# The best rows are found before any note is read: the notes of all matches would be most of the cost.
_SEARCH = """
    SELECT notes.rowid, notes.*, -best.rank AS score FROM
        (SELECT rowid, rank FROM terms WHERE terms MATCH ? ORDER BY rank LIMIT ?) AS best
    JOIN notes ON notes.rowid = best.rowid ORDER BY best.rank"""
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM terms WHERE terms MATCH ? LIMIT ?)"
_IN_SCOPE = "project IN ({}) AND layer <= ? AND status IN ('active', 'open') AND replaced_by = ''"
_MATCHED = "SELECT rowid FROM terms WHERE terms MATCH ? AND rowid IN ({})"


def index_folder(state: str, cache: str) -> str:
    """Where the index of a state folder lies: there, or in the local cache if `settle_place` made a folder for it."""
    if os.path.isdir(f"{cache}/memem"):  # noqa: PTH112 - hook path
        local = cached_folder(state, cache)
        if os.path.isdir(local):  # noqa: PTH112
            return local
    return state


def cached_folder(state: str, cache: str) -> str:
    """The folder in the local cache for what belongs to a state folder."""
    from _blake2 import blake2b  # hashlib would load OpenSSL

    return f"{cache}/memem/{blake2b(state.encode('utf-8', 'surrogateescape'), digest_size=8).hexdigest()}"


def open_reader(folder: str) -> Index | None:
    """The index of a state folder for reading, or None when it is not built yet or unusable."""
    # In a folder that cannot be written SQLite reads a write-ahead log only as a still picture.
    for still in (False, True):
        try:
            connection = sqlite.connect(f"{folder}/{FILE_NAME}", read_only=True, busy=0.2, still=still)
            if ready(connection):
                return Index(connection)
            connection.close()
            return None
        except sqlite.FAULTS as error:
            if sqlite.is_busy(error):
                return None  # a picture taken while somebody writes would be half old, half new
    return None


def quote(term: str) -> str:
    """A term as an FTS5 string: whatever it holds, it cannot become syntax."""
    return '"' + term.replace('"', '""').replace("\0", "") + '"'


def any_of(words: Iterable[str]) -> str:
    """An FTS5 expression for documents with any of the words in title, body or keys."""
    return "{title body keys} : (" + " OR ".join(quote(word) for word in words) + ")"


def within(scope: Scope) -> str:
    """An FTS5 expression for the memories of a scope."""
    return "scope : (" + " OR ".join(quote(scope_term(name)) for name in scope.names) + ")"


class Index:
    """Read access to the derived index. Raises `sqlite.Error` when the file is damaged."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self.connection = connection

    @property
    def in_file(self) -> bool:
        """Whether the index is a file, as opposed to one in memory."""
        return bool(self.connection.execute("PRAGMA database_list").fetchone()[2])

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def size(self) -> int:
        """Number of notes in the index."""
        return int(self.connection.execute("SELECT count(*) FROM notes").fetchone()[0])

    def search(self, terms: Terms, limit: int, scope: Scope | None = None, use: str = LIVE) -> list[Candidate]:
        """Notes with any of the terms, best first by BM25.

        `scope` restricts them to its memories, `use` to those in force (LIVE) or fit to be shown unasked (AUTOMATIC);
        with "" history is found as well.
        """
        words = (*terms.words, *terms.compounds)
        if not words:
            return []
        limits = [within(scope)] if scope else []
        limits += [f"scope : {quote(use)}"] if use else []
        match = " AND ".join((*limits, any_of(words)))
        return [_candidate(row, float(row["score"])) for row in self.connection.execute(_SEARCH, (match, limit))]

    def count(self, word: str) -> int:
        """In how many notes a word occurs, counted up to COUNT_CAP."""
        return int(self.connection.execute(_COUNT, (any_of((word,)), COUNT_CAP)).fetchone()[0])

    def matched(self, word: str, rows: Sequence[int]) -> set[int]:
        """Those of some rows in which the word occurs."""
        query = _MATCHED.format(",".join("?" * len(rows)))
        return {row[0] for row in self.connection.execute(query, (any_of((word,)), *rows))}

    def notes(self, where: str = "1", values: Sequence[Any] = (), order: str = "id") -> list[Candidate]:
        """Notes by a condition on their columns; `where` and `order` are constants of ours, values are bound."""
        query = f"SELECT rowid, * FROM notes WHERE {where} ORDER BY {order}"  # noqa: S608 - constants only
        return [_candidate(row) for row in self.connection.execute(query, tuple(values))]

    def by_prefix(self, prefix: str) -> list[Candidate]:
        """Notes whose id begins with the prefix."""
        if not prefix.isprintable():  # which also keeps out what SQLite cannot bind
            return []
        return self.notes("substr(lower(id), 1, ?) = ?", (len(prefix), prefix.lower()))

    def in_scope(self, scope: Scope, deepest: int = 2) -> list[Candidate]:
        """Live notes of a scope of layers 0 to `deepest`, ordered by layer and id."""
        return self.notes(_IN_SCOPE.format(_marks(scope)), (*scope.names, deepest), order="layer, id")

    def of_kinds(self, scope: Scope, kinds: Sequence[str]) -> list[Candidate]:
        """Live notes of a scope of some kinds, layers 0 to 2, ordered by layer and id."""
        where = f"{_IN_SCOPE.format(_marks(scope))} AND kind IN ({','.join('?' * len(kinds))})"
        return self.notes(where, (*scope.names, 2, *kinds), order="layer, id")

    def paths_in_scope(self, scope: Scope) -> list[tuple[int, list[str]]]:
        """Row and globs of the live notes of a scope that concern certain paths."""
        query = f"SELECT rowid, paths FROM notes WHERE {_IN_SCOPE.format(_marks(scope))} AND paths != ''"  # noqa: S608
        rows = self.connection.execute(query, (*scope.names, 2))
        return [(row[0], row[1].split(LIST_SEPARATOR)) for row in rows]

    def root_commit(self, git_folder: str) -> str:
        """The remembered first commit of a repository, or nothing."""
        row = self.connection.execute("SELECT id FROM root_commits WHERE git_folder = ?", (git_folder,)).fetchone()
        return row[0] if row else ""

    def problems(self) -> list[tuple[str, str]]:
        """Path and problem of every note that could not be read as it should."""
        query = "SELECT path, problem FROM notes WHERE problem != '' ORDER BY path"
        return [(row["path"], row["problem"]) for row in self.connection.execute(query)]


def _marks(scope: Scope) -> str:
    return ",".join("?" * len(scope.names))


def _candidate(row: sqlite.Row, score: float = 0.0) -> Candidate:
    own = {field: row[field] for field in ("path", "etag", "hash", "problem")}
    return Candidate(memory=row_memory(row), row=row["rowid"], score=score, **own)
