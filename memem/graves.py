"""Tombstones: what a human deleted from a vault, so that automation does not bring it back."""

from __future__ import annotations

import contextlib
import time

from memem import sqlite
from memem.index.writer import IndexWriter
from memem.models import Memory
from memem.state.store import State

_VAULT = "vault"  # the vault that the tombstones are of


class Graves:
    """The tombstones of a vault (its folder of memories), settled once for each index."""

    def __init__(self, vault: str) -> None:
        self._vault = vault
        self._settled = False

    def bury(self, state: State | None, gone: tuple[Memory, ...]) -> None:
        """Remember what a human deleted. A state that is busy, or of another vault, remembers nothing."""
        from memem.ingest.gate import text_key  # its tables of secrets load slowly, and most syncs bury nobody

        with contextlib.suppress(sqlite.Error):
            if state and state.get(_VAULT, self._vault) == self._vault:
                state.bury({memory.id: text_key(memory.body) for memory in gone}, time.time())

    def keep(self, state: State | None, index: IndexWriter) -> None:
        """Forget what a human restored; once for each index, find what was deleted while there was none."""
        if state is None:
            return
        with contextlib.suppress(sqlite.Error):
            back = index.held(state.buried_ids())
            if back:
                state.unbury(back)
            if not self._settled:
                self._settled = self._settle(state, index)

    def _settle(self, state: State, index: IndexWriter) -> bool:
        """Whether all that memem ever wrote to this vault is known to be there or deleted by now."""
        there = index.ids()
        if "" in there:  # a file or folder that cannot be read: what is in it is not known to be gone
            return False
        missing = [memory for memory in state.alive_ids() if memory not in there]
        same = state.get(_VAULT, self._vault) == self._vault
        if missing and same:
            state.bury_written(missing, time.time())
        elif missing:  # they are in another vault, not deleted
            state.forget_graves(missing)
        if not same or not state.get(_VAULT):
            state.put(_VAULT, self._vault)
        return True
