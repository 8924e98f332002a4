"""One miner for each state folder: a lock that the system releases with its owner, and who that is.

The lock is what counts; the file's text only tells people and `stop` which process it is. A process id alone is never
trusted: it is checked against the start time that was written beside it, because the system gives numbers out again.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from typing import Final

from memem import __version__
from memem.process import started
from memem.value import Value

FILE: Final = "miner.lock"


class Owner(Value):
    """The process that holds the lock."""

    pid: int
    start: str
    version: str

    @property
    def older(self) -> bool:
        """Whether it runs an older version than this process."""
        return bool(self.version) and _number(self.version) < _number(__version__)


class Lock:
    """The miner's lock, held from construction until `release` or the end of the process."""

    def __init__(self, handle: int, folder: str) -> None:
        self._handle = handle
        self._is_known = True
        self._is_known = self.lies_in(folder)  # some file systems of users give an open file another number

    def release(self) -> None:
        """Let another miner begin."""
        os.close(self._handle)

    def lies_in(self, folder: str) -> bool:
        """Whether its file is still the one of a state folder; another miner could lock another one."""
        try:
            there = os.stat(f"{folder}/{FILE}")  # noqa: PTH116
            return not self._is_known or os.path.samestat(os.fstat(self._handle), there)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # it cannot be looked at now


def acquire(folder: str) -> Lock | None:
    """Take the lock of a state folder; None while another process holds it.

    Raises:
        OSError: the folder cannot be written.
    """
    handle = os.open(f"{folder}/{FILE}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for last in (*[False] * 10, True):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if last:
                os.close(handle)
                return None
            time.sleep(0.02)  # somebody may only have been looking
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n{started(os.getpid())}\n{__version__}\n".encode(), 0)
    return Lock(handle, folder)


def owner(folder: str) -> Owner | None:
    """Who holds the lock now; None when nobody does."""
    try:
        handle = os.open(f"{folder}/{FILE}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        lines = os.pread(handle, 1000, 0).decode("utf-8", "replace").split("\n")
        if len(lines) >= 3 and lines[0].isdigit() and started(int(lines[0])) == lines[1]:
            return Owner(pid=int(lines[0]), start=lines[1], version=lines[2])
        return Owner(pid=0, start="", version="")  # just beginning, or the file was damaged
    except OSError:
        return None
    finally:
        os.close(handle)
    return None


def end(running: Owner) -> None:
    """Ask a miner to end, if it still is the process that holds the lock."""
    if running.pid and started(running.pid) == running.start:
        try:
            os.kill(running.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass


def stop(folder: str, seconds: float = 15.0) -> bool:
    """Ask the miner to end and wait for it; whether nobody holds the lock now."""
    asked: set[int] = set()
    until = time.monotonic() + seconds
    while (running := owner(folder)) is not None:
        if running.pid not in asked:  # one that is just beginning has not written down yet which process it is
            end(running)
            asked.add(running.pid)
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
