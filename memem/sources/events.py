"""What a transcript says, whatever program wrote it: a stream of events, and the protocol of those who read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from memem.value import Value

_BEGINNING = 500  # characters, which every reader takes whole

HUMAN = ("prompt", "feedback", "answer")  # the kinds whose text is a human's own words


class Event(Value):
    """One thing that happened in a session, in the order of the file. What a sub-agent was told is no human's word.

    kind: `prompt` (a human's words, typed, queued or as arguments of a command), `feedback` (said when refusing a
    tool), `answer` (a question put to the human and the answer: "Q — A"), `prose` (text of the agent), `command`
    (a shell command), `commit` (message of a commit that succeeded), `edit` (new text of a file, `path`, when the
    tool did not fail), `result` (output of a tool, `failed` when it is an error), `plan` (a plan the human accepted),
    `boundary` (its text says which: interrupt, compaction).
    """

    kind: str
    text: str
    session: str
    uuid: str  # of the record; of the record before where it has none
    at: str = ""  # ISO 8601 as recorded; clocks run backwards in real files, the order of events does not
    folder: str = ""
    branch: str = ""
    path: str = ""
    tool: str = ""
    failed: bool = False
    agent: str = ""  # id of the sub-agent, empty for the main thread


def record_of(event: Event) -> str:
    """What the record of an event is known by: its uuid, or a hash of how a text begins that has none."""
    if event.uuid:
        return event.uuid
    said = "\0".join((event.session, event.kind, event.text[:_BEGINNING]))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


class Source(Protocol):
    """A program whose sessions can be read."""

    def sessions(self, folder: str) -> Iterator[Path]:
        """Transcript files below a folder (or the file itself), without those of memem's own model calls."""

    def read(self, path: Path, start: int = 0, seen: set[str] | None = None) -> Reading:
        """A transcript from a byte offset on, without records whose uuid was `seen`; those met are added to it."""


class Reading(Protocol):
    """One pass over a transcript: iterate it for events; afterwards it tells how far it came and what it met."""

    offset: int  # after the last complete line, whatever was in it
    skipped: int  # lines that could not be parsed, or are too long
    records: int  # records met

    @property
    def unknown(self) -> dict[str, int]:
        """Record types that the reader does not know, counted."""

    def __iter__(self) -> Iterator[Event]:
        """The events from the start offset to the last complete line."""
