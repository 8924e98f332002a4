"""The index of the archive, turn by turn: tables, and what a turn is searched by.

Everything here is derived from the archive's files; a change of the tables, of `sides` or of `text.terms` raises
VERSION, which is part of the file's name.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from memem import sqlite
from memem.dates import When
from memem.index.reader import quote
from memem.sources.events import HUMAN
from memem.transcripts import by_session, ranking, traces
from memem.transcripts.by_session import STEP
from memem.transcripts.members import Header, Member
from memem.transcripts.sides import columns_of, event_key, in_turns
from memem.value import Value

VERSION = 3
FILE_NAME = f"transcripts-v{VERSION}.db"
DAMAGED = f"{FILE_NAME}.damaged-*"
_SPEAKER_SHARE = 0.05  # a word by which so many turns begin is a speaker's name, and no topic
_CREATE = (
    "CREATE TABLE archives (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL)",
    """CREATE TABLE sources (source TEXT PRIMARY KEY, archive INTEGER NOT NULL, identity TEXT NOT NULL,
        offset INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE folders (id INTEGER PRIMARY KEY, folder TEXT NOT NULL, project TEXT NOT NULL,
        UNIQUE (folder, project))""",
    # A session's turns are numbered one by one from `archive * STEP` on, so that neighbours know each other.
    """CREATE TABLE turns (rowid INTEGER PRIMARY KEY, archive INTEGER NOT NULL, start INTEGER NOT NULL,
        first INTEGER NOT NULL, events INTEGER NOT NULL, at TEXT NOT NULL, words INTEGER NOT NULL,
        human INTEGER NOT NULL, folder INTEGER NOT NULL)""",
    "CREATE INDEX turns_archive ON turns (archive, words)",
    "CREATE INDEX turns_folder ON turns (folder, words)",
    # Whether all that is archived is in here: not so while it is built anew.
    "CREATE TABLE built (whole INTEGER NOT NULL)",
    "INSERT INTO built VALUES (0)",
    # What was archived, by a hash: forks and copies of a session hold the same again.
    "CREATE TABLE known (event INTEGER PRIMARY KEY)",
    traces.CREATE,
    # Contentless, like the memories' table: the text is in the archive. `folder` only filters.
    """CREATE VIRTUAL TABLE terms USING fts5 (
        said, done, speaker, branch, folder, content = '', tokenize = "porter ascii tokenchars '_'")""",
    f"PRAGMA user_version = {VERSION}",
)
_HOLDING = """
    SELECT turns.rowid, turns.words FROM terms JOIN turns ON turns.rowid = terms.rowid WHERE terms MATCH ? LIMIT ?"""
_SIZE = "SELECT count(*), sum(words) FROM turns"
_ROWS = """
    SELECT turns.rowid AS row, start, first, events, at, words, human, folder, archive, name
    FROM turns JOIN archives ON archives.id = archive WHERE turns.rowid IN ({})"""
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM terms WHERE terms MATCH ? LIMIT ?)"
_NEXT = "SELECT coalesce(max(rowid) + 1, :first) FROM turns WHERE rowid >= :first AND rowid < :first + :step"
_INSERT_TURN = "INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_TERMS = "INSERT INTO terms (rowid, said, done, speaker, branch, folder) VALUES (?, ?, ?, ?, ?, ?)"
_DELETE_TERMS = """
    INSERT INTO terms (terms, rowid, said, done, speaker, branch, folder) VALUES ('delete', ?, ?, ?, ?, ?, ?)"""
_REACHED = """
    SELECT source, CAST(identity AS INTEGER), CASE archive WHEN ? THEN -1 ELSE offset END FROM sources"""
_PUT_SOURCE = "INSERT OR REPLACE INTO sources (source, archive, identity, offset) VALUES (?, ?, ?, ?)"
COLUMNS = ("said", "done", "branch")  # that hold words of a session; a branch is of the whole session
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


class Order(Value):
    """How what is found is ranked: `when` is a time that the question names.

    `by_session` answers the best turn of each session, the sessions ranked by all their turns and their kin; `newest`
    then prefers those that began lately, and finds the last of them whatever they hold.
    """

    when: When | None = None
    by_session: bool = False
    newest: bool = False


class Cursor(Value):
    """How far a source is archived. `kept` is false for a session of memem itself, which never is."""

    identity: str = ""
    offset: int = 0
    kept: bool = True


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
            _remove_older(Path(path).parent)
        return connection
    except BaseException:
        connection.close()
        raise


def _remove_older(folder: Path) -> None:
    """Remove the indexes of earlier versions: they would keep the words of what is pruned from now on."""
    for version in range(1, VERSION):
        for suffix in ("", "-wal", "-shm"):
            (folder / f"transcripts-v{version}.db{suffix}").unlink(missing_ok=True)


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
        cursor = self.connection.cursor()
        cursor.row_factory = None  # plain tuples, of which there are many
        return {source: (inode, offset) for source, inode, offset in cursor.execute(_REACHED, (_NONE,))}

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
        folder = self._folder(member.header)
        branch = traces.branch_terms(member)  # found at its first turn
        first = 0
        row = self.connection.execute(_NEXT, {"first": archive * STEP, "step": STEP}).fetchone()[0]
        for turn in in_turns(member.events):
            columns = columns_of(turn)
            words = sum(column.count(" ") + 1 for column in columns[:2] if column)
            place = (row, archive, member.start, first, len(turn), max(event.at for event in turn))
            human = any(event.kind in HUMAN for event in turn)
            self.connection.execute(_INSERT_TURN, (*place, words, human, folder))
            self.connection.execute(_INSERT_TERMS, (row, *columns, branch, _folder_term(folder)))
            first += len(turn)
            row += 1
            branch = ""
        traces.put(self.connection, archive, member)
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
            folder, branch = _folder_term(self._folder(member.header)), traces.branch_terms(member)
            first = 0
            for turn in in_turns(member.events):
                row = rows.get((member.start, first))
                if row is not None:
                    # A contentless table forgets a row only when told the very terms it was given.
                    self.connection.execute(_DELETE_TERMS, (row, *columns_of(turn), branch, folder))
                first += len(turn)
                branch = ""
            keys = [(event_key(event),) for event in member.events]
            self.connection.executemany("DELETE FROM known WHERE event = ?", keys)
        traces.remove(self.connection, archive)
        for statement in ("DELETE FROM turns WHERE archive = ?", "UPDATE archives SET bytes = 0 WHERE id = ?"):
            self.connection.execute(statement, (archive,))

    def purge(self) -> None:
        """Leave nothing in the file of what was removed."""
        self.connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")

    # Search

    def search(
        self,
        words: Iterable[str],
        limit: int,
        folders: Sequence[int] | None = None,
        order: Order = Order(),  # noqa: B008 - frozen
        now: float = 0.0,
    ) -> list[Turn]:
        """Turns that the words speak for, best first; only of sessions that began in some folders, if given.

        `now` is in seconds since the epoch.
        """
        turns, size = self._size(folders)
        if not turns:
            return []
        within = "" if folders is None else f"folder : ({' OR '.join(quote(_folder_term(n)) for n in folders)}) AND "
        # Who speaks tells turns apart, not sessions.
        topics, spoken = (list(words), frozenset()) if order.by_session else self._heard(list(words), within, turns)
        telling = self._telling(topics, within, COLUMNS if order.by_session else COLUMNS[:2])
        told = ranking.evidence(telling, turns, max(size / turns, 1.0))
        holding = {row for word in telling for row, _ in word.rows}
        chosen = dict.fromkeys(ranking.likeliest(told, holding))
        if telling and order.by_session and order.newest:
            latest = by_session.latest(self.connection, folders)
            chosen, holding = chosen | dict.fromkeys(latest), holding.union(latest)
        found = self.connection.execute(_ROWS.format(",".join("?" * len(chosen))), tuple(chosen)).fetchall()
        rows = {
            row["row"]: row
            for row in found
            if (folders is None or row["folder"] in folders)
            and (row["row"] in holding or row["words"] >= ranking.SMALL_TALK)
        }
        scores = ranking.rank(
            told,
            [ranking.Row(row=row, words=at["words"], at=at["at"], human=bool(at["human"])) for row, at in rows.items()],
            spoken,
            order.when,
        )
        if order.by_session:
            scores = by_session.ranked(self.connection, scores, telling, folders, now if order.newest else None)
        ordered = heapq.nsmallest(limit, scores, key=lambda row: (-scores[row], -row))
        return [_turn(rows[row], scores[row]) for row in ordered]

    def _size(self, folders: Sequence[int] | None) -> tuple[int, int]:
        """How many turns and words there are in some folders."""
        if folders is None:
            count, words = self.connection.execute(_SIZE).fetchone()
        else:
            where = f"{_SIZE} WHERE folder IN ({','.join('?' * len(folders))})"
            count, words = self.connection.execute(where, tuple(folders)).fetchone()
        return count, words or 0

    def _heard(self, words: list[str], within: str, turns: int) -> tuple[list[str], frozenset[int]]:
        """The words that are topics, and the turns of the one speaker whom another names."""
        spoken = f"{within}speaker : ({' OR '.join(map(quote, words))})"
        if not words or self._count(spoken, turns) <= _SPEAKER_SHARE * turns:  # most sessions name no speakers
            return words, frozenset()
        names = [word for word in words if self._count(_in("speaker", word, within), turns) > _SPEAKER_SHARE * turns]
        topics = [word for word in words if word not in names]
        rows = self._holding(_in("speaker", names[0], within), turns) if len(names) == 1 else ()
        return topics or words, frozenset(row for row, _ in rows)

    def _telling(self, words: Iterable[str], within: str, columns: Sequence[str]) -> list[ranking.Word]:
        """The words that are there, rarest first. Those that are everywhere are left out when there are rarer ones:
        they tell next to nothing, and take longest."""
        weights = [(column, ranking.WEIGHTS[column]) for column in columns]
        asked = [(_in(column, word, within), weight) for word in words for column, weight in weights]
        # Counted first: most of the rows of common words would be fetched for nothing.
        counted = sorted(((self._count(match, _MOST_ROWS + 1), match, weight) for match, weight in asked), key=_first)
        total = 0
        chosen: list[ranking.Word] = []
        for count, match, weight in counted:
            total += count
            if total > _MOST_ROWS and chosen:
                break
            if count:
                chosen.append(ranking.Word(rows=self._holding(match, _MOST_ROWS + 1), weight=weight))
        return chosen

    def _holding(self, match: str, most: int) -> tuple[tuple[int, int], ...]:
        cursor = self.connection.cursor()
        cursor.row_factory = None  # plain tuples, of which there are many
        return tuple(cursor.execute(_HOLDING, (match, most)))

    def _count(self, match: str, most: int) -> int:
        return int(self.connection.execute(_COUNT, (match, most)).fetchone()[0])

    def worth(self, word: str) -> float:
        """How much a word tells: its inverse document frequency, as BM25 counts it."""
        total = int(self.connection.execute("SELECT count(*) FROM turns").fetchone()[0])
        held = self._count(_in("{said done}", word, ""), total)
        return max(math.log((total - held + 0.5) / (held + 0.5)), 0.0)

    def _archive(self, name: str) -> int:
        self.connection.execute("INSERT OR IGNORE INTO archives (name, bytes) VALUES (?, 0)", (name,))
        return int(self.connection.execute("SELECT id FROM archives WHERE name = ?", (name,)).fetchone()[0])

    def _folder(self, header: Header) -> int:
        values = (header.folder, header.project)
        self.connection.execute("INSERT OR IGNORE INTO folders (folder, project) VALUES (?, ?)", values)
        found = self.connection.execute("SELECT id FROM folders WHERE folder = ? AND project = ?", values).fetchone()
        return int(found[0])


def _in(column: str, word: str, within: str) -> str:
    return f"{within}{column} : {quote(word)}"


def _first(row: tuple[int, str, float]) -> int:
    return row[0]


def _folder_term(number: int) -> str:
    return f"f{number}"


def _turn(row: sqlite.Row, score: float) -> Turn:
    return Turn(
        score=score, at=row["at"], archive=row["name"], start=row["start"], first=row["first"], events=row["events"]
    )
