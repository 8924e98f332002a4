"""The supervisor: a small process that sleeps until sessions have settled, and starts a worker then.

It holds the lock, knows which transcripts changed, and does no work itself. A worker that crashes five times within a
minute ends it with a reason that stays until a person starts the miner again or another version does.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from memem import consent, sqlite
from memem.config import Config
from memem.daemon.worker import DONE, FATAL, TRANSIENT, identity
from memem.errors import MememError
from memem.process import run, sweep_orphans
from memem.state import lock
from memem.state.jobs import Jobs
from memem.state.store import open_state
from memem.value import Value

STOPPED = "miner-stopped.json"
WAKE = "miner"  # a folder: what happens in it wakes the supervisor, and nothing else does
CRASHES, CRASH_SECONDS = 5, 60.0
_IDLE_FACTOR = 3  # of the longest model call: a worker that says nothing for so long hangs
_TRANSIENT_SECONDS = 60.0
_LONGEST_TRANSIENT = 900.0
_SCAN_SECONDS = 6 * 3600.0  # file systems without notifications


class Halt(Value):
    """Why the miner ended itself, in which version, and when."""

    reason: str
    version: str
    at: float


class Supervisor:
    """Starts workers (`command`) when there is something to do, until it is told to stop."""

    def __init__(
        self,
        config: Config,
        command: Sequence[str],
        environ: Mapping[str, str],
        log: Any,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._command, self._environ, self._log = config, list(command), environ, log
        self._now, self._monotonic = now, monotonic
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._changed: dict[str, float] = {}  # transcripts that were written to, and when they will have settled
        self._crashes: deque[float] = deque(maxlen=CRASHES)
        self._not_before = 0.0
        self._pause = _TRANSIENT_SECONDS

    def stop(self) -> None:
        """End soon; safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def run(self) -> int:
        """Serve until stopped; answers an exit code. One that finds another at work ends at once."""
        held = lock.acquire(self._config.dir)
        if held is None:
            self._log.info("already_running")
            return DONE
        try:
            self._log.info("started", owner=identity())
            code = self._serve()
            self._log.info("ended", code=code)
            return code
        finally:
            held.release()

    def touched(self, path: str) -> None:
        """A transcript was written to: it settles anew. Called from the watcher's thread."""
        with self._lock:
            first = not self._changed
            self._changed[path] = self._monotonic() + self._config.miner_settle_seconds
        if first:
            self._wake.set()

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    def _serve(self) -> int:
        due = True  # what happened before this process began
        scanned = self._monotonic()
        while not self._stop.is_set():
            if not consent.read(self._config.dir).active:
                self._log.info("opted_out")
                return DONE
            if (due or self._is_due()) and self._monotonic() >= self._not_before:
                scanned = self._monotonic()
                code = self._work()
                if code == FATAL:
                    return FATAL
            self._wake.wait(self._seconds_to_wait(scanned))
            self._wake.clear()
            due = self._monotonic() - scanned >= _SCAN_SECONDS
        return DONE

    def _is_due(self) -> bool:
        with self._lock:
            now = self._monotonic()
            settled = [path for path, at in self._changed.items() if at <= now]
            for path in settled:
                del self._changed[path]
        upcoming = self._next_due()
        return bool(settled) or (upcoming is not None and upcoming <= self._now())

    def _seconds_to_wait(self, scanned: float) -> float:
        now = self._monotonic()
        with self._lock:
            ends = [at - now for at in self._changed.values()]
        upcoming = self._next_due()
        ends += [upcoming - self._now()] if upcoming is not None else []
        ends.append(scanned + _SCAN_SECONDS - now)
        return max(min(ends), self._not_before - now, 0.0)

    def _next_due(self) -> float | None:
        try:
            state = open_state(self._config.dir)
            try:
                return Jobs(state.connection).next_due()
            finally:
                state.close()
        except (MememError, sqlite.Error) as error:
            self._log.warning("queue_unreadable", reason=str(error))
            self._not_before = self._monotonic() + _TRANSIENT_SECONDS
            return None

    def _work(self) -> int:
        """Run one worker to its end."""
        idle = self._config.llm_timeout * _IDLE_FACTOR + 60
        done = run(
            self._command,
            env=self._environ,
            cwd=self._config.dir,
            deadline_seconds=float("inf"),
            idle_seconds=idle,
            stop=self._stop,
        )
        sweep_orphans()
        if self._stop.is_set() or done.returncode == DONE:
            self._pause = _TRANSIENT_SECONDS
            return DONE
        if done.returncode == TRANSIENT:
            self._not_before = self._monotonic() + self._pause
            self._pause = min(self._pause * 2, _LONGEST_TRANSIENT)
            return DONE
        if done.returncode == FATAL:
            return self._halt("the state database cannot be used: run memem doctor")
        return self._crashed(f"the worker ended with {done.reason or done.returncode}")

    def _crashed(self, reason: str) -> int:
        self._log.error("worker_crashed", reason=reason)
        now = self._monotonic()
        self._crashes.append(now)
        if len(self._crashes) == CRASHES and now - self._crashes[0] <= CRASH_SECONDS:
            return self._halt(f"{CRASHES} crashes within {CRASH_SECONDS:.0f} s; the last: {reason}")
        return TRANSIENT

    def _halt(self, reason: str) -> int:
        from memem import __version__

        self._log.error("halted", reason=reason)
        text = json.dumps(Halt(reason=reason, version=__version__, at=self._now()).as_dict())
        Path(self._config.state_path(STOPPED)).write_text(text, encoding="utf-8")
        return FATAL


def halted(folder: str) -> Halt | None:
    """Why the miner ended itself, unless a person has started it since."""
    try:
        return Halt(**json.loads(Path(folder, STOPPED).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forgive(folder: str) -> None:
    """A person starts the miner: what ended it last no longer counts."""
    Path(folder, STOPPED).unlink(missing_ok=True)


def wake(folder: str) -> None:
    """Tell a running supervisor to look at the queue and the consent; no error when there is none."""
    try:
        os.makedirs(f"{folder}/{WAKE}", mode=0o700, exist_ok=True)  # noqa: PTH103
        with open(f"{folder}/{WAKE}/wake", "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
    except OSError:
        pass
