"""What the published memem (1.x and 2.x) left in the state folder, and what of it still runs. It only reads.

Its databases, logs and markers stay as they are: it may be installed again. Everything read here may be damaged, of
any version, or being written at this moment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memem import sqlite
from memem.value import Value

WHOLE = sys.maxsize
_MARKS = (
    "mined_sessions.db .mined_sessions .mined_sessions.legacy .installed_at .last-brief.json search.db graph.db "
    "telemetry.json session_recalls.json miner.pid miner-wrapper.pid slice-daemon.pid .offsets"
).split()
OPT_IN = ".miner-opted-in"
_PYTHON = r"(?:\S*/)?python[\d.]*(?: -\S+)*"
# The wrapper goes first: it starts the miner anew when that one ends.
_PROGRAMS = (
    ("miner-wrapper.pid", "wrapper", re.compile(r"(?:\S*/)?\w*sh .*miner-wrapper\.sh _loop")),
    (
        "miner.pid",
        "miner",
        re.compile(
            _PYTHON + r" (?:-m (?:memem|cortex_server)\.miner_daemon|.*miner[-_]daemon\.py) (?:run|start)", re.I
        ),
    ),
    ("slice-daemon.pid", "slice daemon", re.compile(_PYTHON + r" -m memem\.slice_daemon(?: run| start)?", re.I)),
)
_CRON = re.compile(r"[^#].*(?:memem|cortex).*mine-cron\.sh.*")
_MOST_BYTES = 50_000_000
_SECONDS = 10
_SYSTEM_PATH = "/usr/bin:/bin"


class Process(Value):
    """A running process, known by more than its number, which the system gives to others later."""

    pid: int
    role: str
    started: str
    command: str


class Left(Value):
    """What is left of a published memem: whether it was here at all, what runs, and what starts it again."""

    here: bool
    opted_in: bool
    sessions: int
    running: tuple[Process, ...]
    cron: tuple[str, ...]


def left(folder: str) -> Left:
    """Look for a published memem that used this state folder."""
    here = was_here(folder)
    return Left(
        here=here,
        opted_in=opted_in(folder),
        sessions=len(mined(folder)),
        running=tuple(running(folder)),
        # Other crontabs than those of its users are none of our business.
        cron=tuple(line for line in crontab() if _CRON.fullmatch(line)) if here else (),
    )


def was_here(folder: str) -> bool:
    """Whether a published memem used this state folder."""
    return any(os.path.lexists(f"{folder}/{name}") for name in _MARKS)


def opted_in(folder: str) -> bool:
    """Whether its user agreed to have sessions read. That is consent to capture, never to spend on a model."""
    return Path(folder, OPT_IN).is_file()


def running(folder: str) -> Iterator[Process]:
    """Its processes that still run: named in a file there, of this user, with the command line they must have."""
    for name, role, pattern in _PROGRAMS:
        pid = _number(_text(Path(folder, name), 40))
        process = look(pid, role) if pid > 1 else None
        if process and pattern.fullmatch(process.command):
            yield process


def look(pid: int, role: str) -> Process | None:
    """The process of this user that has that number now, or None."""
    seen = _from_proc(pid) if Path("/proc/self/stat").exists() else _from_ps(pid)
    if seen is None or not seen[1]:
        return None
    return Process(pid=pid, role=role, started=seen[0], command=seen[1])


def crontab() -> list[str]:
    """The lines of this user's crontab; nothing when there is none."""
    if not shutil.which("crontab"):
        return []
    try:
        done = subprocess.run(
            ["crontab", "-l"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return []
    # Every byte may have to be written back as it was.
    return [] if done.returncode else done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")


def mined(folder: str) -> dict[str, int]:
    """Sessions that it has mined, by id, with the bytes it had read of them; `WHOLE` where it kept no number.

    An entry says that it had finished with the session, not that it found what there was to find.
    """
    found: dict[str, int] = {}
    for name in (".mined_sessions.legacy", ".mined_sessions"):
        for session, status, size in _from_list(Path(folder, name)):
            _note(found, session, status, size)
    for session, status, size in _from_database(Path(folder, "mined_sessions.db")):
        _note(found, session, status, size)
    for path in Path(folder, ".offsets").glob("*"):  # 2.x: a file for each session, which holds the number
        offset, size = _number(_text(path, 40)), found.get(path.name, WHOLE)
        if offset and (size == WHOLE or offset > size):
            found[path.name] = offset
    return found


def _note(found: dict[str, int], session: str, status: str, size: int) -> None:
    if not session or "\0" in session:
        return
    if status == "complete":
        found[session] = size or WHOLE
    else:
        found.pop(session, None)  # it meant to come back to it


def _from_list(path: Path) -> Iterator[tuple[str, str, int]]:
    """A line is a JSON object (0.x, 1.x) or a bare id (2.x)."""
    for line in _text(path, _MOST_BYTES).splitlines():
        word = line.strip()
        if not word.startswith("{"):
            yield word, "complete", 0
            continue
        try:
            entry = json.loads(word)
        except (ValueError, RecursionError):
            continue
        yield _entry(entry)


def _from_database(path: Path) -> list[tuple[str, str, int]]:
    if not path.is_file():
        return []
    try:
        with tempfile.TemporaryDirectory(prefix="memem-") as scratch:
            # A copy, with its log: reading the original, SQLite would make files of its own beside it.
            for suffix in ("", "-wal"):
                if Path(f"{path}{suffix}").is_file():
                    shutil.copyfile(f"{path}{suffix}", f"{scratch}/copy{suffix}")
            connection = sqlite.connect(f"{scratch}/copy")
            rows = [
                dict(zip(row.keys(), row, strict=True)) for row in connection.execute("SELECT * FROM mined_sessions")
            ]
            connection.close()
    except (OSError, *sqlite.FAULTS):
        return []  # damaged, or not its database at all: then a session is read once more, and the gate knows its notes
    return [_entry(row) for row in rows]


def _entry(entry: dict[str, Any]) -> tuple[str, str, int]:
    sizes = [value for key in ("size", "offset_bytes") if type(value := entry.get(key)) is int and value > 0]
    session = entry.get("session_id")
    return session if isinstance(session, str) else "", str(entry.get("status", "complete")), max(sizes, default=0)


def _text(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(most).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _number(text: str) -> int:
    word = next(iter(text.split()), "")
    return int(word) if word.isascii() and word.isdigit() and len(word) < 19 else 0


def _from_proc(pid: int) -> tuple[str, str] | None:
    """When a process started and its command line, as Linux tells it."""
    folder = Path(f"/proc/{pid}")
    try:
        if folder.stat().st_uid != os.getuid():
            return None
        # The name in brackets may hold anything, also brackets.
        state, *fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    except (OSError, ValueError):
        return None
    return None if state == b"Z" else (fields[18].decode(), " ".join(words))


def _from_ps(pid: int) -> tuple[str, str] | None:
    """The same from `ps`, for systems without /proc."""
    command = ["ps", "-ww", "-o", "uid=", "-o", "stat=", "-o", "lstart=", "-o", "command=", "-p", str(pid)]
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            env={"LC_ALL": "C", "PATH": _SYSTEM_PATH},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    fields = done.stdout.decode("utf-8", "replace").split(None, 7)
    if done.returncode or len(fields) < 8 or fields[0] != str(os.getuid()) or fields[1].startswith("Z"):
        return None
    return " ".join(fields[2:7]), fields[7].rstrip("\n")
