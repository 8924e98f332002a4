"""The index of the archive, turn by turn: tables, and what a turn is searched by.

A turn is what a human said and what the agent said and did about it. Everything here is derived from the archive's
files; a change of the tables or of `text.terms` raises VERSION, which is part of the file's name.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from memem import sqlite
from memem.index.reader import quote
from memem.sources.events import HUMAN, Event
from memem.text import terms
from memem.transcripts.members import Header, Member
from memem.value import Value

VERSION = 1
FILE_NAME = f"transcripts-v{VERSION}.db"
DAMAGED = f"{FILE_NAME}.damaged-*"
LONGEST = 12_000  # characters of a turn; a longer one is continued by the next
_AGENT = ("prose", "plan", "commit")
_CREATE = (
    "CREATE TABLE archives (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL)",
    """CREATE TABLE sources (source TEXT PRIMARY KEY, archive INTEGER NOT NULL, identity TEXT NOT NULL,
        offset INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE folders (id INTEGER PRIMARY KEY, folder TEXT NOT NULL, project TEXT NOT NULL,
        UNIQUE (folder, project))""",
    """CREATE TABLE turns (rowid INTEGER PRIMARY KEY, archive INTEGER NOT NULL, start INTEGER NOT NULL,
        first INTEGER NOT NULL, events INTEGER NOT NULL, at TEXT NOT NULL)""",
    "CREATE INDEX turns_archive ON turns (archive)",
    # Whether all that is archived is in here: not so while it is built anew.
    "CREATE TABLE built (whole INTEGER NOT NULL)",
    "INSERT INTO built VALUES (0)",
    # What was archived, by a hash: forks and copies of a session hold the same again.
    "CREATE TABLE known (event INTEGER PRIMARY KEY)",
    # Contentless, like the memories' table: the text is in the archive. `folder` only filters.
    """CREATE VIRTUAL TABLE terms USING fts5 (
        human, agent, done, folder, content = '', tokenize = "porter ascii tokenchars '_'")""",
    "INSERT INTO terms (terms, rank) VALUES ('rank', 'bm25(2.0, 1.0, 0.5, 0.0)')",
    f"PRAGMA user_version = {VERSION}",
)
_SEARCH = """
    SELECT turns.start, turns.first, turns.events, turns.at, archives.name, -best.rank AS score FROM
        (SELECT rowid, rank FROM terms WHERE terms MATCH ? ORDER BY rank LIMIT ?) AS best
    JOIN turns ON turns.rowid = best.rowid JOIN archives ON archives.id = turns.archive"""
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM terms WHERE terms MATCH ? LIMIT ?)"
_INSERT_TURN = "INSERT INTO turns (archive, start, first, events, at) VALUES (?, ?, ?, ?, ?)"
_INSERT_TERMS = "INSERT INTO terms (rowid, human, agent, done, folder) VALUES (?, ?, ?, ?, ?)"
_DELETE_TERMS = "INSERT INTO terms (terms, rowid, human, agent, done, folder) VALUES ('delete', ?, ?, ?, ?, ?)"
_REACHED = """
    SELECT source, CAST(identity AS INTEGER), CASE archive WHEN ? THEN -1 ELSE offset END FROM sources"""
_PUT_SOURCE = "INSERT OR REPLACE INTO sources (source, archive, identity, offset) VALUES (?, ?, ?, ?)"
_MOST_ROWS = 5_000  # of the words of a question together: what a search looks at, however much is archived
_NONE = 0  # the archive of a source that is not archived at all


class Turn(Value):
    """A turn found: its score, and where its events are in the archive."""

    score: float
    at: str
    archive: str
    start: int
    first: int
    events: int


class Cursor(Value):
    """How far a source is archived. `kept` is false for a session of memem itself, which never is."""

    identity: str = ""
    offset: int = 0
    kept: bool = True


def in_turns(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events cut into turns: where a human speaks after somebody else did, and where one grows too long."""
    turn: list[Event] = []
    size = 0
    for event in events:
        begins = event.kind in HUMAN and turn and turn[-1].kind not in HUMAN
        if turn and (begins or size + len(event.text) > LONGEST):
            yield turn
            turn, size = [], 0
        turn.append(event)
        size += len(event.text)
    if turn:
        yield turn


def open_turns(folder: str) -> Turns:
    """Open the index in a state folder, build its tables when they are missing, replace it when it is damaged.

    Raises:
        sqlite.Error: the folder cannot be written.
    """
    try:
        return Turns(_opened(f"{folder}/{FILE_NAME}"))
    except sqlite.FAULTS as error:
        if not sqlite.is_damage(error):
            raise
    move_aside(folder)
    return Turns(_opened(f"{folder}/{FILE_NAME}"))


def move_aside(folder: str) -> Path:
    """Put a damaged index out of the way, so that a new one can be built; answers where it went."""
    path = Path(folder) / FILE_NAME
    aside = path.with_name(DAMAGED.replace("*", str(time.time_ns())))
    if path.exists():
        path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside


def _opened(path: str) -> sqlite.Connection:
    connection = sqlite.connect(path)
    try:
        Path(path).chmod(0o600)
        sqlite.use_write_ahead_log(connection)
        connection.execute("PRAGMA secure_delete = ON")
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            with sqlite.transaction(connection):
                if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                    for statement in _CREATE:
                        connection.execute(statement)
        return connection
    except BaseException:
        connection.close()
        raise


class Turns:
    """The index; hold `sqlite.transaction(turns.connection)` around a group of changes."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self.connection = connection

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    # What is indexed

    def sizes(self) -> dict[str, int]:
        """The archives in the index, with the byte up to which each is."""
        return {row["name"]: row["bytes"] for row in self.connection.execute("SELECT name, bytes FROM archives")}

    def cursor(self, source: str) -> Cursor:
        """How far a source is archived."""
        row = self.connection.execute("SELECT * FROM sources WHERE source = ?", (source,)).fetchone()
        return Cursor(identity=row["identity"], offset=row["offset"], kept=row["archive"] != _NONE) if row else Cursor()

    def reached(self) -> dict[str, tuple[int, int]]:
        """Inode and offset of every source, as fast as a search needs it; the offset is -1 for what is never kept."""
        rows = self.connection.execute(_REACHED, (_NONE,))
        return {source: (inode, offset) for source, inode, offset in rows}

    @property
    def whole(self) -> bool:
        """Whether all that was archived is in the index; what is archived from now on always is."""
        return bool(self.connection.execute("SELECT whole FROM built").fetchone()[0])

    def mark_whole(self) -> None:
        """Note that it is."""
        self.connection.execute("UPDATE built SET whole = 1 WHERE whole = 0")

    def move_cursor(self, source: str, name: str, identity: str, offset: int) -> None:
        """Note how far a source was read; without a name it is one that is never archived."""
        archive = self._archive(name) if name else _NONE
        self.connection.execute(_PUT_SOURCE, (source, archive, identity, offset))

    def is_new(self, key: int) -> bool:
        """Whether the event of this key (`event_key`) is not archived yet."""
        return self.connection.execute("SELECT 1 FROM known WHERE event = ?", (key,)).fetchone() is None

    def folders(self) -> list[tuple[int, str, str]]:
        """Where sessions began: a number, the folder, and what it belonged to then."""
        return [tuple(row) for row in self.connection.execute("SELECT id, folder, project FROM folders")]

    # Changes

    def add(self, name: str, member: Member) -> None:
        """Take a member of an archive into the index."""
        archive = self._archive(name)
        folder = _folder_term(self._folder(member.header))
        first = 0
        for turn in in_turns(member.events):
            at = max(event.at for event in turn)
            row = self.connection.execute(_INSERT_TURN, (archive, member.start, first, len(turn), at)).lastrowid
            self.connection.execute(_INSERT_TERMS, (row, *_columns(turn), folder))
            first += len(turn)
        keys = [(event_key(event),) for event in member.events]
        self.connection.executemany("INSERT OR IGNORE INTO known VALUES (?)", keys)
        header = member.header
        self.connection.execute(_PUT_SOURCE, (header.source, archive, header.identity, header.offset))
        self.connection.execute("UPDATE archives SET bytes = ? WHERE id = ?", (member.end, archive))

    def remove(self, name: str, members: Iterable[Member]) -> None:
        """Forget an archive, whose members must be those that were added."""
        archive = self._archive(name)
        rows: dict[tuple[int, int], int] = {
            (row["start"], row["first"]): row["rowid"]
            for row in self.connection.execute("SELECT rowid, start, first FROM turns WHERE archive = ?", (archive,))
        }
        for member in members:
            folder = _folder_term(self._folder(member.header))
            first = 0
            for turn in in_turns(member.events):
                row = rows.get((member.start, first))
                if row is not None:
                    # A contentless table forgets a row only when told the very terms it was given.
                    self.connection.execute(_DELETE_TERMS, (row, *_columns(turn), folder))
                first += len(turn)
            keys = [(event_key(event),) for event in member.events]
            self.connection.executemany("DELETE FROM known WHERE event = ?", keys)
        for statement in ("DELETE FROM turns WHERE archive = ?", "UPDATE archives SET bytes = 0 WHERE id = ?"):
            self.connection.execute(statement, (archive,))

    def purge(self) -> None:
        """Leave nothing in the file of what was removed."""
        self.connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")

    # Search

    def search(self, words: Iterable[str], limit: int, folders: Sequence[int] | None = None) -> list[Turn]:
        """Turns with any of the words, best first by BM25; only of sessions that began in some folders, if given.

        Words that are everywhere are left out when there are rarer ones: they tell next to nothing, and take longest.
        """
        match = _any_of(self._telling(words))
        if not match or folders == []:
            return []
        if folders is not None:
            match = f"folder : ({' OR '.join(quote(_folder_term(number)) for number in folders)}) AND {match}"
        return [
            Turn(
                score=row["score"], at=row["at"], archive=row["name"],
                start=row["start"], first=row["first"], events=row["events"],
            )
            for row in self.connection.execute(_SEARCH, (match, limit))
        ]  # fmt: skip

    def _telling(self, words: Iterable[str]) -> list[str]:
        counts = {word: self._count(word, _MOST_ROWS + 1) for word in words}
        chosen: list[str] = []
        rows = 0
        for word in sorted((word for word in counts if counts[word]), key=counts.__getitem__):
            rows += counts[word]
            if rows > _MOST_ROWS and chosen:
                break
            chosen.append(word)
        return chosen

    def _count(self, word: str, most: int) -> int:
        return int(self.connection.execute(_COUNT, (_any_of((word,)), most)).fetchone()[0])

    def worth(self, word: str) -> float:
        """How much a word tells: its inverse document frequency, as BM25 counts it."""
        total = int(self.connection.execute("SELECT count(*) FROM turns").fetchone()[0])
        held = self._count(word, total)
        return max(math.log((total - held + 0.5) / (held + 0.5)), 0.0)

    def _archive(self, name: str) -> int:
        self.connection.execute("INSERT OR IGNORE INTO archives (name, bytes) VALUES (?, 0)", (name,))
        return int(self.connection.execute("SELECT id FROM archives WHERE name = ?", (name,)).fetchone()[0])

    def _folder(self, header: Header) -> int:
        values = (header.folder, header.project)
        self.connection.execute("INSERT OR IGNORE INTO folders (folder, project) VALUES (?, ?)", values)
        found = self.connection.execute("SELECT id FROM folders WHERE folder = ? AND project = ?", values).fetchone()
        return int(found[0])


def _any_of(words: Iterable[str]) -> str:
    asked = " OR ".join(quote(word) for word in words)
    return f"{{human agent done}} : ({asked})" if asked else ""


def _folder_term(number: int) -> str:
    return f"f{number}"


def _columns(turn: Sequence[Event]) -> tuple[str, str, str]:
    """The words of a turn by who said or did them."""
    human = [event.text for event in turn if event.kind in HUMAN]
    agent = [event.text for event in turn if event.kind in _AGENT]
    done = [event.text for event in turn if event.kind not in (*HUMAN, *_AGENT, "boundary")]
    done += dict.fromkeys(part for event in turn for part in (event.path, event.tool) if part)
    return _terms(human), _terms(agent), _terms(done)


def _terms(texts: Iterable[str]) -> str:
    return " ".join(term for text in texts for term in terms(text))


def event_key(event: Event) -> int:
    """What an event is known by, whichever file it is copied into."""
    said = "\0".join((event.uuid or event.session, event.kind, event.path, event.text))
    return int.from_bytes(hashlib.sha256(said.encode("utf-8", "replace")).digest()[:8], "big", signed=True)
