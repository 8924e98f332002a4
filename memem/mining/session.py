"""One session from transcript to notes. The offset moves only when every note of it is durable."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from memem import sqlite
from memem.errors import BadInput
from memem.ingest.gate import Gate
from memem.mining.lessons import to_draft
from memem.mining.patterns import mine
from memem.models import Outcome, Scope
from memem.sources.claude_code import ClaudeCode, fingerprint, is_same
from memem.sources.events import Event
from memem.state.store import State
from memem.value import Value


class Session(Value):
    """A transcript as read: all its events, and which of them were mined before."""

    path: str
    identity: str
    session: str
    folder: str
    events: tuple[Event, ...]
    known: frozenset[str]  # uuids of the events before the offset of the last time
    start: int
    offset: int
    unknown: dict[str, int]
    skipped: int


class Mined(Value):
    """What came of one session: an outcome for each lesson."""

    path: str
    session: str
    outcomes: tuple[Outcome, ...] = ()
    refused: tuple[str, ...] = ()  # lessons that the gate found out of bounds
    unknown: Mapping[str, int] = {}
    skipped: int = 0
    unchanged: bool = False


def read_session(source: ClaudeCode, path: Path, state: State | None) -> Session:
    """Read a transcript whole: a lesson of its new part may need what was said before."""
    name = str(path.resolve())
    identity, start = state.offset(name) if state else ("", 0)
    if not is_same(path, identity, start):  # new, or another file in its place
        start = 0
    reading = source.read(path)
    events: list[Event] = []
    known: set[str] = set()
    for event in reading:
        events.append(event)
        if reading.offset < start:  # where the event's line begins
            known.add(event.uuid)
    return Session(
        path=name,
        identity=fingerprint(path),
        session=next((event.session for event in events if event.session), path.stem),
        folder=next((event.folder for event in events if event.folder), ""),
        events=tuple(events),
        known=frozenset(known),
        start=start,
        offset=reading.offset,
        unknown=dict(reading.unknown),
        skipped=reading.skipped,
    )


def mine_session(read: Session, gate: Gate, scope: Scope, state: State | None, *, dry_run: bool = False) -> Mined:
    """Offer the lessons that stand on something new to the gate, then remember how far the session was mined.

    Raises:
        VaultUnavailable, NotReady: a lesson could not be made durable; the offset stays where it was.
    """
    mined = Mined(path=read.path, session=read.session, unknown=read.unknown, skipped=read.skipped)
    if read.offset <= read.start:
        return mined.replace(unchanged=True)
    outcomes: list[Outcome] = []
    refused: list[str] = []
    for lesson in mine(read.events):
        if set(lesson.evidence) <= read.known:
            continue
        try:
            outcomes.append(gate.ingest(to_draft(lesson, read.session), scope, dry_run=dry_run))
        except BadInput as error:
            refused.append(str(error))
    if state and not dry_run:
        try:
            state.remember_offset(read.path, read.identity, read.offset, time.time())
        except sqlite.Error:
            pass  # it is mined once more, which adds nothing
    return mined.replace(outcomes=tuple(outcomes), refused=tuple(refused))
