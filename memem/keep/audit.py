"""`memem audit`: where a memory came from, back to the lines of the transcript, and what became of it since."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from memem import sqlite
from memem.app import Memem
from memem.errors import MememError, NotFound, Unavailable
from memem.ingest.secrets import redact
from memem.keep.undo import deeds
from memem.models import Candidate, Memory
from memem.recall.render import quoted
from memem.sources.claude_code import listed
from memem.sources.events import HUMAN, Event
from memem.state.changes import CHANGED, MADE, REMOVED
from memem.state.events import relevant_ids
from memem.text import cut, one_line
from memem.transcripts.dropping import archived
from memem.value import Value

_LONGEST = 400
_DID = {MADE: "written", CHANGED: "changed", REMOVED: "taken away"}


class Witness(Value):
    """A record that a memory stands on: in which line of which file, what kind of event, and its words, harmless.

    `file` is "archive" when only memem's archive holds it any more, and empty when nothing does.
    """

    record: str
    file: str = ""
    line: int = 0
    at: str = ""
    role: str = ""
    human: bool = False
    text: str = ""


class Trace(Value):
    """All that is known about a memory's origin and history."""

    memory: Memory
    path: str
    by_hand: bool  # a human wrote it, or edited it since memem did
    witnesses: tuple[Witness, ...]
    changes: tuple[tuple[int, str], ...]  # by memem, as far as its journal reaches: seconds and what
    ties: tuple[tuple[str, str, str], ...]  # relation, id, title ("" where that memory is gone)
    relevant: int  # to how many prompts lately
    shown: int  # when its body was injected last, in seconds; 0 for never


def audit(memem: Memem, name: str) -> Trace:
    """The trace of the memory with an id, or its beginning.

    Raises:
        NotFound: there is none.
    """
    with suppress(Unavailable):  # then as of the last time that it could be read
        memem.sync()
    memories, missing = memem.get([name])
    if missing or not memories:
        raise NotFound(f"no memory {one_line(name)[:80]!r}; memem list --history shows ids.")
    memory = memories[0]
    items = memem.index.notes("id = ?", (memory.id,))
    shown: dict[str, int] = {}
    with suppress(sqlite.Error):
        shown = memem.state.last_shown() if memem.state else {}
    return Trace(
        memory=memory,
        path=items[0].path if items else "",
        by_hand=bool(items) and memem.human_owned(memory),
        witnesses=tuple(_witnesses(memem, memory)),
        changes=tuple(_changes(memem, items)),
        ties=tuple(_ties(memem, memory)),
        relevant=relevant_ids(memem.config.dir).get(memory.id, 0),
        shown=shown.get(memory.id, 0),
    )


def _witnesses(memem: Memem, memory: Memory) -> Iterator[Witness]:
    """One for each record, from the host's transcript, else from the archive; at worst its id alone."""
    wanted = dict.fromkeys(memory.evidence)
    found: dict[str, Witness] = {}
    for path in _transcripts(memem, memory.source_session) if wanted else ():
        with suppress(MememError):  # gone, or not to be read
            found = dict(_in_transcript(memem, path, set(wanted) - found.keys())) | found
    for event in archived(memem.config.dir, lambda _, event: event.uuid in wanted) if wanted.keys() - found else ():
        found.setdefault(event.uuid, _witness(event, "archive", 0))
    yield from (found.get(name, Witness(record=name)) for name in wanted)


def _in_transcript(memem: Memem, path: Path, wanted: set[str]) -> Iterator[tuple[str, Witness]]:
    reading = memem.source().read(path)
    places = [(reading.offset, event) for event in reading if event.uuid in wanted]
    numbers = _line_numbers(path, [place for place, _ in places])
    # Of several events of one record the first tells most: a human's words come before what came of them.
    for (_, event), number in reversed(list(zip(places, numbers, strict=True))):
        yield event.uuid, _witness(event, str(path), number)


def _line_numbers(path: Path, places: list[int]) -> list[int]:
    """In which line each byte offset lies, counted from 1; offsets in ascending order."""
    numbers: list[int] = []
    at = number = 0
    with path.open("rb") as file:
        for place in places:
            while at < place and (piece := file.read(min(1 << 20, place - at))):
                number += piece.count(b"\n")
                at += len(piece)
            numbers.append(number + 1)
    return numbers


def _transcripts(memem: Memem, session: str) -> list[Path]:
    if not session:
        return []
    found = (Path(path) for folder in memem.config.session_dirs for path, _ in listed(folder))
    return [path for path in found if session in (path.stem, path.parent.parent.name)]


def _witness(event: Event, file: str, line: int) -> Witness:
    text = cut(one_line(quoted(redact(event.text).text)), _LONGEST)
    return Witness(
        record=event.uuid,
        file=file,
        line=line,
        at=event.at,
        role=event.kind,
        human=event.kind in HUMAN,
        text=text,
    )


def _changes(memem: Memem, items: list[Candidate]) -> Iterator[tuple[int, str]]:
    paths = {item.path for item in items}
    for deed in deeds(memem):
        for change in deed.changes:
            if change.path in paths:
                yield change.at, f"{_DID.get(change.kind, change.kind)}{' by an undo' if deed.is_undo else ''}"


def _ties(memem: Memem, memory: Memory) -> Iterator[tuple[str, str, str]]:
    named = [("supersedes", name) for name in memory.supersedes]
    named += [("replaced by", memory.replaced_by)] if memory.replaced_by else []
    named += [("contradicts", name) for name in memory.contradicts]
    for relation, name in named:
        found = memem.index.named(name)
        yield relation, name, found[0].memory.title if found else ""


def day(seconds: int) -> str:
    """A time as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(min(max(seconds, 0), 2**36)))
