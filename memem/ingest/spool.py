"""Saves that the vault could not take: whole notes in the state folder, until the vault is back."""

from __future__ import annotations

import os
from pathlib import Path

from memem.errors import VaultUnavailable
from memem.models import Memory
from memem.vault import note


class Spool:
    """A folder of notes waiting for the vault."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def keep(self, memory: Memory, reason: VaultUnavailable) -> None:
        """Store a memory durably.

        Raises:
            VaultUnavailable: the spool cannot be written either; the memory is nowhere.
        """
        target = self.folder / f"{memory.id}.md"
        temp = target.with_suffix(".tmp")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(note.render(memory))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temp, target)
        except OSError as error:
            temp.unlink(missing_ok=True)
            raise VaultUnavailable(f"NOT saved. {reason} The spool failed as well: {error.strerror}.") from error

    def waiting(self) -> list[Memory]:
        """The memories in the spool, oldest first."""
        try:
            files = sorted(self.folder.glob("*.md"), key=lambda path: path.stat().st_mtime)
            return [note.parse(path.read_bytes(), path.name).memory for path in files]
        except OSError:
            return []

    def remove(self, memory: Memory) -> None:
        """Forget a memory that is in the vault now."""
        (self.folder / f"{memory.id}.md").unlink(missing_ok=True)
