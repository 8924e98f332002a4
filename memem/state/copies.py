"""Good copies of the state database: made while it is well, put into its place when it is not.

The three newest are kept as `state.db.good.1` (the newest) to `.3`. What happened after a copy is not lost with it: the
sessions since are mined once more, which adds nothing. The prompt hook never comes here; it does without its state.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memem import sqlite
from memem.errors import StateUnavailable
from memem.state.store import FILE_NAME, VERSION

KEPT = 3
EVERY_SECONDS = 3600.0
ASIDE = f"{FILE_NAME}.damaged-*"
_JOURNALS = ("-wal", "-shm")
_PATIENCE_SECONDS = 5.0


def keep(connection: sqlite.Connection, folder: str, now: float) -> bool:
    """Make a copy unless the newest is younger than an hour; answers whether it did.

    Raises:
        OSError, sqlite.Error: there is no space, or the database is not well; the copies are as they were.
    """
    newest = _copy(folder, 1)
    if newest.exists() and 0 <= now - newest.stat().st_mtime < EVERY_SECONDS:
        return False
    with _alone(folder):
        temp = newest.with_name(f"{FILE_NAME}.good.tmp")
        temp.unlink(missing_ok=True)  # of a process that was killed
        try:
            _make_private(temp)
            connection.execute("VACUUM INTO ?", (str(temp),))
            if _fault(temp):
                raise sqlite.Error("the copy is not well")
            _sync(temp)
            for number in range(KEPT - 1, 0, -1):
                if _copy(folder, number).exists():
                    _copy(folder, number).replace(_copy(folder, number + 1))
            temp.replace(newest)
        finally:
            temp.unlink(missing_ok=True)
    return True


def restore(folder: str) -> str:
    """Put the newest good copy in the place of a damaged database; answers what was done, "" if nothing was.

    The damaged file stays beside it. Without a good copy it stays where it is, and is told of when it is opened.

    Raises:
        StateUnavailable: the folder cannot be written.
    """
    path = Path(folder, FILE_NAME)
    if not path.exists() or not _fault(path):
        return ""
    try:
        with _alone(folder):
            if not _fault(path):
                return ""  # another process was faster
            good = next((copy for number in range(1, KEPT + 1) if not _fault(copy := _copy(folder, number))), None)
            if good is None:
                return ""
            return _exchange(path, good)
    except OSError as error:
        raise StateUnavailable(f"{folder} cannot be written ({error.strerror}): check its permissions.") from error


def damaged(folder: str) -> bool:
    """Whether the state database, as it lies there, is broken."""
    path = Path(folder, FILE_NAME)
    return path.exists() and bool(_fault(path))


def set_aside(folder: str) -> list[str]:
    """The damaged files that were replaced and that nobody has looked at and deleted yet."""
    found = Path(folder).glob(ASIDE)
    return sorted(str(path) for path in found if not path.name.endswith(_JOURNALS))


def _exchange(path: Path, good: Path) -> str:
    """Put a copy into the place of a database that is set aside; answers that in words."""
    aside = path.with_name(ASIDE.replace("*", str(int(time.time()))))
    temp = path.with_name(f"{FILE_NAME}.restored.tmp")
    temp.unlink(missing_ok=True)
    _make_private(temp)
    shutil.copyfile(good, temp)
    connection = sqlite.connect(str(temp))
    sqlite.use_write_ahead_log(connection)  # a copy has lost that, and the prompt hook would wait for writers
    connection.close()
    _sync(temp)
    with suppress(FileExistsError):
        os.link(path, aside)
    # Before the copy is in place: another database's journal would be played into it.
    for journal in _JOURNALS:
        with suppress(FileNotFoundError):
            Path(f"{path}{journal}").rename(f"{aside}{journal}")
    temp.replace(path)
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(good.stat().st_mtime))
    return f"the state database was damaged and is replaced by its copy of {made}; the old one is {aside}."


def _fault(path: Path) -> str:
    """What is wrong with a database; "" for one that is well, that is locked, or that a newer memem wrote."""
    try:
        if not path.stat().st_size:
            return "empty"
        connection = sqlite.connect(str(path), read_only=True)
        try:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute("SELECT 1 FROM meta")
        finally:
            connection.close()
    except OSError as error:
        return str(error)
    except sqlite.FAULTS as error:
        return str(error) if sqlite.is_damage(error) else ""
    if version > VERSION:
        return ""  # of a newer memem, which knows what is right in it
    return "" if found == "ok" and version else found


def _copy(folder: str, number: int) -> Path:
    return Path(folder, f"{FILE_NAME}.good.{number}")


def _make_private(path: Path) -> None:
    """An empty file that nobody else can read, not even while it is filled."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    handle = os.open(f"{folder}/{FILE_NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + _PATIENCE_SECONDS
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StateUnavailable(f"another memem mends the state in {folder}: retry.") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)
