"""The durable queue: one row for each thing to do, leased to one worker at a time, buried with a reason, never lost.

A job is `pending`, `running` (leased), `done` or `dead`; (kind, key) names it, so that enqueuing twice is once. Times
are seconds since the epoch. A lease ends when its time is over, when its owner is dead, or when the clock says that it
was taken in the future; who lost it notices at the next `fenced` and commits nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from memem import sqlite
from memem.errors import LeaseLost, NotFound
from memem.value import Value

# Kinds: a transcript, a piece of one, a project's page, and what was learned to be a secret, to be taken out.
SESSION, PART, PLAYBOOK, CLEAR = "session", "part", "playbook", "clear"
PENDING, RUNNING, DONE, DEAD = "pending", "running", "done", "dead"
LEASE_SECONDS = 900.0
MOST_ATTEMPTS = 5
FARTHEST_SECONDS = 2 * 86_400.0  # nothing is ever put off for longer, so what is due later was due before a clock error
_BACKOFF_SECONDS = 60.0
_REASON_LENGTH = 500
_COLUMNS = "id, kind, key, payload, stamp, status, due, attempts, fence, reason, updated"
# A done job is only reopened by another stamp: the same bytes are mined once. What is running runs once more after.
ENQUEUE = """
    INSERT INTO jobs (kind, key, payload, stamp, status, due, updated) VALUES (?, ?, ?, ?, 'pending', ?, ?)
    ON CONFLICT (kind, key) DO UPDATE SET
        payload = excluded.payload, updated = excluded.updated, stamp = excluded.stamp,
        again = CASE status WHEN 'running' THEN excluded.due END,
        due = CASE status WHEN 'running' THEN due ELSE excluded.due END,
        attempts = CASE status WHEN 'done' THEN 0 WHEN 'dead' THEN 0 ELSE attempts END,
        reason = CASE status WHEN 'dead' THEN '' WHEN 'done' THEN '' ELSE reason END,
        status = CASE status WHEN 'running' THEN 'running' ELSE 'pending' END
    WHERE stamp != excluded.stamp OR (status = 'pending' AND excluded.due < due AND attempts = 0)"""
INSERT_DEAD = """
    INSERT INTO jobs (kind, key, payload, stamp, status, due, reason, updated) VALUES (?, ?, ?, '', 'dead', ?, ?, ?)
    ON CONFLICT (kind, key) DO UPDATE SET status = 'dead', reason = excluded.reason, updated = excluded.updated"""
SELECT_RUNNING = f"SELECT {_COLUMNS}, owner, lease FROM jobs WHERE status = 'running'"  # noqa: S608 - a constant of ours
RECLAIM = """
    UPDATE jobs SET status = 'pending', owner = '', again = NULL, due = min(due, coalesce(again, due)), updated = ?
    WHERE id = ? AND fence = ? AND status = 'running'"""
SELECT_DUE = f"""
    SELECT {_COLUMNS} FROM jobs
    WHERE status = 'pending' AND (due <= ? OR due > ?) AND (? = '' OR kind = ?)
    ORDER BY due, id LIMIT 1"""  # noqa: S608 - a constant of ours
CLAIM = """
    UPDATE jobs SET status = 'running', fence = fence + 1, owner = ?, lease = ?, again = NULL, updated = ?
    WHERE id = ? AND fence = ? AND status = 'pending'"""
EXTEND = "UPDATE jobs SET lease = ? WHERE id = ? AND fence = ? AND status = 'running'"
FINISH = """
    UPDATE jobs SET status = CASE WHEN again IS NULL THEN ? ELSE 'pending' END, due = coalesce(again, ?), again = NULL,
        attempts = ?, owner = '', reason = CASE WHEN again IS NULL THEN ? ELSE '' END, updated = ?
    WHERE id = ? AND fence = ? AND status = 'running'"""
RETRY = """
    UPDATE jobs SET status = 'pending', attempts = 0, reason = '', due = ?, updated = ?
    WHERE id = ? AND status = 'dead'"""


class Job(Value):
    """One thing to do, as it was when it was claimed or listed."""

    id: int
    kind: str
    key: str
    payload: Mapping[str, Any]
    stamp: str
    status: str
    due: float
    attempts: int
    fence: int
    reason: str
    updated: float


class Jobs:
    """The queue of one state database. `owner` names this process; `alive` tells whether another owner still runs."""

    def __init__(
        self,
        connection: sqlite.Connection,
        *,
        owner: str = "",
        alive: Callable[[str], bool] = lambda _: True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.connection, self.owner, self.alive, self.now = connection, owner, alive, now
        # Called between the parts of a job; what it raises ends the job there, and nothing of it is lost.
        self.between: Callable[[], None] = lambda: None

    def enqueue(self, kind: str, key: str, payload: Mapping[str, Any], *, due: float, stamp: str = "") -> bool:
        """Ask for a job at a time; False when that state (`stamp`) of it is queued or done already."""
        row = (kind, key, json.dumps(payload, ensure_ascii=False), stamp, due, self.now())
        return self.connection.execute(ENQUEUE, row).rowcount > 0

    def claim(self, kind: str = "") -> Job | None:
        """Lease the job that is due longest, of one kind or of any; None when nothing is due."""
        self.reclaim()
        with sqlite.transaction(self.connection):
            now = self.now()
            row = self.connection.execute(SELECT_DUE, (now, now + FARTHEST_SECONDS, kind, kind)).fetchone()
            if row is None:
                return None
            self.connection.execute(CLAIM, (self.owner, now + LEASE_SECONDS, now, row["id"], row["fence"]))
        return _job(row).replace(status=RUNNING, fence=row["fence"] + 1)

    def reclaim(self) -> int:
        """Take back what is leased to the dead, or for longer than a lease may last; answers how many."""
        now, back = self.now(), 0
        for row in self.connection.execute(SELECT_RUNNING).fetchall():
            over = not now <= row["lease"] <= now + LEASE_SECONDS  # a clock that ran ahead must not hold it for years
            if over or not self.alive(row["owner"]):
                back += self.connection.execute(RECLAIM, (now, row["id"], row["fence"])).rowcount
        return back

    def extend(self, job: Job) -> None:
        """Renew the lease, after progress.

        Raises:
            LeaseLost: another worker has the job by now; nothing may be committed for it.
        """
        if not self.connection.execute(EXTEND, (self.now() + LEASE_SECONDS, job.id, job.fence)).rowcount:
            raise LeaseLost(f"job {job.id} ({job.kind}) was taken over by another worker.")

    @contextmanager
    def fenced(self, job: Job) -> Iterator[None]:
        """A transaction that commits only while the lease is ours: progress and what it stands on, together.

        Raises:
            LeaseLost: another worker has the job by now; nothing was committed.
        """
        with sqlite.transaction(self.connection):
            self.extend(job)
            yield

    def crashed(self, reason: str) -> None:
        """A worker died at its job: that may be the job's fault, so an attempt is counted."""
        for row in self.connection.execute(SELECT_RUNNING).fetchall():
            if not self.alive(row["owner"]):
                with suppress(LeaseLost):
                    self.failed(_job(row), reason)

    def progressed(self, job: Job, **about: Any) -> None:
        """Part of the job is durable: earlier attempts no longer count. Call it inside `fenced`.

        What is told `about` it stands in its payload, should it be interrupted, until it is asked for anew.
        """
        payload = json.dumps({**job.payload, **about}, ensure_ascii=False)
        self.connection.execute("UPDATE jobs SET attempts = 0, payload = ? WHERE id = ?", (payload, job.id))

    def done(self, job: Job, note: str = "") -> None:
        """The job is finished; it becomes pending again when it was asked for meanwhile.

        Raises:
            LeaseLost: see `extend`.
        """
        self._finish(job, DONE, job.due, 0, note)

    def later(self, job: Job, due: float, reason: str) -> None:
        """Give the job back, through no fault of its own: no attempt is counted.

        Raises:
            LeaseLost: see `extend`.
        """
        self._finish(job, PENDING, due, job.attempts, reason)

    def failed(self, job: Job, reason: str) -> bool:
        """Count an attempt: it is tried again after a pause that doubles, or buried; True when it was buried.

        Raises:
            LeaseLost: see `extend`.
        """
        row = self.connection.execute("SELECT attempts FROM jobs WHERE id = ?", (job.id,)).fetchone()
        attempts = (row[0] if row else 0) + 1  # as it is now: progress may have reset it
        status = DEAD if attempts >= MOST_ATTEMPTS else PENDING
        self._finish(job, status, self.now() + _BACKOFF_SECONDS * 2.0 ** (attempts - 1), attempts, reason)
        return status == DEAD

    def bury(self, kind: str, key: str, payload: Mapping[str, Any], reason: str) -> None:
        """Put a part of a job that cannot be done into the dead letters; `retry` brings it back."""
        row = (kind, key, json.dumps(payload, ensure_ascii=False), self.now(), reason[:_REASON_LENGTH], self.now())
        self.connection.execute(INSERT_DEAD, row)

    def counts(self, kind: str = "") -> dict[str, int]:
        """How many jobs there are of each status."""
        query = "SELECT status, count(*) FROM jobs WHERE ? = '' OR kind = ? GROUP BY status"
        counted = dict.fromkeys((PENDING, RUNNING, DONE, DEAD), 0)
        return counted | {row[0]: row[1] for row in self.connection.execute(query, (kind, kind))}

    def listed(self, statuses: Sequence[str] = (PENDING, RUNNING, DEAD), limit: int = 1000) -> list[Job]:
        """Jobs of these statuses, the next due first."""
        marks = ", ".join("?" * len(statuses))
        query = f"SELECT {_COLUMNS} FROM jobs WHERE status IN ({marks}) ORDER BY status, due, id LIMIT ?"  # noqa: S608
        return [_job(row) for row in self.connection.execute(query, (*statuses, limit))]

    def next_due(self) -> float | None:
        """When the next pending job is due, or None."""
        row = self.connection.execute("SELECT min(due) FROM jobs WHERE status = 'pending'").fetchone()
        return None if row[0] is None else float(row[0])

    def retry(self, job: int) -> None:
        """Bring a dead letter back to life.

        Raises:
            NotFound: there is no dead letter of that number.
        """
        if not self.connection.execute(RETRY, (self.now(), self.now(), job)).rowcount:
            raise NotFound(f"no dead letter {job}; memem miner queue list shows them.")

    def drop(self, job: int) -> None:
        """Give a dead letter up: it counts as done and comes back only when its session grows.

        Raises:
            NotFound: there is no dead letter of that number.
        """
        query = "UPDATE jobs SET status = 'done', reason = 'dropped', updated = ? WHERE id = ? AND status = 'dead'"
        if not self.connection.execute(query, (self.now(), job)).rowcount:
            raise NotFound(f"no dead letter {job}; memem miner queue list shows them.")

    def _finish(self, job: Job, status: str, due: float, attempts: int, reason: str) -> None:
        row = (status, due, attempts, reason[:_REASON_LENGTH], self.now(), job.id, job.fence)
        if not self.connection.execute(FINISH, row).rowcount:
            raise LeaseLost(f"job {job.id} ({job.kind}) was taken over by another worker.")


def _job(row: sqlite.Row) -> Job:
    fields = {name: row[name] for name in Job.__fields__ if name != "payload"}
    return Job(payload=json.loads(row["payload"]), **fields)
