"""The log of outcomes: one line per event of a hook, with how many memories it was served. No text is in it.

The hooks append; everybody else reads, and whoever syncs starts a new file when one has grown.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator

from memem.value import Value

FILE_NAME = "events.jsonl"
_MOST_BYTES = 4_000_000
_END_OF_TIME = 2**36  # seconds; beyond lies no calendar
_COUNTED_BYTES = 2_000_000  # from the end: some 40,000 events


def outcomes(folder: str) -> dict[str, int]:
    """What the hooks did lately: sessions begun, prompts seen, served and left in silence, memories injected."""
    counted = {"sessions": 0, "prompts": 0, "served": 0, "silent": 0, "injected": 0}
    for _, kind, served in _events(folder):
        if kind == "session":
            counted["sessions"] += 1
        elif kind == "prompt":
            counted["prompts"] += 1
            counted["served" if served > 0 else "silent"] += 1
            counted["injected"] += served
    return counted


def by_day(folder: str) -> dict[str, tuple[int, int]]:
    """For each day (UTC) prompts seen and prompts served, oldest day first."""
    days: dict[str, tuple[int, int]] = {}
    for at, kind, served in _events(folder):
        if kind == "prompt":
            day = time.strftime("%Y-%m-%d", time.gmtime(at))
            seen, answered = days.get(day, (0, 0))
            days[day] = (seen + 1, answered + (served > 0))
    return dict(sorted(days.items()))


def relevant_ids(folder: str) -> dict[str, int]:
    """To how many prompts each memory was relevant lately, whether it was injected or in the context already."""
    uses: dict[str, int] = {}
    for line in _lines(folder):
        try:
            event = json.loads(line)
            names = event["ids"] if event["event"] == "prompt" else []
            for name in names:
                uses[str(name)] = uses.get(str(name), 0) + 1
        except (ValueError, KeyError, TypeError):
            continue
    return uses


class Shown(Value):
    """A memory that a prompt of a session was given, or would have been if the session were not held out."""

    memory: str
    at: int
    held: bool


def shown(folder: str, session: str = "") -> dict[str, list[Shown]]:
    """What the prompts of each session, or of one, were given lately, sessions in order of their first."""
    sessions: dict[str, list[Shown]] = {}
    for line in _lines(folder):
        if session.encode() not in line:  # reading all of them takes a while
            continue
        try:
            event = json.loads(line)
            names = event["shown"] if event["event"] == "prompt" else []
            for name in names:
                one = Shown(memory=str(name), at=int(event["at"]) % _END_OF_TIME, held=bool(event.get("held")))
                sessions.setdefault(str(event["session"]), []).append(one)
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
    return sessions


def rotate(folder: str, most: int = _MOST_BYTES) -> bool:
    """Begin a new log when this one has grown beyond `most` bytes; one old one is kept. True if that was done."""
    path = f"{folder}/{FILE_NAME}"
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size <= most:
            return False
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another process may have rotated since we opened it: then the name is a new file's, to be left alone.
        if os.stat(path).st_ino == os.fstat(file.fileno()).st_ino:  # noqa: PTH116
            os.replace(path, f"{path}.1")
            return True
    return False


def _events(folder: str) -> Iterator[tuple[int, str, int]]:
    """Time, kind and number of memories of the latest events."""
    for line in _lines(folder):
        try:
            event = json.loads(line)
            yield int(event["at"]) % _END_OF_TIME, str(event["event"]), int(event["served"])
        except (ValueError, KeyError, TypeError, OverflowError):
            continue  # cut off at the start, or another writer's


def _lines(folder: str) -> list[bytes]:
    newest = _tail(f"{folder}/{FILE_NAME}", _COUNTED_BYTES)
    older = _tail(f"{folder}/{FILE_NAME}.1", _COUNTED_BYTES - len(newest))
    return [*older.splitlines(), *newest.splitlines()]


def _tail(path: str, most: int) -> bytes:
    """The last bytes of a file, or nothing."""
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - most, 0))
            return file.read(max(most, 0))
    except OSError:
        return b""
