"""The archive of sessions: grows with their transcripts, outlives them, and is searched turn by turn.

Order of every change: the member is durable in the archive's file, then in the index, and only with that member does
the offset in the source move. What a crash leaves out is read again; what is read again is not archived twice.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from memem import sqlite
from memem.errors import NotFound, StateUnavailable
from memem.sources.claude_code import ClaudeCode, Transcript, fingerprint, is_same, names_of
from memem.sources.events import Event
from memem.transcripts import members
from memem.transcripts.kept import MARGIN, Keeper
from memem.transcripts.members import FOLDER, SUFFIX, Header
from memem.transcripts.sides import event_key, in_turns
from memem.transcripts.turns import FILE_NAME, Cursor, Order, Turn, move_aside, open_turns
from memem.value import Value

P = ParamSpec("P")
R = TypeVar("R")
_MEMBER = 48_000  # characters of a member: what a search unpacks for each place it found
_BATCH = 1_000_000  # characters between two commits
_DAY = 86_400


class Grown(Value):
    """What one call added of a session."""

    path: str
    session: str = ""
    events: int = 0
    start: int = 0
    offset: int = 0
    skipped: int = 0  # lines that could not be read
    gone: bool = False  # the transcript is not there any more; what was archived stays
    ours: bool = False  # a model call of memem itself, never archived
    alone: bool = False  # forgotten, or switched off for now
    complete: bool = True  # false when it was told to stop
    problem: str = ""  # why the transcript cannot be read


class Sizes(Value):
    """What the archive takes on the disk."""

    sessions: int = 0
    bytes: int = 0
    index_bytes: int = 0


def never() -> bool:
    """The stop flag of who never stops."""
    return False


def open_archive(state: str, source: ClaudeCode) -> Archive | None:
    """The archive of a state folder for reading, or None where nothing was archived, or it cannot be opened now."""
    if not Path(state, FOLDER).is_dir():
        return None
    try:
        return Archive(state, source)
    except StateUnavailable:
        return None


def sizes(state: str) -> Sizes:
    """How many sessions are archived in a state folder, and how much that takes."""
    files = [path.stat().st_size for path in Path(state, FOLDER).glob(f"*{SUFFIX}")]
    index = [path.stat().st_size for path in Path(state).glob(f"{FILE_NAME}*")]
    return Sizes(sessions=len(files), bytes=sum(files), index_bytes=sum(index))


@lru_cache(maxsize=20_000)  # every search asks it of every transcript
def source_key(path: str) -> str:
    """What a transcript's path, which is absolute, is known by in the archive."""
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _mending(method: Callable[Concatenate[Archive, P], R]) -> Callable[Concatenate[Archive, P], R]:
    """An index found damaged is moved aside and built anew, and the call made once more."""

    @wraps(method)
    def call(self: Archive, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            try:
                return method(self, *args, **kwargs)
            except sqlite.FAULTS as error:
                if not sqlite.is_damage(error):
                    raise
                self.replace_index(keep=True)
                return method(self, *args, **kwargs)
        except (OSError, *sqlite.FAULTS) as error:
            raise StateUnavailable(f"the archive in {self.state} is busy or full ({error}); retry.") from error

    return call


class Archive:
    """The archive in a state folder. `project` names what a folder belongs to, while it is there."""

    def __init__(
        self,
        state: str,
        source: ClaudeCode | None = None,
        project: Callable[[str], str] = lambda _: "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.state = state
        self._source = source or ClaudeCode(state)
        self._project = project
        self._clock = clock
        self.folder = Path(state, FOLDER)
        self._synced = False
        try:
            for folder in (Path(state), self.folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.turns = open_turns(state)
        except (OSError, *sqlite.FAULTS) as error:
            raise StateUnavailable(f"{state} cannot be written ({error}): check its permissions.") from error

    def close(self) -> None:
        """Release the index."""
        self.turns.close()

    # Growing

    @_mending
    def grow(self, path: Path, *, redact: Callable[[str], str], stop: Callable[[], bool] = never) -> Grown:
        """Archive what a transcript holds beyond what is archived of it. Everything kept goes through `redact`.

        Bounded memory, whatever the size of the file. When `stop` says so, what was read until then is made durable.

        Raises:
            StateUnavailable: the archive or its index cannot be written; nothing is lost, retry.
            Unavailable: the transcript cannot be read.
            NotReady: secrets cannot be recognised yet.
        """
        source = source_key(str(path.absolute()))
        try:
            if not self._synced:
                self._index_files(stop)
                self._synced = not stop()
            cursor = self.turns.cursor(source)
            same = bool(cursor.identity) and is_same(path, cursor.identity, cursor.offset)
            start = cursor.offset if same else 0
            if same and (not cursor.kept or cursor.offset == path.stat().st_size):
                return Grown(path=str(path), session=names_of(path)[0], start=start, offset=start, ours=not cursor.kept)
            head, identity = self._source.head(path), fingerprint(path)
            if head.alone:
                return Grown(path=str(path), session=names_of(path)[0], start=start, offset=start, alone=True)
            if head.ours:
                self.turns.move_cursor(source, "", identity, 0)
                return Grown(path=str(path), session=names_of(path)[0], ours=True)
            keeper = Keeper(redact)
            header = Header(
                source=source,
                identity=identity,
                offset=start,
                session=keeper.name(head.session),
                folder=keeper.name(head.folder),
                project=keeper.name(self._project(head.folder)) if head.folder else "",
                at=int(self._clock()),
            )
            grown = Grown(path=str(path), session=header.session, start=start)
            reading = self._source.read(path, start, margin=MARGIN)
            return _Pass(self, members.file_name(*names_of(path)), header, cursor).take(reading, keeper, stop, grown)
        except (NotFound, FileNotFoundError):
            return Grown(path=str(path), gone=True)

    def append(self, name: str, header: Header, before: Cursor, packed: Iterable[bytes]) -> Cursor:
        """Make members durable in a session's file, then known to the index; answers the new cursor.

        Raises:
            StateUnavailable: the file cannot be written, or another process archives the same session.
        """
        after = Cursor(identity=header.identity, offset=header.offset)
        with sqlite.transaction(self.turns.connection):
            end = self.index_file(name)
            if self.turns.cursor(header.source) != before:
                raise StateUnavailable("another process archives this session; retry.")
            if data := b"".join(packed):
                members.append(self.folder / name, data, end)
                self.index_file(name)  # what is on the disk is what is indexed
            self.turns.move_cursor(header.source, name, header.identity, header.offset)
        return after

    # Keeping

    @_mending
    def sync(self, stop: Callable[[], bool] = never) -> None:
        """Bring the index up to date with the archive's files."""
        self._index_files(stop)

    def replace_index(self, *, keep: bool) -> None:
        """Begin a new index; the old one is kept aside when it may tell what went wrong."""
        self.turns.close()
        aside = move_aside(self.state)
        if not keep:
            aside.unlink(missing_ok=True)
        self.turns = open_turns(self.state)

    @_mending
    def prune(self, days: int, stop: Callable[[], bool] = never) -> int:
        """Empty the archives of sessions that have not grown for so many days; answers how many. 0 days: none.

        Where they end in their sources stays known, so that they are not archived once more.
        """
        if days <= 0:
            return 0
        self._index_files(stop)
        pruned = 0
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if not stop() and path.stat().st_mtime < self._clock() - days * _DAY and self._empty(path):
                pruned += 1
        if pruned:
            self.turns.purge()
        return pruned

    def _empty(self, path: Path) -> bool:
        last: dict[str, Header] = {}
        events = 0
        for member in members.members(path):
            last[member.header.source] = member.header.replace(folder="", project="")
            events += len(member.events)
        if not events:
            return False
        with sqlite.transaction(self.turns.connection):
            self.turns.remove(path.name, members.members(path))
            members.replace(path, b"".join(members.pack(header, ()) for header in last.values()))
            self.index_file(path.name)
        return True

    def _index_files(self, stop: Callable[[], bool], *, mend: bool = True) -> None:
        with os.scandir(self.folder) as entries:
            files = {entry.name: entry.stat().st_size for entry in entries if entry.name.endswith(SUFFIX)}
        known = self.turns.sizes()
        if mend and any(files.get(name, 0) < end for name, end in known.items()):
            # A file was taken away or put back older: an index without the text cannot forget it.
            self.replace_index(keep=False)
            known = {}
        for name in [name for name, size in files.items() if size > known.get(name, 0)]:
            if stop():
                return
            if next(members.members(self.folder / name, known.get(name, 0)), None):
                with sqlite.transaction(self.turns.connection):
                    self.index_file(name)
        if not stop():
            self.turns.mark_whole()

    def index_file(self, name: str) -> int:
        """Index what is new in a file; answers the end of its last whole member. Inside a transaction."""
        end = self.turns.sizes().get(name, 0)
        for member in members.members(self.folder / name, end):
            self.turns.add(name, member)
            end = member.end
        return end

    # Finding

    @_mending
    def find(
        self,
        words: Iterable[str],
        limit: int,
        meant: Callable[[str, str], bool] | None = None,
        stop: Callable[[], bool] = never,
        order: Order = Order(),  # noqa: B008 - frozen
    ) -> list[tuple[Turn, tuple[Event, ...]]]:
        """Turns that the words speak for and their events, best first, of equal ones the newest.

        `meant` tells whether a session that began in a folder, which belonged to a project, is asked for. What is
        archived but not indexed is indexed first, as far as `stop` lets it.
        """
        if not self.turns.whole:
            self._index_files(stop, mend=False)
        every = self.turns.folders()
        chosen = [number for number, *where in every if meant(*where)] if meant else []
        folders = None if meant is None or len(chosen) == len(every) else chosen
        if order.by_session:
            ranked = self.turns.search(words, limit, folders, order, self._clock())
        else:
            found = self.turns.search(words, 2 * limit + 10, folders, order, self._clock())
            ranked = sorted(found, key=lambda turn: (round(turn.score, 1), turn.at), reverse=True)[:limit]
        return [
            (turn, members.load(self.folder / turn.archive, turn.start, turn.first, turn.events)) for turn in ranked
        ]

    @_mending
    def reached(self) -> dict[str, tuple[int, int]]:
        """How far each source is archived, by `source_key`: see `Turns.reached`."""
        return self.turns.reached()

    @_mending
    def worth(self, word: str) -> float:
        """How much a word tells of a turn, as its score counts it."""
        return self.turns.worth(word)


class _Pass:
    """One reading of a session: its events gathered into members, its members into commits."""

    def __init__(self, archive: Archive, name: str, header: Header, cursor: Cursor) -> None:
        self._archive = archive
        self._name = name
        self._header = header
        self._cursor = cursor
        self._member: list[Event] = []
        self._packed: list[bytes] = []
        self._taken: set[int] = set()  # since the last commit
        self._size = self._packed_size = self._events = 0
        self._complete = True

    def take(self, reading: Transcript, keeper: Keeper, stop: Callable[[], bool], grown: Grown) -> Grown:
        """Archive all that is new in it."""
        for turn in in_turns(self._new(reading, keeper, stop)):
            self._member += turn
            self._size += sum(len(event.text) for event in turn)
            if self._size >= _MEMBER:
                self._pack(reading)
            if self._packed_size >= _BATCH:
                self._commit()
        self._pack(reading)
        self._commit()
        return grown.replace(
            events=self._events, offset=self._header.offset, skipped=reading.skipped, complete=self._complete
        )

    def _new(self, reading: Transcript, keeper: Keeper, stop: Callable[[], bool]) -> Iterator[Event]:
        for event in reading:
            if stop():
                self._complete = False
                return
            kept = keeper.event(event)
            key = event_key(kept)
            if key not in self._taken and self._archive.turns.is_new(key):
                self._taken.add(key)
                self._events += 1
                yield kept

    def _pack(self, reading: Transcript) -> None:
        self._header = self._header.replace(offset=reading.settled)
        if self._member:
            self._packed.append(members.pack(self._header, self._member))
            self._packed_size += self._size
            self._member, self._size = [], 0

    def _commit(self) -> None:
        if self._packed or self._header.offset != self._cursor.offset:
            self._cursor = self._archive.append(self._name, self._header, self._cursor, self._packed)
        self._packed, self._packed_size = [], 0
        self._taken.clear()
