"""What model calls cost, and which backend rests: the spend ledger and a circuit breaker that outlive the process.

A call is reserved with an estimate before it is made and settled with the truth after; a crash in between leaves the
estimate, so that the day's budget can only be under-used. Days are UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from memem import sqlite
from memem.errors import Paused
from memem.value import Value

FAILURES_TO_OPEN = 5
COOLDOWN_SECONDS = 300.0
LONGEST_REST = 3600.0
_FLIGHT_SECONDS = 900.0
_BUSY_SECONDS = 60.0
_TRIED_AGAIN = "; being tried again"
SPENT = "SELECT coalesce(sum(input + output), 0), coalesce(sum(cost), 0.0), count(*) FROM spend WHERE day = ?"
# Calls that are being made now; older ones died with their process, and their estimate stays.
IN_FLIGHT = """
    SELECT coalesce(sum(input + output), 0), coalesce(sum(cost), 0.0) FROM spend
    WHERE day = ? AND settled = 0 AND at > ?"""
RESERVE = "INSERT INTO spend (at, day, backend, model, purpose, input, output, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
SETTLE = "UPDATE spend SET model = ?, input = ?, output = ?, cost = ?, settled = 1 WHERE id = ?"
BY_DAY = """
    SELECT day, backend, model, count(*) AS calls, sum(input) AS input, sum(output) AS output, sum(cost) AS cost
    FROM spend GROUP BY day, backend, model ORDER BY day DESC, cost DESC LIMIT ?"""
SET_BREAKER = "INSERT OR REPLACE INTO breakers (backend, failures, until, reason) VALUES (?, ?, ?, ?)"


class Budget(Value):
    """The most that one day may cost; 0 is nothing at all."""

    tokens: int
    usd: float


class Spent(Value):
    """What one day has cost so far, reservations included."""

    tokens: int
    usd: float
    calls: int


class Row(Value):
    """A day's calls of one model."""

    day: str
    backend: str
    model: str
    calls: int
    input: int
    output: int
    cost: float


class Rest(Value):
    """Why and until when a backend is left alone; `failures` in a row so far."""

    backend: str
    failures: int
    until: float
    reason: str


class Ledger:
    """Spending and rest of the backends, in one state database."""

    def __init__(self, connection: sqlite.Connection, now: Callable[[], float] = time.time) -> None:
        self.connection, self.now = connection, now

    def spent(self) -> Spent:
        """What today has cost."""
        row = self.connection.execute(SPENT, (self._today(),)).fetchone()
        return Spent(tokens=row[0], usd=row[1], calls=row[2])

    def reserve(self, backend: str, purpose: str, budget: Budget, *, tokens: tuple[int, int], usd: float) -> int:
        """Put an estimated call (input and output tokens) on the ledger; answers the number to settle.

        Raises:
            Paused: it would pass the day's budget: until tomorrow, or until the calls that are being made are settled.
        """
        with sqlite.transaction(self.connection):
            spent = self.spent()
            if spent.tokens + sum(tokens) > budget.tokens or spent.usd + usd > budget.usd:
                since = int(self.now() - _FLIGHT_SECONDS)
                flying = self.connection.execute(IN_FLIGHT, (self._today(), since)).fetchone()
                room = budget.tokens - spent.tokens + flying[0], budget.usd - spent.usd + flying[1]
                if flying[0] and sum(tokens) <= room[0] and usd <= room[1]:
                    raise Paused("the rest of the day's budget is held by other calls", self.now() + _BUSY_SECONDS)
                raise Paused(
                    f"the budget of the day is used up: ${spent.usd:.2f} of ${budget.usd:.2f}, {spent.tokens:,} of "
                    f"{budget.tokens:,} tokens, and the next call may take ${usd:.2f} and {sum(tokens):,}. It goes on "
                    "tomorrow, or raise it: memem config set daily_usd N, or daily_tokens N.",
                    self._tomorrow(),
                )
            row = (int(self.now()), self._today(), backend, "", purpose, *tokens, usd)
            number = self.connection.execute(RESERVE, row).lastrowid
        return number or 0

    def settle(self, number: int, model: str, tokens: tuple[int, int], usd: float) -> None:
        """Put down what a reserved call really cost."""
        self.connection.execute(SETTLE, (model, *tokens, usd, number))

    def release(self, number: int) -> None:
        """The reserved call was never made, or refused before it cost anything."""
        self.connection.execute("DELETE FROM spend WHERE id = ?", (number,))

    def days(self, limit: int = 30) -> list[Row]:
        """What was spent, newest day first."""
        rows = self.connection.execute(BY_DAY, (limit,))
        return [Row(**{name: row[name] for name in Row.__fields__}) for row in rows]

    def rest(self, backend: str) -> Rest:
        """What the breaker knows of a backend."""
        row = self.connection.execute("SELECT * FROM breakers WHERE backend = ?", (backend,)).fetchone()
        if row is None:
            return Rest(backend=backend, failures=0, until=0.0, reason="")
        return Rest(backend=row["backend"], failures=row["failures"], until=row["until"], reason=row["reason"])

    def resting(self, now: float) -> list[Rest]:
        """The backends that are left alone now."""
        names = [row[0] for row in self.connection.execute("SELECT backend FROM breakers WHERE until > ?", (now,))]
        return [self.rest(name) for name in names]

    def admit(self, backend: str, probe_seconds: float) -> None:
        """Let a call through, or not. After a rest one caller may try (the probe), the others go on waiting for it.

        Raises:
            Paused: the backend rests, or another call is trying whether it is back.
        """
        with sqlite.transaction(self.connection):
            rest, now = self.rest(backend), self.now()
            # A clock that ran ahead when the rest began must not hold the backend for years.
            if now < rest.until <= now + max(LONGEST_REST, probe_seconds):
                raise Paused(f"{backend} rests: {rest.reason}", rest.until)
            if rest.failures >= FAILURES_TO_OPEN:
                reason = f"{rest.reason.removesuffix(_TRIED_AGAIN)}{_TRIED_AGAIN}"
                row = (backend, rest.failures, now + probe_seconds, reason)
                self.connection.execute(SET_BREAKER, row)

    def succeeded(self, backend: str) -> None:
        """A call came back: the backend is well."""
        self.connection.execute("DELETE FROM breakers WHERE backend = ?", (backend,))

    def faltered(self, backend: str, reason: str, *, rest_seconds: float = 0.0, open_now: bool = False) -> float:
        """A call failed through the backend's fault; answers until when it rests.

        After FAILURES_TO_OPEN in a row, or at once with `open_now`, it rests for COOLDOWN_SECONDS; a backend that said
        how long itself (`rest_seconds`) is left alone for that long.
        """
        with sqlite.transaction(self.connection):
            failures = FAILURES_TO_OPEN if open_now else self.rest(backend).failures + 1
            pause = COOLDOWN_SECONDS if failures >= FAILURES_TO_OPEN else 0.0
            until = self.now() + max(pause, min(rest_seconds, LONGEST_REST))
            self.connection.execute(SET_BREAKER, (backend, failures, until, reason[:300]))
        return until

    def _today(self) -> str:
        return datetime.fromtimestamp(self.now(), UTC).date().isoformat()

    def _tomorrow(self) -> float:
        day = datetime.fromtimestamp(self.now(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return (day + timedelta(days=1)).timestamp()
