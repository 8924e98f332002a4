"""What the index may know of a note: its file keeps every byte, all that is shown or sent comes from a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from memem.config import Config
from memem.errors import NotReady
from memem.index.writer import Entry
from memem.ingest.learned import Learned
from memem.ingest.rules import rules
from memem.ingest.sealed import SealedStore
from memem.models import Memory
from memem.state.clean import Clean

if TYPE_CHECKING:  # its tables of secrets load slowly, and most notes were looked through before
    from memem.ingest.secrets import Redactor

_UNREAD = "not looked through for secrets yet: what knows them is not installed"


class Known:
    """Memories without secrets, for the index to know. `redactor` is asked for when a note needs it."""

    def __init__(self, config: Config, redactor: Callable[[], Redactor]) -> None:
        self._clean = Clean(config.dir, lambda: f"{rules()} {config.redact_personal}")
        self._learned = Learned(SealedStore(config))
        self._redactor = redactor

    def __call__(self, entry: Entry, memory: Memory) -> tuple[Entry, Memory]:
        """A memory as the index may know it; most were looked through before, by these rules."""
        if self._clean.holds(entry.path, entry.hash) and not self._learned.within(memory.title, memory.body):
            return entry, memory
        try:
            safe = self._redactor().memory(memory)
        except NotReady:  # told without all that may be a secret, and as a problem, so that it is read again
            from memem.ingest.secrets import UNREADY

            return entry.replace(problem=_UNREAD, settled=False), self._redactor().memory(memory, UNREADY)
        if safe is memory:
            self._clean.add(entry.path, entry.hash)
        return entry, safe

    def keep(self) -> None:
        """Write down which notes were found to hold none."""
        self._clean.keep()
