"""What the user had forgotten for good: hashes of memories, texts, sessions and records, never brought back.

A file of its own beside the database, because a copy of that, put back one day, must not remember what this forgot.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from memem.errors import StateUnavailable

FILE_NAME = "forgotten"
MEMORY, TEXT, SESSION, RECORD = "memory", "text", "session", "record"
_NOTHING = (0, 0, 0)
_LOOK_SECONDS = 0.2


class Forgotten:
    """The hashes in a state folder; read again whenever another process has added some."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, FILE_NAME)
        self._about = _NOTHING
        self._known: frozenset[str] = frozenset()
        self._looked = float("-inf")

    def holds(self, kind: str, name: str) -> bool:
        """Whether this was forgotten: an id, a session, the uuid of a record, or the key of a text."""
        # Asked for every record of a transcript: not to look at the disk each time.
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._read()
        known = self._known
        return bool(known) and bool(name) and _line(kind, name) in known

    def add(self, named: Iterable[tuple[str, str]]) -> int:
        """Remember kinds and names as forgotten, durably; answers how many are new.

        Raises:
            StateUnavailable: the state folder cannot be written, so nothing may be removed yet.
        """
        return self.add_lines(_line(kind, name) for kind, name in named if name)

    def add_lines(self, lines: Iterable[str]) -> int:
        """The same for lines of another such file; what is none is left out."""
        known = self._read()
        new = [line for line in dict.fromkeys(lines) if _is_line(line) and line not in known]
        if not new:
            return 0
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write("".join(f"{line}\n" for line in new).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StateUnavailable(
                f"{self._path} cannot be written ({error.strerror}): nothing was forgotten."
            ) from error
        self._read()
        return len(new)

    def _read(self) -> frozenset[str]:
        try:
            about = self._path.stat()
        except OSError:
            self._about, self._known = _NOTHING, frozenset()
            return self._known
        seen = (about.st_ino, about.st_size, about.st_mtime_ns)
        if seen != self._about:
            lines = self._path.read_text(encoding="ascii", errors="replace").splitlines()
            self._about, self._known = seen, frozenset(filter(_is_line, lines))
        return self._known


def _line(kind: str, name: str) -> str:
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16, person=kind.encode())
    return f"{kind} {digest.hexdigest()}"


def _is_line(line: str) -> bool:
    kind, _, digest = line.partition(" ")
    return kind in (MEMORY, TEXT, SESSION, RECORD) and len(digest) == 32 and not digest.strip("0123456789abcdef")
