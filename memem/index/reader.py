"""Reading the index: candidates for a question, term statistics, and plain look-ups. Part of the hook's closure."""

from __future__ import annotations

import os

from memem import sqlite
from memem.index.schema import FILE_NAME, LIST_SEPARATOR, LIVE, RANK, ready, row_memory, scope_term, uses
from memem.models import SHORTEST_ID, UNCONFIRMED, UNTRUSTED, Candidate, Memory
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from memem.models import Scope
    from memem.text import Terms

MOST_BOUND = 5000  # values of a list in one statement; SQLite takes 32,766 in all
COUNT_CAP = 1500  # counting further costs more than it tells: such a word is simply common
_OWN = ("path", "etag", "hash", "problem")  # fields of a candidate that are columns of its note
_SELECTED = f"notes.rowid, {', '.join(f'notes.{field}' for field in (*_OWN, *Memory.__fields__))}"
# The best rows are found before any note is read: the notes of all matches would be most of the cost. To ask for the
# `rank` that FTS5 has sorted by makes it count everything twice.
_SEARCH = f"""
    SELECT {_SELECTED}, -best.score FROM
        (SELECT rowid, {RANK} AS score FROM terms WHERE terms MATCH ? ORDER BY score LIMIT ?) AS best
    JOIN notes ON notes.rowid = best.rowid ORDER BY best.score"""  # noqa: S608 - constants only, here and below
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM terms WHERE terms MATCH ? LIMIT ?)"
_IN_SCOPE = "project IN ({}) AND layer <= ? AND status IN ('active', 'open') AND replaced_by = ''"
_HELD = "SELECT count(*) FROM (SELECT 1 FROM notes WHERE project IN ({}) LIMIT ?)"
_SETTLED = "SELECT group_concat(path, '//'), group_concat(etag, '//') FROM notes WHERE settled = 1"
# The plus keeps SQLite from asking FTS5 anew for every row: to walk through the word's notes once takes half the time.
_MATCHED = "SELECT rowid FROM terms WHERE terms MATCH ? AND +rowid IN ({})"
_TOLD = f"""problem = '' AND trust NOT IN ({", ".join(f"'{trust}'" for trust in UNTRUSTED)})
    AND instr('{LIST_SEPARATOR}' || tags || '{LIST_SEPARATOR}', '{LIST_SEPARATOR}{UNCONFIRMED}{LIST_SEPARATOR}') = 0"""


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


def fit(use: str, scope: Scope | None) -> str:
    """An FTS5 expression for the memories of a use, of a scope or of all."""
    projects = [scope_term(name) for name in scope.names] if scope else [""]
    return "scope : (" + " OR ".join(quote(project + term) for project in projects for term in uses(use)) + ")"


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

    def size_of(self, scope: Scope, most: int) -> int:
        """Number of notes of a scope, counted up to so many."""
        return int(self.connection.execute(_HELD.format(_marks(scope)), (*scope.names, most)).fetchone()[0])

    def search(self, terms: Terms, limit: int, scope: Scope | None = None, use: str = LIVE) -> list[Candidate]:
        """Notes with any of the terms, best first by BM25.

        `scope` restricts them to its memories, `use` to those in force (LIVE) or fit to be shown unasked (AUTOMATIC);
        with "" history is found as well.
        """
        words = (*terms.words, *terms.compounds)
        if not words:
            return []
        match = any_of(words)
        if use or scope:
            match = f"{fit(use, scope)} AND {match}"
        return [_candidate(row, float(row[-1])) for row in self.connection.execute(_SEARCH, (match, limit))]

    def holding(self, words: Sequence[str], limit: int) -> list[Candidate]:
        """Notes with all of the words, of any scope and use, best first by BM25."""
        # FTS5 would walk through all notes of a scope for it, which are many more than hold several words.
        match = f"{{title body keys}} : ({' AND '.join(map(quote, words))})"
        return [_candidate(row, float(row[-1])) for row in self.connection.execute(_SEARCH, (match, limit))]

    def count(self, word: str, most: int = COUNT_CAP) -> int:
        """In how many notes a word occurs, counted up to `most`."""
        return int(self.connection.execute(_COUNT, (any_of((word,)), most)).fetchone()[0])

    def matched(self, word: str, rows: Sequence[int]) -> set[int]:
        """Those of some rows in which the word occurs."""
        query = _MATCHED.format(",".join("?" * len(rows)))
        return {row[0] for row in self.connection.execute(query, (any_of((word,)), *rows))}

    def notes(self, where: str = "1", values: Sequence[Any] = (), order: str = "id") -> list[Candidate]:
        """Notes by a condition on their columns; `where` and `order` are constants of ours, values are bound."""
        query = f"SELECT {_SELECTED} FROM notes WHERE {where} ORDER BY {order}"  # noqa: S608
        return [_candidate(row) for row in self.connection.execute(query, tuple(values))]

    def by_prefix(self, prefix: str) -> list[Candidate]:
        """Notes whose id begins with the prefix."""
        if not prefix.isprintable():  # which also keeps out what SQLite cannot bind
            return []
        begun = prefix.lower()
        return self.notes("lower(id) >= ? AND lower(id) < ?", (begun, f"{begun}\U0010ffff"))

    def named(self, name: str) -> list[Candidate]:
        """Notes of an id, however short, or else those whose id begins with at least 8 characters of it."""
        whole = self.notes("lower(id) = ?", (name.lower(),)) if name and name.isprintable() else []
        return whole or (self.by_prefix(name) if len(name) >= SHORTEST_ID else [])

    def in_scope(self, scope: Scope, deepest: int = 2) -> list[Candidate]:
        """Live notes of a scope of layers 0 to `deepest`, ordered by layer and id."""
        return self.notes(_IN_SCOPE.format(_marks(scope)), (*scope.names, deepest), order="layer, id")

    def of_kinds(self, scope: Scope, kinds: Sequence[str]) -> list[Candidate]:
        """Live notes of a scope of some kinds, layers 0 to 2, ordered by layer and id."""
        where = f"{_IN_SCOPE.format(_marks(scope))} AND kind IN ({','.join('?' * len(kinds))})"
        return self.notes(where, (*scope.names, 2, *kinds), order="layer, id")

    def leading(self, scope: Scope, kinds: Sequence[str], ids: Sequence[str], most: int) -> list[Candidate]:
        """Live notes of a scope that may lead a session, ordered by layer and id, however many there are of others.

        Identity, those of some kinds and those with some ids; of each project the `most` weightiest of the rest that
        may be told unasked; and all that have the id of one of these.
        """
        found = {item.row: item for item in (*self.in_scope(scope, deepest=0), *self.of_kinds(scope, kinds))}
        for project in scope.names:  # one by one, so that the table's order does the sorting
            where = f"{_IN_SCOPE.format('?')} AND {_TOLD}"
            best = self.notes(where, (project, 2), f"layer, importance DESC, updated DESC, id LIMIT {int(most)}")
            found.update((item.row, item) for item in best)
        names = list(dict.fromkeys([*ids, *(item.memory.id for item in found.values())]))
        names, rows = names[:MOST_BOUND], list(found)[:MOST_BOUND]
        where = f"id IN ({','.join('?' * len(names))}) AND rowid NOT IN ({','.join('?' * len(rows))})"
        more = self.notes(where, (*names, *rows))
        found.update((item.row, item) for item in more if scope.holds(item.memory.project) and item.memory.live)
        return sorted(found.values(), key=lambda item: (item.memory.layer, item.memory.id))

    def paths_in_scope(self, scope: Scope, names: Sequence[str]) -> list[tuple[int, list[str]]]:
        """Row and globs of the live notes of a scope that may concern a file whose path has these names in it."""
        marks = ",".join("?" * (len(names) + 1))
        # CROSS keeps SQLite from going through the notes of the projects instead.
        query = f"""SELECT DISTINCT notes.rowid, paths FROM globs CROSS JOIN notes ON notes.rowid = globs.note
            WHERE globs.name IN ({marks}) AND {_IN_SCOPE.format(_marks(scope))}"""  # noqa: S608
        rows = self.connection.execute(query, ("", *names, *scope.names, 2))
        return [(row[0], row[1].split(LIST_SEPARATOR)) for row in rows]

    def settled(self) -> dict[str, str]:
        """Path and etag of the files that are as the index knows them while their etag is the same."""
        # As two texts, because there are many: no path from within a folder holds `//`.
        paths, tags = self.connection.execute(_SETTLED).fetchone()
        return dict(zip(paths.split("//"), tags.split("//"), strict=True)) if paths else {}

    def unsettled(self) -> dict[str, str]:
        """Path and etag of all others."""
        return {row[0]: row[1] for row in self.connection.execute("SELECT path, etag FROM notes WHERE settled = 0")}

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


def _candidate(values: sqlite.Row, score: float = 0.0) -> Candidate:
    row, path, etag, hash_, problem, *rest = values
    memory = row_memory(rest[: len(Memory.__fields__)])
    return Candidate(memory=memory, row=row, path=path, etag=etag, hash=hash_, problem=problem, score=score)
