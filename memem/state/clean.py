"""Which notes were looked through and hold no secret, by a hash: an index that is built anew need not look again.

A file of lines in the state folder: first the rules by which they were looked through, then the hashes. It is derived:
without it, or by other rules, all notes are looked through once more.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

FILE_NAME = "clean"
_MOST = 400_000  # lines; of a vault that changes a lot most are old by then


class Clean:
    """The notes known to be clean by these `rules`."""

    def __init__(self, folder: str, rules: Callable[[], str]) -> None:
        self._path = Path(folder, FILE_NAME)
        self._read_rules = rules
        self._new: dict[str, None] = {}

    @cached_property
    def _rules(self) -> str:
        return self._read_rules()

    @cached_property
    def _known(self) -> frozenset[str]:  # most syncs find nothing to look through, and read neither
        return self._read()

    def holds(self, path: str, content: str) -> bool:
        """Whether the note at that path was clean when its content had that hash."""
        name = _name(path, content)
        return name in self._known or name in self._new

    def add(self, path: str, content: str) -> None:
        """Remember it as clean; on disk with the next `keep`."""
        self._new[_name(path, content)] = None

    def keep(self) -> None:
        """Write down what was added. A folder that cannot be written keeps nothing, which only costs time."""
        if not self._new:
            return
        anew = not self._known or len(self._known) > _MOST
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_TRUNC if anew else os.O_APPEND)
        lines = [*([self._rules] if anew else []), *self._new]
        with suppress(OSError), open(os.open(self._path, flags, 0o600), "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)
        self._known = frozenset(self._new) if anew else self._known | self._new.keys()
        self._new = {}

    def _read(self) -> frozenset[str]:
        try:
            rules, *known = self._path.read_text(encoding="ascii", errors="replace").splitlines()
        except (OSError, ValueError):
            return frozenset()
        return frozenset(known) if rules == self._rules else frozenset()


def _name(path: str, content: str) -> str:
    # With the path: a note that says no title of its own is named after its file.
    return hashlib.blake2b(f"{content}{path}".encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
