"""What is kept of an event: without secrets, and cut to size only after they are gone."""

from __future__ import annotations

from collections.abc import Callable

from memem.sources.events import Event
from memem.sources.records import cut
from memem.text import clean, one_line

# Characters that a text is read beyond where it is cut, so that what a cut would part is still known for a secret:
# a private key has 3,300 at most.
MARGIN = 4096
_NAMES = ("session", "uuid", "folder", "branch", "path", "tool", "agent")
_LONGEST = 1_000
_STAMP = frozenset("0123456789-:.+TZ")
_ID = frozenset("0123456789abcdef-")
_MOST_REMEMBERED = 5_000


class Keeper:
    """Redacts and cuts the events of one session."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._names: dict[str, str] = {"": ""}  # folders and branches are the same a thousand times

    def event(self, event: Event) -> Event:
        """The event as it may be kept. Its text was read with MARGIN."""
        names = {field: self.name(getattr(event, field)) for field in _NAMES}
        at = event.at if _STAMP.issuperset(event.at) else ""
        return event.replace(text=cut(event.kind, self._redact(event.text)), at=at, **names)

    def name(self, raw: str) -> str:
        """A path, id or other name as it may be kept."""
        if len(raw) == 36 and _ID.issuperset(raw):
            return raw
        known = self._names.get(raw)
        if known is None:
            known = self._redact(one_line(clean(raw[: _LONGEST + MARGIN])))[:_LONGEST]
            if len(self._names) >= _MOST_REMEMBERED:
                self._names = {"": ""}
            self._names[raw] = known
        return known
