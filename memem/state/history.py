"""The history of slices: which ids a session was given in which roles. No text of a question or a note is in it."""

from __future__ import annotations

import hashlib
import json

from memem import sqlite
from memem.active import ActiveSlice, Past

MOST_OF_SESSION = 20
_SECONDS = 30 * 86_400
_LATEST = "SELECT id, items FROM slices WHERE session = ? AND project = ? ORDER BY at DESC, rowid DESC LIMIT 1"
_RECORD = "INSERT OR IGNORE INTO slices (id, session, project, at, query, items) VALUES (?, ?, ?, ?, ?, ?)"
_FORGET_OLD = "DELETE FROM slices WHERE at < ?"
_FORGET_MANY = """
    DELETE FROM slices WHERE rowid IN
        (SELECT rowid FROM slices WHERE session = ? ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)"""


class History:
    """The slices that sessions were given lately."""

    def __init__(self, connection: sqlite.Connection) -> None:
        self.connection = connection

    def latest(self, session: str, project: str) -> Past | None:
        """The newest slice of a session in a project."""
        row = self.connection.execute(_LATEST, (hashed(session), project)).fetchone()
        if row is None:
            return None
        try:
            items = [
                (str(name), str(role), float(score), int(times)) for name, role, score, times in json.loads(row[1])
            ]
        except (ValueError, TypeError):
            return None  # not as `record` left it
        return Past(id=row[0], items=tuple(items))

    def record(self, found: ActiveSlice, session: str, now: float) -> None:
        """Remember a slice; of each session the newest few are kept, of all those of the last 30 days."""
        rows = [(item.id, item.role, round(item.score, 4), item.carried) for item in found.items]
        items = json.dumps([row for row in rows if not row[0].startswith("task:")], separators=(",", ":"))
        session = hashed(session)  # what a caller names a session may be anything
        with sqlite.transaction(self.connection):
            values = (found.id, session, found.query.scope.id, int(now), hashed(found.task.text), items)
            self.connection.execute(_RECORD, values)
            self.connection.execute(_FORGET_OLD, (int(now) - _SECONDS,))
            self.connection.execute(_FORGET_MANY, (session, MOST_OF_SESSION))


def hashed(text: str) -> str:
    """What tells that two slices were asked for with the same words, or in the same session."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
