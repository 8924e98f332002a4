"""Forgetting in the state folder: rows, copies and lines of logs that name a memory or a session."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from memem import sqlite
from memem.errors import StateUnavailable
from memem.models import SHORTEST_ID
from memem.state import copies, helped
from memem.state.events import FILE_NAME as EVENTS
from memem.state.history import hashed
from memem.state.store import State

_OF_MEMORY = (
    "DELETE FROM shown WHERE memory = :name",
    "DELETE FROM written WHERE memory = :name",
    "DELETE FROM tombstones WHERE memory = :name",
    "DELETE FROM told WHERE memory = :name",
    "DELETE FROM slices WHERE instr(items, :name)",
    "UPDATE jobs SET stamp = '' WHERE stamp = :name",
    """UPDATE standing SET stamp = '', ids = trim(replace(' ' || ids || ' ', ' ' || :name || ' ', ' '))
        WHERE instr(ids, :name)""",
)
_OF_SESSION = (
    "DELETE FROM shown WHERE session = :name OR substr(session, 1, length(:name) + 1) = :name || '.'",
    "DELETE FROM slices WHERE session = :hashed",
    "DELETE FROM offsets WHERE instr(path, '/' || :name || '.jsonl') OR instr(path, '/' || :name || '/')",
    "DELETE FROM jobs WHERE instr(key, '/' || :name || '.jsonl') OR instr(key, '/' || :name || '/')",
)
_LOGS = (EVENTS, f"{EVENTS}.1", "miner.log", *(f"miner.log.{number}" for number in range(1, 10)), "hook-failures.log")


def purge_rows(state: State, memories: Iterable[str], sessions: Iterable[str]) -> None:
    """Delete what the state knows of some memories and sessions. Raises sqlite.Error when it is busy."""
    memories, sessions = list(memories), list(sessions)
    with sqlite.transaction(state.connection):
        helped.forget(state.connection, memories, sessions)
        for statements, names in ((_OF_MEMORY, memories), (_OF_SESSION, sessions)):
            for name in names:
                for statement in statements:
                    state.connection.execute(statement, {"name": name, "hashed": hashed(name)})


def purge_copies(state: State, folder: str) -> None:
    """Begin the good copies anew, from what the database is now; those of before go, and damaged and older ones too.

    Raises:
        StateUnavailable: no new copy can be made, so the old ones stay; or another process reads the database.
    """
    path = Path(folder)
    try:
        if not sqlite.leave_nothing(state.connection):
            raise StateUnavailable("another process reads the state: forget once more in a moment.")
        copies.keep(state.connection, folder, float("inf"))
        old = [path / f"state.db.good.{number}" for number in range(2, copies.KEPT + 1)]
        for one in (*old, *path.glob(copies.ASIDE), *path.glob("state.db.v*")):
            one.unlink(missing_ok=True)
    except (OSError, sqlite.Error) as error:
        raise StateUnavailable(f"the copies of the state cannot be made anew ({error}): forget once more.") from error


def purge_logs(folder: str, memories: Iterable[str], sessions: Iterable[str]) -> int:
    """Take the lines that name a memory or a session out of the trail of the hooks and the logs; answers how many."""
    # A session's id may be any word, so it only counts as a whole: a value, or a part of a path. So may a short id.
    forms = [form.format(name) for name in sessions if name for form in ('"{}"', "/{}.jsonl", "/{}/")]
    forms += [name if len(name) >= SHORTEST_ID else f'"{name}"' for name in memories if name]
    needles = [form.encode("utf-8", "replace") for form in forms]
    return sum(_purge_log(Path(folder, name), needles) for name in _LOGS) if needles else 0


def _purge_log(path: Path, needles: list[bytes]) -> int:
    try:
        with path.open("rb") as file:
            lines = file.readlines()
            kept = [line for line in lines if not any(needle in line for needle in needles)]
            if len(kept) == len(lines):
                return 0
            temp = path.with_name(f"{path.name}.{os.getpid()}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            with open(os.open(temp, flags, 0o600), "wb") as target:
                target.writelines(kept)
                target.flush()
                temp.replace(path)
                # What the hooks have written into the old one since it was read.
                target.writelines(line for line in file if not any(needle in line for needle in needles))
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be written ({error.strerror}): free some space, then retry.") from error
    return len(lines) - len(kept)
