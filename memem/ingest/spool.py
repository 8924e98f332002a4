"""Saves that the vault could not take: whole notes in the state folder, until the vault is back."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from memem.errors import VaultUnavailable
from memem.models import Memory
from memem.vault import note
from memem.vault.store import sync_folder
from memem.vault.temporary import sweep, temporary


class Spool:
    """A folder of notes waiting for the vault."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def keep(self, memory: Memory, reason: VaultUnavailable) -> None:
        """Store a memory durably.

        Raises:
            VaultUnavailable: the spool cannot be written either; the memory is nowhere.
        """
        try:
            self._store(memory)
        except OSError as error:
            raise VaultUnavailable(f"NOT saved. {reason} The spool failed as well: {error.strerror}.") from error

    def intend(self, memory: Memory) -> None:
        """Store a memory whose saving takes several writes, until it is removed: a replay finishes what a crash cut.

        Without a usable state folder the writes go on all the same; they only are not finished after a crash.
        """
        with contextlib.suppress(OSError):
            self._store(memory)

    def _store(self, memory: Memory) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with temporary(self.folder, note.render(memory)) as temp:
            os.replace(temp, self.folder / f"{memory.id}.md")
        sync_folder(self.folder)

    def waiting(self) -> list[Memory]:
        """The memories in the spool, oldest first."""
        found: list[tuple[int, Memory]] = []
        for path in self.folder.glob("*.md"):
            try:
                found.append((path.stat().st_mtime_ns, note.parse(path.read_bytes(), path.name).memory))
            except OSError:
                continue
        return [memory for _, memory in sorted(found, key=lambda item: item[0])]

    def sweep(self, now: float | None = None) -> int:
        """Remove temporary files whose writers are dead; answers how many."""
        return sweep(self.folder, now)

    def remove(self, memory: Memory) -> None:
        """Forget a memory that is in the vault now."""
        with contextlib.suppress(OSError):
            (self.folder / f"{memory.id}.md").unlink()
