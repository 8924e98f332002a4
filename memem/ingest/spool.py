"""Saves that the vault could not take: whole notes in the state folder, until their vault is back.

Each names its vault in a line of its own, because another vault may be in use when it is looked at again.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from memem.errors import VaultUnavailable
from memem.models import Memory
from memem.value import Value
from memem.vault import note
from memem.vault.store import sync_folder
from memem.vault.temporary import sweep, temporary

_OPENING, _FIELD = b"---\n", b"waits_for_vault: "


class Waiting(Value):
    """A save in the spool: its file, its vault (empty from a memem that noted none), and what it says."""

    path: Path
    vault: str
    memory: Memory


class Spool:
    """A folder of notes waiting for the vault."""

    def __init__(self, folder: str, vault: str) -> None:
        self.folder, self.vault = Path(folder), vault

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
        text = note.render(memory).removeprefix(_OPENING)
        with temporary(self.folder, b"%s%s%s\n%s" % (_OPENING, _FIELD, json.dumps(self.vault).encode(), text)) as temp:
            os.replace(temp, self.folder / f"{memory.id}.md")
        sync_folder(self.folder)

    def waiting(self) -> list[Memory]:
        """The memories that wait for this vault, oldest first."""
        return [entry.memory for entry in self.entries() if self.is_own(entry)]

    def elsewhere(self) -> list[Waiting]:
        """What waits for another vault, oldest first."""
        return [entry for entry in self.entries() if not self.is_own(entry)]

    def is_own(self, entry: Waiting) -> bool:
        """Whether a save waits for this vault, by whatever path that is known."""
        return entry.vault == "" or os.path.realpath(entry.vault) == os.path.realpath(self.vault)

    def entries(self) -> list[Waiting]:
        """All that is in the spool, oldest first."""
        found: list[tuple[int, Waiting]] = []
        for path in self.folder.glob("*.md"):
            try:
                data = path.read_bytes()
                memory = note.parse(data, path.name).memory
                found.append((path.stat().st_mtime_ns, Waiting(path=path, vault=_vault_of(data), memory=memory)))
            except OSError:
                continue
        return [entry for _, entry in sorted(found, key=lambda item: item[0])]

    def sweep(self, now: float | None = None) -> int:
        """Remove temporary files whose writers are dead; answers how many."""
        return sweep(self.folder, now)

    def remove(self, memory: Memory) -> None:
        """Forget a memory that is in the vault now."""
        with contextlib.suppress(OSError):
            (self.folder / f"{memory.id}.md").unlink()


def _vault_of(data: bytes) -> str:
    """The vault that a save names; what cannot be read is no vault's, so that it is told of and moves nowhere."""
    line = data.removeprefix(_OPENING).partition(b"\n")[0].rstrip(b"\r")
    if not line.startswith(_FIELD):
        return ""
    told = line.removeprefix(_FIELD).decode("utf-8", "replace")
    try:
        return str(json.loads(told))
    except ValueError:
        return told
