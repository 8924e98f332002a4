"""Taking single events, or whole sessions, out of the archive: out of its files and out of the index over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from memem import sqlite
from memem.errors import StateUnavailable
from memem.sources.events import Event
from memem.transcripts import members
from memem.transcripts.archive import Archive
from memem.transcripts.members import FOLDER, SUFFIX, Header
from memem.transcripts.turns import DAMAGED

Gone = Callable[[Header, Event], bool]


def archived(state: str, gone: Gone) -> Iterator[Event]:
    """The archived events that are meant, file by file."""
    for path in sorted(Path(state, FOLDER).glob(f"*{SUFFIX}")):
        for member in members.members(path):
            yield from (event for event in member.events if gone(member.header, event))


def drop(archive: Archive, gone: Gone, sessions: Callable[[str], bool]) -> int:
    """Take events out; answers how many. Of a session that goes as a whole not even the name stays.

    Where the archive ends in its sources stays known, so that what is gone is not archived once more.

    Raises:
        StateUnavailable: the archive or its index is busy or full; what is out stays out, retry.
    """
    try:
        archive.sync()
        dropped = sum(_drop(archive, path, gone, sessions) for path in sorted(archive.folder.glob(f"*{SUFFIX}")))
        archive.turns.purge()
        if not sqlite.leave_nothing(archive.turns.connection):
            raise StateUnavailable("another process reads the archive: forget once more in a moment.")
    except (OSError, *sqlite.FAULTS) as error:
        raise StateUnavailable(f"the archive is busy or full ({error}): forget once more.") from error
    for aside in Path(archive.state).glob(DAMAGED):
        aside.unlink(missing_ok=True)
    return dropped


def _drop(archive: Archive, path: Path, gone: Gone, sessions: Callable[[str], bool]) -> int:
    packed: list[bytes] = []
    ends: dict[str, Header] = {}  # of sources whose last member has lost all its events
    dropped = 0
    for member in members.members(path):
        kept = [event for event in member.events if not gone(member.header, event)]
        dropped += len(member.events) - len(kept)
        header = member.header
        if sessions(header.session):
            header = header.replace(session="", folder="", project="")
        ends.pop(header.source, None)
        if kept:
            packed.append(members.pack(header, kept))
        else:
            ends[header.source] = header.replace(folder="", project="")
    if not dropped:
        return 0
    packed += [members.pack(header, ()) for header in ends.values()]
    with sqlite.transaction(archive.turns.connection):
        archive.turns.remove(path.name, members.members(path))
        members.replace(path, b"".join(packed))
        archive.index_file(path.name)
    return dropped
