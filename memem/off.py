"""Sessions that memem is to leave alone: a folder of files, named by the ids of the sessions.

Looked at by everything that a session could reach: hooks, tools, archive, mining, and the search in transcripts. What
was said while a session was off stays private when it is switched on again: beside the file that says so lies one of
the times.
"""

from __future__ import annotations

import os
import time

FOLDER = "off"
_LONGEST = 128
_TIMES = ".times"  # of a session: a line for each stretch, seconds since the epoch from and to


def is_off(folder: str, session: str) -> bool:
    """Whether a session was switched off; `folder` is the state folder."""
    return bool(session) and os.path.exists(_mark(folder, session))  # noqa: PTH110 - the hook pays for pathlib


def turn_off(folder: str, session: str, now: float | None = None) -> bool:
    """Switch a session off, for good or until it is switched on; False when its id is none.

    Raises:
        OSError: the state folder cannot be written.
    """
    if not _is_id(session):
        return False
    os.makedirs(f"{folder}/{FOLDER}", mode=0o700, exist_ok=True)  # noqa: PTH103
    if not is_off(folder, session):
        _append(_mark(folder, session), f"{time.time() if now is None else now}\n")
    return True


def turn_on(folder: str, session: str, now: float | None = None) -> bool:
    """Switch a session on again, but for what was said meanwhile; whether it was off.

    Raises:
        OSError: the state folder cannot be written.
    """
    if not is_off(folder, session):
        return False
    mark = _mark(folder, session)
    with open(mark, encoding="ascii", errors="replace") as file:
        began = file.readline().strip()
    _append(mark + _TIMES, f"{began or 0} {time.time() if now is None else now}\n")
    os.unlink(mark)  # noqa: PTH108 - only now: between the two it is off, and a stretch may be told twice
    return True


def stretches(folder: str, session: str) -> list[tuple[float, float]]:
    """When a session that is on again was off, in seconds since the epoch."""
    found = []
    if _is_id(session):
        try:
            with open(_mark(folder, session) + _TIMES, encoding="ascii", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            return []
        for line in lines:
            began, _, ended = line.partition(" ")
            try:
                found.append((float(began), float(ended)))
            except ValueError:
                found.append((0.0, float("inf")))  # when is not known any more
    return found


def is_mark(name: str) -> bool:
    """Whether a file in the folder of that name is one of these."""
    return _is_id(name.removesuffix(_TIMES))


def _append(path: str, line: str) -> None:
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def _mark(folder: str, session: str) -> str:
    return f"{folder}/{FOLDER}/{session}" if _is_id(session) else ""


def _is_id(session: str) -> bool:
    plain = session.replace("-", "").replace("_", "")
    return 0 < len(session) <= _LONGEST and session.isascii() and plain.isalnum()
