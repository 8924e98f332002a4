"""The state database: what cannot be derived from the vault. Losing it loses no memory.

Tables: `meta` (facts of this installation), `shown` (whose bodies a session has already seen), `written` (notes as
memem left them, so that a human's edit is known as one), `tombstones` (what a human deleted; those of notes that are
there lie ready with the time 0), `offsets` (how far transcripts were mined), `standing` (what each session of a project
begins with) and `told` (what the host tells by itself); `jobs`, `spend`, `breakers` and `slices` belong to the modules
beside this one. Part of the hook's closure.
"""

from __future__ import annotations

import os

from memem import __version__, sqlite
from memem.errors import Damaged, StateUnavailable, TooNew
from memem.value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = 5
FILE_NAME = "state.db"
_STEPS = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE shown (session TEXT, memory TEXT, etag TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (session, memory)) WITHOUT ROWID""",
    ),
    (
        "CREATE TABLE written (memory TEXT PRIMARY KEY, hash TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE tombstones (memory TEXT PRIMARY KEY, text TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE INDEX tombstones_text ON tombstones (text)",
    ),
    (
        """CREATE TABLE offsets (path TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, offset INTEGER NOT NULL,
            at INTEGER NOT NULL) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE jobs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL,
            stamp TEXT NOT NULL, status TEXT NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
            fence INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '', lease REAL NOT NULL DEFAULT 0,
            again REAL, reason TEXT NOT NULL DEFAULT '', updated REAL NOT NULL, UNIQUE (kind, key))""",
        "CREATE INDEX jobs_due ON jobs (status, due)",
        """CREATE TABLE spend (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, day TEXT NOT NULL, backend TEXT NOT NULL,
            model TEXT NOT NULL, purpose TEXT NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL,
            cost REAL NOT NULL, settled INTEGER NOT NULL DEFAULT 0)""",
        "CREATE INDEX spend_day ON spend (day)",
        """CREATE TABLE breakers (backend TEXT PRIMARY KEY, failures INTEGER NOT NULL, until REAL NOT NULL,
            reason TEXT NOT NULL) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE slices (id TEXT PRIMARY KEY, session TEXT NOT NULL, project TEXT NOT NULL, at INTEGER NOT NULL,
            query TEXT NOT NULL, items TEXT NOT NULL)""",
        "CREATE INDEX slices_session ON slices (session, at)",
        """CREATE TABLE standing (project TEXT PRIMARY KEY, basis TEXT NOT NULL, stamp TEXT NOT NULL,
            ids TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE told (project TEXT, memory TEXT, hash TEXT NOT NULL,
            PRIMARY KEY (project, memory)) WITHOUT ROWID""",
    ),
)
_SHOWN_FOR_SECONDS = 30 * 86_400
_TOMBSTONE_SECONDS = 90 * 86_400
_MOST_TOMBSTONES = 10_000
_DELETE_OLDEST_TOMBSTONES = """
    DELETE FROM tombstones WHERE memory IN
        (SELECT memory FROM tombstones WHERE at > 0 ORDER BY at DESC LIMIT -1 OFFSET ?)"""


def open_state(folder: str, *, busy: float = sqlite.BUSY_SECONDS, shared: bool = False) -> State:
    """Open the state database of a folder, creating or migrating it; a `shared` folder takes no write-ahead log.

    Raises:
        StateUnavailable: the folder cannot be written.
        Damaged: the file is broken.
        TooNew: it was written by a newer memem.
    """
    path = f"{folder}/{FILE_NAME}"
    try:
        new = not os.path.exists(path)  # noqa: PTH110 - hook path
        connection = sqlite.connect(path, busy=busy)
        try:
            if new:
                os.chmod(path, 0o600)  # noqa: PTH101
                if not shared:
                    sqlite.use_write_ahead_log(connection)
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite.FAULTS as error:
        if sqlite.is_damage(error):
            raise Damaged(f"{path} is damaged ({error}); move it away, no memory is in it.") from error
        raise StateUnavailable(f"{path} cannot be used ({error}): check the permissions of {folder}.") from error
    except OSError as error:
        raise StateUnavailable(f"{folder} cannot be written ({error.strerror}): check its permissions.") from error
    return State(connection)


def _migrate(connection: sqlite.Connection, path: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise TooNew(
            f"{path} was written by a newer memem (state version {version}, this one knows {VERSION}), so this one "
            f"writes nothing: update memem{_needed(connection)}."
        )
    if version == VERSION:
        return
    if version:
        _back_up(connection, f"{path}.v{version}")
    with sqlite.transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in _STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('needs', ?)", (__version__,))
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _needed(connection: sqlite.Connection) -> str:
    """Which memem knows this version of the tables, if the one that made them said so."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'needs'").fetchone()
    except sqlite.FAULTS:
        return ""  # the newer one keeps it elsewhere
    return f" to {str(row[0])[:40]} or newer" if row else ""


def _back_up(connection: sqlite.Connection, target: str) -> None:
    """A copy of the database before it is changed for good; an older copy of the same version stays."""
    if os.path.exists(target):  # noqa: PTH110
        return
    # Under another name first: a copy that a crash cut short must not pass for one, nor meet another process's.
    temp = f"{target}.{os.getpid()}.tmp"
    if os.path.exists(temp):  # noqa: PTH110
        os.unlink(temp)  # noqa: PTH108
    os.close(os.open(temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # never open to others, whatever the umask
    connection.execute("VACUUM INTO ?", (temp,))
    os.replace(temp, target)


class State:
    """Read and write access to the state database."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self.connection = connection

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def get(self, key: str, default: str = "") -> str:
        """A fact of this installation."""
        row = self.connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else default

    def put(self, key: str, value: str) -> None:
        """Set a fact of this installation."""
        self.connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def shown(self, session: str) -> dict[str, str]:
        """Ids whose bodies this session has seen, with the etag of the note at that time."""
        rows = self.connection.execute("SELECT memory, etag FROM shown WHERE session = ?", (session,))
        return {row[0]: row[1] for row in rows}

    def mark_shown(self, session: str, etags: dict[str, str], now: float) -> None:
        """Remember that these bodies were injected into a session."""
        rows = [(session, memory, etag, int(now)) for memory, etag in etags.items()]
        self.connection.executemany("INSERT OR REPLACE INTO shown VALUES (?, ?, ?, ?)", rows)

    def stood(self, project: str) -> tuple[str, list[str], str]:
        """Ids of what every session of a project begins with, between what they were chosen by and a stamp of all."""
        row = self.connection.execute("SELECT basis, ids, stamp FROM standing WHERE project = ?", (project,)).fetchone()
        return (row[0], row[1].split(), row[2]) if row else ("", [], "")

    def stand(self, project: str, chosen_by: tuple[str, str], ids: Iterable[str], told: dict[str, str]) -> None:
        """Remember basis, stamp and ids of what stands, and ids with content hashes of what the host tells itself."""
        with sqlite.transaction(self.connection):
            row = (project, *chosen_by, " ".join(ids))
            self.connection.execute("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?)", row)
            self.connection.execute("DELETE FROM told WHERE project = ?", (project,))
            rows = [(project, memory, hash_) for memory, hash_ in told.items()]
            self.connection.executemany("INSERT INTO told VALUES (?, ?, ?)", rows)

    def told(self, project: str) -> dict[str, str]:
        """Ids of memories that the host tells by itself, with the content hash that was compared."""
        rows = self.connection.execute("SELECT memory, hash FROM told WHERE project = ?", (project,))
        return {row[0]: row[1] for row in rows}

    def last_shown(self) -> dict[str, int]:
        """When the body of each memory was injected last, in seconds, as far as that is remembered."""
        return dict(self.connection.execute("SELECT memory, max(at) FROM shown GROUP BY memory").fetchall())

    def claim(self, session: str, etags: dict[str, str], now: float) -> list[str]:
        """Mark bodies as shown; answers those that no other hook of the session has marked meanwhile."""
        with sqlite.transaction(self.connection):
            seen = self.shown(session)
            fresh = {memory: etag for memory, etag in etags.items() if seen.get(memory) != etag}
            self.mark_shown(session, fresh, now)
        return list(fresh)

    def forget_shown(self, session: str, now: float) -> None:
        """The session lost its context (start, clear, compaction): everything may be shown again."""
        with sqlite.transaction(self.connection):
            self.connection.execute(
                "DELETE FROM shown WHERE session = ? OR at < ?", (session, int(now) - _SHOWN_FOR_SECONDS)
            )

    def remember_written(self, memory: str, content: str, text: str = "") -> None:
        """Note the content hash of a note as memem left it, and of a new one the hash of its text.

        That lies ready as its tombstone: should the note be deleted while there is no index, nobody else knows it.
        """
        with sqlite.transaction(self.connection):
            self.connection.execute("INSERT OR REPLACE INTO written VALUES (?, ?)", (memory, content))
            if text:
                self.connection.execute("INSERT OR IGNORE INTO tombstones VALUES (?, ?, 0)", (memory, text))

    def written(self, memory: str) -> str:
        """The content hash of a note as memem left it last, or "" for one that memem never wrote."""
        row = self.connection.execute("SELECT hash FROM written WHERE memory = ?", (memory,)).fetchone()
        return row[0] if row else ""

    def bury(self, texts: dict[str, str], now: float) -> None:
        """Remember memories that a human deleted: id to a hash of the text, never the text."""
        rows = [(memory, text, int(now)) for memory, text in texts.items()]
        with sqlite.transaction(self.connection):
            self.connection.executemany("INSERT OR REPLACE INTO tombstones VALUES (?, ?, ?)", rows)
            # By number, not by age: a clock that is wrong for a moment must not forget them all.
            self.connection.execute(_DELETE_OLDEST_TOMBSTONES, (_MOST_TOMBSTONES,))

    def unbury(self, memories: Iterable[str]) -> None:
        """These are back: a human restored them, and their tombstones lie ready again."""
        self.bury_written(memories, 0)

    def bury_written(self, memories: Iterable[str], now: float) -> None:
        """A human deleted these while nobody looked; their texts are known from the time when memem wrote them."""
        with sqlite.transaction(self.connection):
            rows = [(int(now), memory) for memory in memories]
            self.connection.executemany("UPDATE tombstones SET at = ? WHERE memory = ?", rows)

    def forget_graves(self, memories: Iterable[str]) -> None:
        """These are of another vault."""
        with sqlite.transaction(self.connection):
            self.connection.executemany("DELETE FROM tombstones WHERE memory = ?", [(memory,) for memory in memories])

    def buried_ids(self, before: float = 1e18) -> list[str]:
        """Ids of the memories that a human deleted, before a time if it matters."""
        return self._graves("at > 0 AND at < ?", before)

    def alive_ids(self) -> list[str]:
        """Ids of the memories that memem wrote and nobody is known to have deleted."""
        return self._graves("at = ?", 0)

    def _graves(self, where: str, value: float) -> list[str]:
        query = f"SELECT memory FROM tombstones WHERE {where}"  # noqa: S608 - constants only
        return [row[0] for row in self.connection.execute(query, (value,))]

    def buried(self, text: str, now: float) -> bool:
        """Whether a human deleted a memory with this text hash in the last 90 days."""
        query = "SELECT 1 FROM tombstones WHERE text = ? AND at >= ?"
        return bool(self.connection.execute(query, (text, int(now) - _TOMBSTONE_SECONDS)).fetchone())

    def offset(self, path: str) -> tuple[str, int]:
        """The fingerprint of a transcript and how far it was mined, in bytes; ("", 0) for a new one.

        A row that is not as `remember_offset` left it counts as none: read anew, a transcript adds what is missing.
        """
        query = "SELECT CAST(fingerprint AS BLOB), offset FROM offsets WHERE path = ?"
        row = self.connection.execute(query, (path,)).fetchone()
        fingerprint, _, check = (row[0] if row else b"").decode("utf-8", "replace").rpartition(" ")
        return (fingerprint, row[1]) if row and check == _check(path, fingerprint, row[1]) else ("", 0)

    def remember_offset(self, path: str, fingerprint: str, offset: int, now: float) -> None:
        """Every note of a transcript up to this offset is durable."""
        row = (path, f"{fingerprint} {_check(path, fingerprint, offset)}", offset, int(now))
        self.connection.execute("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?)", row)


def _check(path: str, fingerprint: str, offset: int) -> str:
    """A checksum: an offset that points too far would hide what was never mined, and nothing else could tell."""
    from binascii import crc32

    return f"{crc32(repr((path, fingerprint, offset)).encode('utf-8', 'backslashreplace')):08x}"
