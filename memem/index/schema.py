"""The index database: its tables, and how a memory becomes a row and a row a memory.

Everything in it is derived from the vault. A change of the schema, of `text.terms` or of what a row may hold raises
VERSION, which is part of the file's name: two installed versions of memem never read each other's index.
"""

from __future__ import annotations

from memem.models import Memory
from memem.sqlite import Connection
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

VERSION = 4
FILE_NAME = f"index-v{VERSION}.db"

LIVE = "_live"  # in force; no project's term ends like this
AUTOMATIC = "_automatic"  # may be shown unasked

LONGEST_GLOB, MOST_GLOBS = 300, 100  # characters, and globs of one note

LISTS = tuple(field for field in Memory.__fields__ if isinstance(Memory.__defaults__.get(field), tuple))
LIST_SEPARATOR = "\x1f"

RANK = "bm25(terms, 3.0, 1.0, 2.5, 0.0)"
_LISTS_AT = tuple(Memory.__fields__.index(field) for field in LISTS)
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
        settled INTEGER NOT NULL,
        {_COLUMNS})""",
    "CREATE INDEX notes_id ON notes (id)",
    "CREATE INDEX notes_prefix ON notes (lower(id))",
    "CREATE INDEX notes_weight ON notes (project, layer, importance DESC, updated DESC)",
    "CREATE INDEX notes_kind ON notes (project, kind, layer)",
    "CREATE INDEX notes_read ON notes (read_ns)",
    # All that a sync looks at, without the notes' texts between.
    "CREATE INDEX notes_settled ON notes (path, etag) WHERE settled = 1",
    "CREATE INDEX notes_unsettled ON notes (path, etag) WHERE settled = 0",
    # A glob concerns only files whose path holds its last name; one of wildcards only stands under no name.
    "CREATE TABLE globs (name TEXT NOT NULL, note INTEGER NOT NULL, PRIMARY KEY (name, note)) WITHOUT ROWID",
    "CREATE INDEX globs_note ON globs (note)",
    # Contentless: the text lives in `notes`, and the terms are made by `text.terms`, not by SQLite's tokenizer,
    # which therefore has to cut at spaces only. Porter's stemmer applies to documents and questions alike.
    """CREATE VIRTUAL TABLE terms USING fts5 (
        title, body, keys, scope, content = '', tokenize = "porter ascii tokenchars '_'")""",
    # How `ORDER BY rank` weighs the columns. The scope only filters.
    f"INSERT INTO terms (terms, rank) VALUES ('rank', '{RANK.replace('terms, ', '')}')",  # noqa: S608 - a constant
    # A save leaves a small segment behind, and every word is looked up in each: the usual 16 cost recall half its time.
    "INSERT INTO terms (terms, rank) VALUES ('crisismerge', 4)",
    # Bytes of terms that a transaction holds before it writes a segment; the usual 1 MB makes many to be merged.
    "INSERT INTO terms (terms, rank) VALUES ('hashsize', 16000000)",
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


def row_memory(values: Sequence[Any]) -> Memory:
    """The memory of its columns in order of its fields: by position, because a row looks names up one by one."""
    found = list(values)
    for at in _LISTS_AT:
        found[at] = tuple(found[at].split(LIST_SEPARATOR)) if found[at] else ()
    return Memory.in_order(found)


def scope_terms(memory: Memory) -> str:
    """The `scope` column of a memory: what it may be used for, alone and in its project. History is in no search.

    One term stands for both, because FTS5 walks through all notes of every term that it is asked for.
    """
    project = scope_term(memory.project)
    use = "" if not memory.live else LIVE if memory.layer > 2 else AUTOMATIC
    return f"{project} {use} {project}{use}" if use == AUTOMATIC else f"{use} {project}{use}" if use else project


def uses(use: str) -> tuple[str, ...]:
    """The terms under which memories of a use stand; of no use in particular all stand, what is history as well.

    What may be shown unasked is in force, too.
    """
    return (AUTOMATIC,) if use == AUTOMATIC else (LIVE, AUTOMATIC) if use else ("", LIVE)


def glob_name(glob: str) -> str:
    """The last step of a glob that is no wildcard, or nothing; a file that the glob names has it in its path."""
    glob = glob.strip()[:LONGEST_GLOB]
    steps = [step for step in glob.removeprefix("./").split("/") if step and "*" not in step and "?" not in step]
    return steps[-1] if steps else ""


def scope_term(project: str) -> str:
    """A project as one search term of the `scope` column."""
    known = _scope_terms.get(project)
    if known is None:
        if len(_scope_terms) > 1000:
            _scope_terms.clear()
        known = "".join(char if char.isalnum() and char.isascii() else f"_{ord(char):x}_" for char in project.lower())
        _scope_terms[project] = known
    return known


_scope_terms: dict[str, str] = {}  # few projects have many notes
