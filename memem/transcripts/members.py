"""The files of the archive: each a row of gzip members, which hold events as JSON lines below one line about them.

A member tells how far in the source it reaches, so what is archived and how far that is become durable together.
Appending adds whole members; half of one, left by a crash, is cut off by the next append.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from memem.errors import StateUnavailable
from memem.sources.events import HUMAN, Event
from memem.value import Value

FOLDER = "archive"
SUFFIX = ".jsonl.gz"
_VERSION = 1
_LEVEL = 6
_PIECE = 32 * 1024
_MOST = 64 * 1024 * 1024  # bytes of a member's text: far above what is ever written, against a bomb
_MAGIC = b"\x1f\x8b\x08"
_ROLES = dict.fromkeys(HUMAN, "human") | {"prose": "agent", "plan": "agent", "command": "agent", "commit": "agent"}


class Header(Value):
    """What the first line of a member says: the source it is from, and how far that is archived with it."""

    source: str  # a hash of its path
    identity: str
    offset: int
    session: str
    folder: str = ""  # where the session began
    project: str = ""  # what that folder belonged to, for the day when it is gone
    at: int = 0  # seconds since the epoch


class Member(Value):
    """One member as it stands in the file."""

    start: int
    end: int
    header: Header
    events: tuple[Event, ...]


def file_name(session: str, agent: str) -> str:
    """The name of a session's archive: neither a path nor an id is ever part of it."""
    return hashlib.sha256(f"{session}\0{agent}".encode("utf-8", "replace")).hexdigest()[:32] + SUFFIX


def pack(header: Header, events: Sequence[Event]) -> bytes:
    """One member."""
    lines = [header.as_dict() | {"v": _VERSION}]
    for event in events:
        line = {field: value for field, value in event.as_dict().items() if value}
        lines.append({"role": _ROLES.get(event.kind, "tool")} | line)
    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
    return gzip.compress(text.encode("utf-8", "replace"), _LEVEL, mtime=0)


def append(path: Path, data: bytes, end: int) -> int:
    """Write members behind the last whole one, which ends at `end`; answers where they end, once they are durable.

    Raises:
        StateUnavailable: the archive cannot be written, or another process does; nothing of what was there is lost.
    """
    try:
        new = not path.exists()
        with _locked(path) as file:
            if file.seek(0, os.SEEK_END) > end:
                if _member(file, end) or _next(file, end + 1):
                    raise StateUnavailable(f"another process archives {path}; retry.")
                file.truncate(end)
            file.seek(end)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if new:
            _make_durable(path.parent)
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be written ({error.strerror}): free some space, then retry.") from error
    return end + len(data)


def replace(path: Path, data: bytes) -> None:
    """Put other members in the place of all that are there, at once and durably."""
    temp = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
        _make_durable(path.parent)
    except OSError as error:
        temp.unlink(missing_ok=True)
        raise StateUnavailable(f"{path} cannot be written ({error.strerror}): free some space, then retry.") from error


def members(path: Path, start: int = 0) -> Iterator[Member]:
    """The whole members from a byte offset on. What is damaged between them is left out; a torn end ends them."""
    try:
        with open(path, "rb") as file:
            at: int | None = start
            while at is not None:
                member = _member(file, at)
                if member:
                    yield member
                at = member.end if member else _next(file, at + 1)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be read ({error.strerror}): check its permissions.") from error


def load(path: Path, start: int, first: int, count: int) -> tuple[Event, ...]:
    """Some events of the member at a byte offset; none when it is not there any more."""
    try:
        with open(path, "rb") as file:
            lines, _ = _lines(file, start)
    except OSError:
        return ()
    return tuple(_event(_object(line)) for line in lines[first + 1 : first + 1 + count])


def _locked(path: Path) -> BinaryIO:
    # Two processes with an index each, because one was deleted, must not cut what the other is writing.
    file = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StateUnavailable(f"another process archives {path}; retry.") from error
    return file


def _make_durable(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _member(file: BinaryIO, start: int) -> Member | None:
    """The member at an offset, or None when there is no whole one."""
    lines, end = _lines(file, start)
    header = _header(_object(lines[0])) if lines else None
    if header is None:
        return None
    return Member(start=start, end=end, header=header, events=tuple(_event(_object(line)) for line in lines[1:]))


def _lines(file: BinaryIO, start: int) -> tuple[list[str], int]:
    """The lines of the member at an offset, none when it is not whole, and where it ends."""
    file.seek(start)
    unpacker = zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    size = read = 0
    try:
        while not unpacker.eof and (piece := file.read(_PIECE)):
            read += len(piece)
            parts.append(unpacker.decompress(piece, _MOST))
            size += len(parts[-1])
            if size >= _MOST:
                return [], start
    except zlib.error:
        return [], start
    if not unpacker.eof:
        return [], start
    # One string per line that was written: a line that cannot be read stays an event, of nothing.
    lines = b"".join(parts).decode("utf-8", "replace").split("\n")[:-1]
    return lines, start + read - len(unpacker.unused_data)


def _next(file: BinaryIO, start: int) -> int | None:
    """Where the next whole member begins behind what is damaged."""
    file.seek(start)
    before = b""
    at = start
    while piece := file.read(_PIECE):
        window, begin = before + piece, at - len(before)
        place = window.find(_MAGIC)
        while place >= 0:
            if _member(file, begin + place):
                return begin + place
            place = window.find(_MAGIC, place + 1)
        at += len(piece)
        before = window[-(len(_MAGIC) - 1) :]
        file.seek(at)
    return None


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line) if line else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _header(line: dict[str, Any]) -> Header | None:
    if line.get("v") != _VERSION:
        return None
    texts = {field: str(line.get(field, "")) for field in ("source", "identity", "session", "folder", "project")}
    offset, at = line.get("offset"), line.get("at")
    if not isinstance(offset, int) or not isinstance(at, int):
        return None
    return Header(**texts, offset=offset, at=at)


def _event(line: dict[str, Any]) -> Event:
    texts = {field: str(line.get(field, "")) for field in Event.__fields__ if field != "failed"}
    return Event(**texts, failed=line.get("failed") is True)
