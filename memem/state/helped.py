"""Which memories helped: for each session and memory that it was shown, whether the session used it, and by what sign.

Written by whoever reads transcripts, read by recall. The table comes with its first row, so a state without one is a
state in which nothing is known to have helped. Part of the hook's closure.
"""

from __future__ import annotations

from memem import sqlite
from memem.value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CREATE = """
    CREATE TABLE IF NOT EXISTS helped (session TEXT, memory TEXT, at INTEGER NOT NULL, held INTEGER NOT NULL,
        sign TEXT NOT NULL, PRIMARY KEY (session, memory)) WITHOUT ROWID"""
# What was used stays used: when it was shown may have left the log of events since, and then no sign is found.
_PUT = """
    INSERT INTO helped VALUES (?, ?, ?, ?, ?) ON CONFLICT (session, memory) DO UPDATE SET at = excluded.at,
        held = excluded.held,
        sign = CASE WHEN excluded.sign = '' AND held = excluded.held THEN sign ELSE excluded.sign END"""
_USES = "SELECT memory, count(*) FROM helped WHERE sign != '' AND held = 0 AND memory IN ({}) GROUP BY memory"
_ALL_USES = "SELECT memory, count(*) FROM helped WHERE sign != '' AND held = 0 GROUP BY memory"
_READ_AT = "SELECT session, max(at) FROM helped GROUP BY session"
_SHARES = "SELECT held, sign, count(*) FROM helped GROUP BY held, sign"
_EXISTS = "SELECT 1 FROM sqlite_master WHERE name = 'helped'"
_FORGET_MEMORY = "DELETE FROM helped WHERE memory = ?"
_FORGET_SESSION = "DELETE FROM helped WHERE session = ?"


class Help(Value):
    """What became of one memory in one session: `sign` says how it was used, "" that it was not."""

    session: str
    memory: str
    at: int  # seconds
    sign: str = ""
    held: bool = False  # it was not shown, only found: the session was held out


def record(connection: sqlite.Connection, found: Iterable[Help]) -> None:
    """Remember what became of memories; a session that is read again adds to what was known of it."""
    rows = [(item.session, item.memory, item.at, int(item.held), item.sign) for item in found]
    if rows:
        with sqlite.transaction(connection):
            connection.execute(_CREATE)
            connection.executemany(_PUT, rows)


def forget(connection: sqlite.Connection, memories: Iterable[str], sessions: Iterable[str]) -> None:
    """Forget all about some memories and sessions."""
    if connection.execute(_EXISTS).fetchone():
        connection.executemany(_FORGET_MEMORY, ((name,) for name in memories))
        connection.executemany(_FORGET_SESSION, ((name,) for name in sessions))


def uses(connection: sqlite.Connection, memories: Sequence[str] | None = None) -> dict[str, int]:
    """In how many sessions each of some memories (or of all) helped; what cannot be read now counts as unused."""
    try:
        if memories is None:
            return dict(connection.execute(_ALL_USES).fetchall())
        return dict(connection.execute(_USES.format(",".join("?" * len(memories))), tuple(memories)).fetchall())
    except sqlite.Error:
        return {}


def read_at(connection: sqlite.Connection) -> dict[str, int]:
    """When each session was compared last, in seconds."""
    try:
        return dict(connection.execute(_READ_AT).fetchall())
    except sqlite.Error:
        return {}


def signs(connection: sqlite.Connection) -> list[tuple[bool, str, int]]:
    """How many memories were held out or shown, by the sign of their use ("" for none)."""
    try:
        return [(bool(held), sign, count) for held, sign, count in connection.execute(_SHARES)]
    except sqlite.Error:
        return []
