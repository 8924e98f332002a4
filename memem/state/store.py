"""The state database: what cannot be derived from the vault. Losing it loses no memory.

Tables: `meta` (facts of this installation) and `shown` (whose bodies a session has already seen). Part of the hook's
closure.
"""

from __future__ import annotations

import os

from memem import sqlite
from memem.errors import Damaged, StateUnavailable

VERSION = 1
FILE_NAME = "state.db"
_STEPS = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        """CREATE TABLE shown (session TEXT, memory TEXT, etag TEXT NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (session, memory)) WITHOUT ROWID""",
    ),
)
_SHOWN_FOR_SECONDS = 30 * 86_400


def open_state(folder: str, *, busy: float = sqlite.BUSY_SECONDS) -> State:
    """Open the state database of a folder, creating or migrating it.

    Raises:
        StateUnavailable: the folder cannot be written.
        Damaged: the file is broken, or was written by a newer memem.
    """
    path = f"{folder}/{FILE_NAME}"
    try:
        new = not os.path.exists(path)  # noqa: PTH110 - hook path
        connection = sqlite.connect(path, busy=busy)
        try:
            if new:
                os.chmod(path, 0o600)  # noqa: PTH101
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
        raise Damaged(
            f"{path} was written by a newer memem (state version {version}, this one knows {VERSION}): update memem."
        )
    if version == VERSION:
        return
    with sqlite.transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in _STEPS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


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

    def forget_shown(self, session: str, now: float) -> None:
        """The session lost its context (start, clear, compaction): everything may be shown again."""
        with sqlite.transaction(self.connection):
            self.connection.execute(
                "DELETE FROM shown WHERE session = ? OR at < ?", (session, int(now) - _SHOWN_FOR_SECONDS)
            )
