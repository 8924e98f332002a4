"""What a model took for a secret and no rule had found: kept sealed, known to every process that opens the store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from memem.errors import Locked
from memem.ingest.sealed import SealedStore

RULE, MOST = "model", 500  # how the store knows them, and how many are remembered


class Learned:
    """What was learned so far. Loads none of the rules: a sync asks it of notes that hold no secret by these."""

    def __init__(self, store: SealedStore) -> None:
        self._store = store
        self._known: dict[str, None] = {}
        self._in_force: list[str] = []
        self._stamp: tuple[int, int] | None = None

    def add(self, values: Sequence[str]) -> int:
        """Learn these, unless a human allowed them; answers how many are new."""
        known = {*self.values(), *self._known}
        new = [value for value in values if value not in known and not self._store.allows(value)]
        new = new[: MOST - len(known)]
        self._store.keep([(RULE, value) for value in new], "found by the model")
        self._known.update(dict.fromkeys(new))
        self._stamp = None
        return len(new)

    def values(self) -> list[str]:
        """What is a secret by now, and was not allowed."""
        with suppress(Locked):
            if (stamp := self._store.stamp()) != self._stamp:  # another process has learned or allowed some, perhaps
                self._known.update(dict.fromkeys(self._store.values(RULE)[:MOST]))
                self._in_force = [value for value in self._known if not self._store.allows(value)]
                self._stamp = stamp
        return self._in_force

    def within(self, *texts: str) -> bool:
        """Whether one of the texts holds one of them."""
        return any(value in text for value in self.values() for text in texts)

    def without(self, text: str) -> str:
        """The text without them."""
        for value in self.values():
            text = text.replace(value, f"[REDACTED:{RULE}]")
        return text
