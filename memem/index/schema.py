"""The index database: its tables, and how a memory becomes a row and a row a memory.

Everything in it is derived from the vault. A change of the schema or of `text.terms` raises VERSION, which is part
of the file's name: two installed versions of memem never read each other's index.
"""

from __future__ import annotations

from memem.models import Memory
from memem.sqlite import Connection, Row
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

VERSION = 2
FILE_NAME = f"index-v{VERSION}.db"

LIVE = "_live"  # in force; no project's term begins like this
AUTOMATIC = "_automatic"  # may be shown unasked

LISTS = tuple(field for field in Memory.__fields__ if isinstance(Memory.__defaults__.get(field), tuple))
LIST_SEPARATOR = "\x1f"

_COLUMNS = ", ".join(
    f"{field} {'INTEGER' if isinstance(Memory.__defaults__.get(field), int) else 'TEXT'} NOT NULL"
    for field in Memory.__fields__
)
CREATE = (
    f"""CREATE TABLE notes (
        rowid INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE,
        etag TEXT NOT NULL,
        hash TEXT NOT NULL,
        read_ns INTEGER NOT NULL,
        problem TEXT NOT NULL,
        {_COLUMNS})""",
    "CREATE INDEX notes_id ON notes (id)",
    "CREATE INDEX notes_project ON notes (project, layer)",
    # Contentless: the text lives in `notes`, and the terms are made by `text.terms`, not by SQLite's tokenizer,
    # which therefore has to cut at spaces only. Porter's stemmer applies to documents and questions alike.
    """CREATE VIRTUAL TABLE terms USING fts5 (
        title, body, keys, scope, content = '', tokenize = "porter ascii tokenchars '_'")""",
    # How `ORDER BY rank` weighs the columns. The scope only filters.
    "INSERT INTO terms (terms, rank) VALUES ('rank', 'bm25(3.0, 1.0, 2.5, 0.0)')",
    # Not of the vault, but derived as well: the first commit of a repository, which takes git to find out.
    "CREATE TABLE root_commits (git_folder TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID",
    # The graph. What each note offers to be connected by, and the links that it asserts, by row of `notes`.
    """CREATE TABLE nodes (
        note INTEGER PRIMARY KEY, stem TEXT NOT NULL, cues TEXT NOT NULL, needs TEXT NOT NULL, causes TEXT NOT NULL,
        state INTEGER NOT NULL)""",
    "CREATE INDEX nodes_stem ON nodes (stem)",
    "CREATE INDEX nodes_waiting ON nodes (note) WHERE state != 0",
    "CREATE TABLE cues (cue TEXT NOT NULL, note INTEGER NOT NULL, PRIMARY KEY (cue, note)) WITHOUT ROWID",
    "CREATE TABLE links (note INTEGER NOT NULL, relation TEXT NOT NULL, target TEXT NOT NULL)",
    "CREATE INDEX links_note ON links (note)",
    "CREATE INDEX links_target ON links (target)",
    # Of derived edges only: what a note asserts is found by its links.
    """CREATE TABLE edges (
        note INTEGER NOT NULL, other INTEGER NOT NULL, relation TEXT NOT NULL, score REAL NOT NULL, why TEXT NOT NULL,
        PRIMARY KEY (note, other)) WITHOUT ROWID""",
    "CREATE INDEX edges_other ON edges (other)",
    f"PRAGMA user_version = {VERSION}",
)


def ready(connection: Connection) -> bool:
    """Whether the tables of this version are there."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == VERSION)


def memory_values(memory: Memory) -> list[Any]:
    """The columns of a memory in order of its fields."""
    return [
        LIST_SEPARATOR.join(value) if isinstance(value, tuple) else value
        for value in (getattr(memory, field) for field in Memory.__fields__)
    ]


def row_memory(row: Row) -> Memory:
    """The memory of a row that selected all columns of `notes`."""
    values: dict[str, Any] = {field: row[field] for field in Memory.__fields__}
    for field in LISTS:
        values[field] = tuple(values[field].split(LIST_SEPARATOR)) if values[field] else ()
    return Memory(**values)


def scope_terms(memory: Memory) -> str:
    """The `scope` column of a memory: its project, and what it may be used for. History must not crowd a search."""
    uses = (LIVE, AUTOMATIC) if memory.live and memory.layer < 3 else (LIVE,) if memory.live else ()
    return " ".join((scope_term(memory.project), *uses))


def scope_term(project: str) -> str:
    """A project as one search term of the `scope` column."""
    return "".join(char if char.isalnum() and char.isascii() else f"_{ord(char):x}_" for char in project.lower())
