"""The supervisor: a small process that sleeps until sessions have settled, and starts a worker then.

It holds the lock, knows which transcripts changed, and does no work itself. A worker that crashes five times within a
minute ends it with a reason that stays until a person starts the miner again or another version does. When its own
program is gone (the plugin was updated or removed), or its state folder, it ends without one: the next hook starts
what is there by then.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from memem import consent, sqlite
from memem.config import Config
from memem.daemon.worker import DONE, FATAL, TRANSIENT, identity, is_alive
from memem.errors import MememError
from memem.process import Finished, run, sweep_orphans
from memem.state import lock
from memem.state.jobs import Jobs
from memem.state.store import open_state
from memem.value import Value

STOPPED = "miner-stopped.json"
WAKE = "miner"  # a folder: what happens in it wakes the supervisor, and nothing else does
CRASHES, CRASH_SECONDS = 5, 60.0
# A worker that says nothing for so long hangs: times the longest model call, and so many seconds.
_IDLE_FACTOR, _IDLE_SECONDS = 3, 60
_TRANSIENT_SECONDS = 60.0
_LONGEST_TRANSIENT = 900.0
_SCAN_SECONDS = 6 * 3600.0  # for what no notification told
_BLIND_SECONDS = 60.0, 900.0  # looking at the queue, at all transcripts: where the system cannot notify at all
_SUCCEED_SECONDS = 20.0  # for an older version's miner to end


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
        program: str = __file__,
    ) -> None:
        self._config, self._command, self._environ, self._log = config, list(command), environ, log
        self._now, self._monotonic, self._program = now, monotonic, program
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._abandoned = threading.Event()
        self._lock = threading.Lock()
        self._changed: dict[str, float] = {}  # transcripts that were written to, and when they will have settled
        self._crashes: deque[float] = deque(maxlen=CRASHES)
        self._not_before = 0.0
        self._pause = _TRANSIENT_SECONDS
        self._look_seconds, self._scan_seconds = _SCAN_SECONDS, _SCAN_SECONDS

    def stop(self) -> None:
        """End soon; safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def run(self) -> int:
        """Serve until stopped; answers an exit code. One that finds another at work ends at once."""
        held = lock.acquire(self._config.dir) or self._succeed()
        if held is None:
            self._log.info("already_running")
            return DONE
        try:
            self._log.info("started", owner=identity())
            sweep_orphans()  # children of a miner that was killed; behind the lock, because it may take seconds
            code = self._serve(held)
            if self._abandoned.is_set():
                return code  # whoever deletes a folder wants nothing new in it
            self._free(lambda jobs: jobs.reclaim())  # its worker may have been killed with a job in hand
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

    def abandon(self) -> None:
        """The state folder is going, or is elsewhere now: end, and write nothing any more."""
        self._abandoned.set()
        self.stop()

    def blind(self) -> None:
        """Nobody will notify: look now and then."""
        self._look_seconds, self._scan_seconds = _BLIND_SECONDS

    def _succeed(self) -> lock.Lock | None:
        """The lock of an older version's miner, which was told to end and may still have a model call to put down."""
        until, held = self._monotonic() + _SUCCEED_SECONDS, None
        while held is None and self._monotonic() < until and not self._stop.is_set():
            running = lock.owner(self._config.dir)
            if running and not running.older:
                break
            held = lock.acquire(self._config.dir)
        return held

    def _serve(self, held: lock.Lock) -> int:
        due = True  # what happened before this process began
        scanned = self._monotonic()
        while not self._stop.is_set():
            if not held.lies_in(self._config.dir):
                self.abandon()
                return DONE
            if not consent.read(self._config.dir).active:
                self._log.info("opted_out")
                return DONE
            # The pause first: what settled during it must not be taken for done.
            if self._monotonic() >= self._not_before and (self._is_due() or due):
                due, scanned = False, self._monotonic()
                code = self._work()
                if code == FATAL:
                    return FATAL
            self._wake.wait(self._seconds_to_wait(scanned))
            self._wake.clear()
            due = due or self._monotonic() - scanned >= self._scan_seconds
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
        ends += [scanned + self._scan_seconds - now, self._look_seconds]
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
            return self._now()  # a worker begins with mending it, or says why it cannot

    def _work(self) -> int:
        """Run one worker to its end."""
        idle = self._config.llm_timeout * _IDLE_FACTOR + _IDLE_SECONDS
        try:
            done = run(
                self._command,
                env=self._environ,
                cwd=self._config.dir,
                deadline_seconds=float("inf"),
                idle_seconds=idle,
                stop=self._stop,
            )
        except MememError as error:  # no process left, or the interpreter is gone
            self._log.error("worker_not_started", reason=str(error))
            done = Finished(returncode=TRANSIENT, stdout=b"", stderr=b"", reason="")
        sweep_orphans()
        if not self._stop.is_set() and done.returncode != DONE and not self._is_installed():
            self._log.info("uninstalled")
            self.stop()
        return self._judged(done)

    def _judged(self, done: Finished) -> int:
        """What the end of a worker means."""
        if self._stop.is_set():
            return DONE
        if done.returncode == DONE and not done.reason:
            self._pause = _TRANSIENT_SECONDS
            return DONE
        if done.returncode == TRANSIENT:
            self._not_before = self._monotonic() + self._pause
            self._pause = min(self._pause * 2, _LONGEST_TRANSIENT)
            return DONE
        if done.returncode == FATAL:
            return self._halt("the state database cannot be used: run memem doctor")
        reason = f"the worker ended with {done.reason or done.returncode}{_kind(done.stderr)}"
        self._free(lambda jobs: jobs.crashed(reason))
        return self._crashed(reason)

    def _is_installed(self) -> bool:
        return os.access(self._command[0], os.X_OK) and Path(self._program).exists()

    def _free(self, release: Callable[[Jobs], object]) -> None:
        """Let go of what a dead worker held."""
        try:
            state = open_state(self._config.dir)
            try:
                release(Jobs(state.connection, alive=is_alive))
            finally:
                state.close()
        except (MememError, sqlite.Error) as error:
            self._log.warning("queue_unreadable", reason=str(error))  # the next claim takes it back

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
        try:
            _write(self._config.state_path(STOPPED), text)
        except OSError as error:
            self._log.error("reason_not_kept", reason=str(error.strerror))
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
        _write(f"{folder}/{WAKE}/wake", str(os.getpid()))
    except OSError:
        pass


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _kind(stderr: bytes) -> str:
    """The type of the exception that a traceback ends with; never its message, which may hold words of a session."""
    last = stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    found = re.match(r"([A-Za-z_][\w.]{0,60}(?:Error|Exception|Interrupt|Exit))(?::|$)", last)
    return f" ({found[1]})" if found else ""
