"""Taking single events, whole sessions or words out of the archive: out of its files and out of the index over them."""

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
Changed = Callable[[Header, Event], Event | None]  # what is kept of an event, if anything is


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
    dropped, alone = _rewrite(archive, lambda header, event: None if gone(header, event) else event, sessions)
    if not alone:
        raise StateUnavailable("another process reads the archive: forget once more in a moment.")
    for aside in Path(archive.state).glob(DAMAGED):
        aside.unlink(missing_ok=True)
    return dropped


def change(archive: Archive, changed: Changed) -> int:
    """Keep of each event what `changed` makes of it; answers of how many that was something else.

    Raises:
        StateUnavailable: the archive or its index is busy or full; what is done is done, retry.
    """
    return _rewrite(archive, changed, lambda _: False)[0]


def _rewrite(archive: Archive, changed: Changed, sessions: Callable[[str], bool]) -> tuple[int, bool]:
    """How many events changed, and whether nothing of what they were is left beside the index."""
    try:
        archive.sync()
        count = sum(_of_file(archive, path, changed, sessions) for path in sorted(archive.folder.glob(f"*{SUFFIX}")))
        archive.turns.purge()
        return count, sqlite.leave_nothing(archive.turns.connection)
    except (OSError, *sqlite.FAULTS) as error:
        raise StateUnavailable(f"the archive is busy or full ({error}): try once more in a moment.") from error


def _of_file(archive: Archive, path: Path, changed: Changed, sessions: Callable[[str], bool]) -> int:
    packed: list[bytes] = []
    ends: dict[str, Header] = {}  # of sources whose last member has lost all its events
    count = 0
    for member in members.members(path):
        made = [changed(member.header, event) for event in member.events]
        count += sum(new != old for new, old in zip(made, member.events, strict=True))
        kept = [event for event in made if event]
        header = member.header
        if sessions(header.session):
            header = header.replace(session="", folder="", project="")
        ends.pop(header.source, None)
        if kept:
            packed.append(members.pack(header, kept))
        else:
            ends[header.source] = header.replace(folder="", project="")
    if not count:
        return 0
    packed += [members.pack(header, ()) for header in ends.values()]
    with sqlite.transaction(archive.turns.connection):
        archive.turns.remove(path.name, members.members(path))
        members.replace(path, b"".join(packed))
        archive.index_file(path.name)
    return count
